"""Query whose rows become records."""

from __future__ import annotations

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
