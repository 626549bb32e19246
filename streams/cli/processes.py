"""Worker processes, started, watched and stopped by a command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import streams
from schemas.errors import BrokerUnavailable, StoreFull, WorkerDied, WorkerStalled
from streams.cli.exit_reason import exit_reason
from streams.settings import PREFIX, Role, Settings, environment

#: A ledger publishes its last copy when it stops; past this it is held to be stuck.
STOP_SECONDS = 60.0
#: Without a broker a worker has nobody to hand anything to, and waits long for an answer before it gives up.
_BROKERLESS_STOP_SECONDS = 0.5
#: As much of standard error as is kept: the stacks of some twenty threads, with the line before them.
_TAIL_LINES = 2_000
#: The event in a worker's log that tells where its probes are, and how the address looks, in text and in JSON.
_PROBES, _ADDRESS = "probes_served", re.compile(r"http://[^\s\"]+")
_ROOT = str(Path(streams.__file__).resolve().parent.parent)


class Worker:
    """Worker process.

    Its last output is kept, to be shown should it die.

    Attributes:
        name: what messages call it.
        probes: base address of its probes, once it has said it.
    """

    def __init__(self, role: Role, settings: Settings, *, echo: bool, name: str | None = None) -> None:
        self.role: Role = role
        self.name = name or role
        self._settings = settings
        self._echo = echo
        self._reported = False
        self.probes: str | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._process = started(settings, "worker", "--role", role)
        self._reader = threading.Thread(target=self._listen, name=f"worker-{role}", daemon=True)
        self._reader.start()

    @property
    def agreement(self) -> str:
        """Agreement that it works for, as its settings name it."""
        return self._settings.agreement

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    def check(self) -> None:
        """Do nothing while the worker runs.

        Raises:
            WorkerDied: it ended by itself.
        """
        code = self._process.poll()
        if code is not None:
            self._reported = True
            self._reader.join(timeout=5)
            said = exit_reason(list(self._tail), code)
            stalled = said.startswith(WorkerStalled.SAID)
            raise WorkerDied(
                f"the {self.name} worker ended: {said}",
                3 if stalled or code < 0 else code,
                stalled=stalled,
                full=StoreFull.SIGN in said,
            )

    def again(self) -> Worker:
        """Start the worker anew, after it has ended."""
        self._close()
        return Worker(self.role, self._settings, echo=self._echo, name=self.name)

    def ask_to_stop(self) -> None:
        """Ask the worker to finish its batch and end."""
        if self._process.poll() is None:
            self._process.terminate()

    def join(self, deadline: float) -> None:
        """Wait for the end of a worker asked to stop, until ``deadline`` on the monotonic clock; then kill it.

        Raises:
            WorkerDied: it had to be killed, or ended with an error.
        """
        try:
            code = self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            raise WorkerDied(
                f"the {self.name} worker did not stop within {STOP_SECONDS:.0f} s and was killed", 3
            ) from None
        self._close()
        # One told to stop before it listens for signals ends by the signal, with nothing in its hands.
        if code not in (0, -signal.SIGTERM) and not self._reported:
            said = exit_reason(list(self._tail), code)
            raise WorkerDied(f"the {self.name} worker failed while stopping: {said}", code if code > 0 else 3)

    def kill(self) -> None:
        """End the worker now, whatever it holds."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join(timeout=5)
        close_pipes(self._process)

    def _listen(self) -> None:
        stderr = self._process.stderr
        for line in stderr or ():
            self._tail.append(line.rstrip())
            if self.probes is None and _PROBES in line and (address := _ADDRESS.search(line)):
                self.probes = address[0]
            if self._echo:
                sys.stderr.write(line)


def started(settings: Settings, *command: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start a command of ours as a process that ends with this one, and reads back these settings."""
    return subprocess.Popen(
        # -P: a folder called streams where the command is run must not be taken for the package.
        [sys.executable, "-P", "-m", "streams", *command, "--until-eof"],
        env=worker_environment(settings),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # Ctrl-C goes to a whole terminal group: it is stopped in order by this process instead.
        start_new_session=True,
    )


def close_pipes(process: subprocess.Popen[str]) -> None:
    """Close what leads to and from a process that has ended."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


@contextmanager
def running(roles: Sequence[Role], *settings: Settings, echo: bool = False) -> Iterator[list[Worker]]:
    """Run one worker per role and settings for the length of the block, then stop them role by role.

    Leaving by an exception kills nothing abruptly either: whatever was judged is published, if the worker can. When
    the exception is that the broker is gone, workers have half a second for it: what was committed stays.
    """
    workers: list[Worker] = []
    try:
        for place, (role, each) in enumerate(product(roles, settings)):
            name = f"{role} ({each.agreement})" if len(settings) > 1 else role
            workers.append(Worker(role, with_own_port(each, place), echo=echo, name=name))
        yield workers
    except BaseException as failure:
        for worker in workers:
            worker.ask_to_stop()
        brokerless = isinstance(failure, BrokerUnavailable)
        deadline = time.monotonic() + (_BROKERLESS_STOP_SECONDS if brokerless else STOP_SECONDS)
        for worker in workers:
            try:
                worker.join(deadline)
            except WorkerDied as death:
                # The first failure is what the person must see; this one usually follows from it, and always from a
                # broker that is gone.
                if not brokerless:
                    sys.stderr.write(f"trucewatch: {death}\n")
        raise
    for worker in workers:
        worker.ask_to_stop()
        worker.join(time.monotonic() + STOP_SECONDS)


def with_own_port(settings: Settings, place: int) -> Settings:
    """Give each worker of one command a port of its own for its probes: the next one, unless the system chooses."""
    host, _, port = (settings.health_address or "").rpartition(":")
    if not port or port == "0":
        return settings
    return settings.model_copy(update={"health_address": f"{host}:{int(port) + place}"})


def end_with_parent(heard: Callable[[str], None] | None = None) -> None:
    """Stop this process in order once its standard input ends: no worker may outlive the command that started it.

    Args:
        heard: told each whole line that comes before.
    """

    def wait() -> None:
        said = b""
        # Not through sys.stdin: the interpreter aborts when it ends while a thread holds that object's lock.
        while more := os.read(0, 4_096):
            *lines, said = (said + more).split(b"\n")
            for line in lines:
                if heard is not None:
                    heard(line.decode())
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="until-eof", daemon=True).start()


def worker_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a worker that is to read back these settings and no others."""
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH", "")]))
    # A setting of None has no variable: one that this process was given must not speak in its place.
    foreign = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    return {**foreign, **environment(settings), "PYTHONPATH": path}
