"""Brokers, topics and the producer, on real brokers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, errors

from schemas.errors import BrokerUnavailable, LogMismatch, TrucewatchError, UsageError
from schemas.topics import MAX_MESSAGE_BYTES, TopicSpec
from streams.engine.admin import (
    beginning_offsets,
    committed_offsets,
    delete_topics,
    end_offsets,
    ensure_topics,
    log_identity,
)
from streams.engine.broker import EmbeddedBroker
from streams.engine.cluster import cluster_of
from streams.engine.kafka_errors import kafka_errors, our_error
from streams.engine.metadata import connected, metadata
from streams.engine.producer import CLIENT, BatchProducer
from tests.support.brokers import numbered, read_all, topic_of, write
from tests.support.recorded_archive import wait_until

ROOT = Path(__file__).resolve().parents[2]
#: Every error the Kafka client can raise; the base of the broker's answers has no number and is never raised itself.
KINDS = {
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, errors.KafkaError) and each is not errors.BrokerResponseError
}
NOBODY = "kafka://127.0.0.1:1"


class TestTheEmbeddedBroker:
    async def test_it_answers_as_soon_as_it_is_entered_and_is_gone_afterwards(self, tmp_path: Path) -> None:
        with EmbeddedBroker(tmp_path) as broker:
            async with connected(broker.url) as client:
                assert (await metadata(client, [])).cluster_id == broker.cluster_id
            pid = broker.pid
        assert broker.pid is None
        assert pid is not None
        assert not _lives(pid)
        assert "ready" in (tmp_path / "broker.log").read_text()

    async def test_each_start_is_another_log(self, tmp_path: Path, prefix: str) -> None:
        seen = set()
        for _ in range(2):
            with EmbeddedBroker(tmp_path) as broker:
                await topic_of(broker.url, f"{prefix}.in")
                seen.add(await log_identity(broker.url, f"{prefix}.in"))
                assert await end_offsets(broker.url, f"{prefix}.in") == {0: 0}
        assert len(seen) == 2

    def test_a_given_port_is_used_and_a_taken_one_refused(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            taken.listen()
            with pytest.raises(UsageError, match=f"port {port} is taken"), EmbeddedBroker(tmp_path, port):
                raise AssertionError("it started on a taken port")
        with EmbeddedBroker(tmp_path, port) as broker:
            assert broker.url == f"kafka://127.0.0.1:{port}"

    def test_no_variable_of_its_own_reaches_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LISTENER_URL", "tcp://0.0.0.0:1")
        monkeypatch.setenv("STORAGE_ENGINE", "nonsense://")
        with EmbeddedBroker(tmp_path) as broker:
            assert broker.pid is not None

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
    def test_it_dies_with_the_process_that_started_it(self, tmp_path: Path) -> None:
        code = (
            "import sys, time; from pathlib import Path; from streams.engine.broker import EmbeddedBroker\n"
            "with EmbeddedBroker(Path(sys.argv[1])) as broker: print(broker.pid, flush=True); time.sleep(3_600)"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        with parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not _lives(pid))


class TestTopics:
    async def test_a_missing_topic_is_created_and_an_existing_one_left_alone(self, broker: str, prefix: str) -> None:
        specs = [TopicSpec(f"{prefix}.a", 3, -1), TopicSpec(f"{prefix}.b", 1, 3_600_000)]
        await ensure_topics(broker, specs)
        await write(broker, f"{prefix}.a", 2, numbered(5))
        await ensure_topics(broker, specs)
        assert await end_offsets(broker, f"{prefix}.a") == {0: 0, 1: 0, 2: 5}
        assert await beginning_offsets(broker, f"{prefix}.a") == {0: 0, 1: 0, 2: 0}

    async def test_two_that_create_the_same_topics_at_once_agree(self, broker: str, prefix: str) -> None:
        specs = [TopicSpec(f"{prefix}.{number}", 2, -1) for number in range(5)]
        await asyncio.gather(*(ensure_topics(broker, specs) for _ in range(3)))

    async def test_another_partition_count_is_refused_with_what_to_do(self, broker: str, prefix: str) -> None:
        await topic_of(broker, f"{prefix}.in", partitions=2)
        with pytest.raises(UsageError, match=rf"{prefix}\.in has 2 partitions and needs 4: delete it, set"):
            await ensure_topics(broker, [TopicSpec(f"{prefix}.in", 4, -1)])

    async def test_asking_for_a_topic_does_not_create_it(self, broker: str, prefix: str) -> None:
        name = f"{prefix}.nothing"
        assert await end_offsets(broker, name) == {}
        assert await beginning_offsets(broker, name) == {}
        assert await committed_offsets(broker, f"{prefix}.group", name) == {}
        with pytest.raises(UsageError, match="there is no topic"):
            await log_identity(broker, name)
        async with connected(broker) as client:
            assert (await metadata(client, [name])).topics == {}

    async def test_a_topic_created_again_is_another_log(self, broker: str, prefix: str) -> None:
        name = await topic_of(broker, f"{prefix}.in")
        first = await log_identity(broker, name)
        assert await log_identity(broker, name) == first
        await delete_topics(broker, [name, f"{prefix}.never"])
        await topic_of(broker, name)
        assert await log_identity(broker, name) != first

    @pytest.mark.parametrize("sizes", [[1], [3, 5], [10_000, 1], [1, 2_500, 7]])
    async def test_the_end_is_the_end_however_the_records_were_batched(
        self, broker: str, prefix: str, sizes: list[int]
    ) -> None:
        name = await topic_of(broker, f"{prefix}.in")
        for size in sizes:
            await write(broker, name, 0, numbered(size))
        assert await end_offsets(broker, name) == {0: sum(sizes)}


class TestTheProducer:
    async def test_records_keep_their_order_over_many_batches(self, broker: str, prefix: str) -> None:
        name = await topic_of(broker, f"{prefix}.in")
        value = bytes(700)
        records = [(str(number).encode(), value, [("fact", bytes(300))]) for number in range(5_000)]
        await write(broker, name, 0, records)
        read = await read_all(broker, name, 5_000)
        assert [record.key for record in read] == [key for key, _, _ in records]
        assert {tuple(record.headers) for record in read} == {(("fact", bytes(300)),)}

    async def test_the_largest_message_travels_alone(self, broker: str, prefix: str) -> None:
        name = await topic_of(broker, f"{prefix}.in")
        large = os.urandom(MAX_MESSAGE_BYTES - 1_000)
        await write(broker, name, 0, [(None, b"before", []), (None, large, []), (None, b"after", [])])
        assert [record.value for record in await read_all(broker, name, 3)] == [b"before", large, b"after"]

    async def test_a_null_value_and_no_records_at_all_are_fine(self, broker: str, prefix: str) -> None:
        name = await topic_of(broker, f"{prefix}.in")
        await write(broker, name, 0, [])
        await write(broker, name, 0, [(b"key", None, [("tick", b"1")])])
        assert [record.value for record in await read_all(broker, name, 1)] == [None]

    async def test_a_broker_that_dies_is_an_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(CLIENT, "request_timeout_ms", 1_000)
        with EmbeddedBroker(tmp_path) as broker:
            await topic_of(broker.url, "topic")
            producer = BatchProducer(broker.url)
            await producer.start()
            broker.stop()
            with pytest.raises(BrokerUnavailable):
                await producer.send("topic", 0, numbered(10))
            await producer.stop()

    async def test_it_must_be_started(self) -> None:
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await BatchProducer(NOBODY).send("topic", 0, numbered(1))


class TestErrors:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda: ensure_topics(NOBODY, [TopicSpec("topic", 1, -1)]),
            lambda: end_offsets(NOBODY, "topic"),
            lambda: log_identity(NOBODY, "topic"),
            lambda: BatchProducer(NOBODY).start(),
        ],
        ids=["ensure_topics", "end_offsets", "log_identity", "producer"],
    )
    async def test_a_broker_that_is_not_there_is_one_clear_line(self, ask) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(BrokerUnavailable, match=r"no Kafka broker answers at kafka://127\.0\.0\.1:1: is"):
            await ask()

    @pytest.mark.parametrize(
        "kind",
        sorted(KINDS, key=lambda kind: kind.__name__),
        ids=lambda kind: kind.__name__,
    )
    def test_every_error_of_the_client_becomes_one_line_of_ours(self, kind: type[errors.KafkaError]) -> None:
        ours = our_error(kind("several\n  lines"), "kafka://here:1")
        assert isinstance(ours, (BrokerUnavailable, UsageError, LogMismatch))
        assert "\n" not in str(ours)
        assert "kafka://here:1" in str(ours)

    @pytest.mark.kafka
    async def test_a_clock_years_ahead_of_the_brokers_is_named(self, apache_kafka: str, prefix: str) -> None:
        name = await topic_of(apache_kafka, f"{prefix}.in")
        producer = AIOKafkaProducer(**cluster_of(apache_kafka).client)
        await producer.start()
        try:
            with (
                pytest.raises(
                    BrokerUnavailable,
                    match=r"refuses the time of a record: this host's clock says .* UTC; set the clock",
                ),
                kafka_errors(apache_kafka),
            ):
                await producer.send_and_wait(name, b"{}", timestamp_ms=4_000_000_000_000)
        finally:
            await producer.stop()

    def test_errors_of_ours_pass_unchanged(self) -> None:
        with pytest.raises(UsageError, match=r"^mine$"), kafka_errors("kafka://here:1"):
            raise UsageError("mine")
        error: TrucewatchError = BrokerUnavailable("mine too")
        assert our_error(error, "kafka://here:1") is error


def test_a_broker_setting_names_several_addresses() -> None:
    assert cluster_of("kafka://one:1,two:2, kafka://three:3").hosts == ["one:1", "two:2", "three:3"]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child whose parent is gone may stay a zombie until something collects it.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
