"""Notifier: its file of receivers, what is news, the log, and how an event is delivered."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from prometheus_client import generate_latest

from schemas.agreement_file import load_agreement
from schemas.errors import FaultyFile, StoreUnavailable
from schemas.events import Event
from schemas.json_schema import export
from schemas.receivers import KINDS, Receiver, Receivers, load_receivers
from sinks.news import BEGINNING, Position
from sinks.notify_log import NotifyLog
from streams.engine.metrics import registry_of
from streams.notify.app import Follower
from streams.notify.delivery import Backoff, Delivery, session, signed
from streams.notify.metrics import NotifyMetrics
from streams.notify.news import read_news, stalled_event, stalled_key
from tests.support.commands import runner
from tests.support.demo import Demo
from tests.support.judged import History, report
from tests.support.worlds import TRUCE, at

SYRIA = load_agreement("syria-2016")
#: Secret and signature of the documentation of Standard Webhooks.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the tests
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
RULES = Receivers((), stalled_seconds=180, silence_hours=24)
ENTRY = f'[[notify]]\nname = "ops"\nurl = "https://example.org/hook"\nsecret = "{SECRET}"\n'
QUICK = Backoff(0.001, 0.002)


def loaded(folder: Path, text: str) -> Receivers:
    file = folder / "receivers.toml"
    file.write_text(text)
    return load_receivers(file, SYRIA)


def noted(number: int, kind: str = "verdict", region: str | None = "SY01") -> Event:
    return Event(kind, region, f"{kind}-{number}", json.dumps({"number": number}).encode())


def receiver(name: str = "ops", url: str = "http://127.0.0.1:9/", **asked: frozenset[str]) -> Receiver:
    return Receiver(name, url, KEY, **asked)


# -- the file


def test_a_file_says_whom_to_tell_of_what(tmp_path: Path) -> None:
    (tmp_path / "hook.secret").write_text(f"{SECRET}\n")
    more = '[[notify]]\nname = "aleppo"\nurl = "http://[::1]:8080/x"\nsecret_file = "hook.secret"\n'
    found = loaded(tmp_path, f'silence_hours = 3\n{ENTRY}{more}events = ["gate"]\nregions = ["SY02"]\n')
    ops, aleppo = found.receivers
    assert (found.silence_hours, found.stalled_seconds) == (3, 180)
    assert (ops.key, ops.events, ops.host, ops.wants("silence", "SY14")) == (KEY, frozenset(KINDS), "example.org", True)
    assert (aleppo.key, aleppo.wants("gate", None), aleppo.wants("gate", "SY01")) == (KEY, True, False)
    assert (aleppo.wants("gate", "SY02"), aleppo.wants("verdict", "SY02")) == (True, False)
    assert SECRET not in repr(ops)
    assert "hook" not in repr(ops)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "notify: required, but missing"),
        ("[[notify]]\n", "line 1: notify[0].name: required, but missing"),
        (f"{ENTRY}evnts = []\n", "line 5: notify[0].evnts: unknown key; did you mean 'events'?"),
        (f'{ENTRY}events = ["gates"]\n', "line 5: notify[0].events[0]: "),
        (f"{ENTRY}events = []\n", "line 5: notify[0].events: "),
        (f'{ENTRY}regions = ["SY99"]\n', "line 5: notify[0].regions[0]: 'SY99' is no region of syria-2016"),
        (f"{ENTRY}{ENTRY}", "line 6: notify[1].name: 'ops' is given twice"),
        (ENTRY.replace("https", "ftp"), "line 3: notify[0].url: expected an address such as https://example.org/hook"),
        (ENTRY.replace("example", "me:pw@example"), "line 3: notify[0].url: leave name and password out"),
        (ENTRY.replace("/hook", ":x/hook"), "line 3: notify[0].url: expected an address"),
        (ENTRY.replace("/hook", "/hook#part"), "line 3: notify[0].url: leave out the part from #"),
        (ENTRY.replace("secret", "#"), "line 1: notify[0].secret: give secret or secret_file, one of them"),
        (f'{ENTRY}secret_file = "x"\n', "line 5: notify[0].secret_file: give secret or secret_file, one of them"),
        (ENTRY.replace("whsec_", ""), "line 4: notify[0].secret: expected whsec_ and base64 of 24 to 64 bytes"),
        (ENTRY.replace(SECRET, "whsec_c2hvcnQ="), "line 4: notify[0].secret: expected whsec_"),
        (ENTRY.replace(SECRET, "whsec_*"), "line 4: notify[0].secret: expected whsec_"),
        (ENTRY.replace("secret", "secret_file"), "line 4: notify[0].secret_file: cannot be read: No such file"),
        ("[[notify\n", "line 1: not TOML"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FaultyFile) as refused:
        loaded(tmp_path, text)
    assert any(fault.startswith(said) for fault in refused.value.faults), refused.value.faults
    assert "me:pw" not in str(refused.value)


def test_a_file_that_is_not_there_and_one_without_a_secret_in_it_are_told(tmp_path: Path) -> None:
    with pytest.raises(FaultyFile, match="cannot be read: No such file"):
        load_receivers(tmp_path / "none.toml", SYRIA)
    (tmp_path / "hook.secret").write_text("a password")
    with pytest.raises(FaultyFile, match=r"line 4: .*secret_file: expected whsec_"):
        loaded(tmp_path, ENTRY.replace(f'secret = "{SECRET}"', 'secret_file = "hook.secret"'))


# -- the news


def test_the_news_of_a_file_are_valid_events_that_have_the_same_ids_each_time(demo: Demo) -> None:
    found = read_news(demo.file, BEGINNING, RULES)
    event, verdict = (Draft202012Validator(export()[name]) for name in ("event", "verdict"))
    told = [json.loads(each.body) for each in [*found.events, *found.conditions.values()]]
    for each in told:
        event.validate(each)
    turns = [each["data"] for each in told if each["type"] == "trucewatch.verdict.v1"]
    for turn in turns:
        before = turn.pop("verdict_before")
        verdict.validate(turn)
        assert before != turn["verdict"]
        assert before is not None or turn["verdict"] == "BROKEN"
    assert {each["type"].split(".")[1] for each in told} == {
        "verdict",
        "amendment",
        "gate",
        "silence",
        "overdue_convoy",
    }
    assert len({each["id"] for each in told}) == len(told)
    assert read_news(demo.file, BEGINNING, RULES) == found
    times = [each["time"] for each in told[: len(found.events)]]
    assert times == sorted(times)
    assert read_news(demo.file, found.position, RULES).events == []
    between = Position(found.position.recorded_at, -1)
    assert len(read_news(demo.file, between, RULES).events) < len(found.events)


def test_rejects_that_grow_are_a_condition(tmp_path: Path) -> None:
    history = History(TRUCE)
    history.tell(
        report("incident", "i1", kind="shelling", region="SY01", occurred=(at(0), at(0, 1)), reported_at=at(1))
    )
    for number in range(20):
        broken = report(
            "incident", f"x{number}", kind="?", region="SY01", occurred=(at(3), at(3, 1)), reported_at=at(3, 2)
        )
        history.tell(broken)
    # In a replay, which this is, rejects have no time.
    first, *others = history.facts
    history.facts = [first, *((msgspec.structs.replace(fact, stamp=at(3, 2)), body) for fact, body in others)]
    history.tick(at(3, 2))
    found = read_news(history.judged(tmp_path), BEGINNING, RULES)
    told = json.loads(found.conditions["rejects_rising"].body)
    assert (told["type"], told["subject"]) == ("trucewatch.rejects_rising.v1", "rejects")
    assert told["data"]["text"].startswith("rejects are growing: 20 in the last hour")


# -- the log


def test_a_receiver_takes_what_it_wants_in_order_and_what_all_have_is_deleted(tmp_path: Path) -> None:
    every, some = receiver("every"), receiver("some", events=frozenset({"verdict"}), regions=frozenset({"SY02"}))
    with closing(NotifyLog.open(tmp_path)) as log:
        log.join(["every", "some"])
        told = [noted(1), noted(2, region="SY02"), noted(3, "gate", None), noted(4, region="SY02")]
        assert log.note(told, Position(5, 1), {"silence/x"}) == 4
        assert log.note(told, Position(5, 1), {"silence/x"}) == 0
        assert [each.id for each in log.pending(every, 9)] == ["verdict-1", "verdict-2", "gate-3", "verdict-4"]
        assert [each.id for each in log.pending(some, 9)] == ["verdict-2", "verdict-4"]
        for each in log.pending(some, 9):
            log.taken(some, each.number)
        assert log.next(some) is None
        assert len(log.pending(every, 9)) == 4
    with closing(NotifyLog.open(tmp_path)) as log:
        assert (log.position(), log.conditions()) == (Position(5, 1), {"silence/x"})
        first = log.next(every)
        assert first is not None
        log.taken(every, first.number)
        assert [each.id for each in log.pending(receiver("unknown"), 9)] == ["verdict-2", "gate-3", "verdict-4"]
        # One that is named no more holds nothing up, and a new one begins here.
        log.join(["some", "new"])
        log.note([noted(5)], Position(6, 2), set())
        log.pass_over(some)
        assert [each.id for each in log.pending(receiver("new"), 9)] == ["verdict-5"]
        assert [each.id for each in log.pending(receiver("unknown"), 9)] == ["verdict-5"]


def test_two_cannot_send_from_one_log(tmp_path: Path) -> None:
    with (
        closing(NotifyLog.open(tmp_path)) as log,
        closing(NotifyLog.open(tmp_path)) as other,
        log.sending(),
        pytest.raises(StoreUnavailable, match="another"),
        other.sending(),
    ):
        pass


# -- following


async def test_a_copy_that_was_there_is_no_news_and_one_that_comes_is(tmp_path: Path) -> None:
    history = History(TRUCE)
    for number in range(4):
        low, high = at(0, number), at(0, number + 1)
        history.tell(
            report("incident", f"i{number}", kind="shelling", region="SY01", occurred=(low, high), reported_at=high)
        )
        history.tick(high)
    rules = Receivers((), stalled_seconds=180, silence_hours=1)
    with closing(NotifyLog.open(tmp_path)) as log:
        log.join(["ops"])
        ops, woken = receiver(events=frozenset({"verdict", "gate", "amendment"})), []
        delivery = Delivery(ops, log, None, QUICK)  # type: ignore[arg-type]
        delivery.wake = lambda: woken.append(1)  # type: ignore[method-assign]
        copy = history.first(2).judged(tmp_path)
        follower = Follower(copy, rules, log, [delivery])
        await follower._look()
        assert (log.pending(ops, 9), woken) == ([], [])
        history.judged(tmp_path)
        await follower._look()
        assert [json.loads(each.body)["data"]["verdict"] for each in log.pending(ops, 9)] == ["BROKEN"]
        assert woken == [1]
        # A copy is of 2016: it is too old, which is told once.
        now, every = datetime.now(UTC), receiver("ops", events=frozenset({"stalled"}))
        follower._look_at_age(now)
        follower._look_at_age(now)
        assert len(log.pending(every, 9)) == 1
        # Another process that reads the same copy tells nothing again.
        again = Follower(copy, rules, log, [delivery])
        await again._look()
        again._look_at_age(now)
        assert len(log.pending(every, 9)) == 1
        copy.write_bytes(b"no file of ours")
        await follower._look()
        assert follower.fault is not None


def test_a_stalled_copy_has_one_id_and_a_key_of_its_own() -> None:
    one, other = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 2))
    assert stalled_event("a", one, 180) == stalled_event("a", one, 180)
    assert stalled_event("a", one, 180).id != stalled_event("a", other, 180).id
    assert stalled_key(one) != stalled_key(other)


# -- delivery


def test_a_signature_is_that_of_standard_webhooks() -> None:
    headers = signed(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(1.0, 60.0)
    for failures, whole in ((1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (10**6, 60.0)):
        pauses = [backoff.pause(failures) for _ in range(50)]
        assert all(whole / 2 <= pause <= whole for pause in pauses)
        assert len(set(pauses)) > 1


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.005)


@asynccontextmanager
async def served(
    answer: Callable[[web.BaseRequest, int], web.StreamResponse | None],
) -> AsyncIterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Serve answers by the number of the request; None hangs up. Yield the address and what was asked for."""
    asked: list[tuple[str, str, bytes]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append((request.path, request.headers["webhook-id"], await request.read()))
        given = answer(request, len(asked))
        if given is None:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        return given

    runner_ = web.ServerRunner(web.Server(handle))
    await runner_.setup()
    await web.TCPSite(runner_, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner_.addresses[0][1]}", asked
    finally:
        await runner_.cleanup()


async def test_an_event_is_sent_until_it_is_taken_and_no_other_before_that(tmp_path: Path) -> None:
    def answer(_: web.BaseRequest, number: int) -> web.StreamResponse | None:
        if number == 2:
            return None
        # To another server an event must not go.
        return web.Response(status={1: 500, 3: 307, 4: 400}.get(number, 204), headers={"Location": "/elsewhere"})

    async with served(answer) as (url, asked), session() as client:
        with closing(NotifyLog.open(tmp_path)) as log:
            log.join(["ops", "down"])
            log.note([noted(1), noted(2)], BEGINNING, ())
            ops, down = receiver("ops", f"{url}/hook"), receiver("down", "http://127.0.0.1:1/")
            deliveries = [Delivery(each, log, client, QUICK) for each in (ops, down)]
            tasks = [asyncio.create_task(each.run()) for each in deliveries]
            async with asyncio.timeout(20):
                await until(lambda: log.next(ops) is None)
                log.note([noted(3)], BEGINNING, ())
                deliveries[0].wake()
                await until(lambda: deliveries[0].attempts["delivered"] == 3)
                await until(lambda: deliveries[1].attempts["failed"] >= 2)
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [name for _, name, _ in asked] == ["verdict-1"] * 5 + ["verdict-2", "verdict-3"]
            assert {path for path, _, _ in asked} == {"/hook"}
            assert asked[0][2] == noted(1).body
            assert deliveries[0].attempts == {"delivered": 3, "failed": 4}
            scraped = generate_latest(registry_of(NotifyMetrics("test-truce", deliveries))).decode()
            assert 'trucewatch_notify_requests_total{outcome="failed",receiver="ops"} 4.0' in scraped
            assert 'trucewatch_notify_waiting_seconds{receiver="ops"} 0.0' in scraped
            assert 'trucewatch_notify_waiting_seconds{receiver="down"} 0.0\n' not in scraped
            assert deliveries[1].head_since is not None
            assert len(log.pending(down, 9)) == 3


# -- the command


def test_the_command_checks_and_shows_without_sending(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, demo: Demo
) -> None:
    run = runner(monkeypatch, capfd, tmp_path)
    (tmp_path / "receivers.toml").write_text(f'{ENTRY}events = ["gate", "amendment"]\n')
    checked = run("notify", "--receivers", "receivers.toml", "--check")
    assert (checked.code, checked.out.split()[:2]) == (0, ["ops", "example.org"])
    shown = run("notify", "--receivers", "receivers.toml", "--data", demo.folder, "--dry-run")
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [each["event"]["type"] for each in lines] == ["trucewatch.gate.v1", "trucewatch.amendment.v1"]
    assert {each["receiver"] for each in lines} == {"ops"}
    assert not list(demo.folder.rglob("notify.*"))
    assert run("notify").code == 2
    (tmp_path / "receivers.toml").write_text(f"{ENTRY}x = 1\n")
    refused = run("notify", "--receivers", "receivers.toml")
    assert (refused.code, "line 5: notify[0].x: unknown key" in refused.err) == (2, True)
