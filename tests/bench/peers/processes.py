"""Processes of a peer: started together, watched through /proc, ended by their pids."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.stages import resident

STOP_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
#: Lines of a process that ended by itself, shown with the failure.
_LAST_LINES = 15


class PeerFailed(Exception):
    """A process of a peer ended by itself, or made no progress."""


@dataclass(frozen=True)
class Command:
    """One process to start.

    Attributes:
        environment: variables added to those of this process.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Processes:
    """Processes of one peer, for the length of a block."""

    def __init__(self, commands: Sequence[Command], log: Path) -> None:
        self._commands = commands
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Processes:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every process."""
        with self._log.open("ab") as output:
            for command in self._commands:
                self._running.append(
                    subprocess.Popen(
                        command.arguments,
                        env={**os.environ, **command.environment},
                        cwd=self._log.parent,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        # Ctrl-C goes to a whole terminal group: the peer is stopped in order by this process instead.
                        start_new_session=True,
                    )
                )

    def check(self) -> None:
        """Do nothing while all run.

        Raises:
            PeerFailed: one ended by itself.
        """
        for process in self._running:
            if process.poll() is not None:
                lines = self._log.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]
                raise PeerFailed("\n".join([f"ended with {process.returncode}", *lines]))

    def kill(self) -> None:
        """End all at once, as a power cut would."""
        for process in self._running:
            process.kill()
        self._reap()

    def stop(self) -> None:
        """Ask all to end, and kill those that do not."""
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        self._reap()

    def cpu_seconds(self) -> float:
        """Return the processor time of all so far."""
        return sum(cpu_seconds(process.pid) for process in self._running)

    def peak_bytes(self) -> int:
        """Return the sum of each process's most resident memory."""
        return sum(resident(process.pid, "VmHWM") for process in self._running)

    def _reap(self) -> None:
        for process in self._running:
            process.wait()
        self._running.clear()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, by all of its threads."""
    # The name in parentheses may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
