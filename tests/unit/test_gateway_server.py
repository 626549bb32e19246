"""The gateway's server before clients that are slow, silent or gone; no broker is behind it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from streams.engine import http as http_module
from streams.engine.http import CONNECTIONS, BoundedServer, Tls, listening
from streams.engine.producer import BATCH_BYTES, BatchProducer
from streams.gateway import answers as answers_module
from streams.gateway.answers import Answers, Limits
from streams.gateway.carrier import Carrier
from streams.gateway.limits import Rate
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.receipts import Pages
from streams.gateway.tokens import Tokens, make
from streams.gateway.turns import Turns
from streams.intake.examine import Examiner
from tests.support.lanes import until

NOWHERE = "kafka://127.0.0.1:1"


def sound(report_id: str, **changes: Any) -> dict[str, Any]:
    """Return a report that no agreement refuses."""
    return {
        "type": "incident",
        "feed": "north",
        "report_id": report_id,
        "kind": "shelling",
        "reported_at": "2016-09-13T12:00:00+03:00",
        "place": {"pcode": "SY02"},
        "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "hour"},
        **changes,
    }


class Serving(NamedTuple):
    """A server, its port, and a token."""

    server: BoundedServer
    port: int
    token: str
    metrics: GatewayMetrics

    def head(self, length: int) -> bytes:
        """Return the head of a request that posts so many bytes of JSON Lines."""
        lines = ("POST /v1/reports HTTP/1.1", "Host: x", f"Authorization: Bearer {self.token}")
        more = ("Content-Type: application/x-ndjson", f"Content-Length: {length}")
        return "\r\n".join([*lines, *more, "", ""]).encode()

    def counted(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Return the samples of a metric."""
        (found,) = [each for each in self.metrics.collect() if each.name == f"trucewatch_gateway_{name}"]
        return [(sample.labels, sample.value) for sample in found.samples]

    def cut_off(self) -> float:
        """Return how many requests ended without their answer."""
        return self.counted("cut_off")[0][1]

    async def post(self, *reports: dict[str, Any]) -> Whole:
        """Post reports on a connection of their own."""
        body = b"\n".join(json.dumps(each).encode() for each in reports)
        line = await Line.to(self.port, self.head(len(body)) + body)
        try:
            return await line.answer()
        finally:
            line.close()


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    truce = load_agreement("syria-2016")
    return Examiner([truce], load_gazetteer(truce.gazetteer), "clock")


@asynccontextmanager
async def serving(
    folder: Path,
    examiner: Examiner,
    carrier: Carrier | None = None,
    rate: Rate | None = None,
    connections: int = CONNECTIONS,
    tls: Tls | None = None,
) -> AsyncIterator[Serving]:
    """Serve for the length of the block; the broker is away, unless a carrier is given."""
    token, topics = make(folder / "tokens", ["north"]), Topics()
    carrier = carrier or Carrier(NOWHERE, topics)
    metrics = GatewayMetrics(carrier.reachability)
    with ThreadPoolExecutor(1) as executor:
        answers = Answers(
            Tokens(folder / "tokens"),
            rate or Rate(1_000_000),
            Limits(8_000_000, 2_000),
            [examiner],
            carrier,
            Pages(NOWHERE, topics),
            metrics,
            Turns(executor),
        )
        server = BoundedServer(answers.answer, answers.excuse, connections)
        async with listening(server, "gateway", "127.0.0.1:0", tls) as address:
            yield Serving(server, int(address.rpartition(":")[2]), token, metrics)


