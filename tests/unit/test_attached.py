"""One file, one agreement: what an attached file is asked it answers from itself, or it refuses in words."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sinks.opening import PUBLISHED
from tests.support.effort import every
from tests.support.rows import full_changes
from tests.support.stores import open_store
from tests.support.worlds import FIRST, agreement

MACROS = [
    "FROM verdicts_as_of('2016-10-01 00:00:00+00')",
    "FROM window_as_of('SY02', '2016-10-01 00:00:00+00')",
    f"FROM explain_day('SY02', '{FIRST}')",
    "FROM explain_day('SY02', '1999-01-01')",
    "FROM declared_as_of('2016-10-01 00:00:00+00')",
    "FROM declared_acts_as_of('2016-10-01 00:00:00+00')",
    "FROM declared_stretches('2016-10-01 00:00:00+00')",
    "FROM declared_fold('2016-10-01 00:00:00+00')",
    f"FROM places_as_of('{FIRST}')",
    f"SELECT besieged_people_as_of('{FIRST}') AS people",
]
ANOTHER = "this macro belongs to a file of agreement other, and in use is another file, of agreement test-truce"
NONE_IN_USE = "USE the file of this macro first"

Ask = Callable[[list[str], str], list[dict[str, Any]]]


def of(alias: str, question: str) -> str:
    """Return a question to a macro put to the one of an attached file."""
    verb, _, rest = question.partition(" ")
    return f"{verb} {alias}.{rest}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Published files: ``a``, another of its agreement, a copy of ``a``, and ``other`` of another agreement."""
    folder = tmp_path_factory.mktemp("attached")
    made: dict[str, Path] = {}
    for name, rules in {
        "a": {},
        "again": {},
        "other": {"id": "other", "violence": {"floor": 3, "bulletins_of": "russian-centre"}},
    }.items():
        store = open_store(folder / name, agreement(**rules))
        store.commit(full_changes())
        store.publish(datetime(2016, 9, 13, tzinfo=UTC))
        store.close()
        made[name] = folder / name / PUBLISHED
    made["copy"] = folder / "copy.duckdb"
    shutil.copy(made["a"], made["copy"])
    return made


def by_older_shell(opening: list[str], question: str) -> list[dict[str, Any]]:
    """Ask the shell of DuckDB 1.5, as analysts do."""
    script = "; ".join(["SET TimeZone = 'UTC'", *opening, f"SELECT to_json(asked) AS row FROM ({question}) AS asked"])
    shell = Path(sys.executable).with_name("duckdb")
    told = subprocess.run([shell, "-json", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    if told.returncode or told.stderr:
        raise duckdb.Error(told.stderr)
    return [
        json.loads(each["row"]) if isinstance(each["row"], str) else each["row"]
        for each in json.loads(told.stdout or "[]")
    ]


@pytest.fixture(scope="module")
def by_library() -> Iterator[Ask]:
    """A way to ask DuckDB 2.0, over one connection for all questions after the same statements."""
    with ExitStack() as connections:

        @cache
        def opened(*opening: str) -> duckdb.DuckDBPyConnection:
            connection = connections.enter_context(duckdb.connect())
            for each in ("SET TimeZone = 'UTC'", *opening):
                connection.execute(each)
            return connection

        def asked(opening: list[str], question: str) -> list[dict[str, Any]]:
            sql = f"SELECT to_json(asked)::VARCHAR FROM ({question}) AS asked"
            return [json.loads(row) for (row,) in opened(*opening).execute(sql).fetchall()]

        yield asked


@pytest.fixture(params=["duckdb 2.0", "duckdb 1.5"])
def ask(request: pytest.FixtureRequest, by_library: Ask) -> Ask:
    """Return a way to ask a question after some statements."""
    return by_library if request.param == "duckdb 2.0" else by_older_shell


def some(questions: list[str], ask: Ask) -> Sequence[str]:
    """Return the questions that are asked: the shell takes half a second for one."""
    return every(questions, 8) if ask is by_older_shell else questions


def attached(path: Path, alias: str) -> str:
    return f"ATTACH '{path}' AS {alias} (READ_ONLY)"


def test_a_macro_asked_of_an_attached_file_refuses_while_another_is_in_use(files: dict[str, Path], ask: Ask) -> None:
    opening = [attached(files["a"], "a"), "USE a", attached(files["other"], "b")]
    for question in some(MACROS, ask):
        with pytest.raises(duckdb.Error, match=ANOTHER):
            ask(opening, of("b", question))
        assert ask(opening, question) == ask(opening, of("a", question))


def test_a_macro_answers_from_the_file_in_use_under_any_alias(files: dict[str, Path], ask: Ask) -> None:
    alone = [attached(files["other"], "compliance"), "USE compliance"]
    beside = [attached(files["a"], "a"), attached(files["other"], '"any alias"'), 'USE "any alias"']
    for question in some(MACROS, ask):
        assert ask(beside, of('"any alias"', question)) == ask(alone, question)


def test_a_macro_says_what_to_do_where_no_file_is_in_use(files: dict[str, Path], ask: Ask) -> None:
    for question in some(MACROS, ask):
        with pytest.raises(duckdb.Error, match=NONE_IN_USE):
            ask([attached(files["other"], "b")], of("b", question))


def test_another_file_of_the_same_agreement_is_another_file(files: dict[str, Path], ask: Ask) -> None:
    opening = [attached(files["a"], "a"), "USE a", attached(files["again"], "b")]
    with pytest.raises(duckdb.Error, match="in use is another file, of agreement test-truce"):
        ask(opening, of("b", MACROS[0]))


def test_of_two_copies_of_one_file_neither_is_taken_for_the_other(files: dict[str, Path], ask: Ask) -> None:
    opening = [attached(files["a"], "a"), "USE a", attached(files["copy"], "b")]
    for alias in ("a", "b"):
        with pytest.raises(duckdb.Error, match="copies of one file of agreement test-truce are attached"):
            ask(opening, of(alias, MACROS[0]))


def test_what_is_held_against_the_limit_goes_by_the_files_own_agreement(files: dict[str, Path], ask: Ask) -> None:
    opening = [attached(files["a"], "a"), "USE a", attached(files["other"], "b")]
    question = "SELECT a.held_against_limit(3, 7) AS incidents, b.held_against_limit(3, 7) AS bulletins"
    assert ask(opening, question) == [{"incidents": 3, "bulletins": 7}]


def test_every_view_of_an_attached_file_answers_from_it_and_names_its_agreement(
    files: dict[str, Path], ask: Ask, by_library: Ask
) -> None:
    listing = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY ALL"
    views = [row["view_name"] for row in by_library([attached(files["other"], "b"), "USE b"], listing)]
    assert len(views) > 15
    for view in some(views, ask):
        alone = ask([attached(files["other"], "b"), "USE b"], f"SELECT * FROM {view} ORDER BY ALL")
        for use in ("a", "memory"):
            opening = [attached(files["a"], "a"), attached(files["other"], "b"), f"USE {use}"]
            assert ask(opening, f"SELECT * FROM b.{view} ORDER BY ALL") == alone
        assert {row["agreement"] for row in alone} <= {"other"}
    assert ask([attached(files["other"], "b")], "SELECT DISTINCT agreement FROM b.incidents") == [
        {"agreement": "other"}
    ]
