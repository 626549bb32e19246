"""Tables, views, macros and comments of a file, against those that this software makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any

import duckdb

from sinks.migrations import migrations, software_version, wanted_definitions
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

#: Columns left out, which DuckDB writes in another order each time.
_EXCLUDED = re.compile(r"EXCLUDE \(([^()]*)\)")

Select = Callable[[str], list[tuple[Any, ...]]]
Shape = dict[tuple[str, str, str], str]

_OF_FILE = "database_name = current_database() and not internal"
#: Kind, name and part of everything a file is made of, and what it is.
_TABLES = f"""
select 'table', table_name, column_name, struct_pack(data_type, is_nullable, column_default, column_index)
from duckdb_columns() where {_OF_FILE} and table_oid in (select table_oid from duckdb_tables() where {_OF_FILE})
union all select 'table', table_name, '', struct_pack(schema_name, temporary) from duckdb_tables() where {_OF_FILE}
union all
select 'constraint', table_name, constraint_text, struct_pack(constraint_type) from duckdb_constraints()
where database_name = current_database()
union all select 'schema', schema_name, '', null from duckdb_schemas() where {_OF_FILE}
union all
select 'index', table_name, index_name, struct_pack(sql) from duckdb_indexes() where database_name = current_database()
union all
select 'sequence', sequence_name, '', struct_pack(start_value) from duckdb_sequences()
where database_name = current_database()
union all select 'type', type_name, '', struct_pack(logical_type) from duckdb_types() where {_OF_FILE}
"""  # noqa: S608 - the condition above
_DEFINITIONS = f"""
select 'view', view_name, '', struct_pack(schema_name, sql) from duckdb_views() where {_OF_FILE}
union all
select 'macro', function_name, parameters::varchar, struct_pack(function_type, macro_definition)
from duckdb_functions() where {_OF_FILE}
union all
select 'comment', table_name, '', struct_pack(comment) from duckdb_tables() where {_OF_FILE} and comment is not null
union all
select 'comment', view_name, '', struct_pack(comment) from duckdb_views() where {_OF_FILE} and comment is not null
union all
select 'comment', function_name, parameters::varchar, struct_pack(comment) from duckdb_functions()
where {_OF_FILE} and comment is not null
union all
select 'comment', table_name, column_name, struct_pack(comment) from duckdb_columns()
where {_OF_FILE} and comment is not null
"""  # noqa: S608 - the condition above


def check_shape(file: Published) -> Iterator[Difference]:
    """Check that the file has the tables of its schema version and the definitions of its software, and no others.

    Definitions belong to the software. Those of another version are not compared: its ledger makes them anew.
    """
    ((file_id, version, stored_hash),) = file.select("select file_id, software_version, definitions from about")
    sql, wanted_hash = wanted_definitions(file.agreement, file_id)
    tables, definitions = _made(sql)
    yield from _compare(_read(file.select, _TABLES), tables)
    if version == software_version():
        yield from _compare(_read(file.select, _DEFINITIONS), definitions)
        yield from Row("about", "").compare(("definitions",), (stored_hash,), (wanted_hash,))


def _compare(stored: Shape, wanted: Shape) -> Iterator[Difference]:
    for kind, name, part in sorted(stored.keys() ^ wanted.keys()):
        there = (kind, name, part) in stored
        shown = f"a {kind}"
        yield Row(name, part).differs("", shown if there else None, None if there else shown)
    for key in sorted(stored.keys() & wanted.keys()):
        kind, name, part = key
        yield from Row(name, part).compare((kind,), (stored[key],), (wanted[key],))


def _read(select: Select, sql: str) -> Shape:
    return {(kind, name, part): _EXCLUDED.sub(_sorted, str(what)) for kind, name, part, what in select(sql)}


def _sorted(excluded: re.Match[str]) -> str:
    return f"EXCLUDE ({', '.join(sorted(excluded[1].split(', ')))})"


@lru_cache(maxsize=8)
def _made(sql: str) -> tuple[Shape, Shape]:
    """Return the tables and definitions of a new file whose comments, views and macros ``sql`` makes."""
    with closing(duckdb.connect()) as connection:
        # A view names its database nowhere, so that a file of any name is made alike.
        connection.execute("attach ':memory:' as made; use made")
        for statements in (*migrations().values(), sql):
            connection.execute(statements)

        def select(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        return _read(select, _TABLES), _read(select, _DEFINITIONS)
