"""Parts of a process that is one event loop and no worker."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

_TICK_SECONDS = 0.25


class Pulse:
    """Sign of life of the event loop, for the probes."""

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self._ticked_at = monotonic()

    def silent_seconds(self) -> float:
        """Return the seconds since the loop ran."""
        return monotonic() - self._ticked_at

    async def beat(self) -> None:
        """Tick until cancelled."""
        while True:
            self._ticked_at = monotonic()
            await asyncio.sleep(_TICK_SECONDS)


def told_to_stop() -> asyncio.Event:
    """Return what the first signal sets; a second one ends the process at once."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        told.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    return told


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, object]) -> AsyncIterator[Sequence[asyncio.Task[object]]]:
    """Run works for the length of a block."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(told: asyncio.Event, tasks: Sequence[asyncio.Task[object]]) -> None:
    """Wait until told to stop.

    Raises:
        Exception: what ended one of the tasks; none ends by itself, but by a fault.
    """
    stop = asyncio.ensure_future(told.wait())
    try:
        ended, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    for each in ended:
        each.result()
