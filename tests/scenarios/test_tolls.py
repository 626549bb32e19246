"""A bad toll does not discard its incident."""

from __future__ import annotations

from pathlib import Path

from tests.support.judged import History
from tests.support.scenarios import outcome, shelling
from tests.support.worlds import FIRST, TRUCE, at


def test_a_toll_out_of_order_is_counted_by_nothing_and_its_incident_is(tmp_path: Path) -> None:
    history = History(TRUCE).tell(
        shelling("wrong", at(0, 2), deaths={"low": 9, "best": 5, "high": 1}),
        shelling("right", at(0, 2), deaths={"low": 1, "best": 2, "high": 3}),
    )
    judged = outcome(history.tick(at(1, 1)), tmp_path)
    assert judged.verdict("SY01", FIRST)["incidents"] == 2
    tolls = "SELECT deaths_low, deaths_best, deaths_high FROM day_verdicts WHERE region = 'SY01' AND truce_day = ?"
    assert judged.ask(tolls, FIRST) == [(1, 2, 3)]
    assert judged.ask("SELECT report_id, toll_flaw FROM reports WHERE toll_flaw IS NOT NULL") == [
        ("wrong", "low 9 is above high 1")
    ]
