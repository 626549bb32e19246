"""Log of the events that receivers are told of, in an SQLite file.

::

    note        events, with the position they were read up to        one transaction
    next        the first one that a receiver has not taken
    taken       a receiver has it; what all have is deleted

Killed before ``note`` the same events are read again, under the same ids. Killed before ``taken`` an
event is sent once more.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from schemas.errors import StoreUnavailable
from schemas.events import Event
from schemas.failpoints import reached
from schemas.receivers import KINDS, Receiver
from sinks.news import Position
from sinks.sqlite_file import SqliteFile, mapped

#: Name of the file in an agreement's folder, and of the lock that whoever sends holds.
NOTIFY, SENDING = "notify.sqlite", "notify.lock"

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    region   TEXT,
    body     BLOB NOT NULL,
    noted_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS receivers (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS conditions (key TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS position (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    recorded_at INTEGER NOT NULL,
    tick_offset INTEGER NOT NULL
) STRICT;
"""


class Noted(NamedTuple):
    """Event of the log; ``noted_at`` is of the wall clock, in seconds."""

    number: int
    id: str
    body: bytes
    noted_at: float


class NotifyLog(SqliteFile):
    """Log in an agreement's folder; made by ``open``."""

    NAME, TABLES = NOTIFY, _TABLES

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Hold the right to send for the length of a block: two would send out of order.

        Raises:
            StoreUnavailable: another process has it.
        """
        with mapped(self._path):
            lock = self._path.with_name(SENDING).open("a")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreUnavailable(f"another `trucewatch notify` sends from {self._path}") from error
            yield

    def join(self, names: Collection[str]) -> None:
        """Let these receivers take what is noted from now on, and those known already what they have not taken.

        A receiver that is not named is forgotten.

        Raises:
            StoreFull, StoreUnavailable: nothing was changed.
        """
        with self._transaction():
            known = {name for (name,) in self._connection.execute("SELECT name FROM receivers").fetchall()}
            self._connection.executemany("DELETE FROM receivers WHERE name = ?", [(each,) for each in known - {*names}])
            self._connection.executemany(
                "INSERT INTO receivers SELECT ?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
                [(each,) for each in names if each not in known],
            )

    def position(self) -> Position | None:
        """Return the position that events were read up to; None before the first."""
        found = self._read("SELECT recorded_at, tick_offset FROM position")
        return Position(*found[0]) if found else None

    def conditions(self) -> frozenset[str]:
        """Return the keys of the conditions that hold and were told of."""
        return frozenset(key for (key,) in self._read("SELECT key FROM conditions"))

    def note(self, events: Iterable[Event], position: Position, conditions: Collection[str]) -> int:
        """Note events that are not there yet, and up to where they go; return how many are new.

        Raises:
            StoreFull, StoreUnavailable: nothing was noted.
        """
        now = time.time()
        with self._transaction():
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT INTO events (id, kind, region, body, noted_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                ((each.id, each.kind, each.region, each.body, now) for each in events),
            )
            new = self._connection.total_changes - before
            self._connection.execute("INSERT OR REPLACE INTO position VALUES (1, ?, ?)", position)
            self._connection.execute("DELETE FROM conditions")
            self._connection.executemany("INSERT INTO conditions VALUES (?)", [(each,) for each in conditions])
            reached("notify.noting")
        reached("notify.noted")
        return new

    def next(self, receiver: Receiver) -> Noted | None:
        """Return the first event that a receiver wants and has not taken; None when there is none."""
        found = self.pending(receiver, 1)
        return found[0] if found else None

    def pending(self, receiver: Receiver, most: int) -> list[Noted]:
        """Return the first events that a receiver wants and has not taken; of a new one, of all that are kept."""
        kinds = [kind for kind in KINDS if kind in receiver.events]
        regions = sorted(receiver.regions)
        marks = ", ".join("?" * len(regions))
        rows = self._read(
            "SELECT number, id, body, noted_at FROM events "  # noqa: S608 - question marks
            "WHERE number > coalesce((SELECT number FROM receivers WHERE name = ?), 0) "
            f"AND kind IN ({', '.join('?' * len(kinds))}) "
            f"AND (? OR region IS NULL OR region IN ({marks})) ORDER BY number LIMIT ?",
            (receiver.name, *kinds, not regions, *regions, most),
        )
        return [Noted(*row) for row in rows]

    def taken(self, receiver: Receiver, number: int) -> None:
        """Note that a receiver has an event and all before it; delete what all have.

        Raises:
            StoreFull, StoreUnavailable: the event will be sent again.
        """
        with self._transaction():
            self._connection.execute("UPDATE receivers SET number = ? WHERE name = ?", (number, receiver.name))
            self._delete_taken()
        reached("notify.taken")

    def pass_over(self, receiver: Receiver) -> None:
        """Note that a receiver, for which there is no event, wants none of those that are there."""
        with self._transaction():
            self._connection.execute(
                "UPDATE receivers SET number = coalesce((SELECT max(number) FROM events), number) "
                "WHERE name = ? AND number < (SELECT max(number) FROM events)",
                (receiver.name,),
            )
            self._delete_taken()

    def _delete_taken(self) -> None:
        self._connection.execute("DELETE FROM events WHERE number <= (SELECT min(number) FROM receivers)")
