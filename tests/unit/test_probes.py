"""The probes' server, beside clients that keep it busy."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from streams.engine import probes
from streams.engine.handler_serializer import HandlerSerializer
from streams.engine.heartbeat import Heartbeat
from streams.engine.probes import CONNECTIONS, Probes
from tests.support.lanes import Group, Remembering, lane_of


@pytest.fixture
def url() -> Iterator[str]:
    lane = lane_of(Group())
    heartbeat = Heartbeat(lane, HandlerSerializer(Remembering(), None, lane, pytest.fail), 60.0)
    with Probes("127.0.0.1:0", heartbeat, list, CollectorRegistry()).serving() as url:
        yield url


def connected(url: str, sent: bytes = b"") -> socket.socket:
    """Return a connection that has sent this much of a request."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(sent)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def status(url: str, method: str = "GET") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_hundreds_of_idle_connections_keep_no_probe_from_its_answer(url: str) -> None:
    idle = [connected(url, sent) for sent in (b"", b"GET /livez HTTP/1.1\r\nHost:") for _ in range(150)]
    try:
        assert status(f"{url}/livez") == 200
        assert all(is_closed(connection) for connection in idle[:-CONNECTIONS])
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET /livez HTTP/1.1\r\n", b"POST /livez HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"]
)
def test_a_connection_that_asks_nothing_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(probes, "CONNECTION_SECONDS", 0.1)
    with connected(url, sent) as connection:
        received = b""
        while part := _received(connection):
            received += part
        assert not received.startswith(b"HTTP/1.1 200")


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4_096)
    except ConnectionResetError:
        return b""


def test_an_answer_closes_its_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "CONNECTION_SECONDS", 3_600)
    with connected(url, b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n") as connection:
        received = b""
        while part := connection.recv(4_096):
            received += part
    assert b"\r\nConnection: close\r\n" in received


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert (status(f"{url}/"), status(f"{url}/livez", "POST"), status(f"{url}/livez", "HEAD")) == (404, 405, 200)
