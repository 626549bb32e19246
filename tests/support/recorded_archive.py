"""A recorded archive on a broker, and how far workers have come with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from schemas.truceday import to_micros
from streams.cli.processes import Worker
from streams.engine.admin import ensure_topics
from streams.engine.cluster import Broker
from streams.engine.producer import BatchProducer
from streams.feeds.archive import Archive, ArchiveRecord
from streams.feeds.dry_run import accepted_by
from streams.feeds.jsonl import peek
from streams.intake.examine import Examiner
from streams.settings import Settings
from tests.support.secured import connection_of

AGREEMENT = "syria-2016"
#: A worker beside a load of 20 takes two minutes from its start to its first record.
PATIENCE = 600.0
#: How often it is looked whether something is done: each look opens a file or asks the broker.
GLANCE = 0.2


def settings_for(broker: Broker, prefix: str, data: Path) -> Settings:
    """Return settings under which a hundred commits are needed to get through the reports of a month."""
    return Settings.model_validate(
        {
            **connection_of(broker),
            "topic_prefix": prefix,
            "data": data,
            "stamps": "archive",
            # No divisor of that: chunks and flushes end at different facts.
            "chunk_facts": 13,
            "flush_records": 40,
            "publish_seconds": 0.2,
            "log_level": "warning",
        }
    )


def in_peace(settings: Settings) -> Settings:
    """Return settings for a ledger that nothing disturbs: its commits are few, and where they fall never shows."""
    return settings.model_copy(update={"flush_records": 1_000})


def archive_of(reports: Sequence[bytes]) -> list[ArchiveRecord]:
    """Return the reports with their ticks, in the order a replay publishes them."""
    agreement, now = load_agreement(AGREEMENT), to_micros(datetime(2017, 1, 1, tzinfo=UTC))
    accepted = accepted_by(Examiner([agreement], load_gazetteer(agreement.gazetteer), "archive"), now)
    with Archive([agreement.calendar], "reported", now=now, accepted=accepted) as archive:
        archive.add(peek(value, line) for line, value in enumerate(reports, start=1))
        return [record for chunk in archive.chunks() for record in chunk]


async def publish_archive(broker: Broker, topics: Topics, records: Sequence[ArchiveRecord]) -> None:
    """Append records to the archive topic, which is made if need be."""
    await ensure_topics(broker, topics.specs((AGREEMENT,), archive=True))
    producer = BatchProducer(broker)
    await producer.start()
    try:
        await producer.send(topics.archive, 0, records)
    finally:
        await producer.stop()


def wait_until(done: Callable[[], bool], worker: Worker | None = None) -> None:
    """Wait for ``done()`` to be true, and no longer than PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if worker is not None:
            worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(GLANCE)


def judged_to(copy: Path) -> int:
    """Return the offset in the facts topic a published copy goes up to; -1 before there is one."""
    if not copy.exists():
        return -1
    with duckdb.connect(str(copy), read_only=True) as connection:
        return int(connection.execute("SELECT next_offset FROM sink_offsets WHERE role = 'facts'").fetchall()[0][0])
