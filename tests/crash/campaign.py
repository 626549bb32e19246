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
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb

from schemas.failpoints import STEPS
from schemas.topics import Topics
from sinks.verify import verify
from streams.cli.processes import running, worker_environment
from streams.engine.admin import committed_offsets, end_offsets
from streams.feeds.archive import ArchiveRecord
from streams.settings import Settings
from tests.support.month import BROKEN, month
from tests.support.recorded_archive import AGREEMENT, archive_of, judged_to, publish_archive, settings_for, wait_until
from tests.support.records import tables, tables_without_places

Role = Literal["intake", "ledger"]

#: A worker reads its first record after some seconds: random deaths fall before, into recovery, and behind it.
LONGEST_RANDOM_LIFE = 5.0
#: When a step was not reached by now it will not be: there is too little left to read.
PATIENCE_FOR_A_STEP = 30.0
#: Some steps are not reached in a life that has too little to do, which then ends at random: together that makes half.
RANDOM_DEATHS = 0.6
#: Reached once in the life of a file, so they need a file of their own.
ONCE = ("store.migrating", "store.migrated")
REPORTS = 3_000
#: Rows shown of each table that differs.
EXAMPLES = 3
LIVES_A_ROUND = 60
STEPS_OF: dict[Role, tuple[str, ...]] = {
    "intake": tuple(step for step in STEPS if step.startswith("intake.")),
    "ledger": tuple(step for step in STEPS if not step.startswith("intake.")),
}


@dataclass
class Figures:
    """What a campaign went through and what it found. Lost, doubled and torn are rows or files, and must be zero."""

    deaths: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    recounts: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """All deaths by SIGKILL."""
        return self.deaths.total()

    @property
    def at_failpoints(self) -> int:
        """Those at a named step."""
        return self.kills - self.deaths["at random"]

    def text(self) -> str:
        """All of it on some lines."""
        steps = ", ".join(f"{step} {count}" for step, count in sorted(self.deaths.items()))
        return (
            f"{self.kills} kills survived, {self.at_failpoints} of them at failpoints, in {self.rounds} rounds; "
            f"{self.recounts} recounts; lost {self.lost}, doubled {self.doubled}, torn {self.torn}\n  {steps}"
            + "".join(f"\n  {example}" for example in self.examples)
        )


def ledger_campaign(
    broker: str, prefix: str, folder: Path, kills: int, draw: random.Random, only: Sequence[str] = ()
) -> Figures:
    """Kill a ledger ``kills`` times over one facts topic, and compare each finished file with an undisturbed one."""
    figures = Figures()
    topics = Topics(prefix)
    archive = archive_of(month(REPORTS))
    asyncio.run(publish_archive(broker, topics, archive))
    settings = settings_for(broker, prefix, folder / "whole")
    with running(("intake",), settings) as (intake,):
        wait_until(lambda: _taken_in(broker, topics) >= len(archive), intake)
    facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
    _finish(settings, facts)
    whole = tables(_copy(settings))
    steps = _steps(only or STEPS_OF["ledger"], draw, always=bool(only))
    while figures.kills < kills:
        figures.rounds += 1
        disturbed = settings.model_copy(update={"data": folder / f"round-{figures.rounds}"})
        # A last life more, with the file all but finished, dies while nothing is left to do.
        while figures.kills < kills and judged_to(_copy(disturbed)) < facts:
            _live_and_die("ledger", disturbed, figures, steps, draw)
            if _is_torn(_copy(disturbed)):
                figures.torn += 1
                _copy(disturbed).unlink()
        _finish(disturbed, facts)
        _compare(tables(_copy(disturbed)), whole, figures)
        _recount(_copy(disturbed), figures)
    return figures


