"""The lane's side of Faust's Kafka driver: the consumer, and the thread that owns the aiokafka consumer.

Everything overridden here is private to Faust 0.15.3; tests/contract/test_lane_contract.py holds what is relied on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables.recovery import ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from mode.threads import WorkerThread
from yarl import URL

from schemas.errors import BrokerUnavailable, LogMismatch
from streams.engine.ends import ends_of
from streams.engine.lane import WAITING, Batch, Lane, Record

logger = logging.getLogger(__name__)

#: How long the broker may hold a fetch that finds nothing. Faust's 1,500 ms would be the delay of every seek, of a
#: record on a partition fetched beside idle ones, and (a third of it) of any record on the embedded broker.
FETCH_WAIT_MS = 100
#: How long one poll lasts at most, in seconds: the end of the process waits for it.
LONGEST_POLL_SECONDS = 0.5


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

    def run(self) -> None:
        """Run the consumer's loop to its end."""
        try:
            super().run()
        except (Exception, asyncio.CancelledError):
            # The service told the app already; Python would print the traceback once more.
            logger.debug("the consumer thread ended", exc_info=True)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    Worker = _DaemonThread
    consumer: BatchConsumer
    epoch = 0

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # A feed may write in transactions: what it took back was never said.
        consumer._isolation_level = "read_committed"
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

    def read_up_to(self, tp: TP) -> int | None:
        """Return the offset up to which the log was read, markers included; None while that is not known."""
        subscription: Any = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        state = subscription.assignment.state_value(TopicPartition(tp.topic, tp.partition))
        return None if state is None or not state.has_valid_position else int(state.position)

    def readable_end(self, tp: TP) -> int | None:
        """Return the end of what may be read; None while that is not known.

        A transaction that is still open ends it: a feed that leaves one open must not have this reader taken for stuck.
        """
        consumer: Any = self._ensure_consumer()
        partition = TopicPartition(tp.topic, tp.partition)
        end, stable = consumer.highwater(partition), consumer.last_stable_offset(partition)
        return end if end is None or stable is None or stable < 0 else int(min(end, stable))

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        """Commit, and give up after ``seconds``."""
        return bool(await self.call_thread(self._commit_within, offsets, seconds))

    async def _commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._commit(offsets)
        except TimeoutError:
            logger.warning("the broker did not answer a commit within %.0f s: records may be read again", seconds)
            return False

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
        targets: dict[TP, int] = {}
        for partition in partitions:
            tp, first = TP(partition.topic, partition.partition), firsts[partition]
            offset = wanted.get(tp)
            if offset is None:
                committed = await consumer.committed(partition)
                offset = first if committed is None else committed
                if offset < first:
                    self.consumer.lane.note_lost(tp, offset, first)
            elif offset < first:
                raise _deleted(tp, offset, first)
            targets[tp] = max(offset, first)
        ends = await consumer.end_offsets(partitions)
        doubtful = [each for each in partitions if targets[TP(each.topic, each.partition)] > ends[each]]
        for partition, end in (await ends_of(consumer, doubtful)).items() if doubtful else ():
            tp = TP(partition.topic, partition.partition)
            if targets[tp] > end:
                raise _mismatch(tp, targets[tp], f"ends at {end}: it is not the topic that was read before")
        for partition in partitions:
            consumer.seek(partition, targets[TP(partition.topic, partition.partition)])
        self.epoch = epoch
        return targets

    async def first_offset(self, tp: TP) -> int:
        """Return the first offset the broker still holds of a partition."""
        return int(await self.call_thread(self._first_offset, TopicPartition(tp.topic, tp.partition)))

    async def _first_offset(self, partition: TopicPartition) -> int:
        consumer: Any = self._ensure_consumer()
        return int((await consumer.beginning_offsets([partition]))[partition])

    def _stopped_set(self) -> None:
        try:
            super()._stopped_set()
        except RuntimeError:
            # The thread ended by itself, and its loop with it: there is nobody left to be told.
            self._stopped.set()

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        # The base class prints a traceback to stderr; whoever runs the app reports the same error once.
        logger.debug(msg.format(*fmt))


