"""Receipts through running workers: what a feed is told, and that a kill anywhere loses none."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.receipts import Receipt, digest_of, read
from schemas.topics import Topics
from sinks.opening import PUBLISHED
from streams.cli.processes import running, worker_environment
from streams.engine.admin import ensure_topics
from streams.settings import Settings, variable
from tests.bench.reports import running_truce
from tests.support.brokers import read_to_end, write
from tests.support.commands import Run, runner
from tests.support.recorded_archive import PATIENCE, wait_until
from tests.support.verdict_messages import on_file, on_topic

AGREEMENT = "syria-2016"


def report(report_id: str, **changes: Any) -> dict[str, Any]:
    """Return an incident of yesterday."""
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    return {
        "type": "incident",
        "feed": "field-office",
        "report_id": report_id,
        "reported_at": (began + timedelta(hours=2)).isoformat(),
        "occurred": {
            "from": began.isoformat(),
            "to": (began + timedelta(minutes=30)).isoformat(),
            "precision": "minute",
        },
        "place": {"pcode": "SY05"},
        "kind": "shelling",
        **changes,
    }


@pytest.fixture
def settings(embedded_broker: str, prefix: str, tmp_path: Path) -> Settings:
    made = Settings(
        broker=embedded_broker,
        topic_prefix=prefix,
        agreement=str(running_truce(tmp_path)),
        data=tmp_path / "data",
        log_level="warning",
    )
    asyncio.run(ensure_topics(embedded_broker, Topics(prefix).specs((AGREEMENT,))))
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], settings: Settings, tmp_path: Path) -> Run:
    """Run a command of a feed that knows the broker, the prefix and the agreement, and has no ledger's file."""
    run = runner(monkeypatch, capfd, tmp_path)
    for name in ("broker", "topic_prefix", "agreement"):
        monkeypatch.setenv(variable(name), str(getattr(settings, name)))
    monkeypatch.setenv(variable("data"), str(tmp_path / "nothing"))
    return run


def test_a_feed_is_told_what_became_of_each_report(run: Run, settings: Settings, tmp_path: Path) -> None:
    first = report("FO-17")
    sent = [first, first, report("FO-18", place={"pcode": "SY99"}), report("FO-17", revision=2, kind="airstrike")]
    (tmp_path / "reports.jsonl").write_text("\n".join(map(json.dumps, sent)))
    with running(("intake", "ledger"), settings):
        done = run("publish", "reports.jsonl", "--wait", "--wait-seconds", "200")
        assert done.code == 1
        told = done.out.splitlines()
        assert len(told) == 4
        assert any(line.startswith("field-office/FO-17@1  counted in Hama, truce-day of ") for line in told)
        assert any(line.startswith("field-office/FO-18@1  rejected, unknown_place: ") for line in told)
        assert sum("a duplicate" in line for line in told) == 1
        assert sum("corrected, in place of the earlier revision; counted in Hama" in line for line in told) == 1
        assert "1 accepted, 1 corrected, 1 duplicate, 1 rejected" in done.err

        listed = run("receipts", "field-office")
        assert sorted(listed.out.splitlines()) == sorted(told)
        assert run("receipts", "another").out == ""
        refused = run("rejects", "list", "--broker", str(settings.broker), "--json")
        assert [json.loads(line)["report_id"] for line in refused.out.splitlines()] == ["FO-18"]

        (tmp_path / "good.jsonl").write_text(json.dumps(report("FO-19")))
        good = run("publish", "good.jsonl", "--wait", "--wait-seconds", "200", "--json")
        assert good.code == 0
        lines = [json.loads(line) for line in good.out.splitlines()]
        assert (lines[0]["outcome"], lines[1]) == ("accepted", {"outcomes": {"accepted": 1}})


def test_without_waiting_it_says_that_acknowledged_is_not_accepted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(json.dumps(report("FO-17")))
    done = run("publish", "reports.jsonl")
    assert done.code == 0
    assert "acknowledged is not yet accepted" in done.err


def test_a_feed_is_told_when_nobody_is_at_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(json.dumps(report("FO-17")))
    done = run("publish", "reports.jsonl", "--wait", "--wait-seconds", "1")
    assert done.code == 3
    assert "nobody told of 1 of them" in done.err


