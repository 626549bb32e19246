"""Publishing rejects again: to the topic and partition they came from, with the key and headers they came with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.errors import BrokerUnavailable, UsageError
from schemas.facts import Origin, Redrive, RejectFact
from schemas.rejects import dead_letter_headers, fitting, redrive_headers
from sinks.rejects import Reject
from streams.engine.admin import beginning_offsets, end_offsets, log_identity
from streams.engine.cluster import Broker, cluster_of
from streams.engine.kafka_errors import kafka_errors
from streams.engine.producer import BatchProducer, Outgoing

#: Rejects published between two looks at what was acknowledged.
BATCH_RECORDS = 200
#: Records read past on the way to the next one wanted, rather than asking the broker anew.
_NEAR = 200
_READ_SECONDS = 15.0

_Record = ConsumerRecord[bytes | None, bytes | None]


@dataclass(frozen=True)
class Letter:
    """A reject with the bytes to publish, its own or edited."""

    reject: Reject
    body: bytes

    @property
    def redrive(self) -> Redrive:
        """Which reject this is, for the next time."""
        return Redrive(origin_of(self.reject), self.reject.redrives + 1)


def origin_of(reject: Reject) -> Origin:
    """Return where a reject came from.

    Raises:
        UsageError: the file does not tell.
    """
    if reject.source_topic is None or reject.source_partition is None or reject.source_offset is None:
        raise UsageError(f"reject {reject.id} tells no topic it came from: export it, and publish it from the file")
    return Origin(reject.source_topic, reject.source_partition, reject.source_offset, reject.source_log or "")


async def redrive(broker: Broker, letters: Iterable[Letter], sent: Callable[[Letter], None]) -> None:
    """Publish rejects again; ``sent`` is called for each once the broker has it.

    The broker still holds most rejected records, with key and headers; of one it no longer holds only the bytes are
    known. Interrupted and called again it repeats some, which the ledger knows by their headers.

    Raises:
        BrokerUnavailable: the broker cannot be reached or refuses.
        UsageError: a topic is not there.
    """
    async with _Sources(broker) as sources:
        producer = BatchProducer(broker)
        await producer.start()
        try:
            waiting = iter(letters)
            while batch := list(islice(waiting, BATCH_RECORDS)):
                groups: dict[tuple[str, int], list[Letter]] = {}
                for letter in batch:
                    origin = origin_of(letter.reject)
                    groups.setdefault((origin.topic, origin.partition), []).append(letter)
                for (topic, partition), ours in groups.items():
                    ours.sort(key=lambda letter: letter.reject.source_offset or 0)
                    outgoing = [_outgoing(letter, await sources.record(letter.reject)) for letter in ours]
                    await producer.send(topic, partition, outgoing)
                    for letter in ours:
                        sent(letter)
        finally:
            await producer.stop()


def _outgoing(letter: Letter, record: _Record | None) -> Outgoing:
    reject = letter.reject
    came_with: Sequence[tuple[str, bytes | None]] = record.headers if record is not None else ()
    fact = RejectFact(code=reject.code, hint=reject.hint, origin=origin_of(reject))
    key, came_with = fitting(record.key if record is not None else None, came_with, len(letter.body))
    return key, letter.body, redrive_headers(dead_letter_headers(fact, came_with), letter.redrive)


class _Sources:
    """Reads rejected records where they came from."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: dict[str, tuple[str, dict[int, int], dict[int, int]]] = {}
        self._consumer = AIOKafkaConsumer(
            **cluster_of(broker).client, enable_auto_commit=False, auto_offset_reset="none"
        )
        self._at: TopicPartition | None = None
        self._next: int | None = None

    async def __aenter__(self) -> _Sources:
        try:
            with kafka_errors(self._broker):
                await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def record(self, reject: Reject) -> _Record | None:
        """Return the record a reject was made of; None when the topic no longer holds it.

        Raises:
            UsageError: there is no such topic or partition.
        """
        origin = origin_of(reject)
        log, first, end = await self._topic(origin.topic)
        if origin.partition not in end:
            raise UsageError(
                f"there is no {origin.topic}/{origin.partition} on the Kafka broker at {self._broker}: reject "
                f"{reject.id} came from there",
                "export the rejects, and publish them from the file",
            )
        here = not origin.log or log.startswith(origin.log)
        if not (here and first[origin.partition] <= origin.offset < end[origin.partition]):
            return None
        with kafka_errors(self._broker):
            found = await self._read(TopicPartition(origin.topic, origin.partition), origin.offset)
        return found if found is not None and (found.value or b"").startswith(reject.original) else None

    async def _topic(self, topic: str) -> tuple[str, dict[int, int], dict[int, int]]:
        if topic not in self._held:
            end = await end_offsets(self._broker, topic)
            if not end:
                raise UsageError(
                    f"there is no topic {topic} on the Kafka broker at {self._broker}: the rejects came from there",
                    "name the broker they came from, or export them and publish them from the file",
                )
            identity = (await log_identity(self._broker, topic)).rpartition("/")[2]
            self._held[topic] = identity, await beginning_offsets(self._broker, topic), end
        return self._held[topic]

    async def _read(self, partition: TopicPartition, offset: int) -> _Record | None:
        if partition != self._at:
            self._consumer.assign([partition])
            self._at, self._next = partition, None
        if self._next is None or not self._next <= offset <= self._next + _NEAR:
            self._consumer.seek(partition, offset)
        while True:
            try:
                record: _Record = await asyncio.wait_for(self._consumer.getone(partition), _READ_SECONDS)
            except TimeoutError:
                raise BrokerUnavailable(
                    f"the Kafka broker at {self._broker} did not hand over {partition.topic}/{partition.partition} "
                    f"offset {offset}"
                ) from None
            self._next = record.offset + 1
            if record.offset >= offset:
                return record if record.offset == offset else None
