"""The gateway's server before clients that are slow, silent or gone; no broker is behind it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from streams.gateway import answers as answers_module
from streams.gateway import server as server_module
from streams.gateway.answers import Answers, Limits
from streams.gateway.carrier import Carrier
from streams.gateway.limits import Rate
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.receipts import Pages
from streams.gateway.server import Server, listening
from streams.gateway.tokens import Tokens, make
from streams.intake.examine import Examiner
from tests.support.lanes import until

NOWHERE = "kafka://127.0.0.1:1"


class Serving(NamedTuple):
    """A server, its port, and a token."""

    server: Server
    port: int
    token: str
    metrics: GatewayMetrics

    def head(self, length: int) -> bytes:
        """Return the head of a request that posts so many bytes of JSON Lines."""
        lines = ("POST /v1/reports HTTP/1.1", "Host: x", f"Authorization: Bearer {self.token}")
        more = ("Content-Type: application/x-ndjson", f"Content-Length: {length}")
        return "\r\n".join([*lines, *more, "", ""]).encode()

    def cut_off(self) -> float:
        """Return how many requests ended without their answer."""
        (found,) = [each for each in self.metrics.collect() if each.name == "trucewatch_gateway_cut_off"]
        return found.samples[0].value


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    truce = load_agreement("syria-2016")
    return Examiner([truce], load_gazetteer(truce.gazetteer), "clock")


@asynccontextmanager
async def serving(folder: Path, examiner: Examiner) -> AsyncIterator[Serving]:
    """Serve for the length of the block; the broker is away."""
    token, topics = make(folder / "tokens", ["north"]), Topics()
    carrier = Carrier(NOWHERE, topics)
    metrics = GatewayMetrics(carrier.reachability)
    with ThreadPoolExecutor(1) as executor:
        answers = Answers(
            Tokens(folder / "tokens"),
            Rate(1_000_000),
            Limits(8_000_000, 2_000),
            [examiner],
            carrier,
            Pages(NOWHERE, topics),
            metrics,
            executor,
        )
        server = Server(answers.answer)
        async with listening(server, "127.0.0.1:0", None) as address:
            yield Serving(server, int(address.rpartition(":")[2]), token, metrics)


class Line:
    """Connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int, sent: bytes = b"") -> Line:
        """Connect, and send some bytes."""
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        line.writer.write(sent)
        return line

    async def status(self) -> int:
        """Return the status of the next answer."""
        async with asyncio.timeout(30):
            return int((await self.reader.readuntil(b"\r\n")).split()[1])

    async def is_closed(self) -> bool:
        """Wait until the server ends the connection."""
        async with asyncio.timeout(30):
            try:
                while await self.reader.read(65_536):
                    continue
            except ConnectionResetError:
                pass  # ended all the same
            return True

    def close(self) -> None:
        """End the connection."""
        self.writer.transport.abort()


async def test_a_connection_that_asks_nothing_is_ended_before_its_first_request_and_between_two(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 0.2)
    async with serving(tmp_path, examiner) as found:
        for sent in (b"", b"POST /v1/rep", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"):
            line = await Line.to(found.port, sent)
            assert await line.is_closed()
            line.close()


async def test_a_silent_body_and_one_that_trickles_for_ever_are_late(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "PIECE_SECONDS", 0.3)
    monkeypatch.setattr(answers_module, "BODY_SECONDS", 0.6)
    async with serving(tmp_path, examiner) as found:
        silent = await Line.to(found.port, found.head(100) + b"{")
        trickling = await Line.to(found.port, found.head(100))

        async def trickle() -> None:
            while True:
                trickling.writer.write(b"{")
                await asyncio.sleep(0.1)

        more = asyncio.create_task(trickle())
        assert [await silent.status(), await trickling.status()] == [408, 408]
        more.cancel()
        for line in (silent, trickling):
            line.close()


async def test_beyond_their_number_the_oldest_idle_connections_go(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS", 3)
    async with serving(tmp_path, examiner) as found:
        at_work = await Line.to(found.port, found.head(2) + b"{")
        idle = [await Line.to(found.port) for _ in range(2)]
        await until(lambda: len(found.server.connections) == 3 and found.server.requests_count == 1)
        newer = [await Line.to(found.port) for _ in range(3)]
        assert all([await line.is_closed() for line in idle])
        at_work.writer.write(b"}")
        assert await at_work.status() == 422
        for line in (at_work, *idle, *newer):
            line.close()


async def test_an_answer_that_nobody_reads_is_given_up_with_its_place(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "READ_SECONDS", 0.3)
    async with serving(tmp_path, examiner) as found:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", found.port))
        reader, writer = await asyncio.open_connection(sock=narrow, limit=1_024)
        await until(lambda: bool(found.server.connections))
        (handler,) = found.server.connections
        assert handler.transport is not None
        handler.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        body = b"{}\n" * 2_000
        writer.write(found.head(len(body)) + body)
        await until(lambda: found.cut_off() == 1)
        told = b""
        try:
            while piece := await reader.read(65_536):
                told += piece
        except ConnectionResetError:
            pass  # the rest is gone
        head, _, rest = told.partition(b"\r\n\r\n")
        (length,) = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
        assert len(rest) < int(length.split()[1])
        writer.transport.abort()


async def test_without_a_broker_a_sound_report_is_refused_at_once_and_a_faulty_one_for_its_fault(
    tmp_path: Path, examiner: Examiner
) -> None:
    sound = {
        "type": "incident",
        "feed": "north",
        "report_id": "A-1",
        "kind": "shelling",
        "reported_at": "2016-09-13T12:00:00+03:00",
        "place": {"pcode": "SY02"},
        "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "hour"},
    }
    async with serving(tmp_path, examiner) as found:
        for report, status in ((sound, 503), ({**sound, "kind": "a picnic"}, 422)):
            body = json.dumps(report).encode()
            line = await Line.to(found.port, found.head(len(body)) + body)
            assert await line.status() == status
            line.close()


async def test_while_it_drains_a_request_at_work_has_its_answer(tmp_path: Path, examiner: Examiner) -> None:
    async with serving(tmp_path, examiner) as found:
        idle, line = await Line.to(found.port), await Line.to(found.port, found.head(2) + b"{")
        await until(lambda: len(found.server.connections) == 2 and found.server.requests_count == 1)
        draining = asyncio.create_task(found.server.drain())
        assert await idle.is_closed()
        line.writer.write(b"}")
        assert await line.status() == 422
        await draining
        for each in (idle, line):
            each.close()
