"""SQL queries of the ledger, and the rows they return.

Results are always fetched to the end: an unread one would block the connection's next statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar

import duckdb

from schemas.agreement import Agreement, ViolenceRules
from schemas.rows import (
    BulletinRow,
    Claim,
    Contribution,
    ConvoyStepRow,
    CoverageRow,
    DayTallyRow,
    DayVerdict,
    Evidence,
    FeedRow,
    FeedTallyRow,
    GateRow,
    Hour,
    Identity,
    PendingReject,
    Prior,
    RedriveRow,
    Resumed,
    UncertainIncident,
)
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros, first_trailing_hour
from sinks.batches import Batches
from sinks.columns import hash_table, key_table
from sinks.selecting import select_from

FACTS_LOG = "SELECT topic, next_offset, log_identity FROM sink_offsets WHERE role = 'facts'"
SOURCES = "SELECT topic, partition, log_identity, next_offset FROM sink_offsets WHERE role = 'source'"

_PRIORS = """
SELECT r.feed, r.report_id, r.revision, r.body_digest, r.present, r.retracted, r.type,
       r.region, r.truce_day, epoch_us(r.occurred_from), r.kind, r.in_scope, r.deaths_low, r.deaths_best, r.deaths_high,
       epoch_us(r.occurred_to), r.fact_offset - $start
FROM reports r JOIN wanted_keys USING (key_hash)
WHERE $all OR r.present OR (r.key_hash, r.revision) IN (SELECT key_hash, revision FROM told)
"""

_COUNTED = """
    SELECT region, truce_day, epoch_us(occurred_from) AS low, epoch_us(occurred_to) AS high, feed, report_id, kind
    FROM reports
    WHERE type = 'incident' AND present AND NOT retracted AND in_scope
      AND ($feeds IS NULL OR list_contains($feeds::VARCHAR[], feed))
      AND fact_offset NOT IN (SELECT fact_offset FROM linked_reports)
    UNION ALL
    SELECT region, truce_day, epoch_us(occurred_from), epoch_us(occurred_to), feed, report_id, kind
    FROM linked_incidents WHERE counted AND in_scope
"""
_EARLIEST = f"""
SELECT low, feed, report_id FROM ({_COUNTED})
WHERE region = $region AND truce_day = $day AND high - low <= $surely_within
  AND ($kinds IS NULL OR list_contains($kinds::VARCHAR[], kind))
ORDER BY low, feed, report_id
LIMIT $limit
"""  # noqa: S608 - SQL of ours
_UNCERTAIN = f"SELECT * FROM ({_COUNTED}) WHERE high - low > $surely_within ORDER BY ALL"  # noqa: S608 - SQL of ours

_REFUSED = """
SELECT fact_offset - $start, feed, report_id, source_topic, source_partition, source_offset, source_log, regions,
       truce_day, may_be_incident
FROM reject_states WHERE pending ORDER BY fact_offset
"""
_SETTLED = "SELECT reject_topic, reject_partition, reject_offset, reject_log FROM settled_rejects ORDER BY ALL"

#: Of a log: the row that stands, for each day or of all.
_STANDING = "QUALIFY row_number() OVER (PARTITION BY region, truce_day ORDER BY version DESC, tick_offset DESC) = 1"
_LAST = "QUALIFY row_number() OVER (ORDER BY tick_offset DESC) = 1"

_STATE = "SELECT next_offset, epoch_us(now), last_tick, pending, term, writer FROM ledger_state"
_LAST_READ = "SELECT coalesce(max(next_offset), 0), any_value(last_digest) FROM sink_offsets WHERE role = 'facts'"

_HOURS = """
SELECT region, epoch_us(occurred_from) // $hour * $hour AS hour, count(*),
       coalesce(sum(coalesce(deaths_best, deaths_low)), 0)::BIGINT,
       count(*) - count(coalesce(deaths_low, deaths_best, deaths_high))
