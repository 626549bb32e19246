"""Parts of the gateway: its tokens, its limits, and bodies cut into records."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import shutil
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from schemas.gazetteer import load_gazetteer
from streams.feeds.dry_run import field_in
from streams.gateway import tokens as tokens_module
from streams.gateway import turns as turns_module
from streams.gateway.body import Record, records_in, unpacked
from streams.gateway.checks import Checked, checking, parted, told
from streams.gateway.limits import MOST_OF_ALL, MOST_OF_ONE, Places, Rate
from streams.gateway.problems import Problem, Refusal
from streams.gateway.tls import Identity, identity_of
from streams.gateway.tokens import Holder, Tokens, make
from streams.gateway.turns import Turns
from streams.intake.examine import Examiner
from streams.settings import Settings
from tests.support.certificates import authority
from tests.support.commands import Run, runner

HASH = "ab" * 32


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    return runner(monkeypatch, capfd, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.tokens"


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_a_token_is_known_by_its_hash_and_stands_for_its_feeds(file: Path) -> None:
    one, two = make(file, ["north"]), make(file, ["south", "west"])
    known = Tokens(file)
    assert [known.holder(each).feeds for each in (one, two)] == [{"north"}, {"south", "west"}]  # type: ignore[union-attr]
    assert [known.holder(each) for each in ("", one[:-1], f"{one} ", "\ud800")] == [None] * 4
    assert one not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_line_without_its_end_keeps_the_next_token_apart(file: Path) -> None:
    first = make(file, ["north"])
    file.write_text(file.read_text().rstrip("\n"))
    second = make(file, ["south"])
    assert all(Tokens(file).holder(each) for each in (first, second))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("s3cret field-office", "line 1: should be a SHA-256"),
        (f"# mine\n\n{HASH}", "line 3: should be a SHA-256"),
        (f"{HASH} Field/Office", "line 1: 'Field/Office' is no name of a feed"),
        ("\x00" * 2_000_000, "longer than 1,048,576 bytes"),
    ],
)
def test_a_faulty_file_of_tokens_is_refused_by_its_line_and_shows_no_secret(file: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        Tokens(written(file, text))
    assert "s3cret" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize("mode", [0o620, 0o604, 0o602, 0o666])
def test_a_file_of_tokens_that_others_may_write_or_all_may_read_is_refused(file: Path, mode: int) -> None:
    make(file, ["north"])
    file.chmod(mode)
    with pytest.raises(UsageError, match="others may write it or read it"):
        Tokens(file)
    with pytest.raises(UsageError, match="others may write it or read it"):
        make(file, ["south"])
    file.chmod(0o640)
    assert Tokens(file)


def test_a_missing_file_of_tokens_is_told_with_the_command_that_makes_it(file: Path) -> None:
    with pytest.raises(UsageError, match="no such file") as refused:
        Tokens(file)
    assert "gateway token" in str(refused.value.hint)


def test_a_changed_file_is_read_again_and_one_that_cannot_be_used_leaves_the_tokens_of_before(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "LOOK_SECONDS", 0.0)
    first = make(file, ["north"])
    known = Tokens(file)
    second = make(file, ["south"])
    assert known.holder(second)
    file.write_text("nonsense")
    assert known.holder(first)
    assert known.holder(second)
    file.unlink()
    assert known.holder(second)
    third = make(file, ["west"])
    assert [known.holder(each) is not None for each in (first, second, third)] == [False, False, True]


def test_a_token_taken_back_in_a_file_that_others_could_write_is_gone_once_its_mode_is_mended(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "LOOK_SECONDS", 0.0)
    kept, gone = make(file, ["north"]), make(file, ["south"])
    known = Tokens(file)
    with capture_logs() as said:
        file.write_text(file.read_text().splitlines()[0])
        file.chmod(0o666)
        assert all(known.holder(gone) for _ in range(3))
        file.chmod(0o600)
        assert known.holder(gone) is None
        assert known.holder(kept)
    assert [each["event"] for each in said] == ["tokens_not_read", "tokens_read"]


def identity(issued: Any, name: str, into: Path) -> None:
    """Put a certificate of its own, and its key, where the gateway reads them."""
    issued.issue(name)
    shutil.copy(issued.folder / f"{name}.pem", into / "gateway.pem")
    shutil.copy(issued.folder / f"{name}.key", into / "gateway.key")


def spoken(identity: Identity, authority: Path) -> bool:
    """Shake hands in memory; return whether the client trusts the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = identity.context.wrap_bio(to_server, to_client, server_side=True)
    client = ssl.create_default_context(cafile=str(authority)).wrap_bio(
        to_client, to_server, server_hostname="localhost"
    )
    for side in (client, server, client, server):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.version() is not None


