"""Zones that skip a whole day, as those west of the date line that moved east of it: judged, and divided by nothing.

Samoa had no 30 December 2011, Kwajalein no 21 August 1993, Kiritimati no 31 December 1994 (or 1 January 1995).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.agreement import Agreement
from schemas.truceday import TruceCalendar
from tests.support.effort import cases
from tests.support.judged import History
from tests.support.scenarios import outcome, shelling, truck, watched
from tests.support.worlds import HOUR, agreement


class Skip(NamedTuple):
    """A zone, an anchor, and the day before that which was skipped."""

    zone: str
    anchor: time
    before: date


SKIPS = [
    Skip(zone, time(hour), before)
    for zone, before in (
        ("Pacific/Apia", date(2011, 12, 29)),
        ("Pacific/Kwajalein", date(1993, 8, 20)),
        ("Pacific/Kiritimati", date(1994, 12, 30)),
    )
    for hour in (0, 7, 19)
]
EACH = pytest.mark.parametrize("skip", cases(SKIPS, fast=2), ids=lambda skip: f"{skip.zone}-{skip.anchor:%H}")


def truce_of(skip: Skip) -> Agreement:
    start = skip.before - timedelta(days=1)
    return agreement(
        clock={
            "effective": datetime.combine(start, skip.anchor),
            "time_zone": skip.zone,
            "anchor": skip.anchor,
            "required_days": 5,
        },
        violence={"baseline": {"first_day": start - timedelta(days=5), "last_day": start - timedelta(days=1)}},
        coverage={"min_share_percent": 100},
        pullback=[],
    )


def empty_day(calendar: TruceCalendar, skip: Skip) -> date:
    """The one truce-day about then that has no length."""
    days = [skip.before + timedelta(days=n) for n in range(-1, 4)]
    (day,) = [day for day in days if calendar.start_of(day) == calendar.end_of(day)]
    return day


@EACH
def test_a_day_that_never_was_is_covered_and_holds_nothing(skip: Skip, tmp_path: Path) -> None:
    truce = truce_of(skip)
    skipped = empty_day(truce.calendar, skip)
    at = truce.calendar.start_of(skipped)
    minute = HOUR // 60
    history = History(truce).tell(
        shelling("before", at, occurred=(at - minute, at - minute)),
        shelling("at", at, occurred=(at, at)),
        shelling("across", at + HOUR, occurred=(at - HOUR, at + HOUR)),
    )
    judged = outcome(history.tick(at - minute, at, at + 80 * HOUR), tmp_path)
    assert judged.verdict("SY01", skipped) | {"version": 0} == {
        "verdict": "MET",
        "state": "FINAL",
        "violence": "MET",
        "access": "NOT_OWED",
        "incidents": 0,
        "incidents_out_of_scope": 0,
        "version": 0,
    }
    assert judged.one("SELECT covered_share FROM day_verdicts WHERE region = 'SY01' AND truce_day = ?", skipped) == 1
    assert dict(judged.ask("SELECT report_id, truce_day FROM incidents")) == {
        "before": skipped - timedelta(days=1),
        "at": skipped + timedelta(days=1),
        "across": skipped - timedelta(days=1),
    }


@EACH
def test_a_streak_runs_through_it(skip: Skip, tmp_path: Path) -> None:
    truce = truce_of(skip)
    bounds = [truce.calendar.start_of(truce.first_day + timedelta(days=n)) for n in range(6)]
    history = History(truce)
    for number, (low, high) in enumerate(pairwise(sorted(set(bounds)))):
        history.tell(watched(f"w{number}", low, high, "SY01", "SY02"))
    judged = outcome(history.tick(*bounds[1:], bounds[-1] + HOUR), tmp_path)
    assert judged.streak("SY01") == 5


@EACH
def test_people_reached_just_before_it_are_of_the_day_before(skip: Skip, tmp_path: Path) -> None:
    truce = truce_of(skip)
    skipped = empty_day(truce.calendar, skip)
    at = truce.calendar.start_of(skipped)
    came = truck("came", "offloaded", at - HOUR, people_reached=500)
    judged = outcome(History(truce).tell(came).tick(at + 80 * HOUR), tmp_path)
    sql = "SELECT truce_day, people_reached FROM region_windows_daily WHERE region = 'SY02' AND truce_day >= ?"
    reached = dict(judged.ask(sql, truce.first_day))
    since = skipped - timedelta(days=1)
    assert reached == {day: 500 if since <= day < since + timedelta(days=7) else None for day in reached}
    assert {since - timedelta(days=1), since, skipped} <= reached.keys()
