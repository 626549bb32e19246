"""Signals that ask a command to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_told_to_stop() -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into a note, so that the workers are stopped in order rather than by an exception."""
    told: list[int] = []

    def note(number: int, _frame: object) -> None:
        if told:
            # A second Ctrl-C means now.
            raise KeyboardInterrupt
        told.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