def _mismatch(tp: TP, offset: int, what: str) -> LogMismatch:
    return LogMismatch(f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic {what}")


def _deleted(tp: TP, offset: int, first: int) -> LogMismatch:
    return LogMismatch(
        f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic begins at {first}: "
        "records not read yet were deleted",
        hint=f"begin with a published copy that reaches offset {first} or further in the data folder, or under another "
        "topic prefix, and let the topic keep its records: cleanup.policy=delete, retention.ms=-1, retention.bytes=-1",
    )


class BatchConsumer(driver.Consumer):
    """Faust's consumer, with batched topics taken off its road before the conductor."""

    _thread: BatchConsumerThread
    transport: BatchTransport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = self.transport.lane
        self.lane.consumer = self
        self._next: dict[TP, int] = {}
        self._arrived = monotonic()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        """Commit to the group, past Faust's own bookkeeping of acknowledged events."""
        return await self._thread.commit_within(offsets, seconds)

    async def first_offset(self, tp: TP) -> int:
        """Ask the broker for the first offset it still holds of a partition."""
        return await self._thread.first_offset(tp)

    def lag(self) -> dict[TP, int]:
        """Records that may be read between the next one to hand over and the end of each assigned partition."""
        ends = {tp: self._end_of(tp, self._thread.readable_end) for tp in self._next}
        return {tp: max(0, end - self._next[tp]) for tp, end in ends.items() if end is not None}

    def _end_of(self, tp: TP, ask: Callable[[TP], int | None]) -> int | None:
        try:
            return ask(tp)
        except (IllegalStateError, AssertionError):
            return None  # the consumer's thread is giving it up at this moment

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
            self.transport.fail(BrokerUnavailable("the Kafka broker did not answer while seeking"))
            raise ServiceStopped from None
        except Exception as error:
            self.transport.fail(error)
            raise ServiceStopped from error

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the offsets the reader asked for; a partition it knows nothing of follows the group's offset."""
        targets = await self._thread.seek_all(self.lane.wanted, self.lane.new_epoch())
        self._next = {tp: offset for tp, offset in targets.items() if tp.topic in self.lane.topics}
        self.lane.sought()
        return targets

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
        if not fetched:
            self._pass_markers(fetched)
            if now - self._arrived >= lane.idle_seconds and not lane.waiting:
                self._arrived = now
                self._check_ends(fetched)
                await self._put(Batch("", -1, [], 0, fetched.epoch), fetcher)
            return
        self._arrived = now
        for tp, records in fetched.items():
            if tp.topic not in lane.topics:
                await self._hand_to_conductor(tp, records)
                continue
            batch = Batch(tp.topic, tp.partition, records, records[-1].offset + 1, fetched.epoch)
            if records[0].offset > self._next.get(tp, 0) and lane.is_current(batch):
                await self._check_gap(tp, self._next.get(tp, 0))
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
        if not lane.is_current(batch):
            return False
        if batch.records:
            self._advance(batch)
        lane.hand_over(batch)
        return True

    def _pass_markers(self, fetched: Fetched) -> None:
        """Go past the markers of transactions after the last record: no record will, and they would seem to wait."""
        if fetched.epoch != self.lane.epoch or not self.flow_active:
            return
        for tp, following in self._next.items():
            self._next[tp] = max(following, self._thread.read_up_to(tp) or 0)

    def _check_ends(self, fetched: Fetched) -> None:
        """The embedded broker answers a position beyond the end with nothing, for ever."""
        for tp, position in self._next.items():
            end = self._end_of(tp, self.highwater) if fetched.epoch == self.lane.epoch and self.flow_active else None
            if end is not None and end < position:
                raise _mismatch(tp, position, f"ends at {end}: it was cut or replaced")

    async def _check_gap(self, tp: TP, expected: int) -> None:
        """Tell offsets that never were records of ours (markers, compaction) from records that retention deleted."""
        first = await self.first_offset(tp)
        if first <= expected:
            return
        if tp in self.lane.wanted:
            raise _deleted(tp, expected, first)
        self.lane.note_lost(tp, expected, first)

    def _advance(self, batch: Batch) -> None:
        tp = TP(batch.topic, batch.partition)
        first, expected = batch.records[0].offset, self._next.get(tp, 0)
        # aiokafka starts over silently when its position has vanished from the log.
        if first < expected:
            raise _mismatch(tp, expected, f"gave {first}: it was cut or replaced")
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


class BatchTransport(driver.Transport):
    """Faust's Kafka transport, with the lane's consumer."""

    Consumer = BatchConsumer

    def __init__(self, url: list[URL], app: AppT, lane: Lane, fail: Callable[[BaseException], None]) -> None:
        super().__init__(url, app)
        self.lane = lane
        self.fail = fail
