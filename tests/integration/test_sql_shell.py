"""Command ``sql``: what it answers, refuses and survives."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import duckdb
import pytest

from sinks.shell import Session
from tests.support.commands import Run, runner
from tests.support.demo import Demo
from tests.support.shell import ROOT, clean_environment

pytestmark = pytest.mark.broker

DAYS = "SELECT region, truce_day, incidents, reasons FROM day_verdicts WHERE region = 'SY02' ORDER BY ALL"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    return runner(monkeypatch, capfd, tmp_path)


def test_csv_json_and_table_have_the_rows_of_the_file(run: Run, demo: Demo) -> None:
    with duckdb.connect(str(demo.file), read_only=True) as connection:
        rows = connection.execute(DAYS).fetchall()
    assert len(rows) == 7
    told = csv.DictReader(run("sql", "-c", DAYS, "--file", demo.file, "--format", "csv").out.splitlines())
    assert [(each["region"], each["truce_day"], each["incidents"]) for each in told] == [
        (region, day.isoformat(), str(incidents)) for region, day, incidents, _ in rows
    ]
    lines = [json.loads(line) for line in run("sql", "-c", DAYS, "--file", demo.file, "--json").out.splitlines()]
    assert [(each["region"], each["truce_day"], each["incidents"]) for each in lines] == [
        (region, day.isoformat(), incidents) for region, day, incidents, _ in rows
    ]
    table = run("sql", "-c", f"SELECT region, truce_day FROM ({DAYS})", "--file", demo.file).out
    assert [line.split()[1] for line in table.splitlines() if "SY02" in line] == ["SY02"] * len(rows)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine AS SELECT 1",
        "INSERT INTO reports SELECT * FROM reports",
        "SELECT 1; DELETE FROM reports",
        "COPY reports TO 'out.csv'",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE COPY reports TO 'out.csv'",
        "EXPLAIN ANALYZE DELETE FROM reports",
        "SELECT * FROM read_text('secret.txt')",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM query('DELETE FROM reports')",
        "SELECT * FROM glob('*')",
    ],
)
def test_nothing_is_written_attached_or_read_elsewhere(run: Run, demo: Demo, tmp_path: Path, statement: str) -> None:
    for name in ("secret.txt", "secret.csv"):
        (tmp_path / name).write_text("a\nsecret\n")
    before = demo.file.read_bytes()
    done = run("sql", "-c", statement, "--file", demo.file)
    assert (done.code, "secret\n" in done.out) == (2, False)
    assert done.err.startswith("trucewatch: ")
    assert demo.file.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"secret.txt", "secret.csv"}


def test_what_is_wrong_is_told_as_duckdb_tells_it(run: Run, demo: Demo) -> None:
    done = run("sql", "-c", "SELECT verdct FROM day_verdicts", "--file", demo.file)
    assert done.code == 2
    assert 'Referenced column "verdct" not found' in done.err
    assert "verdict" in done.err


def test_a_session_moves_on_to_the_next_copy_and_stays_where_there_is_none(demo: Demo, tmp_path: Path) -> None:
    def marked(mark: str, file: Path) -> None:
        file.write_bytes(demo.file.read_bytes())
        with duckdb.connect(str(file)) as writing:
            writing.execute("UPDATE regions SET name = ? WHERE pcode = 'SY02'", [mark])

    def told() -> str:
        (answer,) = session.ask("SELECT name FROM regions WHERE pcode = 'SY02'")
        ((name,),) = answer.rows
        return str(name)

    path, beside = tmp_path / "compliance.duckdb", tmp_path / "next"
    marked("first", path)
    session = Session(path)
    assert (session.renew(), told()) == (False, "first")
    marked("second", beside)
    beside.replace(path)
    assert (told(), session.renew(), told()) == ("first", True, "second")
    beside.write_bytes(b"no database")
    beside.replace(path)
    assert (session.renew(), told()) == (False, "second")
    path.unlink()
    assert (session.renew(), told()) == (False, "second")


def own_terminal() -> None:
    """Let Ctrl-C on standard input reach this process."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Talk:
    """Shell on a terminal, and what it has shown that was not waited for yet."""

    def __init__(self, file: Path, home: Path) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "sql", "--file", file],
            cwd=ROOT,
            env=clean_environment() | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(theirs)
        self._shown = ""

    def types(self, keys: str) -> None:
        """Type keys."""
        os.write(self.ours, keys.encode())

    def until(self, sign: str) -> None:
        """Wait until the terminal shows a sign, after the one that was waited for before."""
        while sign not in self._shown:
            ready, _, _ = select.select([self.ours], [], [], 60)
            assert ready, f"{sign!r} is not shown: {self._shown}"
            self._shown += os.read(self.ours, 65_536).decode(errors="replace")
        self._shown = self._shown.partition(sign)[2]

    def until_it_works(self) -> None:
        """Wait until a query has taken half a second of the processor: at its prompt the shell takes none."""
        stat = Path(f"/proc/{self.process.pid}/stat")

        def ticks() -> int:
            return int(stat.read_text().split()[13])

        began, deadline = ticks(), time.monotonic() + 60
        while ticks() < began + os.sysconf("SC_CLK_TCK") // 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self) -> None:
        """End the shell, however far it is."""
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_ctrl_c_ends_the_query_and_not_the_shell_which_remembers_what_was_asked(demo: Demo, tmp_path: Path) -> None:
    talk = Talk(demo.file, tmp_path)
    try:
        talk.until("trucewatch> ")
        talk.types("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE hash(a.range, b.range) = 1;\n")
        talk.until("= 1;\r\n")
        talk.until_it_works()
        talk.types("\x03")
        talk.until("stopped")
        talk.types("SELECT 6 * 7 AS answer;\n")
        talk.until("42")
        talk.types("\\d day_verdicts\n")
        talk.until("truce_day")
        talk.types("SELEC 1;\n")
        talk.until("syntax error")
        talk.types("\\q\n")
        assert talk.process.wait(60) == 0
    finally:
        talk.end()
    assert "SELECT 6 * 7 AS answer;" in (tmp_path / ".config" / "trucewatch" / "sql_history").read_text("utf-8")