class Whole(NamedTuple):
    """Answer to a request."""

    status: int
    headers: dict[str, str]
    body: Any


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

    async def answer(self) -> Whole:
        """Return the next answer."""
        async with asyncio.timeout(30):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["Content-Length"]))
            return Whole(int(first.split()[1]), headers, json.loads(body))

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
    monkeypatch.setattr(http_module, "HEAD_SECONDS", 0.2)
    async with serving(tmp_path, examiner) as found:
        for sent in (b"", b"POST /v1/rep", b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"):
            line = await Line.to(found.port, sent)
            assert await line.is_closed()
            line.close()


async def test_a_silent_body_and_one_that_trickles_for_ever_are_late(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, examiner) as found:
        with monkeypatch.context() as short:
            short.setattr(answers_module, "PIECE_SECONDS", 0.2)
            silent = await Line.to(found.port, found.head(100) + b"{")
            late = await silent.answer()
        monkeypatch.setattr(answers_module, "BODY_SECONDS", 0.4)
        trickling = await Line.to(found.port, found.head(100))

        async def trickle() -> None:
            while True:
                trickling.writer.write(b"{")
                await asyncio.sleep(0.1)

        more = asyncio.create_task(trickle())
        slow = await trickling.answer()
        assert (late.status, "nothing came for 0.2 s" in late.body["detail"]) == (408, True)
        assert (slow.status, "not whole after 0.4 s" in slow.body["detail"]) == (408, True)
        more.cancel()
        for line in (silent, trickling):
            line.close()


async def test_beyond_their_number_the_oldest_idle_connections_go(tmp_path: Path, examiner: Examiner) -> None:
    async with serving(tmp_path, examiner, connections=3) as found:
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
    monkeypatch.setattr(http_module, "READ_SECONDS", 0.3)
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
    async with serving(tmp_path, examiner) as found:
        assert (await found.post(sound("A-1"))).status == 503
        assert (await found.post(sound("A-1", kind="a picnic"))).status == 422


async def test_a_client_before_its_handshake_takes_a_place_as_any_other(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "HEAD_SECONDS", 600.0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with serving(tmp_path, examiner, connections=4, tls=lambda: context) as found:
        silent = [await Line.to(found.port) for _ in range(7)]
        assert all([await line.is_closed() for line in silent[:3]])
        assert not any(line.reader.at_eof() for line in silent[3:])
        for line in silent:
            line.close()


async def test_idle_connections_do_not_end_a_handshake_that_is_under_way(
    tmp_path: Path, examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "HEAD_SECONDS", 600.0)
    async with serving(tmp_path, examiner, connections=4) as found:
        idle = [await Line.to(found.port) for _ in range(3)]
        await until(lambda: len(found.server.connections) == 3 and not found.server._greeted)
        ours, slow = socket.socketpair()
        found.server._greet(slow, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        under_way = list(found.server._greeted)
        newer = await Line.to(found.port)
        assert await idle[0].is_closed()
        await until(lambda: list(found.server._greeted) == under_way)
        for line in (*idle, newer):
            line.close()
        ours.close()


async def test_what_is_no_http_is_answered_and_counted_as_any_other(tmp_path: Path, examiner: Examiner) -> None:
    async with serving(tmp_path, examiner) as found:
        line = await Line.to(found.port, b"GET\r\n\r\n")
        told = await line.answer()
        assert (told.status, told.body["type"]) == (400, "urn:trucewatch:problem:bad-request")
        assert (told.headers["Server"], told.headers["Cache-Control"]) == ("trucewatch", "no-store")
        assert found.counted("answers") == [({"status": "400"}, 1.0)]
        line.close()


class Client:
    """Client of a broker that takes a batch up to its limit, or fails with an error."""

    def __init__(self, most: int = 1_000_000) -> None:
        self.most = most
        self.error: Exception | None = None
        self.written = 0

    def create_batch(self) -> BatchBuilder:
        """Return a batch to fill."""
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, _: str, *, partition: int) -> asyncio.Future[Any]:
        """Take a batch, in which the log of a partition ends."""
        assert partition >= 0
        answer = asyncio.get_running_loop().create_future()
        if self.error is not None or batch.size() > self.most:
            answer.set_exception(self.error or MessageSizeTooLargeError())
        else:
            answer.set_result(SimpleNamespace(offset=self.written))
            self.written += batch.record_count()
        return answer

    async def stop(self) -> None:
        """End."""


def connected(client: Client) -> Carrier:
    """Return a carrier that is connected to a broker by this client."""
    carrier, topics = Carrier(NOWHERE, Topics()), Topics()
    producer: Any = BatchProducer(NOWHERE)
    producer._producer = client
    carrier._producer, carrier._partitions = producer, dict.fromkeys(topics.inputs, 1)
    return carrier


async def test_a_record_larger_than_its_topic_takes_is_named_and_the_next_request_passes(
    tmp_path: Path, examiner: Examiner
) -> None:
    client = Client(most=3_000)
    async with serving(tmp_path, examiner, connected(client)) as found:
        many = [sound(f"B-{number}") for number in range(20)]
        told = await found.post(*many)
        assert (told.status, [each["offset"] for each in told.body["receipts"]]) == (202, list(range(20)))
        told = await found.post(*many, sound("B-20", raw={"note": "x" * 4_000}))
        assert (told.status, told.body["type"]) == (413, "urn:trucewatch:problem:record-too-large")
        assert told.body["records"] == [21]
        assert (await found.post(sound("B-21"))).status == 202


async def test_a_missing_right_is_told_as_such_and_a_lost_broker_alone_ends_the_connection(
    tmp_path: Path, examiner: Examiner
) -> None:
    client = Client()
    carrier = connected(client)
    async with serving(tmp_path, examiner, carrier) as found:
        client.error = TopicAuthorizationFailedError("truce.incidents.v1")
        told = await found.post(sound("C-1"))
        assert (told.status, told.body["type"]) == (502, "urn:trucewatch:problem:broker-refused")
        assert carrier.is_connected
        client.error = KafkaConnectionError()
        told = await found.post(sound("C-1"))
        assert (told.status, told.body["type"]) == (503, "urn:trucewatch:problem:broker-away")
        assert not carrier.is_connected


async def test_receipts_are_followed_from_before_their_reports_were_published(
    tmp_path: Path, examiner: Examiner
) -> None:
    carrier = connected(client := Client())
    take = client.send_batch

    async def judged_at_once(*batch: Any, **partition: Any) -> asyncio.Future[Any]:
        # The ledger may write receipts, and the broker be asked for their end, before an acknowledgement arrives.
        carrier.receipts_end = 18
        return await take(*batch, **partition)

    client.send_batch = judged_at_once  # type: ignore[method-assign]
    carrier.receipts_end = 17
    async with serving(tmp_path, examiner, carrier) as found:
        told = await found.post(sound("D-1"))
        assert told.body["follow"] == ["/v1/receipts?feed=north&from=17"]


async def test_a_request_of_more_than_a_bucket_holds_passes_once_it_is_full(tmp_path: Path, examiner: Examiner) -> None:
    now = [100.0]
    rate, large = Rate(10, lambda: now[0]), [sound(f"E-{number}") for number in range(25)]
    async with serving(tmp_path, examiner, connected(Client()), rate) as found:
        assert (await found.post(*large)).status == 202
        now[0] += 30
        told = await found.post(*large)
        assert (told.status, told.headers["Retry-After"]) == (429, "30")
        # Whoever comes again when told to is not refused again.
        now[0] += 30
        assert (await found.post(*large)).status == 202


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
