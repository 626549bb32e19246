"""Brokers for tests: the embedded one always, Apache Kafka where Java and Maven are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.topics import EMBEDDED_CLUSTER, TopicSpec
from streams.engine.admin import end_offsets, ensure_topics, log_identity
from streams.engine.broker import EmbeddedBroker
from streams.engine.cluster import Broker, cluster_of
from streams.engine.ends import ends_of
from streams.engine.producer import BatchProducer, Outgoing
from streams.engine.unique_log import UniqueLog
from tests.support.kafka import running_kafka, what_is_missing

PATIENCE = 240.0


def embedded(directory: Path) -> Iterator[str]:
    """The address of an embedded broker, for as long as the generator lives."""
    with EmbeddedBroker(directory) as broker:
        yield broker.url


def apache(directory: Path) -> Iterator[str]:
    """The address of an Apache Kafka node; skips the test where there can be none, unless REQUIRE_BROKER=1."""
    need_kafka()
    with running_kafka(directory) as address:
        yield address


def need_kafka() -> None:
    """Skip the test where Apache Kafka cannot run; fail it with REQUIRE_BROKER=1."""
    missing = what_is_missing()
    if missing and os.environ.get("REQUIRE_BROKER") == "1":
        pytest.fail(f"REQUIRE_BROKER=1, but {missing}")
    if missing:
        pytest.skip(missing)


async def topic_of(broker: Broker, name: str, partitions: int = 1) -> str:
    """Create a topic and return its name."""
    await ensure_topics(broker, [TopicSpec(name, partitions, retention_ms=-1)])
    return name


async def write(broker: Broker, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
    """Append records and return when the broker has them."""
    producer = BatchProducer(broker)
    await producer.start()
    try:
        await producer.send(topic, partition, records)
    finally:
        await producer.stop()


async def read_all(broker: Broker, topic: str, count: int) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """Read the first ``count`` records of a topic with a plain consumer, and wait for those that are not there yet."""
    consumer = AIOKafkaConsumer(
        topic, **cluster_of(broker).client, auto_offset_reset="earliest", max_partition_fetch_bytes=16_777_216
    )
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def read_to_end(broker: Broker, topic: str) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """Read every committed record of a topic of one partition."""
    partition, found = TopicPartition(topic, 0), []
    consumer = AIOKafkaConsumer(
        **cluster_of(broker).client,
        isolation_level="read_committed",
        max_partition_fetch_bytes=16_777_216,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await ends_of(consumer, [partition]))[partition]
        await consumer.seek_to_beginning(partition)
        while await consumer.position(partition) < end:
            found += (await consumer.getmany(partition, timeout_ms=100)).get(partition, [])
    finally:
        await consumer.stop()
    return found


async def read_topic(broker: Broker, topic: str) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """Read every record there is of a topic of any number of partitions."""
    ends = await end_offsets(broker, topic)
    found: list[ConsumerRecord[bytes | None, bytes | None]] = []
    if not any(ends.values()):
        # A consumer that is stopped before it fetched anything cancels the task that stops it.
        return found
    consumer = AIOKafkaConsumer(**cluster_of(broker).client, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = {TopicPartition(topic, number): end for number, end in ends.items() if end}
        consumer.assign(list(partitions))
        for partition in partitions:
            consumer.seek(partition, 0)
        while any([await consumer.position(partition) < end for partition, end in partitions.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += records
    finally:
        await consumer.stop()
    return found


async def delete_before(broker: Broker, topic: str, offset: int) -> None:
    """Delete the records of a topic of one partition before an offset, as its retention does."""
    admin = AIOKafkaAdminClient(**cluster_of(broker).client)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def unique_log(broker: Broker, topic: str, folder: Path) -> UniqueLog:
    """Return a unique log that locks a file of ``folder`` where the broker knows no transactions."""
    identity = await log_identity(broker, topic)
    return UniqueLog(broker, topic, lock=folder / "lock" if identity.startswith(EMBEDDED_CLUSTER) else None)


def numbered(count: int, start: int = 0) -> list[Outgoing]:
    """Records whose values are their numbers."""
    return [(None, str(number).encode(), []) for number in range(start, start + count)]
