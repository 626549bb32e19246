"""Beginning of a rebuilt file: an empty one, whose tables, views, macros and comments the recorded one must have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from schemas.agreement import Agreement
from sinks.faults import mapped
from sinks.migrations import migrate
from sinks.opening import LIVE, StoreLimits, connect
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

#: Columns left out or replaced, which DuckDB writes in another order each time.
_UNORDERED = re.compile(r"\b(?:EXCLUDE|REPLACE) \(")
#: What a list is cut at: a text, a bracket, a comma.
_MARKS = re.compile(r"'(?:[^']|'')*'|[(),]")

Select = Callable[[str], list[tuple[Any, ...]]]
Shape = dict[tuple[str, str, str], str]

_OWN = "database_name = current_database() and not internal"
#: Kind, name and part of everything a file is made of, and its definition.
TABLES = f"""
select 'table', table_name, column_name, struct_pack(data_type, is_nullable, column_default, column_index)
from duckdb_columns() where {_OWN} and table_oid in (select table_oid from duckdb_tables() where {_OWN})
union all select 'table', table_name, '', struct_pack(schema_name, temporary) from duckdb_tables() where {_OWN}
union all
select 'constraint', table_name, constraint_text, struct_pack(constraint_type) from duckdb_constraints()
where database_name = current_database()
union all select 'schema', schema_name, '', null from duckdb_schemas() where {_OWN}
union all
select 'index', table_name, index_name, struct_pack(sql) from duckdb_indexes()
where database_name = current_database()
union all
select 'sequence', sequence_name, '', struct_pack(start_value) from duckdb_sequences()
where database_name = current_database()
union all select 'type', type_name, '', struct_pack(logical_type) from duckdb_types() where {_OWN}
"""  # noqa: S608 - the condition above
DEFINITIONS = f"""
select 'view', view_name, '', struct_pack(schema_name, sql) from duckdb_views() where {_OWN}
union all
select 'macro', function_name, parameters::varchar, struct_pack(function_type, macro_definition)
from duckdb_functions() where {_OWN}
union all
select 'comment', table_name, '', struct_pack(comment) from duckdb_tables() where {_OWN} and comment is not null
union all
select 'comment', view_name, '', struct_pack(comment) from duckdb_views() where {_OWN} and comment is not null
union all
select 'comment', function_name, parameters::varchar, struct_pack(comment) from duckdb_functions()
where {_OWN} and comment is not null
union all
select 'comment', table_name, column_name, struct_pack(comment) from duckdb_columns()
where {_OWN} and comment is not null
"""  # noqa: S608 - the condition above


class Empty(NamedTuple):
    """Empty store of an agreement: its bytes, its tables and its definitions."""

    content: bytes
    tables: Shape
    definitions: Shape


def begin(folder: Path, file: Published) -> None:
    """Make an empty store of a file's agreement, under that file's name: its macros bear it.

    Raises:
        StoreFull, StoreUnavailable: it cannot be made.
    """
    with mapped(folder):
        (folder / LIVE).write_bytes(_empty_of(file).content)


def check_shape(file: Published) -> Iterator[Difference]:
    """Check that a file has the tables of its schema version and the definitions of its software, and no others.

    Definitions belong to the software. Those of another version are not compared: its ledger makes them anew.
    """
    wanted = _empty_of(file)
    yield from _compare(_read(file.select, TABLES), wanted.tables)
    if file.of_this_software:
        yield from _compare(_read(file.select, DEFINITIONS), wanted.definitions)


def _empty_of(file: Published) -> Empty:
    ((file_id,),) = file.select("select file_id from about")
    return _empty(file.agreement.model_dump_json(), file_id)


@lru_cache(maxsize=2)
def _empty(agreement: str, file_id: str) -> Empty:
    """Return an empty store: its two hundred views are made once for files of one name."""
    with TemporaryDirectory(prefix="trucewatch-verify-") as folder:
        path = Path(folder) / LIVE
        with closing(connect(path, StoreLimits())) as connection:
            migrate(connection, 0, Agreement.model_validate_json(agreement), file_id)

            def select(sql: str) -> list[tuple[Any, ...]]:
                return connection.execute(sql).fetchall()

            tables, definitions = _read(select, TABLES), _read(select, DEFINITIONS)
        return Empty(path.read_bytes(), tables, definitions)


def _compare(stored: Shape, wanted: Shape) -> Iterator[Difference]:
    for kind, name, part in sorted(stored.keys() ^ wanted.keys()):
        there = (kind, name, part) in stored
        yield Row(name, part).differs("", f"a {kind}" if there else None, None if there else f"a {kind}")
    for key in sorted(stored.keys() & wanted.keys()):
        kind, name, part = key
        yield from Row(name, part).compare((kind,), (stored[key],), (wanted[key],))


def _read(select: Select, sql: str) -> Shape:
    return {(kind, name, part): in_order(str(what)) for kind, name, part, what in select(sql)}


def in_order(definition: str) -> str:
    """Return a definition with the columns of each EXCLUDE and REPLACE in alphabetical order."""
    done, begin = [], 0
    while found := _UNORDERED.search(definition, begin):
        items, end = _listed(definition, found.end())
        done += [definition[begin : found.end()], ", ".join(sorted(map(in_order, items))), ")"]
        begin = end
    return "".join([*done, definition[begin:]])


def _listed(definition: str, begin: int) -> tuple[list[str], int]:
    """Return what stands between commas from ``begin`` to the closing bracket, and where that ends."""
    items, depth, item = [], 0, begin
    for mark in _MARKS.finditer(definition, begin):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth < 0 or (depth == 0 and mark[0] == ","):
            items.append(definition[item : mark.start()].strip())
            item = mark.end()
        if depth < 0:
            return items, item
    return [*items, definition[item:]], len(definition)
