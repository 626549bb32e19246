"""A living data set: three pulls with changes and deletions leave what one fresh load leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from tests.scenarios.test_failures import local
from tests.support.judged import History
from tests.support.scenarios import Outcome, outcome
from tests.unit.test_shipped_mappings import EVENT, table, told

pytestmark = pytest.mark.slow

AGREEMENT = load_agreement("syria-2016")
#: 14 September 2016, 00:00 UTC: every row of a pull is of some seconds after it.
PULLED = 1_473_811_200
PRESENT = (
    "SELECT incident_id, region, truce_day, kind, in_scope FROM incidents ORDER BY ALL",
    "SELECT * FROM day_tallies ORDER BY ALL",
    "SELECT report_id, kind, deaths_best, occurred_from FROM reports WHERE present AND NOT retracted ORDER BY ALL",
    "SELECT region, truce_day, verdict, incidents, deaths_best FROM day_verdicts ORDER BY ALL",
)


def event(name: str, seconds: int, **cells: str) -> dict[str, str]:
    return EVENT | {"event_id_cnty": name, "time_precision": "1", "timestamp": str(PULLED + seconds)} | cells


def judged(tmp_path: Path, name: str, *files: str) -> Outcome:
    """Publish files one after the other, and judge."""
    history = History(AGREEMENT)
    for file in files:
        history.tell(*told(tmp_path, file))
    return outcome(history.tick(local(20, 0)), tmp_path / name)


def test_three_pulls_leave_the_same_present_tables_as_one_fresh_load(tmp_path: Path) -> None:
    stays, goes = event("SYR1", 1), event("SYR2", 2, latitude="35.9")
    moved = event("SYR3", 3, admin1="Hama", location="Hama", latitude="", longitude="")
    mended = moved | {"fatalities": "9", "event_date": "2016-09-12", "timestamp": str(PULLED + 50)}
    # Counted at first, called a protest later; and the other way round.
    protest = {"event_type": "Protests", "sub_event_type": "Peaceful protest"}
    calmed = event("SYR5", 4, latitude="36.2")
    calm = calmed | protest | {"timestamp": str(PULLED + 55)}
    fought = event("SYR6", 56, latitude="36.4")
    fight = fought | protest | {"timestamp": str(PULLED + 5)}
    late = event("SYR4", 60, sub_event_type="Armed clash", admin1="Aleppo", location="", latitude="", longitude="")
    deleted = f"event_id_cnty,deleted_timestamp\nSYR2,{PULLED + 40}\nSYR9,{PULLED + 41}\n"
    pulls = judged(
        tmp_path,
        "pulls",
        table(stays, goes, moved, calmed, fight),
        table(stays, mended, calm, fight),
        deleted,
        table(stays, mended, calm, fought, late),
    )
    fresh = judged(tmp_path, "fresh", table(stays, mended, calm, fought, late))
    for query in PRESENT:
        found = pulls.ask(query)
        assert found
        assert found == fresh.ask(query)
    assert pulls.ask("SELECT report_id FROM reports WHERE present AND retracted ORDER BY 1") == [
        ("SYR2",), ("SYR5",), ("SYR9",)
    ]  # fmt: skip
    assert pulls.ask("SELECT duplicate, corrected, retracted FROM feeds") == [(5, 2, 4)]


def test_a_deletion_that_comes_first_keeps_its_report_out(tmp_path: Path) -> None:
    deleted = f"event_id_cnty,deleted_timestamp\nSYR1,{PULLED + 40}\n"
    result = judged(tmp_path, "late", deleted, table(event("SYR1", 1)))
    assert result.ask("SELECT count(*) FROM incidents") == [(0,)]
    assert result.ask("SELECT type, revision, retracted FROM reports WHERE present") == [
        ("retraction", PULLED + 40, True)
    ]
