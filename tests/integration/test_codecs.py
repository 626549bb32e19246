"""Every codec Kafka has, on every topic of the pipeline, and records that no client can read."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.util import calc_crc32c

from schemas.topics import Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.cluster import cluster_of
from streams.verify import verify
from tests.integration.test_live import AGREEMENT, ask, report, settings_for
from tests.support.brokers import need_kafka, read_to_end
from tests.support.kafka import node_of
from tests.support.recorded_archive import wait_until

CRC_AT, ATTRIBUTES_AT = 17, 21


def of_type(kind: str, number: int) -> bytes:
    """Return a report of a type, an hour old."""
    moment = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    own: dict[str, Any] = {
        "incident": {},
        "convoy": {"kind": None, "convoy_id": f"c{number}", "step": "approved"},
        "coverage": {"kind": None, "place": None, "places": [{"pcode": "SY02"}], "nil": True},
        "position": {
            "kind": None,
            "place": None,
            "point": {"latitude": 36.2, "longitude": 37.1},
            "unit": "a battery",
            "party": "army",
            "weapon_class": "heavy",
        },
    }[kind]
    occurred = {"from": moment, "to": moment, "precision": "minute"}
    return report(type=kind, report_id=f"{kind}-{number}", occurred=occurred, reported_at=moment, **own)


async def make_topics(broker: str, topics: Topics, codec: str) -> None:
    """Make the topics so that the broker packs whatever is written to them."""
    client = AIOKafkaAdminClient(**cluster_of(broker).client)
    await client.start()
    try:
        specs = topics.specs((AGREEMENT,))
        configs = [{**spec.config, "compression.type": codec} for spec in specs]
        made = zip(specs, configs, strict=True)
        await client.create_topics([NewTopic(spec.name, spec.partitions, 1, topic_configs=each) for spec, each in made])
    finally:
        await client.close()
    await ensure_topics(broker, specs)


async def publish(broker: str, topic: str, values: list[bytes], codec: str | None) -> None:
    """Publish values in batches packed with a codec."""
    async with AIOKafkaProducer(**cluster_of(broker).client, compression_type=codec, linger_ms=50) as producer:
        for sent in [await producer.send(topic, value, partition=0) for value in values]:
            await sent


async def publish_with_header_name(broker: str, topic: str, value: bytes, name: bytes) -> None:
    """Publish a value with a header of this name, which need not be UTF-8."""
    async with AIOKafkaProducer(**cluster_of(broker).client) as producer:
        batch = producer.create_batch()
        placeholder = "~" * len(name)
        batch.append(timestamp=None, key=None, value=value, headers=[(placeholder, b"x")])
        built = bytearray(bytes(batch._build()).replace(placeholder.encode(), name))
        struct.pack_into(">I", built, CRC_AT, calc_crc32c(bytes(built[ATTRIBUTES_AT:])))
        batch._build = lambda: built
        await (await producer.send_batch(batch, topic, partition=0))


KINDS = ("incident", "convoy", "coverage", "position")
COUNTED = "SELECT sum(accepted)::INTEGER, sum(rejected)::INTEGER FROM feeds"


@pytest.mark.parametrize("codec", ["lz4", "snappy", "zstd"])
def test_what_a_topic_packs_by_its_own_setting_is_read(
    codec: str, apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    """Facts and rejects too, which the broker packs anew."""
    topics = Topics(prefix)
    settings = settings_for(apache_kafka, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    asyncio.run(make_topics(apache_kafka, topics, codec))
    for kind in KINDS:
        values = [of_type(kind, number) for number in range(20)]
        asyncio.run(publish(apache_kafka, topics.of_type(kind), values, None))
    asyncio.run(publish(apache_kafka, topics.incidents, [b"no JSON"], None))
    with running(("intake", "ledger"), settings) as workers:
        wait_until(lambda: ask(copy, COUNTED) == [(80, 1)], workers[0])
    assert ask(copy, "SELECT type, count(*) FROM reports GROUP BY type ORDER BY type") == [
        (kind, 20) for kind in sorted(KINDS)
    ]
    assert verify(copy) == []
    assert [letter.value for letter in asyncio.run(read_to_end(apache_kafka, topics.rejects))] == [b"no JSON"]


def test_what_feeds_pack_is_read_and_what_nobody_can_read_is_a_reject_with_its_place(
    apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    settings = settings_for(apache_kafka, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    asyncio.run(ensure_topics(apache_kafka, topics.specs((AGREEMENT,))))
    for number, codec in enumerate((None, "gzip", "lz4", "snappy", "zstd")):
        for kind in KINDS:
            values = [of_type(kind, 4 * number + each) for each in range(4)]
            asyncio.run(publish(apache_kafka, topics.of_type(kind), values, codec))
    asyncio.run(publish_with_header_name(apache_kafka, topics.incidents, of_type("incident", 20), b"\xff\xfe-name"))
    asyncio.run(publish(apache_kafka, topics.incidents, [of_type("incident", 21)], "zstd"))
    with running(("intake", "ledger"), settings) as workers:
        wait_until(lambda: ask(copy, COUNTED) == [(81, 1)], workers[0])
    found = ask(copy, "SELECT code, report_id, source_partition, source_offset, hint FROM rejects")
    assert [row[:4] for row in found] == [("unreadable", "incident-20", 0, 20)]
    assert found[0][4].startswith(r"offset 20: the header name b'\xff\xfe-name' is not UTF-8")
    assert verify(copy) == []
    (letter,) = asyncio.run(read_to_end(apache_kafka, topics.rejects))
    assert b"incident-20" in (letter.value or b"")


def test_a_batch_that_a_disk_damaged_is_one_reject_and_holds_up_nothing(prefix: str, tmp_path: Path) -> None:
    """By one flipped bit, past which a client is asked for the same batch again, for ever."""
    need_kafka()
    topics = Topics(prefix)
    node = node_of(tmp_path / "kafka")
    broker = node.start(0)
    try:
        asyncio.run(ensure_topics(broker, topics.specs((AGREEMENT,))))
        for number in range(3):
            values = [of_type("incident", 5 * number + each) for each in range(5)]
            asyncio.run(publish(broker, topics.incidents, values, "zstd" if number == 1 else None))
        node.stop()
        (segment,) = (tmp_path / "kafka").rglob(f"{topics.incidents}-0/*.log")
        damaged = bytearray(segment.read_bytes())
        (first_length,) = struct.unpack_from(">i", damaged, 8)
        damaged[12 + first_length + 100] ^= 1
        segment.write_bytes(damaged)
        broker = node.start(0)
        settings = settings_for(broker, prefix, tmp_path)
        copy = settings.data / AGREEMENT / "compliance.duckdb"
        with running(("intake", "ledger"), settings) as workers:
            wait_until(lambda: ask(copy, COUNTED) == [(10, 1)], workers[0])
        assert ask(copy, "SELECT code, source_offset, split_part(hint, ';', 1) FROM rejects") == [
            ("unreadable", 9, "offsets 5 to 9: the checksum of the batch is wrong")
        ]
        assert verify(copy) == []
    finally:
        node.stop()
