"""Queries whose rows become records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import duckdb

#: A session on a DuckDB file, named here so that DuckDB is imported in ``sinks`` alone.
Connection = duckdb.DuckDBPyConnection

_T = TypeVar("_T")


def select(
    connection: Connection,
    kind: Callable[..., _T],
    sql: str,
    parameters: Sequence[Any] | dict[str, Any] = (),
) -> list[_T]:
    """Return the rows of a query, each made a record from its columns in order.

    Raises:
        duckdb.Error: the query failed; who opened the file says which one it is.
    """
    return [kind(*row) for row in connection.execute(sql, parameters).fetchall()]


def select_from(
    connection: Connection,
    kind: type[_T],
    source: str,
    parameters: Sequence[Any] | dict[str, Any] = (),
    /,
    **instead: str,
) -> list[_T]:
    """Return the rows of ``source`` as records, each field being its column of that name.

    Args:
        kind: a dataclass, or a named tuple.
        source: what stands behind FROM, with its conditions and its order.
        instead: the SQL of fields that are no column of their name.

    Raises:
        duckdb.Error: the query failed.
    """
    return select(connection, kind, f"SELECT {columns_of(kind, **instead)} FROM {source}", parameters)  # noqa: S608 - names of ours


def columns_of(kind: type[Any], **instead: str) -> str:
    """Return the fields of a dataclass or a named tuple as a list of columns."""
    names = getattr(kind, "_fields", None) or [each.name for each in dataclasses.fields(kind)]
    return ", ".join(instead.get(name, name) for name in names)
