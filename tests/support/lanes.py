"""A lane under test: a handler that remembers, and an app that runs in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from faust.types import TP, StreamT

from streams.engine.app import AppOptions, BatchApp, GroupTiming
from streams.engine.cluster import Broker
from streams.engine.lane import Batch, Lane, Record, Resume
from streams.engine.worker import serve
from tests.support.records import TOPIC as FACTS

#: Generous: a group is joined within seconds, on a machine with nothing else to do.
PATIENCE = 240.0
#: The embedded broker's group follows its session: this makes joining it a second time as quick as the first.
QUICK = GroupTiming(session=1.0, heartbeat=0.2, rebalance=4.0)


class Group:
    """A consumer whose group takes every offset, or refuses all; its log begins at ``begins``."""

    def __init__(self, begins: int = 0) -> None:
        self.takes = True
        self.begins = begins
        self.partitions: set[TP] = set()

    def assignment(self) -> set[TP]:
        return self.partitions

    def lag(self) -> dict[TP, int]:
        return {}

    def stop_flow(self) -> None: ...

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        return self.takes

    async def first_offset(self, partition: TopicPartition) -> int:
        return self.begins


def lane_of(group: Group) -> Lane:
    """Return the lane of a worker that holds the partition of the facts topic of the tests."""
    lane = Lane(frozenset({FACTS}), 0.25)
    group.partitions = {TP(FACTS, 0)}
    lane.consumer = group
    return lane


class Remembering:
    """A handler that keeps what it is given, and commits each batch when told to.

    Attributes:
        committed: the records whose commit the group accepted.
    """

    def __init__(self, *, commits: bool = False) -> None:
        self.records: list[Record] = []
        self.committed: list[Record] = []
        self.batches: list[Batch] = []
        self.idle = 0
        self.calls: list[str] = []
        self.held: list[TopicPartition] = []
        self.lane: Lane | None = None
        self._commits = commits

    async def started(self, lane: Lane) -> None:
        self.lane = lane
        self.calls.append("started")

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.held = list(partitions)
        self.calls.append("assigned")

    async def handle(self, batch: Batch) -> None:
        if not batch.records:
            self.idle += 1
            return
        self.batches.append(batch)
        self.records += batch.records
        next_offset = {TopicPartition(batch.topic, batch.partition): batch.next_offset}
        if self._commits and self.lane is not None and await self.lane.commit(next_offset):
            self.committed += batch.records

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.held = []
        self.calls.append("revoked")

    async def stopped(self) -> None:
        self.calls.append("stopped")

    def offsets(self, partition: int = 0) -> list[int]:
        return [record.offset for record in self.records if record.partition == partition]


def app_of(
    broker: Broker, group: str, topics: tuple[str, ...], handler: Any, *, resume: Resume | None = None, **options: Any
) -> BatchApp:
    """Build an app and its agent, with options filled in that tests rarely care about."""
    given: dict[str, Any] = {"idle_seconds": 0.2, "data_dir": Path("unused"), "timing": QUICK}
    app = BatchApp(group, topics, handler, AppOptions(broker, **(given | options)), resume)

    @app.agent(app.topic(*topics, value_serializer="raw"), name="batches")
    async def batches(stream: StreamT[Batch]) -> None:
        async for batch in app.batches(stream):
            await app.serializer.handle(batch)

    return app


@asynccontextmanager
async def running(app: BatchApp) -> AsyncIterator[None]:
    """Serve ``app`` during the block and stop it cleanly; an error of it is raised at the end."""
    stop = asyncio.Event()
    served = asyncio.create_task(serve(app, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(served, PATIENCE)


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something is true, and fail the test when it does not become so."""
    async with asyncio.timeout(PATIENCE):
        while not happened():  # noqa: ASYNC110 - what is waited for may be anything
            await asyncio.sleep(0.01)