def test_a_certificate_that_cannot_be_renewed_leaves_the_one_before_in_use(tmp_path: Path) -> None:
    issued = authority(tmp_path / "authority")
    identity(issued, "before", tmp_path)
    settings = Settings(gateway_certfile=tmp_path / "gateway.pem", gateway_keyfile=tmp_path / "gateway.key")
    used = Identity(settings)
    before = used.context
    with capture_logs() as said:
        # The certificate is there before its key.
        shutil.copy(issued.issue("after"), tmp_path / "gateway.pem")
        for _ in range(3):
            used.look()
            assert spoken(used, issued.authority)
        assert used.context is before
        shutil.copy(issued.folder / "after.key", tmp_path / "gateway.key")
        used.look()
    assert spoken(used, issued.authority)
    assert used.context is not before
    assert [each["event"] for each in said] == ["certificate_not_read", "certificate_read"]


def test_a_key_whose_password_comes_last_is_read_once_it_is_there(tmp_path: Path) -> None:
    issued = authority(tmp_path / "authority")
    identity(issued, "before", tmp_path)
    password = tmp_path / "password"
    password.write_text("first")
    settings = Settings(
        gateway_certfile=tmp_path / "gateway.pem",
        gateway_keyfile=tmp_path / "gateway.key",
        gateway_key_password_file=password,
    )
    used = Identity(settings)
    before = used.context
    sealed = ["openssl", "pkey", "-in", str(tmp_path / "gateway.key"), "-aes256", "-passout", "pass:second"]
    subprocess.run([*sealed, "-out", str(tmp_path / "sealed.key")], check=True, capture_output=True)
    (tmp_path / "sealed.key").replace(tmp_path / "gateway.key")
    used.look()
    assert used.context is before
    password.write_text("second")
    used.look()
    assert used.context is not before


async def test_a_token_with_many_requests_has_one_turn_as_any_other() -> None:
    done: list[str] = []

    def work(name: str, turns: int) -> Iterator[int]:
        for number in range(turns):
            done.append(name)
            yield number

    many, few = Holder("many", frozenset()), Holder("few", frozenset())
    with ThreadPoolExecutor(1) as executor, pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns_module, "TURN_SECONDS", 0.0)
        turns = Turns(executor)
        asked = [*(turns.through(many, work("many", 5)) for _ in range(4)), turns.through(few, work("few", 3))]
        assert await asyncio.gather(*asked) == [list(range(5))] * 4 + [list(range(3))]
    assert done[:6].count("few") == 3
    assert len(done) == 23


async def test_checks_without_end_are_refused_after_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns_module, "CHECK_SECONDS", 0.1)
    with ThreadPoolExecutor(1) as executor:
        turns, anyone = Turns(executor), Holder("anyone", frozenset())
        with pytest.raises(Refusal, match="the checks took longer than") as refused:
            await turns.through(anyone, itertools.repeat(None))
        assert refused.value.problem == Problem.BUSY
        assert await turns.through(anyone, iter("ab")) == ["a", "b"]


def refusal(of: Callable[[], Any]) -> tuple[Problem, Any]:
    """Return the problem that a call ends with, and the answer that tells it."""
    with pytest.raises(Refusal) as refused:
        of()
    return refused.value.problem, refused.value.answer()


def test_a_bucket_fills_with_time_and_a_refused_request_takes_nothing_from_it() -> None:
    now = [100.0]
    rate, one, other = Rate(60, lambda: now[0]), Holder("one", frozenset()), Holder("other", frozenset())
    rate.take(one, 50)
    problem, answer = refusal(lambda: rate.take(one, 20))
    assert (problem, answer.headers["Retry-After"]) == (Problem.TOO_OFTEN, "10")
    rate.take(other, 60)
    rate.take(one, 10)
    now[0] += 5
    rate.take(one, 5)
    assert refusal(lambda: rate.take(one, 1))[1].headers["Retry-After"] == "1"
    now[0] += 1_000
    # What was taken before it was known how many there are is given back with a refusal.
    rate.take(one, 1)
    rate.take(one, 20, taken=1)
    rate.take(one, 1)
    assert refusal(lambda: rate.take(one, 50, taken=1))[1].headers["Retry-After"] == "10"
    rate.take(one, 40)
    now[0] += 1_000
    # More than a bucket holds passes when it is full, or it never would.
    rate.take(one, 5_000)
    assert refusal(lambda: rate.take(one, 60))[1].headers["Retry-After"] == "60"


