"""Facts of a topic in its order, as lines that a person can read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import facts
from schemas.chunks import count_of
from schemas.errors import UsageError
from schemas.facts import Fact
from schemas.truceday import from_micros
from streams.engine.admin import beginning_offsets, end_offsets
from streams.engine.cluster import Broker, cluster_of
from streams.engine.fact_records import facts_in
from streams.engine.kafka_errors import kafka_errors
from streams.engine.producer import BATCH_BYTES

_WAIT_MS = 1_000
#: Fields that hold microseconds since 1970.
_INSTANTS = frozenset({"stamp", "reported_at", "from", "to", "effective_at", "until"})


async def fact_lines(broker: Broker, topic: str, first: int = 0) -> AsyncIterator[dict[str, Any]]:
    """Yield every fact of a topic up to its present end, from number ``first`` on.

    Facts are counted from the first record that the topic still holds.

    Raises:
        UsageError: there is no such topic.
        FactUnreadable: a record is no chunk of facts.
        BrokerUnavailable: nobody answers.
    """
    begins, end = await beginning_offsets(broker, topic), (await end_offsets(broker, topic)).get(0)
    if end is None:
        raise UsageError(f"there is no topic {topic} on the Kafka broker at {broker}")
    partition, number = TopicPartition(topic, 0), 0
    consumer = AIOKafkaConsumer(
        **cluster_of(broker).client, enable_auto_commit=False, max_partition_fetch_bytes=BATCH_BYTES
    )
    with kafka_errors(broker):
        try:
            await consumer.start()
            consumer.assign([partition])
            consumer.seek(partition, begins[0])
            while await consumer.position(partition) < end:
                for record in (await consumer.getmany(partition, timeout_ms=_WAIT_MS)).get(partition, ()):
                    if record.offset < end and number + count_of(record.headers) > first:
                        for place, told in enumerate(facts_in(record), number):
                            if place >= first:
                                yield _line(place, record.offset, *told)
                    number += count_of(record.headers)
        finally:
            await consumer.stop()


def _line(number: int, offset: int, fact: Fact, body: bytes) -> dict[str, Any]:
    said = _with_instants(orjson.loads(facts.encode(fact)))
    try:
        report = {"report": body.decode()}
    except UnicodeDecodeError:
        report = {"report_base64": b64encode(body).decode()}
    return {"number": number, "offset": offset, **said, **report}


def _with_instants(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a fact says, with instants as text."""
    shown = {}
    for name, value in said.items():
        if isinstance(value, dict):
            value = _with_instants(value)
        elif name in _INSTANTS and isinstance(value, int):
            value = from_micros(value).isoformat()
        shown[name] = value
    return shown
