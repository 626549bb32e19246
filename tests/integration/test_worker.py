"""A worker as a process: how it ends, and what it says then."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.cli.leaving import OWN_FAULT
from streams.engine.admin import committed_offsets
from streams.engine.broker import EmbeddedBroker
from streams.engine.metadata import connected
from tests.support.brokers import numbered, topic_of, write
from tests.support.lanes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A worker under test."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lane_worker", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.handled = 0

    def wait_for(self, event: str, records: int = 0) -> None:
        """Read what it reports until ``event``, and until so many records are handled."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            said = json.loads(line)
            self.handled += said.get("records", 0)
            if said["event"] == event and self.handled >= records:
                return
        raise AssertionError(f"it ended before {event}: {self._popen.stderr and self._popen.stderr.read()}")

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, the rest of what it reported, and stderr."""
        out, err = self._popen.communicate(timeout=PATIENCE)
        return self._popen.returncode, out, err

    def kill(self) -> None:
        self._popen.kill()
        self._popen.communicate()


@contextmanager
def worker(*arguments: str, **environment: str) -> Iterator[Process]:
    """A worker process that is gone at the end of the block."""
    process = Process(arguments, environment)
    try:
        yield process
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_flushes_and_ends_it(broker: str, prefix: str, number: signal.Signals) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(30))
    with worker(broker, f"{prefix}.group", topic) as process:
        process.wait_for("handled", records=30)
        assert await committed_offsets(broker, f"{prefix}.group", topic) == {}
        process.signal(number)
        code, out, err = process.end()
    assert (code, err) == (0, "")
    assert out == '{"event": "stopped"}\n'
    assert await committed_offsets(broker, f"{prefix}.group", topic) == {0: 30}


async def test_a_signal_before_the_group_is_joined_ends_it_too(embedded_broker: str, prefix: str) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    with worker(embedded_broker, f"{prefix}.group", topic) as process:
        await asyncio.sleep(1.2)
        process.signal(signal.SIGTERM)
        code, out, _ = process.end()
    assert code in (0, -signal.SIGTERM), "-SIGTERM: it came before Python was there to notice"
    assert "handled" not in out


async def test_the_first_batch_comes_soon_after_the_start(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(1))
    with worker(broker, f"{prefix}.group", topic) as process:
        process.wait_for("started")
        started = time.monotonic()
        process.wait_for("handled")
    # Faust's own timing of a group keeps the first member waiting for 30 s. Ours takes 2 s on an idle machine.
    assert time.monotonic() - started < 25


async def test_an_error_of_ours_is_one_line_and_its_own_exit_code(broker: str, prefix: str) -> None:
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(30))
    with worker(broker, f"{prefix}.group", topic, "--fail-at", "15") as process:
        code, out, err = process.end()
    assert (code, err) == (3, "trucewatch: the disk is full\n")
    assert "stopped" not in out
    assert await committed_offsets(broker, f"{prefix}.group", topic) == {}


async def test_any_other_error_is_logged_with_its_traceback(embedded_broker: str, prefix: str) -> None:
    broker = embedded_broker
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(30))
    with worker(broker, f"{prefix}.group", topic, "--fail-at", "15", "--error", "foreign") as process:
        code, _, err = process.end()
    assert code == OWN_FAULT
    assert err.count("Traceback") == 1
    assert err.endswith("ZeroDivisionError: in the handler\n")
    assert await committed_offsets(broker, f"{prefix}.group", topic) == {}


def test_a_broker_that_is_not_there_is_one_line() -> None:
    with worker("kafka://127.0.0.1:1", "group", "topic") as process:
        code, _, err = process.end()
    assert code == 3
    assert err == (
        "trucewatch: no Kafka broker answers at kafka://127.0.0.1:1: is it running, and is the address right?\n"
    )


def test_a_topic_that_is_not_there_is_one_line_and_is_not_created(embedded_broker: str, prefix: str) -> None:
    """The embedded broker would create it, with partitions of its own liking."""
    with worker(embedded_broker, f"{prefix}.group", f"{prefix}.in") as process:
        code, _, err = process.end()
    assert code == 2
    assert err == f"trucewatch: there is no topic {prefix}.in on the Kafka broker at {embedded_broker}\n"


async def test_a_broker_that_died_does_not_keep_a_worker_from_ending(tmp_path: Path, prefix: str) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        topic = await topic_of(broker.url, f"{prefix}.in")
        await write(broker.url, topic, 0, numbered(30))
        with worker(broker.url, f"{prefix}.group", topic) as process:
            process.wait_for("handled", records=30)
            broker.stop()
            process.signal(signal.SIGTERM)
            code, out, _ = process.end()
    assert (code, out) == (0, '{"event": "stopped"}\n')


async def test_nothing_but_our_topics_exists_afterwards(broker: str, prefix: str) -> None:
    """Faust would elect a leader, and keep replies and tables, in topics of its own."""
    topic = await topic_of(broker, f"{prefix}.in")
    await write(broker, topic, 0, numbered(1))
    before = await _topics(broker)
    with worker(broker, f"{prefix}.group", topic) as process:
        process.wait_for("handled")
        process.signal(signal.SIGTERM)
        process.end()
    assert await _topics(broker) - before <= {"__consumer_offsets"}


async def test_faust_reads_nothing_from_the_environment(embedded_broker: str, prefix: str) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(1))
    strange = {
        "BROKER_URL": "kafka://127.0.0.1:1",
        "BROKER_CONSUMER_URL": "kafka://127.0.0.1:1",
        "APP_ORIGIN": "no.such.module",
        "WEB_PORT": "1",
        "WEB_ENABLED": "1",
        "APP_DATADIR": "/nowhere",
        "CONSUMER_AUTO_OFFSET_RESET": "latest",
        "BROKER_MAX_POLL_RECORDS": "1",
        "PROCESSING_GUARANTEE": "exactly_once",
    }
    with worker(embedded_broker, f"{prefix}.group", topic, **strange) as process:
        process.wait_for("handled", records=1)
        process.signal(signal.SIGTERM)
        assert process.end()[0] == 0


async def _topics(broker: str) -> set[str]:
    async with connected(broker) as client:
        await client.force_metadata_update()
        return set(client.cluster.topics(exclude_internal_topics=False))
