"""Feed health: when each feed last spoke, and what became of its records."""

from __future__ import annotations

from enum import StrEnum

from schemas.facts import OutsideFact, RejectFact, ReportFact
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
    OUTSIDE = "outside"


class FeedHealth:
    """Counts by feed and outcome, with the last times a feed spoke."""

    def __init__(self) -> None:
        self._feeds: dict[str, _Feed] = {}

    def count(self, feed: str | None, outcome: Outcome, fact: ReportFact | RejectFact | OutsideFact) -> None:
        """Count one record of ``feed``; a record that was redelivered must not come here."""
        health = self._feeds.get(feed or UNREADABLE)
        if health is None:
            health = self._feeds[feed or UNREADABLE] = _Feed()
        health.changed = True
        health.counts[outcome] += 1
        stamp = fact.stamp
        if stamp is not None and (health.received is None or stamp > health.received):
            health.received = stamp
        if not isinstance(fact, RejectFact | OutsideFact):
            reported = fact.reported_at
            if health.reported is None or reported > health.reported:
                health.reported = reported

    def accept(self, feed: str, reports: int, reported: Micros, received: Micros | None) -> None:
        """Count reports accepted, given the last times they were told and received."""
        health = self._feeds.setdefault(feed, _Feed())
        health.changed = True
        health.counts[Outcome.ACCEPTED] += reports
        health.reported = max(reported, health.reported or reported)
        if received is not None:
            health.received = max(received, health.received or received)

    def changed_rows(self) -> list[FeedRow]:
        """Return the rows of the feeds heard since the last call."""
        rows = []
        for feed, health in sorted(self._feeds.items()):
            if health.changed:
                health.changed = False
                rows.append(FeedRow(feed, health.reported, health.received, *health.counts.values()))
        return rows

    def restore(self, rows: list[FeedRow]) -> None:
        """Take up the counts where the rows left them."""
        for row in rows:
            health = self._feeds[row.feed] = _Feed()
            health.reported, health.received = row.last_reported_at, row.last_received_at
            health.counts = dict(zip(Outcome, row[3:], strict=True))


class _Feed:
    """What is known of one feed."""

    __slots__ = ("changed", "counts", "received", "reported")

    def __init__(self) -> None:
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.reported: Micros | None = None
        self.received: Micros | None = None
        self.changed = False
