"""The ticker of a live deployment: makes time data.

A tick is a fact like any other, so that whoever reads the facts topic later judges at the same moments.
"""

from __future__ import annotations

import time

from schemas.facts import TickFact, header_of
from streams.engine.producer import BatchProducer


class Ticker:
    """Publishes a tick at most once a second while facts arrive and once a minute while none do."""

    def __init__(
        self, producer: BatchProducer, facts_topic: str, *, busy_seconds: float = 1.0, idle_seconds: float = 60.0
    ) -> None:
        self._producer = producer
        self._topic = facts_topic
        self._busy_seconds = busy_seconds
        self._idle_seconds = idle_seconds
        self._last = float("-inf")
        self._owed = False

    async def start(self) -> None:
        """Connect to the broker."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def beat(self, *, facts_arrived: bool) -> None:
        """Called after every batch, empty ones too: publish a tick when one is due."""
        self._owed = self._owed or facts_arrived
        since = time.monotonic() - self._last
        if since >= self._idle_seconds or (self._owed and since >= self._busy_seconds):
            self._last, self._owed = time.monotonic(), False
            tick = TickFact(stamp=time.time_ns() // 1_000)
            await self._producer.send(self._topic, 0, [(None, b"", header_of(tick))])
