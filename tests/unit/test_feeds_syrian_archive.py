"""The reader of the Syrian Archive's table of videos."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.agreement_file import load_agreement
from schemas.errors import ReportRejected
from schemas.gazetteer import load_gazetteer
from schemas.rejects import explain
from schemas.reports import ANY_REPORT, IncidentKind, IncidentReport, PlacePrecision, Point, TimePrecision
from streams.feeds.readers import read
from streams.feeds.syrian_archive import PLACES_FILE, Places, Spot, incident, read_places, read_syrian_archive
from tests.support.shared_data import shared_data

DAMASCUS = ZoneInfo("Asia/Damascus")
GAZETTEER = load_gazetteer("syria")
LISTED: Places = {("aleppo", "anadan"): Spot(36.3, 37.0)}


def a_row(**cells: str) -> dict[str, str]:
    """An invented video, changed where a test says so."""
    return {
        "Description": "a town was targeted",
        "City": "ALEPPO",
        "Neighborhood": "Anadan",
        "Latitude": "NA",
        "Longitude": "NA",
        "Reference_Code": "AL_00000",
        "Violation_Type": "Other",
        "Recording_Date": "2016-09-20",
        "Recording_Hour": "9.0",
        "Recording_Minute": "48.0",
        "Source": "an uploader",
        "Youtube_ID": "https://example.org/watch",
        "Weapons_Used": "NA",
        "Database_ID": "17",
    } | cells


def validated(places: Places = LISTED, **cells: str) -> IncidentReport:
    """The report of a row, as intake reads it."""
    report = ANY_REPORT.validate_json(json.dumps(incident(a_row(**cells), places, DAMASCUS)))
    assert isinstance(report, IncidentReport)
    return report


def a_file(*rows: dict[str, str]) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def test_one_video_is_one_report_with_every_column_kept() -> None:
    report = validated()
    assert (report.feed, report.report_id, report.revision) == ("syrian-archive", "17", 1)
    assert report.raw == a_row()


def test_the_uploader_is_the_origin_and_the_archive_the_outlet() -> None:
    (source,) = validated().sources
    assert (source.name, source.origin, source.title) == ("Syrian Archive", "an uploader", "a town was targeted")


def test_a_video_without_an_uploader_has_no_origin() -> None:
    assert validated(Source="NA").sources[0].origin is None


def test_a_time_of_publication_claims_no_more_than_its_day() -> None:
    report = validated()
    assert report.occurred.from_.isoformat() == "2016-09-20T00:00:00+03:00"
    assert report.occurred.to.isoformat() == "2016-09-21T00:00:00+03:00"
    assert report.occurred.precision is TimePrecision.DAY


@pytest.mark.parametrize(
    ("cells", "reported_at"),
    [
        pytest.param({}, "2016-09-20T09:48:00+00:00", id="as UTC: later than the same minute in Syria"),
        pytest.param({"Recording_Hour": "0.0", "Recording_Minute": "0.0"}, "2016-09-21T00:00:00+03:00", id="no hour"),
        pytest.param({"Recording_Hour": "NA"}, "2016-09-21T00:00:00+03:00", id="missing"),
        pytest.param({"Recording_Hour": "31.0"}, "2016-09-21T00:00:00+03:00", id="absurd"),
    ],
)
def test_a_video_is_known_from_its_minute_or_else_from_the_end_of_its_day(
    cells: dict[str, str], reported_at: str
) -> None:
    assert validated(**cells).reported_at.isoformat() == reported_at


@pytest.mark.parametrize(
    ("description", "begins"),
    [
        ("air strikes on the town, 19/9/2016", "2016-09-19"),
        ("air strikes on the town 14-09-2016.", "2016-09-14"),
        ("air strikes of 20.9.2016", "2016-09-20"),
        ("air strikes of 12/9/2016", "2016-09-20"),  # more than a week before: perhaps a slip of the month
        ("air strikes of 9/19/2016", "2016-09-20"),  # no day
        ("air strikes of 18/9/2016 and 19/9/2016", "2016-09-20"),  # either
        ("air strikes of 21/9/2016", "2016-09-20"),  # nobody films tomorrow
    ],
)
def test_a_day_that_the_text_writes_out_is_the_day_when_it_is_of_the_week_before(description: str, begins: str) -> None:
    occurred = validated(Description=description).occurred
    assert (occurred.from_.isoformat()[:10], occurred.precision) == (begins, "day")
    told = begins != "2016-09-20"
    assert occurred.source_precision == ("day named in the text" if told else "day of publication")


@pytest.mark.parametrize(
    ("cells", "point", "precision"),
    [
        pytest.param(
            {"Latitude": "36.15", "Longitude": "36.96"},
            Point(latitude=36.15, longitude=36.96),
            PlacePrecision.EXACT,
            id="the row's own",
        ),
        pytest.param({}, Point(latitude=36.3, longitude=37.0), PlacePrecision.NEAR, id="the list's"),
        pytest.param(
            {"Neighborhood": "ANADAN "}, Point(latitude=36.3, longitude=37.0), PlacePrecision.NEAR, id="folded"
        ),
        pytest.param({"Neighborhood": "Hraytan"}, None, PlacePrecision.NEAR, id="a name that is not listed"),
        pytest.param({"City": "IDLIB"}, None, PlacePrecision.NEAR, id="listed in another governorate"),
        pytest.param({"Neighborhood": "NA"}, None, PlacePrecision.GOVERNORATE, id="the governorate alone"),
    ],
)
def test_a_place_is_as_precise_as_what_it_rests_on(
    cells: dict[str, str], point: Point | None, precision: PlacePrecision
) -> None:
    place = validated(**cells).place
    assert (place.point, place.precision) == (point, precision)


@pytest.mark.parametrize(
    ("city", "quarter", "region"),
    [("ALEPPO", "NA", "SY02"), ("DAMASCUS", "Duma", "SY03"), ("DAMASCUS", "Jobar", "SY01"), ("NA", "Anadan", "SY02")],
)
def test_a_quarter_says_whether_damascus_means_the_city_or_its_country(city: str, quarter: str, region: str) -> None:
    found = GAZETTEER.locate(validated(City=city, Neighborhood=quarter).place)
    assert (found.region, found.conflict) == (region, None)


def test_damascus_alone_is_ambiguous_and_not_guessed() -> None:
    with pytest.raises(ReportRejected, match="SY01 Damascus or SY03 Rural Damascus"):
        GAZETTEER.locate(validated(City="DAMASCUS", Neighborhood="NA").place)


def test_a_row_that_names_no_place_is_refused_with_the_field() -> None:
    with pytest.raises(ValidationError) as raised:
        validated(City="NA", Neighborhood="NA")
    assert explain(raised.value).code == "place_empty"


@pytest.mark.parametrize(
    ("column", "cell", "path"),
    [("Latitude", "north", "place.point.latitude"), ("Recording_Date", "20.9.2016", "occurred.from")],
)
def test_a_cell_that_cannot_be_read_is_passed_on_for_intake_to_name(column: str, cell: str, path: str) -> None:
    with pytest.raises(ValidationError) as raised:
        validated(**{"Longitude": "37", column: cell})
    assert path in explain(raised.value).hint


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ({"Description": "Airstrikes on the market"}, IncidentKind.AIRSTRIKE),
        ({"Description": "raids at night with missiles"}, IncidentKind.AIRSTRIKE),
        ({"Weapons_Used": "Barrel Bomb"}, IncidentKind.AIRSTRIKE),
        ({"Description": "mortar shells hit a school"}, IncidentKind.SHELLING),
        ({"Description": "shelling with cluster bombs", "Weapons_Used": "Cluster Munition"}, IncidentKind.SHELLING),
        ({"Weapons_Used": "Cluster Munition"}, IncidentKind.EXPLOSIVE),
        ({"Description": "a car bomb in town"}, IncidentKind.EXPLOSIVE),
        ({"Description": "clashes at the front"}, IncidentKind.ARMED_CLASH),
        ({"Description": "two were shot by soldiers"}, IncidentKind.SMALL_ARMS),
        ({"Weapons_Used": "Chemical Weapons"}, IncidentKind.CHEMICAL),
        ({"Description": "targeted with chlorine gas"}, IncidentKind.CHEMICAL),
        ({"Violation_Type": "Unlawful attacks"}, IncidentKind.ATTACK_ON_CIVILIANS),
        ({"Description": "the stereochemistry of a missing word"}, IncidentKind.OTHER),
        ({"Violation_Type": "Sieges and economic, social and cultural rights"}, IncidentKind.OTHER),
        ({}, IncidentKind.UNSPECIFIED),
        ({"Description": "search under the rubble"}, IncidentKind.UNSPECIFIED),
        ({"Description": "a street after rain"}, IncidentKind.OTHER),
        ({"Description": "warplanes in the skies of the town"}, IncidentKind.OTHER),
        ({"Description": "warplanes hover, and raids on the town"}, IncidentKind.AIRSTRIKE),
        ({"Description": "aircraft hovering and targeting the town"}, IncidentKind.AIRSTRIKE),
        ({"Description": "helicopters hover over the town, chlorine gas"}, IncidentKind.CHEMICAL),
        ({"Description": "clashes, drones in the sky"}, IncidentKind.ARMED_CLASH),
        ({"Description": "drones in the sky; artillery fire"}, IncidentKind.SHELLING),
    ],
)
def test_the_kind_is_what_codes_or_plain_words_say(cells: dict[str, str], kind: IncidentKind) -> None:
    assert validated(**cells).kind is kind


@pytest.mark.parametrize(
    "description",
    ["a doctor's testimony about the chlorine attack", "remnants of a rocket", "warplanes flying over", "a funeral"],
)
def test_what_follows_an_attack_is_not_taken_for_one(description: str) -> None:
    """It is published on another day than the attack, and a severe kind would break that day."""
    assert validated(Description=description, Weapons_Used="Chemical Weapons").kind is IncidentKind.OTHER


def test_a_video_of_a_struck_convoy_breaks_no_day_by_its_date() -> None:
    assert validated(Description="air strike on a Red Crescent convoy").kind is IncidentKind.AIRSTRIKE


def test_an_allegation_is_kept_as_one() -> None:
    report = validated(Violation_Type="Alleged civilian casualties from Russian attacks")
    assert (report.accused, report.claimant, report.confidence) == (["Russian Federation"], "Syrian Archive", "alleged")
    assert validated().accused == []


def test_a_point_the_list_gives_to_two_places_is_taken_for_neither() -> None:
    def at(quarter: str, latitude: str) -> dict[str, str]:
        return {"City": "Aleppo", "Neighborhood": quarter, "Latitude": latitude, "Longitude": "37"}

    listed = a_file(at("A", "36.1"), at("B", "36.1"), at("C", "36.2"), at("D", "NA"))
    assert read_places(listed, "places") == {("aleppo", "c"): Spot(36.2, 37.0)}


def test_the_list_of_places_is_read_where_it_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_bytes(a_file(a_row()).getvalue())
    (alone,) = read(tmp_path / "videos.csv", None, DAMASCUS)
    place = {"City": "Aleppo", "Neighborhood": "Anadan", "Latitude": "36.3", "Longitude": "37"}
    (tmp_path / PLACES_FILE).write_bytes(a_file(place).getvalue())
    (beside,) = read(tmp_path / "videos.csv", None, DAMASCUS)
    assert "point" not in json.loads(alone.value)["place"]
    assert json.loads(beside.value)["place"]["point"] == {"latitude": 36.3, "longitude": 37}


def test_a_torn_row_is_passed_on_whole() -> None:
    text = a_file(a_row()).getvalue().replace(b"ALEPPO,", b"ALEPPO,surplus,")
    (torn,) = read_syrian_archive(io.BytesIO(text), "videos.csv", DAMASCUS)
    assert torn.reported_at is None
    assert "surplus" in json.loads(torn.value)["raw"]["cells"]


def test_every_real_video_is_a_report_in_a_region_or_names_no_place() -> None:
    """Of 4,135 videos 20 state no place, 102 a point alone, which takes polygons, and four no more than Damascus."""
    path = shared_data("syrian_archive_videos/violations.csv.gz")
    regions = load_agreement("syria-2016").regions
    faults: list[str] = []
    names = set()
    for recorded in read(path, None, DAMASCUS):
        names.add(recorded.report_id)
        try:
            report = ANY_REPORT.validate_json(recorded.value)
            assert isinstance(report, IncidentReport)
            assert GAZETTEER.locate(report.place).region in regions
        except ValidationError as error:
            faults.append(explain(error).code)
        except ReportRejected as reason:
            faults.append(reason.code)
    assert len(names) == 4_135
    assert Counter(faults) == {"place_empty": 20, "unknown_place": 102, "ambiguous_place": 4}
