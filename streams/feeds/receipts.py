"""Receipts as a feed reads them, from the topic alone.

Reading needs no consumer group, so an account that may only read the topic is enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Self

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.receipts import Receipt, read
from schemas.topics import THIRTY_DAYS_MS, TopicSpec
from streams.engine.admin import ensure_topics, partitions_of
from streams.engine.cluster import Broker, cluster_of
from streams.engine.ends import ends_of
from streams.engine.kafka_errors import is_passing, kafka_errors

log = structlog.get_logger(__name__)

#: How long one call waits for records.
_POLL_MS = 250
#: How long nothing may come before the broker is asked whether it is there, and how long it may take to answer.
_SILENCE_SECONDS, _ANSWER_SECONDS = 3.0, 5.0
#: How long it may take until reading begins.
_BEGIN_SECONDS = 30.0

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
        end: the offset behind the last record there was when the broker was asked last.
    """

    def __init__(self, broker: Broker, consumer: AIOKafkaConsumer, topic: str, patience_seconds: float) -> None:
        self._broker = broker
        self._consumer = consumer
        self._partition = TopicPartition(topic, 0)
        self._patience_seconds = patience_seconds
        self._heard = time.monotonic()
        self._away_since: float | None = None
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
            BrokerUnavailable: the broker has been away for too long, or refuses.
        """
        found = []
        with kafka_errors(self._broker):
            fetched = await self._consumer.getmany(self._partition, timeout_ms=_POLL_MS)
            # A marker of a transaction has an offset, and is no record.
            async with asyncio.timeout(_ANSWER_SECONDS):
                self.next_offset = await self._consumer.position(self._partition)
        if fetched:
            self._heard, self._away_since = time.monotonic(), None
        elif time.monotonic() - self._heard >= _SILENCE_SECONDS:
            # A client that fetches from a broker that left says nothing, and tries for ever.
            await self.look_for_end()
        for record in fetched.get(self._partition, ()):
            try:
                found += read(record.value)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                # A record of somebody else must not hide the receipts of thirty days.
                log.warning("holds_no_receipts", topic=record.topic, offset=record.offset, reason=str(error))
        return found

    async def look_for_end(self) -> None:
        """Ask the broker where the receipts end by now.

        Raises:
            BrokerUnavailable: the broker has been away for too long, or refuses.
        """
        asked = time.monotonic()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                ends = await self._consumer.end_offsets([self._partition])
        except (KafkaError, OSError, TimeoutError) as error:
            self._away_since = asked if self._away_since is None else self._away_since
            if is_passing(error) and time.monotonic() - self._away_since < self._patience_seconds:
                return
            with kafka_errors(self._broker):
                raise
        self.end = max(self.end, ends[self._partition], self._consumer.highwater(self._partition) or 0)
        self._heard, self._away_since = time.monotonic(), None

    async def present(self) -> AsyncIterator[Receipt]:
        """Yield the receipts there were at the start."""
        end = self.end
        while self.next_offset < end:
            for each in await self.more():
                yield each


@asynccontextmanager
async def reading(
    broker: Broker, topic: str, *, patience_seconds: float, offset: int | None = None
) -> AsyncIterator[ReceiptReader]:
    """Read a receipts topic from an offset; without one, what is written from now on.

    Args:
        patience_seconds: how long the broker may be away once it has answered.

    Raises:
        BrokerUnavailable: nobody answers.
        UsageError: there is no such topic, and this account may not make it.
    """
    if topic not in await partitions_of(broker, (topic,)):
        await ensure_topics(broker, [TopicSpec(topic, 1, THIRTY_DAYS_MS)])
    consumer = AIOKafkaConsumer(**cluster_of(broker).client, group_id=None, enable_auto_commit=False)
    try:
        with kafka_errors(broker):
            async with asyncio.timeout(_BEGIN_SECONDS):
                await consumer.start()
                reader = await ReceiptReader(broker, consumer, topic, patience_seconds).begin(offset)
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
