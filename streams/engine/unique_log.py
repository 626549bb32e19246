"""Topic that holds every key once, whichever of many processes writes it.

A writer reads the topic to its end, appends what is not there yet, and no other writer comes
between. On Apache Kafka a transactional id of the topic's own sees to that: whoever claims it fences
the producer before, whose transaction then commits nothing. The embedded broker knows no
transactions. Its writers are processes of one machine and hold a file lock instead.

A writer that was killed leaves its whole batch in the topic or none of it, so the batch is appended
anew without a record being there twice. Readers read committed records only.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from streams.engine.cluster import Broker, cluster_of
from streams.engine.ends import ends_of
from streams.engine.kafka_errors import is_passing, kafka_errors
from streams.engine.lane import Record
from streams.engine.producer import CLIENT, BatchProducer, Outgoing, batches

logger = logging.getLogger(__name__)

#: Pause after another writer came between, at most: drawn anew and doubled, so that two give way.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0
_AGAIN_SECONDS = 0.5
#: A transaction that its writer left open holds up readers for as long, unless another writer
#: claims the topic before.
_TRANSACTION_MS = 30_000
_POLL_MS = 100


class UniqueLog:
    """Topic of one partition, read and appended to so that no key is there twice.

    Args:
        broker: the cluster, or its address.
        topic: name of the topic, which is also the transactional id.
        lock: a file to lock where the broker knows no transactions.
        patience_seconds: how long a broker may be gone before it is an error.
    """

    def __init__(
        self,
        broker: Broker,
        topic: str,
        *,
        lock: Path | None = None,
        patience_seconds: float = 0.0,
    ) -> None:
        self._broker = broker
        self._topic = TopicPartition(topic, 0)
        self._lock = lock
        self._patience_seconds = patience_seconds
        self._known: set[Hashable] = set()
        self._read_up_to = 0
        self._producer: AIOKafkaProducer | None = None

    async def append(self, records: Mapping[Hashable, Outgoing], key_of: Callable[[Record], Hashable]) -> None:
        """Append the records whose key is not in the topic; return once all are there.

        ``key_of`` returns the key of a record of the topic.

        Raises:
            BrokerUnavailable: the broker does not answer, or refuses.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
        with kafka_errors(self._broker):
            while True:
                try:
                    await self._append(records, key_of)
                except (KafkaError, OSError) as error:
                    # Whether the transaction was committed the topic tells at the next attempt.
                    await self.stop()
                    fenced = isinstance(error, ProducerFenced)
                    gone = time.monotonic() - began
                    if not fenced and (gone >= self._patience_seconds or not is_passing(error)):
                        raise
                    logger.debug("%s: appending again after %r", self._topic.topic, error)
                    await asyncio.sleep(random.uniform(0, pause) if fenced else _AGAIN_SECONDS)  # noqa: S311 - no secret
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                else:
                    return

    async def stop(self) -> None:
        """Disconnect; harmless when not connected."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _append(self, records: Mapping[Hashable, Outgoing], key_of: Callable[[Record], Hashable]) -> None:
        if self._producer is None:
            # Mostly another writer has them there already, and need not be disturbed.
            await self._read_on(key_of)
        if not self._missing(records):
            return
        if self._lock is not None:
            async with _locked(self._lock):
                await self._write_plainly(records, key_of)
            return
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **cluster_of(self._broker).client,
                transactional_id=self._topic.topic,
                transaction_timeout_ms=_TRANSACTION_MS,
                **CLIENT,
            )
            await self._producer.start()
            # All that the one before committed is in the topic by now, and it commits no more.
            await self._read_on(key_of)
        missing = self._missing(records)
        if missing:
            async with self._producer.transaction():
                for batch in batches(self._producer, missing):
                    await (await self._producer.send_batch(batch, self._topic.topic, partition=0))
            self._known |= records.keys()

    async def _write_plainly(self, records: Mapping[Hashable, Outgoing], key_of: Callable[[Record], Hashable]) -> None:
        await self._read_on(key_of)
        producer = BatchProducer(self._broker)
        await producer.start()
        try:
            await producer.send(self._topic.topic, 0, self._missing(records))
        finally:
            await producer.stop()

    def _missing(self, records: Mapping[Hashable, Outgoing]) -> Sequence[Outgoing]:
        return [record for key, record in records.items() if key not in self._known]

    async def _read_on(self, key_of: Callable[[Record], Hashable]) -> None:
        """Note the keys from where reading ended up to the end, or to an open transaction."""
        reader = AIOKafkaConsumer(
            **cluster_of(self._broker).client,
            group_id=None,
            enable_auto_commit=False,
            fetch_max_wait_ms=10,
            isolation_level="read_committed",
        )
        try:
            await reader.start()
            reader.assign([self._topic])
            first = (await reader.beginning_offsets([self._topic]))[self._topic]
            end = (await ends_of(reader, [self._topic]))[self._topic]
            reader.seek(self._topic, max(first, self._read_up_to))
            while (at := await reader.position(self._topic)) < end:
                found = (await reader.getmany(self._topic, timeout_ms=_POLL_MS)).get(self._topic, ())
                self._known.update(map(key_of, found))
                stable = reader.last_stable_offset(self._topic)
                if not found and stable is not None and 0 <= stable <= at:
                    break
            self._read_up_to = await reader.position(self._topic)
        finally:
            await reader.stop()


class _NotFenced(logging.Filter):
    """Filter of asyncio's reports of a fenced producer.

    aiokafka gives the error to futures nobody waits for, besides the one that raises it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], ProducerFenced))


logging.getLogger("asyncio").addFilter(_NotFenced())


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Hold an exclusive lock on a file; its process's death releases it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
