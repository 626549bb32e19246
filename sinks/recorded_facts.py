"""Recorded facts of a published file, in the ledger's order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from schemas.errors import StoreUnavailable, UsageError
from schemas.rejects import RejectCode
from schemas.truceday import Micros, from_micros, to_micros
from sinks.calendar import check_calendar
from sinks.faults import mapped
from sinks.migrations import check_current
from sinks.reading import about, open_published, region_spellings, schema_version
from sinks.selecting import Connection

#: Facts read at once, counted by place in the facts topic: some tens of megabytes of raw reports.
CHUNK = 10_000

_RECORDS = """
WITH waiting AS (
    SELECT * REPLACE (CASE WHEN NOT EXISTS (
        FROM settled_rejects s WHERE s.reject_topic = source_topic AND s.reject_partition = source_partition
            AND s.reject_offset = source_offset AND s.reject_log = source_log AND s.settled_offset < $before
    ) THEN regions END AS regions)
    FROM rejects WHERE fact_offset >= $low AND fact_offset < $high
)
SELECT fact_offset, encode(raw) AS body, epoch_us(received_at) AS received_at, type, feed, report_id,
       present AND NOT retracted AS stands, region, located_by, place_name, latitude, longitude, place_conflict,
       place_key, place_precision, NULL AS code, NULL AS regions, NULL AS occurred_from, NULL AS occurred_to,
       NULL AS may_be_incident
FROM reports WHERE fact_offset >= $low AND fact_offset < $high
UNION ALL
SELECT fact_offset, original, epoch_us(received_at), NULL, feed, report_id,
       false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, code, regions, epoch_us(occurred_from),
       epoch_us(occurred_to), may_be_incident
FROM waiting WHERE list_contains($codes::VARCHAR[], code) OR len(regions) > 0
ORDER BY fact_offset
"""

_COVERAGE = "SELECT feed, report_id, region FROM coverage ORDER BY ALL"
_BULLETINS = "SELECT feed, report_id, region FROM bulletins WHERE region IS NOT NULL ORDER BY feed, report_id, line"
_STATE = "SELECT next_offset, epoch_us(now), last_tick, pending FROM ledger_state"
#: The first fact that came after an instant, or the first tick known to. Between two ticks that left rows the stamps of
#: intake tell; beyond them they do not count, or one clock that is ahead would hide what came after it.
_AFTER = """
WITH ticks AS (
    SELECT tick_offset, recorded_at FROM day_verdict_versions UNION SELECT tick_offset, recorded_at FROM gate_history
),
facts AS (
    SELECT fact_offset, received_at FROM reports UNION ALL SELECT fact_offset, received_at FROM rejects
    UNION ALL SELECT fact_offset, received_at FROM dismissals
),
known AS (SELECT coalesce(max(tick_offset), -1) AS tick FROM ticks WHERE recorded_at <= make_timestamptz($instant))
SELECT min(place) FROM (
    SELECT fact_offset AS place FROM facts, known
    WHERE fact_offset > tick AND received_at > make_timestamptz($instant)
    UNION ALL
    SELECT tick_offset FROM ticks WHERE recorded_at > make_timestamptz($instant)
)
"""

_T = TypeVar("_T")


class Record(NamedTuple):
    """Accepted revision with its ``type``, or rejected record with its ``code`` and what its bytes still tell.

    ``received_at`` is None for what an archive's replay rejected. ``stands`` is whether it counts in the file.
    """

    fact_offset: int
    body: bytes
    received_at: Micros | None
    type: str | None
    feed: str | None
    report_id: str | None
    stands: bool
    region: str | None
    located_by: str | None
    place_name: str | None
    latitude: float | None
    longitude: float | None
    place_conflict: str | None
    place_key: str | None
    place_precision: str | None
    code: str | None
    regions: list[str] | None
    occurred_from: Micros | None
    occurred_to: Micros | None
    may_be_incident: bool | None


class Moment(NamedTuple):
    """Offset before which facts are known, and the ledger's time there."""

    before: int
    now: Micros


class RecordedFacts:
    """A published file, open for reading its facts.

    Attributes:
        agreement: the agreement the file was judged by.
        region_spellings: names of its regions by P-code, the one that is shown first.
        outside: reports of none of its regions; the file holds no more of them.
        watched: the regions of each coverage notice in force, by feed and report_id.
        bulletin_lines: the region of each line with a place, by feed and report_id of its bulletin.

    Raises:
        UsageError: it is no file of ours, or of an earlier version of the tables.
        StoreUnavailable: it cannot be read, or newer software wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_published(path)
        try:
            with mapped(path):
                self._read()
        except (StoreUnavailable, UsageError):
            self.close()
            raise

    def _read(self) -> None:
        check_current(self._connection, schema_version(self._connection), self.path)
        self.agreement = about(self._connection).agreement
        check_calendar(self._connection, self.agreement, self.path)
        self.region_spellings = region_spellings(self._connection)
        ((self.outside,),) = self._connection.execute("SELECT coalesce(sum(outside), 0)::BIGINT FROM feeds").fetchall()
        self.watched = self._regions_by_report(_COVERAGE)
        self.bulletin_lines = self._regions_by_report(_BULLETINS)
        ((self._next_offset, self._now, self._last_tick, pending),) = self._connection.execute(_STATE).fetchall()
        self._judged_to: Micros | None = json.loads(pending).get("judged_to")

    def _regions_by_report(self, sql: str) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for feed, report_id, region in self._connection.execute(sql).fetchall():
            found.setdefault((feed, report_id), []).append(region)
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def read(self, query: Callable[[Connection], _T]) -> _T:
        """Return the answer of a query on this very file, which a newer copy may have replaced meanwhile."""
        with mapped(self.path):
            return query(self._connection)

    def last_judged(self) -> Moment:
        """Return the tick at which every row of the file was judged.

        Raises:
            UsageError: the file holds no tick yet.
        """
        if self._judged_to is None:
            raise UsageError(f"{self.path}: nothing has been judged yet, so there is nothing to compare with")
        return Moment(self._last_tick, self._judged_to)

    def as_of(self, instant: datetime) -> Moment:
        """Return the ledger's state of knowledge at ``instant``, by its own time.

        Raises:
            UsageError: the file does not reach so far.
        """
        now = to_micros(instant)
        if self._now is None or now > self._now:
            reaches = f"reaches to {from_micros(self._now).isoformat()}" if self._now is not None else "holds no fact"
            raise UsageError(f"--as-of {instant.isoformat()}: {self.path} {reaches}")
        with mapped(self.path):
            ((first,),) = self._connection.execute(_AFTER, {"instant": now}).fetchall()
        return Moment(self._next_offset if first is None else first, now)

    def records(self, before: int, codes: frozenset[RejectCode]) -> Iterator[tuple[int, list[Record]]]:
        """Yield the records before a place in the facts topic, in order, each chunk with the place it reaches to.

        Args:
            codes: of rejected records, the codes wanted; those that are pending by then come whatever their code.
        """
        for low in range(0, before, CHUNK):
            high = min(low + CHUNK, before)
            parameters = {"low": low, "high": high, "codes": sorted(codes), "before": before}
            with mapped(self.path):
                rows = self._connection.execute(_RECORDS, parameters).fetchall()
            yield high, [Record(*row) for row in rows]