FROM (
    SELECT region, occurred_from, deaths_low, deaths_best, deaths_high FROM reports
    WHERE type = 'incident' AND present AND NOT retracted AND in_scope
      AND ($feeds IS NULL OR list_contains($feeds::VARCHAR[], feed))
      AND fact_offset NOT IN (SELECT fact_offset FROM linked_reports)
    UNION ALL
    SELECT region, occurred_from, deaths_low, deaths_best, deaths_high FROM linked_incidents WHERE counted AND in_scope
)
WHERE occurred_from >= make_timestamptz($oldest)
GROUP BY ALL ORDER BY ALL
"""

_TOLD = """
SELECT region, truce_day, feed, count(*) FROM reports
WHERE type = 'incident' AND present AND NOT retracted GROUP BY ALL ORDER BY ALL
"""

_REPORTING = "SELECT DISTINCT region, truce_day, feed FROM reports WHERE type = 'incident' ORDER BY ALL"

_CELLS = """
SELECT DISTINCT region, floor(epoch_us(occurred_from) / $day)::BIGINT FROM reports
WHERE type = 'incident' AND present AND merged_into IS NULL ORDER BY ALL
"""
_CLAIMS = """
SELECT fact_offset - $start, feed, merged_into, same_as FROM reports
WHERE type = 'incident' AND present AND (same_as IS NOT NULL OR merged_into IS NOT NULL) ORDER BY fact_offset
"""
_LINKED = "SELECT fact_offset - $start FROM linked_reports ORDER BY ALL"

_COLUMNS = """
SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND NOT internal ORDER BY column_index
"""

_R = TypeVar("_R", bound=NamedTuple)


def log_start(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the place in the count of facts at which the present log begins."""
    ((start,),) = connection.execute("SELECT log_start FROM ledger_state").fetchall()
    return int(start)


def resume(connection: duckdb.DuckDBPyConnection, agreement: Agreement, log_start: int) -> Resumed:
    """Return the state of the last commit, with places in the facts topic counted from ``log_start``."""
    ((next_offset, now, last_tick, pending, term, writer),) = connection.execute(_STATE).fetchall()
    ((next_record, last_digest),) = connection.execute(_LAST_READ).fetchall()
    sources = connection.execute(SOURCES).fetchall()
    verdicts = rows_of(connection, "verdict_log", DayVerdict, _STANDING)
    gates = rows_of(connection, "gate_history", GateRow, _LAST)
    return Resumed(
        next_offset=next_offset - log_start,
        next_record=next_record,
        origins={(topic, partition, log): following - 1 for topic, partition, log, following in sources},
        now=now,
        last_tick=last_tick - log_start,
        tallies=rows_of(connection, "day_tallies", DayTallyRow),
        feed_tallies=rows_of(connection, "feed_tallies", FeedTallyRow),
        hours=_hours(connection, agreement, now),
        convoy_steps=rows_of(connection, "convoy_events", ConvoyStepRow),
        coverage=rows_of(connection, "coverage", CoverageRow),
        bulletins=rows_of(connection, "bulletins", BulletinRow),
        told=connection.execute(_TOLD).fetchall(),
        uncertain=_uncertain(connection, agreement),
        verdicts=[row._replace(tick_offset=row.tick_offset - log_start) for row in verdicts],
        gate=gates[0]._replace(tick_offset=gates[0].tick_offset - log_start) if gates else None,
        feeds=rows_of(connection, "feeds", FeedRow),
        redrives=rows_of(connection, "redrives", RedriveRow),
        refused=[PendingReject(*row) for row in connection.execute(_REFUSED, {"start": log_start}).fetchall()],
        settled=connection.execute(_SETTLED).fetchall(),
        pending=pending,
        last_digest=last_digest,
        term=term,
        writer=writer,
        **(_of_linking(connection, log_start) if agreement.linking else {}),
    )


def present_verdicts(connection: duckdb.DuckDBPyConnection) -> list[DayVerdict]:
    """Return the rows of ``day_verdicts``, with each tick's place as the file counts it."""
    instead = {"recorded_at": "epoch_us(recorded_at)", "new_version": "true"}
    return select_from(connection, DayVerdict, "day_verdicts", **instead)