@pytest.mark.parametrize(
    ("role", "failpoint"),
    [
        ("intake", "receipts.refused"),
        ("intake", "intake.acknowledged"),
        ("ledger", "receipts.kept"),
        ("ledger", "store.written"),
        ("ledger", "store.committed"),
        ("ledger", "ledger.told"),
        ("ledger", "receipts.told"),
        ("ledger", "verdicts.told"),
    ],
)
def test_a_kill_anywhere_loses_no_receipt_and_no_verdict(
    settings: Settings, prefix: str, role: str, failpoint: str
) -> None:
    broker = str(settings.broker)
    bodies = [
        json.dumps(report(f"FO-{number}", place={"pcode": f"SY{5 + number % 2 * 94:02}"})) for number in range(80)
    ]
    wanted = {digest_of(body.encode()): "rejected" if "SY99" in body else "accepted" for body in bodies}
    asyncio.run(write(broker, Topics(prefix).incidents, 0, [(None, body.encode(), []) for body in bodies]))
    if role == "ledger":
        with running(("intake",), settings):
            told_of(broker, prefix, 40)
    doomed = settings.model_copy(update={"failpoint": failpoint})
    process = subprocess.run(
        [sys.executable, "-P", "-m", "streams", "worker", "--role", role],
        env=worker_environment(doomed),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    with running(("intake", "ledger"), settings):
        told = told_of(broker, prefix, 80)
        wait_until(lambda: "gate" in verdicts_told(broker, prefix))
    first = {each.digest: each.outcome for each in reversed(told)}
    assert first == wanted
    assert verdicts_told(broker, prefix) == on_file(settings.data / AGREEMENT / PUBLISHED)


def verdicts_told(broker: str, prefix: str) -> dict[str, dict[str, Any]]:
    """Return what the verdicts topic holds of each key."""
    records = asyncio.run(read_to_end(broker, Topics(prefix).verdicts(AGREEMENT)))
    return on_topic({record.key or b"": record.value or b"" for record in records}, AGREEMENT)


def told_of(broker: str, prefix: str, count: int) -> list[Receipt]:
    """Return all receipts, once they are of so many reports."""
    found: list[Receipt] = []

    def all_told() -> bool:
        records = asyncio.run(read_to_end(broker, Topics(prefix).receipts))
        found[:] = [receipt for record in records for receipt in read(record.value)]
        return len({each.digest for each in found}) >= count

    wait_until(all_told)
    return found


def test_one_line_withdraws_merges_and_says_that_nothing_was_seen(
    run: Run, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("outbox"), str(tmp_path / "outbox"))
    day = datetime.now(UTC).date() - timedelta(days=1)
    (tmp_path / "reports.jsonl").write_text("\n".join(json.dumps(report(f"FO-{number}")) for number in (1, 2, 3)))
    waiting = ("--wait", "--wait-seconds", "200")
    with running(("intake", "ledger"), settings):
        assert run("publish", "reports.jsonl", *waiting).code == 0
        withdrawn = run("retract", "field-office", "FO-1", "--reason", "an accident", *waiting)
        assert withdrawn.code == 0, withdrawn.err
        assert "field-office/FO-1@2  withdrawn in Hama" in withdrawn.out
        assert "withdrawn in Hama" in run("merge", "field-office", "FO-2", "FO-3", *waiting).out
        again = run("retract", "field-office", "FO-1")
        assert (again.code, "is retracted already" in again.err) == (2, True)
        assert run("retract", "field-office", "FO-9").code == 2
        stretch = ("--from", f"{day}T00:00Z", "--to", f"{day}T06:00Z", "--feed", "field-office")
        assert "accepted" in run("nil", "SY02", "Hama", *stretch, *waiting).out

        # Without an outbox the record is the ledger's published copy's, and the broker's acknowledgement is shown.
        monkeypatch.delenv(variable("outbox"))
        data = ("--data", str(settings.data))
        wait_until(lambda: run("retract", "field-office", "FO-3", *data, *waiting).code == 0)
        refused = run("nil", "SY02", "--from", f"{day}T06:00Z", "--to", f"{day}T00:00Z", "--feed", "field-office")
        assert (refused.code, "interval_backwards" in refused.err) == (2, True)
