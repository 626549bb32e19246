"""Files of other versions of the software: tables are brought up to date, views and comments made where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import StoreUnavailable, UsageError
from schemas.rows import Changes
from sinks.migrations import RULES, SENTENCES, software_version
from sinks.recorded_facts import RecordedFacts
from sinks.store import LIVE, PUBLISHED
from streams.verify import verify
from tests.support.effort import cases
from tests.support.rows import bulletin_row, incident_row, verdict_row
from tests.support.stores import begin_store, new_store, open_store
from tests.support.worlds import TRUCE, agreement

#: Without the SQL of views and macros: DuckDB writes the columns they leave out in any order.
CATALOG = {
    "duckdb_tables()": "table_name, sql, comment",
    "duckdb_views()": "view_name, comment",
    "duckdb_columns()": "table_name, column_name, data_type, comment",
    "duckdb_functions()": "function_name, parameters, comment",
}


def run(directory: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run SQL on a closed store's file; return what the last statement finds."""
    with duckdb.connect(str(directory / LIVE)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return [connection.execute(sql) for sql in statements][-1].fetchall()


def catalog(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table, view, column and macro of a file with its comment."""
    ours = "NOT internal AND schema_name = 'main' ORDER BY ALL"
    return {
        listing: run(directory, f"SELECT {names} FROM {listing} WHERE {ours}") for listing, names in CATALOG.items()
    }


def rows(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""
    tables = [name for (name,) in run(directory, "SELECT table_name FROM duckdb_tables()")]
    # No two files have one name, nor, as it stands in their macros, one set of definitions.
    kept = {"about": "* EXCLUDE (file_id, definitions)"}
    return {name: run(directory, f"SELECT {kept.get(name, '*')} FROM {name} ORDER BY ALL") for name in tables}


CHANGED = ("COMMENT ON TABLE feeds IS 'another'", "CREATE OR REPLACE VIEW places AS SELECT 1", "DROP VIEW grid")


def test_an_opening_makes_no_definition_that_the_file_has(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    run(tmp_path, *CHANGED)
    changed = catalog(tmp_path)
    open_store(tmp_path).close()
    assert catalog(tmp_path) == changed


@pytest.mark.parametrize(
    "written_by", cases(["definitions = 'others'", "definitions = NULL", "software_version = '0.0.1'"], fast=1)
)
def test_definitions_of_other_software_are_made_anew(written_by: str, tmp_path: Path) -> None:
    open_store(tmp_path).close()
    made, about = catalog(tmp_path), rows(tmp_path)["about"]
    run(tmp_path, *CHANGED, f"UPDATE about SET {written_by}")
    open_store(tmp_path).close()
    assert catalog(tmp_path) == made
    assert rows(tmp_path)["about"] == about
    assert run(tmp_path, "SELECT software_version FROM about") == [(software_version(),)]


def judged(folder: Path) -> Path:
    """Return the folder of a store that has read something."""
    store = new_store(folder)
    row = verdict_row()
    accused = incident_row("i1", accused=("Army",), accused_parties=("Army",))
    store.commit(Changes(reports=[accused], bulletins=[bulletin_row("b1")], verdict_log=[row], next_offset=2))
    store.close()
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_tables_before_the_first_release_is_refused_and_stays_as_it_is(version: int, tmp_path: Path) -> None:
    """Its tables are others: nothing of it may be asked for before."""
    old = judged(tmp_path / "old")
    run(old, "ALTER TABLE about DROP COLUMN rules", f"UPDATE about SET schema_version = {version}")
    held = (old / LIVE).read_bytes()
    with pytest.raises(UsageError, match=r"judged by the rules of an earlier version of trucewatch") as refused:
        open_store(old)
    assert "judges anew from the topic's beginning" in str(refused.value.hint)
    assert (old / LIVE).read_bytes() == held
    old.rename(tmp_path / "archive")
    store = open_store(old)
    assert store.resume().next_offset == 0
    store.close()


@pytest.mark.parametrize(
    ("edition", "error", "said"),
    [("1", UsageError, "an earlier version"), ("NULL", UsageError, "an earlier"), ("99", StoreUnavailable, "upgrade")],
)
def test_a_file_of_another_edition_of_the_rules_is_refused_by_ledgers_and_readers(
    edition: str, error: type[Exception], said: str, tmp_path: Path
) -> None:
    folder = judged(tmp_path / "new")
    run(folder, f"UPDATE about SET rules = {edition}")
    for read in (open_store, *(lambda folder, each=each: each(folder / LIVE) for each in (verify, RecordedFacts))):
        with pytest.raises(error, match=said):
            read(folder)


def test_a_copy_judged_by_rules_of_an_earlier_version_is_not_gone_on_from(tmp_path: Path) -> None:
    folder = judged(tmp_path / "new")
    run(folder, "UPDATE about SET rules = 1")
    (folder / LIVE).rename(folder / PUBLISHED)
    (folder / LIVE).write_bytes(b"damaged")
    with pytest.raises(UsageError, match="the rules of an earlier version"):
        open_store(folder)
    assert {path.name for path in folder.iterdir()} >= {LIVE, PUBLISHED}


def test_a_first_opening_that_was_ended_half_way_is_gone_on_with(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    run(tmp_path, "UPDATE about SET rules = NULL, sentences = NULL")
    open_store(tmp_path).close()
    assert run(tmp_path, "SELECT rules, sentences FROM about") == [(RULES, SENTENCES)]


@pytest.mark.parametrize(
    "truce", cases([agreement(id="another", title="Another", access={"regions": ["SY01"]}), TRUCE], fast=1)
)
def test_a_copied_store_of_the_tests_is_what_a_first_opening_makes(truce: Any, tmp_path: Path) -> None:
    begin_store(tmp_path / "copied", truce)
    for name in ("made", "copied"):
        open_store(tmp_path / name, truce).close()
    assert catalog(tmp_path / "copied") == catalog(tmp_path / "made")
    assert rows(tmp_path / "copied") == rows(tmp_path / "made")
