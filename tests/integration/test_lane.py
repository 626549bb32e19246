"""The batch lane on real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.errors import LogMismatch
from streams.engine.admin import committed_offsets, delete_topics, end_offsets
from streams.engine.cluster import cluster_of
from streams.engine.consumer_thread import FETCH_WAIT_MS
from streams.engine.lane import Batch
from streams.engine.worker import serve
from tests.support.brokers import numbered, topic_of, write
from tests.support.lanes import PATIENCE, Remembering, app_of, running, until


async def test_every_record_arrives_once_and_in_order(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in", partitions=3)
    for partition in range(3):
        await write(broker, topic, partition, numbered(2_000))
    handler = Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), handler, max_records=500)):
        await until(lambda: len(handler.records) >= 6_000)
        for partition in range(3):
            await write(broker, topic, partition, numbered(100, start=2_000))
        await until(lambda: len(handler.records) >= 6_300)
    for partition in range(3):
        mine = [record for record in handler.records if record.partition == partition]
        assert [record.offset for record in mine] == list(range(2_100))
        assert [record.value for record in mine] == [str(number).encode() for number in range(2_100)]
    assert handler.calls == ["started", "assigned", "stopped"]


async def test_a_batch_holds_records_of_one_partition_and_says_where_to_resume(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in", partitions=2)
    for partition in range(2):
        await write(broker, topic, partition, numbered(1_000))
    handler = Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), handler, max_records=300)):
        await until(lambda: len(handler.records) >= 2_000)
    for batch in handler.batches:
        assert {(record.topic, record.partition) for record in batch.records} == {(batch.topic, batch.partition)}
        assert 1 <= len(batch.records) <= 300
        assert batch.next_offset == batch.records[-1].offset + 1


async def test_keys_headers_and_large_records_arrive_as_they_were_written(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    large = bytes(8_000_000)
    await write(broker, topic, 0, [(b"key", b"value", [("fact", b"\x00\xff"), ("empty", b"")]), (None, large, [])])
    handler = Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), handler)):
        await until(lambda: len(handler.records) >= 2)
    first, second = handler.records
    assert (first.key, first.value, list(first.headers)) == (b"key", b"value", [("fact", b"\x00\xff"), ("empty", b"")])
    assert second.value == large


async def test_an_idle_batch_says_that_time_has_passed(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(1))
    handler = Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), handler, idle_seconds=0.1)):
        await until(lambda: handler.idle >= 3 and len(handler.records) == 1)


async def test_the_reader_decides_where_reading_starts(broker: str, prefix: str) -> None:
    """Its own offset counts, 0 too; where it knows nothing the group's does, and else the beginning."""
    topic = await topic_of(broker, f"{prefix}.in", partitions=4)
    for partition in range(4):
        await write(broker, topic, partition, numbered(10))
    group = f"{prefix}.group"
    committing = Remembering(commits=True)
    async with running(app_of(broker, group, (topic,), committing, resume=_offsets({0: 9, 1: 9, 2: 6, 3: 10}))):
        await until(lambda: len(committing.records) >= 6)
    assert await committed_offsets(broker, group, topic) == {0: 10, 1: 10, 2: 10}

    reading = Remembering()
    async with running(app_of(broker, group, (topic,), reading, resume=_offsets({0: 7, 1: 0}))):
        await until(lambda: len(reading.records) >= 23)
        await until(lambda: reading.idle > 0)
    assert [reading.offsets(partition)[:1] for partition in range(4)] == [[7], [0], [], [0]]


async def test_offsets_beyond_the_end_of_the_topic_stop_the_process(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(5))
    handler = Remembering()
    app = app_of(broker, f"{prefix}.group", (topic,), handler, resume=_offsets({0: 6}))
    with pytest.raises(LogMismatch, match=r"next offset to read is 6, but the topic ends at 5"):
        await serve(app, asyncio.Event())
    assert handler.records == []


async def test_a_topic_cut_or_replaced_while_it_is_read_stops_the_process(embedded_broker: str, prefix: str) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(50))
    handler = Remembering()
    served = asyncio.create_task(serve(app_of(embedded_broker, f"{prefix}.group", (topic,), handler), asyncio.Event()))
    await until(lambda: len(handler.records) >= 50)
    await delete_topics(embedded_broker, [topic])
    await topic_of(embedded_broker, topic)
    await write(embedded_broker, topic, 0, numbered(5))
    # It is found as soon as the topic is there again, which may be before it is written to.
    with pytest.raises(LogMismatch, match=r"ends at [05]: it was cut or replaced"):
        await asyncio.wait_for(served, PATIENCE)
    assert len(handler.records) == 50


async def test_offsets_that_run_backwards_stop_the_process(broker: str, prefix: str) -> None:
    """The client starts over without a word when its position has vanished, and every record would count as new."""
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(50))
    handler = Remembering()
    app = app_of(broker, f"{prefix}.group", (topic,), handler)
    served = asyncio.create_task(serve(app, asyncio.Event()))
    await until(lambda: len(handler.records) >= 50)
    app.consumer._thread._ensure_consumer().seek(TopicPartition(topic, 0), 10)
    with pytest.raises(LogMismatch, match="next offset to read is 50, but the topic gave 10"):
        await asyncio.wait_for(served, PATIENCE)
    assert len(handler.records) == 50


