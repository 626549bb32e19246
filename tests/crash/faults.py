"""Campaigns of takeovers, broker outages and full disks.

Each campaign feeds reports while it does its worst, lets a last ledger come to the end in peace, and holds what that
one leaves against a ledger nothing happened to, to the last row and version, and against the independent recount.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from schemas.errors import WorkerDied
from schemas.topics import Topics
from streams.cli.processes import Worker
from streams.feeds.archive import ArchiveRecord
from streams.settings import Settings
from tests.crash.figures import Figures
from tests.crash.plan import Plan
from tests.support.absences import Absence, own_broker
from tests.support.disks import mount, small_disk
from tests.support.month import month
from tests.support.recorded_archive import PATIENCE, archive_of, judged_to, publish_archive, settings_for, wait_until
from tests.support.records import tables, tables_without_places
from tests.support.standbys import copy_of, facts_end, finish, has_ended, recorded, taken_in, wait_for_words, worker

REPORTS = 1_500
#: How a ledger ends for its standby to take over.
ENDINGS = ("killed", "hung", "told to stop")
#: Ledgers of one chain, each of which takes over from the one before.
CHAIN = 5
#: How often the state of things is looked at while something is timed.
GLANCE = 0.01
#: Sizes of a disk in KiB: from too small for a table to too small for the last checkpoint.
DISKS = (64, 256, 512, 1_000, 2_000, 4_000, 8_000)


def portions(archive: Sequence[ArchiveRecord], count: int) -> list[Sequence[ArchiveRecord]]:
    """Cut an archive into parts of about one size."""
    cuts = [len(archive) * number // count for number in range(count + 1)]
    return [archive[start:end] for start, end in pairwise(cuts)]


# -- standbys


def takeovers(plan: Plan) -> Figures:
    """End a ledger that leads, over and over, and time how long its standby takes to lead and to publish.

    A standby has the folder of the one before it, or its own, where it begins with nothing; that of a hung one always
    its own, as on another machine, since the hung one holds the file.
    """
    figures = Figures()
    while figures.met < plan.count:
        figures.rounds += 1
        endings = [plan.draw.choice(ENDINGS) for _ in range(min(CHAIN, plan.count - figures.met))]
        _chain(plan, endings, figures)
    return figures


def _chain(plan: Plan, endings: Sequence[str], figures: Figures) -> None:
    broker, draw, folder = plan.broker, plan.draw, plan.folder / f"round-{figures.rounds}"
    topics = Topics(f"{plan.prefix}.r{figures.rounds}")
    parts = portions(archive_of(month(REPORTS)), len(endings) + 1)
    settings = settings_for(broker, topics.prefix, folder / "first").model_copy(update={"log_level": "info"})
    asyncio.run(publish_archive(broker, topics, parts[0]))
    with ExitStack() as stack:
        intake = stack.enter_context(worker(settings, "intake"))
        leader = stack.enter_context(worker(settings))
        wait_until(lambda: _leads(leader), leader)
        for number, (ending, part) in enumerate(zip(endings, parts[1:], strict=True)):
            own = ending == "hung" or draw.random() < 0.5
            if own:
                settings = settings.model_copy(update={"data": folder / f"own-{number}"})
            standby = stack.enter_context(worker(settings))
            wait_for_words(standby, "stands_by")
            # It joined, so the leader took its partition up again: it is to be at work when it ends.
            asyncio.run(publish_archive(broker, topics, part[: len(part) // 2]))
            time.sleep(draw.uniform(0, 2))
            before = _version(copy_of(settings))
            _end(leader, ending)
            began = time.monotonic()
            asyncio.run(publish_archive(broker, topics, part[len(part) // 2 :]))
            _glance(lambda standby=standby: _leads(standby), standby)
            figures.timed(f"to lead after one was {ending}", time.monotonic() - began)
            _glance(lambda settings=settings, before=before: _version(copy_of(settings)) != before, standby)
            figures.timed(f"to publish after one was {ending}", time.monotonic() - began)
            figures.look_at(copy_of(settings))
            figures.faults[f"{ending}, {'another' if own else 'the same'} folder"] += 1
            leader = standby
        wait_until(lambda: taken_in(broker, topics, topics.archive) >= sum(map(len, parts)), intake)
        facts = facts_end(settings)
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, leader)
    whole = settings.model_copy(update={"data": folder / "whole"})
    finish(whole, facts)
    figures.compare(tables(copy_of(settings)), tables(copy_of(whole)))
    figures.recount(copy_of(settings))


def _leads(ledger: Worker) -> bool:
    return any("ledger_resumed" in line for line in list(ledger._tail))


def _end(ledger: Worker, ending: str) -> None:
    os.kill(ledger.pid, {"killed": signal.SIGKILL, "hung": signal.SIGSTOP, "told to stop": signal.SIGTERM}[ending])


def _version(copy: Path) -> tuple[int, int]:
    try:
        found = copy.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def _glance(done: Callable[[], bool], at_work: Worker, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not done():
        at_work.check()
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(GLANCE)


# -- brokers


def outages(absence: Absence, folder: Path, seconds: Sequence[float]) -> Figures:
    """Take the broker away for so many seconds each, while intake and ledger are at work and reports wait."""
    figures = Figures(rounds=1)
    topics = Topics()
    reports = month(REPORTS)
    parts = portions(archive_of(reports), len(seconds) + 1)
    with own_broker(absence, folder / "broker") as own, ExitStack() as stack:
        settings = settings_for(own.url, topics.prefix, folder / "disturbed")
        asyncio.run(publish_archive(own.url, topics, parts[0]))
        intake = stack.enter_context(worker(settings, "intake"))
        ledger = stack.enter_context(worker(settings))
        wait_until(lambda: judged_to(copy_of(settings)) > 0, ledger)
        for away, part in zip(seconds, parts[1:], strict=True):
            asyncio.run(publish_archive(own.url, topics, part[: len(part) // 2]))
            own.leave()
            time.sleep(away)
            for each in (intake, ledger):
                each.check()
            figures.look_at(copy_of(settings))
            own.come_back()
            back = time.monotonic()
            before = _version(copy_of(settings))
            asyncio.run(publish_archive(own.url, topics, part[len(part) // 2 :]))
            _glance(lambda before=before: _version(copy_of(settings)) != before, ledger)
            figures.timed("to publish once it was back", time.monotonic() - back)
            figures.faults[f"{absence}, {away:.0f} s"] += 1
        wait_until(lambda: taken_in(own.url, topics, topics.archive) >= sum(map(len, parts)), intake)
        facts = facts_end(settings)
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)
        whole = recorded(own.url, f"{topics.prefix}.whole", folder / "whole", reports)
        figures.compare(tables_without_places(copy_of(settings)), tables_without_places(copy_of(whole.settings)))
        figures.recount(copy_of(settings))
    return figures


# -- disks


def full_disks(plan: Plan) -> Figures:
    """Let a ledger run into the end of a small disk, over and over; then give it room.

    Raises:
        OSError: no disk can be mounted here.
    """
    figures = Figures()
    facts = recorded(plan.broker, plan.prefix, plan.folder / "whole", month(REPORTS))
    while figures.met < plan.count:
        figures.rounds += 1
        with small_disk(plan.folder / f"disk-{figures.rounds}") as disk:
            settings = facts.settings.model_copy(update={"data": disk})
            for size in sorted(plan.draw.sample(DISKS, plan.draw.randint(1, len(DISKS)))):
                if figures.met == plan.count:
                    break
                mount(disk, f"remount,size={size}k")
                if not _fills(settings, facts.facts):
                    break
                figures.look_at(copy_of(settings))
                figures.faults[f"{size:,} KiB"] += 1
            mount(disk, "remount,size=500m")
            finish(settings, facts.facts)
            # The disk goes with the block.
            copy = plan.folder / f"copy-{figures.rounds}.duckdb"
            shutil.copy(copy_of(settings), copy)
        figures.compare(tables(copy), facts.tables)
        figures.recount(copy)
    return figures


def _fills(settings: Settings, facts: int) -> bool:
    """Run a ledger until it says that the disk took no more; False when the disk was large enough."""
    with worker(settings) as ledger:
        while not has_ended(ledger):
            if judged_to(copy_of(settings)) >= facts:
                return False
            time.sleep(0.1)
        try:
            ledger.check()
        except WorkerDied as death:
            if death.full:
                return True
            raise
    raise AssertionError("a ledger that ended has not ended")
