"""``rejects`` on a published file: listed, shown, exported, refused; what is sent is tested on brokers."""

from __future__ import annotations

import errno
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.rows import Changes
from sinks.rejects import Reject, RejectRate
from sinks.store import Store
from streams.feeds.editing import Edit, edited
from streams.feeds.exported import wrap
from streams.ops.rejects import growth
from tests.support.commands import Run
from tests.support.judged import History
from tests.support.rows import hours, reject_row
from tests.support.worlds import agreement, at
from tests.unit.test_redrives import incident, misspelt

AGREEMENT = "syria-2016"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rejects of a truce, the first of which was published again, mended."""
    folder = tmp_path_factory.mktemp("rejects") / "data"
    history = History(agreement(id=AGREEMENT)).tell(misspelt("i0"), misspelt("i1"), b"\xff\x00\x1b[2J", incident("i9"))
    history.redriven(0, incident("i0")).tick(at(1)).judged(folder / AGREEMENT)
    return folder


@pytest.fixture
def data(judged: Path, tmp_path: Path) -> Path:
    """A folder of these rejects that a test may change."""
    return shutil.copytree(judged, tmp_path / "data")


def test_the_list_is_newest_first_with_a_summary_of_all_that_were_chosen(run: Run, data: Path) -> None:
    ended = run("rejects", "list", "--data", data, "--json")
    told = json.loads(ended.out)
    assert [(one["id"], one["code"], one["report_id"]) for one in told["rejects"]] == [
        (2, "invalid_utf8", None),
        (1, "bad_value", "i1"),
        (0, "bad_value", "i0"),
    ]
    assert [(one["code"], one["records"], one["not_redriven"]) for one in told["summary"]] == [
        ("bad_value", 2, 1),
        ("invalid_utf8", 1, 1),
    ]
    limited = run("rejects", "list", "--data", data, "--limit", "1", "--code", "bad_value").out
    assert "1  bad_value  feed-a/i1" in limited
    assert "0  bad_value" not in limited
    assert "2 records rejected, the newest 1 shown" in limited
    assert "accepted" in run("rejects", "list", "--data", data, "--feed", "feed-a").out
    assert run("rejects", "list", "--data", data, "--feed", "nobody").out == "No record was rejected.\n"
    assert run("rejects", "list", "--data", data, "--since", "2016-09-12T00:00").code == 2


def test_a_reject_is_shown_with_its_bytes_its_place_and_what_to_do(run: Run, data: Path) -> None:
    shown = run("rejects", "show", "1", "--data", data).out
    for part in ("bad_value: A field's value is not allowed.", "did you mean", "partition 0, offset 1", "never"):
        assert part in shown or part == "did you mean"
    assert '"kind": "sheling"' in " ".join(shown.split()).replace(" | ", "")
    assert "redrive 1 --edit KEY=VALUE" in shown
    assert "Nothing is left to do." in run("rejects", "show", "0", "--data", data).out
    assert json.loads(run("rejects", "show", "2", "--data", data, "--json").out)["original_base64"] == "/wAbWzJK"
    assert run("rejects", "show", "7", "--data", data).code == 2


def test_bytes_of_a_reject_never_reach_the_terminal_as_they_are(run: Run, data: Path) -> None:
    shown = run("rejects", "show", "2", "--data", data).out
    assert "\x1b" not in shown
    assert "\x00" not in shown
    assert r"\xff\x00\x1b[2J" in shown


def test_an_exported_file_tells_the_reason_and_is_published_again_as_it_came(run: Run, data: Path) -> None:
    exported = run("rejects", "export", "mend.jsonl", "--data", data).out
    assert exported == "2 rejects written to mend.jsonl; 1 left out that had been published again before\n"
    lines = [json.loads(line) for line in Path("mend.jsonl").read_bytes().splitlines()]
    assert [(line["reject"]["id"], line["reject"]["code"]) for line in lines] == [(1, "bad_value"), (2, "invalid_utf8")]
    assert lines[0]["report"]["kind"] == "sheling"
    assert run("rejects", "export", "mend.jsonl", "--data", data).code == 2
    tried = run("publish", "mend.jsonl", "--dry-run")
    assert tried.code == 1
    assert "bad_value" in tried.out
    assert "invalid_utf8" in tried.out
    Path("mended.jsonl").write_bytes(Path("mend.jsonl").read_bytes().splitlines()[0].replace(b"sheling", b"shelling"))
    assert run("publish", "mended.jsonl", "--dry-run").code == 0
    mended = run("rejects", "redrive", "--from", "mended.jsonl", "--dry-run", "--data", data)
    assert (mended.code, mended.out) == (0, "1 reject checked, 0 would be rejected again. Nothing was sent.\n")


def test_an_export_cut_short_leaves_no_file_that_would_pass_for_a_whole_one(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(reject: Reject) -> bytes:
        if reject.id == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return wrap(reject)

    monkeypatch.setattr("streams.cli.rejects.wrap", full)
    ended = run("rejects", "export", "mend.jsonl", "--data", data)
    assert (ended.code, ended.err) == (3, "trucewatch: No space left on device\n")
    assert not Path("mend.jsonl").exists()


def test_a_dry_run_tells_what_would_be_rejected_again(run: Run, data: Path) -> None:
    ended = run("rejects", "redrive", "1", "--dry-run", "--data", data, "--json")
    assert ended.code == 1
    assert [fault["code"] for fault in json.loads(ended.out)["faults"]] == ["bad_value"]
    assert run("rejects", "redrive", "1", "--edit", "kind=shelling", "--dry-run", "--data", data).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which: IDs, or --all, or --from FILE"),
        (["1", "--all"], "say which"),
        (["1", "--code", "bad_value"], "choose among --all"),
        (["0"], "published again before: 0 (accepted); --again sends them once more"),
        (["9"], "there is no reject 9"),
        (["1", "--edit", "kind"], "is not KEY=VALUE"),
        (["2", "--edit", "kind=shelling"], "reject 2 is no JSON object"),
        (["1", "--edit", "kind.of=x"], "reject 1 has no place for --edit kind.of"),
        (["1"], "rejects redrive needs a broker"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(run: Run, data: Path, arguments: list[str], said: str) -> None:
    ended = run("rejects", "redrive", *arguments, "--data", data)
    assert ended.code == 2
    assert said in ended.err


@pytest.fixture(scope="module")
def judged_dismissed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rejects of a truce that are pending and one that was dismissed."""
    folder = tmp_path_factory.mktemp("dismissed") / "data"
    history = History(agreement(id=AGREEMENT)).tell(misspelt("i0"), misspelt("i1"), misspelt("i2"))
    history.dismissed(0, "an exercise", "A. Haddad").tick(at(1)).judged(folder / AGREEMENT)
    return folder


