"""End offsets of partitions, right on every broker.

The embedded broker answers ListOffsets with the end of the first record of its last batch, however
many follow. The high watermark in its answers to fetches is right, as it is on Apache Kafka, so it
counts here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition


async def ends_of(consumer: Any, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the next offset of each partition.

    ``consumer`` is an aiokafka consumer assigned to them. Its position is another one afterwards.
    """
    reported = await consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, reported[partition])
    while any(consumer.highwater(partition) is None for partition in partitions):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.005)
    return {partition: max(reported[partition], consumer.highwater(partition)) for partition in partitions}
