"""A stopped process that holds a ledger's file: which one is ended, and which never."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.ledger.stale_lock_reaper import StaleLockReaper

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
SECONDS = 0.3


@contextmanager
def process_with(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a file open, and waits."""
    code = f"file = open({str(path)!r}, 'ab'); print('open', flush=True); input()"
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


def looks(reaper: StaleLockReaper, pid: int, seconds: float) -> bool:
    """Look for so long; return whether the process was ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if reaper.look(pid):
            return True
        time.sleep(0.05)
    return False


def test_one_that_was_stopped_for_longer_than_its_limit_is_ended(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        reaper = StaleLockReaper(live, SECONDS)
        began = time.monotonic()
        assert looks(reaper, process.pid, 10)
        assert time.monotonic() - began > SECONDS
        assert process.wait(10) == -signal.SIGKILL


def test_one_that_runs_is_never_ended(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        assert not looks(StaleLockReaper(live, 0.0), process.pid, 0.5)
        assert process.poll() is None


def test_one_that_ran_in_between_begins_anew(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        reaper = StaleLockReaper(live, 1.0)
        for _ in range(4):
            stop(process)
            assert not looks(reaper, process.pid, 0.6)
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.1)
        assert process.poll() is None


def test_one_that_has_another_file_open_is_never_ended(tmp_path: Path) -> None:
    """Over a network the number may be one of another host."""
    live = tmp_path / "live.duckdb"
    live.touch()
    with process_with(tmp_path / "other") as process:
        stop(process)
        assert not looks(StaleLockReaper(live, 0.0), process.pid, 0.5)


def test_one_of_another_user_is_never_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        assert not looks(StaleLockReaper(live, 0.0), process.pid, 0.5)


def test_nothing_is_ended_where_proc_does_not_tell(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    with process_with(live) as process:
        stop(process)
        assert not looks(StaleLockReaper(live, 0.0, proc=tmp_path / "proc"), process.pid, 0.5)
        assert not StaleLockReaper(live, 0.0).look(None)