def priors(
    connection: duckdb.DuckDBPyConnection,
    batches: Batches,
    wanted: Mapping[Identity, int],
    told: Collection[tuple[int, int]] | None,
    log_start: int,
) -> dict[tuple[str, str], Prior]:
    """Return the known revisions of each identity of ``wanted``, given with its key hash; unknown ones are left out.

    Of the revisions that do not stand only those ``told`` with their key hashes are read, all where it is None.
    """
    if not wanted:
        return {}
    revisions = key_table(("key_hash", "revision"), list(told or [(0, 0)]))
    with batches.holding(wanted_keys=hash_table(wanted.values()), told=revisions):
        rows = connection.execute(_PRIORS, {"start": log_start, "all": told is None}).fetchall()
    digests: dict[tuple[str, str], dict[int, int]] = {}
    present: dict[tuple[str, str], tuple[int, str, Contribution | None, int]] = {}
    for feed, report_id, revision, digest, stands, retracted, report_type, *adds, place in rows:
        identity = (feed, report_id)
        if identity not in wanted:
            continue  # another identity with the same hash
        digests.setdefault(identity, {})[revision] = digest
        if stands:
            counts = report_type == "incident" and not retracted
            present[identity] = revision, report_type, Contribution._make(adds) if counts else None, place
    return {
        identity: Prior(revision, digests[identity], report_type, contribution, place)
        for identity, (revision, report_type, contribution, place) in present.items()
    }


def earliest(
    connection: duckdb.DuckDBPyConnection,
    rules: ViolenceRules,
    region: str,
    day: date,
    kinds: tuple[str, ...] | None,
    limit: int,
) -> list[Evidence]:
    """Return the first ``limit`` incidents that count and surely happened on a day, by start, feed, report_id.

    ``kinds`` are those that count, all where it is None.
    """
    asked = {
        **_counting(rules),
        "region": region,
        "day": day,
        "kinds": None if kinds is None else list(kinds),
        "limit": limit,
    }
    return [Evidence(*row) for row in connection.execute(_EARLIEST, asked).fetchall()]


def _counting(rules: ViolenceRules) -> dict[str, Any]:
    return {"feeds": list(rules.feeds) or None, "surely_within": rules.surely_within_hours * MICROS_PER_HOUR}


def _uncertain(connection: duckdb.DuckDBPyConnection, agreement: Agreement) -> list[UncertainIncident]:
    """Return the incidents that count of which no day is certain."""
    rows = connection.execute(_UNCERTAIN, _counting(agreement.violence)).fetchall()
    # A correction may have moved one out of the agreement.
    return [row for row in map(UncertainIncident._make, rows) if row.region in agreement.regions]


def _of_linking(connection: duckdb.DuckDBPyConnection, log_start: int) -> dict[str, Any]:
    """Return the fields of ``Resumed`` that only linking needs."""
    start = {"start": log_start}
    return {
        "reporting": connection.execute(_REPORTING).fetchall(),
        "cells": connection.execute(_CELLS, {"day": MICROS_PER_DAY}).fetchall(),
        "claims": [Claim._make(row) for row in connection.execute(_CLAIMS, start).fetchall()],
        "linked": [place for (place,) in connection.execute(_LINKED, start).fetchall()],
    }


def rows_of(
    connection: duckdb.DuckDBPyConnection, table: str, row_type: Callable[..., _R], which: str = ""
) -> list[_R]:
    """Return the rows of a table, all or ``which``, in the order of its columns; instants as microseconds."""
    columns = connection.execute(_COLUMNS, [table]).fetchall()
    names = ", ".join(f"epoch_us({name})" if kind.startswith("TIMESTAMP") else name for name, kind in columns)
    found: list[tuple[Any, ...]] = connection.execute(f"SELECT {names} FROM {table} {which} ORDER BY ALL").fetchall()  # noqa: S608 - a table of ours
    return [row_type(*row) for row in found]


def _hours(connection: duckdb.DuckDBPyConnection, agreement: Agreement, now: Micros | None) -> list[Hour]:
    """Return the clock hours of the trailing window, and any later ones, that incidents in scope began in."""
    # Before the first tick nobody knows where the window will end: every hour counts still.
    oldest = 0 if now is None else first_trailing_hour(now)
    parameters = {"hour": MICROS_PER_HOUR, "oldest": oldest, "feeds": list(agreement.violence.feeds) or None}
    return [Hour(*row) for row in connection.execute(_HOURS, parameters).fetchall()]
