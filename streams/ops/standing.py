"""How things stand: what the published copy says, read once and put into plain values for whoever shows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable

COPY_NAME = "compliance.duckdb"


@dataclass(frozen=True)
class Cell:
    """The verdict of one region and truce-day. ``deciding`` names the legs the verdict rests on."""

    region: str
    day: date
    verdict: str
    state: str
    violence: str
    access: str
    incidents: int
    incidents_out_of_scope: int
    limit: float
    deaths_best: int
    covered_share: float
    version: int
    texts: dict[str, str]

    @property
    def deciding(self) -> tuple[str, ...]:
        """The legs whose finding is the verdict: both, one, or none when access is not owed."""
        return tuple(
            leg for leg, found in (("violence", self.violence), ("access", self.access)) if found == self.verdict
        )


@dataclass(frozen=True)
class Region:
    """A region, its streak and its trailing window."""

    pcode: str
    name: str
    in_gate: bool
    access_owed: bool
    streak_days: int
    streak_ended_day: date | None
    streak_ended_by: str | None
    incidents_168h: int


@dataclass(frozen=True)
class Gate:
    """The gate as last judged."""

    is_open: bool
    required_days: int
    shortest_streak: int
    regions_holding: int
    regions_needed: int
    reason: str
    recorded_at: datetime


@dataclass(frozen=True)
class Turn:
    """The gate opening or closing."""

    recorded_at: datetime
    is_open: bool
    reason: str


@dataclass(frozen=True)
class Feed:
    """One feed: when it last spoke, how long it has been silent by the ledger's time, what became of its records."""

    feed: str
    last_reported_at: datetime | None
    last_received_at: datetime | None
    silent: timedelta | None
    accepted: int
    corrected: int
    retracted: int
    duplicate: int
    superseded: int
    rejected: int


@dataclass(frozen=True)
class Declared:
    """What a party declared of the truce."""

    effective_at: datetime
    until: datetime | None
    act: str
    declared_by: str
    feed: str


@dataclass(frozen=True)
class Told:
    """A monitor's own tally for a period, beside the incidents counted here that began in it."""

    feed: str
    occurred_from: datetime
    occurred_to: datetime
    total: int
    at_least: bool
    counted: int


@dataclass(frozen=True)
class Standing:
    """Everything a status shows. ``now`` is the ledger's time; ``days`` are the truce-days of ``cells``."""

    agreement: Agreement
    published_at: datetime | None
    now: datetime | None
    days: list[date]
    regions: list[Region]
    cells: list[Cell]
    gate: Gate | None
    turns: list[Turn]
    feeds: list[Feed]
    outcomes: dict[str, int]
    rejects: dict[str, int]
    declared: list[Declared]
    told: list[Told]


def copy_path(data: Path, agreement: str) -> Path:
    """Return where an agreement's published copy lies."""
    return data / agreement / COPY_NAME


