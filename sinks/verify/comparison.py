"""Comparison of two files of one agreement, table by table, by what their catalogues say of them."""

from __future__ import annotations

import re
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
from sinks.verify.recorded import UNNAMED

#: Columns left out, which DuckDB writes in another order each time.
_EXCLUDED = re.compile(r"EXCLUDE \(([^()]*)\)")
#: Rows of one table that differ and are read, on either side.
MOST_READ = 2_000
#: Letters shown of one value of a row that is missing, or too many.
LONGEST = 200

#: Kind, name and part of everything a file is made of, and its definition.
_TABLES = """
select 'table', table_name, column_name, struct_pack(data_type, is_nullable, column_default, column_index)
from duckdb_columns() where {own} and table_oid in (select table_oid from duckdb_tables() where {own})
union all select 'table', table_name, '', struct_pack(schema_name, temporary) from duckdb_tables() where {own}
union all
select 'constraint', table_name, constraint_text, struct_pack(constraint_type) from duckdb_constraints()
where database_name = {file}
union all select 'schema', schema_name, '', null from duckdb_schemas() where {own}
union all select 'index', table_name, index_name, struct_pack(sql) from duckdb_indexes() where database_name = {file}
union all
select 'sequence', sequence_name, '', struct_pack(start_value) from duckdb_sequences() where database_name = {file}
union all select 'type', type_name, '', struct_pack(logical_type) from duckdb_types() where {own}
"""
_DEFINITIONS = """
select 'view', view_name, '', struct_pack(schema_name, sql) from duckdb_views() where {own}
union all
select 'macro', function_name, parameters::varchar, struct_pack(function_type, macro_definition)
from duckdb_functions() where {own}
union all
select 'comment', table_name, '', struct_pack(comment) from duckdb_tables() where {own} and comment is not null
union all
select 'comment', view_name, '', struct_pack(comment) from duckdb_views() where {own} and comment is not null
union all
select 'comment', function_name, parameters::varchar, struct_pack(comment) from duckdb_functions()
where {own} and comment is not null
union all
select 'comment', table_name, column_name, struct_pack(comment) from duckdb_columns()
where {own} and comment is not null
"""

_COLUMNS = """
select c.table_name, c.column_name, c.data_type from duckdb_columns() c join duckdb_tables() t using (table_oid)
where c.database_name = 'rebuilt' and t.database_name = 'rebuilt' and not t.internal order by table_oid, column_index
"""
_PRIMARY_KEYS = """
select table_name, constraint_column_names from duckdb_constraints()
where database_name = 'rebuilt' and constraint_type = 'PRIMARY KEY'
"""
#: Rows of versions before 3 name no log, or one that the rebuild called by a name of its own.
_COMPARED = {
    "source_log": f"if(starts_with(source_log, '{UNNAMED}'), '', coalesce(source_log, ''))",
}
#: Rows that are compared where not all are: others stand for records that leave no row.
_ROWS = {
    "feeds": "accepted + corrected + retracted + superseded + rejected > 0",
    "sink_offsets": "role = 'facts'",
}

Shape = dict[tuple[str, str, str], str]


class Comparison:
    """A recorded and a rebuilt file, attached side by side and read-only."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._types: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, kind in self.select(_COLUMNS):
            self._types[table][column] = kind
        self._keys: dict[str, list[str]] = dict(self.select(_PRIMARY_KEYS))

    def interrupt(self) -> None:
        """End the query under way, with an error; any thread may ask."""
        self._connection.interrupt()

    def tables(self) -> list[str]:
        """Return the rebuilt file's tables, those of records first, of which the others come."""
        return sorted(self._types, key=lambda table: ("source_offset" not in self._types[table], table))

    def shapes(self, *, definitions: bool) -> Iterator[Difference]:
        """Yield tables, and with ``definitions`` views, macros and comments, of which the two files do not agree."""
        for sql in (_TABLES, _DEFINITIONS) if definitions else (_TABLES,):
            recorded, rebuilt = self._shape(sql, "recorded"), self._shape(sql, "rebuilt")
            for kind, name, part in sorted(recorded.keys() ^ rebuilt.keys()):
                there = (kind, name, part) in recorded
                yield Row(name, part).differs("", f"a {kind}" if there else None, None if there else f"a {kind}")
            for kind, name, part in sorted(recorded.keys() & rebuilt.keys()):
                key = (kind, name, part)
                yield from Row(name, part).compare((kind,), (recorded[key],), (rebuilt[key],))

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
        if table == "sink_offsets":
            without.remove("next_offset")
        yield from self.rows(table, without, _ROWS.get(table, "true"))

    def rows(self, table: str, without: Collection[str] = (), where: str = "true") -> Iterator[Difference]:
        """Yield how the rows of a table differ.

        Args:
            without: columns left out.
            where: condition of the rows that are compared.
        """
        columns = [name for name in self._types[table] if name not in without]
        values = [_COMPARED.get(name, f'"{name}"') for name in columns]
        hashed = f"hash({', '.join(values)})"
        sides = [f'{side}."{table}" where {where}' for side in ("recorded", "rebuilt")]
        told, made = (f"select {hashed} as h from {side}" for side in sides)  # noqa: S608 - the catalogue's names
        # A row may be a megabyte: rows are compared by their hashes, and only those that differ are read.
        sums = [self.select(f"select count(*), sum(h) from ({each})") for each in (told, made)]  # noqa: S608
        if sums[0] == sums[1]:
            return
        odd = f"(({told}) except all ({made})) union (({made}) except all ({told}))"
        shown = ", ".join(self._shown(table, name) for name in columns)
        read = f"select {shown} from {{}} and {hashed} in ({odd}) order by all limit {MOST_READ}"  # noqa: S608
        width = self._key(table, columns)
        recorded, rebuilt = (_by_key(self.select(read.format(side)), width) for side in sides)
        for key in sorted({*recorded, *rebuilt}, key=lambda key: tuple(map(str, key))):
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

    def _shape(self, sql: str, side: str) -> Shape:
        filled = sql.format(own=f"database_name = '{side}' and not internal", file=f"'{side}'")
        return {
            # A table's definition names its database nowhere, a view's may.
            (kind, name, part): _EXCLUDED.sub(_sorted, str(what))
            for kind, name, part, what in self.select(filled)
        }

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


def _sorted(excluded: re.Match[str]) -> str:
    return f"EXCLUDE ({', '.join(sorted(excluded[1].split(', ')))})"
