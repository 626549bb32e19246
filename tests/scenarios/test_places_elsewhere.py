"""Places as foreign data states them: codes of other countries, and names that disagree. Judged and recounted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.agreement import Agreement
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.scenarios import outcome, shelling, watched
from tests.support.worlds import DAY, FIRST, HOUR, agreement

#: A district of the second region is listed as a region of its own, which the agreement leaves out.
NIGERIA = """\
title = "Two states of Nigeria"
sources = ["none"]
country = "NG"
regions = [
  { pcode = "NG001", english = "Abia" },
  { pcode = "NG002", english = "Adamawa" },
  { pcode = "NG002001", english = "Demsa" },
]
"""


@pytest.fixture
def truce(tmp_path: Path) -> Agreement:
    gazetteer = tmp_path / "nigeria.toml"
    gazetteer.write_text(NIGERIA, encoding="utf-8")
    regions = ["NG001", "NG002"]
    access = {"regions": ["NG001"]}
    return agreement(gazetteer=str(gazetteer), regions=regions, gate_regions=regions, access=access)


def history(truce: Agreement) -> History:
    start = truce.effective
    tally = [{"place": {"pcode": code}, "count": 1} for code in ("NG001001", "NG002002")]
    return (
        History(truce)
        .tell(
            watched("W-1", start, start + DAY, "NG001002", "NG002002", "NG002001"),
            shelling("S-1", start + HOUR, "NG001001"),
            shelling("S-2", start + 2 * HOUR, "NG002002"),
            shelling("S-3", start + 3 * HOUR, "NG002001"),
            report(
                "bulletin",
                "B-1",
                feed="monitor",
                reported_at=start + DAY,
                occurred=(start, start + DAY),
                tallies=tally,
                total=2,
            ),
        )
        .tick(start + DAY + HOUR)
    )


def test_every_report_is_in_the_region_whose_code_is_the_longest_that_begins_its_own(
    truce: Agreement, tmp_path: Path
) -> None:
    judged = outcome(history(truce), tmp_path)
    assert judged.ask("SELECT report_id, region FROM reports WHERE type = 'incident' ORDER BY ALL") == [
        ("S-1", "NG001"),
        ("S-2", "NG002"),
    ]
    assert judged.ask("SELECT DISTINCT region FROM coverage ORDER BY ALL") == [("NG001",), ("NG002",)]
    assert judged.ask("SELECT region FROM bulletins ORDER BY line") == [("NG001",), ("NG002",)]
    assert judged.ask("SELECT sum(outside) FROM feeds") == [(1,)]
    assert judged.ask("SELECT report_id, code FROM rejects") == []
    assert judged.verdict("NG001", FIRST)["incidents"] == 1


def test_the_recount_still_goes_by_the_agreements_codes_where_the_gazetteer_is_gone(
    truce: Agreement, tmp_path: Path
) -> None:
    start = truce.effective
    file = History(truce).tell(shelling("S-1", start + HOUR, "NG001001")).tick(start + DAY).judged(tmp_path)
    Path(truce.gazetteer).unlink()
    assert verify(file) == []


def test_a_town_named_after_the_capital_is_counted_where_it_lies(tmp_path: Path) -> None:
    truce = agreement(regions=["SY01", "SY03"], gate_regions=["SY01", "SY03"], access={"regions": []})
    when = truce.effective + HOUR
    names = {"S-1": ["Damascus", "Duma"], "S-2": ["Damascus"], "S-3": ["Damascus Governorate", "Duma"]}
    reports = [{**shelling(report_id, when), "place": {"names": named}} for report_id, named in names.items()]
    judged = outcome(History(truce).tell(*reports).tick(truce.effective + DAY + HOUR), tmp_path)
    assert judged.ask("SELECT report_id, region, located_by, place_conflict FROM reports ORDER BY ALL") == [
        ("S-1", "SY03", "name", "name 'Damascus' lies in SY01 Damascus"),
        ("S-2", "SY01", "name", None),
        ("S-3", "SY03", "name", "name 'Damascus Governorate' lies in SY01 Damascus"),
    ]
    assert judged.ask("SELECT report_id FROM ambiguous_places ORDER BY ALL") == [("S-1",), ("S-3",)]
    assert [judged.verdict(region, FIRST)["incidents"] for region in ("SY01", "SY03")] == [1, 2]


def test_earlier_verdicts_are_recounted_where_nobody_can_tell_any_more_what_was_watched(
    truce: Agreement, tmp_path: Path
) -> None:
    """The first revision of the notice watched Abia, which only the gazetteer that is gone calls NG001."""
    start = truce.effective
    spine: dict[str, Any] = {"feed": "monitor", "occurred": (start, start + DAY), "nil": True}
    told = History(truce)
    for revision, name in ((1, "Abia"), (2, "Adamawa")):
        when = start + revision * DAY
        told.tell(report("coverage", "W", revision=revision, reported_at=when, places=[{"names": [name]}], **spine))
        told.tick(when + HOUR)
    file = told.judged(tmp_path)
    assert verify(file) == []
    Path(truce.gazetteer).unlink()
    assert verify(file) == []
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute("UPDATE verdict_log SET incidents = 7 WHERE region = 'NG002'")
    assert [found.table for found in verify(file)] == ["day_verdict_versions"]
