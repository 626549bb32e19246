"""Failpoints: a process dies exactly where it was told to, and a deployment that arms none never does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import failpoints
from schemas.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
CODE = """
from schemas.failpoints import arm, reached
arm({text!r})
for _ in range(5):
    print("at", flush=True)
    reached("intake.read")
"""


def outcome(text: str | None) -> tuple[int, int]:
    """Return how a process ended that passed a step five times, and how often it got there."""
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(text=text)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout.count("at")


def test_a_process_dies_at_the_step_it_was_told_and_at_that_time() -> None:
    assert outcome("intake.read") == (-signal.SIGKILL, 1)
    assert outcome("intake.read:3") == (-signal.SIGKILL, 3)
    assert outcome("intake.read:3:kill") == (-signal.SIGKILL, 3)


def test_a_step_may_be_where_a_process_stands_still_and_lets_no_other_thread_run() -> None:
    timer = "import faulthandler; faulthandler.dump_traceback_later(0.5, exit=True)"
    code = CODE.format(text="intake.read:2:hold")
    run = subprocess.run(
        [sys.executable, "-c", f"{timer}\n{code}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.count("at")) == (1, 2)
    assert "in reached" in run.stderr


def test_a_process_stopped_at_a_step_goes_on_from_there_once_it_is_continued() -> None:
    command = [sys.executable, "-c", CODE.format(text="intake.read:2:stop")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        _, status = os.waitpid(run.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        run.send_signal(signal.SIGCONT)
        said, _ = run.communicate()
    assert (run.returncode, said.count("at")) == (0, 5)


def test_nothing_happens_at_other_steps_or_when_none_is_armed() -> None:
    assert outcome("intake.committed") == (0, 5)
    assert outcome(None) == (0, 5)


@pytest.mark.parametrize("text", ["intake.reed", "intake.read:0", "intake.read:x", "intake.read:1:hang", ""])
def test_a_step_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        failpoints.arm(text)


def test_every_named_step_is_reached_somewhere() -> None:
    code = "".join(path.read_text("utf-8") for folder in ("streams", "sinks") for path in (ROOT / folder).rglob("*.py"))
    assert [step for step in failpoints.STEPS if f'reached("{step}")' not in code] == []
