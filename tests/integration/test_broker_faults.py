"""Brokers that restart, hang, lose records or keep them badly, and topics that are made anew under a running worker."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.errors import LogMismatch, TopicReplaced, UsageError
from schemas.topics import THIRTY_DAYS_MS, Topics, TopicSpec
from streams.engine.admin import (
    _create,
    beginning_offsets,
    delete_topics,
    end_offsets,
    ensure_topics,
    log_identity,
    record_at,
)
from streams.engine.broker import EmbeddedBroker
from streams.engine.cluster import cluster_of
from streams.engine.metadata import connected
from streams.engine.metrics import WorkerMetrics, registry_of
from streams.engine.producer import CLIENT, BatchProducer
from streams.engine.worker import serve
from streams.settings import Settings
from streams.verify import verify
from tests.support.absences import Own, own_broker
from tests.support.brokers import delete_before, need_kafka, numbered, read_all, topic_of, write
from tests.support.kafka import node_of
from tests.support.lanes import PATIENCE, Remembering, app_of, running, until
from tests.support.month import month
from tests.support.recorded_archive import AGREEMENT, archive_of, judged_to, publish_archive, settings_for, wait_until
from tests.support.records import tables_without_places
from tests.support.standbys import copy_of, end_of, recorded, taken_in, worker

ABSENCES = [float(each) for each in os.environ.get("TRUCEWATCH_TEST_ABSENCES", "5").split(",")]


@pytest.fixture(
    params=[
        pytest.param("embedded hangs", marks=pytest.mark.broker),
        pytest.param("kafka restarts", marks=[pytest.mark.broker, pytest.mark.kafka]),
    ]
)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Own]:
    with own_broker(request.param, tmp_path / "broker") as own:
        yield own


@pytest.mark.parametrize("seconds", ABSENCES)
def test_intake_and_ledger_wait_for_a_broker_that_is_gone_and_go_on(own: Own, tmp_path: Path, seconds: float) -> None:
    prefix = "truce"
    topics = Topics(prefix)
    reports = month(600)
    archive = archive_of(reports)
    settings = settings_for(own.url, prefix, tmp_path / "disturbed")
    half = len(archive) // 2
    asyncio.run(publish_archive(own.url, topics, archive[:half]))
    with worker(settings, "intake") as intake, worker(settings) as ledger:
        wait_until(lambda: judged_to(copy_of(settings)) > 0, ledger)
        own.leave()
        time.sleep(seconds)
        for each in (intake, ledger):
            each.check()
        own.come_back()
        asyncio.run(publish_archive(own.url, topics, archive[half:]))
        wait_until(lambda: taken_in(own.url, topics, topics.archive) >= len(archive), intake)
        facts = asyncio.run(end_offsets(own.url, topics.facts(AGREEMENT)))[0]
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)
        intake.check()
    whole = recorded(own.url, f"{prefix}.whole", tmp_path / "whole", reports)
    assert tables_without_places(copy_of(settings)) == tables_without_places(copy_of(whole.settings))
    assert verify(copy_of(settings)) == []


async def test_a_producer_sends_a_batch_again_until_the_broker_is_back(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLIENT, "request_timeout_ms", 1_000)
    topic = await topic_of(own.url, "truce.in")
    producer = BatchProducer(own.url, patience_seconds=2 * PATIENCE)
    await producer.start()
    own.leave()
    sending = asyncio.create_task(producer.send(topic, 0, numbered(10)))
    await asyncio.sleep(4)
    assert not sending.done()
    await asyncio.to_thread(own.come_back)
    await asyncio.wait_for(sending, PATIENCE)
    await producer.send(topic, 0, numbered(1, start=10))
    await producer.stop()
    end = (await end_offsets(own.url, topic))[0]
    values = [int(record.value or b"") for record in await read_all(own.url, topic, end)]
    assert sorted(set(values)) == list(range(11))
    # What was written twice was written whole: first appearances are in order.
    assert [*dict.fromkeys(values)] == list(range(11))


async def test_a_worker_told_to_stop_does_not_wait_for_a_broker_that_is_gone(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        assert broker.pid is not None
        topic = await topic_of(broker.url, "truce.in")
        await topic_of(broker.url, "truce.out")
        producer = BatchProducer(broker.url, patience_seconds=2 * PATIENCE)

        class Sending(Remembering):
            async def handle(self, batch) -> None:  # type: ignore[no-untyped-def]
                await super().handle(batch)
                if batch.records:
                    await producer.send("truce.out", 0, numbered(1))

        await producer.start()
        handler, stop = Sending(), asyncio.Event()
        served = asyncio.create_task(serve(app_of(broker.url, "group", (topic,), handler), stop))
        await until(lambda: handler.idle > 0)
        await write(broker.url, topic, 0, numbered(1))
        await until(lambda: len(handler.records) == 1)
        os.kill(broker.pid, signal.SIGSTOP)
        stop.set()
        await asyncio.wait_for(served, PATIENCE)
        os.kill(broker.pid, signal.SIGCONT)
        await producer.stop()
    assert handler.calls[-1] == "stopped"


class TestTopicsThatAreToKeepTheirRecords:
    @pytest.mark.parametrize(
        ("key", "value"),
        [("cleanup.policy", "compact"), ("cleanup.policy", "compact,delete"), ("retention.ms", "604800000")],
    )
    async def test_a_facts_topic_that_does_not_is_refused_with_what_to_set(
        self, broker: str, prefix: str, key: str, value: str
    ) -> None:
        spec = Topics(prefix).specs(("test",))[-1]
        await _made_with(broker, spec, {key: value})
        with pytest.raises(UsageError) as refused:
            await ensure_topics(broker, [spec])
        assert str(refused.value) == (
            f"topic {spec.name} does not keep its records: {key}={value}; what goes missing cannot be judged again: "
            "set cleanup.policy=delete,retention.ms=-1,retention.bytes=-1 on the topic"
        )

    @pytest.mark.kafka
    async def test_a_limit_of_size_is_one_too(self, apache_kafka: str, prefix: str) -> None:
        spec = Topics(prefix).specs(("test",))[-1]
        await _made_with(apache_kafka, spec, {"retention.bytes": "1000000"})
        with pytest.raises(UsageError, match=r"does not keep its records: retention\.bytes=1000000; what"):
            await ensure_topics(apache_kafka, [spec])

    @pytest.mark.parametrize("role", ["intake", "ledger"])
    async def test_neither_role_starts_on_it(self, broker: str, prefix: str, tmp_path: Path, role: str) -> None:
        spec = Topics(prefix).specs((AGREEMENT,))[-1]
        await _made_with(broker, spec, {"cleanup.policy": "compact"})
        settings = settings_for(broker, prefix, tmp_path)
        with worker(settings, role) as process:
            code, said = await asyncio.to_thread(end_of, process)
        assert code == 2
        assert any("does not keep its records: cleanup.policy=compact" in line for line in said)

    async def test_an_input_topic_may_keep_its_records_as_it_likes(self, broker: str, prefix: str) -> None:
        spec = TopicSpec(f"{prefix}.in", 1, THIRTY_DAYS_MS)
        await _made_with(broker, spec, {"cleanup.policy": "compact", "retention.ms": "1000000"})
        await ensure_topics(broker, [spec])


class TestGaps:
    @pytest.mark.kafka
    async def test_transactions_on_an_input_topic_are_read_each_record_once(
        self, apache_kafka: str, prefix: str
    ) -> None:
        """Markers leave gaps; what an aborted transaction wrote was never said."""
        topic = await topic_of(apache_kafka, f"{prefix}.in")
        producer = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=f"{prefix}.tx")
        await producer.start()
        said = []
        for number in range(30):
            await producer.begin_transaction()
            for part in range(3):
                await producer.send_and_wait(topic, f"{number}.{part}".encode())
            if number % 3 == 1:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
                said += [f"{number}.{part}".encode() for part in range(3)]
        await producer.stop()
        handler = Remembering(commits=True)
        async with running(app_of(apache_kafka, f"{prefix}.group", (topic,), handler, max_records=7)):
            await until(lambda: len(handler.records) >= len(said))
            await until(lambda: handler.idle > 0)
        assert [record.value for record in handler.records] == said
        later = Remembering()
        async with running(app_of(apache_kafka, f"{prefix}.group", (topic,), later)):
            await until(lambda: later.idle > 0)
        assert later.records == []

    @pytest.mark.kafka
    async def test_a_gap_that_is_no_deletion_is_read_over_by_a_reader_with_offsets_of_its_own(
        self, apache_kafka: str, prefix: str
    ) -> None:
        topic = await topic_of(apache_kafka, f"{prefix}.in")
        producer = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=f"{prefix}.tx")
        await producer.start()
        for number in range(5):
            async with producer.transaction():
                await producer.send_and_wait(topic, str(number).encode())
        await producer.stop()
        handler = Remembering()
        async with running(app_of(apache_kafka, f"{prefix}.g", (topic,), handler, resume=_from(1), max_records=1)):
            await until(lambda: len(handler.records) >= 4)
        assert [record.value for record in handler.records] == [b"1", b"2", b"3", b"4"]

    @pytest.mark.kafka
    async def test_records_deleted_before_the_start_are_refused_with_what_to_do(
        self, apache_kafka: str, prefix: str
    ) -> None:
        topic = await topic_of(apache_kafka, f"{prefix}.in")
        await write(apache_kafka, topic, 0, numbered(50))
        await delete_before(apache_kafka, topic, 20)
        assert await beginning_offsets(apache_kafka, topic) == {0: 20}
        for offset in (0, 19):
            with pytest.raises(LogMismatch) as refused:
                await serve(
                    app_of(apache_kafka, f"{prefix}.g", (topic,), Remembering(), resume=_from(offset)), asyncio.Event()
                )
            assert str(refused.value) == (
                f"{topic}/0: the next offset to read is {offset}, but the topic begins at 20: "
                "records not read yet were deleted"
            )
            assert refused.value.hint == (
                "begin with a published copy that reaches offset 20 or further in the data folder, or under another "
                "topic prefix, and let the topic keep its records: "
                "cleanup.policy=delete, retention.ms=-1, retention.bytes=-1"
            )

    @pytest.mark.kafka
    async def test_records_that_retention_took_before_intake_read_them_are_counted_once(
        self, apache_kafka: str, prefix: str
    ) -> None:
        """Intake follows its group's offset and goes on; what it never saw must not be seen nowhere."""
        topic, group = await topic_of(apache_kafka, f"{prefix}.in"), f"{prefix}.g"
        await write(apache_kafka, topic, 0, numbered(10))
        first = Remembering(commits=True)
        async with running(app_of(apache_kafka, group, (topic,), first)):
            await until(lambda: len(first.records) == 10)
            assert first.lane is not None
            assert first.lane.lost == {topic: 0}
        await write(apache_kafka, topic, 0, numbered(40, start=10))
        await delete_before(apache_kafka, topic, 30)
        # It commits nothing: at every rebalance it meets the same gap.
        second = Remembering()
        app = app_of(apache_kafka, group, (topic,), second)
        async with running(app):
            await until(lambda: len(second.records) >= 20)
            assert app.lane.lost == {topic: 20}
            async with running(app_of(apache_kafka, group, (topic,), Remembering())):
                await until(lambda: second.calls.count("assigned") >= 2)
            await until(lambda: len(second.records) >= 40)
            assert app.lane.lost == {topic: 20}
        metrics = WorkerMetrics(app.heartbeat, app.lane, app.reachability, "intake", AGREEMENT)
        assert registry_of(metrics).get_sample_value("trucewatch_records_lost_total", {"topic": topic}) == 20

    @pytest.mark.kafka
    async def test_where_the_log_begins_can_be_asked_when_partitions_are_taken_up(
        self, apache_kafka: str, prefix: str
    ) -> None:
        topic = await topic_of(apache_kafka, f"{prefix}.in")
        await write(apache_kafka, topic, 0, numbered(50))
        handler = Remembering()

        async def resume(topic: str, partition: int) -> int:
            await delete_before(apache_kafka, topic, 20)
            assert handler.lane is not None
            return await handler.lane.first_offset(TopicPartition(topic, partition))

        async with running(app_of(apache_kafka, f"{prefix}.g", (topic,), handler, resume=resume)):
            await until(lambda: len(handler.records) == 30)
        assert handler.offsets()[0] == 20

    @pytest.mark.kafka
    async def test_records_deleted_under_a_running_reader_stop_it(self, apache_kafka: str, prefix: str) -> None:
        """The client goes on at the first record there is, without a word."""
        topic = await topic_of(apache_kafka, f"{prefix}.in")
        await write(apache_kafka, topic, 0, numbered(10))
        handler = Remembering()
        app = app_of(apache_kafka, f"{prefix}.g", (topic,), handler, resume=_from(0))
        served = asyncio.create_task(serve(app, asyncio.Event()))
        await until(lambda: len(handler.records) == 10)
        app.consumer.stop_flow()
        await write(apache_kafka, topic, 0, numbered(30, start=10))
        await delete_before(apache_kafka, topic, 25)
        app.consumer._thread._ensure_consumer().seek(TopicPartition(topic, 0), 10)
        app.consumer._thread.epoch = app.lane.epoch
        app.consumer.resume_flow()
        # At 0, where a busy machine let the group's session end: the partition is assigned anew.
        with pytest.raises(LogMismatch, match=r"next offset to read is 1?0, but the topic begins at 25"):
            await asyncio.wait_for(served, PATIENCE)
        assert len(handler.records) == 10


