"""The Faust app of one worker: one agent over the batch lane, and the order in which its handler is called."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import faust
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.types import TP, ChannelT, StreamT
from yarl import URL

from streams.engine.batch_transport import BatchTransport
from streams.engine.heartbeat import STALL_SECONDS, Heartbeat
from streams.engine.kafka_errors import our_error
from streams.engine.lane import LAST_BATCH_SECONDS, LAST_COMMIT_SECONDS, Batch, Lane, Resume
from streams.engine.metadata import addresses
from streams.engine.reachability import BrokerReachability

logger = logging.getLogger(__name__)

#: Records of one fetch, over all partitions: the largest batch a handler meets.
MAX_RECORDS = 10_000
#: Bytes of one fetch and partition. A single larger record is still delivered.
FETCH_BYTES = 4 * 1_048_576


@dataclass(frozen=True)
class GroupTiming:
    """How fast a consumer group notices a death, in seconds.

    ``session`` is how long a silent member keeps its partitions, ``rebalance`` how long the others wait for a member
    to finish :meth:`BatchHandler.revoked`. Apache Kafka refuses a session below 6 s unless told otherwise.
    """

    session: float
    heartbeat: float
    rebalance: float


CLUSTER = GroupTiming(session=10.0, heartbeat=2.0, rebalance=30.0)
#: The embedded broker keeps the first member waiting for half a session, so this is what makes a start quick.
EMBEDDED = GroupTiming(session=2.0, heartbeat=0.3, rebalance=4.0)


class BatchHandler(Protocol):
    """What an agent does with batches. Calls never overlap; an error in any of them stops the process.

    After an error nothing else is called: what was not committed is read again by the next process.
    """

    async def started(self, lane: Lane) -> None:
        """Called once, when the consumer group has been joined and before anything else."""

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These are all partitions held from now on, possibly none; offsets to resume from are asked for next."""

    async def handle(self, batch: Batch) -> None:
        """Handle one batch, or note that time passed if it is idle."""

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """All partitions are given up. Offsets can still be committed; what is not flushed must be dropped."""

    async def stopped(self) -> None:
        """The process ends cleanly: flush and commit. The group is left afterwards."""


class Turns:
    """Calls the handler, one call at a time, until the first error or the end."""

    def __init__(
        self, handler: BatchHandler, resume: Resume | None, lane: Lane, fail: Callable[[BaseException], None]
    ) -> None:
        self._handler = handler
        self._resume = resume
        self._lane = lane
        self._fail = fail
        #: The handler's method under way, and how many calls have ended.
        self.call: str | None = None
        self.calls = 0
        self._lock = asyncio.Lock()
        self._running: asyncio.Future[None] | None = None
        self._started = False
        self._over = False

    async def take(self, batch: Batch) -> None:
        """Hand one batch to the handler, unless a rebalance made it void."""
        self._lane.notify()
        await self._call("handle", lambda: self._handler.handle(batch), still=lambda: self._lane.is_current(batch))

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Tell the handler what it holds, the first time that it has started, and ask where to resume."""
        if not self._started:
            self._started = True
            await self._call("started", lambda: self._handler.started(self._lane))
        await self._call("assigned", lambda: self._handler.assigned(partitions))
        await self._call("resume", lambda: self._ask(partitions))

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Wait for the batch in hand, then have the handler give up its partitions."""
        if self._started and partitions:
            await self._call("revoked", lambda: self._handler.revoked(partitions))

    async def stopped(self) -> None:
        """Wait for the batch in hand, for some seconds, then let the handler flush; nothing is handled afterwards."""
        if self._started:
            # A handler that waits for a broker which is gone is called off: its records are read again.
            cut = (
                asyncio.get_running_loop().call_later(LAST_BATCH_SECONDS, self.call_off, self._running)
                if self._running
                else None
            )
            try:
                await self._call("stopped", self._handler.stopped)
            finally:
                if cut is not None:
                    cut.cancel()
        self._over = True

    def call_off(self, running: asyncio.Future[None] | None = None) -> None:
        """Cancel a call, the one under way unless another is given, if it has not ended."""
        running = running or self._running
        if running is not None:
            running.cancel()

    def end(self) -> None:
        """Call nothing any more."""
        self._over = True

    async def _ask(self, partitions: Sequence[TopicPartition]) -> None:
        # Not while seeking: that has a time limit, and opening a store may take longer.
        self._lane.wanted = wanted = {}
        for topic, partition in partitions:
            if self._resume is not None and topic in self._lane.topics:
                offset = await self._resume(topic, partition)
                if offset is not None:
                    wanted[TP(topic, partition)] = offset

    async def _call(
        self, name: str, call: Callable[[], Coroutine[Any, Any, None]], still: Callable[[], bool] = lambda: True
    ) -> None:
        if self._over:
            return  # a call that never returns holds the lock for ever: the end of the process must not wait for it
        async with self._lock:
            if self._over or not still():
                return
            self.call = name
            self._running = running = asyncio.ensure_future(call())
            try:
                await running
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if me is None or me.cancelling():
                    raise
            except Exception as error:  # any error of a handler ends the process
                self._over = True
                self._fail(error)
            finally:
                self.call = self._running = None
                self.calls += 1


