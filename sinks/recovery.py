"""Quarantine of a live file that cannot be read.

The file is set aside and never deleted. The ledger starts from the published copy beside it, or from
nothing, and reads the rest of the facts log again. That is right only where the log still holds the
rest. Where it does not, or where that cannot be known, nothing is moved and the error says what to do.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import duckdb

from schemas.agreement import Agreement
from schemas.errors import StoreDamaged, StoreInUse, StoreUnavailable
from schemas.topics import EMBEDDED_CLUSTER
from sinks import queries
from sinks.calendar import check_calendar
from sinks.faults import mapped
from sinks.migrations import check_agreement, check_version, stored_version
from sinks.opening import LIVE, PUBLISHED, suspect
from sinks.reading import open_published

#: Damage once is an accident; a disk that does it again and again needs a person, and room for what it leaves.
MOST_QUARANTINED = 3
_ASIDE = "damaged"


class FactsLog(NamedTuple):
    """Log of facts that a ledger is about to read.

    ``identity`` tells it from another log of the same topic; ``begins`` is the first offset it still holds.
    """

    topic: str
    identity: str
    begins: int


class Quarantined(NamedTuple):
    """Files in quarantine, the reason, and the ledger's next offset.

    The offset is 0 where there was no copy to go on from.
    """

    files: list[Path]
    why: str
    next_offset: int


def read_through(connection: duckdb.DuckDBPyConnection) -> None:
    """Read every row once: a damaged block is found now, and not copied or met in the middle of a run.

    Raises:
        duckdb.Error: a block does not match its checksum.
    """
    tables = connection.execute("SELECT database_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    for database, table in tables:
        connection.execute(f'SELECT bit_xor(hash(t)) FROM "{database}".main."{table}" t').fetchall()  # noqa: S608 - ours


def quarantine(live: Path, why: str, agreement: Agreement, log: FactsLog) -> Quarantined:
    """Rename a damaged live file and its write-ahead log, so that the next opening begins with the published copy.

    Raises:
        StoreDamaged: the log no longer holds all that follows the copy, or nobody knows; nothing was moved.
        StoreUnavailable: another process has the file by now, or the copy is of newer software; nothing was moved.
        UsageError: the copy was judged by another agreement; nothing was moved.
    """
    copy = live.with_name(PUBLISHED)
    found = _next_offset_of(copy, agreement, log, why)
    if found is None:
        _check_from_nothing(log, why)
    elif found < log.begins:
        raise _refusal(why, f"{log.topic} begins at {log.begins}, after the copy's next offset {found}")
    wal = live.with_name(f"{live.name}.wal")
    damaged = [path for path in (live, wal, *([copy] if found is None else [])) if path.exists()]
    already = sorted(live.parent.glob(f"{live.name}.{_ASIDE}-*"))
    if len(already) >= MOST_QUARANTINED:
        names = ", ".join(path.name for path in already)
        raise _refusal(why, f"{len(already)} such files were set aside before ({names}); look after the disk")
    with mapped(live):
        moved = _moved(live, damaged)
    return Quarantined(moved, why, found or 0)


def _next_offset_of(copy: Path, agreement: Agreement, log: FactsLog, why: str) -> int | None:
    """Return the next offset of a published copy; None when there is no copy that can be read."""
    if not copy.exists() or _led_to_damage(copy):
        return None
    try:
        with closing(open_published(copy)) as connection, mapped(copy):
            check_version(stored_version(connection, copy), copy)
            check_agreement(connection, agreement, copy)
            check_calendar(connection, agreement, copy)
            read_through(connection)
            known = connection.execute(queries.FACTS_LOG).fetchall()
    except StoreDamaged:
        return None
    for topic, next_offset, identity in known:
        if (topic, identity) != (log.topic, log.identity):
            raise _refusal(why, "the copy was read from another log, which cannot be read again from there")
        return int(next_offset)
    return None


def _led_to_damage(copy: Path) -> bool:
    """Whether the file that met damage at work was itself begun from this copy.

    Reading every row does not read the indexes: a copy damaged there looks sound, and would be taken up for ever.
    """
    live = copy.with_name(LIVE)
    if not suspect(live).exists():
        return False
    published = copy.stat().st_mtime
    return any(path.stat().st_ctime > published for path in live.parent.glob(f"{LIVE}.{_ASIDE}-*"))


def _check_from_nothing(log: FactsLog, why: str) -> None:
    if log.identity.startswith(EMBEDDED_CLUSTER):
        raise _refusal(why, "there is no published copy to go on from, and an embedded broker forgets its log")
    if log.begins > 0:
        raise _refusal(why, f"there is no published copy to go on from, and {log.topic} begins at {log.begins}")


def _refusal(damage: str, why: str) -> StoreDamaged:
    return StoreDamaged(
        f"{damage}. It was not set aside: {why}. Put a backup of it back, or move it and its .wal away to go on from "
        "what there is without what is gone"
    )


def _moved(live: Path, damaged: list[Path]) -> list[Path]:
    """Rename files, each with the time at which it was last written."""
    moved = []
    with _locked(live):
        for path in damaged:
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            stamped = path.with_name(f"{path.name}.{_ASIDE}-{written:%Y%m%dT%H%M%SZ}")
            again = (stamped.with_name(f"{stamped.name}-{number}") for number in count(2))
            target = next(each for each in chain([stamped], again) if not each.exists())
            path.rename(target)
            moved.append(target)
        suspect(live).unlink(missing_ok=True)
    return moved


@contextmanager
def _locked(live: Path) -> Iterator[None]:
    """Hold the lock DuckDB takes: a ledger that opened the file meanwhile must not lose it.

    Raises:
        StoreInUse: another process holds the file.
        StoreUnavailable: another process has set it aside already.
    """
    if not live.exists():
        yield
        return
    descriptor = os.open(live, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreInUse(f"{live} is in use by another process: one ledger writes it") from error
        if not live.exists() or not os.path.samestat(os.fstat(descriptor), live.stat()):
            raise StoreUnavailable(f"{live} was set aside by another process just now; start again")
        yield
    finally:
        os.close(descriptor)
