"""The stages of the pipeline, each timed by watching offsets from outside."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import Topics
from streams.cli.processes import Worker, running
from streams.engine.admin import ensure_topics
from streams.engine.cluster import cluster_of
from streams.engine.ends import ends_of
from streams.engine.fact_records import facts_in
from streams.engine.producer import BatchProducer
from streams.settings import Role, Settings

AGREEMENT = "syria-2016"
LOOK_SECONDS = 0.1
COMMITS, COPIES = "trucewatch_sink_commit_duration_seconds", "trucewatch_publish_duration_seconds"
#: Reports published before latency is measured.
WARM_UP = 200


class Noted(NamedTuple):
    """What is seen of the workers when a mark is passed.

    Attributes:
        memory: resident bytes of each role's worker.
        work: by name of the histogram, how many commits or copies the ledger made since its start, and their seconds.
    """

    memory: dict[str, int]
    work: dict[str, tuple[float, float]]


@dataclass
class Timed:
    """Records through one stage. ``seconds`` runs from the first progress seen, so that a start-up is left out.

    ``cpu`` holds the CPU seconds of each role's worker in that time.
    """

    records: int
    seconds: float
    started_after: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    noted: dict[int, Noted] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    def cpu_of_a_million(self) -> dict[str, float]:
        """CPU seconds of each role's worker for a million records."""
        return {role: 1_000_000 * seconds / self.records for role, seconds in self.cpu.items()}


