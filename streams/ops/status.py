"""Status of an agreement, read from its published copy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from schemas.agreement import Agreement
from schemas.errors import TrucewatchError
from schemas.truceday import LONGEST_BULLETIN, from_micros, to_micros
from sinks import reading
from sinks.bulletins import BulletinTotal, bulletin_totals
from sinks.pullback import PositionFinding, PullbackDay, position_findings, pullback_days
from sinks.records import (
    Cell,
    DeclaredAct,
    DeclaredClock,
    FeedState,
    Gate,
    PlacesToCheck,
    RefusedPending,
    RejectCount,
    SilentFeed,
    VerdictChange,
    Window,
)
from sinks.rejects import RejectRate, reject_rates
from sinks.selecting import Connection
from sinks.silence import silent_feeds
from streams.ledger.core.feeds import Outcome
from streams.ops.published import opened_copy
from streams.ops.wording import counted

#: How long a status shows a final day that was amended.
AMENDED_LATELY = timedelta(days=7)


@dataclass(frozen=True)
class Status:
    """Verdicts, gate, feeds and rejects of one agreement at one instant.

    A status of the past leaves empty what is kept for the present only: feeds, their silence, outcomes,
    rejects, bulletins, positions and places to check.

    Attributes:
        now: the ledger's time.
        days: the truce-days of ``cells``.
        judged: the first and the last judged truce-day; None when there is none.
        newest: the cells of the last judged truce-day, shown or not; outlook and attention rest on them.
        windows: the regions' windows, those first that keep the gate shut.
        turns: the moments at which the gate opened or closed.
        amended: the versions of final days of the last seven days, by the ledger's time.
    """

    agreement: Agreement
    published_at: datetime | None
    now: datetime | None
    days: list[date]
    judged: tuple[date, date] | None
    windows: list[Window]
    cells: list[Cell]
    newest: list[Cell]
    gate: Gate | None
    turns: list[Gate]
    feeds: list[FeedState]
    outcomes: dict[str, int]
    rejects: list[RejectCount]
    declared: list[DeclaredAct]
    declared_clocks: list[DeclaredClock]
    bulletins: list[BulletinTotal]
    as_of: datetime | None = None
    amended: list[VerdictChange] = field(default_factory=list)
    to_check: PlacesToCheck | None = None
    refused: RefusedPending | None = None
    pullback_days: list[PullbackDay] = field(default_factory=list)
    positions: list[PositionFinding] = field(default_factory=list)
    reject_rates: list[RejectRate] = field(default_factory=list)
    silent: list[SilentFeed] = field(default_factory=list)


def read_status(
    path: Path,
    *,
    days: int | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: datetime | None = None,
) -> Status:
    """Read the status from a published copy, at present or ``as_of`` an instant.

    The truce-days shown are those from ``first`` to ``last``, each open-ended when None, and of these the last
    ``days``. The bulletins shown are of one of these days, or of none and for a period that touches them.

    Raises:
        StoreUnavailable: nothing has been published there yet, or the file cannot be read.
        UsageError: it is a file of another kind.
    """
    with opened_copy(path) as connection:
        return status_in(connection, days=days, first=first, last=last, as_of=as_of)


def status_in(
    connection: Connection,
    *,
    days: int | None = None,
    first: date | None = None,
    last: date | None = None,
    as_of: datetime | None = None,
) -> Status:
    """Return what ``read_status`` does of a published copy that is open, whatever has taken its place since."""
    span = (first or date.min, last or date.max)
    return _read(connection, days, span) if as_of is None else _read_past(connection, as_of, days, span)


def headline(path: Path) -> str:
    """Return the status in one line, fit for a log, whatever state the copy is in."""
    try:
        status = read_status(path, days=1)
    except TrucewatchError as error:
        return str(error) if path.exists() else "nothing published yet"
    return brief(status)


def brief(status: Status) -> str:
    """Return a status in one line."""
    records = counted(sum(status.outcomes.values()), "record")
    return f"{gate_sentence(status.gate)} {records}, {freshness(status.published_at)}"


def is_stale(status: Status, max_age: int | None, now: datetime | None = None) -> bool:
    """Return whether a copy is older than ``max_age`` seconds; one that was never published is."""
    if max_age is None or status.published_at is None:
        return max_age is not None
    return (now or datetime.now(UTC)) - status.published_at > timedelta(seconds=max_age)


def gate_sentence(gate: Gate | None) -> str:
    """Say whether the test holds."""
    if gate is None:
        return "The gate has not been judged yet."
    return (
        f"The gate is {'open' if gate.is_open else 'closed'}: {gate.regions_holding} of {gate.regions_needed} regions "
        f"have held {gate.required_days} days."
    )


def refused_sentence(refused: RefusedPending | None) -> str | None:
    """Say what was refused and is pending; None when nothing is, or nobody knows."""
    if refused is None or not refused.reports:
        return None
    return (
        f"{counted(refused.reports, 'refused report')} pending on {counted(refused.region_days, 'region-day')}, of "
        f"{counted(refused.gate_regions, 'gate region')}: neither accepted nor dismissed since."
    )


def silence(feed: FeedState, now: datetime | None) -> timedelta | None:
    """Return how long a feed has said nothing, by the ledger's time; None when that is not known."""
    heard = feed.last_received_at or feed.last_reported_at
    return None if now is None or heard is None else max(timedelta(0), now - heard)


