"""Progress of a peer, seen from outside: offsets it committed, rows it published, or its own metrics."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

import orjson
from aiokafka import AIOKafkaConsumer

from streams.engine.cluster import cluster_of
from tests.bench.peers.recount import WINDOW_DAYS, Row, WindowKey
from tests.bench.stages import Committed

#: Reads one row of a topic: its window, and the figures the record carries.
Decode = Callable[[str, bytes, bytes], tuple[WindowKey, dict[str, int]]]

_BETWEEN_SCRAPES = 0.02
#: How long rows are read before what they amount to is told.
_LONGEST_READ = 0.1


class Watch(Protocol):
    """Progress of a peer, for the length of a block."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def progress(self) -> float:
        """Return how many records are queryable by now."""


class OffsetWatch:
    """Progress by the offsets that a group has committed of a topic."""

    def __init__(self, broker: str, group: str, topic: str, partitions: int) -> None:
        self._committed = Committed(broker, group, topic, partitions)

    async def __aenter__(self) -> Self:
        await self._committed.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._committed.__aexit__()

    async def progress(self) -> float:
        """Return how many records lie before the offsets."""
        return await self._committed.offset()


class RowWatch:
    """Progress by the window rows in topics, of which the last of a window counts.

    A report is in seven windows, so that a seventh of all counts is how many are in.
    """

    def __init__(self, broker: str, topics: list[str], decode: Decode) -> None:
        self._topics = topics
        self._decode = decode
        self._consumer = AIOKafkaConsumer(
            **cluster_of(broker).client,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            # A peer's own topics appear after the watch began.
            metadata_max_age_ms=500,
            fetch_max_wait_ms=20,
        )
        self._rows: dict[WindowKey, dict[str, int]] = {}
        self._counts = 0

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.subscribe(self._topics)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def progress(self) -> float:
        """Return a seventh of the counts of all windows."""
        until = time.monotonic() + _LONGEST_READ
        # Not to the end: a peer that publishes each change may write rows faster than they are read here.
        while time.monotonic() < until and (read := await self._consumer.getmany(timeout_ms=20, max_records=50_000)):
            # A peer that publishes each change has many rows of one window: only the last is decoded.
            latest = {(each.topic, each.key): each.value for records in read.values() for each in records}
            for (topic, key), value in latest.items():
                self._take(topic, key, value)
        return self._counts / WINDOW_DAYS

    def rows(self) -> dict[WindowKey, Row]:
        """Return the windows as published so far."""
        return {key: Row(row.get("count", 0), row.get("sum", 0)) for key, row in self._rows.items()}

    def _take(self, topic: str, key: bytes, value: bytes) -> None:
        window, figures = self._decode(topic, key, value)
        row = self._rows.setdefault(window, {})
        before = row.get("count", 0)
        row.update(figures)
        self._counts += row.get("count", 0) - before


class MetricWatch:
    """Progress by the ledger's own count of records that it judged and committed."""

    def __init__(self, probes: str) -> None:
        self._url = f"{probes}/metrics"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Keep nothing open."""

    async def progress(self) -> float:
        """Return how many readable reports have an outcome; 0 before the worker serves."""
        # A scrape takes some of the worker's own time.
        await asyncio.sleep(_BETWEEN_SCRAPES)
        try:
            text = await asyncio.to_thread(self._scrape)
        except OSError:
            return 0
        events = (line for line in text.splitlines() if line.startswith("trucewatch_events_total{"))
        return sum(float(line.rpartition(" ")[2]) for line in events if 'outcome="rejected"' not in line)

    def _scrape(self) -> str:
        with urllib.request.urlopen(self._url, timeout=60) as answer:  # noqa: S310 - loopback
            return bytes(answer.read()).decode()


class FileWatch:
    """Progress that a peer tells in a file, as nobody else can open its database meanwhile."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Keep nothing open."""

    async def progress(self) -> float:
        """Return the number in the file; 0 before there is one."""
        return int(self._file.read_text("utf-8")) if self._file.exists() else 0


def decode_row(_: str, key: bytes, value: bytes) -> tuple[WindowKey, dict[str, int]]:
    """Read a row of the form that peers here publish: ``region|start`` and an object of count and sum."""
    region, _, start = key.decode().rpartition("|")
    row = orjson.loads(value)
    return (region, int(start)), {"count": row["count"], "sum": row["sum"]}
