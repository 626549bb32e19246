"""Heartbeat of a worker's event loop, with the progress it makes.

Two things can go wrong without an error:

* The loop stands still in a call that does not return. Only another thread can notice
  (:mod:`streams.engine.watchdog`).
* The loop runs and nothing moves, because a fetch loop ended, a handler waits for ever or a batch
  was lost between two tasks. Records then wait while nothing is committed and no flush
  works on in pieces.
"""

from __future__ import annotations

from time import monotonic, time
from typing import Protocol

from aiokafka import TopicPartition

from schemas.errors import WorkerStalled

#: How often the loop shows that it runs.
TICK_SECONDS = 0.25
#: How long a worker may stand still unless told otherwise: longer than the longest flush and the
#: longest copy.
STALL_SECONDS = 120.0
#: Opening a store reads every identity there is, and replays a log after a crash: a restart would
#: begin that anew.
OPENING_SECONDS = 1_800.0
#: Between two ticks at most this much counts as time without progress. For the rest the loop was
#: busy, or the process was stopped: neither is a stall.
_LONGEST_TICK_SECONDS = 1.0


class Backlog(Protocol):
    """Backlog of the lane."""

    commits: int
    pieces: int

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Return the records waiting, per partition."""

    def oldest_ms(self) -> dict[TopicPartition, int]:
        """Return the timestamp of the oldest record in hand, per partition.

        Timestamps are in ms since 1970.
        """


class Calls(Protocol):
    """Calls to the handler."""

    call: str | None
    calls: int


class Heartbeat:
    """Heartbeat, written by the event loop alone and read by any thread.

    Attributes:
        ticks: number of ticks.
        ticked_at: monotonic time of the last tick.
        stall_seconds: how long there may be no progress.
        still_seconds: how long records have waited without a commit.
        uncommitted: records waiting at the last tick, per partition.
        waits_since: since when the oldest of them waits, in seconds since 1970.
    """

    def __init__(self, lane: Backlog, serializer: Calls, stall_seconds: float) -> None:
        self.ticks = 0
        self.ticked_at = monotonic()
        self.stall_seconds = stall_seconds
        self.still_seconds = 0.0
        self.uncommitted: dict[TopicPartition, int] = {}
        self.waits_since: dict[TopicPartition, float] = {}
        self._lane = lane
        self._serializer = serializer
        self._mark: tuple[int, int, int | None] = (0, 0, None)

    @property
    def doing(self) -> str | None:
        """Name of the handler's method under way."""
        return self._serializer.call

    @property
    def limit_seconds(self) -> float:
        """Seconds the loop may stand still in its present call."""
        return max(self.stall_seconds, OPENING_SECONDS) if self.doing == "resume" else self.stall_seconds

    @property
    def commits(self) -> int:
        """Number of commits."""
        return self._lane.commits

    def lag_seconds(self) -> dict[TopicPartition, float]:
        """Return the age of the oldest uncommitted record, or 0."""
        now, since = time(), self.waits_since
        return {tp: max(0.0, now - since.get(tp, now)) for tp in self.uncommitted}

    def silent_seconds(self) -> float:
        """Return the seconds since the last tick."""
        return monotonic() - self.ticked_at

    def tick(self) -> None:
        """Record a tick, and the progress since the last one."""
        now = monotonic()
        passed, self.ticked_at = now - self.ticked_at, now
        self.ticks += 1
        self.uncommitted = self._lane.uncommitted()
        self.waits_since = self._oldest()
        waiting = any(self.uncommitted.values())
        # A flush that works on in pieces makes progress, however long it takes. Calls that end are
        # none while records wait: a handler that never commits handles idle batches too.
        mark = self._lane.commits, self._lane.pieces, None if waiting else self._serializer.calls
        # A standby may wait for ever in resume(), for a file that another process holds.
        if mark != self._mark or not (waiting or self.doing) or self.doing == "resume":
            self._mark = mark
            self.still_seconds = 0.0
        else:
            self.still_seconds += min(passed, _LONGEST_TICK_SECONDS)

    def _oldest(self) -> dict[TopicPartition, float]:
        """Return since when the oldest record of each partition waits.

        A record in hand has a timestamp. One still in Kafka counts from when it was first seen.
        """
        in_hand = {tp: at / 1_000 for tp, at in self._lane.oldest_ms().items()}
        now, before = time(), self.waits_since
        return {tp: in_hand.get(tp) or before.get(tp, now) for tp, waiting in self.uncommitted.items() if waiting}

    def stalled(self) -> WorkerStalled | None:
        """Return the error that ends a worker without progress."""
        if self.still_seconds < self.stall_seconds:
            return None
        waiting = sum(self.uncommitted.values())
        where = f"the handler is in {self.doing}()" if self.doing else "nothing is being handled"
        return WorkerStalled(
            f"{waiting:,} records wait and none was committed for {self.still_seconds:.0f} s; {where}"
            if waiting
            else f"{where} for {self.still_seconds:.0f} s and does not return"
        )
