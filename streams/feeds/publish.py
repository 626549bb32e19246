"""Publishing recorded reports to the input topics, each acknowledged by the broker before it is counted.

Sending a report again is harmless: the ledger knows it by feed, report_id and revision, and counts a duplicate.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from schemas.rejects import naming
from schemas.topics import Topics
from streams.engine.admin import ensure_topics, partitions_of
from streams.engine.cluster import Broker
from streams.engine.producer import BatchProducer, Outgoing
from streams.feeds.recorded import Named, Recorded

#: Records sent at once, at most.
BATCH_RECORDS = 2_000
BATCH_BYTES = 4 * 1_048_576
#: A report typed into a pipe must not wait for a full batch.
_IDLE_SECONDS = 0.2


class Acknowledgement(NamedTuple):
    """Proof that the broker has one report."""

    file: str
    line: int
    feed: str | None
    report_id: str | None
    topic: str
    partition: int
    offset: int


@dataclass
class Published:
    """What was acknowledged."""

    reports: int = 0
    by_topic: Counter[str] = field(default_factory=Counter)


async def publish(
    broker: Broker,
    topics: Topics,
    reports: Iterable[Named],
    receipt: Callable[[Acknowledgement], None],
    patience_seconds: float = 0.0,
) -> Published:
    """Send every report to the input topic of its type; ``receipt`` is called for each, in order, once acknowledged.

    A report whose type cannot be read goes to the notices topic, so that intake rejects it with a reason. Reports of
    one identity share a partition. A broker that goes away on the way is waited for, ``patience_seconds`` at most; what
    it may have got before is sent again, and the ledger counts it as a duplicate.

    Raises:
        BrokerUnavailable: the broker cannot be reached or refuses.
        InputFileError: raised by ``reports``; everything read before it has been sent.
    """
    partitions = await input_partitions(broker, topics)
    done = Published()
    producer = BatchProducer(broker, patience_seconds)
    await producer.start()
    pump = _Pump(reports)
    try:
        while batch := await asyncio.to_thread(pump.batch):
            for slip in await send_together(producer, topics, partitions, batch):
                receipt(slip)
                done.reports += 1
                done.by_topic[slip.topic] += 1
    finally:
        pump.close()
        await producer.stop()
    return done


async def send_together(
    producer: BatchProducer, topics: Topics, partitions: Mapping[str, int], batch: Sequence[Named]
) -> list[Acknowledgement]:
    """Send reports to their partitions at once; return an acknowledgement of each, in order.

    Raises:
        BrokerUnavailable: the broker does not answer or refuses; it may have some of them.
    """
    groups: dict[tuple[str, int], list[Outgoing]] = {}
    # Beside each report its number within its partition's group.
    placed: list[tuple[Named, tuple[str, int], int]] = []
    for each in batch:
        where = _place(each.report, topics, partitions)
        group = groups.setdefault(where, [])
        placed.append((each, where, len(group)))
        group.append(_outgoing(each.report))
    sent = await asyncio.gather(*(producer.send(topic, number, group) for (topic, number), group in groups.items()))
    offsets = dict(zip(groups, sent, strict=True))
    return [
        Acknowledgement(each.file, each.report.line, each.report.feed, each.report.report_id, *where, offsets[where][n])
        for each, where, n in placed
    ]


async def input_partitions(broker: Broker, topics: Topics) -> dict[str, int]:
    """Return how many partitions each input topic has, whoever made it; those that are missing are created."""
    # Of metadata alone: a feed's account may write, and read nothing.
    found = await partitions_of(broker, topics.inputs)
    missing = [spec for spec in topics.specs(()) if spec.name in topics.inputs and spec.name not in found]
    if missing:
        await ensure_topics(broker, missing)
        found |= {spec.name: spec.partitions for spec in missing}
    return found


def _outgoing(report: Recorded) -> Outgoing:
    headers = naming(report.redrive) if report.redrive is not None else {}
    return _key(report), report.value, [(name, text.encode()) for name, text in headers.items()]


def _key(report: Recorded) -> bytes | None:
    if report.feed is None or report.report_id is None:
        return None
    return f"{report.feed}/{report.report_id}".encode()


def _place(report: Recorded, topics: Topics, partitions: Mapping[str, int]) -> tuple[str, int]:
    topic = topics.of_type(report.report_type or "")
    return topic, crc32(_key(report) or report.value) % partitions[topic]


class _Pump:
    """Reads reports on a thread of its own, because reading a pipe blocks, and hands them over in batches."""

    def __init__(self, reports: Iterable[Named]) -> None:
        self._queue: queue.Queue[Named | BaseException | None] = queue.Queue(maxsize=2 * BATCH_RECORDS)
        self._failure: BaseException | None = None
        self._ended = False
        # A daemon: a read of standard input cannot be interrupted, and must not keep a stopped process alive.
        threading.Thread(target=self._read, args=(iter(reports),), name="publish-reader", daemon=True).start()

    def batch(self) -> list[Named]:
        """Wait for reports and return what came together; empty at the end.

        A failure of the reading is raised by the call after the one that returned the last report before it.
        """
        found: list[Named] = []
        size = 0
        while not self._ended and len(found) < BATCH_RECORDS and size < BATCH_BYTES:
            try:
                item = self._queue.get(timeout=_IDLE_SECONDS if found else None)
            except queue.Empty:
                break
            if isinstance(item, Named):
                found.append(item)
                size += len(item.report.value)
            else:
                self._failure, self._ended = item, True
        if not found and self._failure is not None:
            raise self._failure
        return found

    def close(self) -> None:
        """Let a call that waits for reports return: Ctrl-C would otherwise wait for the pipe's next line."""
        self._ended = True
        with contextlib.suppress(queue.Full):  # a full queue keeps nobody waiting
            self._queue.put_nowait(None)

    def _read(self, reports: Iterator[Named]) -> None:
        try:
            for each in reports:
                self._queue.put(each)
        except BaseException as failure:  # handed over, and raised where the batches are taken
            self._queue.put(failure)
        else:
            self._queue.put(None)
