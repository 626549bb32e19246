"""Comparison of two files of one agreement, table by table, by what their catalogues say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb

from sinks.faults import duckdb_path, mapped
from sinks.verify.difference import Difference, Row
from sinks.verify.not_rebuilt import LEFT_OUT, OF_THE_PAST, RECOUNTED, SENTENCES
from sinks.verify.published import CONFIG

#: Rows of one table that differ and are read, on either side.
MOST_READ = 2_000
#: Letters shown of one value of a row that is missing, or too many.
LONGEST = 200

_NAMES = "select table_name from duckdb_tables() where database_name = 'rebuilt' and not internal"
_PRIMARY_KEYS = """
select table_name, constraint_column_names from duckdb_constraints()
where database_name = 'rebuilt' and constraint_type = 'PRIMARY KEY'
"""
#: Rows that are compared where not all are: others stand for records that leave no row.
_ROWS = {
    "feeds": "accepted + corrected + retracted + superseded + rejected > 0",
    "sink_offsets": "role = 'facts'",
}


class Comparison:
    """A recorded and a rebuilt file, attached side by side and read-only."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        # Not by duckdb_columns(), which binds every view of both files.
        self._types: dict[str, dict[str, str]] = {
            table: dict(self.select("select name, type from pragma_table_info(?)", [f"rebuilt.{table}"]))
            for (table,) in self.select(_NAMES)
        }
        self._keys: dict[str, list[str]] = dict(self.select(_PRIMARY_KEYS))

    def interrupt(self) -> None:
        """End the query under way, with an error; any thread may ask."""
        self._connection.interrupt()

    def tables(self) -> list[str]:
        """Return the rebuilt file's tables, those of records first, of which the others come."""
        return sorted(self._types, key=lambda table: ("source_offset" not in self._types[table], table))

    def of_table(self, table: str, *, software: bool, sentences: bool, past: bool) -> Iterator[Difference]:
        """Yield how a table differs in what a rebuild knows of it.

        Args:
            software: whether the recorded file is of this version of the software.
            sentences: whether its sentences are of this software's edition.
            past: whether what was judged at earlier ticks can be told.
        """
        if not past and table in OF_THE_PAST:
            return
        without = {name for each in (*LEFT_OUT, *RECOUNTED) if each.table == table for name in each.columns}
        without |= set() if sentences else set(SENTENCES)
        without |= set() if software or table != "about" else {"definitions"}
        yield from self.rows(table, without, _ROWS.get(table, "true"))

    def rows(self, table: str, without: Collection[str] = (), where: str = "true") -> Iterator[Difference]:
        """Yield how the rows of a table differ.

        Args:
            without: columns left out.
            where: condition of the rows that are compared.
        """
        columns = [name for name in self._types[table] if name not in without]
        values = ", ".join(f'"{name}"' for name in columns)
        hashed = f"hash({values})"
        sides = [f'{side}."{table}" where {where}' for side in ("recorded", "rebuilt")]
        told, made = (f"select {hashed} as h from {side}" for side in sides)  # noqa: S608 - the catalogue's names
        # A row may be a megabyte: rows are compared by their hashes, and only those that differ are read.
        sums = [f"(select (count(*), sum(h)) from ({each}))" for each in (told, made)]  # noqa: S608
        if self.select(f"select {sums[0]} is not distinct from {sums[1]}") == [(True,)]:  # noqa: S608
            return
        odd = f"(({told}) except all ({made})) union (({made}) except all ({told}))"
        shown = ", ".join(self._shown(table, name) for name in columns)
        read = f"select {shown} from {{}} and {hashed} in ({odd}) order by all limit {MOST_READ}"  # noqa: S608
        width = self._key(table, columns)
        rows = [self.select(read.format(side)) for side in sides]
        recorded, rebuilt = (_by_key(each, width) for each in rows)
        keys = {*recorded, *rebuilt}
        if MOST_READ in map(len, rows):
            # A row that only one side shows may lie beyond the last that was read of the other.
            keys = recorded.keys() & rebuilt.keys() or keys
        for key in sorted(keys, key=lambda key: tuple(map(str, key))):
            yield from _of_row(Row(table, *key), columns[width:], recorded[key], rebuilt[key])

    def paired(self, table: str, key: str) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
        """Yield each recorded row of a table with the rebuilt one of its key, whose values are None without one."""
        names = [name for name in self._types[table] if name != key]
        sides = [", ".join(self._shown(table, name, f"{side}.") for name in names) for side in ("told", "made")]
        rows = self.select(
            f'select "{key}", {", ".join(sides)} from recorded."{table}" told '  # noqa: S608
            f'left join rebuilt."{table}" made using ("{key}") order by "{key}"'
        )
        for row in rows:
            told, made = row[1 : 1 + len(names)], row[1 + len(names) :]
            yield row[0], dict(zip(names, told, strict=True)), dict(zip(names, made, strict=True))

    def _key(self, table: str, columns: Sequence[str]) -> int:
        """Return how many columns, from the first on, name a row: those of the key, or as few as are enough."""
        key = self._keys.get(table, [])
        if key and key == columns[: len(key)]:
            return len(key)
        for width in range(1, len(columns)):
            named = ", ".join(f'"{name}"' for name in columns[:width])
            ((twice,),) = self.select(f'select count(*) - count(distinct ({named})) from rebuilt."{table}"')  # noqa: S608
            if not twice:
                return width
        return len(columns)

    def _shown(self, table: str, name: str, of: str = "") -> str:
        kind = self._types[table][name]
        return f'{of}"{name}"::varchar as "{name}"' if kind.startswith("TIMESTAMP") else f'{of}"{name}"'

    def select(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query on ``recorded`` and ``rebuilt``."""
        return self._connection.execute(sql, parameters).fetchall()


@contextmanager
def side_by_side(recorded: Path, rebuilt: Path) -> Iterator[Comparison]:
    """Open two files side by side.

    Raises:
        StoreUnavailable: one of them cannot be read.
    """
    with closing(duckdb.connect(config=CONFIG)) as connection:
        with mapped(recorded):
            for name, path in (("recorded", recorded), ("rebuilt", rebuilt)):
                quoted = duckdb_path(path).replace("'", "''")
                connection.execute(f"attach '{quoted}' as {name} (read_only)")
            connection.execute("set timezone = 'UTC'")
            # The file may be a stranger's: nothing in it reads anything else.
            connection.execute("set enable_external_access = false")
            connection.execute("set enable_progress_bar = false")
        yield Comparison(connection)


def _by_key(rows: list[tuple[Any, ...]], width: int) -> Mapping[tuple[Any, ...], list[tuple[Any, ...]]]:
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[:width]].append(row[width:])
    return found


def _of_row(
    row: Row, columns: Sequence[str], recorded: list[tuple[Any, ...]], rebuilt: list[tuple[Any, ...]]
) -> Iterator[Difference]:
    if len(recorded) == len(rebuilt) == 1:
        yield from row.compare(columns, recorded[0], rebuilt[0])
        return
    yield row.differs("", *(_whole(columns, rows) for rows in (recorded, rebuilt)))


def _whole(columns: Sequence[str], rows: list[tuple[Any, ...]]) -> object:
    """Return a row as people read it: what is in it, the raw report cut short."""
    if len(rows) != 1:
        return f"{len(rows)} rows" if rows else None
    told = {name: value for name, value in zip(columns, rows[0], strict=True) if value is not None}
    return {name: value[:LONGEST] if isinstance(value, str | bytes) else value for name, value in told.items()}
