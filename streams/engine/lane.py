"""The batch lane: whole lists of Kafka records to one Faust agent, from the offsets the reader asks for.

Faust makes four asyncio tasks per record before an agent sees it, which caps an agent at a few thousand records a
second. Here the records of one fetch and partition reach the agent as one :class:`Batch`, past Faust's conductor.
Faust keeps the consumer group, rebalancing and the life cycle.

Three rules make a re-read exact:

* Nothing of a batched topic is ever acknowledged to Faust, so Faust never commits it; :meth:`Lane.commit` does.
* Every assignment is followed by an explicit seek of every partition: to the reader's own offset, else to the
  group's, else to the first record there is.
* Each seek, and each stop of the flow, opens a new *epoch*. Records carry the epoch they were fetched in, stamped in
  the thread that also seeks; those of an older epoch are dropped, because the seek makes Kafka send them again.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from faust.types import TP

logger = logging.getLogger(__name__)

Record = ConsumerRecord[bytes | None, bytes | None]
Resume = Callable[[str, int], Awaitable[int | None]]

#: Batches that may wait for the agent. With one in its hands, one fetched ahead by aiokafka and these, at most
#: WAITING + 2 fetches are in memory.
WAITING = 2
#: How often the fetch loop looks whether it should stop while it waits for room, in seconds.
POLL_SECONDS = 0.1
#: How long a commit may take: aiokafka tries for as long as the broker is gone, which would keep a process from ending.
COMMIT_SECONDS = 10.0
LAST_COMMIT_SECONDS = 1.0
#: How long a process that is to end waits for its handler to finish the batch in hand.
LAST_BATCH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, or none at all.

    An *idle* batch has no records, topic "" and partition -1: a poll of ``idle_seconds`` found nothing.
    ``next_offset`` is the offset to resume from once the records are handled. Offsets may have gaps, where Kafka
    compacted the log or keeps markers of its own. ``epoch`` is the lane's business.
    """

    topic: str
    partition: int
    records: list[Record]
    next_offset: int
    epoch: int = 0


def fingerprint(record: Record) -> int:
    """Return a signed 64-bit fingerprint of what a record says, its headers included, and not of where it lies."""
    digest = blake2b(digest_size=8)
    parts = [part for name, value in record.headers for part in (name.encode(), value)]
    for part in (record.key, record.value, *parts):
        # With its length: what ends one part and begins the next must not run together.
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return int.from_bytes(digest.digest(), "little", signed=True)


class Consumer(Protocol):
    """What the lane asks of the consumer below it."""

    def assignment(self) -> set[TP]: ...

    def lag(self) -> dict[TP, int]: ...

    def stop_flow(self) -> None: ...

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool: ...

    async def first_offset(self, tp: TP) -> int: ...


class Handed(NamedTuple):
    """A batch that was handed over and whose offset was not committed yet."""

    next_offset: int
    offsets: list[int]
    value_bytes: list[int]
    written_ms: list[int]

    def after(self, offset: int) -> Handed:
        """Return what is left of it once everything before ``offset`` is committed."""
        done = bisect_left(self.offsets, offset)
        return Handed(self.next_offset, self.offsets[done:], self.value_bytes[done:], self.written_ms[done:])


class Lane:
    """What the agent, the consumer and its thread share, and what a handler may ask of Kafka."""

    def __init__(self, topics: frozenset[str], idle_seconds: float) -> None:
        self.topics = topics
        self.idle_seconds = idle_seconds
        self.epoch = 0
        #: Where the reader wants to resume, of the partitions assigned last.
        self.wanted: dict[TP, int] = {}
        self.feed: asyncio.Queue[Batch] | None = None
        self.consumer: Consumer | None = None
        self.commit_seconds = COMMIT_SECONDS
        #: How often the group took an offset that is further than the one before.
        self.commits = 0
        #: The most that ever was in memory at once, handed over and not committed: what bounds memory must bound this.
        self.most_records = 0
        self.most_bytes = 0
        #: Records of each topic that were deleted before they were read, as far as this process met the gap.
        self.lost = dict.fromkeys(topics, 0)
        self._lost_up_to: dict[TP, int] = {}
        self._done: dict[TopicPartition, int] = {}
        self._handed: dict[TopicPartition, deque[Handed]] = {}
        self._changed = asyncio.Event()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit next offsets to the consumer group; True when the broker took them.

        False means that the group is rebalancing, that the partitions are not ours any more or that the broker does
        not answer: the records may be read again, here or elsewhere. Any other failure stops the process.
        """
        if self.consumer is None or not offsets:
            return False
        held = self.consumer.assignment()
        named = {TP(*tp): offset for tp, offset in offsets.items()}
        mine = {tp: offset for tp, offset in named.items() if tp in held}
        if not mine or not await self.consumer.commit_within(mine, self.commit_seconds):
            # No progress, wherever else the handler keeps it: one that the group refuses for ever publishes nothing
            # and moves no time, and would pass for one that gets on.
            return False
        for each, offset in mine.items():
            tp = TopicPartition(each.topic, each.partition)
            # The same offset told again is no progress.
            self.commits += offset > self._done.get(tp, -1)
            self._done[tp] = offset
            handed = self._handed.get(tp, deque())
            while handed and handed[0].next_offset <= offset:
                handed.popleft()
            if handed:
                handed[0] = handed[0].after(offset)
        return True

    async def first_offset(self, partition: TopicPartition) -> int:
        """Ask the broker for the first offset it still holds of a partition; 0 where there is no broker."""
        return 0 if self.consumer is None else await self.consumer.first_offset(TP(*partition))

    def lag(self) -> dict[TopicPartition, int]:
        """Records not yet handed over, per assigned partition whose end is known."""
        lags = {} if self.consumer is None else self.consumer.lag()
        return {TopicPartition(tp.topic, tp.partition): lag for tp, lag in lags.items()}

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Records that wait, in Kafka or in memory, for the handler to commit them, per assigned partition."""
        return {tp: lag + sum(len(each.offsets) for each in self._handed.get(tp, ())) for tp, lag in self.lag().items()}

    def oldest_ms(self) -> dict[TopicPartition, int]:
        """When the oldest record handed over and not committed was written, in ms since 1970, per partition."""
        oldest = ((tp, handed[0].written_ms) for tp, handed in list(self._handed.items()) if handed)
        return {tp: written_ms[0] for tp, written_ms in oldest if written_ms}

    def note_lost(self, tp: TP, expected: int, first: int) -> None:
        """Count records before offset ``first`` that were deleted unread; a gap met again does not count again."""
        logger.warning("%s/%d: records %d to %d were deleted before they were read", *tp, expected, first - 1)
        self.lost[tp.topic] += max(0, first - max(expected, self._lost_up_to.get(tp, 0)))
        self._lost_up_to[tp] = max(first, self._lost_up_to.get(tp, 0))

    def sought(self) -> None:
        """Note that every partition was sought to its offset: what was handed over before comes again."""
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
        """Whether ``batch`` is still ours to handle; otherwise Kafka sends its records again."""
        return batch.epoch == self.epoch

    def new_epoch(self) -> int:
        """Invalidate every batch fetched so far."""
        self.epoch += 1
        self._changed.set()
        return self.epoch

    def notify(self) -> None:
        """Wake the fetch loop: the agent took a batch, or the flow was resumed."""
        self._changed.set()

    async def change(self) -> None:
        """Wait until something changed, at most POLL_SECONDS."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)
        except TimeoutError:
            return

    @property
    def waiting(self) -> int:
        """Batches handed over and not yet taken."""
        return self.feed.qsize() if self.feed is not None else WAITING
