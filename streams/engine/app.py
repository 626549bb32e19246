"""Faust app of one worker, fed by the batch lane."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.types import ChannelT, StreamT
from yarl import URL

from streams.engine.batch_transport import BatchTransport
from streams.engine.cluster import Broker, cluster_of
from streams.engine.handler_serializer import BatchHandler, HandlerSerializer
from streams.engine.heartbeat import STALL_SECONDS, Heartbeat
from streams.engine.kafka_errors import our_error
from streams.engine.lane import LAST_COMMIT_SECONDS, Batch, Lane, Resume
from streams.engine.reachability import BrokerReachability


@dataclass(frozen=True)
class GroupTiming:
    """Timing of a consumer group, in seconds.

    Attributes:
        session: how long a silent member keeps its partitions. Apache Kafka refuses less than 6 s
            by default.
        heartbeat: time between two heartbeats to the group.
        rebalance: how long the others wait for a member to finish :meth:`BatchHandler.revoked`.
    """

    session: float
    heartbeat: float
    rebalance: float


#: The shortest session that Apache Kafka takes by default: a killed member's successor waits for its end.
CLUSTER = GroupTiming(session=6.0, heartbeat=1.5, rebalance=30.0)
#: The embedded broker keeps the first member waiting for half a session, so a short one makes a
#: start quick.
EMBEDDED = GroupTiming(session=2.0, heartbeat=0.3, rebalance=4.0)


@dataclass(frozen=True)
class AppOptions:
    """Options of a worker's app.

    Attributes:
        broker: the cluster, or its address.
        data_dir: keeps Faust from falling back to the working directory; nothing is written there.
        idle_seconds: how long nothing may arrive before an idle batch is handled. Without
            partitions there are none.
        timing: of the consumer group.
        stall_seconds: how long records may wait without progress before the process ends.
        patience_seconds: how long no broker may answer before the process ends, idle or not.
        writes: topics that the handler writes to.
        unique_logs: topics that the handler holds as a :class:`streams.engine.unique_log.UniqueLog`.
        max_records: records of one fetch over all partitions, and so of the largest batch.
        fetch_bytes: bytes of one fetch and partition. A single larger record is still delivered. At
            most four such fetches per partition are in memory.
    """

    broker: Broker
    data_dir: Path
    idle_seconds: float
    timing: GroupTiming = CLUSTER
    stall_seconds: float = STALL_SECONDS
    patience_seconds: float = math.inf
    writes: frozenset[str] = frozenset()
    unique_logs: frozenset[str] = frozenset()
    max_records: int = 10_000
    fetch_bytes: int = 4 * 1_048_576


class _ConsumerOnly(BootStrategy):
    """Boot strategy without Faust's producer and web server, which nothing here uses."""

    enable_kafka_producer = False
    enable_web = False


class _NoTables(TableManager):
    """Table manager that does not wait for tables.

    Faust's own waits a second for them at each start.
    """

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class BatchApp(faust.App):
    """Faust app with one agent, which reads batches instead of events.

    Args:
        app_id: the consumer group.
        topics: names of the topics read in batches; they must exist.
        handler: handles the agent's batches.
        resume: returns the next offset of an assigned (topic, partition). It is asked after
            ``handler.assigned`` and before the first batch. None, or an answer of None, means the
            group's committed offset, else the beginning.
    """

    BootStrategy = _ConsumerOnly

    def __init__(
        self,
        app_id: str,
        topics: Collection[str],
        handler: BatchHandler,
        options: AppOptions,
        resume: Resume | None = None,
    ) -> None:
        self.cluster = cluster_of(options.broker)
        super().__init__(
            app_id,
            # Faust lets an environment variable win over an argument: with an empty environment
            # none does.
            env={},
            broker=[URL(url) for url in self.cluster.urls],
            broker_credentials=self.cluster.credentials,
            datadir=options.data_dir,
            TableManager=_NoTables,
            topic_disable_leader=True,
            topic_allow_declare=False,
            reply_create_topic=False,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=options.fetch_bytes,
            broker_max_poll_records=options.max_records,
            broker_session_timeout=options.timing.session,
            broker_heartbeat_interval=options.timing.heartbeat,
            broker_rebalance_timeout=options.timing.rebalance,
            broker_request_timeout=60.0,
            # Nothing is acknowledged to Faust, so there is nothing to wait for.
            stream_wait_empty=False,
            worker_redirect_stdouts=False,
        )
        self.writes = options.writes
        self.unique_logs = options.unique_logs
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self.lane = Lane(frozenset(topics), options.idle_seconds)
        self.reachability = BrokerReachability(str(self.cluster), options.patience_seconds)
        self.serializer = HandlerSerializer(handler, resume, self.lane, self.fail)
        self.heartbeat = Heartbeat(self.lane, self.serializer, options.stall_seconds)
        self.transport = BatchTransport(self.conf.broker_consumer, self, self.lane, self.fail)
        # Strong references: mode's signals forget a bound method as soon as nothing else holds it.
        self.on_rebalance_complete.connect(self._on_assigned, weak=False)
        self.on_partitions_revoked.connect(cast("Any", self._on_revoked), weak=False)

    def batches(self, stream: StreamT[Batch]) -> StreamT[Batch]:
        """Return an agent's stream, fed by the lane from now on.

        The lane puts batches into the stream's queue, past Faust's conductor.
        """
        self.lane.feed = cast("ChannelT[Batch]", stream.channel).queue
        return stream

    def fail(self, error: BaseException) -> None:
        """Record the error that stops the process; the first one counts."""
        if self.failure is None:
            self.failure = our_error(error, self.cluster) if isinstance(error, KafkaError) else error
            self.serializer.end()
            self.failed.set()

    async def on_first_start(self) -> None:
        """Create no folders, because Faust keeps nothing on disk here."""

    async def flush(self) -> None:
        """Stop reading and let the handler flush, still within the group.

        After an error nothing is flushed.
        """
        if self.lane.consumer is not None:
            self.lane.consumer.stop_flow()
        self.lane.commit_seconds = LAST_COMMIT_SECONDS
        await self.serializer.stopped()

    async def rewind(self, topics: Collection[str]) -> None:
        """Commit offset 0 of ``topics``, which were created anew.

        The group's offset may lie beyond their first records.
        """
        self.serializer.call_off()
        held = self.lane.consumer.assignment() if self.lane.consumer is not None else set()
        await self.lane.commit({each: 0 for each in _partitions(held) if each.topic in topics})

    async def on_stop(self) -> None:
        """Flush before Faust leaves the group."""
        await self.flush()
        await super().on_stop()

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        await self.serializer.assigned(_partitions(self.consumer.assignment()))

    async def _on_revoked(self, _: Any, revoked: Iterable[Any], **__: Any) -> None:
        # Faust stops the flow only while it still holds an assignment; a member the broker gave up
        # has none.
        self.lane.new_epoch()
        await self.serializer.revoked(_partitions(revoked))


def _partitions(tps: Iterable[Any]) -> list[TopicPartition]:
    return [TopicPartition(tp.topic, tp.partition) for tp in sorted(tps)]
