"""A thread that ends the process when its event loop stands still.

Kafka's client lives in a thread of its own and goes on telling the broker that all is well, so without this a worker
stuck in one call would keep its partitions, and a standby would wait for ever. A process that is stopped altogether
(SIGSTOP) stops this thread too; then the client is silent as well and the standby takes over.
"""

from __future__ import annotations

import faulthandler
import os
import threading
from time import monotonic
from types import TracebackType
from typing import Self

from schemas.errors import WorkerStalled
from streams.engine.heartbeat import Heartbeat

_STDERR = 2
#: Between two looks; a shorter limit is looked at more often.
_LOOK_SECONDS = 1.0
#: How much later than this thread the interpreter's own timer ends the process, and no more than so many times the
#: limit. It needs no lock of Python's, which a call that stands still may hold, as a regular expression does. It can
#: choose neither exit code nor words: ``streams/cli/exit_reason.py`` knows its own. It counts the time in which the
#: process was stopped, so one that was for longer than limit and this together ends when it goes on.
_BACKSTOP_SECONDS, _BACKSTOP_LIMITS = 10.0, 3
#: How long the last words may take: whoever reads standard error may have stopped reading.
_LAST_WORDS_SECONDS = 5.0


class Watchdog:
    """Watches a heartbeat for the length of a block, and ends the process with exit code 3 when it stops.

    The stacks of all threads and then one line with the reason go to standard error. Nothing is flushed: what was
    committed stays, as after any other sudden death. Where the call under way holds the lock of the interpreter, no
    thread of Python's can say or do this: the interpreter's timer ends the process then, with exit code 1, and the
    stacks alone tell.
    """

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        heartbeat = self._heartbeat
        interval = min(_LOOK_SECONDS, heartbeat.stall_seconds / 4)
        backstop = min(_BACKSTOP_SECONDS, _BACKSTOP_LIMITS * heartbeat.stall_seconds)
        ticks, still, looked = heartbeat.ticks, 0.0, monotonic()
        while not self._done.wait(interval):
            faulthandler.dump_traceback_later(heartbeat.limit_seconds + backstop, exit=True, file=_STDERR)
            now = monotonic()
            # Of a time in which this thread did not run either only a little counts: the whole process was stopped.
            still = 0.0 if heartbeat.ticks != ticks else still + min(now - looked, 2 * interval)
            ticks, looked = heartbeat.ticks, now
            if still >= heartbeat.limit_seconds:
                self._end(still)

    def _end(self, still: float) -> None:
        doing = f"in {self._heartbeat.doing}()" if self._heartbeat.doing else "between two calls of the handler"
        reason = WorkerStalled(f"the event loop has stood still for {still:.0f} s, {doing}")
        telling = threading.Thread(target=_tell, args=(reason,), daemon=True)
        telling.start()
        telling.join(_LAST_WORDS_SECONDS)
        os._exit(reason.exit_code)


def _tell(reason: WorkerStalled) -> None:
    # Not through logging: the thread that stands still may hold its lock.
    faulthandler.dump_traceback(file=_STDERR)
    os.write(_STDERR, f"trucewatch: {reason}\n".encode())
