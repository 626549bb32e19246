"""Handler of source records, which writes their facts.

It is stateless and delivers at least once: the Kafka offset is committed only after every fact of
the batch was acknowledged. Handling a batch twice is harmless, because the ledger recognises a
redelivery by its origin.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from schemas.chunks import MOST_FACTS, Given, records_of
from schemas.facts import Fact, Origin, OutsideFact, RejectFact
from schemas.failpoints import reached
from schemas.receipts import REJECTED, Receipt, refusal
from schemas.receipts import records_of as records_of_receipts
from schemas.rejects import dead_letter_headers, fitting, source_of
from schemas.topics import CUT_BYTES, MAX_MESSAGE_BYTES, Topics
from schemas.truceday import Micros
from streams.engine.lane import Batch, Lane, Record
from streams.engine.producer import BatchProducer, Outgoing
from streams.engine.unique_log import UniqueLog
from streams.engine.unreadable import Unreadable
from streams.intake.examine import Examined, Examiner, cut
from streams.intake.metrics import IntakeMetrics

log = structlog.get_logger(__name__)

#: Facts whose receipts come from intake; those of reports come from each agreement's ledger.
_TOLD_HERE = frozenset({OutsideFact, RejectFact})
#: Letters of a topic's id that tell it from others of its name.
ID_LETTERS = 13


class IntakeHandler:
    """Handler of the input topics.

    Args:
        examiner: makes facts of records, or rejects them.
        producer: writes facts.
        rejects: the topic of rejects, which holds each record once whichever intakes reject it.
        topics: names of the topics.
        log_identity: returns the identity of a topic's log, as
            :func:`streams.engine.admin.log_identity` does.
        chunk_facts: facts of one record, at most.
        receipts: whether feeds are told of reports refused, or outside the agreement.
    """

    def __init__(
        self,
        examiner: Examiner,
        producer: BatchProducer,
        rejects: UniqueLog,
        topics: Topics,
        log_identity: Callable[[str], Awaitable[str]],
        chunk_facts: int = MOST_FACTS,
        *,
        receipts: bool = False,
    ) -> None:
        self._examiner = examiner
        self._producer = producer
        self._rejects = rejects
        self._topics = topics
        self._log_identity = log_identity
        self._chunk_facts = chunk_facts
        self._receipts = receipts
        self._logs: dict[str, str] = {}
        self._lane: Lane | None = None
        #: Offsets whose facts are written and that the group has not accepted.
        self._uncommitted: dict[TopicPartition, int] = {}
        self.metrics = IntakeMetrics()

    async def started(self, lane: Lane) -> None:
        """Keep the lane and connect the producer, before the first batch."""
        self._lane = lane
        await self._producer.start()

    async def handle(self, batch: Batch) -> None:
        """Write the facts of one batch, then commit its offset.

        All facts are acknowledged before.
        """
        if self._lane is None:
            return
        if not batch.records:
            await self._commit(self._lane)
            return
        reached("intake.read")
        told, rejects, receipts = self._told(batch)
        reached("intake.examined")
        await self._write(told, receipts)
        if rejects:
            await self._rejects.append(rejects, lambda letter: source_of(letter.headers))
        reached("intake.acknowledged")
        self._uncommitted[TopicPartition(batch.topic, batch.partition)] = batch.next_offset
        await self._commit(self._lane)
        reached("intake.committed")
        self.metrics.committed(batch.topic, len(batch.records), len(rejects))
        log.debug(
            "batch_taken_in",
            topic=batch.topic,
            partition=batch.partition,
            records=len(batch.records),
            rejected=len(rejects),
        )

    def _told(self, batch: Batch) -> tuple[dict[str, list[Given]], dict[Hashable, Outgoing], list[Receipt]]:
        """Return the facts for each agreement with their reports, the letters of the rejects, and receipts."""
        told: dict[str, list[Given]] = defaultdict(list)
        rejects: dict[Hashable, Outgoing] = {}
        receipts: list[Receipt] = []
        read_at = time.time_ns() // 1_000
        source_log = self._logs[batch.topic]
        # A record with a header may be a tick, a dismissal or a redrive.
        alone = [record.headers or isinstance(record, Unreadable) for record in batch.records]
        bodies = [None if is_alone else record.value for record, is_alone in zip(batch.records, alone, strict=True)]
        for record, incident in zip(batch.records, self._examiner.decoded(bodies, read_at), strict=True):
            body = record.value or b""
            source = (batch.topic, batch.partition, record.offset, source_log)
            row = None if incident is None else self._examiner.row(incident, source, read_at)
            if row is not None:
                for agreement in self._examiner.served:
                    told[agreement].append((row, body))
                continue
            origin = Origin(*source)
            examined = self._examined(record, origin, read_at, incident)
            if examined.rejected is not None and len(body) > MAX_MESSAGE_BYTES:
                examined, body = cut(examined, len(body)), body[:CUT_BYTES]
            for agreement, fact in examined.facts:
                told[agreement].append((fact, b"" if type(fact) is OutsideFact else body))
                if self._receipts and type(fact) in _TOLD_HERE:
                    receipts.append(_receipt(agreement, fact, record.value or b""))
            if examined.rejected is not None:
                # Else a record that came compressed could be read and never written, and intake
                # would stop at it.
                key, own = fitting(record.key, record.headers, len(body))
                rejects[origin] = (key, body, dead_letter_headers(examined.rejected, own))
        return told, rejects, receipts

    async def _write(self, told: Mapping[str, Sequence[Given]], receipts: Sequence[Receipt]) -> None:
        """Write facts, then receipts; return once all are acknowledged."""
        for agreement, facts in told.items():
            await self._producer.send(self._topics.facts(agreement), 0, list(records_of(facts, self._chunk_facts)))
            reached("intake.produced")
        if receipts:
            await self._producer.send(self._topics.receipts, 0, list(records_of_receipts(receipts)))
            reached("receipts.refused")

    def _examined(self, record: Record, origin: Origin, read_at: Micros, incident: Any) -> Examined:
        if isinstance(record, Unreadable):
            offsets = (record.first, record.offset)
            return self._examiner.unreadable(record.value, offsets, record.fault, origin, read_at)
        return self._examiner.examine(record.value, record.headers, origin, read_at, incident)

    async def _commit(self, lane: Lane) -> None:
        """Commit offsets of written facts.

        Those an absent broker did not accept are committed again at an idle batch.
        """
        if self._uncommitted and await lane.commit(self._uncommitted):
            self._uncommitted = {}

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Ask for the identities of the logs.

        Without them a topic created anew would pass for the old one.
        """
        # Offsets not accepted before are read again.
        self._uncommitted = {}
        topics = sorted({partition.topic for partition in partitions})
        self._logs = {topic: _short(await self._log_identity(topic)) for topic in topics}

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Give up nothing, because nothing is kept between batches."""

    async def stopped(self) -> None:
        """Disconnect the producers; every record handed to them was acknowledged."""
        await self._producer.stop()
        await self._rejects.stop()


def _receipt(agreement: str, fact: Fact, body: bytes) -> Receipt:
    """Return the receipt of a record that was refused, or is outside the agreement."""
    if isinstance(fact, RejectFact):
        return refusal(agreement, REJECTED, body, fact.code, fact.hint)
    return refusal(agreement, "outside", body)


def _short(identity: str) -> str:
    """Return the topic's part of a log's identity, cut short.

    Every fact carries it.
    """
    return identity.rpartition("/")[2][:ID_LETTERS]