def intake_campaign(
    broker: str, prefix: str, folder: Path, kills: int, draw: random.Random, only: Sequence[str] = ()
) -> Figures:
    """Kill an intake ``kills`` times; the facts it leaves must judge as those of an intake that never died."""
    figures = Figures()
    reports = month(REPORTS)
    archive = archive_of(reports)
    whole = _undisturbed(broker, f"{prefix}.whole", folder, archive)
    # Every life finds some records more than the one before left.
    portion = max(1, len(archive) // LIVES_A_ROUND)
    steps = _steps(only or STEPS_OF["intake"], draw, always=bool(only))
    while figures.kills < kills:
        figures.rounds += 1
        topics = Topics(f"{prefix}.r{figures.rounds}")
        settings = settings_for(broker, topics.prefix, folder / f"intake-{figures.rounds}")
        given = 0
        while figures.kills < kills and given < len(archive):
            asyncio.run(publish_archive(broker, topics, archive[given : given + portion]))
            given += portion
            _live_and_die("intake", settings, figures, steps, draw)
        asyncio.run(publish_archive(broker, topics, archive[given:]))
        with running(("intake",), settings) as (intake,):
            wait_until(lambda topics=topics: _taken_in(broker, topics) >= len(archive), intake)
        facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
        _finish(settings, facts)
        _compare(tables_without_places(_copy(settings)), whole, figures)
        _recount(_copy(settings), figures)
        kept, distinct, outcomes = _counted(_copy(settings))
        figures.lost += max(0, len(reports) - outcomes) + max(0, len(reports) - reports.count(BROKEN) - distinct)
        figures.doubled += (kept - distinct) + max(0, outcomes - len(reports))
    return figures


def _undisturbed(
    broker: str, prefix: str, folder: Path, archive: list[ArchiveRecord]
) -> dict[str, list[tuple[object, ...]]]:
    topics = Topics(prefix)
    asyncio.run(publish_archive(broker, topics, archive))
    settings = settings_for(broker, prefix, folder / "whole")
    with running(("intake",), settings) as (intake,):
        wait_until(lambda: _taken_in(broker, topics) >= len(archive), intake)
    _finish(settings, asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0])
    return tables_without_places(_copy(settings))


def _steps(steps: Sequence[str], draw: random.Random, *, always: bool) -> Iterator[str | None]:
    """Yield every step in turn, for ever, in an order that changes; None for a random instant as often, or never."""
    while True:
        for step in draw.sample(steps, len(steps)):
            yield step
            if not always and draw.random() < RANDOM_DEATHS:
                yield None


def _live_and_die(
    role: Role, settings: Settings, figures: Figures, steps: Iterator[str | None], draw: random.Random
) -> None:
    """Run one worker until it dies at a step, or at a random instant."""
    step = next(steps)
    if step in ONCE and (settings.data / AGREEMENT / "live.duckdb").exists():
        settings = settings.model_copy(update={"data": settings.data / f"new-{figures.kills}"})
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
        figures.deaths[step or "at random"] += 1
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        figures.deaths["at random"] += 1


def _finish(settings: Settings, facts: int) -> None:
    """Let a ledger come to the end of the facts topic and stop in peace."""
    with running(("ledger",), settings) as (ledger,):
        wait_until(lambda: judged_to(_copy(settings)) >= facts, ledger)


def _taken_in(broker: str, topics: Topics) -> int:
    return sum(asyncio.run(committed_offsets(broker, topics.intake_group, topics.archive)).values())


def _copy(settings: Settings) -> Path:
    return settings.data / AGREEMENT / "compliance.duckdb"


def _is_torn(copy: Path) -> bool:
    """Whether an analyst who opened the copy at this moment would find it damaged or half of something."""
    if not copy.exists():
        return False
    try:
        with duckdb.connect(str(copy), read_only=True) as connection:
            sums = "SELECT (SELECT count(*) FROM reports) + (SELECT sum(incidents) FROM day_tallies)"
            return bool(connection.execute(sums).fetchall()[0][0] is None)
    except duckdb.Error:
        return True


def _compare(
    found: dict[str, list[tuple[object, ...]]], whole: dict[str, list[tuple[object, ...]]], figures: Figures
) -> None:
    """Count what of the undisturbed tables is missing, and what is there beyond them."""
    for name, rows in whole.items():
        there, wanted = Counter(map(repr, found[name])), Counter(map(repr, rows))
        lost, doubled = wanted - there, there - wanted
        figures.lost += lost.total()
        figures.doubled += doubled.total()
        for what, which in (("lost", lost), ("more", doubled)):
            figures.examples += [f"{what} in {name}: {row}" for row in list(which)[:EXAMPLES]]


def _recount(copy: Path, figures: Figures) -> None:
    """Have the independent referee look at a finished file."""
    differences = verify(copy, limit=EXAMPLES)
    figures.recounts += 1
    figures.lost += len(differences)
    figures.examples += [f"recount: {difference}" for difference in differences]


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
