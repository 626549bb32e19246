"""Session of a person who asks the newest published copy in SQL, and can do nothing but read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from schemas.errors import TrucewatchError, UsageError
from sinks.faults import is_interrupted, of_duckdb
from sinks.publishing import signature_of
from sinks.reading import open_published

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_PIECE = 1_000
TABLES = """
SELECT name, kind, comment FROM (
    SELECT view_name AS name, 'view' AS kind, comment, internal, database_name FROM duckdb_views()
    UNION ALL SELECT table_name, 'table', comment, internal, database_name FROM duckdb_tables()
) WHERE database_name = 'published' AND NOT internal ORDER BY kind DESC, name
"""
COLUMNS = """
SELECT column_name, data_type, comment FROM duckdb_columns()
WHERE database_name = 'published' AND NOT internal AND table_name = '{}' ORDER BY column_index
"""
MACROS = """
SELECT function_name || '(' || array_to_string(parameters, ', ') || ')' AS macro, comment FROM duckdb_functions()
WHERE database_name = 'published' AND NOT internal AND function_type = 'table_macro' ORDER BY macro
"""


class Answer(NamedTuple):
    """Rows that a query found, read as they are asked for."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


class Session:
    """Connection to a published copy that moves on to the next one between two questions.

    It is attached read-only, and DuckDB may open no other file: see ``open_published``, whose errors are its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = signature_of(path)
        self._thread = ThreadPoolExecutor(1)
        self._connection = open_published(path)

    def renew(self) -> bool:
        """Move on to the newest copy; return whether there was one. A copy that cannot be read is not moved on to."""
        found = signature_of(self._path)
        if found in (None, self._copy):
            return False
        try:
            fresh = open_published(self._path)
        except TrucewatchError:
            return False
        self._connection.close()
        self._connection, self._copy = fresh, found
        return True

    def ask(self, sql: str) -> Iterator[Answer]:
        """Yield the answer to each statement; the one before is then no longer read.

        Raises:
            UsageError: a statement is wrong, or does something other than reading.
            StoreUnavailable: the file cannot be read.
            KeyboardInterrupt: Ctrl-C ended a query.
        """
        with self._told():
            statements = self._connection.extract_statements(sql)
        for each in statements:
            if each.type not in _READING:
                word = each.query.split(maxsplit=1)[0].upper()
                raise UsageError(
                    f"{word}: this shell reads, and does nothing else", "ask with SELECT, FROM or DESCRIBE"
                )
        for each in statements:
            with self._told():
                found = self._apart(partial(self._connection.execute, each))
                columns = [name for name, *_ in found.description or ()]
            yield Answer(columns, self._rows(found))

    def _rows(self, found: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
        while True:
            with self._told():
                piece = self._apart(lambda: found.fetchmany(_PIECE))
            if not piece:
                return
            yield from piece

    def _apart(self, work: Callable[[], Any]) -> Any:
        """Work on a thread of its own: DuckDB computes a result without ever looking for Ctrl-C."""
        working = self._thread.submit(work)
        try:
            return working.result()
        except KeyboardInterrupt:
            self._connection.interrupt()
            wait([working])
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of a query into what the person who asked has to know."""
        try:
            yield
        except (duckdb.Error, RuntimeError) as error:
            if is_interrupted(error):
                raise KeyboardInterrupt from None
            if not isinstance(error, duckdb.Error):
                raise
            if isinstance(error, (duckdb.OperationalError, duckdb.InternalError)):
                raise of_duckdb(error, self._path) from error
            raise UsageError(str(error).strip()) from error
