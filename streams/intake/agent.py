"""The intake agent: batches of source records in, facts out, then the offset.

Stateless and at least once: the Kafka offset is committed only after every fact of the batch was acknowledged.
Doing a batch twice is harmless, because the ledger recognises a redelivery by its origin.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import structlog
from aiokafka import TopicPartition

from schemas.facts import Origin, header_of
from schemas.rejects import dead_letter_headers
from schemas.topics import Topics
from streams.engine.lane import Batch, Lane
from streams.engine.producer import BatchProducer, Outgoing
from streams.intake.examine import Examiner

log = structlog.get_logger(__name__)


class IntakeAgent:
    """Handles batches of the input topics: examine every record, write its facts, commit."""

    def __init__(self, examiner: Examiner, producer: BatchProducer, topics: Topics) -> None:
        self._examiner = examiner
        self._producer = producer
        self._topics = topics
        self._lane: Lane | None = None

    async def started(self, lane: Lane) -> None:
        """Called once, before the first batch."""
        self._lane = lane
        await self._producer.start()

    async def handle(self, batch: Batch) -> None:
        """Write the facts of one batch; return when they are acknowledged and the offset is committed."""
        if not batch.records or self._lane is None:
            return
        by_topic: dict[str, list[Outgoing]] = defaultdict(list)
        rejected = 0
        read_at = time.time_ns() // 1_000
        for record in batch.records:
            origin = Origin(batch.topic, batch.partition, record.offset)
            body = record.value or b""
            examined = self._examiner.examine(record.value, record.headers, origin, read_at)
            key = record.key
            for agreement, fact in examined.facts:
                by_topic[self._topics.facts(agreement)].append((key, body, header_of(fact)))
            if examined.rejected is not None:
                rejected += 1
                headers = dead_letter_headers(examined.rejected, record.headers)
                by_topic[self._topics.rejects].append((key, body, headers))
        for topic, records in by_topic.items():
            await self._producer.send(topic, 0, records)
        await self._lane.commit({TopicPartition(batch.topic, batch.partition): batch.next_offset})
        log.debug(
            "batch_taken_in",
            topic=batch.topic,
            partition=batch.partition,
            records=len(batch.records),
            rejected=rejected,
        )

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is kept between batches, so nothing is to be prepared."""

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Nothing is kept between batches, so nothing is to be given up."""

    async def stopped(self) -> None:
        """Close the producer; every fact handed to it was acknowledged already."""
        await self._producer.stop()
