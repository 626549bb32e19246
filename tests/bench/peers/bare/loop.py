"""The yardstick: aiokafka and orjson, every record decoded and nothing kept."""

import asyncio
import os

import orjson
from aiokafka import AIOKafkaConsumer


async def main() -> None:
    """Read the topic for ever; the client commits offsets in the background, for the runner to see."""
    consumer = AIOKafkaConsumer(
        os.environ["PEER_TOPIC"],
        bootstrap_servers=os.environ["PEER_BROKER"],
        group_id=os.environ["PEER_NAME"],
        auto_offset_reset="earliest",
        auto_commit_interval_ms=100,
        max_partition_fetch_bytes=4 * 1_048_576,
    )
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=10_000)).values():
            for record in records:
                try:
                    orjson.loads(record.value)
                except orjson.JSONDecodeError:
                    continue


asyncio.run(main())
