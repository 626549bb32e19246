"""Feed health: when each feed last spoke, and what became of its records."""

from __future__ import annotations

from enum import StrEnum

from schemas.facts import RejectFact, ReportFact
from schemas.rows import FeedRow
from schemas.truceday import Micros

#: Stands for records too broken to tell who sent them.
UNREADABLE = "(unreadable)"


class Outcome(StrEnum):
    """What becomes of a record read: exactly one of these."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    RETRACTED = "retracted"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


_INDEX = {outcome: index for index, outcome in enumerate(Outcome)}


class FeedHealth:
    """Counts by feed and outcome, with the last times a feed spoke."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._reported: dict[str, Micros] = {}
        self._received: dict[str, Micros] = {}
        self._changed: set[str] = set()

    def count(self, feed: str | None, outcome: Outcome, fact: ReportFact | RejectFact) -> None:
        """Count one record of ``feed``; a record that was redelivered must not come here."""
        name = feed or UNREADABLE
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = [0] * len(_INDEX)
        counts[_INDEX[outcome]] += 1
        self._changed.add(name)
        if fact.stamp is not None and fact.stamp > self._received.get(name, fact.stamp - 1):
            self._received[name] = fact.stamp
        if not isinstance(fact, RejectFact) and fact.reported_at > self._reported.get(name, fact.reported_at - 1):
            self._reported[name] = fact.reported_at

    def changed_rows(self) -> list[FeedRow]:
        """Return the rows of the feeds heard since the last call."""
        rows = [
            FeedRow(feed, self._reported.get(feed), self._received.get(feed), *self._counts[feed])
            for feed in sorted(self._changed)
        ]
        self._changed.clear()
        return rows

    def restore(self, rows: list[FeedRow]) -> None:
        """Take up the counts where the rows left them."""
        for row in rows:
            self._counts[row.feed] = list(row[3:])
            if row.last_reported_at is not None:
                self._reported[row.feed] = row.last_reported_at
            if row.last_received_at is not None:
                self._received[row.feed] = row.last_received_at
