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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables.recovery import ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from mode.threads import WorkerThread
from yarl import URL

from schemas.errors import BrokerUnavailable, LogMismatch

logger = logging.getLogger(__name__)

Record = ConsumerRecord[bytes | None, bytes | None]
Resume = Callable[[str, int], Awaitable[int | None]]

#: Batches that may wait for the agent. With one in its hands, one fetched ahead by aiokafka and these, at most
#: WAITING + 2 fetches are in memory.
WAITING = 2
#: How long the broker may hold a fetch that finds nothing. Faust's 1,500 ms would be the delay of every seek, of a
#: record on a partition fetched beside idle ones, and (a third of it) of any record on the embedded broker.
FETCH_WAIT_MS = 100
#: How often the fetch loop looks whether it should stop while it waits for room, and for records, in seconds.
POLL_SECONDS = 0.1
LONGEST_POLL_SECONDS = 0.5


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

    @property
    def is_idle(self) -> bool:
        """Whether this batch only says that time has passed."""
        return not self.records


class Lane:
    """What agent, consumer and consumer thread share."""

    def __init__(self, topics: frozenset[str], resume: Resume | None, idle_seconds: float) -> None:
        self.topics = topics
        self.resume = resume
        self.idle_seconds = idle_seconds
        self.epoch = 0
        self.feed: asyncio.Queue[Batch] | None = None
        self.consumer: LaneConsumer | None = None
        self._changed = asyncio.Event()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commit next offsets to the consumer group; True when the broker took them.

        False means that the group is rebalancing or that the partitions are not ours any more: the records will be
        read again, here or elsewhere. Any other failure stops the process.
        """
        if self.consumer is None or not offsets:
            return False
        held = self.consumer.assignment()
        named = {TP(*tp): offset for tp, offset in offsets.items()}
        mine = {tp: offset for tp, offset in named.items() if tp in held}
        return bool(mine) and await self.consumer.commit_offsets(mine)

    def lag(self) -> dict[TP, int]:
        """Records not yet handed over, per assigned partition whose end is known."""
        return {} if self.consumer is None else self.consumer.lag()

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


class Fetched(dict[TP, list[Record]]):
    """Records by partition, with the epoch they were fetched in."""

    def __init__(self, records: Mapping[TP, list[Record]], epoch: int) -> None:
        super().__init__(records)
        self.epoch = epoch


class _DaemonThread(WorkerThread):
    """A thread that a broker which stopped answering cannot turn into a process that never ends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.daemon = True


class LaneThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    Worker = _DaemonThread
    epoch = 0

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the name is Faust's
        max_records: int | None = None,
    ) -> Mapping[TP, list[Record]]:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        # Nothing runs in this thread between aiokafka taking the records and this line, so the stamp cannot be
        # that of a later seek.
        return Fetched(records, self.epoch)

    async def seek_all(self, wanted: Mapping[TP, int], epoch: int) -> Mapping[TP, int]:
        """Seek every assigned partition and open ``epoch``; return the offsets sought to.

        Raises:
            LogMismatch: a wanted offset is not in the log.
        """
        return cast("Mapping[TP, int]", await self.call_thread(self._seek_all, wanted, epoch))

    async def _seek_all(self, wanted: Mapping[TP, int], epoch: int) -> Mapping[TP, int]:
        consumer: Any = self._ensure_consumer()
        partitions = [TopicPartition(tp.topic, tp.partition) for tp in sorted(consumer.assignment())]
        firsts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        targets: dict[TP, int] = {}
        for partition in partitions:
            tp = TP(partition.topic, partition.partition)
            offset = wanted.get(tp)
            if offset is None:
                committed = await consumer.committed(partition)
                offset = firsts[partition] if committed is None else committed
                if offset < firsts[partition]:
                    logger.warning(
                        "%s/%d: records %d to %d were deleted before they were read",
                        *(tp.topic, tp.partition, offset, firsts[partition] - 1),
                    )
                    offset = firsts[partition]
            _check_in_log(tp, offset, firsts[partition], ends[partition])
            targets[tp] = max(offset, firsts[partition])
        for partition in partitions:
            consumer.seek(partition, targets[TP(partition.topic, partition.partition)])
        self.epoch = epoch
        return targets

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        # The base class prints a traceback to stderr; whoever runs the app reports the same error once.
        logger.debug(msg.format(*fmt))


def _check_in_log(tp: TP, offset: int, first: int, end: int) -> None:
    if offset > end:
        raise LogMismatch(
            f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic ends at {end}: "
            "it is not the topic that was read before"
        )
    # 0 asks for the beginning, wherever retention has moved it.
    if 0 < offset < first:
        raise LogMismatch(
            f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic begins at {first}: "
            "records not read yet were deleted"
        )