class TestTopicsMadeAnew:
    async def test_it_is_noticed_while_it_is_read_and_the_new_one_is_read_in_full(
        self, broker: str, prefix: str
    ) -> None:
        """The new one is longer than where the reader is: a client goes on in the middle of it without a word."""
        topic, group = await topic_of(broker, f"{prefix}.in"), f"{prefix}.group"
        await write(broker, topic, 0, numbered(20))
        first = Remembering(commits=True)
        served = asyncio.create_task(serve(app_of(broker, group, (topic,), first), asyncio.Event()))
        await until(lambda: len(first.records) >= 20)
        await delete_topics(broker, [topic])
        await topic_of(broker, topic)
        await write(broker, topic, 0, numbered(60, start=100))
        with pytest.raises(LogMismatch):
            await asyncio.wait_for(served, PATIENCE)
        second = Remembering(commits=True)
        async with running(app_of(broker, group, (topic,), second)):
            await until(lambda: len(second.records) >= 60)
        assert [record.value for record in second.records] == [str(number).encode() for number in range(100, 160)]

    async def test_one_that_is_idle_is_noticed_too(self, broker: str, prefix: str) -> None:
        topic = await topic_of(broker, f"{prefix}.in")
        handler = Remembering()
        served = asyncio.create_task(serve(app_of(broker, f"{prefix}.group", (topic,), handler), asyncio.Event()))
        await until(lambda: handler.idle > 0)
        await delete_topics(broker, [topic])
        await topic_of(broker, topic)
        with pytest.raises(TopicReplaced, match=rf"topic {prefix}\.in was deleted, or made anew, while it was read"):
            await asyncio.wait_for(served, PATIENCE)


