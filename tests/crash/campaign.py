"""Campaigns of ``kill -9`` at every named step and at random instants.

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
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

from schemas.errors import WorkerDied
from schemas.failpoints import STEPS
from schemas.topics import Topics
from streams.cli.processes import worker_environment
from streams.engine.cluster import Broker
from streams.feeds.archive import ArchiveRecord
from streams.settings import Role, Settings
from tests.crash.figures import Figures, Tables
from tests.crash.plan import Plan
from tests.support.brokers import read_to_end
from tests.support.month import BROKEN, month
from tests.support.recorded_archive import AGREEMENT, archive_of, judged_to, publish_archive, settings_for
from tests.support.records import tables, tables_without_places
from tests.support.secured import as_role
from tests.support.standbys import copy_of, finish, take_in, taken_in

#: A worker reads its first record after some seconds: random deaths fall before, into recovery, and behind it.
LONGEST_RANDOM_LIFE = 5.0
#: A worker beside a heavy load takes minutes to reach its step.
PATIENCE_FOR_A_STEP = 240.0
#: How often a worker is looked at that is to reach one.
GLANCE = 0.5
#: Some steps are not reached in a life that has too little to do, which then ends at random: together that makes half.
RANDOM_DEATHS = 0.6
#: Reached once in the life of a file, so they need a file of their own.
ONCE = ("store.migrating", "store.migrated", "store.viewing")
LIVES_A_ROUND = 60
STEPS_OF: dict[Role, tuple[str, ...]] = {
    "intake": tuple(step for step in STEPS if step.startswith("intake.")),
    "ledger": tuple(step for step in STEPS if step.startswith(("ledger.", "store.", "copy."))),
}


class Kills(Figures):
    """Kills of a campaign, and its findings."""

    @property
    def at_failpoints(self) -> int:
        """Deaths at a named step."""
        return self.met - self.faults["at random"]

    def headline(self) -> str:
        """Say how many deaths there were, and how many at a named step."""
        return f"{self.met} kills survived, {self.at_failpoints} of them at failpoints"


def ledger_campaign(plan: Plan) -> Kills:
    """Kill a ledger over and over on one facts topic, and compare each finished file with an undisturbed one."""
    figures = Kills()
    settings, facts = _undisturbed(plan, plan.prefix, archive_of(month(plan.reports)))
    whole = tables(copy_of(settings))
    steps = _steps(plan, "ledger")
    while figures.met < plan.count:
        figures.rounds += 1
        disturbed = settings.model_copy(update={"data": plan.folder / f"round-{figures.rounds}"})
        # A last life more, with the file all but finished, dies while nothing is left to do.
        while figures.met < plan.count and judged_to(copy_of(disturbed)) < facts:
            begun = _live_and_die(
                "ledger", disturbed, figures, steps, plan.draw, lambda begun: _reached(copy_of(begun), facts, figures)
            )
            figures.look_at(copy_of(begun))
            if begun.data != disturbed.data:
                # Killed as it made its file: another ledger is to find all of it, or nothing.
                _finish_and_compare(begun, facts, whole, figures)
        _finish_and_compare(disturbed, facts, whole, figures)
    return figures


def _reached(copy: Path, facts: int, figures: Kills) -> bool:
    """Return whether a copy goes up to an offset; one that cannot be opened while its ledger runs counts as torn."""
    try:
        return judged_to(copy) >= facts
    except duckdb.Error as error:
        figures.torn += 1
        figures.examples.append(f"seen while its ledger ran: {error}")
        return False


def intake_campaign(plan: Plan) -> Kills:
    """Kill an intake over and over; the facts it leaves must judge as those of an intake that never died."""
    figures = Kills()
    reports = month(plan.reports)
    archive = archive_of(reports)
    undisturbed, _ = _undisturbed(plan, f"{plan.prefix}.whole", archive)
    whole = tables_without_places(copy_of(undisturbed))
    # Every life finds some records more than the one before left.
    portion = max(1, len(archive) // LIVES_A_ROUND)
    steps = _steps(plan, "intake")
    while figures.met < plan.count:
        figures.rounds += 1
        topics = Topics(f"{plan.prefix}.r{figures.rounds}")
        settings = settings_for(plan.broker, topics.prefix, plan.folder / f"intake-{figures.rounds}")
        given = 0
        while figures.met < plan.count and given < len(archive):
            asyncio.run(publish_archive(plan.broker, topics, archive[given : given + portion]))
            given += portion
            _live_and_die(
                "intake",
                settings,
                figures,
                steps,
                plan.draw,
                lambda _, given=given, topics=topics: taken_in(plan.broker, topics, topics.archive) >= given,
            )
        asyncio.run(publish_archive(plan.broker, topics, archive[given:]))
        finish(settings, take_in(settings, len(archive)))
        figures.compare(tables_without_places(copy_of(settings)), whole)
        figures.recount(copy_of(settings))
        kept, distinct, outcomes = _counted(copy_of(settings))
        figures.lost += max(0, len(reports) - outcomes) + max(0, len(reports) - reports.count(BROKEN) - distinct)
        figures.doubled += (kept - distinct) + max(0, outcomes - len(reports))
        unreadable = {offset for offset, (_, value, _) in enumerate(archive) if value == BROKEN}
        figures.lost += len(unreadable - _dead_letters(plan.broker, topics))
    return figures


def _undisturbed(plan: Plan, prefix: str, archive: list[ArchiveRecord]) -> tuple[Settings, int]:
    """Let workers that nobody kills judge an archive; return their settings and the end of the facts topic."""
    asyncio.run(publish_archive(plan.broker, Topics(prefix), archive))
    settings = settings_for(plan.broker, prefix, plan.folder / "whole")
    facts = take_in(settings, len(archive))
    finish(settings, facts)
    return settings, facts


def _steps(plan: Plan, role: Role) -> Iterator[str | None]:
    """Yield every step in turn, for ever, in an order that changes; None for a random instant as often, or never."""
    steps = plan.only or STEPS_OF[role]
    while True:
        for step in plan.draw.sample(steps, len(steps)):
            yield step
            if not plan.only and plan.draw.random() < RANDOM_DEATHS:
                yield None


def _live_and_die(
    role: Role,
    settings: Settings,
    figures: Kills,
    steps: Iterator[str | None],
    draw: random.Random,
    is_done: Callable[[Settings], bool],
) -> Settings:
    """Run one worker until it dies at a step, or at a random instant; return its settings.

    A step is not reached any more once there is nothing left to do.
    """
    step = next(steps)
    if step in ONCE and (settings.data / AGREEMENT / "live.duckdb").exists():
        settings = settings.model_copy(update={"data": settings.data / f"new-{figures.met}"})
    # Of a portion an intake makes one batch; a file is opened once a life, and copied now and then.
    often = step is not None and step.startswith("ledger.")
    failpoint = None if step is None else f"{step}:{draw.randint(1, 3) if often else 1}"
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "streams", "worker", "--role", role],
        env=worker_environment(as_role(settings, role).model_copy(update={"failpoint": failpoint})),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    ends = time.monotonic() + (PATIENCE_FOR_A_STEP if step else draw.uniform(0.0, LONGEST_RANDOM_LIFE))
    done = False
    while not done and (left := ends - time.monotonic()) > 0:
        # Once more when it is done: its last step may be on its way.
        done = step is not None and is_done(settings)
        with suppress(subprocess.TimeoutExpired):
            _, said = process.communicate(timeout=min(GLANCE, left) if step else left)
            if process.returncode != -signal.SIGKILL:
                raise AssertionError(f"the {role} ended by itself with {process.returncode}: {said}")
            figures.faults[step or "at random"] += 1
            return settings
    process.kill()
    process.communicate()
    figures.faults["at random"] += 1
    return settings


def _finish_and_compare(settings: Settings, facts: int, whole: Tables, figures: Kills) -> None:
    """Hold what a last ledger makes of a folder against an undisturbed one; one that none can go on with is lost."""
    try:
        finish(settings, facts)
    except WorkerDied as death:
        figures.lost += 1
        figures.examples.append(f"no ledger goes on: {death}")
        return
    figures.compare(tables(copy_of(settings)), whole)
    figures.recount(copy_of(settings))


def _dead_letters(broker: Broker, topics: Topics) -> set[int]:
    """Return the offsets in the archive of the records that were rejected, as the topic of rejects has them."""
    records = asyncio.run(read_to_end(broker, topics.rejects))
    return {int(dict(record.headers)["__streams.errors.offset"]) for record in records}


def _counted(copy: Path) -> tuple[int, int, int]:
    """Return the reports kept, their distinct source records, and all outcomes counted."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        kept, distinct = connection.execute(
            "SELECT count(*), count(DISTINCT (source_partition, source_offset)) FROM reports"
        ).fetchall()[0]
        outcomes = connection.execute(
            "SELECT sum(accepted + corrected + retracted + duplicate + superseded + rejected + outside)::BIGINT"
            " FROM feeds"
        ).fetchall()[0][0]
        return int(kept), int(distinct), int(outcomes)
