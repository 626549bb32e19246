"""Truce-days, instants and the trailing window of clock hours.

A truce-day is half-open and runs from an anchor hour to the next, in the agreement's time zone. It is
named by the ISO date on which it starts. Where clocks change, a truce-day is 23 or 25 hours long,
because it runs from one anchor on the wall clock to the next.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from schemas.time_zones import time_zone as zone_of

#: An instant in whole microseconds since 1970-01-01T00:00:00Z, as facts carry it.
Micros = int
_Instants = npt.NDArray[np.int64]

MICROS_PER_SECOND = 1_000_000
MICROS_PER_HOUR = 3_600 * MICROS_PER_SECOND
MICROS_PER_DAY = 24 * MICROS_PER_HOUR
#: Longest period of a bulletin that is of one truce-day: a day on which clocks are put back has 25 hours.
LONGEST_BULLETIN = 25 * MICROS_PER_HOUR
#: Length of the trailing window in clock hours, the running hour included.
TRAILING_HOURS = 168

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime) -> Micros:
    """Return an aware datetime as microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: Micros) -> datetime:
    """Return microseconds since the epoch as an aware UTC datetime, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def first_trailing_hour(now: Micros) -> Micros:
    """Return the start of the oldest clock hour of the trailing window that ends with the running hour."""
    return now - now % MICROS_PER_HOUR - (TRAILING_HOURS - 1) * MICROS_PER_HOUR


class TruceCalendar:
    """The truce-days of one agreement.

    Boundaries are computed once per year and kept, so that finding the day of an instant is a bisection.
    """

    def __init__(self, time_zone: str, anchor: time) -> None:
        self.time_zone = zone_of(time_zone)
        self.anchor = anchor
        self._starts: list[Micros] = []
        self._days: list[date] = []

    def start_of(self, day: date) -> Micros:
        """Return the instant at which ``day`` starts.

        An anchor that the clock skips that day is read with the offset before the change.
        """
        return to_micros(datetime.combine(day, self.anchor, self.time_zone))

    def end_of(self, day: date) -> Micros:
        """Return the instant at which ``day`` ends, which is not part of it."""
        return self.start_of(day + timedelta(days=1))

    def day_at(self, instant: Micros) -> date:
        """Return the truce-day that contains ``instant``."""
        self._cover(instant)
        return self._days[bisect_right(self._starts, instant) - 1]

    def day_of(self, from_: Micros, to: Micros) -> tuple[date, bool]:
        """Return the truce-day holding the largest part of ``[from_, to)``, and whether it spans several.

        Ties go to the earlier day. An empty interval is an instant. The second value marks the interval as
        time-uncertain: it touches more than one truce-day.
        """
        starts = self._starts
        # Asked of every incident: most fall within the days that are known, and need no call to find that out.
        if not starts or not starts[0] <= from_ < starts[-1]:
            self._cover(from_)
            starts = self._starts
        first = bisect_right(starts, from_) - 1
        if to <= starts[first + 1]:
            return self._days[first], False
        self._cover(to)
        starts = self._starts
        first = bisect_right(starts, from_) - 1
        last = bisect_right(starts, to - 1) - 1
        best, longest = first, starts[first + 1] - from_
        for index in range(first + 1, last + 1):
            part = min(to, starts[index + 1]) - starts[index]
            if part > longest:
                best, longest = index, part
        return self._days[best], True

    def days_of(self, from_: _Instants, to: _Instants) -> tuple[_Instants, npt.NDArray[np.bool_]]:
        """Return for each of one or more intervals what ``day_of`` does; days as ordinals."""
        for instant in (from_.min(), from_.max(), to.max()):
            self._cover(int(instant))
        starts = np.array(self._starts, np.int64)
        first = np.searchsorted(starts, from_, "right") - 1
        several = to > starts[first + 1]
        days = first + self._days[0].toordinal()
        for row in np.flatnonzero(several).tolist():
            days[row] = self.day_of(int(from_[row]), int(to[row]))[0].toordinal()
        return days, several

    def days_between(self, first: date, last: date) -> list[date]:
        """Return every truce-day from ``first`` to ``last``, both included; empty when ``last < first``."""
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def _cover(self, instant: Micros) -> None:
        if self._starts and self._starts[0] <= instant < self._starts[-1]:
            return
        # One year of margin on either side keeps extension rare: histories grow by hours, not by years.
        year = timedelta(days=366)
        wanted = from_micros(instant).date()
        low = wanted - year if not self._days else min(self._days[0], wanted - year)
        high = wanted + year if not self._days else max(self._days[-1], wanted + year)
        self._days = self.days_between(low, high)
        self._starts = [self.start_of(day) for day in self._days]
