"""``verify`` as people and programs see it: what differs, how far it is, and how it is stopped."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from schemas.agreement_file import load_agreement
from streams.cli import verify as module
from streams.verify import NOT_REBUILT, STEPS
from tests.support.commands import Run
from tests.support.effort import cases
from tests.support.judged import History, report

ROOT = Path(__file__).parents[2]
AGREEMENT = load_agreement("syria-2016")
HOUR = 3_600_000_000
NOT_REBUILT_LINES = [f"  {table}: {', '.join(columns)} ({why})" for table, columns, why in NOT_REBUILT]

#: A verification one of whose steps takes for ever inside DuckDB, where no line of Python runs.
ENDLESS = """
import streams.verify
def endless(run):
    run.file.select("SELECT sum(hash(range)) FROM range(20000000000)")
    yield from ()
streams.verify.STEPS = (streams.verify.STEPS[0], streams.verify.Step("a step that takes its time", endless))
from streams.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = History(AGREEMENT).tell(
        *(
            report(
                "incident",
                f"i{number}",
                reported_at=AGREEMENT.effective + 5 * HOUR,
                region="SY05",
                occurred=(AGREEMENT.effective + number * HOUR // 10,) * 2,
                kind="shelling",
            )
            for number in range(30)
        )
    )
    return history.tick(AGREEMENT.effective + 48 * HOUR).judged(tmp_path_factory.mktemp("published"))


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(published, tmp_path / "copy.duckdb"))


def alter(copy: Path, statement: str) -> None:
    with duckdb.connect(str(copy)) as connection:
        connection.execute(statement)


def test_a_file_that_is_right_is_said_to_be(run: Run, copy: Path) -> None:
    ended = run("verify", copy)
    assert (ended.code, ended.err) == (0, "")
    first, *listed = ended.out.splitlines()
    assert first == f"{copy}: no difference between what is stored and what its reports say"
    assert listed == ["Not checked, as neither reports nor agreement tell it:", *NOT_REBUILT_LINES]
    told = json.loads(run("verify", copy, "--json").out)
    unknown = told.pop("not_checked")
    assert told == {"file": str(copy), "step": None, "differences": [], "more": False}
    assert [(each["table"], tuple(each["columns"]), each["why"]) for each in unknown] == list(NOT_REBUILT)


def test_the_guarantees_list_what_is_not_checked() -> None:
    text = " ".join((ROOT / "docs" / "guarantees.md").read_text("utf-8").split())
    for table, columns, _ in NOT_REBUILT:
        named = table if " " in table else f"`{table}`"
        assert f"| {named} | {', '.join(f'`{column}`' for column in columns)} |" in text


def test_every_difference_of_a_step_is_told_with_the_step(run: Run, copy: Path) -> None:
    alter(copy, "UPDATE day_tallies SET incidents = 99, deaths_low = 99 WHERE region = 'SY05'")
    ended = run("verify", copy)
    *lines, last = ended.out.partition("Not checked")[0].splitlines()
    assert (ended.code, ended.err) == (1, "")
    assert len(lines) > 1
    assert all(
        re.fullmatch(r"day_tallies\[SY05, .*\]\.\w+: the file says 99, the recount (\d+|nothing)", line)
        for line in lines
    )
    assert last.endswith(
        f"{len(lines)} differences between what is stored and what its reports say, "
        "found in every table against the rebuilt one; what comes after that was not looked at"
    )
    told = json.loads((ended := run("verify", copy, "--json")).out)
    assert (ended.code, ended.err, told["step"], told["more"]) == (1, "", "every table against the rebuilt one", False)
    assert len(told["differences"]) == len(lines)
    assert told["differences"][0].keys() == {"table", "row", "column", "stored", "recounted"}
    assert {each["stored"] for each in told["differences"]} == {"99"}


def test_people_see_the_first_and_how_many_more_there_are(
    run: Run, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alter(copy, "UPDATE reports SET kind = 'airstrike'")
    lines = run("verify", copy).out.partition("Not checked")[0].splitlines()
    assert len(lines) == module._MOST_SHOWN + 2
    assert lines[-2] == "... and 10 more; --json lists them too"
    monkeypatch.setattr(module, "_MOST_TOLD", 25)
    lines = run("verify", copy).out.partition("Not checked")[0].splitlines()
    assert lines[-2] == "... and at least 6 more; --json lists 25"
    assert ": more than 25 differences between" in lines[-1]
    told = json.loads(run("verify", copy, "--json").out)
    assert (len(told["differences"]), told["more"]) == (25, True)


def on_a_terminal(program: str, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command whose standard error is a terminal; return it and the terminal's other end."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUCEWATCH_")}
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def seen(terminal: int, upto: str = "", seconds: float = 300.0) -> str:
    """Read a terminal until something is on it, or to its end."""
    text, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline and not (upto and upto in text):
        try:
            got = os.read(terminal, 65_536)
        except OSError:
            break  # the other end was closed
        if not got:
            break
        text += got.decode()
    return text


def test_a_terminal_shows_how_far_it_is_and_which_step_runs(copy: Path) -> None:
    process, terminal = on_a_terminal("from streams.cli.app import main; main()", "verify", str(copy))
    text = seen(terminal)
    out, _ = process.communicate(timeout=300)
    os.close(terminal)
    assert process.returncode == 0
    assert f"/{len(STEPS)}" in text
    assert any(step.name in text for step in STEPS)
    assert "no difference between what is stored and what its reports say\n" in out.decode()


def test_a_program_sees_no_bar_even_on_a_terminal(copy: Path) -> None:
    process, terminal = on_a_terminal("from streams.cli.app import main; main()", "verify", str(copy), "--json")
    out, _ = process.communicate(timeout=300)
    assert json.loads(out)["differences"] == []
    assert seen(terminal) == ""
    os.close(terminal)


@pytest.mark.parametrize("number", cases([signal.SIGINT, signal.SIGTERM], fast=1))
def test_it_is_stopped_in_the_midst_of_a_query(copy: Path, number: signal.Signals) -> None:
    process, terminal = on_a_terminal(ENDLESS, "verify", str(copy))
    try:
        shown = seen(terminal, upto="a step that takes its time")
        assert "1/2" in shown
        time.sleep(0.5)
        process.send_signal(number)
        text = seen(terminal)
        out, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        os.close(terminal)
    assert (process.returncode, out) == (130, b"")
    assert "trucewatch: stopped" in text
    assert "Traceback" not in text
    assert "fault" not in text
