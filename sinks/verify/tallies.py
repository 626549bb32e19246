"""The counts per region and truce-day: where nothing is linked, counted by the database from the table ``reports``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date

from schemas.rows import DayTallyRow, FeedTallyRow
from sinks.verify.difference import Difference
from sinks.verify.incident_rows import incidents_now
from sinks.verify.incidents import Content, toll_sums
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
    sum(coalesce(deaths_low, deaths_best, deaths_high * 0)) filter (in_scope)::bigint,
    sum(coalesce(deaths_best, deaths_low, deaths_high * 0)) filter (in_scope)::bigint,
    sum(coalesce(deaths_high, deaths_best, deaths_low)) filter (in_scope)::bigint,
    count(*) filter (in_scope and deaths_low is null and deaths_best is null and deaths_high is null)
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
    severe = [str(kind) for kind in rules.severe_kinds]
    if file.agreement.linking is None:
        recounted = {row[:2]: row[2:] for row in file.select(_DAYS, {"feeds": rules.feeds, "severe": severe})}
    else:
        recounted = {day: _day(contents, severe) for day, contents in _by_day(file).items()}
    yield from file.compare("day_tallies", DayTallyRow._fields, 2, recounted)


def check_feed_tallies(file: Published) -> Iterator[Difference]:
    """Check which feeds reported them: an incident counts once with each feed that is among its reports."""
    if file.agreement.linking is None:
        found = file.select(_FEEDS, {"feeds": file.agreement.violence.feeds})
        recounted = {row[:3]: row[3:] for row in found}
    else:
        feeds = Counter(
            (*day, feed)
            for day, contents in _by_day(file).items()
            for content in contents
            if content.in_scope
            for feed in content.feeds
        )
        recounted = {key: (incidents,) for key, incidents in feeds.items()}
    yield from file.compare("feed_tallies", FeedTallyRow._fields, 3, recounted)


def _by_day(file: Published) -> dict[tuple[str, date], list[Content]]:
    contents: dict[tuple[str, date], list[Content]] = defaultdict(list)
    for incident in incidents_now(file):
        if incident.content.counted:
            contents[incident.content.region, incident.content.truce_day].append(incident.content)
    return contents


def _day(contents: list[Content], severe: list[str]) -> tuple[int | None, ...]:
    inside = [content for content in contents if content.in_scope]
    return (
        len(inside),
        len(contents) - len(inside),
        sum(content.kind in severe for content in inside),
        *toll_sums(inside),
    )
