"""Batch lane that takes lists of Kafka records to one agent.

Faust makes four asyncio tasks per record before an agent sees it, which caps an agent at a few
thousand records a second. Here the records of one fetch and partition reach the agent as one
:class:`Batch`, past Faust's conductor. Faust keeps the consumer group, rebalancing and the life
cycle.

Three rules make a re-read exact:

* Nothing of a batched topic is ever acknowledged to Faust, so Faust never commits it;
  :meth:`Lane.commit` does.
* Every assignment is followed by an explicit seek of every partition. It goes to the reader's own
  offset, else to the group's, else to the first record there is.
* Each seek, and each stop of the flow, opens a new *epoch*. Records carry the epoch they were
  fetched in, stamped in the thread that also seeks; those of an older epoch are dropped, because
  the seek makes Kafka send them again.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition

if TYPE_CHECKING:
    # Faust takes a fifth of a second to load, and what rebuilds a file by this module needs none of it.
    from faust.types import TP

logger = logging.getLogger(__name__)

Record = ConsumerRecord[bytes | None, bytes | None]
Resume = Callable[[str, int], Awaitable[int | None]]

#: Batches that may wait for the agent. With one in its hands and one fetched ahead by aiokafka, at
#: most WAITING + 2 fetches are in memory.
WAITING = 2
#: How often the fetch loop checks whether it should stop while it waits for room, in seconds.
POLL_SECONDS = 0.1
#: How long a commit may take. aiokafka tries for as long as the broker is gone, which would keep a
#: process from ending.
COMMIT_SECONDS = 10.0
LAST_COMMIT_SECONDS = 1.0
#: How long a process that is to end waits for its handler to finish the batch in hand.
LAST_BATCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, or none at all.

    An *idle* batch has no records, topic "" and partition -1: a poll of ``idle_seconds`` found
    nothing. Offsets may have gaps, where Kafka compacted the log or keeps markers of its own.

    Attributes:
        next_offset: offset to resume from once the records are handled.
        epoch: the lane's epoch in which the records were fetched.
    """

    topic: str
    partition: int
    records: list[Record]
    next_offset: int
    epoch: int = 0


def fingerprint(record: Record) -> int:
    """Return a signed 64-bit fingerprint of key, value and headers.

    It does not depend on the offset.
    """
    digest = blake2b(digest_size=8)
    parts = [part for name, value in record.headers for part in (name.encode(), value)]
    for part in (record.key, record.value, *parts):
        # With its length: the end of one part and the start of the next must not run together.
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return int.from_bytes(digest.digest(), "little", signed=True)


class Consumer(Protocol):
    """Consumer below the lane."""

    def assignment(self) -> set[TP]:
        """Return the partitions held."""

    def lag(self) -> dict[TP, int]:
        """Return the number of records not yet handed over, per partition.

        A partition whose end is unknown is left out.
        """

    def stop_flow(self) -> None:
        """Hand over no more batches."""

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        """Commit next offsets to the group; return whether it accepted them."""

    async def first_offset(self, partition: TopicPartition) -> int:
        """Return the first offset the broker still holds."""


class Handed(NamedTuple):
    """Offsets, sizes and timestamps of a batch in hand, not yet committed."""

    next_offset: int
    offsets: list[int]
    value_bytes: list[int]
    written_ms: list[int]

    def after(self, offset: int) -> Handed:
        """Return the rest of the batch once everything before ``offset`` is committed."""
        done = bisect_left(self.offsets, offset)
        return Handed(self.next_offset, self.offsets[done:], self.value_bytes[done:], self.written_ms[done:])