async def test_nothing_is_committed_unless_the_handler_does(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(100))
    handler = Remembering()
    app = app_of(broker, f"{prefix}.group", (topic,), handler)
    async with running(app):
        await until(lambda: len(handler.records) >= 100 and handler.idle > 0)
        assert await app.consumer.commit() is False
    assert await committed_offsets(broker, f"{prefix}.group", topic) == {}


async def test_an_error_of_the_handler_ends_everything_and_skips_nothing(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(100))

    class Failing(Remembering):
        async def handle(self, batch: Batch) -> None:
            if batch.records and batch.records[0].offset >= 40:
                raise ZeroDivisionError("in the handler")
            await super().handle(batch)

    group = f"{prefix}.group"
    failing = Failing(commits=True)
    with pytest.raises(ZeroDivisionError):
        await serve(app_of(broker, group, (topic,), failing, max_records=10), asyncio.Event())
    assert failing.offsets() == list(range(40))
    assert failing.calls == ["started", "assigned"], "a handler that failed must not flush"
    assert await committed_offsets(broker, group, topic) == {0: 40}

    later = Remembering()
    async with running(app_of(broker, group, (topic,), later)):
        await until(lambda: len(later.records) >= 60)
    assert later.offsets() == list(range(40, 100))


async def test_a_watch_over_topics_that_fails_ends_the_worker(
    broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word it would go on, and read a topic made anew from the wrong place."""
    topic = await topic_of(broker, f"{prefix}.in")
    handler = Remembering()

    async def broken(_: object) -> None:
        raise ZeroDivisionError("not an error of the broker's")

    monkeypatch.setattr("streams.engine.worker.WATCH_SECONDS", 0.2)
    served = asyncio.create_task(serve(app_of(broker, f"{prefix}.group", (topic,), handler), asyncio.Event()))
    await until(lambda: handler.held != [])
    monkeypatch.setattr("streams.engine.worker._logs", broken)
    with pytest.raises(ZeroDivisionError, match="not an error of the broker's"):
        await asyncio.wait_for(served, PATIENCE)


async def test_a_slow_handler_holds_the_fetching_back(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(1_000))

    class Slow(Remembering):
        gate = asyncio.Event()

        async def handle(self, batch: Batch) -> None:
            await super().handle(batch)
            await self.gate.wait()

    handler = Slow()
    app = app_of(broker, f"{prefix}.group", (topic,), handler, max_records=10)
    async with running(app):
        await until(lambda: len(handler.records) == 10)
        await asyncio.sleep(0.5)
        assert len(handler.records) == 10
        assert app.lane.waiting <= 2
        Slow.gate.set()
        await until(lambda: len(handler.records) == 1_000)
    assert handler.offsets() == list(range(1_000))


async def write_transaction(broker: str, topic: str, name: str) -> None:
    """Append one record, and the marker that ends its transaction."""
    producer = AIOKafkaProducer(**cluster_of(broker).client, transactional_id=name)
    async with producer, producer.transaction():
        at = (await producer.send_and_wait(topic, b"0", partition=0)).offset
    # The broker writes the marker after it has told the producer that it will.
    while await end_offsets(broker, topic) != {0: at + 2}:  # noqa: ASYNC110 - the broker is another process
        await asyncio.sleep(0.05)


@pytest.mark.kafka
async def test_the_markers_of_a_transaction_are_no_records_that_wait(apache_kafka: str, prefix: str) -> None:
    """The log ends with one, and no record ever comes that reaches its end."""
    topic = await topic_of(apache_kafka, f"{prefix}.in")
    handler = Remembering(commits=True)
    app = app_of(apache_kafka, f"{prefix}.group", (topic,), handler)
    async with running(app):
        await until(lambda: handler.held != [])
        await write_transaction(apache_kafka, topic, prefix)
        await write(apache_kafka, topic, 0, numbered(1))
        await until(lambda: handler.offsets() == [0, 2])
        await write_transaction(apache_kafka, topic, prefix)
        await until(lambda: len(handler.records) == 3)
        await asyncio.sleep(2 * FETCH_WAIT_MS / 1_000)
        await until(lambda: app.lane.uncommitted() == {TopicPartition(topic, 0): 0})


@pytest.mark.kafka
async def test_a_transaction_that_stays_open_is_no_stall(apache_kafka: str, prefix: str) -> None:
    """Nobody may read what is in it yet: to end the worker for that would help nobody, again and again."""
    topic = await topic_of(apache_kafka, f"{prefix}.in")
    handler = Remembering(commits=True)
    app = app_of(apache_kafka, f"{prefix}.group", (topic,), handler, stall_seconds=3.0)
    producer = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=prefix)
    async with running(app), producer:
        await until(lambda: handler.held != [])
        async with producer.transaction():
            await producer.send_and_wait(topic, b"0", partition=0)
            await asyncio.sleep(4)
            assert app.failure is None
            assert app.lane.uncommitted() == {TopicPartition(topic, 0): 0}
        await until(lambda: handler.offsets() == [0])


async def test_workers_that_come_and_go_lose_nothing_and_double_nothing(broker: str, prefix: str) -> None:
    """Each handler commits what it handled, and a rebalance waits for the batch in hand.

    On a busy machine a member's session may end: what it may not commit then is another's to handle.
    """
    topic = await topic_of(broker, f"{prefix}.in", partitions=4)
    first, second = Remembering(commits=True), Remembering(commits=True)
    written = 0

    async def write_more() -> None:
        nonlocal written
        for partition in range(4):
            await write(broker, topic, partition, numbered(500, start=written))
        written += 500

    def seen() -> int:
        return len(first.committed) + len(second.committed)

    async with running(app_of(broker, f"{prefix}.group", (topic,), first, max_records=50)):
        await write_more()
        await until(lambda: seen() > 100)
        async with running(app_of(broker, f"{prefix}.group", (topic,), second, max_records=50)):
            await write_more()
            await until(lambda: len(first.held) == len(second.held) == 2)
            await write_more()
            await until(lambda: seen() >= 6_000)
        await until(lambda: len(first.held) == 4)
        await write_more()
        await until(lambda: seen() >= 8_000)
    everything = [(record.partition, record.offset) for record in first.committed + second.committed]
    assert sorted(everything) == [(partition, offset) for partition in range(4) for offset in range(2_000)]
    assert len(second.committed) > 0
    for handler in (first, second):
        for partition in range(4):
            offsets = [record.offset for record in handler.committed if record.partition == partition]
            assert all(a < b for a, b in pairwise(offsets))


async def test_after_a_rebalance_reading_resumes_where_the_reader_says(broker: str, prefix: str) -> None:
    """A reader that had not flushed is given its records again, however many had been fetched ahead."""
    topic = await topic_of(broker, f"{prefix}.in", partitions=2)
    for partition in range(2):
        await write(broker, topic, partition, numbered(300))

    class Flushing(Remembering):
        """Flushes nothing before it is told to; what is not flushed is forgotten when partitions go."""

        def __init__(self) -> None:
            super().__init__()
            self.flushed: dict[int, int] = {0: 0, 1: 0}
            self.asked = 0

        async def resume(self, topic: str, partition: int) -> int:
            self.asked += 1
            return self.flushed[partition]

        async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
            await super().revoked(partitions)
            self.records.clear()

    first = Flushing()
    async with running(app_of(broker, f"{prefix}.group", (topic,), first, max_records=7, resume=first.resume)):
        await until(lambda: len(first.records) >= 600)
        async with running(app_of(broker, f"{prefix}.group", (topic,), Remembering())):
            await until(lambda: "revoked" in first.calls and len(first.held) == 1)
        await until(lambda: len(first.held) == 2 and len(first.records) >= 600)
        await until(lambda: first.idle > 0)
    assert first.offsets(0) == list(range(300))
    assert first.offsets(1) == list(range(300))
    assert first.asked >= 4


async def test_what_is_committed_while_partitions_are_given_up_counts(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in", partitions=2)
    for partition in range(2):
        await write(broker, topic, partition, numbered(50))

    class AtLast(Remembering):
        async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
            await super().revoked(partitions)
            assert self.lane is not None
            assert await self.lane.commit(dict.fromkeys(partitions, 50))

    first, second = AtLast(), Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), first)):
        await until(lambda: len(first.records) == 100)
        async with running(app_of(broker, f"{prefix}.group", (topic,), second)):
            await until(lambda: len(first.held) == len(second.held) == 1)
            await until(lambda: second.idle > 0)
    assert (len(first.records), len(second.records)) == (100, 0)


async def test_a_topic_that_is_not_batched_still_reaches_its_agent(broker: str, prefix: str) -> None:
    batched = await topic_of(broker, f"{prefix}.batched")
    single = await topic_of(broker, f"{prefix}.single")
    await write(broker, batched, 0, numbered(20))
    await write(broker, single, 0, numbered(20))
    handler = Remembering()
    app = app_of(broker, f"{prefix}.group", (batched,), handler)
    values: list[bytes] = []

    async def one_by_one(stream: asyncio.Queue[bytes]) -> None:
        async for value in stream:  # type: ignore[attr-defined]
            values.append(value)  # noqa: PERF401 - the stream has no end

    app.agent(app.topic(single, value_serializer="raw"), name="one-by-one")(one_by_one)
    async with running(app):
        await until(lambda: len(handler.records) >= 20 and len(values) >= 20)
    assert values == [str(number).encode() for number in range(20)]
    assert await committed_offsets(broker, f"{prefix}.group", single) == {0: 20}
    assert await committed_offsets(broker, f"{prefix}.group", batched) == {}


def _offsets(known: dict[int, int]):  # type: ignore[no-untyped-def]
    async def resume(_topic: str, partition: int) -> int | None:
        return known.get(partition)

    return resume
