"""The exit reason that is reported of a worker that ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from schemas.errors import WorkerStalled
from streams.cli.exit_reason import exit_reason

HANG = """
import faulthandler, re, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
faulthandler.dump_traceback_later(0.2, exit=True)
def judge():
    re.match("(a*)*b", "a" * 100)
judge()
"""


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ([], -9, "signal 9, and it said nothing"),
        (["", "  killed", ""], 1, "exit code 1; its last line:   killed"),
        (["trucewatch: the disk is full", "Exception ignored"], 3, "the disk is full"),
        (["trucewatch: stalled: 5 records wait"], 3, "stalled: 5 records wait"),
        (
            ["Timeout (0:02:10)!"],
            1,
            "stalled: none of its threads could run any more (the limit is TRUCEWATCH_STALL_SECONDS)",
        ),
        (["Timeout (0:02:10)!", "trucewatch: the disk is full"], 3, "the disk is full"),
        (["a Timeout (0:02:10)! in the middle"], 1, "exit code 1; its last line: a Timeout (0:02:10)! in the middle"),
    ],
)
def test_the_exit_reason_says_why(lines: list[str], code: int, said: str) -> None:
    assert exit_reason(lines, code) == said


def test_one_the_interpreters_own_timer_ended_is_said_to_have_stood_still_and_where() -> None:
    """A new Python may write this otherwise: then nothing would start such a worker again."""
    run = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, check=False)
    said = exit_reason(run.stderr.splitlines(), run.returncode)
    assert said.startswith(f"{WorkerStalled.SAID}none of its threads could run any more; the main one was in match() (")