def read_standing(
    path: Path, *, days: int | None = None, first: date | None = None, last: date | None = None
) -> Standing:
    """Read how things stand from a published copy.

    The truce-days shown are those from ``first`` to ``last``, each open-ended when None, and of these the last
    ``days``.

    Raises:
        StoreUnavailable: there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise StoreUnavailable(
            f"nothing has been published at {path} yet; start `trucewatch up` or `trucewatch replay`, or name --data"
        )
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return _read(connection, days, first, last)
    except duckdb.Error as error:
        raise StoreUnavailable(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def headline(path: Path) -> str:
    """Return one line about how things stand, fit for a log; never raises for a copy that is not there yet."""
    try:
        standing = read_standing(path, days=1)
    except StoreUnavailable:
        return "nothing published yet"
    counted = sum(standing.outcomes.values())
    return f"{gate_sentence(standing.gate)} {counted:,} records, {freshness(standing.published_at)}"


def gate_sentence(gate: Gate | None) -> str:
    """Say whether the test holds and why."""
    if gate is None:
        return "The gate has not been judged yet."
    state = "open" if gate.is_open else "closed"
    return (
        f"The gate is {state}: {gate.regions_holding} of {gate.regions_needed} regions have held "
        f"{gate.required_days} days."
    )


def freshness(published_at: datetime | None, now: datetime | None = None) -> str:
    """Say how old a published copy is, in one unit."""
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


def _read(connection: duckdb.DuckDBPyConnection, days: int | None, first: date | None, last: date | None) -> Standing:
    about = _rows(connection, "SELECT agreement, published_at FROM about")
    if not about:
        raise StoreUnavailable("the file is empty: no ledger has written to it")
    agreement = Agreement.model_validate_json(about[0]["agreement"])
    state = _rows(connection, "SELECT now FROM ledger_state")
    now: datetime | None = state[0]["now"] if state else None
    shown: list[date] = [
        row["truce_day"]
        for row in _rows(
            connection,
            "SELECT DISTINCT truce_day FROM day_verdicts WHERE truce_day >= coalesce(?, truce_day) "
            "AND truce_day <= coalesce(?, truce_day) ORDER BY truce_day",
            [first, last],
        )
    ]
    if days is not None:
        shown = shown[-days:]
    gate = _rows(connection, f"SELECT {', '.join(Gate.__annotations__)} FROM gate")  # noqa: S608 - our own field names
    feeds = [_feed(row, now) for row in _rows(connection, _FEEDS)]
    outcomes = _rows(connection, _OUTCOMES)[0]
    return Standing(
        agreement=agreement,
        published_at=about[0]["published_at"],
        now=now,
        days=shown,
        regions=[Region(**row) for row in _rows(connection, _REGIONS)],
        cells=[_cell(row) for row in _rows(connection, _CELLS, [shown[0], shown[-1]])] if shown else [],
        gate=Gate(**gate[0]) if gate else None,
        turns=[Turn(**row) for row in _rows(connection, _TURNS)],
        feeds=feeds,
        outcomes={name: int(count or 0) for name, count in outcomes.items()},
        rejects={row["code"]: row["records"] for row in _rows(connection, _REJECTS)},
        declared=[Declared(**row) for row in _rows(connection, _DECLARED)],
        told=[Told(**row) for row in _rows(connection, _TOLD)],
    )


_REGIONS = """
SELECT pcode, name, in_gate, access_owed, coalesce(streak_days, 0) AS streak_days, streak_ended_day, streak_ended_by,
       coalesce(incidents_168h, 0) AS incidents_168h
FROM regions LEFT JOIN region_windows ON region = pcode
ORDER BY in_gate DESC, streak_days, pcode
"""
_CELLS = """
SELECT region, truce_day AS day, verdict, state, violence, access, incidents, incidents_out_of_scope,
       violence_limit AS limit, deaths_best, covered_share, version, reasons
FROM day_verdicts WHERE truce_day BETWEEN ? AND ? ORDER BY region, truce_day
"""
#: Only where it opened or closed: its history has a line for every change of reason too.
_TURNS = """
SELECT recorded_at, is_open, reason FROM gate_history
QUALIFY is_open IS DISTINCT FROM lag(is_open) OVER (ORDER BY tick_offset) ORDER BY tick_offset
"""
_FEEDS = """
SELECT feed, last_reported_at, last_received_at, accepted, corrected, retracted, duplicate, superseded, rejected
FROM feeds ORDER BY feed
"""
#: Rejects are counted from their own table: one that was too broken to tell its feed is in no feed's row.
_OUTCOMES = """
SELECT sum(accepted) AS accepted, sum(corrected) AS corrected, sum(retracted) AS retracted,
       sum(duplicate) AS duplicate, sum(superseded) AS superseded, (SELECT count(*) FROM rejects) AS rejected
FROM feeds
"""
_REJECTS = "SELECT code, count(*) AS records FROM rejects GROUP BY code ORDER BY records DESC, code"
_DECLARED = """
SELECT effective_at, until, act, declared_by, feed FROM declarations ORDER BY effective_at, declared_by, report_id
"""
_TOLD = """
SELECT feed, occurred_from, occurred_to, coalesce(any_value(total), sum(incidents))::BIGINT AS total,
       bool_or(at_least) AS at_least,
       (SELECT count(*) FROM reports WHERE reports.type = 'incident' AND present AND NOT retracted AND in_scope
        AND reports.occurred_from >= bulletins.occurred_from
        AND reports.occurred_from < bulletins.occurred_to) AS counted
FROM bulletins GROUP BY feed, report_id, occurred_from, occurred_to ORDER BY occurred_from, occurred_to, feed
"""


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    cursor = connection.execute(query, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _cell(row: dict[str, Any]) -> Cell:
    reasons = json.loads(row.pop("reasons"))
    return Cell(**row, texts={reason["leg"]: reason["text"] for reason in reasons})


def _feed(row: dict[str, Any], now: datetime | None) -> Feed:
    spoke: datetime | None = row["last_received_at"] or row["last_reported_at"]
    return Feed(**row, silent=max(timedelta(0), now - spoke) if now and spoke else None)
