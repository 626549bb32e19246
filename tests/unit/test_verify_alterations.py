"""Single alterations of every column of every table, each of which ``verify`` finds or is known not to.

Tables and columns are those of the file's own catalogue. The rebuild reads some of them: a file in which one of these
is altered is verified whole. All others are altered beside a file that is rebuilt once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from schemas.errors import TrucewatchError
from sinks.verify.comparison import Comparison
from sinks.verify.difference import Difference
from sinks.verify.not_rebuilt import NOT_REBUILT, RECOUNTED
from sinks.verify.published import Published
from sinks.verify.recorded import Record
from streams.verify import verify
from streams.verify.rebuild import rebuild
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
LISTED = {(each.table, column) for each in NOT_REBUILT if each.table != "every table" for column in each.columns}
BY_THE_RECOUNT = {(each.table, column) for each in RECOUNTED for column in each.columns}
#: What the rebuild reads, beside what is listed: an altered value there may alter the rebuilt file as well.
READ_TABLES = {"about", "redrives", "dismissals", "sink_offsets", "ledger_state"}
READ_RECORDS = {*Record._fields, "raw", "original", "original_bytes", "present", "retracted"}
READ_COLUMNS = {"recorded_at", "tick_offset", "region", "line"}

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
    ("update regions set spellings = ['Elsewhere']", "regions"),
    # What came later than these by their offsets would be a redelivery.
    ("update reports set source_offset = source_offset + 1000", "dismissals"),
    ("update reports set source_offset = source_offset - 1", "reports"),
    ("update sink_offsets set next_offset = next_offset - 1", "sink_offsets"),
    ("update reports set place_conflict = null", "reports"),
    ("update reports set place_conflict = 'point lies in SY09 Hama' where report_id = 'n0'", "reports"),
    ("update rejects set code = 'bad_value' where code = 'empty_value'", "rejects"),
    ("update rejects set code = 'tick_not_allowed' where code = 'empty_value'", "rejects"),
    ("update rejects set hint = 'no idea' where code = 'conflicting_body'", "rejects"),
    ("update convoy_events set flaw = 'feed-x/s1 says held' where flaw is not null", "convoy_events"),
    (
        "update verdict_log set reasons = replace(reasons::text, 'limit', 'bound')::json where version = 1",
        "verdict_log",
    ),
    ("update gate_history set reason = 'nobody knows'", "gate_history"),
    ("update feeds set duplicate = -1", "feeds"),
    ("update feeds set last_received_at = last_received_at - interval 1 day", "feeds"),
    ("update coverage set region = 'SY01' where report_id = 'c3'", "coverage"),
    ("update ledger_state set now = now + interval 1 hour", "gate_history"),
    ("delete from reports where fact_offset = (select max(fact_offset) from reports where not present)", "feeds"),
    ("delete from linked_reports where feed = 'c' and report_id = '1'", "linked_reports"),
)


class Cell(NamedTuple):
    """One value of a file, and the SQL of another one."""

    table: str
    column: str
    altered: str
    row: int

    @property
    def update(self) -> str:
        return f'set "{self.column}" = {self.altered} where rowid = {self.row}'

    @property
    def is_read(self) -> bool:
        """Whether a rebuild may read it, or leaves it to the recount."""
        key = (self.table, self.column)
        of_record = self.table in {"reports", "rejects"} and self.column in READ_RECORDS
        in_part = self.column in READ_COLUMNS or key in LISTED | BY_THE_RECOUNT
        return self.table in READ_TABLES or of_record or in_part


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
                found.append(Cell(table, column, ALTERED[kind].format(column), place))
        # Neither is a feed's with duplicates, of which less is known.
        ((doubled,),) = connection.execute("select min(rowid) from feeds where duplicate > 0").fetchall()
        found.append(Cell("feeds", "last_received_at", "last_received_at + interval 1 microsecond", doubled))
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def beside(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the file to alter, attached as the recorded one beside one rebuilt from it."""
    folder = tmp_path_factory.mktemp("rebuilt")
    with closing(Published(published)) as file:
        made = rebuild(file, folder, lambda _: None)
    copy = shutil.copy(published, folder / "altered.duckdb")
    with closing(duckdb.connect()) as connection:
        connection.execute(f"attach '{copy}' as recorded; attach '{made.path}' as rebuilt (read_only)")
        yield connection


def differing(connection: duckdb.DuckDBPyConnection, cell: Cell) -> list[Difference]:
    """Return how the two files differ in a table while one of its values is altered."""
    connection.execute("begin")
    try:
        connection.execute(f"update recorded.{cell.table} {cell.update}")
        found = Comparison(connection).of_table(cell.table, software=True, sentences=True, past=True)
        return list(found)
    finally:
        connection.execute("rollback")


def unnoticed(published: Path, folder: Path, cells: Sequence[Cell]) -> set[tuple[str, str]]:
    """Alter each cell in a copy of its own; return those of which ``verify`` finds nothing."""
    missed = set()
    for cell in cells:
        path = Path(shutil.copy(published, folder / "altered.duckdb"))
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute(f"update {cell.table} {cell.update}")
        try:
            if not verify(path):
                missed.add((cell.table, cell.column))
        except TrucewatchError:
            # Refused, in words: it is no file of a ledger's any more.
            continue
    return missed


def test_the_rich_file_is_right_and_alterations_are_of_all_that_is_listed(published: Path, cells: list[Cell]) -> None:
    assert [str(each) for each in verify(published, limit=9)] == []
    assert {(cell.table, cell.column) for cell in cells} >= LISTED | BY_THE_RECOUNT
    assert len(cells) > 400


def test_no_altered_value_that_is_rebuilt_goes_unnoticed(beside: duckdb.DuckDBPyConnection, cells: list[Cell]) -> None:
    rebuilt = [cell for cell in cells if not cell.is_read]
    assert len(rebuilt) > 200
    for cell in rebuilt if FULL else rebuilt[3::15]:
        found = differing(beside, cell)
        assert {each.table for each in found} == {cell.table}, cell
        # Of a key's column the altered row is another one: one too many, and one that is missing.
        assert {each.column for each in found} in ({cell.column}, {""}), cell


@pytest.mark.skipif(FULL, reason="the slow half alters more")
def test_no_altered_value_of_a_sample_that_is_read_goes_unnoticed(
    published: Path, cells: list[Cell], tmp_path: Path
) -> None:
    read = [cell for cell in cells if cell.is_read and (cell.table, cell.column) not in LISTED]
    assert unnoticed(published, tmp_path, read[5::40]) == set()


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
def test_an_altered_value_goes_unnoticed_only_where_it_is_listed(
    published: Path, cells: list[Cell], tmp_path: Path
) -> None:
    listed = [cell for cell in cells if (cell.table, cell.column) in LISTED]
    others = [cell for cell in cells if cell.is_read and (cell.table, cell.column) not in LISTED]
    assert unnoticed(published, tmp_path, every(others, 12)) == set()
    assert unnoticed(published, tmp_path, listed) <= LISTED
