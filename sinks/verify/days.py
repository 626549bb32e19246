"""Truce-days worked out the slow way: every day asked, none remembered from a table of boundaries.

Deliberately not ``schemas.truceday.TruceCalendar``, which the ledger lives by: a fault in it has to show here.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache

from schemas.agreement import Agreement
from schemas.time_zones import time_zone as zone_of
from schemas.truceday import Micros, from_micros, to_micros

_ONE_DAY = timedelta(days=1)


class Days:
    """The truce-days of one agreement, half-open from anchor to anchor on the wall clock."""

    def __init__(self, time_zone: str, anchor: time) -> None:
        self.zone = zone_of(time_zone)
        self.anchor = anchor
        # The same whole-day intervals and anchors return thousands of times in one file.
        self.start = lru_cache(maxsize=20_000)(self._start)
        self.holding_most = lru_cache(maxsize=20_000)(self._holding_most)

    @classmethod
    def of(cls, agreement: Agreement) -> Days:
        """Return the truce-days of ``agreement``."""
        return cls(agreement.clock.time_zone, agreement.clock.anchor)

    def _start(self, day: date) -> Micros:
        return to_micros(datetime.combine(day, self.anchor, tzinfo=self.zone))

    def end(self, day: date) -> Micros:
        """Return the instant ``day`` ends, which belongs to the next one."""
        return self.start(day + _ONE_DAY)

    def containing(self, instant: Micros) -> date:
        """Return the truce-day ``instant`` lies in."""
        near = from_micros(instant).astimezone(self.zone).date()
        # Two days back: where a zone skipped a day, the truce-day that runs may have begun before it.
        return max(
            day for day in (near - 2 * _ONE_DAY, near - _ONE_DAY, near, near + _ONE_DAY) if self.start(day) <= instant
        )

    def touched(self, from_: Micros, to: Micros) -> list[date]:
        """Return every truce-day ``[from_, to)`` has a part of; an empty interval is an instant."""
        days = [self.containing(from_)]
        while self.end(days[-1]) < to:
            days.append(days[-1] + _ONE_DAY)
        return days

    def _holding_most(self, from_: Micros, to: Micros) -> tuple[date, bool]:
        days = self.touched(from_, to)
        parts = [min(to, self.end(day)) - max(from_, self.start(day)) for day in days]
        # index() finds the first of equals: ties go to the earlier day.
        return days[parts.index(max(parts))], len(days) > 1

    def from_to(self, first: date, last: date) -> list[date]:
        """Return the days from ``first`` to ``last``, both included; empty when ``last`` is earlier."""
        return [first + n * _ONE_DAY for n in range((last - first).days + 1)]

    def judged(self, agreement: Agreement, now: Micros) -> list[date]:
        """Return the truce-days that must have a verdict at ``now``; none before the truce took effect."""
        days = self.from_to(agreement.clock.effective.date(), self.containing(now))
        ends = agreement.clock.ends
        return days if ends is None else [day for day in days if day < ends.date()]

    def state(self, day: date, lateness: timedelta, now: Micros) -> str:
        """Return OPEN, PROVISIONAL or FINAL: what time alone makes of ``day``."""
        if now < self.end(day):
            return "OPEN"
        return "PROVISIONAL" if now < self.end(day) + lateness // timedelta(microseconds=1) else "FINAL"
