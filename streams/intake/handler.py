"""The intake agent: batches of source records in, facts out, then the offset.

Stateless and at least once: the Kafka offset is committed only after every fact of the batch was acknowledged.
Doing a batch twice is harmless, because the ledger recognises a redelivery by its origin.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka import TopicPartition

from schemas.facts import Origin, header_of
from schemas.failpoints import reached
from schemas.rejects import dead_letter_headers, fitting
from schemas.topics import CUT_BYTES, MAX_MESSAGE_BYTES, MAX_REPORT_BYTES, Topics
from streams.engine.lane import Batch, Lane
from streams.engine.producer import BatchProducer, Outgoing
from streams.intake.examine import Examiner, cut
from streams.intake.metrics import IntakeMetrics

log = structlog.get_logger(__name__)


#: As much of a topic's id as tells it from others of its name.
ID_LETTERS = 13


class IntakeHandler:
    """Handles batches of the input topics: examine every record, write its facts, commit.

    Args:
        log_identity: asked for the identity of a topic's log, as ``streams.engine.admin.log_identity`` returns it.
    """

    def __init__(
        self,
        examiner: Examiner,
        producer: BatchProducer,
        topics: Topics,
        log_identity: Callable[[str], Awaitable[str]],
    ) -> None:
        self._examiner = examiner
        self._producer = producer
        self._topics = topics
        self._log_identity = log_identity
        self._logs: dict[str, str] = {}
        self._lane: Lane | None = None
        #: Offsets whose facts are written and that the group has not taken.
        self._untold: dict[TopicPartition, int] = {}
        self.metrics = IntakeMetrics()

    async def started(self, lane: Lane) -> None:
        """Called once, before the first batch."""
        self._lane = lane
        await self._producer.start()

    async def handle(self, batch: Batch) -> None:
        """Write the facts of one batch; return when they are acknowledged and the offset is committed."""
        if self._lane is None:
            return
        if not batch.records:
            await self._tell(self._lane)
            return
        reached("intake.read")
        by_topic: dict[str, list[Outgoing]] = defaultdict(list)
        rejected = 0
        read_at = time.time_ns() // 1_000
        source_log = self._logs[batch.topic]
        for record in batch.records:
            origin = Origin(batch.topic, batch.partition, record.offset, source_log)
            body = record.value or b""
            examined = self._examiner.examine(record.value, record.headers, origin, read_at)
            key = record.key
            own: Sequence[tuple[str, bytes | None]] = record.headers
            if examined.rejected is not None and len(body) > MAX_MESSAGE_BYTES:
                examined, body = cut(examined, len(body)), body[:CUT_BYTES]
            if examined.rejected is not None or (key is not None and len(key) > MAX_REPORT_BYTES):
                # Else a record that came compressed could be read, and never written: intake would stop at it.
                key, own = fitting(key, own, len(body))
            for agreement, fact in examined.facts:
                by_topic[self._topics.facts(agreement)].append((key, body, header_of(fact)))
            if examined.rejected is not None:
                rejected += 1
                by_topic[self._topics.rejects].append((key, body, dead_letter_headers(examined.rejected, own)))
        reached("intake.examined")
        for topic, records in by_topic.items():
            await self._producer.send(topic, 0, records)
            reached("intake.produced")
        reached("intake.acknowledged")
        self._untold[TopicPartition(batch.topic, batch.partition)] = batch.next_offset
        await self._tell(self._lane)
        reached("intake.committed")
        self.metrics.committed(batch.topic, len(batch.records), rejected)
        log.debug(
            "batch_taken_in",
            topic=batch.topic,
            partition=batch.partition,
            records=len(batch.records),
            rejected=rejected,
        )

    async def _tell(self, lane: Lane) -> None:
        """Commit what is done; what a broker that was gone did not take is told again when nothing arrives."""
        if self._untold and await lane.commit(self._untold):
            self._untold = {}

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Ask which logs these are: without it a topic created anew would pass for the one read before."""
        # What was not taken before is read again.
        self._untold = {}
        topics = sorted({partition.topic for partition in partitions})
        self._logs = {topic: _short(await self._log_identity(topic)) for topic in topics}

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is kept between batches, so nothing is to be given up."""

    async def stopped(self) -> None:
        """Close the producer; every fact handed to it was acknowledged already."""
        await self._producer.stop()


def _short(identity: str) -> str:
    """Return the part of a log's identity that changes with its topic, cut short: every fact carries it."""
    return identity.rpartition("/")[2][:ID_LETTERS]
