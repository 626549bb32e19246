"""What has to be settled before a store can be written: the file, its regions, and the log it goes on with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from schemas.agreement import Agreement
from schemas.errors import LogMismatch, StoreDamaged
from schemas.topics import EMBEDDED_CLUSTER
from sinks import queries
from sinks.faults import duckdb_path
from sinks.publishing import begin_with_copy, copies_begun, earlier

LIVE = "live.duckdb"
PUBLISHED = "compliance.duckdb"


@dataclass(frozen=True)
class StoreLimits:
    """What the store may take of the machine.

    ``log_bytes`` bounds the write-ahead log: beyond it a commit is followed by a checkpoint. That bounds memory, and
    the time to open after a crash.
    """

    memory: str = "512MB"
    threads: int = 2
    log_bytes: int = 128 * 1024 * 1024


def connect(live: Path, limits: StoreLimits) -> duckdb.DuckDBPyConnection:
    """Open the live file for writing, making it if need be.

    Raises:
        duckdb.Error: it is in use, unwritable or damaged.
        UsageError: DuckDB cannot name it.
    """
    connection = duckdb.connect(
        duckdb_path(live),
        config={
            # DuckDB 1.5 and the tools built on it can read the file.
            "storage_compatibility_version": "v1.5.0",
            "memory_limit": limits.memory,
            "threads": limits.threads,
            # A checkpoint of DuckDB's own choosing could fall into a copy and spoil it without a word.
            "checkpoint_threshold": "1TB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    # A query of more than two seconds would draw a bar on standard output, into whatever a command prints there.
    connection.execute("SET enable_progress_bar = false")
    return connection


def take_up_published(live: Path) -> None:
    """Begin with the newest copy where there is no live file: its offsets rewind the ledger to match.

    Raises:
        StoreDamaged: the live file is gone but its write-ahead log is not, or the copy is damaged.
        OSError: the copy cannot be made.
    """
    if live.exists():
        return
    log = live.with_name(f"{live.name}.wal")
    if log.exists():
        raise StoreDamaged(f"{live} is missing, but its log {log.name} is there")
    copy = next(copies(live), None)
    if copy is not None:
        source = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
        try:
            begin_with_copy(source, live, copy)
        finally:
            os.close(source)


def copies(live: Path) -> Iterator[Path]:
    """Yield the copies a ledger can go on from, the newest first."""
    published = live.with_name(PUBLISHED)
    return (path for path in (published, earlier(published)) if path.exists())


def clear_leftovers(live: Path) -> None:
    """Remove copies that a killed ledger left half made; only who holds the live file may."""
    for left in (*copies_begun(live), *copies_begun(live.with_name(PUBLISHED))):
        left.unlink(missing_ok=True)


def suspect(live: Path) -> Path:
    """Return the mark a ledger leaves that met damage in the middle of its work: an opening may not see it."""
    return live.with_name(f"{live.name}.suspect")


def check_unsuspected(live: Path) -> None:
    """Refuse a file the last ledger could not go on with: it would stop there again, for ever.

    A mark without a file is of one that a person has moved away, as they were told to.

    Raises:
        StoreDamaged: it was left with the mark.
    """
    if not live.exists():
        suspect(live).unlink(missing_ok=True)
    elif suspect(live).exists():
        raise StoreDamaged(f"{live} is damaged (the last ledger found so while it wrote it)")


def check_filled(stored: int, live: Path) -> None:
    """Refuse a live file without tables beside a published copy: what was published came from one that had them.

    Raises:
        StoreDamaged: it is empty, or was cut down to nothing.
    """
    if stored == 0 and live.with_name(PUBLISHED).exists():
        raise StoreDamaged(f"{live} is damaged (it is empty, but a copy of it was published)")


def name_regions(
    connection: duckdb.DuckDBPyConnection, agreement: Agreement, spellings: Mapping[str, Sequence[str]]
) -> None:
    """Write the agreement's regions; the first spelling is shown, or the code of one that has none."""
    needed, owed = set(agreement.gate_regions), set(agreement.access.regions)
    for pcode in agreement.regions:
        names = list(spellings.get(pcode) or [pcode])
        connection.execute(
            "INSERT OR REPLACE INTO regions VALUES (?, ?, ?, ?, ?)",
            [pcode, names[0], pcode in needed, pcode in owed, names],
        )


def settle_log(
    connection: duckdb.DuckDBPyConnection, live: Path, facts_topic: str, log_identity: str, *, new_log_allowed: bool
) -> bool:
    """Make sure that stored offsets are offsets of the log that is there; return whether a new log was begun.

    Raises:
        LogMismatch: they are of another log, and it is not allowed or the stored log's broker is not one that forgets.
    """
    known = connection.execute(queries.FACTS_LOG).fetchall()
    for topic, next_offset, identity in known:
        if (topic, identity) == (facts_topic, log_identity):
            return False
        # An embedded broker given by mistake must not throw away how far a real cluster was read.
        if next_offset > 0 and not (new_log_allowed and identity.startswith(EMBEDDED_CLUSTER)):
            raise LogMismatch(
                f"{live} was read from log {identity} of {topic} up to offset {next_offset}, but the broker "
                f"has log {log_identity} of {facts_topic}: connect to the broker it was read from, or start "
                "with an empty data directory to judge this log from its beginning"
            )
    # Sources are of the same broker: their offsets start anew as well.
    connection.execute("DELETE FROM sink_offsets")
    connection.execute("INSERT INTO sink_offsets VALUES (?, 0, 'facts', 0, ?, NULL)", [facts_topic, log_identity])
    # Places in the facts topic are counted on, so that fact_offset still orders everything that was learned.
    connection.execute("UPDATE ledger_state SET log_start = next_offset")
    return any(next_offset > 0 for _, next_offset, _ in known)
