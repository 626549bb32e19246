"""Tolls in sums: what is not stated, what nobody states, and what is out of order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


TOLLS = "deaths_low, deaths_best, deaths_high, incidents_without_toll"


def sums(tolls: list[dict[str, int] | None], folder: Path) -> list[tuple[Any, ...]]:
    """Return the sums of the first day, as tallied and as judged, when it holds an incident of each toll."""
    told = [shelling(f"r{n}", at(0, n), **({} if toll is None else {"deaths": toll})) for n, toll in enumerate(tolls)]
    judged = outcome(History(TRUCE).tell(*told).tick(at(1, 1)), folder)
    where = "WHERE region = 'SY01' AND truce_day = ?"
    return [
        *judged.ask(f"SELECT {TOLLS} FROM day_tallies {where}", FIRST),
        *judged.ask(f"SELECT {TOLLS} FROM day_verdicts {where}", FIRST),
    ]


@pytest.mark.parametrize(
    ("tolls", "found"),
    [
        ([{"low": 1, "best": 2, "high": 4}, {"best": 5}], (6, 7, 9, 0)),
        ([{"low": 3}, {"low": 1, "high": 6}], (4, 4, 9, 0)),
        ([{"high": 10}, {"best": 2}], (2, 2, 12, 0)),
        ([{"best": 2}, None, None], (2, 2, 2, 2)),
        ([{"best": 0}, None], (0, 0, 0, 1)),
    ],
    ids=[
        "a low or high figure not stated is the best one",
        "a best figure not stated is the low one",
        "a high figure alone adds nothing to the others",
        "an incident without a toll adds nothing and is counted",
        "a stated toll of none is a toll",
    ],
)
def test_an_incident_adds(tolls: list[Any], found: tuple[int, ...], tmp_path: Path) -> None:
    assert sums(tolls, tmp_path) == [found, found]


def test_a_day_of_which_nobody_states_a_toll_has_none_and_not_nought(tmp_path: Path) -> None:
    assert sums([None, None], tmp_path) == [(None, None, None, 2)] * 2


def test_a_window_without_a_toll_has_none_and_not_nought(tmp_path: Path) -> None:
    judged = outcome(History(TRUCE).tell(shelling("r", at(0, 2))).tick(at(1, 1)), tmp_path)
    tolls = "SELECT incidents, deaths_best, incidents_168h, deaths_best_168h FROM region_windows WHERE region = 'SY01'"
    assert judged.ask(tolls) == [(1, None, 1, None)]


def test_a_toll_that_becomes_known_is_a_change_from_none(tmp_path: Path) -> None:
    history = History(TRUCE).tell(shelling("r", at(0, 2))).tick(at(9, 1))
    history.tell(shelling("r", at(0, 2), revision=2, deaths={"best": 3})).tick(at(9, 2))
    judged = outcome(history, tmp_path)
    changed = "SELECT unnest(changed) AS c FROM verdict_changes WHERE region = 'SY01' AND truce_day = ? AND version = 2"
    told = {each["field"]: (each["old"], each["new"]) for (each,) in judged.ask(changed, FIRST)}
    assert told["deaths_best"] == ("null", "3")
    assert told["incidents_without_toll"] == ("1", "0")


def test_tolls_out_of_order_are_named(tmp_path: Path) -> None:
    history = History(TRUCE).tell(
        shelling("above", at(0, 2), deaths={"low": 1, "best": 8, "high": 3}),
        shelling("below", at(0, 3), deaths={"low": 4, "best": 2, "high": 6}),
        shelling("crossed", at(0, 4), deaths={"low": 9, "high": 1}),
        shelling("right", at(0, 5), deaths={"low": 1, "best": 2, "high": 3}),
        shelling("silent", at(0, 6)),
    )
    judged = outcome(history.tick(at(1, 1)), tmp_path)
    assert judged.ask("SELECT report_id, counted, flaw FROM flagged_tolls ORDER BY report_id") == [
        ("above", True, "best 8 is above high 3"),
        ("below", True, "best 2 is below low 4"),
        ("crossed", False, "low 9 is above high 1"),
    ]
    assert judged.ask(f"SELECT {TOLLS} FROM day_tallies WHERE region = 'SY01'") == [(6, 12, 12, 2)]
