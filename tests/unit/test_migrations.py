"""Files of other versions of the software: tables are brought up to date, views and comments made where they differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.rows import Changes
from sinks.migrations import migrations, software_version
from sinks.opening import StoreLimits, connect
from sinks.store import LIVE
from tests.support.effort import cases
from tests.support.rows import bulletin_row, figures_row, incident_row, verdict_row
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


#: Of tables with later columns, those of the first version.
OF_THE_FIRST = {
    "about": "* EXCLUDE (definitions, tzdata, calendar, file_id, sentences) REPLACE (1 AS schema_version)",
    "reports": "* EXCLUDE (toll_flaw, source_log, accused_parties) REPLACE (array_to_string(accused, '; ') AS accused)",
    "bulletins": "* EXCLUDE (accused_parties) REPLACE (accused[1] AS accused)",
    "regions": "* EXCLUDE (spellings)",
    "feeds": "* EXCLUDE (outside)",
    "rejects": "* EXCLUDE (regions, occurred_from, occurred_to, truce_day, may_be_incident)",
    **dict.fromkeys(
        ("day_verdicts", "day_verdict_versions", "day_figures"),
        "* EXCLUDE (rule, contested_by, incidents_sure, incidents_possible, refused_pending, incidents_without_toll)",
    ),
    "day_tallies": "* EXCLUDE (incidents_without_toll)",
}
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


def test_a_file_of_the_first_schema_version_is_brought_up_to_date(tmp_path: Path) -> None:
    store = new_store(tmp_path / "new")
    # Rows of the first version name no log, and only the verdict that stands learns of incidents without a toll.
    judged, figures = [verdict_row(incidents_without_toll=0)], [figures_row(incidents_without_toll=None)]
    lists = {"accused": ("Army/ guards", "C; D"), "accused_parties": ("Army", "C; D", "guards")}
    accused = incident_row("i2", fact_offset=1, source_log=None, raw=json.dumps({"accused": lists["accused"]}), **lists)
    lines = [
        bulletin_row("b1", accused=("A or B",), accused_parties=("A", "B")),
        bulletin_row("b1", line=2, accused=("قسد أو داعش",), accused_parties=("داعش", "قسد")),
        bulletin_row("b1", line=3, accused=("/C",), accused_parties=("/C",)),
        bulletin_row("b1", line=4),
    ]
    reports = [incident_row("i1", source_log=None), accused]
    changes = Changes(reports=reports, bulletins=lines, verdicts=judged, versions=judged, figures=figures)
    store.commit(changes)
    store.close()
    old = tmp_path / "old"
    old.mkdir()
    with connect(old / LIVE, StoreLimits()) as connection:
        connection.execute(migrations()[1])
        connection.execute("CREATE VIEW places AS SELECT 1 AS another; CREATE MACRO utc_text(instant) AS 1")
        connection.execute(f"ATTACH '{tmp_path / 'new' / LIVE}' AS new (READ_ONLY)")
        for (table,) in connection.execute(
            # What later versions added has no rows here.
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'new' AND table_name <> 'dismissals'"
        ).fetchall():
            connection.execute(f"INSERT INTO {table} SELECT {OF_THE_FIRST.get(table, '*')} FROM new.{table}")
    open_store(old).close()
    assert catalog(old) == catalog(tmp_path / "new")
    # In whose words its rows were written, nobody knows.
    run(tmp_path / "new", "UPDATE about SET sentences = NULL")
    assert rows(old) == rows(tmp_path / "new")


@pytest.mark.parametrize(
    "truce", cases([agreement(id="another", title="Another", access={"regions": ["SY01"]}), TRUCE], fast=1)
)
def test_a_copied_store_of_the_tests_is_what_a_first_opening_makes(truce: Any, tmp_path: Path) -> None:
    begin_store(tmp_path / "copied", truce)
    for name in ("made", "copied"):
        open_store(tmp_path / name, truce).close()
    assert catalog(tmp_path / "copied") == catalog(tmp_path / "made")
    assert rows(tmp_path / "copied") == rows(tmp_path / "made")
