"""Whether a worker is alive and gets on: what its event loop says of itself at every tick.

Two things can go wrong without an error. The loop can stand still, in a call that does not return; then nobody but
another thread can notice (``streams/engine/watchdog.py``). Or the loop runs and nothing moves: a fetch loop that
ended, a handler that waits for ever, a batch that fell between two tasks. That shows in records that wait while
nothing is committed.
"""

from __future__ import annotations

from time import monotonic, time
from typing import Protocol

from aiokafka import TopicPartition

from schemas.errors import WorkerStalled

#: How often the loop shows that it runs.
TICK_SECONDS = 0.25
#: How long a worker may stand still unless told otherwise: longer than the longest flush and the longest copy.
STALL_SECONDS = 120.0
#: Opening a store reads every identity there is, and replays a log after a crash: a restart would begin that anew.
OPENING_SECONDS = 1_800.0
#: Between two ticks at most this much counts as time in which nothing moved. The rest the loop was busy, or the
#: process was stopped: neither is a stall.
_LONGEST_TICK_SECONDS = 1.0


class Backlog(Protocol):
    """What the heartbeat asks of the lane."""

    commits: int

    def uncommitted(self) -> dict[TopicPartition, int]: ...

    def oldest_ms(self) -> dict[TopicPartition, int]: ...


class Calls(Protocol):
    """What the heartbeat asks of the calls to the handler."""

    call: str | None
    calls: int


class Heartbeat:
    """Written by the event loop alone, read by any thread."""

    def __init__(self, lane: Backlog, serializer: Calls, stall_seconds: float) -> None:
        self.ticks = 0
        self.ticked_at = monotonic()
        self.stall_seconds = stall_seconds
        #: Seconds for which records have waited and nothing was committed.
        self.still_seconds = 0.0
        #: Records that wait, as of the last tick, and since when the oldest of them does, in seconds since 1970.
        self.uncommitted: dict[TopicPartition, int] = {}
        self.waits_since: dict[TopicPartition, float] = {}
        self._lane = lane
        self._serializer = serializer
        self._mark: tuple[int, int | None] = (0, None)

    @property
    def doing(self) -> str | None:
        """The handler's method under way."""
        return self._serializer.call

    @property
    def limit_seconds(self) -> float:
        """How long the loop may stand still in what it is doing now."""
        return max(self.stall_seconds, OPENING_SECONDS) if self.doing == "resume" else self.stall_seconds

    @property
    def commits(self) -> int:
        """How often something was committed."""
        return self._lane.commits

    def lag_seconds(self) -> dict[TopicPartition, float]:
        """How long the oldest record has waited that was written and not committed, 0 where none does."""
        now, since = time(), self.waits_since
        return {tp: max(0.0, now - since.get(tp, now)) for tp in self.uncommitted}

    def silent_seconds(self) -> float:
        """How long ago the loop ticked."""
        return monotonic() - self.ticked_at

    def tick(self) -> None:
        """Note that the loop runs, and whether anything moved since it was here last."""
        now = monotonic()
        passed, self.ticked_at = now - self.ticked_at, now
        self.ticks += 1
        self.uncommitted = self._lane.uncommitted()
        self.waits_since = self._oldest()
        waiting = any(self.uncommitted.values())
        # Calls that end are no progress while records wait: an idle batch is handled also by one who never commits.
        mark = self._lane.commits, None if waiting else self._serializer.calls
        # A standby may wait for ever in resume(), for a file that another process holds.
        if mark != self._mark or not (waiting or self.doing) or self.doing == "resume":
            self._mark = mark
            self.still_seconds = 0.0
        else:
            self.still_seconds += min(passed, _LONGEST_TICK_SECONDS)

    def _oldest(self) -> dict[TopicPartition, float]:
        """Of a record in hand when it was written is known; of one still in Kafka, since when it was seen there."""
        in_hand = {tp: at / 1_000 for tp, at in self._lane.oldest_ms().items()}
        now, before = time(), self.waits_since
        return {tp: in_hand.get(tp) or before.get(tp, now) for tp, waiting in self.uncommitted.items() if waiting}

    def stalled(self) -> WorkerStalled | None:
        """Return what ends the worker when nothing has moved for too long."""
        if self.still_seconds < self.stall_seconds:
            return None
        waiting = sum(self.uncommitted.values())
        where = f"the handler is in {self.doing}()" if self.doing else "nothing is being handled"
        return WorkerStalled(
            f"{waiting:,} records wait and none was committed for {self.still_seconds:.0f} s; {where}"
            if waiting
            else f"{where} for {self.still_seconds:.0f} s and does not return"
        )
