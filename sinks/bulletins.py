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


_ASKED = """
CASE WHEN truce_day IS NOT NULL THEN truce_day BETWEEN $first AND $last
     ELSE ($ends::TIMESTAMPTZ IS NULL OR occurred_from < $ends)
          AND ($begins::TIMESTAMPTZ IS NULL OR occurred_to > $begins OR occurred_from = $begins) END
"""
_PERIOD = f"SELECT min(occurred_from), max(occurred_to) FROM bulletins WHERE {_ASKED}"  # noqa: S608 - ours
#: As in ``bulletin_counts``, but of the incidents in the period alone: all of them fit into no page's memory.
_TOTALS = f"""
WITH told AS (
    SELECT feed, report_id, region, occurred_from, occurred_to, total, adds_up, at_least, sum(incidents) AS lines
    FROM bulletins WHERE {_ASKED} GROUP BY ALL
), counting AS MATERIALIZED (
    SELECT region, occurred_from FROM incidents
    WHERE in_scope AND counted AND occurred_from >= $since AND occurred_from < $until
), lines AS (
    SELECT told.*,
           count(counting.occurred_from) FILTER (told.region IS NULL OR counting.region = told.region) AS counted
    FROM told
    LEFT JOIN counting
        ON counting.occurred_from >= told.occurred_from AND counting.occurred_from < told.occurred_to
    GROUP BY ALL
)
SELECT feed, occurred_from, occurred_to, coalesce(any_value(total), sum(lines))::BIGINT,
       bool_or(at_least), sum(lines)::BIGINT, bool_and(adds_up),
       coalesce(any_value(counted) FILTER (region IS NULL), sum(counted))::BIGINT
FROM lines
GROUP BY feed, report_id, occurred_from, occurred_to ORDER BY occurred_from, occurred_to, feed
"""  # noqa: S608 - ours


def bulletin_totals(
    connection: Connection, first: date, last: date, begins: datetime | None, ends: datetime | None
) -> list[BulletinTotal]:
    """Return the bulletins of some truce-days, and those of no truce-day that touch their period.

    ``begins`` and ``ends`` bound the period of truce-days ``first`` to ``last``; None is no bound.
    """
    asked = {"first": first, "last": last, "begins": begins, "ends": ends}
    ((since, until),) = connection.execute(_PERIOD, asked).fetchall()
    if since is None:
        return []
    return select(connection, BulletinTotal, _TOTALS, {**asked, "since": since, "until": until})