def test_places_are_bounded_for_one_and_for_all_and_are_given_back() -> None:
    places = Places()
    held = [places.one(Holder(f"{number // MOST_OF_ONE}", frozenset())) for number in range(MOST_OF_ALL)]
    for each in held:
        each.__enter__()

    def enter(name: str) -> None:
        places.one(Holder(name, frozenset())).__enter__()

    assert refusal(lambda: enter("0"))[0] == Problem.TOO_OFTEN
    assert refusal(lambda: enter("another"))[0] == Problem.BUSY
    held[-1].__exit__(None, None, None)
    enter("another")


@pytest.mark.parametrize(
    ("body", "lines", "found"),
    [
        (b' {"a": 1}\n', False, [(1, b'{"a": 1}')]),
        (b'\xef\xbb\xbf{"a": 1}', False, [(1, b'{"a": 1}')]),
        (b'[{"a": [1, {}]} ,\n "x", 17 ]', False, [(1, b'{"a": [1, {}]}'), (2, b'"x"'), (3, b"17")]),
        (b'{"a": 1}\n{"b": 2}', False, [(1, b'{"a": 1}\n{"b": 2}')]),
        (b'\n\n{"a": 1} \r\n \n\t{"b": 2}\n\n', True, [(3, b'{"a": 1}'), (5, b'{"b": 2}')]),
        (b'[{"a": 1},\n{"b": 2}]', True, [(1, b'[{"a": 1},'), (2, b'{"b": 2}]')]),
    ],
)
def test_a_body_is_cut_into_records_that_keep_their_bytes(
    body: bytes, lines: bool, found: list[tuple[int, bytes]]
) -> None:
    assert records_in(body, 3, lines=lines) == [Record(*each) for each in found]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"a": 1}, ]', "no comma may stand before a closing bracket"),
        (b'[{"a": "\xff"}', "byte 9 \\(FF\\) is not UTF-8"),
        (b'[{"a": 1}', "the record ends within a list"),
        (b"[" * 100_000, "nest them less"),
    ],
)
def test_what_is_wrong_with_an_array_is_told_in_the_words_of_a_reject(body: bytes, told: str) -> None:
    with pytest.raises(Refusal, match=told) as refused:
        records_in(body, 3, lines=False)
    assert refused.value.problem == Problem.NOT_JSON


def test_gzip_of_several_members_is_one_body_and_a_bomb_is_none() -> None:
    assert unpacked(gzip.compress(b"[1") + gzip.compress(b",2]"), 5) == b"[1,2]"
    for bad, problem in (
        (gzip.compress(b"[1,2,3]"), Problem.TOO_LARGE),
        (gzip.compress(b"[1,2]")[:-1], Problem.BODY_BROKEN),
        (gzip.compress(b"[1,2]") + b"more", Problem.BODY_BROKEN),
        (b"[1,2]", Problem.BODY_BROKEN),
    ):
        with pytest.raises(Refusal) as refused:
            unpacked(bad, 5)
        assert refused.value.problem == problem


@pytest.mark.parametrize(
    ("code", "hint", "field"),
    [
        ("missing_field", "occurred.from: required, but missing", "occurred.from"),
        ("bad_value", "tallies[2].place.names[0]: expected text, found 1", "tallies[2].place.names[0]"),
        ("time_in_future", "reported_at 2090-01-01T00:00:00+00:00 lies after the time of reading", "reported_at"),
        ("unknown_field", "Colour of it: unknown field; put the source’s own columns under raw", "Colour of it"),
        ("unknown_place", "P-code 'SY99' is none of ours", "place"),
        ("not_json", "character 5, in “{'a'”: text stands in double quotes", ""),
        ("too_large", "2,000,000 bytes; at most 1,048,576 are accepted: shorten raw or the texts", ""),
    ],
)
def test_a_fault_names_the_field_that_is_to_blame_where_there_is_one(code: str, hint: str, field: str) -> None:
    assert field_in(code, hint) == field


