"""Campaign of a feed whose commands are killed while the broker comes and goes.

A person publishes a file each day into an outbox, sends, waits, sends again and reads receipts. Half of the commands
die at a failpoint, half at an instant drawn at random, and the person runs each again until it ends by itself. For a
fifth of the days the broker is away. At the end every report must be in the outbox once and in the ledger's file once,
and must have met the fate that its diary says.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from schemas.failpoints import STEPS
from schemas.receipts import digest_of, read
from schemas.topics import Topics
from sinks.outbox import Kept, Outbox
from streams.cli.processes import worker_environment
from streams.engine.admin import end_offsets
from streams.settings import Settings
from tests.crash.diary import Diary, written
from tests.crash.figures import Figures
from tests.support.absences import Absence, own_broker
from tests.support.brokers import delete_before, read_to_end
from tests.support.recorded_archive import judged_to, wait_until
from tests.support.standbys import copy_of, facts_end, worker

#: Steps that a command comes by with the line up.
_STEPS_OF = {
    "publish": ("outbox.keeping", "outbox.kept", "outbox.sent", "outbox.noting", "outbox.noted"),
    "send": ("outbox.sent", "outbox.noting", "outbox.noted"),
    "watch": ("outbox.read", "outbox.telling", "outbox.told"),
}
STEPS_OF_AN_OUTBOX = tuple(step for step in STEPS if step.startswith("outbox."))
#: Before this share of its usual time a command only loads its modules.
_LOADED = 0.4
#: How often in a row a command is killed, at most, and how likely it is to be killed at all.
_KILLS_IN_A_ROW, _DEADLY = 2, 0.6
#: How long workers and commands wait for a broker that is away, and how long a command may take at all.
_PATIENCE_SECONDS, _MOST_SECONDS = 600.0, 300.0
_WAIT = ("--wait", "--wait-seconds", "240")


class Fates(Figures):
    """Figures of an outbox.

    Attributes:
        untold: reports kept whose fate is not known in the end.
        mistold: reports with another fate than the one that they met.
        kept: reports in the outbox.
        again: records beyond the first that came of one report.
    """

    untold = mistold = kept = again = 0

    @property
    def whole(self) -> bool:
        """Whether nothing was lost or doubled, and every fate is known."""
        return super().whole and (self.untold, self.mistold) == (0, 0)

    def headline(self) -> str:
        """Say how many kills there were, and of how many reports."""
        return (
            f"{self.met} kills survived, {self.met - self.faults['at random']} of them at failpoints; {self.kept:,} "
            f"reports kept, {self.again:,} sent more than once; without a fate {self.untold}, with a wrong one "
            f"{self.mistold}"
        )


class _Person:
    """Person who runs a feed's commands, each until it ends by itself."""

    def __init__(self, settings: Settings, figures: Fates, kills: int, draw: Random) -> None:
        self._settings = settings
        self._figures = figures
        self._kills = kills
        self._draw = draw
        self._usual: dict[str, float] = {}
        self._steps: list[str] = []

    def run(self, *arguments: str, **changes: Any) -> str:
        """Run a command, killed as often as is drawn and then not; return what it said on standard output.

        Args:
            changes: settings that this command has otherwise.
        """
        name = arguments[arguments[0] == "outbox"]
        for _ in range(_KILLS_IN_A_ROW):
            if self._figures.met < self._kills and self._draw.random() < _DEADLY:
                self._killed(name, arguments, changes)
        began = time.monotonic()
        ended = self._started(arguments, changes)
        said, why = ended.communicate(timeout=_MOST_SECONDS)
        self._usual[name] = time.monotonic() - began
        # 1 tells of reports that were refused.
        if ended.returncode not in (0, 1):
            raise AssertionError(f"{arguments} ended with {ended.returncode}: {why}")
        return said

    def _killed(self, name: str, arguments: tuple[str, ...], changes: Mapping[str, Any]) -> None:
        """Run a command that is to be killed; one that ends before is no kill."""
        step = self._step(name, waits="--wait" in arguments, online="broker" not in changes)
        process = self._started(arguments, {**changes, "failpoint": step})
        usual = self._usual.get(name, 3.0)
        try:
            _, why = process.communicate(timeout=_MOST_SECONDS if step else self._draw.uniform(_LOADED * usual, usual))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if process.returncode == -signal.SIGKILL:
            self._figures.faults[step or "at random"] += 1
        elif process.returncode not in (0, 1):
            raise AssertionError(f"{arguments} ended with {process.returncode}: {why}")

    def _step(self, name: str, *, waits: bool, online: bool) -> str | None:
        """Return a step at which this command can die, in turn, or None for a random instant."""
        if self._draw.random() < 0.5:
            return None
        steps = {*_STEPS_OF[name], *(_STEPS_OF["watch"] if waits else ())} if name in _STEPS_OF else set()
        steps -= set() if online else {*_STEPS_OF["send"], *_STEPS_OF["watch"]}
        found = next((step for step in self._steps if step in steps), None)
        if found is None and steps:
            self._steps += self._draw.sample(STEPS_OF_AN_OUTBOX, len(STEPS_OF_AN_OUTBOX))
            found = next(step for step in self._steps if step in steps)
        if found is not None:
            self._steps.remove(found)
        return found

    def _started(self, arguments: tuple[str, ...], changes: Mapping[str, Any]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "streams", *arguments],
            env=worker_environment(self._settings.model_copy(update=dict(changes))),
            cwd=self._settings.data.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def outbox_campaign(absence: Absence, folder: Path, kills: int, reports: int, draw: Random) -> Fates:
    """Kill a feed's commands over and over, take the broker away for a fifth of the days, and count what is amiss."""
    figures = Fates(rounds=1)
    diary = written(reports, max(3, kills // 2), draw)
    days = len(diary.files)
    folder.mkdir(parents=True)
    for number, lines in enumerate([diary.elsewhere, *diary.files]):
        (folder / f"day-{number}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    away = range(days // 2, days // 2 + max(1, days // 5))
    with own_broker(absence, folder / "broker") as own, ExitStack() as stack:
        settings = Settings(
            broker=own.url,
            data=folder / "data",
            flush_records=100,
            log_level="warning",
            broker_patience_seconds=_PATIENCE_SECONDS,
            stall_seconds=2 * _PATIENCE_SECONDS,
        )
        sender = settings.model_copy(update={"outbox": folder / "outbox", "log_level": "error"})
        person = _Person(sender, figures, kills, draw)
        stack.enter_context(worker(settings, "intake"))
        ledger = stack.enter_context(worker(settings))
        _Person(sender, figures, 0, draw).run("publish", "day-0.jsonl", *_WAIT, outbox=None)
        for day in range(1, days):
            if day in away:
                if day == away.start:
                    own.leave()
                # A broker that hangs is asked for half a minute; one that is gone is not there at once.
                named = absence == "kafka restarts" and draw.random() < 0.5
                person.run("publish", f"day-{day}.jsonl", **({} if named else {"broker": None}))
                continue
            if day == away.stop:
                own.come_back()
            _spend(day, person, draw)
        while figures.met < kills:
            _spend(draw.randrange(1, days), person, draw)
        person.run("outbox", "send")
        person.run("outbox", "watch", *_WAIT)
        if absence == "embedded hangs":  # that broker deletes nothing
            person.run("publish", f"day-{days}.jsonl", *_WAIT)
        else:
            _miss_receipts(diary, days, own.url, person)
        facts = facts_end(settings)
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)
    # The ledger is gone: it would publish another copy while this one is looked at.
    _count(diary, folder / "outbox", copy_of(settings), figures)
    figures.recount(copy_of(settings))
    return figures


def _spend(day: int, person: _Person, draw: Random) -> None:
    """Publish a day's file with the line up, in one of the ways in which people do."""
    publish = ("publish", f"day-{day}.jsonl")
    ways: list[Callable[[], object]] = [
        lambda: person.run(*publish, *_WAIT),
        lambda: [person.run(*publish), person.run("outbox", "watch")],
        lambda: [
            person.run(*publish, broker=None),
            person.run("outbox", "send"),
            person.run("outbox", "watch", *_WAIT),
        ],
        # Once more, all of it: what nobody told of yet, and the file past the outbox.
        lambda: [person.run(*publish), person.run("outbox", "retry"), person.run("outbox", "send")],
        lambda: [person.run(*publish), person.run(*publish, outbox=None)],
    ]
    draw.choice(ways)()


def _miss_receipts(diary: Diary, days: int, broker: str, person: _Person) -> None:
    """Send the last file, and let its receipts be deleted unread, as those of 30 days ago are; then send it again."""
    topics = Topics()
    person.run("publish", f"day-{days}.jsonl")
    wanted = {digest_of(line) for line in diary.files[-1]}

    def all_told() -> bool:
        records = asyncio.run(read_to_end(broker, topics.receipts))
        return wanted <= {receipt.digest for record in records for receipt in read(record.value)}

    wait_until(all_told)
    end = asyncio.run(end_offsets(broker, topics.receipts))[0]
    asyncio.run(delete_before(broker, topics.receipts, end))
    person.run("outbox", "watch")
    untold = json.loads(person.run("outbox", "list", "--state", "sent", "--json"))["reports"]
    if {each["digest"] for each in untold} != wanted:
        raise AssertionError(f"receipts before {end} are gone, and {len(untold)} reports are told of by nobody")
    person.run("outbox", "retry")
    person.run("outbox", "send")
    person.run("outbox", "watch", *_WAIT)
    diary.fates.update(dict.fromkeys(diary.files[-1], "duplicate"))


def _count(diary: Diary, outbox: Path, copy: Path, figures: Fates) -> None:
    """Count what is lost, doubled, without a fate or with a wrong one, in the outbox and in the ledger's file."""
    opened = Outbox.open(outbox)
    kept: list[Kept] = opened.listed()
    opened.close()
    figures.kept = len(kept)
    bodies = {"bodies in the outbox": [(each.value,) for each in kept]}
    figures.compare(bodies, {"bodies in the outbox": [(line,) for line in diary.fates]})
    for each in kept:
        expected = diary.fates.get(each.value)
        if each.state in ("draft", "sent"):
            figures.untold += 1
        elif each.state != expected:
            figures.mistold += 1
            figures.examples.append(f"told {each.state}, met {expected}: {each.feed}/{each.report_id}@{each.revision}")
    with duckdb.connect(str(copy), read_only=True) as connection:
        found = connection.execute("SELECT feed, report_id, revision, raw FROM reports").fetchall()
        names = list(+diary.outcomes)
        sums = connection.execute(f"SELECT {', '.join(f'sum({name})::BIGINT' for name in names)} FROM feeds").fetchall()
        figures.again = connection.execute("SELECT sum(duplicate)::BIGINT FROM feeds").fetchall()[0][0]
    stored = [(*name, body.decode()) for name, body in diary.present.items()]
    figures.compare({"reports": found}, {"reports": stored})
    for name, number in zip(names, sums[0], strict=True):
        figures.lost += max(0, diary.outcomes[name] - number)
        figures.doubled += max(0, number - diary.outcomes[name])
