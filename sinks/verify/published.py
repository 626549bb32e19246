"""The published file, opened for reading, with what every check needs of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable, UsageError
from schemas.time_zones import RELEASE
from schemas.truceday import Micros
from sinks.calendar import Calendar, calendar_refused
from sinks.faults import duckdb_path, mapped
from sinks.migrations import SENTENCES, check_current, software_version
from sinks.verify.days import Days
from sinks.verify.difference import Difference, Row, compare_rows

BATCH = 5_000

Parameters = Sequence[object] | dict[str, object]

#: Of every accepted revision but an incident's: the offset at which a higher one of its identity arrived, from where
#: on it no longer stood; it never stood when that offset is below its own. One window of history, from two columns.
_REPLACED = """
create table memory.replaced as
select lower.fact_offset, min(higher.fact_offset) as replaced_at
from reports lower join reports higher using (feed, report_id)
where higher.revision > lower.revision and lower.type <> 'incident'
group by lower.fact_offset
"""


_USE = "use published"
#: The recount fetches nothing from the network, and a name in SQL is never a variable of Python's.
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def hold(path: Path, folder: Path) -> Path:
    """Give a file a second name in ``folder``, by which it can be opened again once another copy took its place.

    Where the folder is on another file system, or links are not allowed, it is copied.

    Raises:
        StoreFull: there is no room for a copy.
        StoreUnavailable: the file is missing or cannot be read.
        UsageError: its name is none that a ledger writes to.
    """
    duckdb_path(path)  # refused by its own name, whatever its second one is
    held = folder / "recorded.duckdb"
    with mapped(path):
        try:
            os.link(path.resolve(), held)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(path, held)
    return held


class Published:
    """A ledger's file, read-only.

    Instants come as microseconds, whatever the column's type.

    Args:
        path: its name in messages.
        held: the name it is opened by, if another one.

    Raises:
        StoreUnavailable: the file is missing, locked, damaged, or no file of a ledger's.
        UsageError: it is of an earlier version, or was judged with time zones that cut its days otherwise.
    """

    def __init__(self, path: Path, held: Path | None = None) -> None:
        self.path = path
        self.held = held or path
        # A database in memory with the file beside it: what is worked out here is seen by every cursor, and the file
        # stays read-only.
        self._connection = duckdb.connect(config=CONFIG)
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        try:
            with mapped(path):
                quoted = duckdb_path(self.held).replace("'", "''")
                self._connection.execute(f"attach '{quoted}' as published (read_only)")
                # The file may be a stranger's, and its views hold any SQL: they read nothing but the file.
                self._connection.execute("set enable_external_access = false")
                self._connection.execute(_USE)
                # Drawn on standard output, a bar would stand in the middle of the command's JSON.
                self._connection.execute("set enable_progress_bar = false")
                self._read()
        except (StoreUnavailable, UsageError):
            self.close()
            raise

    def _read(self) -> None:
        self._types = self._describe()
        if "about" not in self._types or "ledger_state" not in self._types:
            raise StoreUnavailable(f"{self.path} is a DuckDB file, but not one that a ledger wrote")
        check_current(self._connection, self._value("select schema_version from about"), self.path)
        try:
            self.agreement = Agreement.model_validate_json(self._value("select agreement from about"))
        except ValidationError as error:
            raise StoreUnavailable(f"{self.path} holds no agreement that can be read: {error}") from error
        #: Whether its views, macros and comments are those of this software.
        self.of_this_software: bool = self._value("select software_version from about") == software_version()
        #: Whether its reasons and hints are the sentences of this software, all of them.
        self.same_sentences: bool = self._value("select sentences from about") == SENTENCES
        self.days = Days.of(self.agreement)
        self._check_calendar()
        #: The first fact not in the file, and the last tick judged, both by ``fact_offset``.
        self.next_offset: int = self._value("select next_offset from ledger_state")
        self.last_tick: int = self._value("select last_tick from ledger_state")
        #: Facts before this one come from an earlier topic, whose offsets and sources counted from zero as well.
        self.log_start: int = self._value("select log_start from ledger_state")
        self.now: Micros | None = self._value("select epoch_us(now) from ledger_state")
        #: The time of what was judged, as its rows say it; None before the truce takes effect.
        self.judged_at: Micros | None = self._value("select epoch_us(mode(as_of)) from region_windows")
        self._connection.execute(_REPLACED)

    def _check_calendar(self) -> None:
        """Refuse a file of other time zones in words: every day would differ, and none would say why.

        Raises:
            UsageError: the releases differ, and so do the days they cut.
        """
        release, text = self.select("select tzdata, calendar from about")[0]
        if release != RELEASE:
            difference = Calendar.cut_by(self.days.start).difference(Calendar(**json.loads(text)))
            if difference is not None:
                raise calendar_refused(self.path, release, difference)

    def interrupt(self) -> None:
        """End the queries under way, with an error; any thread may ask."""
        for connection in (self._connection, *self._cursors):
            connection.interrupt()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def select(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query without holding all of them.

        A cursor of its own: an unread result on the shared connection would block the next query.
        """
        with self._connection.cursor() as cursor:
            self._cursors = [*self._cursors, cursor]
            try:
                cursor.execute(_USE)
                result = cursor.execute(sql, parameters)
                while batch := result.fetchmany(BATCH):
                    yield from batch
            finally:
                self._cursors = [each for each in self._cursors if each is not cursor]

    def columns(self, table: str, names: Sequence[str]) -> str:
        """Return a select list that gives instants as microseconds."""
        types = self._types[table]
        return ", ".join(f"epoch_us({name})" if types[name].startswith("TIMESTAMP") else name for name in names)

    def compare(
        self,
        table: str,
        names: Sequence[str],
        key: int,
        recounted: Mapping[tuple[Any, ...], Sequence[Any]],
        where: str = "true",
        parameters: Parameters = (),
    ) -> Iterator[Difference]:
        """Yield how ``table``, or part of it, differs from ``recounted``.

        The keys are the first ``key`` of the columns ``names``.
        """
        named = ", ".join(names[:key])
        counted = f"select {named}, count(*) from {table} where {where} group by {named}"  # noqa: S608
        twice = self.select(f"{counted} having count(*) > 1 order by all", parameters)
        for *of_row, rows in twice:
            yield Row(table, *of_row).differs("", f"{rows} rows", "1 row")
        yield from compare_rows(table, names[key:], self._rows(table, names, key, where, parameters), recounted)

    def _rows(
        self, table: str, names: Sequence[str], key: int, where: str, parameters: Parameters
    ) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Return a table's rows, the first ``key`` columns as their key and the others as their values."""
        # Names are this package's.
        found = self.select(f"select {self.columns(table, names)} from {table} where {where}", parameters)  # noqa: S608
        return {row[:key]: row[key:] for row in found}

    def _value(self, sql: str) -> Any:
        rows = self.select(sql)
        if len(rows) != 1:
            raise StoreUnavailable(f"{self.path} is no file of a ledger's: {sql!r} gives {len(rows)} rows, not one")
        return rows[0][0]

    def _describe(self) -> dict[str, dict[str, str]]:
        types: dict[str, dict[str, str]] = {}
        for table, column, kind in self.select(
            "select table_name, column_name, data_type from duckdb_columns() where database_name = 'published'"
        ):
            types.setdefault(table, {})[column] = kind
        return types
