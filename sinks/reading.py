"""Reading a published file: what the command line and the page show, as plain records.

Every function takes an open connection and returns records that own their values, so the connection can be
closed at once. ``records.jsonable`` turns any of them into what JSON can hold.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from schemas.errors import StoreUnavailable, UsageError
from sinks.faults import mapped
from sinks.records import (
    About,
    Amended,
    Cell,
    Declared,
    DeclaredClock,
    FeedState,
    Gate,
    PlacesToCheck,
    RejectCount,
    Window,
)
from sinks.selecting import select as _select

#: An instant asked for, or else the ledger's time.
_INSTANT = "coalesce($instant::TIMESTAMPTZ, (SELECT now FROM ledger_state))"


def open_published(path: Path | str) -> duckdb.DuckDBPyConnection:
    """Open a published file, read-only, in a database instance of its own.

    Every call reads the file that is there now, even while an earlier connection is open in this process. Queries,
    views and macros may not touch other files. The time zone is UTC. A ``cursor()`` of the connection starts outside
    of the file; a thread opens its own connection instead.

    Raises:
        UsageError: nothing was published there, or it is a file of another kind.
        StoreUnavailable: the file cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"{path} is not there: nothing has been published yet, or the data directory is another one")
    # Attached to an instance in memory: duckdb.connect(path) gives the instance that is open already, an old copy.
    connection = duckdb.connect(":memory:")
    try:
        with mapped(path):
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS published (READ_ONLY)")
            # Whoever made the file wrote its views: they may not read other files here, nor send what they find.
            connection.execute("SET enable_external_access = false")
            # A macro looks up its tables on the session's search path, not in its own file.
            connection.execute("USE published")
            connection.execute("SET TimeZone = 'UTC'")
            _check_ours(connection, path)
    except (StoreUnavailable, UsageError):
        connection.close()
        raise
    return connection


