"""Thread that owns the aiokafka consumer of the batch transport.

Everything overridden here is private to Faust; tests/contract/test_lane_contract.py holds what is
relied on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

from schemas.errors import LogMismatch
from streams.engine.ends import ends_of
from streams.engine.lane import Lane, Record
from streams.engine.unreadable import hand_on_unreadable

logger = logging.getLogger(__name__)

hand_on_unreadable()

#: How long the broker may hold a fetch that finds nothing. Faust's 1,500 ms would be the delay of
#: every seek, of a record on a partition fetched beside idle ones, and (a third of it) of any
#: record on the embedded broker.
FETCH_WAIT_MS = 100


class Fetched(dict[TP, list[Record]]):
    """Records by partition, with the epoch they were fetched in."""

    def __init__(self, records: Mapping[TP, list[Record]], epoch: int) -> None:
        super().__init__(records)
        self.epoch = epoch


class _DaemonThread(WorkerThread):
    """Daemon thread, which cannot keep the process from ending.

    A broker that stopped answering would otherwise.
    """

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
    """Consumer thread that stamps fetches with their epoch.

    It seeks to the reader's own offsets.
    """

    Worker = _DaemonThread
    epoch = 0

    def __init__(self, consumer: driver.Consumer, lane: Lane, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._lane = lane

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        # A feed may write in transactions: records it took back were never said.
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
        # Nothing runs in this thread between aiokafka taking the records and this line, so the
        # stamp cannot be that of a later seek.
        return Fetched(records, self.epoch)

    def read_up_to(self, tp: TP) -> int | None:
        """Return the offset read up to, markers included, if known."""
        subscription: Any = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return None
        state = subscription.assignment.state_value(TopicPartition(tp.topic, tp.partition))
        return None if state is None or not state.has_valid_position else int(state.position)

    def readable_end(self, tp: TP) -> int | None:
        """Return the end of the readable records, if known.

        A transaction that is still open ends it: a feed that leaves one open must not have this
        reader taken for stuck.
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
                    self._lane.note_lost(tp, offset, first)
            elif offset < first:
                raise deleted(tp, offset, first)
            targets[tp] = max(offset, first)
        ends = await consumer.end_offsets(partitions)
        doubtful = [each for each in partitions if targets[TP(each.topic, each.partition)] > ends[each]]
        for partition, end in (await ends_of(consumer, doubtful)).items() if doubtful else ():
            tp = TP(partition.topic, partition.partition)
            if targets[tp] > end:
                raise mismatch(tp, targets[tp], f"ends at {end}: it is not the topic that was read before")
        for partition in partitions:
            consumer.seek(partition, targets[TP(partition.topic, partition.partition)])
        self.epoch = epoch
        return targets

    async def first_offset(self, partition: TopicPartition) -> int:
        """Return the first offset the broker still holds of a partition."""
        return int(await self.call_thread(self._first_offset, partition))

    async def _first_offset(self, partition: TopicPartition) -> int:
        consumer: Any = self._ensure_consumer()
        return int((await consumer.beginning_offsets([partition]))[partition])

    def _stopped_set(self) -> None:
        try:
            super()._stopped_set()
        except RuntimeError:
            # The thread ended by itself, and its loop with it: there is nobody left to be told.
            self._stopped.set()

    def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
        """Log a crash at debug level.

        The worker reports the same error once.
        """
        logger.debug(msg.format(*fmt))


def mismatch(tp: TP, offset: int, fault: str) -> LogMismatch:
    """Return the error of a topic that is another log now."""
    return LogMismatch(f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic {fault}")


def deleted(tp: TP, offset: int, first: int) -> LogMismatch:
    """Return the error of records that were deleted before they were read."""
    return LogMismatch(
        f"{tp.topic}/{tp.partition}: the next offset to read is {offset}, but the topic begins at {first}: "
        "records not read yet were deleted",
        hint=f"begin with a published copy that reaches offset {first} or further in the data folder, or under another "
        "topic prefix, and let the topic keep its records: cleanup.policy=delete, retention.ms=-1, retention.bytes=-1",
    )
