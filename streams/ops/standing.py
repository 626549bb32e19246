"""How things stand: what the published copy says, read once and put together for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable, TrucewatchError
from schemas.truceday import from_micros
from sinks import reading
from sinks.opening import PUBLISHED
from sinks.pullback import FoundPosition, PullbackDay, found_positions, pullback_days
from sinks.records import (
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
from sinks.rejects import RejectRate, reject_rates
from streams.ledger.core.feeds import Outcome
from streams.ops.wording import counted

#: How long a status tells of a final day that was amended.
AMENDED_LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Tallied:
    """A monitor's own tally for a period, beside what was counted here of the regions it tells of.

    ``total`` is what it states in all, ``lines`` what its lines come to.

    ``counted`` are the incidents in scope that began in the period, in the regions the bulletin's lines name; in all
    regions where a line is for the whole country.
    """

    feed: str
    occurred_from: datetime
    occurred_to: datetime
    total: int
    at_least: bool
    lines: int
    adds_up: bool
    counted: int


@dataclass(frozen=True)
class Standing:
    """Everything a status shows.

    ``now`` is the ledger's time. ``days`` are the truce-days of ``cells``; ``judged`` the first and the last of all
    there are, None when there are none. ``windows`` holds those regions first that
    keep the gate shut. ``turns`` are the moments at which the gate opened or closed. With ``as_of`` it is how things
    were held at that instant, and what is kept for the present only is empty: feeds, outcomes, rejects, tallies,
    positions and places to check. ``amended`` are the versions of final days of the last seven days, by the ledger's
    time.
    """

    agreement: Agreement
    published_at: datetime | None
    now: datetime | None
    days: list[date]
    judged: tuple[date, date] | None
    windows: list[Window]
    cells: list[Cell]
    gate: Gate | None
    turns: list[Gate]
    feeds: list[FeedState]
    outcomes: dict[str, int]
    rejects: list[RejectCount]
    declared: list[Declared]
    declared_clocks: list[DeclaredClock]
    tallied: list[Tallied]
    as_of: datetime | None = None
    amended: list[Amended] = field(default_factory=list)
    to_check: PlacesToCheck | None = None
    pullback_days: list[PullbackDay] = field(default_factory=list)
    positions: list[FoundPosition] = field(default_factory=list)
    reject_rates: list[RejectRate] = field(default_factory=list)


def copy_path(data: Path, agreement: str) -> Path:
    """Return where an agreement's published copy lies."""
    return data / agreement / PUBLISHED


def read_standing(
    path: Path,
    *,
    days: int | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: datetime | None = None,
) -> Standing:
    """Read how things stand from a published copy, or how they were held ``as_of`` an instant.

    The truce-days shown are those from ``first`` to ``last``, each open-ended when None, and of these the last
    ``days``. Tallies are shown that are of one of these days, or of none and for a period that touches them.

    Raises:
        StoreUnavailable: nothing has been published there yet, or the file cannot be read.
        UsageError: it is a file of another kind.
    """
    check_published(path)
    connection = reading.open_published(path)
    try:
        span = (first or date.min, last or date.max)
        return _read(connection, days, span) if as_of is None else _read_held(connection, as_of, days, span)
    except duckdb.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    finally:
        connection.close()


def standing_in(connection: duckdb.DuckDBPyConnection) -> Standing:
    """Return how things stand from a published copy that is open, whatever has taken its place since."""
    return _read(connection, None, (date.min, date.max))


def check_published(path: Path) -> None:
    """Do nothing where there is a published copy.

    Raises:
        StoreUnavailable: nothing has been published there yet.
    """
    if not path.exists():
        raise StoreUnavailable(
            f"nothing has been published at {path} yet",
            "start `trucewatch up` or `trucewatch replay`, or name --data",
        )


def headline(path: Path) -> str:
    """Return one line about how things stand, fit for a log, whatever state the copy is in."""
    try:
        standing = read_standing(path, days=1)
    except TrucewatchError as error:
        return str(error) if path.exists() else "nothing published yet"
    records = counted(sum(standing.outcomes.values()), "record")
    return f"{gate_sentence(standing.gate)} {records}, {freshness(standing.published_at)}"


def gate_sentence(gate: Gate | None) -> str:
    """Say whether the test holds."""
    if gate is None:
        return "The gate has not been judged yet."
    return (
        f"The gate is {'open' if gate.is_open else 'closed'}: {gate.regions_holding} of {gate.regions_needed} regions "
        f"have held {gate.required_days} days."
    )


def silence(feed: FeedState, now: datetime | None) -> timedelta | None:
    """Return how long a feed has said nothing, by the ledger's time; None when that is not known."""
    heard = feed.last_received_at or feed.last_reported_at
    return None if now is None or heard is None else max(timedelta(0), now - heard)


def freshness(published_at: datetime | None, now: datetime | None = None) -> str:
    """Say how old a published copy is; ``now`` is the reader's clock unless given."""
    if published_at is None:
        return "not published"
    return f"published {ago((now or datetime.now(UTC)) - published_at)} ago"


