"""Exit reason of a worker, as far as it shows from outside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.errors import WorkerStalled

#: Line the interpreter's own timer writes before the stacks of all threads, and its exit code. The
#: watchdog (``streams/engine/watchdog.py``) sets the timer for calls that let no other thread run.
_TIMED_OUT, _TIMED_OUT_CODE = re.compile(r"Timeout \([0-9:.]+\)!"), 1
_THREAD = "Thread 0x"
#: One call of a stack, the innermost first.
_CALL = re.compile(r' *File "(.+)", line ([0-9]+) in (.+)')


def exit_reason(lines: Sequence[str], code: int) -> str:
    """Return why a worker ended, in one line.

    It begins with ``WorkerStalled.SAID`` after a stall.

    Args:
        lines: the last lines of its standard error.
        code: its exit code; negative when a signal ended it.
    """
    if code == _TIMED_OUT_CODE and any(_TIMED_OUT.fullmatch(line) for line in lines):
        return str(WorkerStalled(f"none of its threads could run any more{_where(lines)}"))
    for line in reversed(lines):
        if line.startswith("trucewatch: "):
            return line.removeprefix("trucewatch: ")
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    last = next((line for line in reversed(lines) if line.strip()), None)
    return f"{how}, and it said nothing" if last is None else f"{how}; its last line: {last}"


def _where(lines: Sequence[str]) -> str:
    """Return the call the main thread was in, whose stack comes last."""
    stack: list[str] = []
    for line in reversed(lines):
        if line.startswith(_THREAD):
            break
        stack.append(line)
    called = _CALL.fullmatch(stack[-1]) if stack else None
    return "" if called is None else f"; the main one was in {called[3]}() ({called[1]}, line {called[2]})"
