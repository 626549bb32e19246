"""Outbox of a feed, reports kept in an SQLite file until their fate is known.

::

    keep        checked reports, numbered, before anything is sent       Draft
    sent        the broker has them                                      Sent
    tell        what became of them, with the offset it was read up to   Accepted ... Rejected

Each is one transaction, and killed between two the file is what the last one left. A report that was
sent and not noted is sent again, which is harmless. Nothing is ever deleted.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import structs

from schemas.failpoints import reached
from schemas.receipts import KEPT, Receipt, digest_of
from sinks.sqlite_file import SqliteFile, mapped

#: Name of the file in an outbox's folder, and of the lock that whoever sends holds.
OUTBOX, SENDING = "outbox.sqlite", "sending.lock"
#: Reports handed over to be sent at once.
_AT_ONCE = 1_000

_TABLES = """
CREATE TABLE IF NOT EXISTS reports (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    digest    TEXT NOT NULL,
    agreement TEXT NOT NULL,
    feed      TEXT,
    report_id TEXT,
    revision  INTEGER,
    kind      TEXT,
    value     BLOB NOT NULL,
    file      TEXT NOT NULL,
    line      INTEGER NOT NULL,
    kept_at   TEXT NOT NULL,
    sent_at   TEXT,
    state     TEXT NOT NULL DEFAULT 'draft',
    code      TEXT,
    hint      TEXT,
    region    TEXT,
    truce_day TEXT,
    counted   INTEGER,
    UNIQUE (digest, agreement)
) STRICT;
CREATE INDEX IF NOT EXISTS reports_by_name ON reports (feed, report_id);
CREATE TABLE IF NOT EXISTS read_up_to (
    log         TEXT PRIMARY KEY,
    next_offset INTEGER NOT NULL
) STRICT;
"""
_COLUMNS = "number, digest, agreement, feed, report_id, revision, kind, value, file, line, state, code, hint, region, "
_COLUMNS += "truce_day, counted"
_STANDS = ", ".join(f"'{outcome}'" for outcome in sorted(KEPT))
#: A report that stands keeps its fate. A duplicate stands as well, but tells less than any other fate.
_TELL = f"""
UPDATE reports SET state = :outcome, code = :code, hint = :hint, region = :region, truce_day = :truce_day,
    counted = :counted
WHERE digest = :digest AND agreement = :agreement AND state NOT IN ({_STANDS})
    AND (state <> 'duplicate' OR :outcome IN ({_STANDS}))
    AND (state IN ('draft', 'sent') OR :outcome <> 'duplicate')
