"""``status --watch`` as a process: on a terminal of some width, and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.broken_week import broken_week
from tests.support.shell import ROOT, clean_environment

PATIENCE = 60.0
ROWS = 24
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def command(data: Path) -> list[str]:
    return [sys.executable, "-m", "streams", "status", "--watch", "--data", str(data)]


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("columns", [60, pytest.param(80, marks=pytest.mark.slow)])
def test_a_terminal_is_drawn_anew_with_each_copy_and_left_clean(tmp_path: Path, columns: int) -> None:
    history, ends = broken_week()
    folder = tmp_path / history.agreement.id
    history.first(ends[0]).judged(folder)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    environment = {name: value for name, value in clean_environment().items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        command(tmp_path),
        cwd=ROOT,
        env=environment | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = bytearray()

    def listen() -> None:
        while True:
            try:
                read = os.read(ours, 65_536)
            except OSError:
                return  # the terminal ends with the process
            if not read:
                return
            said.extend(read)

    reader = threading.Thread(target=listen)
    reader.start()
    try:
        until(lambda: b"Truce-days 2016-09-12 to 2016-09-12" in said)
        history.first(ends[1]).judged(folder)
        until(lambda: b"Truce-days 2016-09-12 to 2016-09-13" in said)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)
    text = said.decode()
    assert [text.count(f"\x1b[?{code}") for code in ("1049h", "1049l", "25h")] == [1, 1, 1]
    assert "Traceback" not in text
    screens = text.split("\x1b[H")[1:]
    assert max(screen.count("\n") for screen in screens) < ROWS
    assert max(len(_CODES.sub("", line)) for screen in screens for line in screen.split("\r\n")) <= columns
    assert "The gate is closed" in screens[-1]


def test_a_pipe_has_a_line_for_each_change(tmp_path: Path) -> None:
    history, ends = broken_week()
    folder = tmp_path / history.agreement.id
    process = subprocess.Popen(
        command(tmp_path), cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert "nothing has been published" in process.stderr.readline()
        history.first(ends[0]).judged(folder)
        assert "The gate is closed: 0 of 9 regions have held 7 days. 12 records" in process.stdout.readline()
        # The same state published anew is no change.
        history.first(ends[0]).judged(folder)
        history.first(ends[1]).judged(folder)
        assert "24 records" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
