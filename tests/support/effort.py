"""How much work the code under test takes, and how much the tests take on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from types import FrameType
from typing import Any

import pytest

#: Set by ``make test-every``: each of many things alike is tried, and not some of them.
EVERY = os.environ.get("TEST_EFFORT") == "every"
#: Set by ``make test-slow`` too: properties are tried on many examples.
FULL = EVERY or os.environ.get("TEST_EFFORT") == "full"
#: The day by which turns are taken. Processes that share the tests have it from the one that started them.
DAY = int(os.environ.setdefault("TEST_DAY", str(datetime.now(UTC).toordinal())))
#: A slow test of so many cases or more takes turns with them, and each has its turn within so many days.
MANY_CASES, TURNS = 4, 3


def examples(full: int) -> int:
    """Return how many examples a test draws: of all a quarter in the slow half, a twentieth in the fast one."""
    return full if EVERY else max(3, full // (4 if FULL else 20))


def cases(every: Iterable[Any], fast: int) -> list[Any]:
    """Return the cases of a test for ``pytest.mark.parametrize``: the first ``fast`` belong to the fast half.

    The slow half runs the others.
    """
    return [
        pytest.param(*(case if type(case) is tuple else (case,)), marks=() if number < fast else pytest.mark.slow)
        for number, case in enumerate(every)
    ]


def every(things: Sequence[Any], nth: int) -> Sequence[Any]:
    """Return all of many things alike, as blocks of a file; but for ``make test-every``, each ``nth`` of them.

    Others each day, so that each is tried within ``nth`` days.
    """
    if EVERY or not things:
        return things
    return things[DAY % min(nth, len(things)) :: nth]


def out_of_turn(items: Iterable[pytest.Item]) -> set[str]:
    """Return the ids of slow tests that have their turn on another day; with ``make test-every`` all have theirs."""
    if EVERY or not FULL:
        return set()
    slow = [item for item in items if item.get_closest_marker("slow") and not item.get_closest_marker("each")]
    waiting: set[str] = set()
    for _, group in groupby(slow, key=lambda item: item.nodeid.partition("[")[0]):
        cases_ = [item.nodeid for item in group]
        if len(cases_) >= MANY_CASES:
            waiting.update(name for number, name in enumerate(cases_) if number % TURNS != DAY % TURNS)
    return waiting


def calls(work: Callable[[], object]) -> int:
    """Return how many calls of functions, Python's own included, and steps of generators ``work`` takes.

    Counted and not timed: a busy machine changes nothing about it.
    """
    number = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return number
