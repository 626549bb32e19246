"""The gateway before a real broker: receipts, refusals, hostile clients, and a broker that goes away."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.receipts import digest_of
from schemas.topics import KEEP_FOR_EVER, Topics, TopicSpec
from streams.cli.processes import running
from streams.engine.admin import ensure_topics, record_at
from streams.engine.broker import EmbeddedBroker
from streams.feeds.jsonl import peek_record
from streams.feeds.recorded import Named
from streams.gateway.answers import PUBLISHED
from streams.gateway.carrier import Carrier
from streams.gateway.problems import CONTENT_TYPE, Refusal
from streams.gateway.tokens import make
from streams.settings import Settings
from tests.bench.reports import running_truce
from tests.integration.test_receipts import report
from tests.support import lanes
from tests.support.brokers import read_topic
from tests.support.certificates import authority
from tests.support.gateways import LINES, PATIENCE, RunningGateway, Told, gateway
from tests.support.recorded_archive import wait_until

pytestmark = pytest.mark.broker

AGREEMENT = "syria-2016"


def body(*reports: dict[str, Any]) -> bytes:
    """Return one report as an object, several as an array."""
    return json.dumps(reports[0] if len(reports) == 1 else reports).encode()


def settings_for(broker: str, prefix: str, folder: Path, **changes: Any) -> Settings:
    made = Settings(broker=broker, topic_prefix=prefix, agreement=str(running_truce(folder)), data=folder / "data")
    return made.model_copy(update=changes)


class Site:
    """A gateway, and the broker behind it."""

    def __init__(self, running: RunningGateway, broker: str, topics: Topics) -> None:
        self.gateway = running
        self.broker = broker
        self.topics = topics

    def published(self) -> list[bytes]:
        """Return what lies in the incidents topic."""
        return [record.value or b"" for record in asyncio.run(read_topic(self.broker, self.topics.incidents))]


@pytest.fixture(scope="module")
def site(embedded_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, prefix = tmp_path_factory.mktemp("gateway"), "t.gateway"
    settings = settings_for(embedded_broker, prefix, folder, gateway_body_bytes=4_000_000, health_address="127.0.0.1:0")
    with gateway(settings, folder, "field-office", "red-crescent") as running:
        yield Site(running, embedded_broker, Topics(prefix))


@pytest.fixture
def mine(site: Site) -> RunningGateway:
    """The gateway, which must be alive after whatever a test did to it."""
    return site.gateway


def problem(told: Told, status: int, name: str) -> Any:
    """Return the body of an answer that must be this problem."""
    assert (told.status, told.headers["Content-Type"]) == (status, CONTENT_TYPE), told
    assert told.body["type"] == f"urn:trucewatch:problem:{name}"
    assert (told.body["status"], bool(told.body["title"]), bool(told.body["detail"])) == (status, True, True)
    return told.body


def test_a_report_has_a_receipt_that_says_where_it_lies_and_that_nobody_judged_it_yet(site: Site) -> None:
    sent = body(report("A-1"))
    told = site.gateway.post(sent)
    assert (told.status, told.body["published"], told.body["note"]) == (202, 1, PUBLISHED)
    (receipt,) = told.body["receipts"]
    assert {name: receipt[name] for name in ("record", "outcome", "feed", "report_id", "revision", "digest")} == {
        "record": 1,
        "outcome": "published",
        "feed": "field-office",
        "report_id": "A-1",
        "revision": 1,
        "digest": digest_of(sent),
    }
    assert receipt["topic"] == site.topics.incidents
    assert told.body["follow"][0].startswith("/v1/receipts?feed=field-office&from=")
    assert sent in site.published()


def test_many_reports_come_as_an_array_or_as_lines_packed_or_not_and_keep_their_bytes(site: Site) -> None:
    reports = [report(f"B-{number}", feed=("field-office", "red-crescent")[number % 2]) for number in range(6)]
    array = b" [" + b" ,\n".join(json.dumps(each, indent=1).encode() for each in reports[:2]) + b"] \n"
    lines = b"\xef\xbb\xbf\n" + b"\r\n\n".join(json.dumps(each).encode() for each in reports[2:4]) + b"\n"
    packed = gzip.compress(b"\n".join(json.dumps(each).encode() for each in reports[4:]))
    told = [
        site.gateway.post(array),
        site.gateway.post(lines, Content_Type=LINES),
        site.gateway.post(packed, Content_Type=LINES, Content_Encoding="gzip"),
    ]
    assert [each.status for each in told] == [202] * 3
    assert [[receipt["record"] for receipt in each.body["receipts"]] for each in told] == [[1, 2], [2, 4], [1, 2]]
    digests = {digest_of(value) for value in site.published()}
    sent = [json.dumps(each, indent=1).encode() for each in reports[:2]] + [
        json.dumps(each).encode() for each in reports[2:]
    ]
    assert {digest_of(each) for each in sent} <= digests
    assert {r["digest"] for each in told for r in each.body["receipts"]} == {digest_of(each) for each in sent}


def test_offsets_are_where_the_records_lie(site: Site) -> None:
    told = site.gateway.post(body(*(report(f"O-{number}") for number in range(40))))
    receipts = told.body["receipts"]
    assert len({(each["partition"], each["offset"]) for each in receipts}) == 40
    assert len({each["partition"] for each in receipts}) > 1
    assert [digest_of(value) for value in lying(site.broker, receipts)] == [each["digest"] for each in receipts]


def lying(broker: str, receipts: list[Any]) -> list[bytes]:
    """Return the values of the records that lie where receipts say."""

    async def found() -> list[bytes]:
        read = []
        for each in receipts:
            record = await record_at(broker, TopicPartition(each["topic"], each["partition"]), each["offset"])
            read.append(record.value or b"" if record is not None else b"")
        return read

    return asyncio.run(found())


def test_faults_are_told_at_once_with_code_field_hint_and_remedy_and_the_others_are_published(site: Site) -> None:
    reports = [
        report("C-1"),
        report("C-2", place={"pcode": "SY99"}),
        report("C-3", colour="red"),
        report("C-4", revision="one"),
        report("C-5", reported_at="2016-09-13T12:00:00"),
    ]
    told = problem(site.gateway.post(body(*reports)), 422, "refused")
    assert (told["published"], told["refused"], len(told["receipts"])) == (1, 4, 1)
    faults = [(each["record"], each["report_id"], each["code"], each["field"]) for each in told["faults"]]
    assert faults == [
        (2, "C-2", "unknown_place", "place"),
        (3, "C-3", "unknown_field", "colour"),
        (4, "C-4", "wrong_type", "revision"),
        (5, "C-5", "time_without_offset", "reported_at"),
    ]
    assert all(each["hint"] and each["remedy"] for each in told["faults"])
    assert json.dumps(reports[0]).encode() in site.published()
    assert not any(b'"C-2"' in value for value in site.published())


def test_two_bodies_under_one_name_are_told_apart_before_they_are_sent(mine: RunningGateway) -> None:
    told = problem(mine.post(body(report("D-1"), report("D-1", kind="airstrike"))), 422, "refused")
    assert [(each["record"], each["code"]) for each in told["faults"]] == [(2, "conflicting_body")]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"this is no JSON", "not_json"),
        (b'{"feed": "\xff\xfe"}', "invalid_utf8"),
        (b'{"type": "incident"', "not_json"),
        (b'{"a": ' + b"[" * 100_000, "not_json"),
        (b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "not_json"),
        (b'{"note": "\\ud800"}', "not_json"),
        (b'{"number": 1' + b"0" * 5_000 + b"}", "not_json"),
        (b"null", "wrong_type"),
        (b"17", "wrong_type"),
        (b'{"a": 1} {"a": 2}', "not_json"),
        (b" " * 10 + b'"' + b"x" * 1_100_000 + b'"', "too_large"),
    ],
)
def test_hostile_json_is_one_fault_and_nothing_is_published(mine: RunningGateway, sent: bytes, code: str) -> None:
    told = problem(mine.post(sent), 422, "refused")
    assert (told["published"], [each["code"] for each in told["faults"]]) == (0, [code])


def test_a_name_that_stands_twice_takes_no_feed_past_the_token(mine: RunningGateway) -> None:
    text = json.dumps(report("E-1"))
    for twice in (text[:-1] + ', "feed": "another"}', text[:-1] + ', "f\\u0065ed": "another"}'):
        told = problem(mine.post(twice.encode()), 422, "refused")
        assert told["published"] == 0


def test_an_exported_reject_settles_none(mine: RunningGateway) -> None:
    inner = base_64(json.dumps(report("E-2")).encode())
    exported = {"reject": {"topic": "t", "partition": 0, "offset": 1, "log": "x"}, "value": inner}
    assert problem(mine.post(body(exported)), 422, "refused")["published"] == 0


def base_64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


#: Made when they are sent, so that nobody waits for them who runs other tests.
NO_BATCHES: dict[str, tuple[Callable[[], bytes], dict[str, str | None], int, str]] = {
    "nothing": (lambda: b"", {}, 400, "not-json"),
    "white space": (lambda: b" \n\t ", {}, 400, "not-json"),
    "no report": (lambda: b"[]", {}, 400, "not-json"),
    "a comma too many": (lambda: b'[{"a": 1}, ]', {}, 400, "not-json"),
    "no UTF-8": (lambda: b'[{"a": "\xff"', {}, 400, "not-json"),
    "deep": (lambda: b"[" * 200_000, {}, 400, "not-json"),
    "many numbers": (lambda: b"[" + b"1," * 1_500_000 + b"1]", {}, 413, "too-large"),
    "more than a request holds": (lambda: b"[" + b"1," * 2_000 + b"1]", {}, 413, "too-large"),
    "more lines than a request holds": (lambda: b"1\n" * 2_001, {"Content_Type": LINES}, 413, "too-large"),
    "long": (lambda: b"x" * 4_000_001, {}, 413, "too-large"),
    "long once unpacked": (
        lambda: gzip.compress(b" " * 50_000_000, 1),
        {"Content_Encoding": "gzip"},
        413,
        "too-large",
    ),
    "not packed": (lambda: b"no gzip", {"Content_Encoding": "gzip"}, 400, "body-broken"),
    "packed and cut off": (
        lambda: gzip.compress(b"[" + b"1," * 1_000)[:-9],
        {"Content_Encoding": "gzip"},
        400,
        "body-broken",
    ),
    "brotli": (lambda: b"{}", {"Content_Encoding": "br"}, 415, "wrong-content-type"),
    "a table": (lambda: b"{}", {"Content_Type": "text/csv"}, 415, "wrong-content-type"),
    "of no type": (lambda: b"{}", {"Content_Type": None}, 415, "wrong-content-type"),
    "Latin": (lambda: b"{}", {"Content_Type": "application/json; charset=latin-1"}, 415, "wrong-content-type"),
}


@pytest.mark.parametrize("kind", NO_BATCHES)
def test_a_body_that_is_no_batch_of_reports_is_refused_whole(mine: RunningGateway, kind: str) -> None:
    made, headers, status, name = NO_BATCHES[kind]
    problem(mine.post(made(), **headers), status, name)


def test_without_a_token_or_with_a_wrong_one_nothing_is_read(mine: RunningGateway) -> None:
    for given, name in (
        (None, "token-missing"),
        ("Basic abc", "token-missing"),
        ("Bearer", "token-missing"),
        ("Bearer nonsense", "token-unknown"),
        (f"Bearer {mine.token}x", "token-unknown"),
        ("Bearer \xff", "token-unknown"),
    ):
        told = mine.post(body(report("F-1")), Authorization=given)
        problem(told, 401, name)
        assert told.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_publishes_as_its_feeds_alone_and_one_stranger_stops_the_request(site: Site) -> None:
    told = problem(site.gateway.post(body(report("G-1"), report("G-2", feed="sohr"))), 403, "feed-not-allowed")
    assert told["records"] == [2]
    assert not any(b'"G-1"' in value for value in site.published())


def test_other_paths_and_methods_are_told_what_there_is(mine: RunningGateway) -> None:
    problem(mine.ask("GET", "/"), 404, "not-found")
    told = mine.ask("PUT", "/v1/reports", b"{}")
    problem(told, 405, "method-not-allowed")
    assert told.headers["Allow"] == "POST"


def raw(mine: RunningGateway, sent: bytes, end: str = "") -> bytes:
    """Send bytes as they are, end the connection or half of it, and return the answer, empty where there is none."""
    with socket.create_connection(mine.where, timeout=PATIENCE) as line:
        line.sendall(sent)
        if end == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return b""
        if end == "half":
            line.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while piece := line.recv(65_536):
                found += piece
        except ConnectionResetError:
            pass  # what came before it counts
        return found


def head(mine: RunningGateway, *more: str) -> bytes:
    """Return the head of a request."""
    lines = ["POST /v1/reports HTTP/1.1", "Host: x", f"Authorization: Bearer {mine.token}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def test_of_a_body_that_is_cut_off_not_even_the_whole_lines_are_published(site: Site) -> None:
    mine = site.gateway
    whole = json.dumps(report("H-1")).encode() + b"\n"
    for length in (f"Content-Length: {len(whole) + 500}", "Transfer-Encoding: chunked"):
        sent = f"{len(whole):x}\r\n".encode() + whole + b"\r\n" if "chunked" in length else whole
        for end in ("reset", "half"):
            assert raw(mine, head(mine, f"Content-Type: {LINES}", length) + sent, end) == b""
    assert mine.post(body(report("H-2"))).status == 202
    assert not any(b'"H-1"' in value for value in site.published())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/reports HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_a_problem_too(mine: RunningGateway, sent: bytes) -> None:
    answer = raw(mine, sent)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer
    assert CONTENT_TYPE.encode() in answer


def test_chunks_that_are_none_break_the_body(mine: RunningGateway) -> None:
    answer = raw(mine, head(mine, f"Content-Type: {LINES}", "Transfer-Encoding: chunked") + b"zz\r\nno chunk\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))


def test_a_client_that_asks_first_is_told_to_go_on_or_why_not(mine: RunningGateway) -> None:
    sent = body(report("J-1"))
    asked = ("Expect: 100-continue", "Content-Type: application/json", f"Content-Length: {len(sent)}")
    with socket.create_connection(mine.where, timeout=PATIENCE) as line:
        line.sendall(head(mine, *asked))
        assert line.recv(100).startswith(b"HTTP/1.1 100 Continue")
        line.sendall(sent)
        assert line.recv(100).startswith(b"HTTP/1.1 202")
    with socket.create_connection(mine.where, timeout=PATIENCE) as line:
        line.sendall(head(mine, *asked[:2], "Content-Length: 4000001"))
        assert line.recv(100).startswith(b"HTTP/1.1 413")


def test_a_hundred_silent_connections_keep_nobody_from_an_answer(mine: RunningGateway) -> None:
    begun = head(mine, "Content-Type: application/json", "Content-Length: 100")
    silent = [socket.create_connection(mine.where, timeout=PATIENCE) for _ in range(100)]
    try:
        for number, line in enumerate(silent):
            line.sendall((b"", b"POST /v1/rep", begun + b"{")[number % 3 if number < 9 else number % 2])
        assert mine.post(body(report("K-1"))).status == 202
    finally:
        for line in silent:
            line.close()


def test_more_requests_of_one_token_than_its_places_are_told_to_come_again(mine: RunningGateway) -> None:
    begun = head(mine, "Content-Type: application/json", "Content-Length: 100")
    slow = [socket.create_connection(mine.where, timeout=PATIENCE) for _ in range(8)]
    try:
        for line in slow:
            line.sendall(begun)
        deadline = time.monotonic() + PATIENCE
        while (told := mine.post(body(report("L-1")))).status == 202 and time.monotonic() < deadline:
            time.sleep(0.05)
        problem(told, 429, "too-often")
        assert told.headers["Retry-After"] == "1"
    finally:
        for line in slow:
            line.close()


def probe(mine: RunningGateway, path: str) -> tuple[int, str]:
    served = next(json.loads(line)["address"] for line in mine.said().splitlines() if "probes_served" in line)
    try:
        with urllib.request.urlopen(f"{served}{path}", timeout=PATIENCE) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_probes_answer_as_those_of_a_worker(mine: RunningGateway) -> None:
    assert mine.post(body(report("M-1"), report("M-2", place={"pcode": "SY99"}))).status == 422
    assert [probe(mine, path)[0] for path in ("/livez", "/healthz", "/readyz")] == [200, 200, 200]
    metrics = probe(mine, "/metrics")[1]
    assert 'trucewatch_gateway_records_total{outcome="unknown_place"}' in metrics
    assert 'trucewatch_gateway_answers_total{status="422"}' in metrics
    assert "M-1" not in metrics


def test_a_token_taken_back_or_made_is_known_within_moments(mine: RunningGateway) -> None:
    tokens = mine.log.with_name("gateway.tokens")
    before = tokens.read_bytes()
    fresh = f"Bearer {make(tokens, ['sohr'])}"
    wait_until(lambda: mine.post(body(report("N-1", feed="sohr")), Authorization=fresh).status == 202)
    tokens.chmod(0o666)
    tokens.write_bytes(before)

    def refused() -> bool:
        assert mine.post(body(report("N-2", feed="sohr")), Authorization=fresh).status == 202
        return "tokens_not_read" in mine.said()

    # A file that others may write is not believed: the tokens of before hold on, and the log says so.
    wait_until(refused)
    assert mine.post(body(report("N-2", feed="sohr")), Authorization=fresh).status == 202
    tokens.chmod(0o600)
    tokens.write_bytes(before + b"\n")
    wait_until(lambda: mine.post(body(report("N-3", feed="sohr")), Authorization=fresh).status == 401)


def test_a_token_that_sends_too_much_is_told_when_to_come_again(embedded_broker: str, tmp_path: Path) -> None:
    settings = settings_for(embedded_broker, "t.gateway.rate", tmp_path, gateway_rate=10)
    with gateway(settings, tmp_path) as mine:
        assert mine.post(body(*(report(f"R-{number}") for number in range(10)))).status == 202
        told = mine.post(body(*(report(f"R-1{number}") for number in range(10))))
        problem(told, 429, "too-often")
        assert 0 < int(told.headers["Retry-After"]) <= 60


def test_sent_again_after_a_lost_answer_it_counts_once(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    settings = settings_for(embedded_broker, prefix, tmp_path, log_level="warning")
    asyncio.run(ensure_topics(embedded_broker, Topics(prefix).specs((AGREEMENT,))))
    sent = body(report("S-1"), report("S-2"))
    with running(("intake", "ledger"), settings), gateway(settings, tmp_path) as mine:
        request = head(mine, "Content-Type: application/json", f"Content-Length: {len(sent)}") + sent
        with socket.create_connection(mine.where, timeout=PATIENCE) as line:
            line.sendall(request)
            # The answer is on its way, and nobody is there to read it.
            line.recv(1)
        told = mine.post(sent)
        assert told.status == 202
        found: list[Any] = []

        def all_told() -> bool:
            page = mine.ask("GET", "/v1/receipts")
            assert page.status == 200, page
            found[:] = page.body["receipts"]
            return len({(each["report_id"], each["outcome"]) for each in found}) == 4

        wait_until(all_told)
        outcomes = sorted((each["report_id"], each["outcome"]) for each in found)
        assert outcomes == [("S-1", "accepted"), ("S-1", "duplicate"), ("S-2", "accepted"), ("S-2", "duplicate")]
        assert {each["digest"] for each in found} == {each["digest"] for each in told.body["receipts"]}

        # What was published now is told from here on, and no other feed's receipts are.
        more = mine.post(body(report("S-3")))
        wait_until(lambda: "S-3" in str(mine.ask("GET", more.body["follow"][0]).body["receipts"]))
        problem(mine.ask("GET", "/v1/receipts?feed=sohr"), 403, "feed-not-allowed")
        problem(mine.ask("GET", "/v1/receipts?from=-1"), 400, "bad-request")
        page = mine.ask("GET", "/v1/receipts").body
        assert page["complete"]
        assert mine.ask("GET", f"/v1/receipts?from={page['next']}").body["receipts"] == []


def test_a_broker_that_hangs_dies_or_returns_never_leaves_a_request_without_an_answer(tmp_path: Path) -> None:
    lies: list[Any] = []
    with EmbeddedBroker(tmp_path / "broker") as broker:
        settings = settings_for(broker.url, "truce", tmp_path, health_address="127.0.0.1:0")
        assert broker.pid is not None
        pid = broker.pid
        with gateway(settings, tmp_path) as mine:
            assert mine.post(body(report("T-1"))).status == 202
            os.kill(pid, signal.SIGSTOP)
            try:
                away(mine, "may have taken some")
                # Known to be away, it is not asked again.
                away(mine, "no record was published")
                assert probe(mine, "/readyz")[0] == 503
                assert probe(mine, "/livez")[0] == 200
                problem(mine.ask("GET", "/v1/receipts"), 503, "broker-away")
            finally:
                os.kill(pid, signal.SIGCONT)
            wait_until(lambda: mine.post(body(report("T-2"))).status == 202)
            broker.stop()
            away(mine)
            # Another broker at the same address, without the topics of the first.
            with EmbeddedBroker(tmp_path / "another", broker.port) as another:
                wait_until(
                    lambda: (
                        (told := mine.post(body(report("T-3")))).status == 202
                        and not lies.extend(told.body["receipts"])
                    )
                )
                assert b'"T-3"' in lying(another.url, lies)[0]


@pytest.mark.kafka
def test_a_record_larger_than_its_topic_takes_is_named_and_many_smaller_ones_pass(
    apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    small = TopicSpec(Topics(prefix).incidents, 1, KEEP_FOR_EVER, 50_000)
    asyncio.run(ensure_topics(apache_kafka, [small]))
    with gateway(settings_for(apache_kafka, prefix, tmp_path), tmp_path) as mine:
        told = mine.post(body(report("W-1"), report("W-2", raw={"note": "x" * 60_000})))
        assert problem(told, 413, "record-too-large")["records"] == [2]
        many = [report(f"W-{number}", raw={"note": "x" * 1_000}) for number in range(200)]
        assert mine.post(body(*many)).status == 202


async def test_a_lost_connection_is_closed_and_not_only_forgotten(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        assert broker.pid is not None
        before = asyncio.all_tasks()
        carrier = Carrier(broker.url, Topics("t.lost"))
        running = asyncio.create_task(carrier.run())
        await lanes.until(lambda: carrier.is_connected)
        os.kill(broker.pid, signal.SIGSTOP)
        state = Path(f"/proc/{broker.pid}/stat")
        try:
            # A signal takes its time, in which the broker would still answer.
            await lanes.until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
            # The client sends the second once it has given up the first, when the connection is given up already.
            first, second = ([Named("", peek_record(body(report(f"Y-{number}")), 1))] for number in range(2))
            refused = asyncio.create_task(carrier.publish(first))
            await asyncio.sleep(1)
            for waiting in (carrier.publish(second), refused):
                with pytest.raises(Refusal, match="may have taken some"):
                    await waiting
            await asyncio.wait(list(carrier._closing))
            running.cancel()
            await asyncio.wait({running})
            # The client of the broker that hangs ends its tasks, and with them its connections.
            await lanes.until(lambda: asyncio.all_tasks() <= before)
        finally:
            os.kill(broker.pid, signal.SIGCONT)


def away(mine: RunningGateway, said: str = "") -> None:
    """Expect 503, with what became of the record and a time to come again."""
    told = mine.post(body(report("T-9")))
    assert said in problem(told, 503, "broker-away")["detail"]
    assert int(told.headers["Retry-After"]) > 0


def test_told_to_stop_it_lets_a_request_at_work_end_and_takes_no_other(embedded_broker: str, tmp_path: Path) -> None:
    settings = settings_for(embedded_broker, "t.gateway.drain", tmp_path)
    sent = body(report("U-1"))
    with gateway(settings, tmp_path) as mine, socket.create_connection(mine.where, timeout=PATIENCE) as line:
        idle = socket.create_connection(mine.where, timeout=PATIENCE)
        line.sendall(
            head(mine, "Content-Type: application/json", f"Content-Length: {len(sent)}", "Expect: 100-continue")
        )
        # It is at work as soon as it asks for the body.
        assert line.recv(100).startswith(b"HTTP/1.1 100 Continue")
        line.sendall(sent[:10])
        mine.process.terminate()
        assert idle.recv(1) == b""
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(mine.where, timeout=PATIENCE)
        line.sendall(sent[10:])
        assert line.recv(100).startswith(b"HTTP/1.1 202")
        assert mine.process.wait(PATIENCE) == 0
        idle.close()


def test_tls_is_spoken_by_certificate_files_and_in_the_clear_nothing_is_said(
    embedded_broker: str, tmp_path: Path
) -> None:
    issued = authority(tmp_path / "authority")
    settings = settings_for(
        embedded_broker, "t.gateway.tls", tmp_path, gateway_certfile=issued.authority.with_name("broker.pem")
    )
    trusting = ssl.create_default_context(cafile=str(issued.authority))
    with gateway(settings, tmp_path, tls=trusting) as mine:
        assert mine.url.startswith("https://")
        assert mine.post(body(report("V-1"))).status == 202
        assert raw(mine, b"GET / HTTP/1.1\r\n\r\n") == b""
        # A handshake that is never gone on with keeps nobody from the next.
        with socket.create_connection(mine.where):
            assert mine.post(body(report("V-2"))).status == 202
