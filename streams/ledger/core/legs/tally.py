"""Tallies: what the present reports of one region and truce-day add up to."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

from schemas.rows import Contribution, Evidence
from schemas.truceday import Micros
from streams.ledger.core.legs.tolls import added_toll

#: How much evidence a broken day shows.
EVIDENCE_SHOWN = 10
#: How much is kept at hand, so that a few retractions do not send the ledger back to the store.
EVIDENCE_KEPT = 16


class Earliest:
    """The earliest incidents of one day, in bounded memory.

    What is kept is always a prefix of all incidents ordered by time and identity. ``total`` counts all of them.
    A prefix can grow too short by removals, or be empty after a restart: then ``lacks`` tells, and ``refill``
    takes it from the store.
    """

    __slots__ = ("kept", "total")

    def __init__(self) -> None:
        self.kept: list[Evidence] = []
        self.total = 0

    def add(self, occurred_from: Micros, feed: str, report_id: str) -> None:
        """Count an incident, and keep it if it is among the earliest."""
        kept = self.kept
        # Most incidents of a busy day come after those kept: they are told apart before anything is built.
        if len(kept) == self.total or (kept and occurred_from <= kept[-1].occurred_from):
            evidence = Evidence(occurred_from, feed, report_id)
            if len(kept) == self.total or evidence < kept[-1]:
                insort(kept, evidence)
                if len(kept) > EVIDENCE_KEPT:
                    kept.pop()
        self.total += 1

    def add_many(self, earliest: list[Evidence], incidents: int) -> None:
        """Count incidents, of which the first ``EVIDENCE_KEPT`` are given in order: no other may be kept."""
        for evidence in earliest:
            self.add(*evidence)
        self.total += incidents - len(earliest)

    def remove(self, evidence: Evidence) -> None:
        """Count an incident no longer."""
        self.total -= 1
        index = bisect_left(self.kept, evidence)
        if index < len(self.kept) and self.kept[index] == evidence:
            del self.kept[index]

    @property
    def lacks(self) -> bool:
        """Whether fewer are at hand than a verdict shows."""
        return len(self.kept) < min(self.total, EVIDENCE_SHOWN)

    def refill(self, earliest: list[Evidence]) -> None:
        """Take the first ``EVIDENCE_KEPT`` (or all, if fewer) from the store."""
        self.kept = earliest

    def shown(self) -> list[Evidence]:
        """The evidence a verdict names."""
        return self.kept[:EVIDENCE_SHOWN]


class Sums(NamedTuple):
    """What some incidents in scope of one region and truce-day add up to, with the earliest of them."""

    incidents: int
    earliest: list[Evidence]
    severe: int
    earliest_severe: list[Evidence]
    tolls: tuple[int, int, int]
    without_toll: int


class DayTally:
    """Counts of one region and truce-day. Adding and removing are exact inverses, whatever their order.

    ``in_scope`` and ``severe`` hold what surely happened that day. Of the day's incidents the others are only counted.
    """

    __slots__ = (
        *("_moved", "_tolls", "feeds", "in_scope", "out_of_scope", "severe", "uncertain", "uncertain_severe"),
        "without_toll",
    )

    def __init__(self) -> None:
        self.in_scope = Earliest()
        self.severe = Earliest()
        self.uncertain = 0
        self.uncertain_severe = 0
        self.out_of_scope = 0
        self._tolls = (0, 0, 0)
        #: Incidents in scope that state no toll.
        self.without_toll = 0
        self.feeds: dict[str, int] = {}
        self._moved: set[str] = set()

    @property
    def incidents(self) -> int:
        """Incidents in scope, each on its one truce-day."""
        return self.in_scope.total + self.uncertain

    def add(
        self, feed: str, report_id: str, adds: Contribution, feeds: tuple[str, ...], *, severe: bool, sure: bool = True
    ) -> None:
        """Count one incident in: under its name, and once for each of the feeds that tell of it."""
        if not adds.in_scope:
            self.out_of_scope += 1
            return
        if sure:
            self.in_scope.add(adds.occurred_from, feed, report_id)
            if severe:
                self.severe.add(adds.occurred_from, feed, report_id)
        else:
            self.uncertain += 1
            self.uncertain_severe += severe
        for teller in feeds:
            self.tell(teller, 1)
        self._add_toll(adds, 1)

    def add_many(self, sums: Sums) -> None:
        """Count incidents in scope in that surely happened that day; the feeds that tell of them come apart."""
        self.in_scope.add_many(sums.earliest, sums.incidents)
        self.severe.add_many(sums.earliest_severe, sums.severe)
        low, best, high = self._tolls
        self._tolls = (low + sums.tolls[0], best + sums.tolls[1], high + sums.tolls[2])
        self.without_toll += sums.without_toll

    def tell(self, feed: str, incidents: int) -> None:
        """Note that a feed tells of so many more incidents in scope."""
        self.feeds[feed] = self.feeds.get(feed, 0) + incidents
        self._moved.add(feed)

    def remove(
        self, feed: str, report_id: str, adds: Contribution, feeds: tuple[str, ...], *, severe: bool, sure: bool = True
    ) -> None:
        """Take one incident out again."""
        if not adds.in_scope:
            self.out_of_scope -= 1
            return
        if sure:
            evidence = Evidence(adds.occurred_from, feed, report_id)
            self.in_scope.remove(evidence)
            if severe:
                self.severe.remove(evidence)
        else:
            self.uncertain -= 1
            self.uncertain_severe -= severe
        for teller in feeds:
            self.feeds[teller] -= 1
            self._moved.add(teller)
        self._add_toll(adds, -1)

    def _add_toll(self, adds: Contribution, sign: int) -> None:
        toll = added_toll(adds)
        if toll is None:
            self.without_toll += sign
        else:
            low, best, high = self._tolls
            self._tolls = (low + sign * toll[0], best + sign * toll[1], high + sign * toll[2])

    @property
    def tolls(self) -> tuple[int, int, int] | tuple[None, None, None]:
        """Low, best and high deaths of the incidents in scope; None where none of them states a toll."""
        return (None, None, None) if self.without_toll == self.incidents else self._tolls

    def restore_tolls(self, low: int | None, best: int | None, high: int | None, without_toll: int) -> None:
        """Take up the tolls where a row left them."""
        self._tolls = (low or 0, best or 0, high or 0)
        self.without_toll = without_toll

    def moved_feeds(self) -> list[tuple[str, int]]:
        """Return the incidents of each feed whose number moved since the last call; one of zero is to go."""
        moved = [(feed, self.feeds[feed]) for feed in sorted(self._moved)]
        for feed, incidents in moved:
            if not incidents:
                del self.feeds[feed]
        self._moved.clear()
        return moved