@pytest.fixture
def dismissed(judged_dismissed: Path, tmp_path: Path) -> Path:
    """A folder of these rejects that a test may change."""
    return shutil.copytree(judged_dismissed, tmp_path / "data")


SAID = ("--reason", "a test", "--by", "desk")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (SAID, "say which: IDs, or --all"),
        (("1", "--all", *SAID), "say which"),
        (("1", "--feed", "feed-a", *SAID), "choose among --all"),
        (("9", *SAID), "there is no reject 9"),
        (("0", *SAID), "dismissed before: 0 (by A. Haddad: an exercise)"),
        (("1", "--by", "desk"), "Missing option '--reason'"),
        (("1", "--reason", "a test"), "Missing option '--by'"),
        (("1", "--reason", " ", "--by", "desk"), "--reason says nothing"),
        (("1", "--reason", "a test", "--by", ""), "--by says nothing"),
        (("1", "--reason", "x" * 1001, "--by", "desk"), "--reason has 1,001 characters; at most 1,000 are kept"),
        (("1", *SAID), "rejects dismiss needs a broker"),
        (("0", "1", *SAID), "rejects dismiss needs a broker"),
    ],
)
def test_what_cannot_be_dismissed_is_refused_with_the_reason(
    run: Run, dismissed: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = run("rejects", "dismiss", *arguments, "--data", dismissed)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_what_is_pending_and_what_was_dismissed_is_listed_shown_and_left_out_of_exports(
    run: Run, dismissed: Path
) -> None:
    listed = run("rejects", "list", "--data", dismissed).out
    assert "dismissed by A. Haddad: an exercise" in listed
    assert "1  bad_value  feed-a/i1" in listed
    assert "pending on SY01, truce-day 2016-09-12" in listed
    waiting = json.loads(run("rejects", "list", "--pending", "--data", dismissed, "--json").out)
    assert [(one["id"], one["pending"], one["regions"]) for one in waiting["rejects"]] == [
        (2, True, ["SY01"]),
        (1, True, ["SY01"]),
    ]
    shown = run("rejects", "show", "0", "--data", dismissed).out
    assert "dismissed by A. Haddad: an exercise" in shown
    assert "Nothing is left to do." in shown
    assert "no: settled" in shown
    assert "rejects dismiss 1 --reason TEXT --by NAME" in run("rejects", "show", "1", "--data", dismissed).out
    exported = run("rejects", "export", "mend.jsonl", "--data", dismissed).out
    assert exported == "2 rejects written to mend.jsonl; 1 left out that were dismissed\n"
    tried = run("rejects", "redrive", "--all", "--dry-run", "--data", dismissed, "--json")
    assert json.loads(tried.out)["checked"] == 2


def test_a_reject_says_why_it_is_not_pending(run: Run, data: Path) -> None:
    known = run("rejects", "show", "0", "--data", data).out
    assert "pending    no: a report of this feed and report_id was accepted" in known
    assert "no: it does not tell both a region of the agreement and a time" in (
        run("rejects", "show", "2", "--data", data).out
    )


def test_status_and_explain_mark_what_was_refused(run: Run, dismissed: Path) -> None:
    assert "2 refused reports pending on 1 region-day" in run("status", "--data", dismissed).out
    told = run("status", "--all", "--data", dismissed).out
    assert "UNKNOWN+" in told
    assert "2 refused reports pending on 1 region-day, of 1 gate region: neither accepted nor dismissed since." in told
    assert json.loads(run("status", "--data", dismissed, "--json").out)["refused_pending"] == {
        "reports": 2,
        "region_days": 1,
        "gate_regions": 1,
    }
    gate = run("status", "--gate", "--data", dismissed).out
    assert "2 refused reports pending on 1 region-day" in gate
    explained = run("explain", "SY01", "2016-09-12", "--data", dismissed).out
    assert "Refused and pending, in no count: 2 reports" in explained
    assert "reject 1: feed-a/i1, bad_value, 2016-09-12 20:00+03:00 to 2016-09-12 21:00+03:00" in explained
    assert len(json.loads(run("explain", "SY01", "2016-09-12", "--data", dismissed, "--json").out)["refused"]) == 2
    quiet = run("explain", "SY02", "2016-09-12", "--data", dismissed).out
    assert "Refused" not in quiet


def test_an_edit_leaves_every_digit_and_letter_of_the_rest() -> None:
    body = '{"raw":{"id":123456789012345678901234567890,"تل":0.1}}'.encode()
    assert edited(body, [Edit("revision=2")], "it") == body[:-1] + b',"revision":2}'


@pytest.mark.parametrize("body", [b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"\xff", b"[1]", b"[" * 100_000])
def test_what_no_json_holds_is_mended_as_text(body: bytes) -> None:
    with pytest.raises(UsageError, match="is no JSON object, so no field of it can be edited"):
        edited(body, [Edit("revision=2")], "it")


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b'{"raw": [{"a": 1, "\\u0061": 1}]}'])
def test_an_edit_chooses_neither_of_two_values_of_one_name(body: bytes) -> None:
    with pytest.raises(UsageError, match='it: the name "a" stands twice'):
        edited(body, [Edit("revision=2")], "it")
    with pytest.raises(UsageError, match='the name "a" stands twice'):
        Edit(f"raw={body.decode()}")


