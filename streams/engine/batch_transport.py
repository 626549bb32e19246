"""Kafka transport for Faust that hands whole batches to the agent.

Everything overridden here is private to Faust; tests/contract/test_lane_contract.py holds what is
relied on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faust.tables.recovery import ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from yarl import URL

from schemas.errors import BrokerUnavailable
from streams.engine.consumer_thread import BatchConsumerThread, Fetched, deleted, mismatch
from streams.engine.lane import WAITING, Batch, Lane, Record

#: How long one poll lasts at most, in seconds: the end of the process waits for it.
LONGEST_POLL_SECONDS = 0.5


class BatchConsumer(driver.Consumer):
    """Faust's consumer, with records of batched topics diverted before the conductor."""

    _thread: BatchConsumerThread
    transport: BatchTransport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lane = self.transport.lane
        self.lane.consumer = self
        self._next: dict[TP, int] = {}
        self._arrived = monotonic()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, self.transport.lane, loop=self.loop, beacon=self.beacon)

    async def commit_within(self, offsets: Mapping[TP, int], seconds: float) -> bool:
        """Commit to the group, past Faust's own bookkeeping of acknowledged events."""
        return await self._thread.commit_within(offsets, seconds)

    async def first_offset(self, partition: TopicPartition) -> int:
        """Return the first offset the broker still holds of a partition."""
        return await self._thread.first_offset(partition)

    def lag(self) -> dict[TP, int]:
        """Return the readable records not yet handed over, per assigned partition."""
        ends = {tp: self._end_of(tp, self._thread.readable_end) for tp in self._next}
        return {tp: max(0, end - self._next[tp]) for tp, end in ends.items() if end is not None}

    def _end_of(self, tp: TP, ask: Callable[[TP], int | None]) -> int | None:
        try:
            return ask(tp)
        except (IllegalStateError, AssertionError):
            return None  # the consumer's thread is giving it up at this moment

    def stop_flow(self) -> None:
        """Stop handing over, as a rebalance or the end begins."""
        super().stop_flow()
        self.lane.new_epoch()

    def resume_flow(self) -> None:
        """Hand over again; every partition was sought to its offset."""
        super().resume_flow()
        self.lane.notify()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Check for a stuck partition of a topic that is not batched.

        Faust sees no event of a batched topic pass, and would take its partitions for stuck.
        """
        if tp.topic not in self.lane.topics:
            super().verify_event_path(now, tp)

    async def perform_seek(self) -> None:
        """Seek after a rebalance, within a time limit.

        Faust takes a seek that exceeds its request timeout for a request to stop, and goes on with
        a worker that reads nothing. The limit here is shorter, and passing it stops the process.
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
        """Seek to the reader's offsets, or to the group's."""
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
        """Wait for room and hand over; return False for a void batch.

        A rebalance or the end of the process makes a batch void.
        """
        lane = self.lane
        # Faust clears the agent's queue at the moment it resumes the flow: a batch put in before
        # that is lost.
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
        """Advance past transaction markers after the last record.

        They would count as waiting records.
        """
        if fetched.epoch != self.lane.epoch or not self.flow_active:
            return
        for tp, following in self._next.items():
            self._next[tp] = max(following, self._thread.read_up_to(tp) or 0)

    def _check_ends(self, fetched: Fetched) -> None:
        """Raise an error for a position beyond the end of its log.

        The embedded broker answers such a position with nothing, for ever.
        """
        for tp, position in self._next.items():
            end = self._end_of(tp, self.highwater) if fetched.epoch == self.lane.epoch and self.flow_active else None
            if end is not None and end < position:
                raise mismatch(tp, position, f"ends at {end}: it was cut or replaced")

    async def _check_gap(self, tp: TP, expected: int) -> None:
        """Tell a gap of markers or compaction from records that retention deleted."""
        first = await self.first_offset(TopicPartition(*tp))
        if first <= expected:
            return
        if tp in self.lane.wanted:
            raise deleted(tp, expected, first)
        self.lane.note_lost(tp, expected, first)

    def _advance(self, batch: Batch) -> None:
        tp = TP(batch.topic, batch.partition)
        first, expected = batch.records[0].offset, self._next.get(tp, 0)
        # aiokafka starts over silently when its position has vanished from the log.
        if first < expected:
            raise mismatch(tp, expected, f"gave {first}: it was cut or replaced")
        self._next[tp] = batch.next_offset

    async def _hand_to_conductor(self, tp: TP, records: list[Record]) -> None:
        """Deliver records of an unbatched topic the way Faust does."""
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
