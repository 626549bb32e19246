"""Turns of the holders of tokens at the one thread that checks records."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from time import monotonic
from typing import TypeVar

from streams.gateway.problems import Problem, Refusal
from streams.gateway.tokens import Holder

T = TypeVar("T")

#: How long the checks of one request may take, with the turns of others between them.
CHECK_SECONDS = 30.0
#: Length of a turn. A record is checked to its end.
TURN_SECONDS = 0.02
#: When a request whose checks took too long may come again.
_RETRY_SECONDS = 5


class Turns:
    """Work on one thread, in turns.

    The thread takes up work in the order it comes. A holder has one turn in it at a time, whatever
    the number of requests, so a holder with many waits for each of them and not the others.

    Args:
        executor: of one thread. An examiner is not for two.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._of_holder = defaultdict[str, asyncio.Lock](asyncio.Lock)

    async def once(self, holder: Holder, work: Callable[[], T]) -> T:
        """Return the result of work that is done in one turn."""
        async with self._of_holder[holder.name]:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def through(self, holder: Holder, work: Iterator[T]) -> list[T]:
        """Return the results of work that is done turn by turn.

        Raises:
            Refusal: it takes too long.
        """
        found: list[T] = []
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                while True:
                    results, ended = await self.once(holder, lambda: _turn(work))
                    found += results
                    if ended:
                        return found
        except TimeoutError as error:
            detail = f"the checks took longer than {CHECK_SECONDS:g} s; no record was published"
            raise Refusal(Problem.BUSY, detail, _RETRY_SECONDS) from error


def _turn(work: Iterator[T]) -> tuple[list[T], bool]:
    """Return the results of one turn, and whether they are the last."""
    until = monotonic() + TURN_SECONDS
    found = []
    for each in work:
        found.append(each)
        if monotonic() >= until:
            return found, False
    return found, True
