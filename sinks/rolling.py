"""Rolling windows of regions, read from a published file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sinks.selecting import Connection, select_from


@dataclass(frozen=True)
class RollingDay:
    """Figures of the seven truce-days that end with one truce-day of a region."""

    region: str
    truce_day: date
    days_met: int
    days_broken: int
    days_unknown: int
    incidents: int


def rolling_days(connection: Connection, first: date) -> list[RollingDay]:
    """Return the windows that end on ``first`` or later, by region and day."""
    source = "region_windows_daily WHERE truce_day >= ? ORDER BY region, truce_day"
    return select_from(connection, RollingDay, source, [first])