class Lane:
    """State shared by agent and consumer, and a handler's access to Kafka.

    Attributes:
        topics: names of the topics read in batches.
        idle_seconds: how long nothing may arrive before an idle batch is handed over.
        epoch: the present epoch.
        wanted: offsets the reader wants to resume from, of the partitions assigned last.
        feed: the agent's queue, once there is an agent.
        consumer: the consumer, once Faust has made it.
        commit_seconds: how long a commit may take.
        commits: how often the group accepted an offset further than the one before.
        pieces: how often a handler let the event loop run in the middle of a flush.
        most_records: most records in memory at once, handed over and not committed.
        most_bytes: their bytes, at most.
        lost: records of each topic deleted before they were read, as far as this process met the
            gap.
    """

    def __init__(self, topics: frozenset[str], idle_seconds: float) -> None:
        self.topics = topics
        self.idle_seconds = idle_seconds
        self.epoch = 0
        self.wanted: dict[TP, int] = {}
        self.feed: asyncio.Queue[Batch] | None = None
        self.consumer: Consumer | None = None
        self.commit_seconds = COMMIT_SECONDS
        self.commits = 0
        self.pieces = 0
        self.most_records = 0
        self.most_bytes = 0
        self.lost = dict.fromkeys(topics, 0)
        self._lost_up_to: dict[TP, int] = {}
        self._done: dict[TopicPartition, int] = {}
        self._handed: dict[TopicPartition, deque[Handed]] = {}
        self._changed = asyncio.Event()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit next offsets to the group; return whether it accepted them.

        False means that the group is rebalancing, that the partitions are not ours any more or that
        the broker does not answer. The records may then be read again, here or elsewhere. Any other
        failure stops the process.
        """
        if self.consumer is None or not offsets:
            return False
        held = {TopicPartition(*tp): tp for tp in self.consumer.assignment()}
        mine = {held[tp]: offset for tp, offset in offsets.items() if tp in held}
        if not mine or not await self.consumer.commit_within(mine, self.commit_seconds):
            # No progress, wherever else the handler stores it: a handler the group refuses for ever
            # publishes nothing and moves no time, and would pass for a healthy one.
            return False
        for each, offset in mine.items():
            tp = TopicPartition(each.topic, each.partition)
            # The same offset committed again is no progress.
            self.commits += offset > self._done.get(tp, -1)
            self._done[tp] = offset
            handed = self._handed.get(tp, deque())
            while handed and handed[0].next_offset <= offset:
                handed.popleft()
            if handed:
                handed[0] = handed[0].after(offset)
        return True

    async def first_offset(self, partition: TopicPartition) -> int:
        """Return the first offset the broker still holds of a partition.

        It is 0 where there is no broker.
        """
        return 0 if self.consumer is None else await self.consumer.first_offset(partition)

    def lag(self) -> dict[TopicPartition, int]:
        """Return the number of records not yet handed over, per partition.

        A partition whose end is unknown is left out.
        """
        lags = {} if self.consumer is None else self.consumer.lag()
        return {TopicPartition(tp.topic, tp.partition): lag for tp, lag in lags.items()}

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Return the number of uncommitted records, in Kafka or memory, per partition."""
        return {tp: lag + sum(len(each.offsets) for each in self._handed.get(tp, ())) for tp, lag in self.lag().items()}

    def oldest_ms(self) -> dict[TopicPartition, int]:
        """Return the timestamp of the oldest record in hand, per partition.

        Timestamps are in ms since 1970.
        """
        oldest = ((tp, handed[0].written_ms) for tp, handed in list(self._handed.items()) if handed)
        return {tp: written_ms[0] for tp, written_ms in oldest if written_ms}

    def note_lost(self, tp: TP, expected: int, first: int) -> None:
        """Count records before ``first`` that were deleted unread; a gap counts once."""
        logger.warning("%s/%d: records %d to %d were deleted before they were read", *tp, expected, first - 1)
        self.lost[tp.topic] += max(0, first - max(expected, self._lost_up_to.get(tp, 0)))
        self._lost_up_to[tp] = max(first, self._lost_up_to.get(tp, 0))

    def sought(self) -> None:
        """Forget batches in hand after a seek, which brings them again."""
        self._handed, self._done = {}, {}

    def hand_over(self, batch: Batch) -> None:
        """Put a batch into the agent's queue."""
        if self.feed is None:
            raise RuntimeError("a batch was fetched before there was an agent")
        if batch.records:
            handed = Handed(
                batch.next_offset,
                [record.offset for record in batch.records],
                [len(record.value or b"") for record in batch.records],
                [record.timestamp for record in batch.records],
            )
            self._handed.setdefault(TopicPartition(batch.topic, batch.partition), deque()).append(handed)
            held = [each for partition in self._handed.values() for each in partition]
            self.most_records = max(self.most_records, sum(len(each.offsets) for each in held))
            self.most_bytes = max(self.most_bytes, sum(sum(each.value_bytes) for each in held))
        self.feed.put_nowait(batch)

    def is_current(self, batch: Batch) -> bool:
        """Return whether ``batch`` belongs to the present epoch.

        Kafka sends the records of an older one again.
        """
        return batch.epoch == self.epoch

    def new_epoch(self) -> int:
        """Open a new epoch, which voids every batch fetched so far."""
        self.epoch += 1
        self._changed.set()
        return self.epoch

    def notify(self) -> None:
        """Wake the fetch loop, as there may be room or flow."""
        self._changed.set()

    async def change(self) -> None:
        """Wait for a change, at most POLL_SECONDS."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)
        except TimeoutError:
            return

    @property
    def more(self) -> bool:
        """Whether another batch is at hand for the agent."""
        return self.feed is not None and not self.feed.empty()

    @property
    def waiting(self) -> int:
        """Number of batches in the agent's queue."""
        return self.feed.qsize() if self.feed is not None else WAITING
