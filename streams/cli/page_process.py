"""Processes beside the workers of ``up``: the page of a published copy, and the notifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from streams.cli.exit_reason import exit_reason
from streams.cli.processes import close_pipes, started
from streams.cli.restarts import FORGIVEN_SECONDS, PAUSES, Say
from streams.settings import Settings

#: Lines of standard error kept: its last words, and not the log of a day.
_TAIL_LINES = 50


class PageProcess:
    """Process that serves one agreement's page on a free port of this machine.

    It only reads: what it is doing when it is killed is lost to nobody. One that ended is started again, at the same
    port, so that pages which are open go on.

    Attributes:
        name: what messages call it, and the first word of its events.
        command: the command that runs it.
        echo: whether its log is shown.
    """

    name = "page"
    command = "serve"
    echo = False

    def __init__(self, settings: Settings) -> None:
        self.agreement = settings.agreement
        self._settings = settings
        self._said: str | None = None
        self._listen = "127.0.0.1:0"
        self._restarts: list[float] = []
        self._due: float | None = None
        self._told: tuple[str, ...] = ()
        self._start()

    @property
    def pid(self) -> int:
        """Process id of the page."""
        return self._process.pid

    @property
    def address(self) -> str | None:
        """Base address of the page, once it has said it."""
        return None if self._listen.endswith(":0") else f"http://{self._listen}"

    def tell(self, probes: Sequence[str]) -> None:
        """Tell the page where the workers' probes are, if it was told of others."""
        if tuple(probes) == self._told or self._process.stdin is None:
            return
        # One that has ended is told again once it is started.
        with suppress(OSError):
            os.write(self._process.stdin.fileno(), f"{' '.join(probes)}\n".encode())
            self._told = tuple(probes)

    def look(self, say: Say, now: float) -> None:
        """Say where the page is, and start it again if it ended; the workers go on without it.

        ``now`` is of the monotonic clock, in seconds. After too many restarts within an hour the page is given up.
        """
        if self._said == f"{self.name}_ended":
            return
        if self._due is not None:
            if now >= self._due:
                self._due = None
                self.kill()
                self._start()
            return
        code = self._process.poll()
        if code is not None:
            self._ended(say, now, code)
        elif self.address is not None and self._said is None:
            self._said = self.name
            say(self._said, f"{self.name}: {self.address}/", address=self.address, agreement=self.agreement)

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(timeout=5)
        close_pipes(self._process)

    def _ended(self, say: Say, now: float, code: int) -> None:
        self._restarts = [at for at in self._restarts if now - at < FORGIVEN_SECONDS]
        for reader in self._readers:
            reader.join(timeout=5)
        reason = f"the {self.name} of {self.agreement} ended: {exit_reason(list(self._tail), code)}"
        if len(self._restarts) >= len(PAUSES):
            self._said = f"{self.name}_ended"
            say(self._said, f"{reason}; given up, `trucewatch {self.command}` starts it again", code=code)
            return
        pause = PAUSES[len(self._restarts)]
        self._restarts.append(now)
        self._due = now + pause
        say(f"{self.name}_restart", f"{reason}; starting it again in {pause:.0f} s", code=code, pause_seconds=pause)

    def _start(self) -> None:
        self._told = ()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = started(self._settings, self.command, *self._options(), stdout=subprocess.PIPE)
        self._readers = [
            threading.Thread(target=each, name=self.name, daemon=True) for each in (self._hear, self._keep)
        ]
        for reader in self._readers:
            reader.start()

    def _options(self) -> list[str]:
        return ["--listen", self._listen, "--json"]

    def _hear(self) -> None:
        for line in self._process.stdout or ():
            self._listen = json.loads(line)["address"].removeprefix("http://")

    def _keep(self) -> None:
        """Take standard error off the pipe, which would be full some day, and keep its end."""
        for line in self._process.stderr or ():
            self._tail.append(line.rstrip())
            if self.echo:
                sys.stderr.write(line)


class NotifyProcess(PageProcess):
    """Process that tells receivers of what one agreement's copy has.

    Killed it loses nothing: it goes on from its log.
    """

    name = "notifier"
    command = "notify"
    echo = True

    def tell(self, probes: Sequence[str]) -> None:
        """Tell it nothing: it asks no worker."""

    def _options(self) -> list[str]:
        return []


@contextmanager
def serving(pages: Sequence[Settings], notifiers: Sequence[Settings] = ()) -> Iterator[list[PageProcess]]:
    """Serve the page of each of some agreements, and notify of those of others, for the length of a block."""
    with ExitStack() as stack:
        processes = [PageProcess(each) for each in pages] + [NotifyProcess(each) for each in notifiers]
        for process in processes:
            stack.callback(process.kill)
        yield processes
