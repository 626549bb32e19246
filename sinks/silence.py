"""Silent feeds: those that had told of a region and tell of it no more."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sinks.records import SilentFeed
from sinks.selecting import Connection, select

#: Of what times each feed told anything about a region; the view ``feed_silence`` is made of it too.
HEARD = """
    SELECT region, feed, occurred_from, occurred_to FROM coverage
    UNION ALL
    SELECT region, feed, occurred_from, occurred_to
    FROM reports WHERE present AND NOT retracted AND type IN ('incident', 'convoy')
    UNION ALL
    SELECT region, feed, occurred_from, occurred_to FROM bulletins
"""
#: ``feed_silence`` of the last day, as ``last_silence``. That one day needs no report beside those before it.
_LAST = f"""
WITH heard AS ({HEARD}), last_heard AS (
    SELECT region, feed, max(occurred_to) AS silent_since, any_value(silent_until) AS silent_until
    FROM heard
    JOIN (
        SELECT region, least(ends_at, as_of) AS silent_until
        FROM region_windows
        CROSS JOIN (SELECT max(ends_at) AS ends_at FROM truce_days)
    ) USING (region)
    WHERE occurred_from < silent_until
    GROUP BY region, feed
), last_silence AS (SELECT * FROM last_heard WHERE silent_since < silent_until)
"""  # noqa: S608 - SQL of ours
_FEEDS = f"""
{_LAST}
SELECT feed, list(region ORDER BY region), max(silent_since) AS since
FROM last_silence GROUP BY feed ORDER BY since, feed
"""  # noqa: S608 - SQL of ours
_REGIONS = f"""
{_LAST}
SELECT feed, region, coalesce(name, region), silent_since
FROM last_silence LEFT JOIN regions ON pcode = region
WHERE silent_until - silent_since >= to_hours($hours)
ORDER BY silent_since, feed, region
"""  # noqa: S608 - SQL of ours


class SilentIn(NamedTuple):
    """Feed that is silent about a region."""

    feed: str
    region: str
    region_name: str
    silent_since: datetime


def silent_feeds(connection: Connection) -> list[SilentFeed]:
    """Return the feeds that were silent at the last judgement, the one longest silent first."""
    return select(connection, SilentFeed, _FEEDS)


def silent_in(connection: Connection, hours: int) -> list[SilentIn]:
    """Return the feeds that were silent about a region for so long at the last judgement."""
    return select(connection, SilentIn, _REGIONS, {"hours": hours})
