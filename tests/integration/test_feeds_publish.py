"""Publishing: every report acknowledged once, in the topic of its type, with a receipt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.errors import BrokerUnavailable, InputFileError
from schemas.topics import Topics, TopicSpec
from streams.engine.admin import end_offsets, ensure_topics
from streams.feeds.jsonl import peek
from streams.feeds.publish import Acknowledgement, publish
from streams.feeds.recorded import Named

pytestmark = pytest.mark.broker


def named(*values: bytes) -> list[Named]:
    return [Named("reports.jsonl", peek(value, line)) for line, value in enumerate(values, start=1)]


def a_report(type_: str, report_id: str) -> bytes:
    return json.dumps({"type": type_, "feed": "f", "report_id": report_id}).encode()


async def values_of(broker: str, topic: str) -> dict[bytes, tuple[bytes | None, int]]:
    """Every value in a topic with its key and partition."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker.removeprefix("kafka://"), auto_offset_reset="earliest")
    await consumer.start()
    try:
        expected = sum((await end_offsets(broker, topic)).values())
        found: dict[bytes, tuple[bytes | None, int]] = {}
        async with asyncio.timeout(20):
            while len(found) < expected:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found |= {record.value: (record.key, record.partition) for record in records}
        return found
    finally:
        await consumer.stop()


async def test_each_report_goes_to_the_topic_of_its_type_byte_for_byte(embedded_broker: str, prefix: str) -> None:
    topics = Topics(prefix)
    sent = [a_report("incident", "i"), a_report("convoy", "c"), a_report("coverage", "n"), b"garbage"]
    sent.append(a_report("position", "p"))
    receipts: list[Acknowledgement] = []
    done = await publish(embedded_broker, topics, named(*sent), receipts.append)
    by_topic = {topics.incidents: 1, topics.convoys: 1, topics.notices: 2, topics.positions: 1}
    assert (done.reports, done.by_topic) == (5, by_topic)
    assert [(slip.line, slip.report_id, slip.topic) for slip in receipts] == [
        (1, "i", topics.incidents),
        (2, "c", topics.convoys),
        (3, "n", topics.notices),
        (4, None, topics.notices),
        (5, "p", topics.positions),
    ]
    assert {value: key for value, (key, _) in (await values_of(embedded_broker, topics.notices)).items()} == {
        sent[2]: b"f/n",
        b"garbage": None,
    }


async def test_receipts_name_the_partition_and_one_identity_keeps_to_one(embedded_broker: str, prefix: str) -> None:
    topics = Topics(prefix, partitions=3)
    receipts: list[Acknowledgement] = []
    reports = named(*(a_report("incident", f"i{number % 40}") + b" " * number for number in range(200)))
    await publish(embedded_broker, topics, reports, receipts.append)
    found = await values_of(embedded_broker, topics.incidents)
    placed = {each.report.value: receipt.partition for each, receipt in zip(reports, receipts, strict=True)}
    assert {value: partition for value, (_, partition) in found.items()} == placed
    assert len({(receipt.report_id, receipt.partition) for receipt in receipts}) == 40
    assert {receipt.partition for receipt in receipts} == {0, 1, 2}


async def test_topics_with_another_number_of_partitions_are_used_as_they_are(embedded_broker: str, prefix: str) -> None:
    topics = Topics(prefix, partitions=4)
    await ensure_topics(embedded_broker, [TopicSpec(topics.incidents, 1, -1)])
    receipts: list[Acknowledgement] = []
    await publish(embedded_broker, topics, named(a_report("incident", "a"), a_report("incident", "b")), receipts.append)
    assert {receipt.partition for receipt in receipts} == {0}


async def test_what_was_read_before_a_damaged_place_is_sent(embedded_broker: str, prefix: str) -> None:
    def damaged() -> Iterator[Named]:
        yield from named(a_report("incident", "a"))
        raise InputFileError("the rest is damaged")

    receipts: list[Acknowledgement] = []
    with pytest.raises(InputFileError, match="the rest is damaged"):
        await publish(embedded_broker, Topics(prefix), damaged(), receipts.append)
    assert [receipt.report_id for receipt in receipts] == ["a"]


async def test_nothing_to_publish_is_fine(embedded_broker: str, prefix: str) -> None:
    assert (await publish(embedded_broker, Topics(prefix), [], lambda _: None)).reports == 0


async def test_a_broker_that_is_not_there_is_told() -> None:
    with pytest.raises(BrokerUnavailable):
        await publish("kafka://127.0.0.1:1", Topics("t"), named(b"x"), lambda _: None)
