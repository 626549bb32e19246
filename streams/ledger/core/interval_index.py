"""Indexes of what holds over stretches of time: by instants, and by truce-days."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from datetime import date
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

from schemas.agreement import Agreement
from schemas.rows import Evidence
from schemas.truceday import Micros

T = TypeVar("T", bound=Hashable)

#: No instant is this late: the end of what does not end.
FOREVER: Micros = 1 << 62
#: The shortest block is of 2**32 microseconds, a good hour; every longer one is two of the next shorter.
_FINEST = 32
_COARSEST = 62


class IntervalIndex(Generic[T]):
    """Interval index of half-open stretches, each with what holds over it.

    A stretch is cut into the few blocks of time that cover it, at most two of each length, and kept under each. So one
    that lasts for years costs no more than some tens of places, and an instant looks into one block of each length.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], set[tuple[Micros, Micros, T]]] = {}

    def add(self, low: Micros, high: Micros, item: T) -> None:
        """Enter what holds over ``[low, high)``."""
        for block in cover(low, high, _FINEST):
            self._blocks.setdefault(block, set()).add((low, high, item))

    def remove(self, low: Micros, high: Micros, item: T) -> None:
        """Take out again what was entered with the same stretch."""
        for block in cover(low, high, _FINEST):
            within = self._blocks[block]
            within.remove((low, high, item))
            if not within:
                del self._blocks[block]

    def at(self, instant: Micros) -> Iterator[T]:
        """Yield what holds at ``instant``, in no order, each once."""
        for size in range(_FINEST, _COARSEST + 1):
            for low, high, item in self._blocks.get((size, instant >> size), ()):
                # The first and the last block reach beyond the stretch.
                if low <= instant < high:
                    yield item


class DayIndex:
    """Interval index of the reports or incidents that touch each truce-day of one region.

    What touches a stretch of days is kept under the blocks these are made of, at most two of each power of two: under
    18 where it lasts for 400 days. A day looks into one block of each power, however much touches it.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], list[Evidence]] = {}

    def add(self, days: tuple[date, date], touching: Evidence) -> None:
        """Enter what touches every day from the first to the last of ``days``."""
        for block in _cover_days(days):
            insort(self._blocks.setdefault(block, []), touching)

    def remove(self, days: tuple[date, date], touching: Evidence) -> None:
        """Take out again what was entered with the same days."""
        for block in _cover_days(days):
            within = self._blocks[block]
            del within[bisect_left(within, touching)]
            if not within:
                del self._blocks[block]

    def count(self, day: date) -> int:
        """Return how many touch a day."""
        return sum(map(len, self._on(day)))

    def earliest(self, day: date, most: int) -> tuple[Evidence, ...]:
        """Return the earliest of those that touch a day."""
        return tuple(islice(merge(*self._on(day)), most))

    def _on(self, day: date) -> list[list[Evidence]]:
        number = day.toordinal()
        blocks = ((size, number >> size) for size in range(number.bit_length() + 1))
        return [self._blocks[block] for block in blocks if block in self._blocks]


def judged_days(agreement: Agreement, low: Micros, high: Micros) -> tuple[date, date] | None:
    """Return the first and the last truce-day judged that ``[low, high)`` touches; None when it touches none."""
    calendar = agreement.calendar
    first = max(calendar.day_at(low), agreement.first_day)
    last = calendar.day_at(high - 1)
    if agreement.last_day is not None:
        last = min(last, agreement.last_day)
    return (first, last) if first <= last else None


def _cover_days(days: tuple[date, date]) -> list[tuple[int, int]]:
    first, last = days
    return list(cover(first.toordinal(), last.toordinal() + 1, 0))


def cover(low: int, high: int, finest: int) -> Iterator[tuple[int, int]]:
    """Yield the blocks that hold all of ``[low, high)`` once, each by its power of two and its number.

    ``finest`` is the power of the shortest block.
    """
    first, beyond, size = low >> finest, ((high - 1) >> finest) + 1, finest
    while first < beyond:
        if first & 1:
            yield size, first
            first += 1
        if beyond & 1:
            beyond -= 1
            yield size, beyond
        first, beyond, size = first >> 1, beyond >> 1, size + 1