async def load(broker: str, topics: Topics, reports: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish reports to the incidents topic, round the partitions; return how many."""
    await ensure_topics(broker, topics.specs((AGREEMENT,)))
    producer = BatchProducer(broker)
    await producer.start()
    total, chunk = 0, []
    try:
        for report in reports:
            chunk.append((*report, []))
            if len(chunk) == 5_000:
                await producer.send(topics.incidents, (total // 5_000) % topics.partitions, chunk)
                total, chunk = total + len(chunk), []
        if chunk:
            await producer.send(topics.incidents, 0, chunk)
    finally:
        await producer.stop()
    return total + len(chunk)


async def bare(broker: str, topics: Topics, count: int) -> Timed:
    """Read and decode the same topic with nothing but aiokafka and orjson: the yardstick."""
    consumer = AIOKafkaConsumer(
        topics.incidents,
        **cluster_of(broker).client,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1_048_576,
    )
    await consumer.start()
    try:
        seen = 0
        started, cpu = time.perf_counter(), time.process_time()
        while seen < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=10_000)).values():
                for record in records:
                    try:
                        orjson.loads(record.value)
                    except orjson.JSONDecodeError:
                        continue
                    finally:
                        seen += 1
        return Timed(seen, time.perf_counter() - started, cpu={"bare consumer": time.process_time() - cpu})
    finally:
        await consumer.stop()


async def stage(roles: tuple[Role, ...], settings: Settings, count: int, marks: tuple[int, ...] = ()) -> Timed:
    """Run workers over what lies in their topics until all of it is committed.

    Args:
        count: raw reports to get through.
        marks: counts of reports at which memory and the work done so far are noted.

    Raises:
        ValueError: all of them were through when the first progress was seen.
    """
    topics = Topics(settings.topic_prefix, settings.partitions)
    broker = settings.broker or ""
    begun = time.perf_counter()
    first: float | None = None
    done_before = 0
    cpu: dict[str, float] = {}
    noted: dict[int, Noted] = {}
    settings = settings.model_copy(update={"health_address": "127.0.0.1:0", "log_level": "info"})
    async with (
        Committed(broker, topics.intake_group(AGREEMENT), topics.incidents, topics.partitions) as taken_in,
        Committed(broker, topics.ledger_group(AGREEMENT), topics.facts(AGREEMENT)) as judged,
    ):
        with running(roles, settings) as workers:
            while True:
                for worker in workers:
                    worker.check()
                done = [await taken_in.offset() if "intake" in roles else count]
                if "ledger" in roles:
                    # A record holds a chunk of facts: how far it is shows as a share of those there are.
                    ended = await judged.end()
                    done.append(done[0] * min(await judged.offset(), ended) // max(ended, 1))
                at_work = done[0] if "intake" in roles else done[-1]
                if first is None and at_work:
                    first, done_before = time.perf_counter(), at_work
                    cpu = {worker.role: cpu_seconds(worker.pid) for worker in workers}
                for mark in marks:
                    if done[-1] >= mark and mark not in noted:
                        noted[mark] = _note(workers)
                if all(each >= count for each in done):
                    break
                await asyncio.sleep(LOOK_SECONDS)
            now = time.perf_counter()
            cpu = {worker.role: cpu_seconds(worker.pid) - cpu.get(worker.role, 0.0) for worker in workers}
            noted[count] = _note(workers)
    if done_before >= count:
        raise ValueError(f"{count:,} reports are too few to time {' and '.join(roles)}")
    start = first if first is not None else begun
    return Timed(count - done_before, now - start, start - begun, cpu, noted)


async def latency(settings: Settings, reports: list[tuple[bytes, bytes]], a_second: int) -> list[float]:
    """Publish reports one by one at a steady rate; return for each the seconds until its row was committed.

    A report counts as committed when the group's offset, which the ledger tells after DuckDB's commit, has passed it.
    """
    topics = Topics(settings.topic_prefix, settings.partitions)
    broker = settings.broker or ""
    facts = TopicPartition(topics.facts(AGREEMENT), 0)
    await ensure_topics(broker, topics.specs((AGREEMENT,)))
    producer = BatchProducer(broker)
    reader = AIOKafkaConsumer(**cluster_of(broker).client, enable_auto_commit=False)
    with running(("intake", "ledger"), settings) as workers:
        await producer.start()
        await reader.start()
        reader.assign([facts])
        await reader.seek_to_beginning(facts)
        # Of each body when it was published, which may be several times.
        published: defaultdict[bytes, deque[float]] = defaultdict(deque)
        at_offset: defaultdict[int, list[float]] = defaultdict(list)
        waits: list[float] = []
        # The first reports only see to it that both workers are up; they are not measured.
        await _send(producer, topics, reports[:WARM_UP], a_second, published)
        group = topics.ledger_group(AGREEMENT)
        async with Committed(broker, group, facts.topic) as committed:
            seen = 0
            while seen < WARM_UP or await committed.offset() < await committed.end():
                for worker in workers:
                    worker.check()
                for records in (await reader.getmany(timeout_ms=2)).values():
                    seen += sum(body in published for record in records for _, body in facts_in(record))
                await asyncio.sleep(LOOK_SECONDS)
        published.clear()
        sending = asyncio.create_task(_send(producer, topics, reports[WARM_UP:], a_second, published))
        async with Committed(broker, group, facts.topic) as committed:
            while len(waits) < len(reports) - WARM_UP:
                for worker in workers:
                    worker.check()
                for records in (await reader.getmany(timeout_ms=2)).values():
                    for offset, body in ((record.offset, body) for record in records for _, body in facts_in(record)):
                        if published.get(body):
                            at_offset[offset].append(published[body].popleft())
                done = await committed.offset()
                now = time.perf_counter()
                passed = [offset for offset in at_offset if offset < done]
                waits.extend(now - since for offset in passed for since in at_offset.pop(offset))
        await sending
        await reader.stop()
        await producer.stop()
    return waits


class Committed:
    """Asks for a group's offsets over one connection that stays open, so that asking does not slow the answer."""

    def __init__(self, broker: str, group: str, topic: str, partitions: int = 1) -> None:
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer = AIOKafkaConsumer(**cluster_of(broker).client, group_id=group, enable_auto_commit=False)

    async def __aenter__(self) -> Committed:
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        return self

    async def __aexit__(self, *_: object) -> None:
        # Closing cancels a fetch that waits to be tried again, and aiokafka lets that cancellation out.
        with suppress(asyncio.CancelledError):
            await self._consumer.stop()

    async def offset(self) -> int:
        """Return how many records the group has got through, over all partitions."""
        return sum([await self._consumer.committed(partition) or 0 for partition in self._partitions])

    async def end(self) -> int:
        """Return how many records there are, over all partitions."""
        return sum((await ends_of(self._consumer, self._partitions)).values())


async def _send(
    producer: BatchProducer,
    topics: Topics,
    reports: list[tuple[bytes, bytes]],
    a_second: int,
    published: defaultdict[bytes, deque[float]],
) -> None:
    begun = time.perf_counter()
    for number, (key, value) in enumerate(reports):
        due = begun + number / a_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        published[value].append(time.perf_counter())
        await producer.send(topics.incidents, number % topics.partitions, [(key, value, [])])


def _note(workers: list[Worker]) -> Noted:
    work: dict[str, tuple[float, float]] = {}
    for worker in workers:
        if worker.role == "ledger" and worker.probes is not None:
            with urllib.request.urlopen(f"{worker.probes}/metrics", timeout=60) as answer:  # noqa: S310 - loopback
                families = text_string_to_metric_families(answer.read().decode())
            values = {sample.name: sample.value for each in families for sample in each.samples}
            work = {name: (values[f"{name}_count"], values[f"{name}_sum"]) for name in (COMMITS, COPIES)}
    return Noted({worker.role: resident(worker.pid) for worker in workers}, work)


def resident(pid: int, key: str = "VmRSS") -> int:
    """Return a process's resident memory in bytes; ``VmHWM`` asks for its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def by_percentile(values: list[float], share: Callable[[int], float]) -> float:
    """Return the value at a share of the sorted list."""
    return sorted(values)[min(len(values) - 1, int(share(len(values))))]
