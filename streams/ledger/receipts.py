"""Receipts of what a ledger committed.

Rejects of intake and reports outside the agreement have theirs from intake. The order around one
flush, and the failure each step prevents:

1. Keep the receipts on disk, with the commit they belong to. A crash after the commit loses none.
2. Commit. Nobody is told of what may be folded another way after a restart.
3. Publish, then drop the file. A crash between the two publishes them once more.
"""

from __future__ import annotations

import time
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from schemas.agreement import Agreement
from schemas.facts import ConvoyFact, Fact, IncidentFact, OutsideFact, PositionFact, RejectFact
from schemas.failpoints import reached
from schemas.receipts import REJECTED, Receipt, digest_of, records_of
from schemas.rejects import RejectCode
from schemas.rows import Changes, FreshReports
from schemas.topics import THIRTY_DAYS_MS
from schemas.truceday import Micros
from sinks.owed import Commit, OwedReceipts
from streams.engine.producer import BatchProducer

#: Facts received longer ago have no receipt: the topic would not keep it, and a ledger that begins
#: anew would tell years of them.
TOLD_FOR = THIRTY_DAYS_MS * 1_000


class LedgerReceipts:
    """Receipts of one agreement's ledger, kept until they are published.

    Args:
        topic: the topic of receipts, of one partition.
        directory: of the ledger's file.
    """

    def __init__(self, producer: BatchProducer, topic: str, agreement: Agreement, directory: Path) -> None:
        self._producer = producer
        self._topic = topic
        self._agreement = agreement
        self._file = OwedReceipts(directory)
        self._owed: list[Receipt] = []

    async def start(self) -> None:
        """Connect to the broker."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    def owe(self, changes: Changes, commit: Commit) -> None:
        """Keep the receipts of ``changes``, which are about to be committed as ``commit``."""
        self._owed = made_of(self._agreement, changes, time.time_ns() // 1_000 - TOLD_FOR)
        if self._owed:
            self._file.keep(commit, self._owed)

    def resume(self, commit: Commit) -> None:
        """Take up what the last commit owes."""
        self._owed = self._file.recall(commit)

    async def publish(self) -> None:
        """Publish what is owed; return once the broker has it.

        Raises:
            BrokerUnavailable: the broker does not answer. The file keeps what is owed.
        """
        if not self._owed:
            return
        await self._producer.send(self._topic, 0, list(records_of(self._owed)))
        reached("receipts.told")
        self._owed = []
        self._file.forget()


def made_of(agreement: Agreement, changes: Changes, since: Micros) -> list[Receipt]:
    """Return the receipts of what one flush took in and received at ``since`` or later."""
    made = _Making(agreement)
    told = [each for fresh in changes.told_fresh for each in made.of_fresh(fresh, since)]
    for _, fact, body, outcome in changes.outcomes:
        recent = fact.stamp is not None and fact.stamp >= since
        if recent and not isinstance(fact, RejectFact | OutsideFact):
            told.append(made.of_fact(fact, body, outcome))
    return told


class _Making:
    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._counted_feeds = frozenset(agreement.violence.feeds)
        self._in_scope = cache(agreement.in_scope)

    def _counts(self, feed: str) -> bool:
        return not self._counted_feeds or feed in self._counted_feeds

    def of_fresh(self, told: FreshReports, since: Micros) -> list[Receipt]:
        """Return the receipts of incidents that were folded by column."""
        incidents, columns = told.incidents, told.computed()
        digests = columns["body_digest"].astype("<i8").tobytes().hex()
        days = [date(1970, 1, 1).toordinal() + day for day in columns["truce_day"].tolist()]
        texts = {day: date.fromordinal(day).isoformat() for day in set(days)}
        feeds = incidents.values("feed")
        counts = {feed: self._counts(feed) for feed in set(feeds)}
        rows = zip(
            feeds,
            incidents.values("report_id"),
            incidents.values("revision"),
            incidents.values("region"),
            days,
            columns["in_scope"].tolist(),
            strict=True,
        )
        made = [
            Receipt(
                self._agreement.id,
                "accepted",
                digests[16 * row : 16 * row + 16],
                feed,
                report_id,
                revision,
                None,
                None,
                region,
                texts[day],
                in_scope and counts[feed],
            )
            for row, (feed, report_id, revision, region, day, in_scope) in enumerate(rows)
        ]
        recent = incidents.numbers("received_at", -1) >= since
        return made if recent.all() else [made[row] for row in np.flatnonzero(recent).tolist()]

    def of_fact(self, fact: Fact, body: bytes, outcome: str) -> Receipt:
        """Return the receipt of a report that was folded by itself."""
        region = day = counted = None
        if isinstance(fact, IncidentFact | ConvoyFact | PositionFact):
            day = self._agreement.calendar.day_of(fact.from_, fact.to)[0].isoformat()
        if isinstance(fact, IncidentFact | ConvoyFact):
            region = fact.place.region
        if isinstance(fact, IncidentFact) and outcome in ("accepted", "corrected"):
            concerns = fact.place.region in self._agreement.regions
            counted = concerns and self._counts(fact.feed) and self._in_scope(fact.sides)
        refused = RejectCode.CONFLICTING_BODY if outcome == REJECTED else None
        return Receipt(
            self._agreement.id,
            outcome,
            digest_of(body),
            getattr(fact, "feed", None),
            getattr(fact, "report_id", None),
            getattr(fact, "revision", None),
            None if refused is None else str(refused),
            None if refused is None else f"{refused.meaning} {refused.hint}",
            region,
            day,
            counted,
        )
