"""Rows as Arrow tables: the fastest way into DuckDB.

The types come from the tables themselves, so that a column is described once. A row of ``reports`` with 800 bytes of
raw text takes about 6 microseconds in batches of 10,000, its commit included, and 11 in batches of 1,000. List
parameters and ``unnest`` take 30, ``executemany`` 950, and a ``raw`` of type JSON adds 1 to 2 for parsing it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow

from schemas.rows import FreshReports

# pyarrow's own annotations are partial, so a strict type check cannot look into it: it stays within this module.
pa: Any = pyarrow
Schema = Any
Table = Any

#: Columns that count places in the facts topic.
PLACES = frozenset({"fact_offset", "tick_offset"})
_TYPES: dict[str, Any] = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
    "VARCHAR[]": pa.list_(pa.string()),
    "JSON": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
}


def table_schemas(connection: duckdb.DuckDBPyConnection) -> dict[str, Schema]:
    """Return every table's columns, in their order, as Arrow types. Instants are given as microseconds."""
    columns: dict[str, list[tuple[str, Any]]] = {}
    for table, column, kind in connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND table_name IN (SELECT table_name FROM duckdb_tables()) "
        "ORDER BY table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append((column, _TYPES[kind]))
    return {table: pa.schema(fields) for table, fields in columns.items()}


def to_arrow(schema: Schema, rows: Sequence[tuple[Any, ...]], shift: int = 0) -> Table:
    """Return ``rows``, whose fields stand in the order of ``schema``, as an Arrow table.

    Args:
        shift: added to every place in the facts topic.
    """
    arrays = []
    for field, column in zip(schema, zip(*rows, strict=True), strict=True):
        array = pa.array(column, field.type)
        arrays.append(_compute().add(array, shift) if shift and field.name in PLACES else array)
    return pa.Table.from_arrays(arrays, schema=schema)


def fresh_table(schema: Schema, told: FreshReports, shift: int = 0) -> Table:
    """Return reports that are in columns as an Arrow table of the columns of ``schema``.

    Args:
        shift: added to every place in the facts topic.
    """
    computed = told.computed()
    return pa.Table.from_arrays([_fresh_array(field, told, computed, shift) for field in schema], schema=schema)


def _fresh_array(field: Any, told: FreshReports, computed: dict[str, Any], shift: int) -> Any:
    if field.name in computed:
        array = pa.array(computed[field.name])
        return _compute().add(array, shift) if field.name in PLACES else array.cast(field.type)
    array = told.incidents.array(field.name)
    if array is None:
        default = told.incidents.default(field.name)
        return pa.array([default or None if field.type == _TYPES["VARCHAR[]"] else default] * len(told), field.type)
    if pa.types.is_list(array.type):
        # A list of nothing is no list in the file.
        full = _compute().equal(_compute().list_value_length(array), 0)
        places = _compute().if_else(full, None, pa.array(range(len(array)), pa.int64()))
        return array.take(places)
    return array.cast(field.type)


def _compute() -> Any:
    """Return Arrow's functions, which only a writer loads: their import would slow every command that reads."""
    import pyarrow.compute

    return pyarrow.compute


def key_table(names: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> Table:
    """Return keys, one tuple each, as an Arrow table with the columns ``names``."""
    return pa.table(dict(zip(names, map(pa.array, zip(*keys, strict=True)), strict=True)))


def place_table(places: npt.NDArray[np.int64]) -> Table:
    """Return places in the facts topic as an Arrow table with the one column ``fact_offset``."""
    return pa.table({"fact_offset": places})


def hash_table(hashes: Iterable[int]) -> Table:
    """Return hashes, each of them once, as an Arrow table with the one column ``key_hash``."""
    distinct = set(hashes)
    return pa.table({"key_hash": np.fromiter(distinct, dtype=np.int64, count=len(distinct))})
