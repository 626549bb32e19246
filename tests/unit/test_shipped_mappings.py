"""Mappings that come along: each is known by its columns, and makes reports that intake accepts."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.rejects import RejectCode
from streams.feeds.dry_run import Fault, faults
from streams.feeds.mapping.load import shipped_mappings
from streams.feeds.readers import format_of, read_all
from streams.feeds.summary import Summary
from streams.intake.examine import Examiner

DAMASCUS = ZoneInfo("Asia/Damascus")
_NAMES = [
    "event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type", "sub_event_type",
    "actor1", "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2", "interaction",
    "civilian_targeting", "iso", "region", "country", "admin1", "admin2", "admin3", "location", "latitude",
    "longitude", "geo_precision", "source", "source_scale", "notes", "fatalities", "tags", "timestamp",
]  # fmt: skip
ACLED = dict.fromkeys(_NAMES, "")
EVENT = ACLED | {
    "event_id_cnty": "SYR12345",
    "event_date": "13 September 2016",
    "time_precision": "2",
    "event_type": "Explosions/Remote violence",
    "sub_event_type": "Air/drone strike",
    "actor1": "Military Forces of Syria (2000-2024)",
    "inter1": "1",
    "actor2": "Civilians (Syria)",
    "assoc_actor_2": "Farmers (Syria); Women (Syria)",
    "inter2": "Civilians",
    "country": "Syria",
    "admin1": "Idleb",
    "location": "Khan Shaykun",
    "latitude": "35.4422",
    "longitude": "36.6514",
    "geo_precision": "1",
    "source": "SOHR; SNN",
    "notes": "a note",
    "fatalities": "4",
    "timestamp": "1700000000",
}
HXL = (
    "Id,When,What,Governorate,Code,Lat,Lon,Killed\n"
    "#event +id,#date+occurred,#event+type,#adm1+name,#adm1+code,#geo+lat,#lon+geo,#affected+killed\n"
    "7,2016-09-13,Shelling,Hama,SY05,,,3\n"
)
DELETED = "event_id_cnty,deleted_timestamp\nSYR12345,1700000500\n"
AWSD = (
    "Incident ID,Year,Month,Day,Country,Region,City,Total killed,Total wounded,Latitude,Longitude,Means of attack,"
    "Actor name,Details,Source\n"
    "3210,2016,9,19,Syrian Arab Republic,Aleppo,Urem al-Kubra,12,,36.1,36.9,Aerial bombardment,Unknown,,Media\n"
)
ODK = (
    "SubmissionDate,occurred_at,region,place,where-Latitude,where-Longitude,kind,killed,KEY,SubmitterName,ReviewState,Edits\n"
    "2016-09-13T12:00:00.000Z,2016-09-13T09:00:00.000+03:00,Hama,,,,shelling,2,uuid:1,Rima,,0\n"
    "2016-09-13T12:00:00.000Z,2016-09-13T09:00:00.000+03:00,Hama,,,,shelling,2,uuid:2,Rima,rejected,10\n"
)
KOBO = (
    "occurred_at,region,kind,_id,_uuid,_submission_time,_validation_status\n"
    "2016-09-13 09:00,Hama,shelling,55,u-1,2016-09-13 12:00:00,Not approved\n"
)


def table(*rows: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def told(tmp_path: Path, content: str) -> list[dict[str, Any]]:
    """Return the reports of a file that is known by its columns."""
    (tmp_path / "data.csv").write_text(content, "utf-8")
    return [json.loads(each.report.value) for each in read_all([tmp_path / "data.csv"], None, DAMASCUS)]


def tried(tmp_path: Path, summary: Summary | None = None) -> list[Fault]:
    """Return what a dry run finds in that file."""
    agreement = load_agreement("syria-2016")
    examiner = Examiner([agreement], load_gazetteer(agreement.gazetteer, None), "clock")
    reports = read_all([tmp_path / "data.csv"], None, DAMASCUS)
    return [fault for fault in faults(reports, examiner, summary) if fault]


@pytest.mark.parametrize(
    ("content", "name"),
    [(table(EVENT), "acled"), (DELETED, "acled-deleted"), (HXL, "hxl"), (AWSD, "awsd"), (ODK, "odk"), (KOBO, "kobo")],
    ids=["acled", "acled-deleted", "hxl", "awsd", "odk", "kobo"],
)
def test_a_file_is_known_by_its_columns_and_its_rows_are_accepted(tmp_path: Path, content: str, name: str) -> None:
    reports = told(tmp_path, content)
    assert format_of(tmp_path / "data.csv", None).name == name
    assert len(reports) == content.count("\n") - (2 if name == "hxl" else 1)
    assert tried(tmp_path) == []


def test_an_acled_event_of_one_actor_names_nobody_else(tmp_path: Path) -> None:
    (report,) = told(tmp_path, table(EVENT | {"actor2": "", "assoc_actor_2": "", "inter2": "0"}))
    assert [party["name"] for party in report["parties"]] == ["Military Forces of Syria (2000-2024)"]
    assert tried(tmp_path) == []


def test_an_acled_event_keeps_its_precisions_and_names_everybody(tmp_path: Path) -> None:
    (report,) = told(tmp_path, table(EVENT))
    assert (report["report_id"], report["revision"]) == ("SYR12345", 1_700_000_000)
    assert report["reported_at"] == "2023-11-14T22:13:20+00:00"
    assert report["occurred"] == {
        "from": "2016-09-13T00:00:00+03:00",
        "to": "2016-09-14T00:00:00+03:00",
        "precision": "week",
        "source_precision": "acled time_precision 2",
    }
    assert report["place"] == {
        "names": ["Idleb", "Khan Shaykun"],
        "point": {"latitude": 35.4422, "longitude": 36.6514},
        "precision": "near",
        "source_precision": "acled geo_precision 1",
    }
    assert (report["kind"], report["deaths"]) == ("airstrike", {"best": 4})
    assert report["kind_as_given"] == "Explosions/Remote violence / Air/drone strike"
    assert report["parties"] == [
        {"name": "Military Forces of Syria (2000-2024)", "kind": "State forces", "slot": "actor1"},
        {"name": "Civilians (Syria)", "kind": "Civilians", "slot": "actor2"},
        {"name": "Farmers (Syria)", "slot": "actor2"},
        {"name": "Women (Syria)", "slot": "actor2"},
    ]
    assert report["sources"] == [{"name": "SOHR"}, {"name": "SNN"}]
    assert report["raw"] == EVENT


def test_an_event_that_became_a_protest_is_withdrawn(tmp_path: Path) -> None:
    protest = EVENT | {"event_type": "Protests", "sub_event_type": "Peaceful protest", "timestamp": "1700000007"}
    event, withdrawn = told(tmp_path, table(EVENT, protest))
    assert withdrawn == {
        "type": "retraction",
        "feed": "acled",
        "report_id": event["report_id"],
        "revision": 1_700_000_007,
        "reported_at": "2023-11-14T22:13:27+00:00",
        "raw": protest,
    }
    assert tried(tmp_path) == []


def test_a_deleted_event_is_a_retraction_of_a_higher_revision(tmp_path: Path) -> None:
    (event,), (deleted,) = told(tmp_path, table(EVENT)), told(tmp_path, DELETED)
    assert deleted["type"] == "retraction"
    assert (deleted["feed"], deleted["report_id"]) == (event["feed"], event["report_id"])
    assert deleted["revision"] == 1_700_000_500 > event["revision"]


def test_a_protest_with_hxl_tags_is_withdrawn(tmp_path: Path) -> None:
    (report,) = told(tmp_path, HXL.replace("Shelling", "Protest"))
    assert (report["type"], report["report_id"]) == ("retraction", "7")
    assert tried(tmp_path) == []


def test_hxl_tags_name_the_columns_whatever_the_order_of_their_attributes(tmp_path: Path) -> None:
    (report,) = told(tmp_path, HXL)
    assert (report["report_id"], report["place"]["pcode"], report["deaths"]) == ("7", "SY05", {"best": 3})
    assert set(report["raw"]) >= {"#event+id", "#geo+lat", "#lon+geo"}


def test_an_edited_submission_is_a_higher_revision_and_a_rejected_one_withdrawn(tmp_path: Path) -> None:
    first, second = told(tmp_path, ODK)
    assert (first["revision"], "status" in first) == (10, False)
    assert (second["revision"], second["type"]) == (110, "retraction")
    (refused,) = told(tmp_path, KOBO)
    assert refused["type"] == "retraction"


def test_a_dry_run_names_the_cells_and_sums_up_what_was_told(tmp_path: Path) -> None:
    rows = [
        EVENT,
        EVENT,
        EVENT | {"timestamp": "1700000001"},
        EVENT | {"event_id_cnty": "SYR2", "sub_event_type": "Airstrike"},
        EVENT | {"event_id_cnty": "SYR3", "admin1": "Idlbe", "location": "", "latitude": "", "longitude": ""},
        EVENT | {"event_id_cnty": "SYR4", "latitude": "95"},
    ]
    told(tmp_path, table(*rows))
    summary = Summary()
    kind, place, degrees = tried(tmp_path, summary)
    assert [(cell.column, cell.cell) for cell in kind.cells] == [("sub_event_type", "Airstrike")]
    assert kind.cells[0].remedy == "add the cell to values, or to [skip]"
    assert ("admin1", "Idlbe") in [(cell.column, cell.cell) for cell in place.cells]
    assert place.cells[0].remedy == RejectCode.UNKNOWN_PLACE.hint
    assert [(cell.column, cell.cell) for cell in degrees.cells] == [("latitude", "95")]
    assert summary.as_json() == {
        "outcomes": {"new": 1, "duplicate": 1, "correction": 1},
        "codes": {"bad_value": 1, "unknown_place": 1, "bad_coordinates": 1},
        "regions": {"SY07": 3},
        "found_by": {"name": 3},
        "kinds": {"airstrike": 3},
        "coarse_times": {"week": 3},
        "doubtful_places": {},
        "skipped": {},
        "formulas": {},
        "feeds_without_a_watch": ["acled"],
        "against_a_copy": False,
    }


def test_every_mapping_says_what_it_is_for_and_what_it_needs() -> None:
    for mapping in shipped_mappings().values():
        assert mapping.file.summary
        assert mapping.file.requires
