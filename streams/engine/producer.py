"""Producer of whole batches.

Sending record by record, aiokafka spends most of its time on futures that nobody awaits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import BrokerUnavailable, RecordTooLarge
from schemas.topics import MAX_MESSAGE_BYTES
from streams.engine.cluster import Broker, cluster_of
from streams.engine.kafka_errors import TOO_LARGE, is_passing, kafka_errors, our_error

#: Key, value, headers.
Outgoing = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]

#: Bytes of one batch on the wire: as much as the lane fetches at once. A larger record travels
#: alone.
BATCH_BYTES = 4 * 1_048_576
#: Room for the envelope of the largest record, and of the request around it.
_ENVELOPE_BYTES = 1_048_576
#: Shorter than any sensible patience: while a request waits for a broker that hangs, nothing else
#: is tried.
_REQUEST_MS = 10_000
_AGAIN_SECONDS = 0.5

#: Options of every producer here.
CLIENT: dict[str, Any] = {
    "acks": "all",
    "max_batch_size": BATCH_BYTES,
    "max_request_size": MAX_MESSAGE_BYTES + _ENVELOPE_BYTES,
    "request_timeout_ms": _REQUEST_MS,
}

logger = logging.getLogger(__name__)


class BatchProducer:
    """Producer of lists of records, to one partition at a time.

    Every replica must have acknowledged (``acks=all``), and a batch is handed to the client only
    after the one before it was. The log therefore always holds a prefix of the records sent. A
    retry can repeat records, which readers must bear: the embedded broker knows no idempotent
    producers.

    Args:
        broker: the cluster, or its address.
        patience_seconds: how long a broker may be gone. A batch is sent again for so long before it
            is an error.
    """

    def __init__(self, broker: Broker, patience_seconds: float = 0.0) -> None:
        self._broker = broker
        self._patience_seconds = patience_seconds
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            BrokerUnavailable: nobody answers.
        """
        let_go_unheard(asyncio.get_running_loop())
        producer = AIOKafkaProducer(**cluster_of(self._broker).client, **CLIENT)
        try:
            with kafka_errors(self._broker):
                await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect; harmless when not connected."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Append ``records`` to a partition; return their offsets when all are acknowledged.

        After an error some of them may have been written.

        Raises:
            BrokerUnavailable: the broker does not answer or refuses.
            RecordTooLarge: a record is larger than the topic takes.
        """
        producer = self._producer
        if producer is None:
            raise BrokerUnavailable("the producer is not connected")
        offsets: list[int] = []
        with kafka_errors(self._broker):
            # One batch at a time: the client would send the next one after giving this one up, and
            # leave a gap. A reader that relies on the order of each source's records never sees it
            # filled.
            for batch in batches(producer, records):
                sent = records[len(offsets) : len(offsets) + batch.record_count()]
                try:
                    first = await self._send_batch(producer, batch, topic, partition)
                except TOO_LARGE as error:
                    if len(sent) == 1:
                        raise RecordTooLarge(str(our_error(error, self._broker)), sent[0][1]) from error
                    # A topic measures whole batches: with a limit below ours each record may still be within it.
                    half = len(sent) // 2
                    offsets += await self.send(topic, partition, sent[:half])
                    offsets += await self.send(topic, partition, sent[half:])
                else:
                    offsets += range(first, first + len(sent))
        return offsets

    async def _send_batch(self, producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int) -> int:
        """Send one batch, again while the broker is gone; return the offset of its first record.

        The patience bounds the attempts.
        """
        began = time.monotonic()
        while True:
            try:
                written = await (await producer.send_batch(batch, topic, partition=partition))
            except (KafkaError, OSError) as error:
                gone = time.monotonic() - began
                if gone >= self._patience_seconds or not is_passing(error):
                    raise
                logger.warning("%s/%d: the broker did not take a batch for %.0f s, trying on", topic, partition, gone)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return int(written.offset)


def let_go_unheard(loop: asyncio.AbstractEventLoop) -> None:
    """Keep a loop quiet about errors of Kafka's that were set on futures nobody waits for.

    The client sets each error of a batch on two futures: on the one that is waited for here, and on one of
    its own that only a flush waits for. The loop would print a traceback for that one, though the batch was
    sent again and written.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        of_a_task = isinstance(context.get("future"), asyncio.Task)
        if of_a_task or not isinstance(context.get("exception"), KafkaError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)


def batches(producer: AIOKafkaProducer, records: Iterable[Outgoing]) -> Iterable[BatchBuilder]:
    """Cut ``records`` into batches of at most BATCH_BYTES.

    A larger record has a batch of its own.
    """
    batch = producer.create_batch()
    for key, value, headers in records:
        if batch.append(timestamp=None, key=key, value=value, headers=list(headers)) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value, headers=list(headers))
    if batch.record_count():
        batch.close()
        yield batch
