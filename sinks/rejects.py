"""Rejects read from a published file: chosen, counted, and how fast they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

#: Rows fetched at once: an original may have megabytes.
_BATCH = 100


@dataclass(frozen=True)
class Reject:
    """A rejected record and what became of it since.

    ``id`` is its ``fact_offset``. ``redrives`` is for which time it was last published again, 0 when it never was;
    ``of_redrive`` says that it is itself an earlier reject published again. ``report_known`` says that a report of its
    feed and report_id was accepted. Of a record too large to be passed on
    ``original`` holds less than ``original_bytes``.
    """

    id: int
    code: str
    feed: str | None
    report_id: str | None
    received_at: datetime | None
    hint: str
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_log: str | None
    original_bytes: int
    redrives: int
    redriven_at: datetime | None
    redrive_outcome: str | None
    redrive_offset: int | None
    of_redrive: bool
    dismissed_at: datetime | None
    dismissed_by: str | None
    dismissal_reason: str | None
    report_known: bool
    regions: list[str] | None
    truce_day: date | None
    pending: bool
    original: bytes

    @property
    def whole(self) -> bool:
        """Whether the file holds all of its bytes."""
        return len(self.original) == self.original_bytes


@dataclass(frozen=True)
class Choice:
    """Which rejects are meant; what is None is no condition."""

    ids: tuple[int, ...] | None = None
    code: str | None = None
    feed: str | None = None
    since: datetime | None = None
    pending: bool = False


@dataclass(frozen=True)
class RejectShare:
    """How many of the rejects chosen have one code and come from one feed, and how many wait for somebody."""

    code: str
    feed: str | None
    records: int
    not_redriven: int
    last_received_at: datetime | None


@dataclass(frozen=True)
class RejectRate:
    """Rejects received in the last ``hours`` of the ledger's time, and in how many hours before how many.

    ``hours_before`` ends where the last ones begin, and begins no earlier than the first record did.
    """

    hours: int
    rejects: int
    hours_before: float
    rejects_before: int


_CHOSEN = """
FROM reject_states
WHERE ($ids IS NULL OR list_contains($ids::BIGINT[], fact_offset)) AND ($code IS NULL OR code = $code)
  AND ($feed IS NULL OR feed = $feed) AND ($since IS NULL OR received_at >= $since::TIMESTAMPTZ)
  AND (NOT $pending OR pending)
"""

_ROWS = f"""
SELECT fact_offset, code, feed, report_id, received_at, hint, source_topic, source_partition, source_offset, source_log,
       original_bytes, redrives, redriven_at, redrive_outcome, redrive_offset, of_redrive,
       dismissed_at, dismissed_by, dismissal_reason, report_known, regions, truce_day, pending,
       CASE WHEN $bytes THEN original ELSE ''::BLOB END
{_CHOSEN}
ORDER BY fact_offset DESC LIMIT $limit OFFSET $offset
"""

_SHARES = f"""
SELECT code, feed, count(*), count(*) FILTER (redrives = 0), max(received_at)
{_CHOSEN}
GROUP BY ALL ORDER BY 3 DESC, 1, 2
"""

_RATE = """
WITH times AS (SELECT max(now) AS now FROM ledger_state),
     heard AS (SELECT min(received_at) AS first FROM
        (SELECT received_at FROM reports UNION ALL SELECT received_at FROM rejects)),
     span AS (SELECT now - to_hours($hours) AS turn, greatest(now - to_hours($hours + $reach), first) AS start, now
        FROM times, heard)
SELECT $hours, count(*) FILTER (received_at > turn), greatest(0, epoch(any_value(turn - start)) / 3600),
       count(*) FILTER (received_at <= turn AND received_at >= start)
FROM rejects, span WHERE received_at >= start
"""

#: The last hour against the day before it, the last day against the week before it.
RATES = ((1, 24), (24, 168))


def rejects(
    connection: duckdb.DuckDBPyConnection,
    choice: Choice,
    *,
    limit: int | None = None,
    offset: int = 0,
    with_bytes: bool = True,
) -> Iterator[Reject]:
    """Yield the rejects chosen, newest first, with their bytes or without; ``offset`` leaves out the first ones."""
    paged = {"limit": limit if limit is not None else 2**62, "offset": offset, "bytes": with_bytes}
    values = {**_values(choice), **paged}
    with connection.cursor() as cursor:
        # A cursor begins anew, in the database in memory.
        cursor.execute("USE published")
        cursor.execute("SET TimeZone = 'UTC'")
        found = cursor.execute(_ROWS, values)
        while rows := found.fetchmany(_BATCH):
            yield from (Reject(*row) for row in rows)


def reject_shares(connection: duckdb.DuckDBPyConnection, choice: Choice) -> list[RejectShare]:
    """Return how many rejects chosen there are by code and feed, the most first."""
    return [RejectShare(*row) for row in connection.execute(_SHARES, _values(choice)).fetchall()]


def reject_rates(connection: duckdb.DuckDBPyConnection) -> list[RejectRate]:
    """Return how many rejects came lately and before, by the ledger's time; none carry a time in a replay."""
    found = []
    for hours, reach in RATES:
        rows = connection.execute(_RATE, {"hours": hours, "reach": reach}).fetchall()
        found += [RejectRate(*row) for row in rows if row[2] is not None]
    return found


def _values(choice: Choice) -> dict[str, Any]:
    ids = None if choice.ids is None else list(choice.ids)
    return {"ids": ids, "code": choice.code, "feed": choice.feed, "since": choice.since, "pending": choice.pending}
