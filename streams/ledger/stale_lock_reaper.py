"""Reaper of a stopped process that holds a ledger's lock.

DuckDB's lock lasts for as long as its holder lives, and a stopped process lives for ever. The group
gave the partition to another ledger long ago, which cannot go on before the lock is released. A
kill at any instant loses nothing, so it is safe for the data. It must hit the right process, and
none that works.
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
    """State of a stopped process, different as soon as it runs.

    It differs as well when the number is another process's.
    """

    pid: int
    started: str
    switches: tuple[str, ...]


class StaleLockReaper:
    """Reaper of the stopped process that holds the file ``live``.

    The process is ended once it was stopped for longer than ``seconds`` without a break.

    Only a process of this user, on this host, in state T of /proc, with this very file open, is
    ended. State T is a stop by a signal; a debugger's stop is another one. Without /proc nothing is
    ever ended.
    """

    def __init__(self, live: Path, seconds: float, proc: Path = _PROC) -> None:
        self._live = live
        self._seconds = seconds
        self._proc = proc
        self._seen: Stillness | None = None
        self._since = 0.0

    def look(self, pid: int | None) -> bool:
        """Inspect the holder, if known; return whether it was ended.

        To be called at each attempt to open the file.
        """
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
            # Once more, now that the descriptor holds the process: its number cannot pass to
            # another one any more.
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
        """Return the state of a holder, None unless it is stopped."""
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
        """Return whether the process has the file open.

        Over a network its number may be another host's.
        """
        wanted = self._live.stat()
        for descriptor in (of_process / "fd").iterdir():
            try:
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
            except FileNotFoundError:
                continue  # a socket or a deleted file
        return False
