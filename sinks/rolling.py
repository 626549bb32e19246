"""Rolling windows of regions, read from a published file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sinks.selecting import Connection, select


@dataclass(frozen=True)
class RollingDay:
    """Figures of the seven truce-days that end with one truce-day of a region."""

    region: str
    truce_day: date
    days_met: int
    days_broken: int
    days_unknown: int
    incidents: int


#: Verdicts and tallies alone, where ``region_windows_daily`` counts every incident by the hour as well.
_ROLLING = """
WITH figures AS (
    SELECT pcode AS region, day.truce_day, v.verdict,
           CASE WHEN v.region IS NULL THEN coalesce(tally.incidents, 0) ELSE v.incidents END AS incidents
    FROM regions
    CROSS JOIN truce_days day
    LEFT JOIN day_verdicts v ON v.region = pcode AND v.truce_day = day.truce_day
    LEFT JOIN day_tallies tally ON tally.region = pcode AND tally.truce_day = day.truce_day
    WHERE day.truce_day >= $first::DATE - 6
)
SELECT region, truce_day, count(*) FILTER (verdict = 'MET') OVER w, count(*) FILTER (verdict = 'BROKEN') OVER w,
       count(*) FILTER (verdict = 'UNKNOWN') OVER w, (sum(incidents) OVER w)::BIGINT
FROM figures
WINDOW w AS (PARTITION BY region ORDER BY truce_day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
QUALIFY truce_day >= $first
ORDER BY region, truce_day
"""


def rolling_days(connection: Connection, first: date) -> list[RollingDay]:
    """Return the windows that end on ``first``, a day of the truce, or later, by region and day."""
    return select(connection, RollingDay, _ROLLING, {"first": first})
