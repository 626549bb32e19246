"""Coverage notices that saw something; docs/judging.md, "Covered share"."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.facts import CountLine, Fact
from schemas.rows import DayVerdict
from streams.ops.explain_json import explanation_json
from streams.ops.explain_text import show_explanation
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.worlds import TRUCE, World, agreement, at, bulletin, coverage, incident, tick
from tests.unit.test_explain import NO_ACCESS, Ground, shellings, watch

SAW = coverage(low=at(0), high=at(1), nil=False)
OUTSIDE = (("Government",), ("ISIL",))


def judged(*told: Fact, **rules: Any) -> DayVerdict:
    return World(agreement(**rules)).tell(*told, tick(at(2))).verdict("SY01", 0)


def text(row: DayVerdict) -> str:
    return str(json.loads(row.reasons)[0]["text"])


def test_a_notice_that_saw_something_and_does_not_say_what_watches_nothing() -> None:
    row = judged(SAW)
    assert (row.violence, row.rule, row.covered_share) == ("UNKNOWN", "not_covered", 0.0)
    assert text(row).endswith(
        "0 % of the day watched, 75 % needed; feed-a saw something and did not say what of this day"
    )


@pytest.mark.parametrize(
    "what",
    [
        incident("i1", when=at(0, 3)),
        incident("i1", when=at(0, 3), sides=OUTSIDE),
        bulletin("b1", low=at(0), high=at(1), feed="feed-a", tallies=(CountLine(1, "SY01"),)),
    ],
    ids=["an incident", "an incident out of scope", "a bulletin"],
)
def test_it_watches_where_the_same_feed_tells_what_it_saw(what: Fact) -> None:
    row = judged(SAW, what)
    assert (row.violence, row.covered_share) == ("MET", 1.0)
    assert "did not say what" not in text(row)


@pytest.mark.parametrize(
    "what",
    [
        incident("i1", when=at(0, 3), feed="feed-b"),
        incident("i1", when=at(0, 3), region="SY02"),
        incident("i1", when=at(1, 3)),
        incident("i1", when=at(0, 3), retracted=True),
        bulletin("b1", low=at(0), high=at(1), feed="feed-a", tallies=(CountLine(1, "SY02"), CountLine(1, None))),
        bulletin("b1", low=at(0), high=at(2), feed="feed-a", tallies=(CountLine(1, "SY01"),)),
    ],
    ids=["another feed", "another region", "another day", "retracted", "of another region", "of no day"],
)
def test_another_feed_region_or_day_explains_nothing(what: Fact) -> None:
    assert judged(SAW, what).covered_share == 0.0


def test_each_day_of_a_long_notice_is_explained_apart() -> None:
    world = World(TRUCE).tell(coverage(low=at(0), high=at(2), nil=False), incident("i1", when=at(1, 3)), tick(at(3)))
    assert [world.verdict("SY01", number).covered_share for number in (0, 1)] == [0.0, 1.0]


def test_a_nil_notice_of_the_same_feed_watches_as_ever() -> None:
    row = judged(SAW, coverage("c2", low=at(0), high=at(0, 12)))
    assert row.covered_share == 0.5
    assert text(row).endswith("needed; feed-a saw something and did not say what of this day")
    both = judged(SAW, coverage("c2", low=at(-1), high=at(0, 18)), coverage("c3", low=at(0, 6), high=at(1), feed="b"))
    assert both.covered_share == 1.0
    assert text(both).endswith("75 % needed; feed-a saw something and did not say what of this day")


def test_the_other_feeds_that_stopped_are_named_beside_it() -> None:
    row = judged(SAW, coverage("c2", low=at(0), high=at(0, 6), feed="feed-b"))
    assert text(row).endswith(
        "; feed-b watched until 2016-09-12 22:00 UTC; feed-a saw something and did not say what of this day"
    )


def test_a_feed_whose_incidents_cover_the_day_has_told_what_it_saw() -> None:
    row = judged(SAW, incident("i1", when=at(0, 3)), coverage={"reports_cover_the_day": True})
    assert (row.covered_share, row.violence) == (1.0, "MET")


def test_a_report_that_comes_later_or_goes_moves_the_day() -> None:
    world = World(TRUCE).tell(SAW, tick(at(2)))
    told = world.tell(incident("i1", when=at(0, 3)), tick(at(2, 1))).verdict("SY01", 0)
    assert (told.violence, json.loads(told.cause)["reports"]) == ("MET", ["feed-a/i1@1"])
    gone = world.tell(incident("i1", when=at(0, 3), revision=2, retracted=True), tick(at(2, 2))).verdict("SY01", 0)
    assert (gone.violence, gone.version) == ("UNKNOWN", 3)
    assert world.tell(coverage(low=at(0), high=at(1), revision=2), tick(at(2, 3))).verdict("SY01", 0).violence == "MET"


def test_the_recount_agrees_at_every_tick(tmp_path: Path) -> None:
    notice = report("coverage", "c", reported_at=at(1), occurred=(at(0), at(1)), places=[{"pcode": "SY02"}], nil=False)
    (shelling,) = shellings(1)
    history = History(TRUCE).tell(notice).tick(at(1, 1)).tell(shelling).tick(at(1, 2))
    history.tell(shelling | {"revision": 2, "status": "retracted"}).tick(at(5))
    assert verify(history.judged(tmp_path)) == []


def test_explain_says_so_and_what_was_retracted_may_take_the_watch_along(tmp_path: Path) -> None:
    saw = watch(at(0), at(1), nil=False)
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [saw], at(1))
    page = StringIO()
    show_explanation(Console(file=page, width=200), ground.plain)
    assert "feed-a saw something and did not say what of this day: its notice watches nothing" in page.getvalue()
    assert explanation_json(ground.plain)["coverage"]["unexplained"] == ["feed-a"]
    assert ground.proves("watch").verdict == "MET"
    told = Ground(tmp_path / "told", agreement(**NO_ACCESS), [saw, *shellings(2)], at(1))
    change = told.change("retract")
    assert (change.number, change.finding) == (1, None)
