"""Watchdog thread that ends the process when its event loop stands still.

Kafka's client has a thread of its own, which goes on sending heartbeats to the group. Without the
watchdog a worker stuck in one call would keep its partitions, and a standby would wait for ever. A
process that is stopped (SIGSTOP) stops this thread too. Then the client is silent as well, and the
standby takes over.
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
#: Between two looks; a shorter limit is checked more often.
_LOOK_SECONDS = 1.0
#: How much later than this thread the interpreter's own timer ends the process, and no more than so
#: many times the limit. The timer needs no lock of Python's, which a call that stands still may
#: hold, as a regular expression does. It chooses neither exit code nor words;
#: ``streams/cli/exit_reason.py`` knows its own. It counts the time in which the process was
#: stopped: a process stopped for longer than limit and backstop together ends when it goes on.
_BACKSTOP_SECONDS, _BACKSTOP_LIMITS = 10.0, 3
#: How long writing the exit reason may take: the reader of standard error may have stopped reading.
_REASON_SECONDS = 5.0


class Watchdog:
    """Watchdog of a heartbeat for the length of a block.

    The process ends with exit code 3 when the heartbeat stops. The stacks of all threads and then
    one line with the reason go to standard error. Nothing is flushed; committed rows stay, as after
    any other sudden death. While the call under way holds the interpreter's lock, no thread of
    Python's can run. The interpreter's timer ends the process then, with exit code 1 and the stacks
    alone.
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
            # While this thread did not run either, the whole process was stopped: such time hardly
            # counts.
            still = 0.0 if heartbeat.ticks != ticks else still + min(now - looked, 2 * interval)
            ticks, looked = heartbeat.ticks, now
            if still >= heartbeat.limit_seconds:
                self._end(still)

    def _end(self, still: float) -> None:
        doing = f"in {self._heartbeat.doing}()" if self._heartbeat.doing else "between two calls of the handler"
        reason = WorkerStalled(f"the event loop has stood still for {still:.0f} s, {doing}")
        telling = threading.Thread(target=_tell, args=(reason,), daemon=True)
        telling.start()
        telling.join(_REASON_SECONDS)
        os._exit(reason.exit_code)


def _tell(reason: WorkerStalled) -> None:
    # Not through logging: the thread that stands still may hold its lock.
    faulthandler.dump_traceback(file=_STDERR)
    os.write(_STDERR, f"trucewatch: {reason}\n".encode())
