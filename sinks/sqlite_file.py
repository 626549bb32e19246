"""SQLite file in a folder, of which each kind has a name and tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from schemas.errors import StoreFull, StoreUnavailable

#: How long another command may hold the file.
_BUSY_SECONDS = 30.0


class SqliteFile:
    """SQLite file that is open; made by ``open``.

    Attributes:
        NAME: of the file in its folder.
        TABLES: statements that make its tables where they are missing.
    """

    NAME: ClassVar[str]
    TABLES: ClassVar[str]

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the file of a folder, and make both where they are missing.

        Raises:
            StoreFull: the disk is full.
            StoreUnavailable: the file is damaged, unwritable or none of ours.
        """
        path = folder / cls.NAME
        with mapped(path):
            folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(cls.TABLES)
            except sqlite3.Error:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with mapped(self._path):
            found: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with mapped(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite rolls back by itself when the disk is full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn SQLite's errors, and the operating system's, into ours."""
    try:
        yield
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StoreFull(f"{path}: {StoreFull.SIGN}; free some space and try again, nothing was lost") from error
        raise StoreUnavailable(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be used: {error.strerror or error}") from error