def longer_bulletins(status: Status) -> list[BulletinTotal]:
    """Return the bulletins shown that are of no one day, of the monitor that the agreement measures by."""
    monitor = status.agreement.violence.bulletins_of
    return [
        each
        for each in status.bulletins
        if each.feed == monitor and to_micros(each.occurred_to) - to_micros(each.occurred_from) > LONGEST_BULLETIN
    ]


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


def _read(connection: Connection, days: int | None, span: tuple[date, date]) -> Status:
    about = reading.about(connection)
    cells = reading.grid(connection, span)
    shown, cells = _last_days(cells, days)
    feeds = reading.feeds(connection)
    outcomes = {outcome.value: sum(getattr(feed, outcome.value) for feed in feeds) for outcome in Outcome}
    history = reading.gate_history(connection)
    judged = reading.judged_days(connection)
    rejects = reading.reject_counts(connection)
    # The days asked for, judged or not: monitors published bulletins of days before the truce as well.
    asked = span if days is None else (shown[0], span[1]) if shown else None
    return Status(
        agreement=about.agreement,
        published_at=about.published_at,
        now=about.now,
        days=shown,
        judged=judged,
        windows=sorted(reading.windows(connection), key=_by_need),
        cells=cells,
        newest=reading.grid(connection, (judged[1], judged[1])) if judged else [],
        gate=reading.gate(connection),
        turns=_turns(history),
        feeds=feeds,
        # Rejects are counted from their own table: a record too broken to name its feed may be in no feed's row.
        outcomes=outcomes | {Outcome.REJECTED.value: sum(each.records for each in rejects)},
        rejects=rejects,
        reject_rates=reject_rates(connection),
        declared=reading.declarations(connection),
        declared_clocks=reading.declared_clocks(connection),
        bulletins=_bulletins(connection, about.agreement, *asked) if asked else [],
        pullback_days=pullback_days(connection, shown[0], shown[-1]) if shown else [],
        positions=position_findings(connection, shown[0], shown[-1]) if shown else [],
        amended=_amended_lately(connection, about.now),
        to_check=reading.places_to_check(connection),
        refused=reading.refused_pending(connection),
        silent=silent_feeds(connection),
    )


def _read_past(connection: Connection, as_of: datetime, days: int | None, span: tuple[date, date]) -> Status:
    about = reading.about(connection)
    # Nobody knows what will be held after the last judgement, so the status stops there.
    instant = min(as_of, about.now) if about.now else as_of
    held = reading.grid_as_of(connection, instant, (date.min, date.max))
    days_held = [cell.truce_day for cell in held]
    judged = (min(days_held), max(days_held)) if days_held else None
    shown, cells = _last_days([cell for cell in held if span[0] <= cell.truce_day <= span[1]], days)
    history = [line for line in reading.gate_history(connection) if line.recorded_at <= instant]
    return Status(
        agreement=about.agreement,
        published_at=about.published_at,
        now=instant,
        days=shown,
        judged=judged,
        windows=sorted(reading.windows_as_of(connection, instant), key=_by_need),
        cells=cells,
        newest=[cell for cell in held if judged is not None and cell.truce_day == judged[1]],
        gate=history[-1] if history else None,
        turns=_turns(history),
        feeds=[],
        outcomes={},
        rejects=[],
        declared=reading.declarations(connection, instant),
        declared_clocks=reading.declared_clocks(connection, instant),
        bulletins=[],
        as_of=as_of,
        amended=_amended_lately(connection, instant),
    )


def _amended_lately(connection: Connection, now: datetime | None) -> list[VerdictChange]:
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


def _bulletins(connection: Connection, agreement: Agreement, first: date, last: date) -> list[BulletinTotal]:
    """Return the bulletins of some truce-days; the least and the greatest date are no bound."""
    calendar = agreement.calendar
    begins = from_micros(calendar.start_of(first)) if first > date.min else None
    ends = from_micros(calendar.end_of(last)) if last < date.max else None
    return bulletin_totals(connection, first, last, begins, ends)
