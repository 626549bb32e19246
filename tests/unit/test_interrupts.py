"""Ctrl-C while a query runs, or is about to."""

from __future__ import annotations

import signal
import threading

import pytest

from sinks.interrupts import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_query_that_begins_after_the_signal_is_interrupted_too(number: signal.Signals) -> None:
    """DuckDB forgets an interrupt when a query begins."""
    interrupts = threading.Semaphore(0)
    before = signal.signal(number, lambda *_: None)
    try:
        with interruptible(interrupts.release):
            signal.raise_signal(number)
            for _ in range(3):
                assert interrupts.acquire(timeout=60)
    finally:
        signal.signal(number, before)


def test_another_signal_interrupts_nothing() -> None:
    interrupts = threading.Semaphore(0)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with interruptible(interrupts.release):
            signal.raise_signal(signal.SIGUSR1)
        assert not interrupts.acquire(blocking=False)
    finally:
        signal.signal(signal.SIGUSR1, before)