def _check_ours(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    sql = "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'published' AND table_name = 'about'"
    if connection.execute(sql).fetchall() != [(1,)]:
        raise UsageError(f"{path} is a DuckDB file, but not one that trucewatch published")


def about(connection: duckdb.DuckDBPyConnection) -> About:
    """Return what the file is."""
    return _select(
        connection,
        About,
        "SELECT agreement_id, title, schema_version, software_version, published_at, now FROM about, ledger_state",
    )[0]


def grid(connection: duckdb.DuckDBPyConnection, days: tuple[date, date] | None = None) -> list[Cell]:
    """Return the cells of every region and truce-day, or of those from the first to the last of ``days``, in order."""
    first, last = days or (date.min, date.max)
    found = _select(
        connection,
        Cell,
        "SELECT region, coalesce(name, region), truce_day, verdict, state, violence, access, incidents, "
        "incidents_out_of_scope, held_against_limit(incidents, bulletin_incidents), violence_limit, covered_share, "
        "deaths_low, deaths_best, deaths_high, version, reasons FROM day_verdicts LEFT JOIN regions ON pcode = region "
        "WHERE truce_day BETWEEN ? AND ? ORDER BY region, truce_day",
        [first, last],
    )
    return [dataclasses.replace(cell, reasons=json.loads(str(cell.reasons))) for cell in found]


def windows(connection: duckdb.DuckDBPyConnection) -> list[Window]:
    """Return the window of every region, in order of region."""
    return _select(
        connection,
        Window,
        "SELECT region, coalesce(name, region), coalesce(in_gate, false), as_of, first_day, last_day, days_met, "
        "days_broken, days_unknown, incidents, incidents_out_of_scope, deaths_best, incidents_168h, deaths_best_168h, "
        "streak_days, streak_ended_day, streak_ended_by "
        "FROM region_windows LEFT JOIN regions ON pcode = region ORDER BY region",
    )


def grid_as_of(connection: duckdb.DuckDBPyConnection, instant: datetime, days: tuple[date, date]) -> list[Cell]:
    """Return the cells as they were held at an instant."""
    found = _select(
        connection,
        Cell,
        "SELECT region, region_name, truce_day, verdict, state, violence, access, incidents, "
        "incidents_out_of_scope, held_against_limit(incidents, bulletin_incidents), violence_limit, covered_share, "
        "deaths_low, deaths_best, deaths_high, version, reasons FROM verdicts_as_of($instant) "
        "WHERE truce_day BETWEEN $first AND $last ORDER BY region, truce_day",
        {"instant": instant, "first": days[0], "last": days[1]},
    )
    return [dataclasses.replace(cell, reasons=json.loads(str(cell.reasons))) for cell in found]


def windows_as_of(connection: duckdb.DuckDBPyConnection, instant: datetime) -> list[Window]:
    """Return the window of every region as it was held at an instant, in order of region; none before the first tick.

    What fell into the trailing 168 hours is kept for the present only.
    """
    regions = [
        str(region) for (region,) in connection.execute("SELECT region FROM region_windows ORDER BY 1").fetchall()
    ]
    return [
        window
        for region in regions
        for window in _select(
            connection,
            Window,
            "SELECT region, region_name, coalesce(in_gate, false), $instant, first_day, last_day, days_met, "
            "days_broken, days_unknown, incidents, incidents_out_of_scope, deaths_best, NULL, NULL, "
            "streak_days, streak_ended_day, streak_ended_by "
            "FROM window_as_of($region, $instant) LEFT JOIN regions ON pcode = region",
            {"region": region, "instant": instant},
        )
    ]


def gate(connection: duckdb.DuckDBPyConnection) -> Gate | None:
    """Return the gate; None before it was first judged."""
    found = _gates(connection, "gate")
    return found[0] if found else None


def gate_history(connection: duckdb.DuckDBPyConnection) -> list[Gate]:
    """Return every change of the gate, in the order they were judged."""
    return _gates(connection, "gate_history")


def _gates(connection: duckdb.DuckDBPyConnection, table: str) -> list[Gate]:
    columns = "recorded_at, is_open, required_days, shortest_streak, regions_holding, regions_needed, reason"
    return _select(connection, Gate, f"SELECT {columns} FROM {table} ORDER BY tick_offset")  # noqa: S608 - a table of ours


def amended(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> list[Amended]:
    """Return the versions of final days that were made after ``since``, up to ``until``, the latest first."""
    found = _select(
        connection,
        Amended,
        "SELECT region, region_name, truce_day, version, recorded_at, verdict_before, verdict, changed, "
        "evidence_added, evidence_removed, reports, more_reports FROM verdict_changes "
        "WHERE state = 'AMENDED' AND recorded_at > ? AND recorded_at <= ? "
        "ORDER BY tick_offset DESC, region, truce_day",
        [since, until],
    )
    return [dataclasses.replace(each, changed=changed_values(each.changed)) for each in found]


def changed_values(changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what ``verdict_changes`` tells of a version with values in the place of JSON texts.

    A figure may have had no value before, as a bulletin's count has before there is a bulletin.
    """
    return [
        {**each, **{side: None if each[side] is None else json.loads(each[side]) for side in ("old", "new")}}
        for each in changed
    ]


def places_to_check(connection: duckdb.DuckDBPyConnection) -> PlacesToCheck:
    """Return how many place names wait for a person to look at them."""
    counts = "SELECT (SELECT count(*) FROM ambiguous_places), (SELECT count(*) FROM refused_places)"
    return _select(connection, PlacesToCheck, counts)[0]


def declarations(connection: duckdb.DuckDBPyConnection, instant: datetime | None = None) -> list[Declared]:
    """Return what parties declared, in the order it takes effect, as it stood at an instant: the ledger's time."""
    return _select(
        connection,
        Declared,
        "SELECT act, declared_by, effective_at, until, reported_at, feed, report_id, effect, flag "  # noqa: S608 - ours
        f"FROM declared_acts_as_of({_INSTANT}) ORDER BY effective_at, reported_at, feed, report_id",
        {"instant": instant},
    )


def declared_clocks(connection: duckdb.DuckDBPyConnection, instant: datetime | None = None) -> list[DeclaredClock]:
    """Return each party's declared clock at an instant, the ledger's time unless given, by party."""
    return _select(
        connection,
        DeclaredClock,
        "SELECT declared_by, in_force, since, until, ended_by, held_seconds, held, held_rounded, "  # noqa: S608 - ours
        f"truce_days, truce_days_met FROM declared_as_of({_INSTANT}) ORDER BY declared_by",
        {"instant": instant},
    )


def feeds(connection: duckdb.DuckDBPyConnection) -> list[FeedState]:
    """Return the health of every feed, by name."""
    return _select(connection, FeedState, "SELECT * FROM feeds ORDER BY feed")


def reject_counts(connection: duckdb.DuckDBPyConnection) -> list[RejectCount]:
    """Return how many records were rejected with each code, the most frequent first."""
    return _select(
        connection,
        RejectCount,
        "SELECT code, count(*), arg_max(hint, fact_offset), max(received_at) FROM rejects "
        "GROUP BY code ORDER BY 2 DESC, 1",
    )