def test_an_edit_may_drop_the_number_that_no_double_holds() -> None:
    assert edited(b'{"a":1,"raw":{"b":1e400}}', [Edit("raw.b=")], "it") == b'{"a":1,"raw":{}}'


def test_edits_reach_into_objects_and_lists_and_drop_fields() -> None:
    body = b'{"place": {"names": ["A", "B"]}, "colour": 1, "raw": {}}'
    changes = [
        "place.pcode=SY02",
        "place.names.1=C",
        "colour=",
        "revision=2",
        'note="3"',
        "raw.x.y=[1]",
        "place.names.0=",
    ]
    assert json.loads(edited(body, [Edit(each) for each in changes], "it")) == {
        "place": {"names": ["C"], "pcode": "SY02"},
        "raw": {"x": {"y": [1]}},
        "revision": 2,
        "note": "3",
    }


@pytest.mark.parametrize(
    ("last_hour", "before", "over", "grows"),
    [(10, 48, 24.0, True), (9, 0, 24.0, False), (10, 120, 24.0, False), (11, 120, 24.0, True), (99, 0, 0.0, False)],
)
def test_rejects_grow_when_there_are_ten_and_more_than_twice_as_many_as_before(
    last_hour: int, before: int, over: float, grows: bool
) -> None:
    assert (growth([RejectRate(1, last_hour, over, before)]) is not None) == grows


def test_status_says_that_rejects_grow(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / AGREEMENT
    truce = agreement(id=AGREEMENT)
    store = Store.open(folder, truce, {}, facts_topic="t", log_identity="log", new_log_allowed=False)
    times = [-20.0, *(-0.01 * number for number in range(12))]
    rows = [reject_row(number, received_at=hours(100 + when)) for number, when in enumerate(times)]
    store.commit(Changes(next_offset=20, now=hours(100), rejects=rows))
    store.publish(datetime.now(UTC) - timedelta(seconds=1))
    store.close()
    said = "rejects are growing: 12 in the last hour, 0.1 in as long before"
    assert said in run("status", "--data", tmp_path / "data").out
    assert said in run("rejects", "list", "--data", tmp_path / "data").out
    assert json.loads(run("status", "--data", tmp_path / "data", "--json").out)["rejects_growing"] == said


def test_times_are_the_agreements_own_with_their_offset_and_utc_in_json(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "data" / AGREEMENT
    store = Store.open(folder, agreement(id=AGREEMENT), {}, facts_topic="t", log_identity="log", new_log_allowed=False)
    store.commit(Changes(next_offset=20, now=hours(3), rejects=[reject_row(1, received_at=hours(3))]))
    store.publish(datetime.now(UTC))
    store.close()
    for command in (("list",), ("show", "1")):
        shown = run("rejects", *command, "--data", tmp_path / "data").out
        assert "2016-09-12 22:00+03:00" in shown
        assert "UTC" not in shown
    (told,) = json.loads(run("rejects", "list", "--data", tmp_path / "data", "--json").out)["rejects"]
    assert told["received_at"] == "2016-09-12T19:00:00Z"
