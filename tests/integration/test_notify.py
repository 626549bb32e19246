"""Webhooks through running processes: receivers and notifier killed by turns, events at least once and in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from schemas.receivers import load_receivers
from sinks.news import BEGINNING
from sinks.notify_log import NOTIFY, NotifyLog
from streams.cli.page_process import serving
from streams.cli.processes import worker_environment
from streams.engine.broker import free_port
from streams.notify.delivery import signed
from streams.notify.news import read_news
from streams.settings import Settings
from tests.support.broken_week import DAYS, REGIONS, broken_week
from tests.support.effort import EVERY
from tests.support.shell import ROOT

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the tests
#: How often the receiver is killed, and where the notifier kills itself.
KILLS = 20 if EVERY else 3
STEPS = ("delivered:2", "noting", "noted", "taken:2") if EVERY else ("delivered:2",)
PATIENCE = 200.0


@contextmanager
def running(*arguments: str, settings: Settings | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=None if settings is None else worker_environment(settings),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def kept_in(file: Path) -> list[tuple[dict[str, str], bytes]]:
    """Return headers and bodies that a receiver kept."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [(each["headers"], each["body"].encode()) for each in map(json.loads, lines)]


def ids_in(file: Path) -> list[str]:
    """Return the ids that a receiver kept, in order; one that came again at once is told once."""
    return [name for name, _ in groupby(headers["webhook-id"] for headers, _ in kept_in(file))]


def receivers_file(folder: Path, ports: dict[str, int]) -> Path:
    entries = [
        f'[[notify]]\nname = "{name}"\nurl = "http://127.0.0.1:{port}/{name}"\nsecret = "{SECRET}"\n'
        'events = ["verdict", "amendment", "gate"]\n'
        for name, port in ports.items()
    ]
    file = folder / "receivers.toml"
    file.write_text("\n".join(entries))
    return file


def has_looked(folder: Path) -> bool:
    """Return whether a notifier has noted that nothing was published when it began."""
    if not (folder / NOTIFY).exists():
        return False
    with closing(NotifyLog.open(folder)) as log:
        return log.position() is not None


class Restarted:
    """Process that is started again whenever it killed itself, each time with the next arguments."""

    def __init__(self, lives: Sequence[tuple[tuple[str, ...], Settings | None]]) -> None:
        self._lives = iter(lives)
        self.deaths = 0
        self._start()

    def look(self) -> None:
        """Start it again if it killed itself."""
        code = self._process.poll()
        if code is not None:
            assert code == -signal.SIGKILL
            self.deaths += 1
            self.end()
            self._start()

    def end(self) -> None:
        """End it."""
        self._block.__exit__(None, None, None)

    def _start(self) -> None:
        arguments, settings = next(self._lives)
        self._block = running(*arguments, settings=settings)
        self._process = self._block.__enter__()


@pytest.mark.slow
@pytest.mark.crash
def test_receiver_and_notifier_are_killed_and_each_event_comes_in_order(tmp_path: Path) -> None:
    history, ends = broken_week()
    folder = tmp_path / "data" / history.agreement.id
    ports = {"killed": free_port(), "steady": free_port(), "down": free_port()}
    killed, steady = tmp_path / "killed.jsonl", tmp_path / "steady.jsonl"
    file = receivers_file(tmp_path, ports)
    settings = Settings(data=tmp_path / "data", notify_receivers=file)
    rules = load_receivers(file, history.agreement)

    receiver = ("tests.support.webhook_receiver", str(ports["killed"]), str(killed))
    dying = [(*receiver, str(1 + number % 2), ("before", "after")[number // 2 % 2]) for number in range(KILLS)]
    doomed = [settings.model_copy(update={"failpoint": f"notify.{step}"}) for step in STEPS]
    notify = ("streams", "notify", "--json")
    mortals = [
        Restarted([*((each, None) for each in dying), ((*receiver, "0", "before"), None)]),
        Restarted([(notify, each) for each in [*doomed, settings]]),
    ]
    # A copy a day: the next one comes once the receiver that nobody kills was told of the one before.
    stages, wanted = iter(ends), []
    begun = False
    try:
        with running("tests.support.webhook_receiver", str(ports["steady"]), str(steady), "0", "before"):
            deadline = time.monotonic() + PATIENCE
            while ids_in(killed) != wanted or len(wanted) < len(REGIONS) * DAYS:
                assert time.monotonic() < deadline, (ids_in(killed), wanted, [each.deaths for each in mortals])
                begun = begun or has_looked(folder)
                if begun and ids_in(steady) == wanted and (following := next(stages, None)) is not None:
                    copy = history.first(following).judged(folder)
                    events = read_news(copy, BEGINNING, rules).events
                    wanted = [each.id for each in events]
                for each in mortals:
                    each.look()
                time.sleep(0.02)
    finally:
        for each in mortals:
            each.end()
    assert [each.deaths for each in mortals] == [KILLS, len(STEPS)]
    assert ids_in(steady) == wanted
    bodies = {each.id: each.body for each in events}
    for headers, body in kept_in(killed) + kept_in(steady):
        name = headers["webhook-id"]
        assert body == bodies[name]
        assert headers.items() >= signed(rules.receivers[0].key, name, int(headers["webhook-timestamp"]), body).items()
    with closing(NotifyLog.open(folder)) as log:
        assert [each.id for each in log.pending(rules.receivers[2], 1_000)] == wanted


@pytest.mark.slow
def test_beside_the_workers_a_notifier_that_is_killed_is_started_again(tmp_path: Path) -> None:
    file = receivers_file(tmp_path, {"down": free_port()})
    settings = Settings(data=tmp_path / "data", notify_receivers=file)
    folder, said = tmp_path / "data" / settings.agreement, []

    def say(event: str, _text: str, **_fields: object) -> None:
        said.append(event)

    with serving([], [settings]) as (notifier,):
        deadline = time.monotonic() + PATIENCE
        while not has_looked(folder):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        dead = notifier.pid
        os.kill(dead, signal.SIGKILL)
        while notifier.pid == dead:
            assert time.monotonic() < deadline
            notifier.look(say, time.monotonic())
            time.sleep(0.05)
        assert said == ["notifier_restart"]
