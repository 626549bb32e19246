"""Questions to the copy that is shown, each answered once for all who ask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from schemas.errors import DependencyUnavailable, TrucewatchError
from sinks.reading import asking
from streams.page.copies import Copy

#: How long an answer may take, its wait for those before it included.
ANSWER_SECONDS = 15.0
#: How often a late question is interrupted: between two of its queries there is nothing to interrupt.
_INTERRUPT_SECONDS = 0.05
#: Questions that may wait for the file at once.
WAITING = 64
#: Bytes of answers kept while their copy is shown.
KEPT_BYTES = 32_000_000


class Reply(NamedTuple):
    """Answer to a request; ``following`` are the addresses of the rows that it leaves out."""

    status: int
    kind: str
    body: bytes
    following: tuple[str, ...] = ()


class Answers:
    """Answers from one copy after the other.

    One thread asks the file. Another makes the answers that need no more of it, so that they wait for no query.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "ask-copy")
        self._apart = ThreadPoolExecutor(1, "answer-apart")
        self._kept: OrderedDict[Hashable, asyncio.Future[Reply]] = OrderedDict()
        self._waiting = 0

    async def ask(self, copy: Copy, key: Hashable, question: Callable[[], Reply], *, apart: bool = False) -> Reply:
        """Return the answer to a question, of which ``key`` is the address; ``apart`` says it needs no query.

        Raises:
            TrucewatchError: the question has no answer.
            DependencyUnavailable: too many ask, or the answer takes too long.
        """
        if key not in self._kept:
            if self._waiting >= WAITING and not apart:
                raise DependencyUnavailable("too many ask at once", "try again in some seconds")
            self._waiting += 1
            loop = asyncio.get_running_loop()
            if apart:
                self._kept[key] = loop.run_in_executor(self._apart, question)
            else:
                due = time.monotonic() + ANSWER_SECONDS
                self._kept[key] = loop.run_in_executor(self._thread, _answered, copy, question, due)
            self._kept[key].add_done_callback(lambda done: self._settle(key, done))
        self._kept.move_to_end(key)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                # One who leaves must not take the answer from the others.
                return await asyncio.shield(self._kept[key])
        except TimeoutError as error:
            raise _late() from error

    def forget(self, copy: Copy) -> None:
        """Drop the answers from a copy, and close it behind the questions that are under way."""
        self._kept.clear()
        self._thread.submit(copy.connection.close)

    def close(self) -> None:
        """Wait for the questions under way."""
        self._apart.shutdown()
        self._thread.shutdown()

    def _settle(self, key: Hashable, done: asyncio.Future[Reply]) -> None:
        """Keep an answer while there is room; an error is made anew for whoever asks next."""
        self._waiting -= 1
        if done.cancelled() or done.exception() is not None:
            if self._kept.get(key) is done:
                del self._kept[key]
            return
        while sum(map(_bytes, self._kept.values())) > KEPT_BYTES:
            self._kept.popitem(last=False)


def _bytes(answer: asyncio.Future[Reply]) -> int:
    return len(answer.result().body) if answer.done() and not answer.cancelled() and not answer.exception() else 0


def _late() -> DependencyUnavailable:
    return DependencyUnavailable(f"the answer takes longer than {ANSWER_SECONDS:.0f} s", "try again in some seconds")


def _answered(copy: Copy, question: Callable[[], Reply], due: float) -> Reply:
    if time.monotonic() >= due:
        raise _late()
    late, done = threading.Event(), threading.Event()

    def give_up() -> None:
        late.set()
        while not done.wait(_INTERRUPT_SECONDS):
            copy.connection.interrupt()

    timer = threading.Timer(due - time.monotonic(), give_up)
    timer.start()
    try:
        with asking(copy.path):
            return question()
    except TrucewatchError as error:
        if late.is_set():
            raise _late() from error
        raise
    finally:
        done.set()
        timer.cancel()
        # An interrupt on its way would end the next question.
        timer.join()
