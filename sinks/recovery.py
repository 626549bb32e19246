"""Quarantine of a live file that cannot be read.

The file is set aside and never deleted. The ledger starts from the newest sound copy beside it, or from
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

from schemas.agreement import Agreement
from schemas.errors import StoreDamaged, StoreInUse, StoreUnavailable
from schemas.topics import EMBEDDED_CLUSTER
from sinks import queries
from sinks.blocks import check_blocks
from sinks.calendar import check_calendar
from sinks.faults import mapped
from sinks.migrations import check_agreement, check_current, stored_version
from sinks.opening import copies, suspect
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
    """Files in quarantine, the reason, and the copy the ledger goes on from, with its next offset.

    Without a copy the ledger reads the topic from its beginning.
    """

    files: list[Path]
    why: str
    copy: Path | None
    next_offset: int


def quarantine(live: Path, why: str, agreement: Agreement, log: FactsLog) -> Quarantined:
    """Rename a damaged live file, its write-ahead log, and damaged copies.

    The next opening begins with the newest sound copy, or else with nothing.

    Raises:
        StoreDamaged: the log no longer holds all that follows the copy, or nobody knows; nothing was moved.
        StoreUnavailable: another process has the file by now, or a copy is of newer software; nothing was moved.
        UsageError: a copy was judged by another agreement, or by the rules of an earlier version; nothing was moved.
    """
    damaged = [live, live.with_name(f"{live.name}.wal")]
    taken, next_offset = None, 0
    for copy in copies(live):
        found = _next_offset_of(copy, agreement, log, why)
        if found is not None:
            taken, next_offset = copy, found
            break
        damaged.append(copy)
    if taken is None:
        _check_from_nothing(log, why)
    elif next_offset < log.begins:
        raise _refusal(why, f"{log.topic} begins at {log.begins}, after the next offset {next_offset} of {taken.name}")
    already = sorted(live.parent.glob(f"{live.name}.{_ASIDE}-*"))
    if len(already) >= MOST_QUARANTINED:
        names = ", ".join(path.name for path in already)
        raise _refusal(why, f"{len(already)} such files were set aside before ({names}); look after the disk")
    with mapped(live):
        moved = _moved(live, [path for path in damaged if path.exists()])
    return Quarantined(moved, why, taken, next_offset)


def _next_offset_of(copy: Path, agreement: Agreement, log: FactsLog, why: str) -> int | None:
    """Return the next offset of a copy; None when it is damaged or was made before anything was read."""
    try:
        with mapped(copy):
            file = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
            try:
                check_blocks(file, copy)
            finally:
                os.close(file)
        with closing(open_published(copy)) as connection, mapped(copy):
            stored = stored_version(connection, copy)
            check_current(connection, stored, copy)
            check_agreement(connection, agreement, copy)
            check_calendar(connection, agreement, copy)
            known = connection.execute(queries.FACTS_LOG).fetchall()
    except StoreDamaged:
        return None
    for topic, next_offset, identity in known:
        if (topic, identity) != (log.topic, log.identity):
            raise _refusal(why, f"{copy.name} was read from another log, which cannot be read again from there")
        return int(next_offset)
    return None


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
