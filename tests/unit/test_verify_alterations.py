"""Single alterations of every column of every table, each of which ``verify`` finds or is known not to."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from schemas.errors import TrucewatchError
from sinks.verify import verify
from sinks.verify.not_checked import NOT_CHECKED
from tests.support.effort import FULL, cases, every
from tests.support.rich_history import rich_history

#: An altered value of each type, of an empty cell as well.
ALTERED = {
    "BIGINT": "coalesce({} + 1, 1)",
    "INTEGER": "coalesce({} + 1, 1)",
    "DOUBLE": "coalesce({} + 1e-9, 1)",
    "BOOLEAN": "coalesce(not {}, true)",
    "VARCHAR": "coalesce({} || 'x', 'x')",
    "VARCHAR[]": "coalesce({} || ['x'], ['x'])",
    "JSON": "'[\"x\"]'",
    "BLOB": "'x'::blob",
    "DATE": "coalesce({} + 10000, date '2016-09-14')",
    "TIMESTAMP WITH TIME ZONE": "coalesce({} + interval 1 microsecond, timestamptz '2016-09-14 12:00:00Z')",
}
TABLES = (
    *("about", "regions", "truce_days", "reports", "linked_incidents", "linked_reports", "convoys", "convoy_events"),
    *("joined_claims", "coverage", "bulletins", "declarations", "positions", "position_findings", "day_tallies"),
    *("feed_tallies", "day_verdicts", "day_verdict_versions", "day_figures", "region_windows", "gate", "gate_history"),
    *("rejects", "redrives", "dismissals", "feeds", "sink_offsets", "ledger_state"),
)
LISTED = {(each.table, column) for each in NOT_CHECKED if each.table != "every table" for column in each.columns}
#: Listed, and found all the same: the dismissal of the file settles a reject that a verdict tells of.
RESTED_ON = {("dismissals", f"reject_{name}") for name in ("topic", "partition", "offset", "log")}

UNNOTICED_BEFORE = (
    ("create or replace view grid as select 1 as one", "grid"),
    ("create or replace macro span_text(seconds) as 'long'", "span_text"),
    ("comment on view incidents is 'Something else.'", "incidents"),
    ("drop view feed_silence", "feed_silence"),
    ("create table notes (text varchar)", "notes"),
    ("create view notes as select 1 as one", "notes"),
    ("create schema notes", "notes"),
    ("alter table reports add column note varchar", "reports"),
    ("alter table rejects alter hint drop not null", "rejects"),
    ("update regions set name = 'Elsewhere'", "regions"),
    ("update reports set source_offset = source_offset + 1000", "reports"),
    ("update reports set source_offset = source_offset - 1", "reports"),
    ("update sink_offsets set next_offset = next_offset - 1", "sink_offsets"),
    ("update reports set place_conflict = null", "reports"),
    ("update reports set place_conflict = 'point lies in SY09 Hama' where report_id = 'n0'", "reports"),
    ("update rejects set code = 'bad_value' where code = 'empty_value'", "rejects"),
    ("update rejects set code = 'tick_not_allowed' where code = 'empty_value'", "rejects"),
    ("update rejects set hint = 'no idea' where code = 'conflicting_body'", "rejects"),
    ("update convoy_events set flaw = 'feed-x/s1 says held' where flaw is not null", "convoy_events"),
    (
        "update day_verdict_versions set reasons = replace(reasons::text, 'limit', 'bound')::json where version = 1",
        "day_verdict_versions",
    ),
    ("update gate_history set reason = 'nobody knows'", "gate"),
    ("update feeds set duplicate = -1", "feeds"),
    ("update feeds set last_received_at = last_received_at - interval 1 day", "feeds"),
)

Cell = tuple[str, str, str, int]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_history().judged(tmp_path_factory.mktemp("rich"))


@pytest.fixture(scope="module")
def cells(published: Path) -> list[Cell]:
    """Every column with what alters it, in the first row of its table and in the last, of those that have a value."""
    found = []
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        columns = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where not internal and table_name in (select table_name from duckdb_tables()) order by all"
        ).fetchall()
        for table, column, kind in columns:
            for end in ("min", "max"):
                ((row, any_row),) = connection.execute(
                    f"select {end}(rowid) filter ({column} is not null), {end}(rowid) from {table}"
                ).fetchall()
                place = any_row if row is None else row
                assert place is not None, f"the file has no row in {table}"
                found.append((table, column, ALTERED[kind].format(column), place))
        # Neither is a feed's with duplicates, of which less is known.
        ((doubled,),) = connection.execute("select min(rowid) from feeds where duplicate > 0").fetchall()
        found.append(("feeds", "last_received_at", "last_received_at + interval 1 microsecond", doubled))
    return list(dict.fromkeys(found))


def unnoticed(published: Path, folder: Path, cells: Sequence[Cell]) -> set[tuple[str, str]]:
    """Alter each cell in a copy of its own; return those of which ``verify`` finds nothing."""
    missed = set()
    for table, column, altered, row in cells:
        path = Path(shutil.copy(published, folder / "altered.duckdb"))
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute(f"update {table} set {column} = {altered} where rowid = {row}")
        try:
            if not verify(path):
                missed.add((table, column))
        except TrucewatchError:
            # Refused, in words: it is no file of a ledger's any more.
            continue
    return missed


def test_the_rich_file_is_right_and_alterations_are_of_all_of_its_tables(published: Path, cells: list[Cell]) -> None:
    assert [str(each) for each in verify(published, limit=9)] == []
    assert {table for table, *_ in cells} == set(TABLES)
    assert {(table, column) for table, column, *_ in cells} >= LISTED
    assert len(cells) > 400


@pytest.mark.skipif(FULL, reason="the slow half alters more")
def test_no_altered_value_of_a_sample_goes_unnoticed(published: Path, cells: list[Cell], tmp_path: Path) -> None:
    assert unnoticed(published, tmp_path, cells[5::40]) <= LISTED


@pytest.mark.parametrize(("change", "found"), cases(UNNOTICED_BEFORE, fast=6))
def test_what_went_unnoticed_before_is_found(change: str, found: str, published: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(published, tmp_path / "altered.duckdb"))
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(change)
    assert [difference.table for difference in verify(path)] == [found]


def test_definitions_of_another_version_of_the_software_are_not_compared(published: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(published, tmp_path / "altered.duckdb"))
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("update about set software_version = '0.0.1'")
        connection.execute("create or replace view grid as select 1 as one")
    assert verify(path) == []


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_an_altered_value_goes_unnoticed_only_where_it_is_listed_as_not_checked(
    table: str, published: Path, cells: list[Cell], tmp_path: Path
) -> None:
    listed = [cell for cell in cells if cell[0] == table and cell[:2] in LISTED]
    others = [cell for cell in cells if cell[0] == table and cell[:2] not in LISTED]
    missed = unnoticed(published, tmp_path, [*listed, *every(others, 11)])
    assert missed == {each for each in LISTED - RESTED_ON if each[0] == table}
