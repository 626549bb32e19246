"""The counts per region and truce-day, counted again by the database from the table ``reports``."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.rows import DayTallyRow, FeedTallyRow
from sinks.verify.difference import Difference
from sinks.verify.published import Published

_COUNTED = """
from reports
where present and not retracted and type = 'incident' and region in (select pcode from regions)
  and (len($feeds) = 0 or feed in $feeds)
"""

_DAYS = f"""
select
    region,
    truce_day,
    count(*) filter (in_scope),
    count(*) filter (not in_scope),
    count(*) filter (in_scope and kind in $severe),
    coalesce(sum(deaths_low) filter (in_scope), 0)::bigint,
    coalesce(sum(deaths_best) filter (in_scope), 0)::bigint,
    coalesce(sum(deaths_high) filter (in_scope), 0)::bigint
{_COUNTED}
group by region, truce_day
"""

_FEEDS = f"""
select region, truce_day, feed, count(*)
{_COUNTED}  and in_scope
group by region, truce_day, feed
"""


def check_day_tallies(file: Published) -> Iterator[Difference]:
    """Check what each region and truce-day adds up to; days without an incident have no row."""
    rules = file.agreement.violence
    found = file.select(_DAYS, {"feeds": rules.feeds, "severe": [str(kind) for kind in rules.severe_kinds]})
    names = DayTallyRow._fields
    recounted = {row[:2]: row[2:] for row in found}
    yield from file.compare("day_tallies", names, 2, recounted)


def check_feed_tallies(file: Published) -> Iterator[Difference]:
    """Check whose incidents in scope they are."""
    found = file.select(_FEEDS, {"feeds": file.agreement.violence.feeds})
    names = FeedTallyRow._fields
    recounted = {row[:3]: row[3:] for row in found}
    yield from file.compare("feed_tallies", names, 3, recounted)
