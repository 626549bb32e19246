"""Incidents of uncertain time, and the truce-days on which each may have happened."""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import date
from heapq import merge
from itertools import islice

from schemas.agreement import Agreement
from schemas.rows import Evidence
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.ledger.core.stretches import cover


def possible_days(agreement: Agreement, occurred_from: Micros, occurred_to: Micros) -> tuple[date, date] | None:
    """Return the first and the last truce-day judged on which an incident is possible; None when it is sure."""
    if occurred_to - occurred_from <= agreement.violence.surely_within_hours * MICROS_PER_HOUR:
        return None
    calendar = agreement.calendar
    first = max(calendar.day_at(occurred_from), agreement.first_day)
    last = calendar.day_at(occurred_to - 1)
    if agreement.last_day is not None:
        last = min(last, agreement.last_day)
    return (first, last) if first <= last else None


class PossibleIncidents:
    """Interval index of the incidents possible on each truce-day of one region.

    An incident is kept under the blocks of days that its days are made of, at most two of each power of two: under 18
    where it lasts for 400 days. A day looks into one block of each power, however many incidents touch it.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], list[Evidence]] = {}

    def add(self, days: tuple[date, date], incident: Evidence) -> None:
        """Enter an incident that is possible on every day from the first to the last of ``days``."""
        for block in _cover(days):
            insort(self._blocks.setdefault(block, []), incident)

    def remove(self, days: tuple[date, date], incident: Evidence) -> None:
        """Take out again what was entered with the same days."""
        for block in _cover(days):
            within = self._blocks[block]
            del within[bisect_left(within, incident)]
            if not within:
                del self._blocks[block]

    def count(self, day: date) -> int:
        """Return how many incidents are possible on a day."""
        return sum(map(len, self._on(day)))

    def earliest(self, day: date, most: int) -> tuple[Evidence, ...]:
        """Return the earliest incidents that are possible on a day."""
        return tuple(islice(merge(*self._on(day)), most))

    def _on(self, day: date) -> list[list[Evidence]]:
        number = day.toordinal()
        blocks = ((size, number >> size) for size in range(number.bit_length() + 1))
        return [self._blocks[block] for block in blocks if block in self._blocks]


def _cover(days: tuple[date, date]) -> list[tuple[int, int]]:
    first, last = days
    return list(cover(first.toordinal(), last.toordinal() + 1, 0))