RETURNING {_COLUMNS}
"""  # noqa: S608 - columns and words of ours


class Kept(NamedTuple):
    """Report of an outbox. ``state`` is draft, sent, or the outcome of its receipt."""

    number: int
    digest: str
    agreement: str
    feed: str | None
    report_id: str | None
    revision: int | None
    kind: str | None
    value: bytes
    file: str
    line: int
    state: str
    code: str | None
    hint: str | None
    region: str | None
    truce_day: str | None
    counted: bool | None


class Entering(NamedTuple):
    """Report to be kept, and where it was read."""

    value: bytes
    feed: str | None
    report_id: str | None
    revision: int | None
    kind: str | None
    file: str
    line: int


class Outbox(SqliteFile):
    """Outbox in a folder; made by ``open``."""

    NAME, TABLES = OUTBOX, _TABLES

    def keep(self, entering: Iterable[Entering], agreement: str) -> int:
        """Keep reports that are not there yet, all or none; return how many are new.

        Raises:
            StoreFull, StoreUnavailable: none was kept.
        """
        now = datetime.now(UTC).isoformat()
        with self._transaction():
            before = self._connection.total_changes
            self._connection.executemany(
                "INSERT INTO reports (digest, agreement, value, feed, report_id, revision, kind, file, line, kept_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest, agreement) DO NOTHING",
                ((digest_of(each.value), agreement, *each, now) for each in entering),
            )
            kept = self._connection.total_changes - before
            reached("outbox.keeping")
        reached("outbox.kept")
        return kept

    def drafts(self) -> Iterator[list[Kept]]:
        """Yield the reports not sent yet, in their order, some at a time."""
        last = 0
        while found := self._select("state = 'draft' AND number > ? ORDER BY number LIMIT ?", (last, _AT_ONCE)):
            last = found[-1].number
            yield found

    def sent(self, numbers: Sequence[int]) -> None:
        """Note that the broker has reports; one whose fate came first keeps it."""
        now = datetime.now(UTC).isoformat()
        with self._transaction():
            self._connection.executemany(
                "UPDATE reports SET sent_at = ?, state = iif(state = 'draft', 'sent', state) WHERE number = ?",
                [(now, number) for number in numbers],
            )
            reached("outbox.noting")

    def begin_reading(self, log: str, end: int) -> int:
        """Return the offset to read receipts of a log from.

        It is ``end`` where nothing was sent before. A log made anew is read from its beginning.

        Raises:
            StoreFull, StoreUnavailable: nothing was changed.
        """
        with self._transaction():
            self._connection.execute(
                "INSERT INTO read_up_to SELECT ?, iif(EXISTS (SELECT 1 FROM reports WHERE sent_at IS NOT NULL), 0, ?) "
                "WHERE true ON CONFLICT DO NOTHING",
                (log, end),
            )
        offset: int
        ((offset,),) = self._read("SELECT next_offset FROM read_up_to WHERE log = ?", (log,))
        return offset

    def tell(self, receipts: Iterable[Receipt], log: str, next_offset: int) -> list[Kept]:
        """Note what became of reports and how far the log was read; return those told of.

        A report that stands keeps its first fate: one sent again later may be refused, and stands still. A duplicate,
        which is what a report sent twice is, takes no other fate's place.
        """
        told = []
        with self._transaction():
            for each in receipts:
                found = self._connection.execute(_TELL, structs.asdict(each)).fetchall()
                told += [_kept(row) for row in found]
            self._connection.execute("UPDATE read_up_to SET next_offset = ? WHERE log = ?", (next_offset, log))
            reached("outbox.telling")
        reached("outbox.told")
        return told

    def again(self, numbers: Collection[int] | None = None) -> int:
        """Make drafts of reports that are not accepted: of those given, or all sent without a fate; return how many."""
        refused = ", ".join("?" * len(KEPT))
        with self._transaction():
            if numbers is None:
                done = self._connection.execute("UPDATE reports SET state = 'draft' WHERE state = 'sent'")
                return done.rowcount
            which = f"number = ? AND state NOT IN ({refused})"
            update = f"UPDATE reports SET state = 'draft' WHERE {which}"  # noqa: S608 - question marks
            done = self._connection.executemany(update, [(number, *sorted(KEPT)) for number in numbers])
            return done.rowcount

    def listed(self, states: Collection[str] | None = None) -> list[Kept]:
        """Return all reports in their order, or those in some states."""
        if states is None:
            return self._select("true ORDER BY number", ())
        return self._select(f"state IN ({', '.join('?' * len(states))}) ORDER BY number", tuple(states))

    def other_body(self, entering: Entering, agreement: str) -> Kept | None:
        """Return a report of the same feed, id and revision with other bytes, unless it was refused or is outside."""
        found = self._select(
            "feed = ? AND report_id = ? AND revision = ? AND agreement = ? AND digest <> ? "
            "AND state NOT IN ('rejected', 'outside') ORDER BY number LIMIT 1",
            (entering.feed, entering.report_id, entering.revision, agreement, digest_of(entering.value)),
        )
        return found[0] if found else None

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Hold the right to send for the length of a block; another process that has it is waited for.

        Raises:
            StoreUnavailable: the lock cannot be had.
        """
        with mapped(self._path):
            lock = self._path.with_name(SENDING).open("a")
        with lock:
            with mapped(self._path):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def latest(self, feed: str, report_id: str) -> bytes | None:
        """Return the highest revision of a report that was not refused."""
        found = self._select(
            "feed = ? AND report_id = ? AND state <> 'rejected' ORDER BY revision DESC, number DESC LIMIT 1",
            (feed, report_id),
        )
        return found[0].value if found else None

    def counts(self) -> dict[str, int]:
        """Return the number of reports by state."""
        return dict(self._read("SELECT state, count(*) FROM reports GROUP BY state ORDER BY state", ()))

    def _select(self, which: str, values: tuple[object, ...]) -> list[Kept]:
        return [_kept(row) for row in self._read(f"SELECT {_COLUMNS} FROM reports WHERE {which}", values)]  # noqa: S608


def _kept(row: tuple[Any, ...]) -> Kept:
    kept = Kept(*row)
    return kept._replace(counted=None if kept.counted is None else bool(kept.counted))
