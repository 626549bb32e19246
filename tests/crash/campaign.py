"""A campaign of ``kill -9``: workers die at every named step and at random instants, again and again.

A life is one worker process from its start to its death. Half of them die at a failpoint, half at an instant drawn at
random, which as often as not falls into recovery from the death before. When the input is used up, a last worker ends
the round in peace; what it leaves must be, to the last row and version, what a run without any death leaves, and pass
the independent recount.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from schemas.errors import WorkerDied
from schemas.failpoints import STEPS
from schemas.topics import Topics
from streams.cli.processes import running, worker_environment
from streams.engine.admin import end_offsets
from streams.feeds.archive import ArchiveRecord
from streams.settings import Role, Settings
from tests.crash.figures import Figures, Tables
from tests.support.brokers import read_all
from tests.support.month import BROKEN, month
from tests.support.recorded_archive import (
    AGREEMENT,
    archive_of,
    in_peace,
    judged_to,
    publish_archive,
    settings_for,
    wait_until,
)
from tests.support.records import tables, tables_without_places
from tests.support.standbys import copy_of, taken_in

#: A worker reads its first record after some seconds: random deaths fall before, into recovery, and behind it.
LONGEST_RANDOM_LIFE = 5.0
#: When a step was not reached by now it will not be: there is too little left to read.
PATIENCE_FOR_A_STEP = 30.0
#: Some steps are not reached in a life that has too little to do, which then ends at random: together that makes half.
RANDOM_DEATHS = 0.6
#: Reached once in the life of a file, so they need a file of their own.
ONCE = ("store.migrating", "store.migrated", "store.viewing")
REPORTS = 3_000
LIVES_A_ROUND = 60
STEPS_OF: dict[Role, tuple[str, ...]] = {
    "intake": tuple(step for step in STEPS if step.startswith("intake.")),
    "ledger": tuple(step for step in STEPS if not step.startswith("intake.")),
}


class Kills(Figures):
    """What a campaign of ``kill -9`` went through and found."""

    @property
    def at_failpoints(self) -> int:
        """Deaths at a named step."""
        return self.met - self.faults["at random"]

    def headline(self) -> str:
        """Say how many deaths there were, and how many at a named step."""
        return f"{self.met} kills survived, {self.at_failpoints} of them at failpoints"


def ledger_campaign(
    broker: str,
    prefix: str,
    folder: Path,
    kills: int,
    draw: random.Random,
    only: Sequence[str] = (),
    count: int = REPORTS,
) -> Kills:
    """Kill a ledger ``kills`` times over one facts topic, and compare each finished file with an undisturbed one."""
    figures = Kills()
    topics = Topics(prefix)
    archive = archive_of(month(count))
    asyncio.run(publish_archive(broker, topics, archive))
    settings = settings_for(broker, prefix, folder / "whole")
    with running(("intake",), settings) as (intake,):
        wait_until(lambda: taken_in(broker, topics, topics.archive) >= len(archive), intake)
    facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
    _finish(settings, facts)
    whole = tables(copy_of(settings))
    steps = _steps(only or STEPS_OF["ledger"], draw, always=bool(only))
    while figures.met < kills:
        figures.rounds += 1
        disturbed = settings.model_copy(update={"data": folder / f"round-{figures.rounds}"})
        # A last life more, with the file all but finished, dies while nothing is left to do.
        while figures.met < kills and judged_to(copy_of(disturbed)) < facts:
            begun = _live_and_die("ledger", disturbed, figures, steps, draw)
            figures.look_at(copy_of(begun))
            if begun.data != disturbed.data:
                # Killed as it made its file: another ledger is to find all of it, or nothing.
                _finish_and_compare(begun, facts, whole, figures)
        _finish_and_compare(disturbed, facts, whole, figures)
    return figures


def intake_campaign(
    broker: str,
    prefix: str,
    folder: Path,
    kills: int,
    draw: random.Random,
    only: Sequence[str] = (),
    count: int = REPORTS,
) -> Kills:
    """Kill an intake ``kills`` times; the facts it leaves must judge as those of an intake that never died."""
    figures = Kills()
    reports = month(count)
    archive = archive_of(reports)
    whole = _undisturbed(broker, f"{prefix}.whole", folder, archive)
    # Every life finds some records more than the one before left.
    portion = max(1, len(archive) // LIVES_A_ROUND)
    steps = _steps(only or STEPS_OF["intake"], draw, always=bool(only))
    while figures.met < kills:
        figures.rounds += 1
        topics = Topics(f"{prefix}.r{figures.rounds}")
        settings = settings_for(broker, topics.prefix, folder / f"intake-{figures.rounds}")
        given = 0
        while figures.met < kills and given < len(archive):
            asyncio.run(publish_archive(broker, topics, archive[given : given + portion]))
            given += portion
            _live_and_die("intake", settings, figures, steps, draw)
        asyncio.run(publish_archive(broker, topics, archive[given:]))
        with running(("intake",), settings) as (intake,):
            wait_until(lambda topics=topics: taken_in(broker, topics, topics.archive) >= len(archive), intake)
        facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
        _finish(settings, facts)
        figures.compare(tables_without_places(copy_of(settings)), whole)
        figures.recount(copy_of(settings))
        kept, distinct, outcomes = _counted(copy_of(settings))
        figures.lost += max(0, len(reports) - outcomes) + max(0, len(reports) - reports.count(BROKEN) - distinct)
        figures.doubled += (kept - distinct) + max(0, outcomes - len(reports))
        unreadable = {offset for offset, (_, value, _) in enumerate(archive) if value == BROKEN}
        figures.lost += len(unreadable - _dead_letters(broker, topics))
    return figures


def _undisturbed(
    broker: str, prefix: str, folder: Path, archive: list[ArchiveRecord]
) -> dict[str, list[tuple[object, ...]]]:
    topics = Topics(prefix)
    asyncio.run(publish_archive(broker, topics, archive))
    settings = settings_for(broker, prefix, folder / "whole")
    with running(("intake",), settings) as (intake,):
        wait_until(lambda: taken_in(broker, topics, topics.archive) >= len(archive), intake)
    _finish(settings, asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0])
    return tables_without_places(copy_of(settings))


def _steps(steps: Sequence[str], draw: random.Random, *, always: bool) -> Iterator[str | None]:
    """Yield every step in turn, for ever, in an order that changes; None for a random instant as often, or never."""
    while True:
        for step in draw.sample(steps, len(steps)):
            yield step
            if not always and draw.random() < RANDOM_DEATHS:
                yield None


def _live_and_die(
    role: Role, settings: Settings, figures: Kills, steps: Iterator[str | None], draw: random.Random
) -> Settings:
    """Run one worker until it dies at a step, or at a random instant; return what it ran with."""
    step = next(steps)
    if step in ONCE and (settings.data / AGREEMENT / "live.duckdb").exists():
        settings = settings.model_copy(update={"data": settings.data / f"new-{figures.met}"})
    # Of a portion an intake makes one batch; a file is opened once a life, and copied now and then.
    often = step is not None and step.startswith("ledger.")
    failpoint = None if step is None else f"{step}:{draw.randint(1, 3) if often else 1}"
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "streams", "worker", "--role", role],
        env=worker_environment(settings.model_copy(update={"failpoint": failpoint})),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = process.communicate(timeout=PATIENCE_FOR_A_STEP if step else draw.uniform(0.0, LONGEST_RANDOM_LIFE))
        if process.returncode != -signal.SIGKILL:
            raise AssertionError(f"the {role} ended by itself with {process.returncode}: {said}")
        figures.faults[step or "at random"] += 1
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        figures.faults["at random"] += 1
    return settings


def _finish_and_compare(settings: Settings, facts: int, whole: Tables, figures: Kills) -> None:
    """Hold what a last ledger makes of a folder against an undisturbed one; one that none can go on with is lost."""
    try:
        _finish(settings, facts)
    except WorkerDied as death:
        figures.lost += 1
        figures.examples.append(f"no ledger goes on: {death}")
        return
    figures.compare(tables(copy_of(settings)), whole)
    figures.recount(copy_of(settings))


def _finish(settings: Settings, facts: int) -> None:
    """Let a ledger come to the end of the facts topic and stop in peace."""
    with running(("ledger",), in_peace(settings)) as (ledger,):
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)


def _dead_letters(broker: str, topics: Topics) -> set[int]:
    """Return the offsets in the archive of the records that were rejected, as the topic of rejects has them."""
    end = asyncio.run(end_offsets(broker, topics.rejects))[0]
    records = asyncio.run(read_all(broker, topics.rejects, end))
    return {int(dict(record.headers)["__streams.errors.offset"]) for record in records}


def _counted(copy: Path) -> tuple[int, int, int]:
    """Return the reports kept, their distinct source records, and all outcomes counted."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        kept, distinct = connection.execute(
            "SELECT count(*), count(DISTINCT (source_partition, source_offset)) FROM reports"
        ).fetchall()[0]
        outcomes = connection.execute(
            "SELECT sum(accepted + corrected + retracted + duplicate + superseded + rejected)::BIGINT FROM feeds"
        ).fetchall()[0][0]
        return int(kept), int(distinct), int(outcomes)
