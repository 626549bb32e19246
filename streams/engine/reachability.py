"""Broker reachability. Polled, because an idle worker never talks to the broker."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from schemas.errors import BrokerUnavailable

#: How long the broker may be away while a worker counts as ready. After two sessions of its group,
#: the group has given the worker's partitions to another.
READY_AWAY_SECONDS = 20.0

T = TypeVar("T")


class BrokerReachability:
    """Reachability of a broker, readable by any thread.

    The event loop alone writes it.

    Args:
        address: of the broker, for the error.
        patience_seconds: how long a broker may be away before the worker ends.
    """

    def __init__(self, address: str, patience_seconds: float = math.inf) -> None:
        self.away_seconds = 0.0
        self._address = address
        self._patience_seconds = patience_seconds

    def answered(self) -> None:
        """Record that a broker answered."""
        self.away_seconds = 0.0

    def unanswered(self, seconds: float) -> None:
        """Record that no broker answered for so many seconds more.

        Raises:
            BrokerUnavailable: the broker has been away for ``patience_seconds``.
        """
        self.away_seconds += seconds
        if self.away_seconds >= self._patience_seconds:
            raise BrokerUnavailable(
                f"no Kafka broker answered at {self._address} for {self.away_seconds:.0f} s",
                hint="start the worker again once one does: it goes on from its last commit",
            )

    def unready(self) -> list[str]:
        """Return why a worker is not ready; any thread may ask."""
        away = self.away_seconds
        return [f"no broker has answered for {away:.0f} s"] if away >= READY_AWAY_SECONDS else []


async def apart(ask: Callable[[], Coroutine[Any, Any, T]], seconds: float) -> T:
    """Await ``ask`` in a thread of its own, with a timeout.

    Asked in the worker's loop, a broker would seem to be away while that loop is busy with a slow
    disk. The thread is a daemon, so the end of the process does not wait for an answer.

    Raises:
        TimeoutError: there was no answer in time.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    async def timed() -> T:
        async with asyncio.timeout(seconds):
            return await ask()

    def tell(settle: Callable[[], None]) -> None:
        def unless_gone() -> None:
            if not answer.done():
                settle()

        # The worker's loop may have ended meanwhile: then nobody waits any more.
        if not loop.is_closed():
            loop.call_soon_threadsafe(unless_gone)

    def run() -> None:
        try:
            found = asyncio.run(timed())
        except BaseException as error:  # it is raised where the answer is awaited
            fault = error
            tell(lambda: answer.set_exception(fault))
        else:
            tell(lambda: answer.set_result(found))

    threading.Thread(target=run, name="asks the broker", daemon=True).start()
    return await answer
