"""Monitors' bulletins beside the incidents counted here, read from a published file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sinks.selecting import Connection, select


@dataclass(frozen=True)
class BulletinTotal:
    """Monitor's own tally for a period, beside the count made here.

    ``total`` is the stated total, or else ``lines``, the sum of the bulletin's lines. ``counted`` are the
    incidents in scope that began in the period in the regions of those lines. Where a line is for the
    whole country, they are those of all regions.
    """

    feed: str
    occurred_from: datetime
    occurred_to: datetime
    total: int
    at_least: bool
    lines: int
    adds_up: bool
    counted: int


_TOTALS = """
SELECT feed, occurred_from, occurred_to, coalesce(any_value(stated_total), sum(bulletin_incidents))::BIGINT,
       bool_or(at_least), sum(bulletin_incidents)::BIGINT, bool_and(adds_up),
       coalesce(any_value(counted_incidents) FILTER (region IS NULL), sum(counted_incidents))::BIGINT
FROM bulletin_counts
WHERE CASE WHEN truce_day IS NOT NULL THEN truce_day BETWEEN $first AND $last
           ELSE ($ends::TIMESTAMPTZ IS NULL OR occurred_from < $ends)
                AND ($begins::TIMESTAMPTZ IS NULL OR occurred_to > $begins OR occurred_from = $begins) END
GROUP BY feed, report_id, occurred_from, occurred_to ORDER BY occurred_from, occurred_to, feed
"""


def bulletin_totals(
    connection: Connection, first: date, last: date, begins: datetime | None, ends: datetime | None
) -> list[BulletinTotal]:
    """Return the bulletins of some truce-days, and those of no truce-day that touch their period.

    ``begins`` and ``ends`` bound the period of truce-days ``first`` to ``last``; None is no bound.
    """
    asked = {"first": first, "last": last, "begins": begins, "ends": ends}
    return select(connection, BulletinTotal, _TOTALS, asked)