class _ConsumerOnly(BootStrategy):
    """Starts neither Faust's producer, which nothing here uses, nor its web server."""

    enable_kafka_producer = False
    enable_web = False


class _NoTables(TableManager):
    """Faust waits a second at each start for tables to be declared; there are none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class BatchApp(faust.App):
    """A Faust app whose one agent is fed by the batch lane."""

    BootStrategy = _ConsumerOnly

    def __init__(
        self,
        app_id: str,
        *,
        lane: Lane,
        address: str,
        handler: BatchHandler,
        resume: Resume | None,
        stall_seconds: float,
        patience_seconds: float,
        **options: Any,
    ) -> None:
        super().__init__(app_id, **options)
        self.reachability = BrokerReachability(address, patience_seconds)
        self.lane = lane
        self.address = address
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self.turns = Turns(handler, resume, lane, self.fail)
        self.heartbeat = Heartbeat(lane, self.turns, stall_seconds)
        # Strong references: mode's signals forget a bound method as soon as nothing else holds it.
        self.on_rebalance_complete.connect(self._on_assigned, weak=False)
        self.on_partitions_revoked.connect(cast("Any", self._on_revoked), weak=False)

    def fail(self, error: BaseException) -> None:
        """Record what stops the process; the first error counts."""
        if self.failure is None:
            self.failure = our_error(error, self.address) if isinstance(error, KafkaError) else error
            self.turns.end()
            self.failed.set()

    async def on_first_start(self) -> None:
        """Create no folders: Faust keeps nothing on disk here."""

    async def flush(self) -> None:
        """Stop reading and let the handler flush, unless an error came first; the group is still ours."""
        if self.lane.consumer is not None:
            self.lane.consumer.stop_flow()
        self.lane.commit_seconds = LAST_COMMIT_SECONDS
        await self.turns.stopped()

    async def rewind(self, topics: Collection[str]) -> None:
        """Take back what was committed of ``topics``: records of a log made anew may have been passed over."""
        self.turns.call_off()
        held = self.lane.consumer.assignment() if self.lane.consumer is not None else set()
        await self.lane.commit({each: 0 for each in _partitions(held) if each.topic in topics})

    async def on_stop(self) -> None:
        """Flush before Faust leaves the group."""
        await self.flush()
        await super().on_stop()

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        await self.turns.assigned(_partitions(self.consumer.assignment()))

    async def _on_revoked(self, _: Any, revoked: Iterable[Any], **__: Any) -> None:
        # Faust stops the flow only while it still holds an assignment; a member the broker gave up has none.
        self.lane.new_epoch()
        await self.turns.revoked(_partitions(revoked))


def _partitions(tps: Iterable[Any]) -> list[TopicPartition]:
    return [TopicPartition(tp.topic, tp.partition) for tp in sorted(tps)]


def build_app(
    *,
    app_id: str,
    broker: str,
    topics: tuple[str, ...],
    handler: BatchHandler,
    resume: Resume | None,
    idle_seconds: float,
    data_dir: Path,
    timing: GroupTiming = CLUSTER,
    max_records: int = MAX_RECORDS,
    fetch_bytes: int = FETCH_BYTES,
    stall_seconds: float = STALL_SECONDS,
    patience_seconds: float = math.inf,
) -> BatchApp:
    """Build the app of one worker; it starts nothing yet.

    Args:
        app_id: consumer group.
        broker: ``kafka://host:port``, several separated by commas.
        topics: read in batches; they must exist.
        resume: asked for the next offset of each assigned (topic, partition), after ``handler.assigned`` and before
            the first batch. None, or an answer of None, means the group's committed offset, else the beginning.
        idle_seconds: how long nothing may arrive before an idle batch is handled. With no partitions none are.
        data_dir: told to Faust so that it never falls back to the working directory; nothing is written there.
        max_records: the largest batch.
        fetch_bytes: bytes fetched at once from one partition. At most four such fetches per partition are in memory.
        stall_seconds: how long nothing may move while records wait, before the process ends.
        patience_seconds: how long no broker may answer, before the process ends, whether it has anything to do or not.
    """
    lane = Lane(frozenset(topics), idle_seconds)
    app = BatchApp(
        app_id,
        lane=lane,
        address=broker,
        handler=handler,
        resume=resume,
        stall_seconds=stall_seconds,
        patience_seconds=patience_seconds,
        # Faust lets an environment variable win over an argument: with an empty environment none does.
        env={},
        broker=[URL(address) for address in addresses(broker)],
        datadir=data_dir,
        autodiscover=False,
        web_enabled=False,
        TableManager=_NoTables,
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=fetch_bytes,
        broker_max_poll_records=max_records,
        broker_session_timeout=timing.session,
        broker_heartbeat_interval=timing.heartbeat,
        broker_rebalance_timeout=timing.rebalance,
        broker_request_timeout=60.0,
        # Nothing is acknowledged to Faust, so there is nothing to wait for.
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        logging_config=None,
        store="memory://",
        cache="memory://",
    )
    app.transport = BatchTransport(app.conf.broker_consumer, app, lane, app.fail)

    async def batches(stream: StreamT[Batch]) -> None:
        lane.feed = cast("ChannelT[Batch]", stream.channel).queue
        async for batch in stream:
            await app.turns.take(batch)

    app.agent(app.topic(*topics, value_serializer="raw"), name="batches")(batches)
    return app
