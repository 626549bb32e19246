"""The legs of the test, one rule at a time; docs/judging.md states them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from schemas.rows import Identity
from streams.ledger.core.convoy import Convoy, Timeline
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.findings import Finding, State, combine
from streams.ledger.core.legs.access import Access
from streams.ledger.core.legs.coverage import watch_of
from streams.ledger.core.legs.limit import baseline_of, judge_violence, limit_of
from streams.ledger.core.report_rows import step_row
from streams.ledger.core.verdict import state_at
from tests.support.worlds import DAY, HOUR, TRUCE, at, convoy

B, M, U, N = Finding.BROKEN, Finding.MET, Finding.UNKNOWN, Finding.NOT_OWED


@pytest.mark.parametrize(
    ("violence", "access", "verdict"),
    [
        (M, M, M),
        (M, N, M),
        (B, M, B),
        (M, B, B),
        (B, U, B),
        (U, B, B),
        (U, M, U),
        (M, U, U),
        (U, N, U),
        (B, N, B),
        (U, U, U),
    ],
)
def test_a_day_is_broken_by_any_leg_and_unknown_by_any_other(
    violence: Finding, access: Finding, verdict: Finding
) -> None:
    assert combine((violence, access)) is verdict


def test_a_count_above_the_limit_breaks_the_day_however_poorly_it_was_covered() -> None:
    assert judge_violence(3, 0, Fraction(2), covered=False) is B
    assert judge_violence(3, 0, Fraction(2), covered=True) is B


def test_a_count_equal_to_the_limit_is_within_it() -> None:
    assert judge_violence(2, 0, Fraction(2), covered=True) is M


def test_silence_is_not_peace() -> None:
    assert judge_violence(0, 0, Fraction(2), covered=False) is U


def test_one_severe_incident_breaks_the_day() -> None:
    assert judge_violence(1, 1, Fraction(100), covered=True) is B


def test_twenty_percent_of_five_is_one_exactly() -> None:
    """In binary fractions it is a little less than one, and one incident would break the day."""
    assert limit_of(TRUCE, Fraction(5)) == 1
    assert judge_violence(1, 0, limit_of(TRUCE, Fraction(5)), covered=True) is M


def test_the_floor_holds_where_the_baseline_is_empty() -> None:
    assert limit_of(TRUCE, Fraction(0)) == TRUCE.violence.floor


@pytest.mark.parametrize(
    ("counts", "measure", "baseline"),
    [
        ([0, 0, 4], "mean", Fraction(4, 3)),
        ([0, 9, 4], "median", Fraction(4)),
        ([1, 2, 4, 9], "median", Fraction(3)),
        ([1, 2], "median", Fraction(3, 2)),
    ],
)
def test_a_baseline_is_a_mean_or_a_median_of_all_its_days(counts: list[int], measure: str, baseline: Fraction) -> None:
    assert baseline_of(counts, measure) == baseline


# 0    6    12   18   24
# |----|----|----|----|
# aaaaaaaaaa                 a watched 0-12, said twice
#      bbbbbbbbbb            b watched 6-18
WATCHES = {"a": [(0, 12), (0, 8)], "b": [(6, 18)]}


@pytest.mark.parametrize(
    ("all_day", "min_feeds", "hours"),
    [([], 1, 18), ([], 2, 6), ([], 3, 0), (["c"], 1, 24), (["c"], 2, 18), (["a"], 2, 12), (["a", "b"], 2, 24)],
)
def test_covered_is_what_enough_feeds_watched_each_counted_once(all_day: list[str], min_feeds: int, hours: int) -> None:
    assert watch_of(WATCHES).watched(set(all_day), 0, 24, min_feeds) == hours


def test_what_a_feed_watched_outside_the_day_does_not_count() -> None:
    assert watch_of({"a": [(-5, 3), (20, 90), (30, 40)]}).watched(set(), 0, 24, 1) == 7


def _timeline(*steps: tuple[str, float]) -> Timeline:
    return Timeline(
        step_row(convoy(f"s{number}", step, when=at(0, hours), trucks=number or None), TRUCE)
        for number, (step, hours) in enumerate(steps)
    )


def _fold(*steps: tuple[str, float], until: float = 1_000) -> Convoy | None:
    return _timeline(*steps).at(at(0, until)) if steps else None


def _judge(*steps: tuple[str, float], hours: float, start: float = 0) -> tuple[Finding, str]:
    convoys = Convoys()
    for number, (step, begun) in enumerate(steps):
        fact = convoy(f"s{number}", step, when=at(0, begun))
        convoys.add(Identity(fact.feed, fact.report_id), step_row(fact, TRUCE))
    access = Access(TRUCE, convoys)
    access.take_in()
    found = access.judge("SY02", at(0, start), at(0, hours))
    return found.finding, found.rule


def test_nothing_known_of_any_convoy_is_unknown() -> None:
    assert _judge(hours=24) == (U, "no_convoy_known")


def test_a_convoy_that_is_neither_late_nor_attacked_leaves_the_leg_met() -> None:
    assert _judge(("dispatched", 1), hours=24) == (M, "in_time")


def test_a_convoy_at_the_border_is_no_delivery_and_becomes_overdue() -> None:
    """Arrival, approval and departure are not delivery."""
    assert _judge(("dispatched", 0), ("arrived", 5), hours=71) == (M, "in_time")
    assert _judge(("dispatched", 0), ("arrived", 5), hours=72) == (B, "overdue")


def test_a_convoy_known_from_before_the_truce_is_overdue_only_from_its_start() -> None:
    assert _judge(("requested", -500), hours=71) == (M, "in_time")
    assert _judge(("requested", -500), hours=72) == (B, "overdue")


def test_an_offloaded_convoy_is_delivered() -> None:
    assert _judge(("dispatched", 0), ("offloaded", 50), hours=100) == (M, "in_time")


@pytest.mark.parametrize("closing", ["denied", "turned_back", "attacked"])
def test_a_convoy_that_was_stopped_is_owed_all_the_same(closing: str) -> None:
    assert _judge(("dispatched", 0), (closing, 50), start=60, hours=71) == (M, "in_time")
    assert _judge(("dispatched", 0), (closing, 50), start=60, hours=100) == (B, "overdue")


def test_an_attack_breaks_the_day_it_happens_on_only() -> None:
    steps = (("dispatched", 0), ("attacked", 30))
    assert _judge(*steps, start=24, hours=48) == (B, "attacked")
    assert _judge(*steps, start=48, hours=60) == (M, "in_time")


def test_a_gap_since_the_last_delivery_breaks_the_day() -> None:
    steps = (("dispatched", 0), ("distributed", 10))
    assert _judge(*steps, hours=10 + 7 * 24 - 1) == (M, "in_time")
    assert _judge(*steps, hours=10 + 7 * 24) == (B, "gap")


def test_without_any_delivery_the_gap_runs_from_the_start_of_the_truce() -> None:
    assert _judge(("dispatched", 160), hours=168) == (B, "gap")


def test_steps_are_folded_as_they_happened_whatever_the_order_of_arrival() -> None:
    folded = _fold(("offloaded", 9), ("dispatched", 2), ("held", 5))
    assert folded is not None
    assert (folded.state, folded.first_known, folded.delivered_at) == ("offloaded", at(0, 2), at(0, 9))


def test_a_convoy_row_carries_the_latest_figure_that_was_stated() -> None:
    row = _timeline(("requested", 1), ("dispatched", 2), ("held", 3)).row()
    assert (row.trucks, row.trucks_least, row.trucks_most) == (2, 1, 2)
    assert row.people_reached is None


def test_a_step_from_after_the_horizon_is_not_known_yet() -> None:
    folded = _fold(("dispatched", 2), ("offloaded", 30), until=24)
    assert folded is not None
    assert folded.delivered_at is None
    assert _fold(("dispatched", 25), until=24) is None


@pytest.mark.parametrize(
    ("now", "amended", "state"),
    [
        (9, False, "OPEN"),
        (10, False, "PROVISIONAL"),
        (14, False, "PROVISIONAL"),
        (15, False, "FINAL"),
        (15, True, "AMENDED"),
        (9, True, "OPEN"),
    ],
)
def test_a_verdict_settles_with_time(now: int, amended: bool, state: str) -> None:
    assert state_at(now, 10, 15, amended=amended) is State(state)


def test_a_truce_day_is_a_day_long() -> None:
    assert TRUCE.calendar.end_of(date(2016, 9, 12)) - TRUCE.effective == DAY == 24 * HOUR


@pytest.mark.parametrize(
    ("notices", "all_day", "told"),
    [
        ({}, [], None),
        ({"feed-a": [(20, 30), (5, 5)]}, [], None),
        ({}, ["feed-a"], ()),
        ({"feed-a": [(0, 10)]}, [], ()),
        ({"feed-a": [(0, 4), (2, 6)], "feed-b": [(0, 3)]}, [], (("feed-a", 6), ("feed-b", 3))),
        ({"feed-a": [(0, 4), (8, 30)], "feed-b": [(-5, 3)]}, [], (("feed-b", 3),)),
        ({"feed-a": [(0, 4)]}, ["feed-a"], ()),
    ],
)
def test_a_feed_that_stopped_watching_is_told_with_the_end_of_its_last_watch(
    notices: dict[str, list[tuple[int, int]]], all_day: list[str], told: tuple[tuple[str, int], ...] | None
) -> None:
    assert watch_of(notices).watched_until(set(all_day), 0, 10) == told
