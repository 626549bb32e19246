"""What of an archive lies in its topic: read back, for the topic's end does not tell.

A producer that lost an acknowledgement sends a batch again, and what it sends again is in the topic twice. So each
record of an archive carries its number, and those are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.errors import UsageError
from streams.engine.admin import end_offsets
from streams.engine.cluster import Broker, cluster_of
from streams.engine.kafka_errors import kafka_errors
from streams.engine.producer import BATCH_BYTES
from streams.feeds.archive import NUMBER_HEADER
from streams.intake.examine import TICK_HEADER

_WAIT_MS = 1_000


@dataclass(frozen=True)
class ReadBack:
    """Records of an archive in its topic.

    Attributes:
        first_missing: number of the first record that is not there, or how many there are when none is missing.
        distinct: records that are there, each counted once however often it was written.
        reports: records that are no ticks, each counted as often as it was written.
    """

    first_missing: int
    distinct: int
    reports: int


async def read_back(broker: Broker, topic: str, total: int) -> ReadBack:
    """Read what a topic holds of an archive of ``total`` records.

    Raises:
        UsageError: it holds records that are not of such an archive.
        BrokerUnavailable: nobody answers.
    """
    end = (await end_offsets(broker, topic)).get(0, 0)
    # A byte for each: an archive has millions of records.
    seen, reports = bytearray(total), 0
    if end:
        partition = TopicPartition(topic, 0)
        consumer = AIOKafkaConsumer(
            **cluster_of(broker).client, enable_auto_commit=False, max_partition_fetch_bytes=BATCH_BYTES
        )
        with kafka_errors(broker):
            try:
                await consumer.start()
                consumer.assign([partition])
                consumer.seek(partition, 0)
                while await consumer.position(partition) < end:
                    for record in (await consumer.getmany(partition, timeout_ms=_WAIT_MS)).get(partition, ()):
                        seen[_number(record, total)] = 1
                        reports += all(name != TICK_HEADER for name, _ in record.headers)
            finally:
                await consumer.stop()
    missing = seen.find(0)
    return ReadBack(total if missing < 0 else missing, seen.count(1), reports)


def _number(record: ConsumerRecord[bytes | None, bytes | None], total: int) -> int:
    said = next((value for name, value in record.headers if name == NUMBER_HEADER), None) or b""
    if not said.isdigit() or int(said) >= total:
        raise UsageError(
            f"{record.topic} offset {record.offset}: not a record of these files' archive",
            "a run is gone on with by the files and options it was begun with; give another --run to begin anew",
        )
    return int(said)
