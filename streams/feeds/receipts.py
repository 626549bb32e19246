"""Receipts as a feed reads them, from the topic alone.

Reading needs no consumer group, so an account that may only read the topic is enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Self

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.receipts import Receipt, read
from schemas.topics import THIRTY_DAYS_MS, TopicSpec
from streams.engine.admin import ensure_topics, partitions_of
from streams.engine.cluster import Broker, cluster_of
from streams.engine.ends import ends_of
from streams.engine.kafka_errors import kafka_errors

log = structlog.get_logger(__name__)

#: How long one call waits for records.
_POLL_MS = 250

#: Receipts in words; those of incidents that count are told apart.
_WORDS = {
    "accepted": "accepted",
    "corrected": "corrected, in place of the earlier revision",
    "retracted": "withdrawn",
    "superseded": "superseded: a later revision came before",
    "duplicate": "a duplicate: it was there already",
    "outside": "outside the agreement",
}


class ReceiptReader:
    """Reader of the receipts topic; made by ``reading``.

    Attributes:
        next_offset: of the first record not read yet.
        end: the offset behind the last record there was at the start.
    """

    def __init__(self, broker: Broker, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._broker = broker
        self._consumer = consumer
        self._partition = TopicPartition(topic, 0)
        self.next_offset = self.end = 0

    async def begin(self, offset: int | None) -> Self:
        """Go to an offset, to the end where it is None, or to the first record where it is gone."""
        here = self._partition
        self._consumer.assign([here])
        first = (await self._consumer.beginning_offsets([here]))[here]
        self.end = (await ends_of(self._consumer, [here]))[here]
        self.next_offset = self.end if offset is None else offset if first <= offset <= self.end else first
        self._consumer.seek(here, self.next_offset)
        return self

    async def more(self) -> list[Receipt]:
        """Return the next receipts, none when no record came within a moment.

        Raises:
            BrokerUnavailable: the broker does not answer, or refuses.
        """
        found = []
        with kafka_errors(self._broker):
            fetched = await self._consumer.getmany(self._partition, timeout_ms=_POLL_MS)
        for record in fetched.get(self._partition, ()):
            try:
                found += read(record.value)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                # A record of somebody else must not hide the receipts of thirty days.
                log.warning("holds_no_receipts", topic=record.topic, offset=record.offset, reason=str(error))
            self.next_offset = record.offset + 1
        return found

    async def present(self) -> AsyncIterator[Receipt]:
        """Yield the receipts there were at the start."""
        while self.next_offset < self.end:
            for each in await self.more():
                yield each


@asynccontextmanager
async def reading(broker: Broker, topic: str, offset: int | None = None) -> AsyncIterator[ReceiptReader]:
    """Read a receipts topic from an offset; without one, what is written from now on.

    Raises:
        BrokerUnavailable: nobody answers.
        UsageError: there is no such topic, and this account may not make it.
    """
    if topic not in await partitions_of(broker, (topic,)):
        await ensure_topics(broker, [TopicSpec(topic, 1, THIRTY_DAYS_MS)])
    consumer = AIOKafkaConsumer(**cluster_of(broker).client, group_id=None, enable_auto_commit=False)
    try:
        with kafka_errors(broker):
            await consumer.start()
            reader = await ReceiptReader(broker, consumer, topic).begin(offset)
        yield reader
    finally:
        await consumer.stop()


def called(receipt: Receipt) -> str:
    """Return the name of a receipt's report, as far as its bytes told it."""
    if receipt.feed is None or receipt.report_id is None:
        return f"a report of {receipt.feed or 'an unreadable feed'}"
    return f"{receipt.feed}/{receipt.report_id}@{receipt.revision or '?'}"


def in_words(receipt: Receipt, region: str | None) -> str:
    """Return what became of a report, given the name of its region."""
    if receipt.outcome == "rejected":
        return f"rejected, {receipt.code}: {receipt.hint}"
    words = _WORDS.get(receipt.outcome, receipt.outcome)
    if receipt.counted:
        words = "counted" if receipt.outcome == "accepted" else f"{words}; counted"
    elif receipt.counted is False:
        words = f"{words}; does not count"
    where = f" in {region}" if region else ""
    if receipt.truce_day is None:
        return words + where
    day = date.fromisoformat(receipt.truce_day)
    return f"{words}{where}, truce-day of {day.day} {day:%B %Y}"
