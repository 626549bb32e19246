"""Reading of receipts from brokers with transactions, with other feeds, and from one that leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.errors import BrokerUnavailable
from schemas.receipts import Receipt, digest_of, records_of
from schemas.topics import Topics
from sinks.outbox import Entering, Outbox
from streams.engine.cluster import cluster_of
from streams.feeds.fates import Fates
from streams.feeds.outbox import send, watch
from streams.feeds.receipts import ReceiptReader, reading
from streams.feeds.recorded import Named, Recorded
from tests.support.absences import Own, own_broker
from tests.support.brokers import topic_of, write

PATIENCE = 120.0


def receipt(number: int) -> Receipt:
    return Receipt("syria-2016", "accepted", digest_of(b"%d" % number), "another", f"r{number}", 1)


@pytest.fixture(
    params=[
        pytest.param("embedded hangs", marks=pytest.mark.broker),
        pytest.param("kafka restarts", marks=[pytest.mark.broker, pytest.mark.kafka]),
    ]
)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Own]:
    with own_broker(request.param, tmp_path / "broker") as own:
        yield own


async def for_ever(reader: ReceiptReader) -> None:
    while True:
        await reader.more()


@contextlib.asynccontextmanager
async def others(broker: str, topic: str) -> AsyncIterator[None]:
    """Write receipts of another feed without end."""

    async def go_on() -> None:
        number = 0
        while True:
            await write(broker, topic, 0, list(records_of([receipt(number)])))
            number += 1

    writing = asyncio.create_task(go_on())
    try:
        yield
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing


@pytest.mark.kafka
async def test_markers_of_transactions_are_read_past(apache_kafka: str, prefix: str) -> None:
    topic = await topic_of(apache_kafka, Topics(prefix).receipts)
    producer = AIOKafkaProducer(**cluster_of(apache_kafka).client, transactional_id=prefix)
    await producer.start()
    async with producer.transaction():
        for _, value, _ in records_of([receipt(1)]):
            await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()
    async with asyncio.timeout(PATIENCE), reading(apache_kafka, topic, patience_seconds=5.0, offset=0) as reader:
        assert [each async for each in reader.present()] == [receipt(1)]
        assert reader.next_offset == reader.end == 2


async def test_a_broker_that_leaves_is_waited_for_and_then_given_up(own: Own) -> None:
    topic = await topic_of(own.url, "truce.receipts.v1")
    await write(own.url, topic, 0, list(records_of([receipt(1)])))
    async with asyncio.timeout(PATIENCE), reading(own.url, topic, patience_seconds=1.0, offset=0) as reader:
        assert [each async for each in reader.present()] == [receipt(1)]
        own.leave()
        with pytest.raises(BrokerUnavailable):
            await for_ever(reader)
        own.come_back()


async def test_receipts_of_others_are_no_sign_of_ones_own(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    topics = Topics(prefix)
    await topic_of(embedded_broker, topics.receipts)
    fates = Fates(lambda _: None, "syria-2016", 1.0)
    assert len(list(fates.sending([Named("reports.jsonl", Recorded(b"mine", None, None, 1))]))) == 1
    outbox = Outbox.open(tmp_path)
    outbox.keep([Entering(b"mine", "f", "r1", 1, "incident", "reports.jsonl", 1)], "syria-2016")
    try:
        async with asyncio.timeout(PATIENCE), others(embedded_broker, topics.receipts):
            async with reading(embedded_broker, topics.receipts, patience_seconds=30.0) as reader:
                with pytest.raises(BrokerUnavailable, match="nobody told of 1 of them"):
                    await fates.all_told(reader)
            assert await send(outbox, embedded_broker, topics, 30.0) == 1
            with pytest.raises(BrokerUnavailable, match="1 reports were sent, and nobody told of them"):
                await watch(outbox, embedded_broker, topics, lambda _: None, 1.0, 30.0)
    finally:
        outbox.close()
