"""``kill -9`` in mid-stream, on real brokers: every table ends as if it had not happened, versions included."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from schemas.agreement_file import load_agreement
from schemas.topics import Topics
from schemas.truceday import to_micros
from streams.cli.processes import Worker, running
from streams.engine.admin import committed_offsets, end_offsets, ensure_topics
from streams.engine.producer import BatchProducer
from streams.feeds.archive import Archive
from streams.feeds.jsonl import peek
from streams.settings import Settings
from tests.support.month import BROKEN, month
from tests.support.records import tables

AGREEMENT = "syria-2016"
PATIENCE = 120.0
REPORTS = month(1_500)


def settings_for(broker: str, prefix: str, data: Path) -> Settings:
    """Return settings under which some forty commits are needed to get through the reports of a month."""
    return Settings(
        broker=broker,
        topic_prefix=prefix,
        data=data,
        stamps="archive",
        flush_records=40,
        publish_seconds=0.2,
        log_level="warning",
    )


async def fill_archive(broker: str, topics: Topics) -> int:
    """Publish the reports with their ticks; return how many records that is."""
    calendar = load_agreement(AGREEMENT).calendar
    await ensure_topics(broker, topics.specs((AGREEMENT,), archive=True))
    producer = BatchProducer(broker)
    await producer.start()
    total = 0
    try:
        with Archive([calendar], "reported", now=to_micros(datetime(2017, 1, 1, tzinfo=UTC))) as archive:
            archive.add(peek(value, line) for line, value in enumerate(REPORTS, start=1))
            for chunk in archive.chunks():
                await producer.send(topics.archive, 0, chunk)
                total += len(chunk)
    finally:
        await producer.stop()
    return total


def wait_until(done: object, worker: Worker | None = None) -> None:
    """Wait for ``done()`` to be true."""
    deadline = time.monotonic() + PATIENCE
    while not done():  # type: ignore[operator]
        if worker is not None:
            worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def judged_to(copy: Path) -> int:
    """Return the offset a published copy goes up to; -1 before there is one."""
    if not copy.exists():
        return -1
    with duckdb.connect(str(copy), read_only=True) as connection:
        return int(connection.execute("SELECT next_offset FROM ledger_state").fetchall()[0][0])


@pytest.mark.crash
def test_a_ledger_killed_again_and_again_ends_with_the_same_tables(broker: str, prefix: str, tmp_path: Path) -> None:
    topics = Topics(prefix)
    total = asyncio.run(fill_archive(broker, topics))
    settings = settings_for(broker, prefix, tmp_path / "killed")

    def taken_in() -> bool:
        return sum(asyncio.run(committed_offsets(broker, topics.intake_group, topics.archive)).values()) >= total

    draw = random.Random(prefix)
    copy = tmp_path / "killed" / AGREEMENT / "compliance.duckdb"
    with running(("intake",), settings) as (intake,):
        kills = 0
        while kills < 6:
            ledger = Worker("ledger", settings, echo=False)
            before = judged_to(copy)
            try:
                # Somewhere behind the first copy it publishes, so that it dies in mid-stream and not at its start.
                wait_until(lambda seen=before: judged_to(copy) > seen, ledger)
                time.sleep(draw.random() * 0.3)
            finally:
                ledger.kill()
            kills += 1
            if judged_to(copy) >= total:
                break
        wait_until(taken_in, intake)
    facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
    assert facts == total
    for folder in ("killed", "whole"):
        copy = tmp_path / folder / AGREEMENT / "compliance.duckdb"
        with running(("ledger",), settings.model_copy(update={"data": tmp_path / folder})) as (ledger,):
            wait_until(lambda there=copy: judged_to(there) >= facts, ledger)
    copies = [tmp_path / folder / AGREEMENT / "compliance.duckdb" for folder in ("killed", "whole")]
    assert tables(copies[0]) == tables(copies[1])
    assert kills >= 2


@pytest.mark.crash
def test_an_intake_killed_in_mid_stream_loses_and_doubles_nothing(broker: str, prefix: str, tmp_path: Path) -> None:
    """Facts may be written twice; the ledger counts each source record once."""
    topics = Topics(prefix)
    total = asyncio.run(fill_archive(broker, topics))
    settings = settings_for(broker, prefix, tmp_path)
    for _ in range(3):
        before = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
        intake = Worker("intake", settings, echo=False)
        try:
            wait_until(
                lambda seen=before: (
                    asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0] > seen or seen >= total
                ),
                intake,
            )
        finally:
            intake.kill()
    copy = tmp_path / AGREEMENT / "compliance.duckdb"
    with running(("intake", "ledger"), settings) as (intake, ledger):
        wait_until(
            lambda: sum(asyncio.run(committed_offsets(broker, topics.intake_group, topics.archive)).values()) >= total,
            intake,
        )
        facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
        wait_until(lambda: judged_to(copy) >= facts, ledger)
    with duckdb.connect(str(copy), read_only=True) as connection:
        outcomes = "SELECT sum(accepted + corrected + retracted + superseded), sum(duplicate), sum(rejected) FROM feeds"
        kept, duplicate, rejected = connection.execute(outcomes).fetchall()[0]
        distinct = "SELECT count(*), count(DISTINCT source_offset) FROM reports"
        assert connection.execute(distinct).fetchall() == [(kept, kept)]
    unreadable = REPORTS.count(BROKEN)
    assert unreadable > 5
    assert (kept, duplicate, rejected) == (len(REPORTS) - unreadable, 0, unreadable)
