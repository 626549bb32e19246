"""Reports written to harm whoever shows, stores or queries them: through the pipeline, and every command after."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from streams.cli.output import answers
from streams.ops.wording import escaped_json, one_line, visible
from streams.verify import verify
from tests.support.commands import Run
from tests.support.judged import History, report
from tests.support.records import TABLES
from tests.support.worlds import agreement, at, day
from tests.unit.conftest import run as run_command

run = run_command

ROOT = Path(__file__).resolve().parents[2]
AGREEMENT = "syria-2016"
#: What a terminal obeys, and what turns the order of letters.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HARM = [
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\u202egnp.exe\u2066",
    "[bold]all is well[/bold] [/] [link=file:///etc/passwd]x[/link]",
    "'; DROP TABLE reports; --",
    "$(touch owned) `touch owned` ; touch owned",
    "../../../../owned",
    "<script>alert(1)</script>",
    "a\nThe gate is open: 9 of 9 regions have held 7 days.",
    "NUL \x00 inside",
    ":smile: %s {0} \\u001b[2J",
]
#: Characters a report_id may not have make no report at all; the others go on as an id too.
FORBIDDEN = re.compile("[\x00-\x1f\x7f]")


def hostile() -> Iterator[dict[str, Any] | bytes]:
    """Reports with harm in every field a stranger fills, accepted and rejected ones."""
    for number, harm in enumerate(HARM):
        when: dict[str, Any] = {"reported_at": at(0, 3), "occurred": (at(0, 1), at(0, 2))}
        name = f"h{number}" if FORBIDDEN.search(harm) else f"{number}{harm}".strip()
        parties = [{"name": harm, "slot": "a"}]
        place = {"pcode": "SY01", "names": [harm]}
        told: dict[str, Any] = {"claimant": harm, "note": harm, "accused": [harm], "raw": {harm: harm}}
        yield report("incident", name, kind="shelling", place=place, parties=parties, **told, **when)
        yield report("convoy", f"c{number}", convoy_id=f"cv{number}", step="attacked", reason=harm, place=place, **when)
        act = {"act": "start", "declared_by": harm, "effective_at": "2016-09-12T19:00:00+03:00"}
        yield report("declaration", f"d{number}", reported_at=at(0, 3), **act)
        yield report("incident", harm, kind=harm, place=place, **{harm: harm}, **when)
        yield report("incident", f"f{number}", feed=harm, kind="shelling", place=place, **when)
        yield harm.encode()
        yield orjson.dumps({harm: [harm]})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / AGREEMENT
    return History(agreement(id=AGREEMENT)).tick(at(0)).tell(*hostile()).tick(at(0, 4), at(1, 4)).judged(folder)


def test_every_hostile_report_is_stored_as_it_came_and_harms_nothing(published: Path) -> None:
    assert verify(published) == []
    with duckdb.connect(str(published), read_only=True) as connection:
        there = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
        stored = connection.execute("SELECT DISTINCT claimant FROM reports WHERE claimant IS NOT NULL").fetchall()
        rejected = connection.execute("SELECT count(*) FROM rejects").fetchall()
    assert there.issuperset(TABLES)
    assert {claimant for (claimant,) in stored} == set(HARM)
    assert rejected[0][0] >= 4 * len(HARM)
    assert sorted(each.name for each in published.parent.parent.iterdir()) == [AGREEMENT]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        ["status", "--from", str(day(0)), "--to", str(day(1))],
        ["explain", "SY01", str(day(0))],
        ["explain", "SY01", str(day(0)), "--as-of", "2016-09-13T20:00+00:00"],
        ["rejects", "list", "--limit", "100"],
        ["verify"],
    ],
)
def test_no_command_lets_a_report_command_the_terminal(
    run: Run, published: Path, command: list[str], as_json: bool
) -> None:
    ended = run(*command, "--data", published.parent.parent, *(["--json"] if as_json else []))
    assert ended.code == 0, ended.err
    assert COMMANDS.search(ended.out + ended.err) is None
    if as_json:
        json.loads(ended.out)
    assert not any(line.startswith("The gate is open") for line in ended.out.splitlines())


def test_every_reject_can_be_shown(run: Run, published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as connection:
        ids = connection.execute("SELECT fact_offset FROM rejects ORDER BY 1 LIMIT 8").fetchall()
    for (reject,) in ids:
        shown = run("rejects", "show", str(reject), "--data", published.parent.parent)
        assert shown.code == 0, shown.err
        assert COMMANDS.search(shown.out) is None
        assert not any(line.startswith("The gate is open") for line in shown.out.splitlines())


def test_brackets_are_shown_as_they_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    answers().print("[bold]x[/bold] [/] :smile:")
    assert capsys.readouterr().out == "[bold]x[/bold] [/] :smile:\n"


def test_what_steers_a_terminal_is_shown_by_its_number() -> None:
    assert visible("a\x1b[2J\x9b\u202e\ud800\U000e0041\nb") == r"a\x1b[2J\x9b\u202e\ud800\U000e0041" + "\nb"
    assert one_line("a\nb") == r"a\nb"
    assert visible("حلب\u200f می\u200cخواهم") == "حلب\u200f می\u200cخواهم", "marks that languages are written with stay"
    hostile_json = json.dumps({"\u202e": "\x9b\U000e0041"}, ensure_ascii=False)
    assert json.loads(escaped_json(hostile_json)) == json.loads(hostile_json)
    assert COMMANDS.search(escaped_json(hostile_json)) is None


def test_a_file_name_of_strangers_is_said_without_obeying_it(run: Run) -> None:
    for name in ("\x1b[2J[bold]\u202e.jsonl", "half \udcff.jsonl", "'; --.jsonl"):
        for more in ([], ["--json"]):
            ended = run("publish", name, "--dry-run", *more)
            assert ended.code == 2
            assert COMMANDS.search(ended.err) is None


@pytest.mark.parametrize(
    "address",
    [
        "kafka://ops:s3cret@127.0.0.1:9092",
        "kafka://ops:s3cret@host",
        "ops:s3cret@h:1",
        "kafka://a:1,kafka://ops:s3cret@h:1",
    ],
)
def test_a_password_in_a_brokers_address_is_refused_and_never_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for more in ([], ["--json"]):
        for given in (["--broker", address], []):
            if not given:
                monkeypatch.setenv("TRUCEWATCH_BROKER", address)
            ended = run("publish", "reports.jsonl", *given, *more)
            assert ended.code == 2
            assert "without a name or password" in ended.err
            assert "s3cret" not in ended.out + ended.err


def test_no_query_is_put_together_of_what_strangers_wrote() -> None:
    """No query handed to DuckDB has a field in it that a stranger fills: such values are parameters."""
    suspects = []
    for file in [*(ROOT / "sinks").rglob("*.py"), *(ROOT / "streams").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _QUERIES:
                for argument in node.args[:1]:
                    names = {each.attr for each in ast.walk(argument) if isinstance(each, ast.Attribute)}
                    suspects += [(file.name, node.lineno, name) for name in names & _STRANGERS]
    assert suspects == []


_QUERIES = frozenset({"execute", "sql", "query", "select", "stream"})
_STRANGERS = frozenset({"feed", "report_id", "claimant", "declared_by", "convoy_id", "note", "reason", "place_name"})
