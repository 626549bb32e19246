"""What keeps gaps out of the log when a broker fails in the middle of a list of records."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.engine.producer import CLIENT, BatchProducer, Outgoing
from tests.support.brokers import read_all, topic_of

pytestmark = pytest.mark.broker


async def test_a_batch_is_handed_over_only_after_the_one_before_it_was_acknowledged(
    broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gives up one batch after its time and still sends the next: it must never have two.

    The ledger takes each source's records to come in order, and would never see such a gap filled.
    """
    monkeypatch.setitem(CLIENT, "max_batch_size", 20_000)
    topic = await topic_of(broker, f"{prefix}.facts")
    records: list[Outgoing] = [(None, f"{number:05}".encode() * 200, []) for number in range(400)]
    sender = BatchProducer(broker)
    await sender.start()
    client: Any = sender._producer
    hand_over = client.send_batch
    under_way: list[int] = []
    futures: list[asyncio.Future[object]] = []

    async def counted(*args: Any, **options: Any) -> asyncio.Future[object]:
        under_way.append(sum(not future.done() for future in futures))
        futures.append(await hand_over(*args, **options))
        return futures[-1]

    client.send_batch = counted
    await sender.send(topic, 0, records)
    await sender.stop()
    assert len(under_way) > 10
    assert set(under_way) == {0}
    assert [record.value for record in await read_all(broker, topic, 400)] == [value for _, value, _ in records]