def test_a_cluster_whose_log_is_another_is_refused(apache_kafka: str, prefix: str, tmp_path: Path) -> None:
    """Fewer records than the stored offset, and another id: nothing of a real cluster is ever judged anew by itself."""
    whole = recorded(apache_kafka, prefix, tmp_path, month(60))
    topic = Topics(prefix).facts(AGREEMENT)
    before = asyncio.run(log_identity(apache_kafka, topic))
    asyncio.run(delete_topics(apache_kafka, [topic]))
    with worker(whole.settings) as ledger:
        code, said = end_of(ledger)
    assert code == 3
    assert any(f"was read from log {before} of {topic}" in line for line in said)
    assert any("start with an empty data directory" in line for line in said)


@pytest.mark.broker
@pytest.mark.kafka
def test_a_facts_topic_that_lost_records_already_judged_is_refused_for_good(tmp_path: Path) -> None:
    """A power cut: Kafka acknowledges before the disk has it. The topic keeps its id, and grows past where it was."""
    need_kafka()
    node = node_of(tmp_path / "kafka")
    try:
        url = node.start(0)
        topics, archive = Topics(), archive_of(month(300))
        settings = settings_for(url, topics.prefix, tmp_path / "data")
        topic, half = topics.facts(AGREEMENT), len(archive) // 2
        asyncio.run(publish_archive(url, topics, []))
        with worker(settings, "intake") as intake, worker(settings) as ledger:
            # In portions: each becomes a batch of the log, which is lost as a whole.
            for upto in range(half // 6, half + 1, half // 6):
                asyncio.run(publish_archive(url, topics, archive[upto - half // 6 : upto]))
                wait_until(lambda upto=upto: taken_in(url, topics, topics.archive) >= upto, intake)
            half = upto
            end = asyncio.run(end_offsets(url, topic))[0]
            wait_until(lambda: judged_to(copy_of(settings)) >= end, ledger)
            for each in (ledger, intake):
                each.ask_to_stop()
                each.join(time.monotonic() + PATIENCE)
        identity = asyncio.run(log_identity(url, topic))
        os.kill(node.pid(), signal.SIGKILL)
        node.stop()
        _cut_short(tmp_path / "kafka", topic)
        node.start(int(url.rpartition(":")[2]))
        assert asyncio.run(log_identity(url, topic)) == identity
        assert 0 < asyncio.run(end_offsets(url, topic))[0] < end
        assert _refusal(settings).count("is gone") == 1
        asyncio.run(publish_archive(url, topics, archive[half:]))
        with worker(settings, "intake") as intake:
            wait_until(lambda: asyncio.run(end_offsets(url, topic))[0] > end, intake)
        for _ in range(2):
            assert _refusal(settings).count("is another one now") == 1
        assert judged_to(copy_of(settings)) == end
    finally:
        node.stop()


def _refusal(settings: Settings) -> str:
    """Return the last line of a ledger that refuses to go on."""
    with worker(settings) as ledger:
        code, said = end_of(ledger)
    assert code == 3
    return said[-1]


def _cut_short(folder: Path, topic: str) -> None:
    """Take the last part of a topic's log away, as a power cut does that comes before the disk has it."""
    (segment,) = [path for path in folder.rglob("0000*.log") if topic in path.parent.name]
    os.truncate(segment, int(segment.stat().st_size * 0.6))
    for path in (*segment.parent.glob("*index"), *segment.parent.parent.glob("*checkpoint")):
        path.unlink()


async def test_the_record_at_an_offset_is_read_back_and_one_that_is_not_there_is_none(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    here = TopicPartition(topic, 0)
    assert await record_at(broker, here, 0) is None
    await write(broker, topic, 0, numbered(5))
    for offset in (0, 2, 4):
        found = await record_at(broker, here, offset)
        assert found is not None
        assert (found.offset, found.value) == (offset, str(offset).encode())
    assert await record_at(broker, here, 5) is None
    assert await record_at(broker, here, 500) is None


async def test_where_a_transaction_left_its_marker_no_record_is_read_back(apache_kafka: str, prefix: str) -> None:
    topic = await topic_of(apache_kafka, f"{prefix}.in")
    producer = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=prefix)
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"said", partition=0)
    finally:
        await producer.stop()
    said = await record_at(apache_kafka, TopicPartition(topic, 0), 0)
    assert said is not None
    assert said.value == b"said"
    assert await record_at(apache_kafka, TopicPartition(topic, 0), 1) is None


async def _made_with(broker: str, spec: TopicSpec, config: dict[str, str]) -> None:
    class Other(TopicSpec):
        @property
        def config(self) -> dict[str, str]:
            return {**super().config, **config}

    async with connected(broker) as client:
        await _create(
            client,
            cluster_of(broker),
            [Other(spec.name, spec.partitions, spec.retention_ms, spec.max_bytes)],
            replicas=1,
        )


def _from(offset: int):  # type: ignore[no-untyped-def]
    async def resume(_topic: str, _partition: int) -> int:
        return offset

    return resume
