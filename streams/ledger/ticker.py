"""Ticker of a live deployment, which makes time data.

A tick is a fact like any other, so that a later reader of the facts topic judges at the same
instants.
"""

from __future__ import annotations

import time
from uuid import uuid4

from schemas.chunks import records_of
from schemas.facts import TickFact
from streams.engine.producer import BatchProducer


class Ticker:
    """Ticker of one ledger.

    It publishes at most once a second while facts arrive, and once a minute while none do.

    Every tick carries a fencing term above those of the ledgers before, and a name that no other
    ledger has. A reader passes over ticks that an earlier ledger sent and that only now arrived.
    """

    def __init__(
        self, producer: BatchProducer, facts_topic: str, *, busy_seconds: float = 1.0, idle_seconds: float = 60.0
    ) -> None:
        self._producer = producer
        self._topic = facts_topic
        self._busy_seconds = busy_seconds
        self._idle_seconds = idle_seconds
        self._last = float("-inf")
        self._owed = False
        self._term, self._name = 0, ""

    async def start(self) -> None:
        """Connect to the broker."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    def begin(self) -> None:
        """Take a new name and owe a tick at once.

        That tick voids those of the ledger before.
        """
        self._term, self._name = 0, uuid4().hex[:12]
        self._last = float("-inf")

    def due(self, *, facts_arrived: bool) -> bool:
        """Return whether a tick is due, after every batch.

        Idle batches count too.
        """
        self._owed = self._owed or facts_arrived
        since = time.monotonic() - self._last
        return since >= self._idle_seconds or (self._owed and since >= self._busy_seconds)

    async def tick(self, term: int, writer: str) -> None:
        """Publish a tick.

        Args:
            term: the highest term read so far.
            writer: name of the ledger that holds it. Where it is another one, this one takes the
                next term.
        """
        if term > self._term or (term == self._term and writer != self._name):
            self._term = term + (writer != self._name)
        self._last, self._owed = time.monotonic(), False
        tick = TickFact(stamp=time.time_ns() // 1_000, term=self._term, writer=self._name)
        await self._producer.send(self._topic, 0, list(records_of([(tick, b"")])))
