"""The outbox through commands and kills: nothing is lost, nothing doubled, and every fate is known."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.failpoints import STEPS
from streams.cli.processes import running, worker_environment
from streams.settings import Settings, variable
from tests.integration.test_receipts import report, run, settings  # noqa: F401 - fixtures
from tests.support.commands import Run
from tests.support.effort import every

_OF_THE_OUTBOX = [step for step in STEPS if step.startswith("outbox.")]


def command(given: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command of a feed's, which may kill itself."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "streams", *arguments],
        env=worker_environment(given),
        cwd=given.data.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_reports_wait_in_the_outbox_until_there_is_a_broker(
    run: Run,  # noqa: F811
    settings: Settings,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable("outbox"), str(tmp_path / "outbox"))
    monkeypatch.delenv(variable("broker"))
    broken = report("FO-2", place={"pcode": "SY99"})
    (tmp_path / "day.jsonl").write_text("\n".join(map(json.dumps, [report("FO-1"), broken, report("FO-3")])))
    offline = run("publish", "day.jsonl")
    assert offline.code == 1
    assert "day.jsonl, line 2 (field-office/FO-2): unknown_place" in offline.out
    assert "2 reports kept that were not there before; 1 left out" in offline.err
    assert "nothing was sent" in offline.err
    gone = run("publish", "day.jsonl", "--broker", "kafka://127.0.0.1:1")
    assert gone.code == 1
    assert "0 reports kept" in gone.err
    assert run("outbox", "list").out.count("draft, not sent yet") == 2
    broker = ("--broker", str(settings.broker))
    assert json.loads(run("outbox", "send", *broker, "--json").out) == {"sent": 2}
    assert json.loads(run("outbox", "send", *broker, "--json").out) == {"sent": 0}
    assert run("outbox", "list").out.count("sent, not told of yet") == 2
    assert run("outbox", "watch", *broker).out == ""
    with running(("intake", "ledger"), settings):
        told = run("outbox", "watch", "--wait", "--wait-seconds", "200", *broker)
        assert told.code == 0
        assert told.out.count("counted in Hama, truce-day of ") == 2
        assert json.loads(run("outbox", "list", "--json").out)["by_state"] == {"accepted": 2}
        (tmp_path / "other.jsonl").write_text(json.dumps(report("FO-1", kind="airstrike")))
        early = run("publish", "other.jsonl", *broker)
        assert early.code == 1
        assert "other.jsonl, line 1 (field-office/FO-1): conflicting_body" in early.out
        assert "day.jsonl, line 1 told revision 1 with another body" in early.out
        # An outbox that does not know of the first leaves the conflict to the ledger.
        monkeypatch.setenv(variable("outbox"), str(tmp_path / "another"))
        refused = run("publish", "other.jsonl", "--wait", "--wait-seconds", "200", *broker)
        assert refused.code == 1
        assert "field-office/FO-1@1  rejected, conflicting_body: " in refused.out


def test_an_outbox_survives_a_kill_at_its_steps(
    settings: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    feed = settings.model_copy(update={"outbox": tmp_path / "outbox", "log_level": "error"})
    number = 0
    steps = every(_OF_THE_OUTBOX, 3)
    assert len(_OF_THE_OUTBOX) == 8
    with running(("intake", "ledger"), settings):
        for step in steps:
            reports = [report(f"FO-{number + each}") for each in range(5)]
            number += len(reports)
            (tmp_path / "day.jsonl").write_text("\n".join(map(json.dumps, reports)))
            doomed = feed.model_copy(update={"failpoint": step})
            arguments = ("publish", "day.jsonl", "--wait", "--wait-seconds", "200")
            died = command(doomed, *arguments)
            assert died.returncode == -signal.SIGKILL, (step, died.stderr)
            # The person runs the same command again.
            again = command(feed, *arguments)
            assert again.returncode == 0, (step, again.stderr)
    listed = json.loads(command(feed, "outbox", "list", "--json").stdout)
    assert listed["by_state"] == {"accepted": number}
    assert sorted(each["report_id"] for each in listed["reports"]) == sorted(f"FO-{each}" for each in range(number))
