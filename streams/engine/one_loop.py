"""Parts of a process that is one event loop and no worker."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

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
