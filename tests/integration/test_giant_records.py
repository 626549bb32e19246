"""Records that were small when they were sent and are not when unpacked, on Apache Kafka: rejected, with a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import CUT_BYTES, Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.cluster import cluster_of
from streams.engine.producer import Outgoing
from streams.verify import verify
from tests.integration.test_live import AGREEMENT, ask, report, settings_for
from tests.support.brokers import read_all
from tests.support.recorded_archive import wait_until

MANY = 70_000
GIANTS: list[Outgoing] = [
    (None, b" " * 50_000_000, []),
    (None, report(report_id="many-headers"), [(f"h{number}", b"x" * 150) for number in range(MANY)]),
    (b"k" * 9_000_000, report(report_id="long-key"), []),
    (None, b"{", [("x", b"y" * 9_000_000)]),
    (b"k" * 9_000_000, b"[", [("x", b"y")]),
    (None, report(report_id="after-them"), []),
]


async def send_compressed(broker: str, topic: str) -> None:
    producer = AIOKafkaProducer(
        **cluster_of(broker).client,
        compression_type="gzip",
        max_request_size=100_000_000,
        max_batch_size=100_000_000,
    )
    await producer.start()
    try:
        for key, value, headers in GIANTS:
            await producer.send_and_wait(topic, value, key=key, headers=list(headers), partition=0)
    finally:
        await producer.stop()


@pytest.mark.broker
@pytest.mark.kafka
def test_a_record_that_unpacks_to_more_than_can_be_written_is_rejected_and_the_stream_goes_on(
    apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    settings = settings_for(apache_kafka, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    asyncio.run(ensure_topics(apache_kafka, topics.specs((AGREEMENT,))))
    asyncio.run(send_compressed(apache_kafka, topics.incidents))
    with running(("intake", "ledger"), settings):
        wait_until(lambda: ask(copy, "SELECT count(*) FROM reports WHERE report_id = 'after-them'") == [(1,)])
    rows = ask(copy, "SELECT code, octet_length(original), original_bytes FROM rejects ORDER BY source_offset")
    assert rows == [("too_large", CUT_BYTES, 50_000_000), ("not_json", 1, 1), ("not_json", 1, 1)]
    accepted = ask(copy, "SELECT report_id FROM reports ORDER BY source_offset")
    assert accepted == [("many-headers",), ("long-key",), ("after-them",)]
    assert verify(copy) == []
    letters = asyncio.run(read_all(apache_kafka, topics.rejects, 3))
    assert [(letter.key, dict(letter.headers).get("x")) for letter in letters] == [
        (None, None),
        (None, None),
        (None, b"y"),
    ]
