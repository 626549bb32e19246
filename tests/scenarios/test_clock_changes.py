"""Truce-days in which Damascus changes its clocks: 23 hours in spring, 25 in autumn, and judged by their true length.

In 2016 clocks went forward in the night to 25 March and back in the night to 28 October, both at midnight.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas.agreement import Agreement
from schemas.truceday import Micros
from tests.support.judged import History
from tests.support.scenarios import outcome, shelling, truck, watched
from tests.support.worlds import HOUR, agreement


class Change(NamedTuple):
    """A truce whose second day is the one with the change."""

    effective: date
    hours: int

    @property
    def day(self) -> date:
        return self.effective + timedelta(days=1)


SPRING = Change(date(2016, 3, 23), 23)
AUTUMN = Change(date(2016, 10, 26), 25)
CHANGES = pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])


def truce_of(change: Change) -> Agreement:
    """A truce that takes effect at 19:00 and lets no minute of a day go unwatched."""
    start = change.effective
    return agreement(
        clock={"effective": datetime(start.year, start.month, start.day, 19)},  # noqa: DTZ001 - local by definition
        violence={"baseline": {"first_day": start - timedelta(days=10), "last_day": start - timedelta(days=1)}},
        coverage={"min_share_percent": 100},
    )


def after(truce: Agreement, change: Change, hours: float) -> Micros:
    """The instant so many hours that pass after the start of the day with the change."""
    return truce.calendar.start_of(change.day) + round(hours * HOUR)


@CHANGES
def test_the_day_is_as_long_as_its_clocks_make_it(change: Change, tmp_path: Path) -> None:
    truce = truce_of(change)
    judged = outcome(History(truce).tick(after(truce, change, 30)), tmp_path)
    days = "SELECT truce_day, date_diff('minute', starts_at, ends_at) FROM truce_days ORDER BY ALL"
    lengths = dict(judged.ask(days))
    assert lengths[change.day] == change.hours * 60
    assert lengths[change.effective] == 24 * 60
    assert judged.ask("SELECT DISTINCT timezone('Asia/Damascus', ends_at)::TIME::VARCHAR FROM truce_days") == [
        ("19:00:00",)
    ]


@CHANGES
@pytest.mark.parametrize("short", [0, 1], ids=["to the end", "an hour short"])
def test_it_is_covered_when_every_hour_of_it_was_watched_and_no_hour_sooner(
    change: Change, short: int, tmp_path: Path
) -> None:
    truce = truce_of(change)
    start, end = after(truce, change, 0), after(truce, change, change.hours - short)
    judged = outcome(History(truce).tell(watched("w", start, end, "SY01")).tick(after(truce, change, 26)), tmp_path)
    assert judged.verdict("SY01", change.day)["violence"] == ("UNKNOWN" if short else "MET")
    share = judged.one("SELECT covered_share FROM day_verdicts WHERE region = 'SY01' AND truce_day = ?", change.day)
    assert share == pytest.approx((change.hours - short) / change.hours)


@CHANGES
def test_its_last_minute_is_its_own_and_the_next_one_the_next_days(change: Change, tmp_path: Path) -> None:
    truce = truce_of(change)
    end = after(truce, change, change.hours)
    minute = HOUR // 60
    instants: dict[str, Any] = {
        name: {"occurred": (when, when)} for name, when in (("last", end - minute), ("first", end))
    }
    history = History(truce).tell(*(shelling(name, end, **occurred) for name, occurred in instants.items()))
    judged = outcome(history.tick(after(truce, change, 30)), tmp_path)
    assert judged.ask("SELECT report_id, truce_day FROM incidents ORDER BY truce_day") == [
        ("last", change.day),
        ("first", change.day + timedelta(days=1)),
    ]


@CHANGES
def test_a_streak_runs_through_it(change: Change, tmp_path: Path) -> None:
    truce = truce_of(change)
    bounds = [truce.calendar.start_of(change.effective + timedelta(days=n)) for n in range(4)]
    history = History(truce)
    for number, (low, high) in enumerate(pairwise(bounds)):
        history.tell(watched(f"w{number}", low, high, "SY01", "SY02"))
    history.tell(truck("s1", "offloaded", bounds[0] + HOUR))
    judged = outcome(history.tick(bounds[-1] + HOUR), tmp_path)
    assert (judged.streak("SY01"), judged.streak("SY02")) == (3, 3)
    assert judged.ask("SELECT is_open FROM gate") == [(True,)]


@CHANGES
def test_a_convoy_is_overdue_by_hours_that_pass_and_not_by_the_clock_on_the_wall(
    change: Change, tmp_path: Path
) -> None:
    """Sent 71 or 73 hours before the end of the third day at the same hour of the wall clock: the limit is 72."""
    truce = truce_of(change)
    sent = truce.calendar.start_of(change.effective)
    third = change.effective + timedelta(days=2)
    over = truce.calendar.start_of(third + timedelta(days=1))
    assert over - sent == (71 if change is SPRING else 73) * HOUR
    judged = outcome(History(truce).tell(truck("s1", "dispatched", sent)).tick(over), tmp_path)
    assert judged.verdict("SY02", third)["access"] == ("MET" if change is SPRING else "BROKEN")
