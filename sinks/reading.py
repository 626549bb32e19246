"""Queries on a published file that return plain records.

Every function takes an open connection. Its records own their values, so the connection can be closed
at once. ``records.jsonable`` turns a record into JSON's types.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable, UsageError
from sinks.faults import duckdb_path, mapped, of_duckdb
from sinks.records import (
    About,
    Cell,
    DayFact,
    DeclaredAct,
    DeclaredClock,
    FeedState,
    Gate,
    PartyLine,
    PlacesToCheck,
    RefusedPending,
    RejectCount,
    VerdictChange,
    WatchedUntil,
    Window,
)
from sinks.selecting import Connection, select, select_from

#: Query that a command offers for a first look at the verdicts.
EXAMPLE_QUERY = "SELECT region, truce_day, verdict, incidents, violence_limit FROM day_verdicts ORDER BY ALL"

#: Of a row joined with its region: the name, and whether the gate needs it.
_NAMED, _IN_GATE = "coalesce(name, region)", "coalesce(in_gate, false)"
#: An instant asked for, or else the ledger's time.
_INSTANT = "coalesce($instant::TIMESTAMPTZ, (SELECT now FROM ledger_state))"


def open_published(path: Path | str, memory: str | None = None) -> Connection:
    """Open a published file, read-only, in a database instance of its own.

    Every call reads the file that is there now, even while an earlier connection is open in this process. Queries,
    views and macros may not touch other files. The time zone is UTC. A ``cursor()`` of the connection starts outside
    of the file; a thread opens its own connection instead. ``memory`` is as much as DuckDB may take, on one thread
    and without writing to the disk; otherwise it keeps what exceeds its memory in the folder of temporary files.

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
            quoted = duckdb_path(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS published (READ_ONLY)")
            # DuckDB would keep what exceeds its memory in the working directory.
            spill = "" if memory else str(Path(tempfile.gettempdir()) / f"trucewatch-{secrets.token_hex(8)}")
            connection.execute("SET temp_directory = $spill", {"spill": spill})
            # Whoever made the file wrote its views: they may not read other files here, nor send what they find.
            connection.execute("SET enable_external_access = false")
            # A macro looks up its tables on the session's search path, not in its own file.
            connection.execute("USE published")
            connection.execute("SET TimeZone = 'UTC'")
            # It would be drawn on standard output, into a command's JSON.
            connection.execute("SET enable_progress_bar = false")
            if memory is not None:
                connection.execute("SET threads = 1")
                connection.execute("SET memory_limit = $memory", {"memory": memory})
            _check_ours(connection, path)
    except (StoreUnavailable, UsageError):
        connection.close()
        raise
    return connection


@contextmanager
def published(path: Path) -> Iterator[Connection]:
    """Open a published file for the length of a block; errors of the block's queries name the file.

    Raises:
        UsageError: nothing was published there, or it is a file of another kind.
        StoreUnavailable: the file cannot be read.
    """
    connection = open_published(path)
    try:
        with asking(path):
            yield connection
    finally:
        connection.close()


@contextmanager
def asking(path: Path) -> Iterator[None]:
    """Turn errors of the block's queries into ours that name the file.

    Raises:
        StoreUnavailable: the file cannot be read.
    """
    try:
        yield
    except duckdb.Error as error:
        raise of_duckdb(error, path) from error


def _check_ours(connection: Connection, path: Path) -> None:
    sql = "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'published' AND table_name = 'about'"
    if connection.execute(sql).fetchall() != [(1,)]:
        raise UsageError(f"{path} is a DuckDB file, but not one that trucewatch published")


def about(connection: Connection) -> About:
    """Return the agreement the file was judged by, and how far it reaches.

    Raises:
        StoreUnavailable: no ledger has written to the file, or this version cannot read its agreement.
    """
    text, published_at, now = _only_row(connection, "SELECT agreement, published_at, now FROM about, ledger_state")
    try:
        return About(Agreement.model_validate_json(text), published_at, now)
    except ValidationError as error:
        raise StoreUnavailable("the published file holds no agreement that this version can read") from error


def file_id(connection: Connection) -> str:
    """Return the name that a file and its copies have in common.

    Raises:
        StoreUnavailable: no ledger has written to the file.
    """
    return str(_only_row(connection, "SELECT file_id FROM about")[0])


def schema_version(connection: Connection) -> int:
    """Return the version of the file's tables.

    Raises:
        StoreUnavailable: no ledger has written to the file.
    """
    return int(_only_row(connection, "SELECT schema_version FROM about")[0])


def _only_row(connection: Connection, sql: str) -> tuple[Any, ...]:
    found = connection.execute(sql).fetchall()
    if len(found) != 1:
        raise StoreUnavailable("the published file is empty: no ledger has written to it")
    return tuple(found[0])


def region_spellings(connection: Connection) -> dict[str, list[str]]:
    """Return every name of each region, the one that is shown first, by P-code and in its order."""
    return dict(connection.execute("SELECT pcode, spellings FROM regions ORDER BY pcode").fetchall())


def present_reports(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield the highest revision of each report in a published file: its raw text, type, feed and report_id.

    Raises:
        UsageError: nothing was published there, or it is a file of another kind.
        StoreUnavailable: the file cannot be read.
    """
    with published(path) as connection:
        found = connection.execute("SELECT raw, type, feed, report_id FROM reports WHERE present")
        while rows := found.fetchmany(1_000):
            yield from rows


def present_report(path: Path, feed: str, report_id: str) -> bytes | None:
    """Return the raw text of a report's highest revision in a published file; None where there is none.

    Raises:
        UsageError: nothing was published there, or it is a file of another kind.
        StoreUnavailable: the file cannot be read.
    """
    with published(path) as connection:
        sql = "SELECT raw FROM reports WHERE present AND feed = ? AND report_id = ?"
        found: list[tuple[str]] = connection.execute(sql, [feed, report_id]).fetchall()
    return found[0][0].encode() if found else None


def present_revisions(path: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """Return revision and digest of the body of each report in a published file, by feed and report_id.

    Raises:
        UsageError: it is a file of another kind.
        StoreUnavailable: the file cannot be read.
    """
    with published(path) as connection:
        rows = connection.execute("SELECT feed, report_id, revision, body_digest FROM reports WHERE present").fetchall()
    return {(feed, report_id): (revision, digest) for feed, report_id, revision, digest in rows}


def judged_days(connection: Connection) -> tuple[date, date] | None:
    """Return the first and the last judged truce-day; None before the first judgement."""
    ((first, last),) = connection.execute("SELECT min(truce_day), max(truce_day) FROM day_verdicts").fetchall()
    return None if first is None else (first, last)


def grid(connection: Connection, days: tuple[date, date] | None = None) -> list[Cell]:
    """Return the cells of every region and truce-day, or of those from the first to the last of ``days``, in order."""
    return _cells(connection, _NAMED, "day_verdicts LEFT JOIN regions ON pcode = region", days or (date.min, date.max))


def grid_as_of(connection: Connection, instant: datetime, days: tuple[date, date]) -> list[Cell]:
    """Return the cells as they were held at an instant."""
    return _cells(connection, "region_name", "verdicts_as_of($instant)", days, instant=instant)


def _cells(
    connection: Connection, named: str, source: str, days: tuple[date, date], **parameters: datetime
) -> list[Cell]:
    found = select_from(
        connection,
        Cell,
        f"{source} WHERE truce_day BETWEEN $first AND $last ORDER BY region, truce_day",
        {"first": days[0], "last": days[1], **parameters},
        region_name=named,
        counted="held_against_limit(incidents_sure, bulletin_incidents)",
        counted_possible="held_against_limit(incidents_possible, 0)",
    )
    return [dataclasses.replace(cell, reasons=json.loads(str(cell.reasons))) for cell in found]


def windows(connection: Connection) -> list[Window]:
    """Return the window of every region, in order of region."""
    source = "region_windows LEFT JOIN regions ON pcode = region ORDER BY region"
    return select_from(connection, Window, source, region_name=_NAMED, in_gate=_IN_GATE)


def windows_as_of(connection: Connection, instant: datetime) -> list[Window]:
    """Return the window of every region as it was held at an instant, in order of region; none before the first tick.

    The figures of the trailing 168 hours are kept for the present only.
    """
    regions = select(connection, str, "SELECT region FROM region_windows ORDER BY 1")
    return [
        window
        for region in regions
        for window in select_from(
            connection,
            Window,
            "window_as_of($region, $instant) LEFT JOIN regions ON pcode = region",
            {"region": region, "instant": instant},
            in_gate=_IN_GATE,
            as_of="$instant",
            incidents_168h="NULL",
            deaths_best_168h="NULL",
        )
    ]


def gate(connection: Connection) -> Gate | None:
    """Return the gate; None before it was first judged."""
    found = _gates(connection, "gate")
    return found[0] if found else None


def gate_history(connection: Connection) -> list[Gate]:
    """Return every change of the gate, in the order they were judged."""
    return _gates(connection, "gate_history")


def _gates(connection: Connection, table: str) -> list[Gate]:
    return select_from(connection, Gate, f"{table} ORDER BY tick_offset")


def amended(connection: Connection, since: datetime, until: datetime) -> list[VerdictChange]:
    """Return the versions of final days that were made after ``since``, up to ``until``, the latest first."""
    return _changes(connection, "state = 'AMENDED' AND recorded_at > ? AND recorded_at <= ?", [since, until])


def latest_changes(connection: Connection, most: int) -> list[VerdictChange]:
    """Return the last versions with another verdict than the one before, the latest first.

    The first version of a day counts where it is BROKEN, because every day begins UNKNOWN.
    """
    turned = "verdict IS DISTINCT FROM verdict_before AND (verdict_before IS NOT NULL OR verdict = 'BROKEN')"
    return _changes(connection, turned, [], most)


def changes_between(connection: Connection, since: datetime, until: datetime) -> list[VerdictChange]:
    """Return the versions made from ``since`` on and before ``until``, the latest first, but each day's first one."""
    return _changes(connection, "version > 1 AND recorded_at >= ? AND recorded_at < ?", [since, until])


def _changes(connection: Connection, which: str, values: list[Any], most: int = 2**62) -> list[VerdictChange]:
    source = f"verdict_changes WHERE {which} ORDER BY tick_offset DESC, region, truce_day LIMIT ?"
    found = select_from(connection, VerdictChange, source, [*values, most])
    return [dataclasses.replace(each, changed=changed_values(each.changed)) for each in found]


def watched_until(connection: Connection) -> list[WatchedUntil]:
    """Return until when each feed watched each region, by feed and region."""
    return select_from(
        connection,
        WatchedUntil,
        "coverage LEFT JOIN regions ON pcode = region GROUP BY feed, region ORDER BY feed, region",
        region_name="coalesce(any_value(name), region)",
        watched_until="max(occurred_to)",
        notices="count(*)",
    )


def party_lines(connection: Connection, since: datetime) -> list[PartyLine]:
    """Return violations by accused party since an instant, beside each monitor's own count."""
    return select_from(connection, PartyLine, "violations_since($since)", {"since": since})


def day_facts(connection: Connection, region: str, day: date) -> list[DayFact]:
    """Return what is known of a region's truce-day, a line for each fact."""
    return select_from(connection, DayFact, "explain_day($region, $day)", {"region": region, "day": day})


def changed_values(changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes of a row of ``verdict_changes`` with values in the place of JSON texts.

    A figure may have had no value before, as a bulletin's count has before there is a bulletin.
    """
    return [
        {**each, **{side: None if each[side] is None else json.loads(each[side]) for side in ("old", "new")}}
        for each in changed
    ]


def places_to_check(connection: Connection) -> PlacesToCheck:
    """Return how many place names wait for a person to look at them."""
    counts = "SELECT (SELECT count(*) FROM ambiguous_places), (SELECT count(*) FROM refused_places)"
    return select(connection, PlacesToCheck, counts)[0]


def refused_pending(connection: Connection) -> RefusedPending:
    """Return how many refused reports are pending, on how many truce-days of regions, and of how many gate regions.

    Judged days alone count: one that is pending before the truce, after its end or on a day to come has marked no
    verdict, though ``rejects list --pending`` lists it.
    """
    counts = """
    SELECT count(DISTINCT CASE WHEN feed IS NULL OR report_id IS NULL
                          THEN fact_offset::VARCHAR ELSE feed || '/' || report_id END),
           count(DISTINCT (region, truce_day)), count(DISTINCT region) FILTER (in_gate)
    FROM pending_rejects
    JOIN (SELECT region, truce_day FROM day_verdicts) judged USING (region, truce_day)
    LEFT JOIN regions ON pcode = region
    """
    return select(connection, RefusedPending, counts)[0]


def declarations(connection: Connection, instant: datetime | None = None) -> list[DeclaredAct]:
    """Return the acts that parties declared by an instant, the ledger's time unless given, as they take effect."""
    source = f"declared_acts_as_of({_INSTANT}) ORDER BY effective_at, reported_at, feed, report_id"
    return select_from(connection, DeclaredAct, source, {"instant": instant})


def declared_clocks(connection: Connection, instant: datetime | None = None) -> list[DeclaredClock]:
    """Return each party's declared clock at an instant, the ledger's time unless given, by party."""
    source = f"declared_as_of({_INSTANT}) ORDER BY declared_by"
    return select_from(connection, DeclaredClock, source, {"instant": instant})


def feeds(connection: Connection) -> list[FeedState]:
    """Return the health of every feed, by name."""
    return select_from(connection, FeedState, "feeds ORDER BY feed")


def reject_counts(connection: Connection) -> list[RejectCount]:
    """Return how many records were rejected with each code, the most frequent first."""
    return select_from(
        connection,
        RejectCount,
        "rejects GROUP BY code ORDER BY 2 DESC, 1",
        records="count(*)",
        hint="arg_max(hint, fact_offset)",
        last_received_at="max(received_at)",
    )
