"""Page of a published copy, served by a process beside the workers of ``up``."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from streams.cli.processes import worker_environment
from streams.cli.restarts import Say
from streams.settings import Settings


class PageProcess:
    """Process that serves one agreement's page on a free port of this machine.

    It only reads: what it is doing when it is killed is lost to nobody.
    """

    def __init__(self, settings: Settings) -> None:
        self.agreement = settings.agreement
        self._said: str | None = None
        self._address: str | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "streams", "serve", "--listen", "127.0.0.1:0", "--until-eof", "--json"],
            env=worker_environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The state of the copy, which the page itself tells.
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, name="page", daemon=True)
        self._reader.start()

    def look(self, say: Say) -> None:
        """Say once where the page is, and once that it ended: the workers go on without it."""
        code = self._process.poll()
        if code is not None and self._said != "page_ended":
            self._said = "page_ended"
            say(self._said, f"the page ended with {code}; `trucewatch serve` starts it again", code=code)
        elif self._address is not None and self._said is None:
            self._said = "page"
            say(self._said, f"page: {self._address}/", address=self._address, agreement=self.agreement)

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._address = json.loads(line)["address"]


@contextmanager
def serving(settings: Sequence[Settings]) -> Iterator[list[PageProcess]]:
    """Serve the page of each agreement for the length of a block."""
    with ExitStack() as stack:
        pages = [PageProcess(each) for each in settings]
        for page in pages:
            stack.callback(page.kill)
        yield pages