def report(report_id: str, **changes: Any) -> bytes:
    began = datetime.now(UTC) - timedelta(hours=3)
    fields = {
        "type": "incident",
        "feed": "north",
        "report_id": report_id,
        "reported_at": began.isoformat(),
        "occurred": {"from": began.isoformat(), "to": began.isoformat(), "precision": "minute"},
        "place": {"names": ["Hama"]},
        "kind": "shelling",
        **changes,
    }
    return json.dumps(fields).encode()


@pytest.fixture(scope="module")
def examiners() -> list[Examiner]:
    """Those of two countries."""
    truces = [load_agreement(each) for each in ("syria-2016", "yemen-hodeidah-2018")]
    return [Examiner([truce], load_gazetteer(truce.gazetteer), "clock") for truce in truces]


def checked(records: list[Record], examiners: list[Examiner]) -> Checked:
    """Return the records of a token for the feed ``north``, checked."""
    return parted(list(checking(records, examiners)), frozenset({"north"}))


def test_of_several_agreements_one_that_takes_a_report_is_enough(examiners: list[Examiner]) -> None:
    records = [
        Record(1, report("A-1")),
        Record(2, report("A-2", place={"names": ["Al Hudaydah"]})),
        Record(3, report("A-3", place={"names": ["Atlantis"]})),
        Record(4, report("A-1", kind="airstrike")),
    ]
    found = checked(records, examiners)
    assert [each.report.line for each in found.sound] == [1, 2]
    assert [(each.line, each.code) for each in found.faults] == [(3, "unknown_place"), (4, "conflicting_body")]
    alone = checked(records[:2], examiners[:1])
    assert [told(each)["field"] for each in alone.faults] == ["place"]


def test_a_record_of_a_foreign_feed_stops_the_request_and_a_faulty_one_does_not(examiners: list[Examiner]) -> None:
    foreign = [Record(1, report("B-1")), Record(2, report("B-2", feed="south"))]
    with pytest.raises(Refusal, match="publishes as north, and records name south; none was published"):
        checked(foreign, examiners)
    faulty = [Record(1, report("B-1")), Record(2, report("B-2", feed="south", kind="a picnic"))]
    assert [each.line for each in checked(faulty, examiners).faults] == [2]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1"])
def test_on_loopback_it_speaks_in_the_clear(address: str) -> None:
    assert identity_of(Settings(gateway_address=address)) is None


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.org:1"])
def test_elsewhere_it_wants_tls_or_to_be_told_that_a_proxy_has_it(address: str) -> None:
    with pytest.raises(UsageError, match="would send tokens in the clear") as refused:
        identity_of(Settings(gateway_address=address))
    assert "--in-clear" in str(refused.value.hint)
    assert identity_of(Settings(gateway_address=address, gateway_in_clear=True)) is None


def test_faults_of_its_settings_are_told_before_anything_is_asked(run: Run, tmp_path: Path) -> None:
    nowhere = ("--broker", "kafka://127.0.0.1:1")
    missing = run("gateway", *nowhere)
    assert (missing.code, "gateway token FEED --tokens FILE" in missing.err) == (2, True)
    made = run("gateway", "token", "north", "--tokens", "tokens")
    assert made.code == 0
    assert Tokens(tmp_path / "tokens").holder(made.out.strip())
    assert run("gateway", "token", "No/Feed", "--tokens", "tokens").code == 2
    in_clear = run("gateway", *nowhere, "--tokens", "tokens", "--address", "0.0.0.0:0")
    assert (in_clear.code, "in the clear" in in_clear.err) == (2, True)
    no_certificate = run("gateway", *nowhere, "--tokens", "tokens", "--certfile", "none.pem")
    assert (no_certificate.code, "TRUCEWATCH_GATEWAY_CERTFILE: none.pem: no such file" in no_certificate.err) == (
        2,
        True,
    )
    key_alone = run("gateway", *nowhere, "--tokens", "tokens", "--keyfile", "none.key")
    assert (key_alone.code, "TRUCEWATCH_GATEWAY_CERTFILE is not" in key_alone.err) == (2, True)
    assert run("gateway", *nowhere, "--tokens", "tokens").code == 3