class LaneConsumer(driver.Consumer):
    """Faust's consumer, with batched topics taken off its road before the conductor."""

    _thread: LaneThread
    transport: LaneTransport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = self.transport.lane
        self.lane.consumer = self
        self._next: dict[TP, int] = {}
        self._arrived = monotonic()

    def _new_consumer_thread(self) -> LaneThread:
        return LaneThread(self, loop=self.loop, beacon=self.beacon)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit to the group, past Faust's own bookkeeping of acknowledged events."""
        return await self._thread.commit(offsets)

    def lag(self) -> dict[TP, int]:
        """Records between the next one to hand over and the end of each assigned partition."""
        ends = {tp: self.highwater(tp) for tp in self.assignment() if tp in self._next}
        return {tp: max(0, end - self._next[tp]) for tp, end in ends.items() if end is not None}

    def stop_flow(self) -> None:
        """Stop handing over; a rebalance or the end of the process has begun."""
        super().stop_flow()
        self.lane.new_epoch()

    def resume_flow(self) -> None:
        """Hand over again, after every partition was sought to its offset."""
        super().resume_flow()
        self.lane.notify()

    def verify_event_path(self, now: float, tp: TP) -> None:
        # Faust takes a batched partition for stuck: it sees no event of it pass.
        if tp.topic not in self.lane.topics:
            super().verify_event_path(now, tp)

    async def perform_seek(self) -> None:
        """Seek after a rebalance.

        Faust takes a seek that exceeds its request timeout for a request to stop, and goes on with a worker that
        reads nothing; so the limit here is shorter, and passing it stops the process.
        """
        try:
            async with asyncio.timeout(0.8 * self.app.conf.broker_request_timeout):
                await super().perform_seek()
        except IllegalStateError:
            raise  # another rebalance took partitions away; Faust waits for it and seeks again
        except TimeoutError:
            self._give_up(BrokerUnavailable("the Kafka broker did not answer while seeking"))
        except Exception as error:  # whatever the resume callable or the broker raised ends the process
            self._give_up(error)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the offsets the reader asks for; a partition it knows nothing of follows the group's offset."""
        epoch = self.lane.new_epoch()
        wanted: dict[TP, int] = {}
        if self.lane.resume is not None:
            for tp in sorted(self.assignment()):
                if tp.topic in self.lane.topics:
                    offset = await self.lane.resume(tp.topic, tp.partition)
                    if offset is not None:
                        wanted[tp] = offset
        targets = await self._thread.seek_all(wanted, epoch)
        self._next = {tp: offset for tp, offset in targets.items() if tp.topic in self.lane.topics}
        return targets

    def _give_up(self, error: Exception) -> None:
        self.transport.fail(error)
        raise ServiceStopped

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active or not self._get_active_partitions():
                    await self.lane.change()
                    continue
                fetched, _ = await self._wait_next_records(min(self.lane.idle_seconds, LONGEST_POLL_SECONDS))
                if isinstance(fetched, Fetched):
                    await self._hand_over(fetched, fetcher)
        except Exception as error:  # the fetch loop is nobody's child: an error left here would be a silent stall
            if not (self.should_stop or fetcher.should_stop or self.app.should_stop):
                self.transport.fail(error)

    async def _hand_over(self, fetched: Fetched, fetcher: Any) -> None:
        lane = self.lane
        now = monotonic()
        if not fetched and now - self._arrived < lane.idle_seconds:
            return
        self._arrived = now
        if not fetched and not lane.waiting:
            await self._put(Batch("", -1, [], 0, fetched.epoch), fetcher)
        for tp, records in fetched.items():
            if tp.topic not in lane.topics:
                await self._hand_to_conductor(tp, records)
                continue
            batch = Batch(tp.topic, tp.partition, records, records[-1].offset + 1, fetched.epoch)
            if not await self._put(batch, fetcher):
                return

    async def _put(self, batch: Batch, fetcher: Any) -> bool:
        """Wait for room and hand over; False when a rebalance or the end of the process made the batch void."""
        lane = self.lane
        # Faust clears the agent's queue at the moment it resumes the flow: what is put in before that is lost.
        while lane.is_current(batch) and (not self.flow_active or lane.waiting >= WAITING):
            if self.should_stop or fetcher.should_stop:
                return False
            await lane.change()
        if not lane.is_current(batch) or lane.feed is None:
            return False
        if batch.records:
            self._advance(batch)
        lane.feed.put_nowait(batch)
        return True

    def _advance(self, batch: Batch) -> None:
        tp = TP(batch.topic, batch.partition)
        first, expected = batch.records[0].offset, self._next.get(tp, 0)
        # aiokafka starts over silently when its position has vanished from the log.
        if first < expected:
            raise LogMismatch(
                f"{tp.topic}/{tp.partition}: offset {first} came after {expected - 1}: the topic was cut or replaced"
            )
        self._next[tp] = batch.next_offset

    async def _hand_to_conductor(self, tp: TP, records: list[Record]) -> None:
        """Deliver records of a topic that is not batched the way Faust does."""
        for record in records:
            if not self.flow_active:
                return
            read = self._read_offset[tp]
            if read is not None and record.offset > read + 1 and self.app.topics.acks_enabled_for(tp.topic):
                await self._add_gap(tp, read + 1, record.offset)
            await self.wait_first(self.callback(self._to_message(tp, record)), self.suspend_flow.wait())
            self._read_offset[tp] = record.offset


class LaneTransport(driver.Transport):
    """Faust's Kafka transport, with the lane's consumer."""

    Consumer = LaneConsumer

    def __init__(self, url: list[URL], app: AppT, lane: Lane, fail: Callable[[BaseException], None]) -> None:
        super().__init__(url, app)
        self.lane = lane
        self.fail = fail
