"""A stopped process that holds a ledger's file: which one is ended, and which never."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from streams.ledger import stale_lock_reaper
from streams.ledger.stale_lock_reaper import StaleLockReaper

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
SECONDS = 30.0


@contextmanager
def process_with(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a file open, and waits."""
    code = f"""file = open({str(path)!r}, 'ab')
print('open', flush=True)
while input() == '': print('again', flush=True)"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let seconds pass for the reaper, and for nobody else."""
    now = [0.0]
    monkeypatch.setattr(stale_lock_reaper, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def run_again(process: subprocess.Popen[str]) -> None:
    """Let a stopped process go on, and return when it has run."""
    assert process.stdin is not None
    assert process.stdout is not None
    os.kill(process.pid, signal.SIGCONT)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "again\n"


def test_one_that_was_stopped_for_longer_than_its_limit_is_ended(
    tmp_path: Path, passes: Callable[[float], None]
) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        reaper = StaleLockReaper(live, SECONDS)
        for _ in range(2):
            assert not reaper.look(process.pid)
            passes(SECONDS)
        assert process.poll() is None
        passes(1)
        assert reaper.look(process.pid)
        assert process.wait(60) == -signal.SIGKILL


def never_ended(reaper: StaleLockReaper, process: subprocess.Popen[str], passes: Callable[[float], None]) -> None:
    for _ in range(3):
        assert not reaper.look(process.pid)
        passes(3_600)
    assert process.poll() is None


def test_one_that_runs_is_never_ended(tmp_path: Path, passes: Callable[[float], None]) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        never_ended(StaleLockReaper(live, 0.0), process, passes)


def test_one_that_ran_in_between_begins_anew(tmp_path: Path, passes: Callable[[float], None]) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        reaper = StaleLockReaper(live, SECONDS)
        for _ in range(4):
            stop(process)
            assert not reaper.look(process.pid)
            passes(0.6 * SECONDS)
            assert not reaper.look(process.pid)
            run_again(process)
            passes(0.6 * SECONDS)
        assert process.poll() is None


def test_one_that_has_another_file_open_is_never_ended(tmp_path: Path, passes: Callable[[float], None]) -> None:
    """Over a network the number may be one of another host."""
    live = tmp_path / "live.duckdb"
    live.touch()
    with process_with(tmp_path / "other") as process:
        stop(process)
        never_ended(StaleLockReaper(live, 0.0), process, passes)


def test_one_of_another_user_is_never_ended(
    tmp_path: Path, passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        never_ended(StaleLockReaper(live, 0.0), process, passes)


def test_nothing_is_ended_where_proc_does_not_tell(tmp_path: Path, passes: Callable[[float], None]) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        never_ended(StaleLockReaper(live, 0.0, proc=tmp_path / "proc"), process, passes)
        assert not StaleLockReaper(live, 0.0).look(None)
