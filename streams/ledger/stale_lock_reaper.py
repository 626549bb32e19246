"""Ending a stopped process that holds the file of a ledger which has the partition.

DuckDB's lock lasts for as long as its holder lives, and a process that was stopped lives for ever. The group gave the
partition to another ledger long ago; that one cannot go on before the file is let go. A kill loses nothing whatever
its instant, so it is safe for the data; what has to be certain is that it hits the right process and none that works.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

import structlog

log = structlog.get_logger(__name__)

_PROC = Path("/proc")
#: Fields of /proc/<pid>/stat after the name of the program.
_STATE, _STARTED = 0, 19
_SWITCHES = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")


class Stillness(NamedTuple):
    """What of a stopped process changes as soon as it runs, or is another process under the same number."""

    pid: int
    started: str
    switches: tuple[str, ...]


class StaleLockReaper:
    """Watches who holds ``live`` and ends it once it was stopped, without a break, for longer than ``seconds``.

    Only a process of this user, on this host, in state T of /proc (a stop by a signal; a debugger's stop is another
    one), that has this very file open. Where /proc does not tell, nothing is ever ended.
    """

    def __init__(self, live: Path, seconds: float, proc: Path = _PROC) -> None:
        self._live = live
        self._seconds = seconds
        self._proc = proc
        self._seen: Stillness | None = None
        self._since = 0.0

    def look(self, pid: int | None) -> bool:
        """Called at each attempt to open the file, with its holder if known; return whether that was ended."""
        seen = self._stillness(pid)
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
            return False
        still = time.monotonic() - self._since
        if still <= self._seconds:
            return False
        self._seen = None
        return self._end(seen, still)

    def _end(self, seen: Stillness, still: float) -> bool:
        try:
            descriptor = os.pidfd_open(seen.pid)
        except (AttributeError, OSError):
            return False
        try:
            # Once more, now that the descriptor holds the process: its number cannot pass to another one any more.
            if self._stillness(seen.pid) != seen:
                return False
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        log.warning("stopped_ledger_ended", process=seen.pid, stopped_seconds=round(still), file=str(self._live))
        return True

    def _stillness(self, pid: int | None) -> Stillness | None:
        """Return what a stopped holder looks like; None when it is none, or nobody can tell."""
        if pid is None or pid == os.getpid():
            return None
        of_process = self._proc / str(pid)
        try:
            if of_process.stat().st_uid != os.geteuid() or not self._has_open(of_process):
                return None
            fields = (of_process / "stat").read_text().rpartition(")")[2].split()
            status = dict(line.split(":", 1) for line in (of_process / "status").read_text().splitlines())
        except (OSError, ValueError):
            return None
        if fields[_STATE] != "T" or any(name not in status for name in _SWITCHES):
            return None
        return Stillness(pid, fields[_STARTED], tuple(status[name].strip() for name in _SWITCHES))

    def _has_open(self, of_process: Path) -> bool:
        """Whether the process has the file open: over a network the number may be one of another host."""
        wanted = self._live.stat()
        for descriptor in (of_process / "fd").iterdir():
            try:
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
            except FileNotFoundError:
                continue  # a socket or a deleted file
        return False
