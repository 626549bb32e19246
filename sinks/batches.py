"""Arrow tables that statements read, each registered once under its name.

To register a table and plan an insert costs more than a small flush has to write. A registration
also voids every plan that reads a registered table. So a name is registered with a source, which
hands over another table each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb

from sinks.columns import Schema, Table


class _Source:
    """Arrow stream of whichever table it holds, by the protocol of PyCapsules."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.table = schema.empty_table()

    def __arrow_c_schema__(self) -> Any:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


class Batches:
    """Tables handed to the statements of one connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._sources: dict[str, _Source] = {}
        self._planned: set[str] = set()

    @contextmanager
    def holding(self, **tables: Table) -> Iterator[None]:
        """Let statements within the block read ``tables`` by their names."""
        for name, table in tables.items():
            source = self._sources.get(name)
            # What reads it knows columns by their places and types.
            if source is None or not source.schema.equals(table.schema):
                source = self._sources[name] = _Source(table.schema)
                self._connection.register(name, source)
            source.table = table
        try:
            yield
        finally:
            for name in tables:
                source = self._sources[name]
                source.table = source.schema.empty_table()

    def insert(self, table: str, rows: Table, on_conflict: str = "") -> None:
        """Insert rows into a table by a plan that is kept.

        Only inserts keep theirs. A join planned while its table was small would build its hash table
        of the wrong side for ever.
        """
        source, plan = f"rows_of_{table}", f"insert_{table}"
        with self.holding(**{source: rows}):
            if table not in self._planned:
                self._connection.execute(f"PREPARE {plan} AS INSERT INTO {table} SELECT * FROM {source} {on_conflict}")  # noqa: S608 - a table of ours
                self._planned.add(table)
            self._connection.execute(f"EXECUTE {plan}")

    def forget(self) -> None:
        """Drop all: what a transaction registered goes with it when it is rolled back."""
        for table in self._planned:
            self._connection.execute(f"DEALLOCATE insert_{table}")
        self._planned.clear()
        self._sources.clear()
