"""A topic that holds every key once, on each broker, whoever writes it at the same time or dies writing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiokafka import AIOKafkaProducer

from streams.engine.cluster import cluster_of
from streams.engine.lane import Record
from streams.engine.producer import Outgoing
from tests.support.brokers import read_to_end, topic_of, unique_log

WRITERS, ROUNDS, PER_ROUND = 3, 4, 5


def key_of(record: Record) -> bytes | None:
    """Return the value: here it is the key."""
    return record.value


def records_of(first: int, count: int = PER_ROUND) -> dict[bytes, Outgoing]:
    """Return numbered records by their values."""
    values = [str(number).encode() for number in range(first, first + count)]
    return {value: (None, value, []) for value in values}


async def test_writers_that_meet_at_the_same_records_write_each_once(broker: str, prefix: str, tmp_path: Path) -> None:
    topic = await topic_of(broker, f"{prefix}.unique")
    logs = [await unique_log(broker, topic, tmp_path) for _ in range(WRITERS)]
    for number in range(ROUNDS):
        # Each round overlaps the one before it.
        await asyncio.gather(*(log.append(records_of(number * PER_ROUND // 2), key_of) for log in logs))
    for log in logs:
        await log.stop()
    values = [record.value for record in await read_to_end(broker, topic)]
    assert len(values) == len(set(values))
    assert set(values) == {value for number in range(ROUNDS) for value in records_of(number * PER_ROUND // 2)}


async def test_a_writer_knows_after_a_restart_what_it_wrote(broker: str, prefix: str, tmp_path: Path) -> None:
    topic = await topic_of(broker, f"{prefix}.unique")
    for _ in range(2):
        log = await unique_log(broker, topic, tmp_path)
        await log.append(records_of(0), key_of)
        await log.append(records_of(2), key_of)
        await log.stop()
    assert [record.value for record in await read_to_end(broker, topic)] == list(records_of(0, 7))


async def test_what_a_writer_left_unfinished_is_written_by_the_next_without_waiting(
    apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    topic = await topic_of(apache_kafka, f"{prefix}.unique")
    dying = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=topic)
    await dying.start()
    await dying.begin_transaction()
    await dying.send_and_wait(topic, b"0", partition=0)
    log = await unique_log(apache_kafka, topic, tmp_path)
    await log.append(records_of(0), key_of)
    await log.stop()
    assert [record.value for record in await read_to_end(apache_kafka, topic)] == list(records_of(0))
    await dying.stop()
