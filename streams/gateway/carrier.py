"""Carriage of records to the broker, over a connection that is made anew whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import structlog

from schemas.errors import BrokerRefused, RecordTooLarge, TrucewatchError
from schemas.topics import Topics
from streams.engine.admin import end_offsets
from streams.engine.cluster import Broker
from streams.engine.producer import BatchProducer
from streams.engine.reachability import BrokerReachability
from streams.feeds.publish import Acknowledgement, input_partitions, send_together
from streams.feeds.recorded import Named
from streams.gateway.problems import Problem, Refusal

log = structlog.get_logger(__name__)

#: How long a request waits for the broker. Shorter than a client's patience, so that an answer comes.
ANSWER_SECONDS = 8.0
#: How often an idle broker is asked, and how long its answer may take.
POLL_SECONDS = 5.0
#: How long one attempt to connect may take: some dozen round trips with TLS and SASL.
CONNECT_SECONDS = 20.0
#: Time between two attempts to connect.
AGAIN_SECONDS = 1.0
#: How long the end of the process waits for lost connections to close.
_CLOSE_SECONDS = 5.0
#: When a request that met no broker may come again.
RETRY_SECONDS = 5


class Carrier:
    """Producer of the gateway. While the broker is away each request is refused at once.

    Attributes:
        reachability: since when no broker has answered.
        receipts_end: an offset of the receipts topic, from which on receipts of what is published now are written.
    """

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self._broker = broker
        self._topics = topics
        self._partitions: dict[str, int] = {}
        self._producer: BatchProducer | None = None
        self._lost = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self.reachability = BrokerReachability(str(broker))
        self.receipts_end = 0

    @property
    def is_connected(self) -> bool:
        """Whether records can be published; any thread may ask."""
        return self._producer is not None

    async def publish(self, reports: Sequence[Named]) -> list[Acknowledgement]:
        """Publish reports; return an acknowledgement of each, in order.

        Raises:
            Refusal: the broker did not acknowledge all of them; it may have some. A fault of the
                records or of the account leaves the connection to the others.
        """
        producer = self._producer
        if producer is None:
            raise _away("no record was published")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await send_together(producer, self._topics, self._partitions, reports)
        except RecordTooLarge as error:
            raise _too_large(reports, error) from error
        except BrokerRefused as error:
            log.warning("not_published", records=len(reports), reason=str(error))
            raise Refusal(
                Problem.BROKER_REFUSED, "whoever runs the gateway has to grant it; the gateway's log has more"
            ) from error
        except (TrucewatchError, TimeoutError) as error:
            log.warning("not_published", records=len(reports), reason=str(error) or "no answer in time")
            if producer is self._producer:
                # At once: a request that comes meanwhile must not wait for the same broker.
                self._let_go()
                self._lost.set()
            raise _away("the broker may have taken some of the records") from error

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        tried = monotonic()
        try:
            while True:
                try:
                    await self._connect()
                except (TrucewatchError, TimeoutError) as error:
                    now = monotonic()
                    self.reachability.unanswered(now - tried)
                    tried = now
                    log.warning("not_connected", reason=str(error) or "no answer in time")
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                log.info("connected", broker=str(self._broker))
                await self._until_lost()
                tried = monotonic()
                self._let_go()
        finally:
            self._let_go()
            if self._closing:
                await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)

    async def _connect(self) -> None:
        producer = BatchProducer(self._broker)
        async with asyncio.timeout(CONNECT_SECONDS):
            # Anew each time: a broker that was away may have come back without its topics.
            self._partitions = await input_partitions(self._broker, self._topics)
            await self._look()
            await producer.start()
        self._lost.clear()
        self._producer = producer

    async def _until_lost(self) -> None:
        """Return when a request could not be published, or an idle broker does not answer."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._lost.wait()
                    return
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._look()
            except (TrucewatchError, TimeoutError) as error:
                log.warning("connection_lost", reason=str(error) or "no answer in time")
                return

    async def _look(self) -> None:
        self.receipts_end = (await end_offsets(self._broker, self._topics.receipts)).get(0, 0)
        self.reachability.answered()

    def _let_go(self) -> None:
        """Close the connection beside the next one: it first waits for batches that nobody will take."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # To its end: cancelled while it waits, the client keeps its connections and tasks for ever.
            closing = asyncio.create_task(producer.stop())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _too_large(reports: Sequence[Named], error: RecordTooLarge) -> Refusal:
    found = [each.report.line for each in reports if each.report.value is error.value]
    return Refusal(
        Problem.RECORD_TOO_LARGE,
        f"record {', '.join(map(str, found))} is larger than its topic takes; others may have been published: "
        "shorten raw or the texts, and send all again",
        records=found,
    )


def _away(what: str) -> Refusal:
    return Refusal(Problem.BROKER_AWAY, f"{what}; sending all of them again is harmless", RETRY_SECONDS)
