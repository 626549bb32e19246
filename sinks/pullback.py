"""Positions and their findings, read from a published file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sinks.selecting import Connection, select_from

_OF_DAYS = "WHERE truce_day BETWEEN ? AND ?"


@dataclass(frozen=True)
class PullbackDay:
    """Counts of one party's positions on one truce-day for one line."""

    truce_day: date
    line: str
    party: str
    worst: str
    violations: int
    indeterminate: int
    compliant: int
    not_bound: int
    not_judged: int


@dataclass(frozen=True)
class PositionFinding:
    """Finding of one position for one line.

    Lengths stand as given and in metres.
    """

    truce_day: date
    line: str
    party: str
    unit: str
    weapon_class: str
    finding: str
    rule: str
    side: str | None
    distance_metres: float | None
    total_uncertainty_metres: float | None
    limit_metres: int | None
    uncertainty: float | None
    uncertainty_unit: str | None
    uncertainty_metres: float | None
    stated_distance: float | None
    stated_distance_unit: str | None
    stated_distance_metres: float | None
    place_name: str | None
    feed: str
    report_id: str


def pullback_days(connection: Connection, first: date, last: date) -> list[PullbackDay]:
    """Return the counts of truce-days ``first`` to ``last``; within a line and day the worst party comes first."""
    order = "line, truce_day, violations DESC, indeterminate DESC, compliant DESC, party"
    return select_from(connection, PullbackDay, f"pullback_days {_OF_DAYS} ORDER BY {order}", [first, last])


def position_findings(connection: Connection, first: date, last: date) -> list[PositionFinding]:
    """Return the positions of truce-days ``first`` to ``last``, the worst first, then the latest."""
    order = "worst_first, occurred_from DESC, feed, report_id, line"
    return select_from(connection, PositionFinding, f"pullback {_OF_DAYS} ORDER BY {order}", [first, last])