def ago(span: timedelta) -> str:
    """Say a span in the largest unit of which it has two or more: ``90 s`` rather than ``1 min``."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} s"


def _read(connection: duckdb.DuckDBPyConnection, days: int | None, span: tuple[date, date]) -> Standing:
    agreement = Agreement.model_validate_json(_one(connection, "SELECT agreement FROM about"))
    about = reading.about(connection)
    cells = reading.grid(connection, span)
    shown, cells = _last_days(cells, days)
    feeds = reading.feeds(connection)
    outcomes = {outcome.value: sum(getattr(feed, outcome.value) for feed in feeds) for outcome in Outcome}
    history = reading.gate_history(connection)
    judged = connection.execute("SELECT min(truce_day), max(truce_day) FROM day_verdicts").fetchall()[0]
    # What was asked for, and not what of it was judged: monitors told of days before the truce as well.
    asked = span if days is None else (shown[0], span[1]) if shown else None
    return Standing(
        agreement=agreement,
        published_at=about.published_at,
        now=about.now,
        days=shown,
        judged=None if judged[0] is None else (judged[0], judged[1]),
        windows=sorted(reading.windows(connection), key=_by_need),
        cells=cells,
        gate=reading.gate(connection),
        turns=_turns(history),
        feeds=feeds,
        # Rejects are counted from their own table: one too broken to tell its feed need not be in any feed's row.
        outcomes=outcomes | {Outcome.REJECTED.value: int(_one(connection, "SELECT count(*) FROM rejects"))},
        rejects=reading.reject_counts(connection),
        reject_rates=reject_rates(connection),
        declared=reading.declarations(connection),
        declared_clocks=reading.declared_clocks(connection),
        tallied=_tallied(connection, agreement, *asked) if asked else [],
        pullback_days=pullback_days(connection, shown[0], shown[-1]) if shown else [],
        positions=found_positions(connection, shown[0], shown[-1]) if shown else [],
        amended=_amended_lately(connection, about.now),
        to_check=reading.places_to_check(connection),
    )


def _read_held(
    connection: duckdb.DuckDBPyConnection, as_of: datetime, days: int | None, span: tuple[date, date]
) -> Standing:
    agreement = Agreement.model_validate_json(_one(connection, "SELECT agreement FROM about"))
    about = reading.about(connection)
    # What will be held after the last judgement nobody knows: it is told as of that one.
    instant = min(as_of, about.now) if about.now else as_of
    held = reading.grid_as_of(connection, instant, (date.min, date.max))
    judged = [cell.truce_day for cell in held]
    shown, cells = _last_days([cell for cell in held if span[0] <= cell.truce_day <= span[1]], days)
    history = [line for line in reading.gate_history(connection) if line.recorded_at <= instant]
    return Standing(
        agreement=agreement,
        published_at=about.published_at,
        now=instant,
        days=shown,
        judged=(min(judged), max(judged)) if judged else None,
        windows=sorted(reading.windows_as_of(connection, instant), key=_by_need),
        cells=cells,
        gate=history[-1] if history else None,
        turns=_turns(history),
        feeds=[],
        outcomes={},
        rejects=[],
        declared=reading.declarations(connection, instant),
        declared_clocks=reading.declared_clocks(connection, instant),
        tallied=[],
        as_of=as_of,
        amended=_amended_lately(connection, instant),
    )


def _amended_lately(connection: duckdb.DuckDBPyConnection, now: datetime | None) -> list[Amended]:
    return [] if now is None else reading.amended(connection, now - AMENDED_LATELY, now)


def _last_days(cells: list[Cell], days: int | None) -> tuple[list[date], list[Cell]]:
    shown = sorted({cell.truce_day for cell in cells})
    if days is not None:
        shown = shown[-days:]
        cells = [cell for cell in cells if cell.truce_day >= shown[0]] if shown else []
    return shown, cells


def _by_need(window: Window) -> tuple[bool, int, str]:
    """Order regions by what keeps the gate shut."""
    return not window.in_gate, window.streak_days, window.region


def _turns(history: list[Gate]) -> list[Gate]:
    """Return the lines at which the gate opened or closed: its history has one for every change of reason too."""
    return [line for n, line in enumerate(history) if n == 0 or line.is_open != history[n - 1].is_open]


def _tallied(connection: duckdb.DuckDBPyConnection, agreement: Agreement, first: date, last: date) -> list[Tallied]:
    """Return the tallies of the truce-days from ``first`` to ``last``; the least and the greatest date are no bound."""
    calendar = agreement.calendar
    asked = {
        "first": first,
        "last": last,
        "begins": from_micros(calendar.start_of(first)) if first > date.min else None,
        "ends": from_micros(calendar.end_of(last)) if last < date.max else None,
    }
    return [Tallied(*row) for row in connection.execute(_TALLIED, asked).fetchall()]


#: One row per bulletin: what it states in all, or else the sum of its lines.
_TALLIED = """
SELECT feed, occurred_from, occurred_to, coalesce(any_value(stated_total), sum(bulletin_incidents))::BIGINT,
       bool_or(at_least), sum(bulletin_incidents)::BIGINT, bool_and(adds_up),
       coalesce(any_value(counted_incidents) FILTER (region IS NULL), sum(counted_incidents))::BIGINT
FROM bulletin_counts
WHERE CASE WHEN truce_day IS NOT NULL THEN truce_day BETWEEN $first AND $last
           ELSE ($ends::TIMESTAMPTZ IS NULL OR occurred_from < $ends)
                AND ($begins::TIMESTAMPTZ IS NULL OR occurred_to > $begins OR occurred_from = $begins) END
GROUP BY feed, report_id, occurred_from, occurred_to ORDER BY occurred_from, occurred_to, feed
"""


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    if row is None:
        raise StoreUnavailable("the file is empty: no ledger has written to it")
    return row[0]
