"""Workers of one agreement, run over an archive and watched from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from schemas.topics import Topics
from streams.cli.processes import Worker, running
from streams.engine.admin import committed_offsets, end_offsets
from streams.engine.cluster import Broker
from streams.security import cluster
from streams.settings import Settings
from streams.verify import verify
from tests.support.recorded_archive import (
    AGREEMENT,
    PATIENCE,
    archive_of,
    in_peace,
    judged_to,
    publish_archive,
    settings_for,
    wait_until,
)
from tests.support.records import tables
from tests.support.secured import as_role


class Recorded(NamedTuple):
    """Facts on a broker, and the tables an undisturbed ledger makes."""

    settings: Settings
    facts: int
    tables: dict[str, list[tuple[Any, ...]]]


def recorded(broker: Broker, prefix: str, data: Path, reports: Sequence[bytes]) -> Recorded:
    """Take reports in, let one ledger judge them, and recount its file.

    Tables equal to these have then been recounted as well.
    """
    topics = Topics(prefix)
    archive = archive_of(reports)
    asyncio.run(publish_archive(broker, topics, archive))
    settings = settings_for(broker, prefix, data)
    facts = take_in(settings, len(archive))
    finish(settings, facts)
    if differences := verify(copy_of(settings)):
        raise AssertionError(f"the recount differs: {differences[0]}")
    return Recorded(settings, facts, tables(copy_of(settings)))


def take_in(settings: Settings, records: int) -> int:
    """Let an intake come to the end of an archive of so many records; return the end of the facts topic."""
    topics, broker = Topics(settings.topic_prefix), cluster(settings)
    with running(("intake",), as_role(settings, "intake")) as (intake,):
        wait_until(lambda: taken_in(broker, topics, topics.archive) >= records, intake)
    return facts_end(settings)


def facts_end(settings: Settings) -> int:
    """Return the offset behind the last fact."""
    facts = Topics(settings.topic_prefix).facts(AGREEMENT)
    return asyncio.run(end_offsets(cluster(settings), facts))[0]


def finish(settings: Settings, facts: int) -> None:
    """Let a ledger come to the end of the facts topic and stop in peace."""
    with running(("ledger",), as_role(in_peace(settings), "ledger")) as (ledger,):
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)


def taken_in(broker: Broker, topics: Topics, topic: str) -> int:
    """Return how many records of a topic intake has committed."""
    return sum(asyncio.run(committed_offsets(broker, topics.intake_group(AGREEMENT), topic)).values())


def told(settings: Settings) -> int:
    """Return the offset the group of ledgers has committed; 0 before there is one."""
    topics = Topics(settings.topic_prefix)
    found = committed_offsets(cluster(settings), topics.ledger_group(AGREEMENT), topics.facts(AGREEMENT))
    return asyncio.run(found).get(0, 0)


def copy_of(settings: Settings) -> Path:
    """Return the path of the published copy."""
    return settings.data / AGREEMENT / "compliance.duckdb"


@contextmanager
def worker(settings: Settings, role: str = "ledger", **changes: Any) -> Iterator[Worker]:
    """A worker process that is gone at the end of the block, whatever became of it."""
    process = Worker(role, as_role(settings, role).model_copy(update=changes), echo=False)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        process.kill()


def stands_still(worker: Worker) -> bool:
    """Whether a process was stopped."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def has_ended(worker: Worker) -> bool:
    """Whether a process has ended."""
    return worker._process.poll() is not None


def wake(worker: Worker) -> None:
    """Let a process that was stopped go on."""
    os.kill(worker.pid, signal.SIGCONT)


def wait_for_words(worker: Worker, words: str) -> None:
    """Wait for a worker to have logged some words."""
    wait_until(lambda: any(words in line for line in list(worker._tail)), worker)


def end_of(worker: Worker) -> tuple[int, list[str]]:
    """Wait for a process to end; return its exit code and what it logged, to the last line."""
    code = worker._process.wait(PATIENCE)
    worker._reader.join(PATIENCE)
    return code, list(worker._tail)
