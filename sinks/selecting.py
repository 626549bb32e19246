"""One query, its rows as records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import duckdb

from schemas.errors import StoreUnavailable

_T = TypeVar("_T")


def select(
    connection: duckdb.DuckDBPyConnection,
    kind: Callable[..., _T],
    sql: str,
    parameters: Sequence[Any] | dict[str, Any] = (),
) -> list[_T]:
    """Return the rows of a query, each made a record from its columns in order.

    Raises:
        StoreUnavailable: the file cannot be read.
    """
    try:
        return [kind(*row) for row in connection.execute(sql, parameters).fetchall()]
    except duckdb.Error as error:
        raise StoreUnavailable(f"the published file cannot be read: {str(error).splitlines()[0]}") from error
