"""The gateway in a process of its own, and clients of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from streams.cli.processes import worker_environment
from streams.gateway.tokens import make
from streams.settings import Settings

PATIENCE = 240.0
JSON, LINES = "application/json", "application/x-ndjson"


class Told(NamedTuple):
    """Answer of the gateway."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that serves, with a token."""

    url: str
    token: str
    process: subprocess.Popen[bytes]
    log: Path
    tls: ssl.SSLContext | None = None

    @property
    def where(self) -> tuple[str, int]:
        """Host and port."""
        found = urlsplit(self.url)
        return str(found.hostname), int(found.port or 0)

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        """Return a connection that is made by its first request."""
        if self.tls is None:
            return http.client.HTTPConnection(*self.where, timeout=timeout)
        return http.client.HTTPSConnection(*self.where, timeout=timeout, context=self.tls)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str | None] | None = None
    ) -> Told:
        """Ask by the token and as JSON, unless headers say otherwise; a header of None is not sent."""
        with_these = {"Authorization": f"Bearer {self.token}", "Content-Type": JSON, **(headers or {})}
        connection = self.connect()
        try:
            sent = {name: value for name, value in with_these.items() if value is not None}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = answer.read()
            return Told(answer.status, dict(answer.getheaders()), json.loads(found) if found else None)
        finally:
            connection.close()

    def post(self, body: bytes, **headers: str | None) -> Told:
        """Post reports; ``Content_Type`` stands for the header Content-Type."""
        return self.ask("POST", "/v1/reports", body, {name.replace("_", "-"): each for name, each in headers.items()})

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text("utf-8", errors="replace")


@contextmanager
def gateway(
    settings: Settings, folder: Path, *feeds: str, tls: ssl.SSLContext | None = None
) -> Iterator[RunningGateway]:
    """Run a gateway whose token publishes as these feeds; at the end it is told to stop, and must do so in order."""
    tokens = folder / "gateway.tokens"
    token = make(tokens, feeds or ("field-office",))
    given = {"gateway_tokens": tokens, "log_format": "json", "log_level": "info"}
    if settings.gateway_address == Settings.model_fields["gateway_address"].default:
        given["gateway_address"] = "127.0.0.1:0"
    made = settings.model_copy(update=given)
    log = folder / "gateway.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "streams", "gateway"],
            env=worker_environment(made),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _address(process, log)
        running = RunningGateway(url, token, process, log, tls)
        _wait_for_the_broker(running)
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert code == 0, log.read_text("utf-8", errors="replace")


def events(log: Path) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    found = []
    for line in log.read_text("utf-8", errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for event in events(log):
            if event.get("event") == "gateway_serves":
                return str(event["address"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the gateway does not serve: {log.read_text('utf-8', errors='replace')}")


def _wait_for_the_broker(running: RunningGateway) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(event.get("event") == "connected" for event in events(running.log)):
        assert time.monotonic() < deadline, running.said()
        time.sleep(0.05)
