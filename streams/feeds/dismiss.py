"""Dismissals of rejects, published to the topic and partition the rejected records came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.errors import UsageError
from schemas.rejects import Dismissal, dismissal_record
from sinks.rejects import Reject
from streams.engine.admin import end_offsets
from streams.engine.cluster import Broker
from streams.engine.producer import BatchProducer, Outgoing
from streams.feeds.redrive import BATCH_RECORDS, origin_of


async def dismiss(
    broker: Broker, rejects: Sequence[Reject], dismissal: Dismissal, sent: Callable[[Reject], None]
) -> None:
    """Publish a dismissal of each reject; ``sent`` is called for each once the broker has it.

    Raises:
        BrokerUnavailable: the broker cannot be reached or refuses.
        UsageError: a topic is not there.
    """
    groups: dict[tuple[str, int], list[Reject]] = {}
    for reject in rejects:
        origin = origin_of(reject)
        groups.setdefault((origin.topic, origin.partition), []).append(reject)
    for topic, partition in groups:
        if partition not in await end_offsets(broker, topic):
            raise UsageError(
                f"there is no {topic}/{partition} on the Kafka broker at {broker}: the rejects came from there",
                "name the broker they came from",
            )
    producer = BatchProducer(broker)
    await producer.start()
    try:
        for (topic, partition), ours in groups.items():
            for start in range(0, len(ours), BATCH_RECORDS):
                batch = ours[start : start + BATCH_RECORDS]
                await producer.send(topic, partition, [_outgoing(reject, dismissal) for reject in batch])
                for reject in batch:
                    sent(reject)
    finally:
        await producer.stop()


def _outgoing(reject: Reject, dismissal: Dismissal) -> Outgoing:
    value, headers = dismissal_record(origin_of(reject), dismissal)
    return None, value, headers
