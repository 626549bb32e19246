"""Serialized calls to the handler of a worker's batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from aiokafka import TopicPartition
from faust.types import TP

from streams.engine.lane import LAST_BATCH_SECONDS, Batch, Lane, Resume


class BatchHandler(Protocol):
    """Handler of an agent's batches.

    Calls never overlap. An error in any of them stops the process, and nothing else is called after
    it. The next process reads again from the last commit.
    """

    async def started(self, lane: Lane) -> None:
        """Start, once, after the consumer group was joined.

        It is the first call.
        """

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Take note of all partitions held from now on, possibly none.

        Their offsets are asked of ``resume`` next.
        """

    async def handle(self, batch: Batch) -> None:
        """Handle one batch. An idle batch notes that time passed."""

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Give up all partitions and drop everything not flushed.

        Offsets can still be committed.
        """

    async def stopped(self) -> None:
        """Flush and commit before a clean end leaves the group."""


class HandlerSerializer:
    """Serializer of a handler's calls, up to the first error.

    Attributes:
        call: name of the handler's method under way.
        calls: number of calls that have ended.
    """

    def __init__(
        self, handler: BatchHandler, resume: Resume | None, lane: Lane, fail: Callable[[BaseException], None]
    ) -> None:
        self.call: str | None = None
        self.calls = 0
        self._handler = handler
        self._resume = resume
        self._lane = lane
        self._fail = fail
        self._lock = asyncio.Lock()
        self._running: asyncio.Future[None] | None = None
        self._started = False
        self._over = False

    async def handle(self, batch: Batch) -> None:
        """Have the handler handle one batch, unless a rebalance made it void."""
        self._lane.notify()
        await self._call("handle", lambda: self._handler.handle(batch), still=lambda: self._lane.is_current(batch))

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Give the handler its partitions and ask where to resume.

        The first assignment starts the handler.
        """
        if not self._started:
            self._started = True
            await self._call("started", lambda: self._handler.started(self._lane))
        await self._call("assigned", lambda: self._handler.assigned(partitions))
        await self._call("resume", lambda: self._ask(partitions))

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Have the handler give up its partitions after the batch in hand."""
        if self._started and partitions:
            await self._call("revoked", lambda: self._handler.revoked(partitions))

    async def stopped(self) -> None:
        """Let the handler flush, as the last call.

        The batch in hand has some seconds to finish.
        """
        if self._started:
            # A handler that waits for an absent broker is cancelled: its records are read again.
            cut = (
                asyncio.get_running_loop().call_later(LAST_BATCH_SECONDS, self.call_off, self._running)
                if self._running
                else None
            )
            try:
                await self._call("stopped", self._handler.stopped)
            finally:
                if cut is not None:
                    cut.cancel()
        self._over = True

    def call_off(self, running: asyncio.Future[None] | None = None) -> None:
        """Cancel a call, by default the one under way."""
        running = running or self._running
        if running is not None:
            running.cancel()

    def end(self) -> None:
        """Make no further call."""
        self._over = True

    async def _ask(self, partitions: Sequence[TopicPartition]) -> None:
        # Not while seeking: a seek has a time limit, and opening a store may take longer.
        self._lane.wanted = wanted = {}
        for topic, partition in partitions:
            if self._resume is not None and topic in self._lane.topics:
                offset = await self._resume(topic, partition)
                if offset is not None:
                    wanted[TP(topic, partition)] = offset

    async def _call(
        self, name: str, call: Callable[[], Coroutine[Any, Any, None]], still: Callable[[], bool] = lambda: True
    ) -> None:
        if self._over:
            return  # a call that never returns holds the lock for ever: the end of the process must not wait for it
        async with self._lock:
            if self._over or not still():
                return
            self.call = name
            self._running = running = asyncio.ensure_future(call())
            try:
                await running
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if me is None or me.cancelling():
                    raise
            except Exception as error:  # any error of a handler ends the process
                self._over = True
                self._fail(error)
            finally:
                self.call = self._running = None
                self.calls += 1
