"""UCDP GED rows become incident reports without losing a column or adding a claim."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.errors import InputFileError
from schemas.rejects import explain
from schemas.reports import ANY_REPORT, IncidentKind, IncidentReport, PlacePrecision, TimePrecision
from streams.feeds.ged import REQUIRED, incident, read_ged
from streams.feeds.readers import read
from streams.intake.facts import flaw_of
from tests.support.shared_data import shared_data

DAMASCUS = ZoneInfo("Asia/Damascus")


def a_row(**cells: str) -> dict[str, str]:
    """A row of the 41-column file, changed where a test says so."""
    return {
        "id": "230048",
        "type_of_violence": "1",
        "side_a_new_id": "118",
        "side_a": "Government of Syria",
        "side_b_new_id": "4456",
        "side_b": "Syrian insurgents",
        "source_office": "SOHR",
        "source_date": "2016-09-14",
        "source_headline": "a headline",
        "source_original": "SOHR",
        "where_prec": "2",
        "where_coordinates": "Khuwayn al Kabir village",
        "adm_1": "Idlib Governorate",
        "adm_2": "Maarat al-Numaan district",
        "latitude": "35.47826",
        "longitude": "36.83621",
        "geom_wkt": "POINT (36.83621 35.47826)",
        "date_prec": "1",
        "date_start": "2016-09-13",
        "date_end": "2016-09-13",
        "deaths_a": "0",
        "deaths_b": "0",
        "deaths_civilians": "6",
        "deaths_unknown": "0",
        "low": "5",
        "best": "6",
        "high": "7",
    } | cells


def validated(**cells: str) -> IncidentReport:
    """The report of a row, as intake reads it."""
    report = ANY_REPORT.validate_json(json.dumps(incident(a_row(**cells), DAMASCUS)))
    assert isinstance(report, IncidentReport)
    return report


def a_file(*rows: dict[str, str], columns: list[str] | None = None) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(a_row()), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def test_a_row_says_what_happened_to_whom_and_where() -> None:
    report = validated()
    assert (report.feed, report.report_id, report.revision) == ("ucdp-ged", "230048", 1)
    assert (report.kind, report.kind_as_given) == (IncidentKind.UNSPECIFIED, "ucdp type_of_violence 1")
    assert [(party.name, party.slot, party.party_id) for party in report.parties] == [
        ("Government of Syria", "a", "ucdp 118"),
        ("Syrian insurgents", "b", "ucdp 4456"),
    ]
    assert report.place.names == ["Idlib Governorate", "Maarat al-Numaan district", "Khuwayn al Kabir village"]
    assert report.place.precision is PlacePrecision.NEAR
    assert report.deaths is not None
    assert (report.deaths.low, report.deaths.best, report.deaths.high) == (5, 6, 7)
    assert report.deaths.by_side == {"a": 0, "b": 0, "civilians": 6, "unknown": 0}
    assert [(source.name, source.published, source.title) for source in report.sources] == [
        ("SOHR", "2016-09-14", "a headline")
    ]


def test_nobody_is_accused_because_the_sides_have_no_direction() -> None:
    report = validated()
    assert report.accused == []
    assert report.claimant is None


def test_every_column_is_kept_verbatim() -> None:
    row = a_row(geom_wkt="", adm_2="")
    assert incident(row, DAMASCUS)["raw"] == row


@pytest.mark.parametrize(
    ("code", "deaths_a", "deaths_b", "kind"),
    [
        ("1", "0", "4", IncidentKind.UNSPECIFIED),
        ("1", "2", "0", IncidentKind.ARMED_CLASH),
        ("2", "2", "0", IncidentKind.UNSPECIFIED),
        ("2", "2", "2", IncidentKind.ARMED_CLASH),
        ("3", "0", "0", IncidentKind.ATTACK_ON_CIVILIANS),
        ("3", "1", "1", IncidentKind.ATTACK_ON_CIVILIANS),
    ],
)
def test_the_type_of_violence_says_who_fought_and_the_dead_whether_they_did(
    code: str, deaths_a: str, deaths_b: str, kind: IncidentKind
) -> None:
    assert validated(type_of_violence=code, deaths_a=deaths_a, deaths_b=deaths_b).kind is kind


@pytest.mark.parametrize(("stated", "precision"), [("1", PlacePrecision.NEAR), ("3", PlacePrecision.DISTRICT)])
def test_the_middle_of_a_town_is_near_and_not_exact(stated: str, precision: PlacePrecision) -> None:
    assert validated(where_prec=stated).place.precision is precision


@pytest.mark.parametrize(
    ("headline", "kind"),
    [
        pytest.param("Warplanes kill six in a village", IncidentKind.AIRSTRIKE, id="aircraft"),
        pytest.param("Barrel bombs on a market", IncidentKind.AIRSTRIKE, id="what only aircraft drop"),
        pytest.param("Six dead in shelling of a town", IncidentKind.SHELLING, id="guns"),
        pytest.param("A bombing kills six", IncidentKind.EXPLOSIVE, id="neither told"),
        pytest.param("Warplanes and artillery shells hit a town", IncidentKind.UNSPECIFIED, id="both: which of them?"),
        pytest.param("Six dead in air strikes;Clashes in the north", IncidentKind.UNSPECIFIED, id="fighting as well"),
        pytest.param("Six dead after chlorine gas", IncidentKind.UNSPECIFIED, id="never a severe kind"),
        pytest.param("Six seashells found", IncidentKind.UNSPECIFIED, id="whole words only"),
        pytest.param("", IncidentKind.UNSPECIFIED, id="nothing said"),
    ],
)
def test_bombardment_is_read_from_headlines_that_tell_of_nothing_else(headline: str, kind: IncidentKind) -> None:
    report = validated(source_headline=headline)
    assert report.kind is kind
    assert report.kind_as_given == "ucdp type_of_violence 1"
    assert (report.note is not None) == (kind is not IncidentKind.UNSPECIFIED)


@pytest.mark.parametrize("cells", [{"type_of_violence": "2"}, {"type_of_violence": "3"}, {"deaths_a": "4"}])
def test_a_headline_changes_no_kind_where_the_row_speaks_against_it(cells: dict[str, str]) -> None:
    """Bombardment by a state is not non-state, not coded one-sided, and does not kill its own soldiers."""
    told = validated(source_headline="Warplanes kill six in a village", **cells)
    assert told.kind is validated(source_headline="", **cells).kind
    assert told.note is None


def test_an_alliance_is_split_into_its_members_without_its_own_id() -> None:
    parties = validated(side_b="Ahrar al-Sham, HTS, Southern Front").parties
    assert [(party.name, party.slot, party.party_id) for party in parties[1:]] == [
        ("Ahrar al-Sham", "b", None),
        ("HTS", "b", None),
        ("Southern Front", "b", None),
    ]


def test_an_event_spans_whole_calendar_days_of_the_time_zone() -> None:
    report = validated(date_start="2016-09-13", date_end="2016-09-14", date_prec="2", source_date="2016-09-15")
    assert report.occurred.from_.isoformat() == "2016-09-13T00:00:00+03:00"
    assert report.occurred.to.isoformat() == "2016-09-15T00:00:00+03:00"
    assert report.occurred.precision is TimePrecision.WEEK
    assert report.occurred.source_precision == "ucdp date_prec 2"


def test_a_day_on_which_clocks_change_keeps_its_midnights() -> None:
    """Damascus went back to winter time in the night to 28 October 2016: the day before had 25 hours."""
    report = validated(date_start="2016-10-27", date_end="2016-10-27", source_date="2016-10-27")
    assert report.occurred.to - report.occurred.from_ == timedelta(hours=25)


def test_dates_with_the_midnight_of_later_releases_are_read() -> None:
    report = validated(date_start="2016-09-13 00:00:00.000", date_end="2016-09-13 00:00:00.000")
    assert report.occurred.from_.isoformat() == "2016-09-13T00:00:00+03:00"


@pytest.mark.parametrize(
    ("source_date", "reported_at"),
    [
        pytest.param("2016-09-14", "2016-09-15T00:00:00+03:00", id="the end of the source's day"),
        pytest.param("1753-01-01", "2016-09-14T00:00:00+03:00", id="a slip into the past: the end of the event"),
        pytest.param("2919-09-14", "2016-09-14T00:00:00+03:00", id="a slip into the future: the end of the event"),
        pytest.param("2016-12-12", "2016-12-13T00:00:00+02:00", id="ninety days later still counts"),
        pytest.param("2016-12-13", "2016-09-14T00:00:00+03:00", id="ninety-one do not"),
        pytest.param("2016-09-20;2016-09-15", "2016-09-16T00:00:00+03:00", id="the first of several sources"),
        pytest.param("", "2016-09-14T00:00:00+03:00", id="none"),
    ],
)
def test_the_time_of_reporting_comes_from_a_believable_source_date(source_date: str, reported_at: str) -> None:
    assert incident(a_row(source_date=source_date), DAMASCUS)["reported_at"] == reported_at


def test_several_sources_are_told_apart_where_their_cells_agree_in_number() -> None:
    report = validated(
        source_office="SOHR;Airwars", source_date="2016-09-14;2016-09-15", source_headline="one; and a half; two"
    )
    assert [(source.name, source.published, source.title) for source in report.sources] == [
        ("SOHR", "2016-09-14", None),
        ("Airwars", "2016-09-15", None),
    ]


@pytest.mark.parametrize(
    ("cells", "path"),
    [
        ({"best": "many"}, "deaths.best"),
        ({"latitude": "north"}, "place.point.latitude"),
        ({"date_start": "13.9.2016"}, "occurred.from"),
        ({"date_end": ""}, "occurred.to"),
        ({"type_of_violence": "9"}, "kind"),
        ({"where_prec": "12"}, "place.precision"),
    ],
)
def test_a_cell_that_cannot_be_read_is_passed_on_for_intake_to_name(cells: dict[str, str], path: str) -> None:
    with pytest.raises(ValidationError) as raised:
        validated(**cells)
    assert path in explain(raised.value).hint


def test_the_49_columns_of_a_yearly_release_are_read() -> None:
    more = {
        "relid": "SYR-1",
        "code_status": "Clear",
        "conflict_dset_id": "299",
        "where_description": "x",
        "gwnoa": "652",
    }
    (report,) = read_ged(a_file(a_row() | more, columns=[*more, *reversed(a_row())]), "ged.csv", DAMASCUS)
    assert json.loads(report.value)["raw"] == a_row() | more
    assert (report.feed, report.report_id, report.line, report.report_type) == ("ucdp-ged", "230048", 2, "incident")


def test_a_byte_order_mark_and_line_breaks_within_cells_are_no_obstacle() -> None:
    source = io.BytesIO(b"\xef\xbb\xbf" + a_file(a_row(source_headline="two\nlines"), a_row(id="2")).getvalue())
    reports = list(read_ged(source, "ged.csv", DAMASCUS))
    assert [report.report_id for report in reports] == ["230048", "2"]
    assert [report.line for report in reports] == [3, 4]


def test_a_torn_row_is_passed_on_whole_and_the_next_one_read() -> None:
    text = a_file(a_row(), a_row(id="2")).getvalue().replace(b"230048,1,", b"230048,1,surplus,", 1)
    torn, whole = read_ged(io.BytesIO(text), "ged.csv", DAMASCUS)
    assert torn.reported_at is None
    assert json.loads(torn.value)["raw"]["cells"][2] == "surplus"
    assert whole.report_id == "2"


def test_a_file_of_another_kind_is_refused_with_the_columns_it_lacks() -> None:
    columns = [column for column in a_row() if column not in ("date_prec", "best")]
    with pytest.raises(InputFileError, match=r"x\.csv.*lacks the columns date_prec, best$"):
        list(read_ged(a_file(a_row(), columns=columns), "x.csv", DAMASCUS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (",".join(REQUIRED).encode() + b"\n\xff\xfe,\n", "is not UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_its_fault(content: bytes, message: str) -> None:
    with pytest.raises(InputFileError, match=message):
        list(read_ged(io.BytesIO(content), "x.csv", DAMASCUS))


@pytest.mark.slow
def test_every_row_of_the_real_file_is_a_report_or_has_a_clear_fault() -> None:
    """Of 16,566 rows 58 state a lowest toll above their highest; nothing else is wrong with any."""
    path = shared_data("ucdp_ged_syria/ged_syria_2016_2019.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    flagged: set[str] = set()
    reports: dict[str, Any] = {}
    for report in read(Path(path), "ged", DAMASCUS):
        assert report.reported_at is not None
        assert report.report_id is not None
        reports[report.report_id] = json.loads(report.value)
        told = ANY_REPORT.validate_json(report.value)
        assert isinstance(told, IncidentReport)
        assert told.deaths is not None
        if flaw_of(told.deaths) is not None:
            flagged.add(report.report_id)
    assert {name: report["raw"] for name, report in reports.items()} == rows
    assert len(rows) == 16_566
    assert flagged == {name for name, row in rows.items() if int(row["low"]) > int(row["high"])}
    assert len(flagged) == 58
