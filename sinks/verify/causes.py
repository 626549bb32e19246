"""What every version, and every line of figures, says it came of: as far as the file can prove it.

Which reports the ledger counted is not told in full, so they are not recounted. A report that is named has to have
been told after the tick before. Once a day is over nothing but a report changes it, and it is named unless it may
have moved other reports' links.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published
from sinks.verify.ticks import Ticks

#: Reports named at most.
MOST_NAMED = 10
#: Of so many facts between two ticks the ledger may not have named those whose own day it is not: one changes a few
#: incidents, and it keeps 10,000.
MOST_SURELY_NAMED = 1_000

_EVER_INCIDENTS = "select feed || '/' || report_id from reports where type = 'incident'"

_MADE = """
select 'day_verdict_versions' as made_in, region, truce_day, version, tick_offset, epoch_us(recorded_at) as time, cause
from day_verdict_versions
union all
select 'day_figures', region, truce_day, version, tick_offset, epoch_us(recorded_at), cause from day_figures
"""
_IN_ORDER = f"select * from ({_MADE}) order by region, truce_day, tick_offset, made_in"  # noqa: S608
_NAMED = f"""
with told as (
    select feed || '/' || report_id || '@' || revision as report, fact_offset from reports
    union all
    -- A record that is no report is called by where it was read: of a topic made anew two may have one name.
    select source_topic || '/' || source_partition || '/' || source_offset, fact_offset
    from (from rejects select source_topic, source_partition, source_offset, fact_offset
          union all from dismissals select source_topic, source_partition, source_offset, fact_offset)
    union all
    select reject_topic || '/' || reject_partition || '/' || reject_offset || ' redrive ' || number, fact_offset
    from redrives
)
select v.made_in, v.region, v.truce_day, v.version, v.tick_offset, v.report, list(r.fact_offset)
from (
    select made_in, region, truce_day, version, tick_offset, unnest(cause ->> '$.reports[*]') as report from ({_MADE})
) v left join told r using (report)
group by all order by all
"""  # noqa: S608


def check_causes(file: Published) -> Iterator[Difference]:
    """Yield causes of another form, of reports not told since the tick before, and none where there must be some."""
    ticks = [offset for offset, _ in Ticks(file).told]

    def tick_before(offset: int) -> int:
        """Return the last known tick before the one at ``offset``; there may be unknown ones between."""
        index = bisect_left(ticks, offset)
        return ticks[index - 1] if index else -1

    before: tuple[Any, ...] = (None, None)
    for table, region, day, version, offset, time, cause in file.stream(_IN_ORDER):
        row = Row(table, region, day, f"version {version}")
        named = _named(cause)
        yield from row.claim("cause", cause, named is not None, f"at most {MOST_NAMED} reports, and how many more")
        over = before[:2] == (region, day) and before[2] >= file.days.end(day)
        if over and offset - tick_before(offset) <= MOST_SURELY_NAMED:
            right = bool(named) or _may_move_links(file, tick_before(offset), offset)
            yield from row.claim("cause", cause, right, "a report: no time changes a day that is over")
        before = (region, day, time)
    for table, region, day, version, offset, report, told in file.select(_NAMED):
        row = Row(table, region, day, f"version {version}")
        since = tick_before(offset)
        right = any(place is not None and since < place < offset for place in told)
        yield from row.claim("cause", report, right, f"reports told after tick {since} and before tick {offset}")


def _may_move_links(file: Published, since: int, before: int) -> bool:
    """Whether a report told between two ticks may have moved a day of others without joining them."""
    if file.agreement.linking is None:
        return False
    # Any that was an incident, or is one now: a correction may turn a notice into an incident and back.
    told = "select 1 from reports where fact_offset > ? and fact_offset < ? and feed || '/' || report_id in "
    return bool(file.select(f"{told} ({_EVER_INCIDENTS}) limit 1", [since, before]))


def _named(cause: str) -> list[str] | None:
    """Return the reports a cause names; None when it is not of the form a ledger writes."""
    try:
        told = json.loads(cause)
    except ValueError:
        return None
    if not isinstance(told, dict) or told.keys() != {"reports", "more"}:
        return None
    reports, more = told["reports"], told["more"]
    if not isinstance(reports, list) or len(reports) > MOST_NAMED or len(set(map(str, reports))) < len(reports):
        return None
    # There are others only once as many are named as may be.
    rest = type(more) is int and (more == 0 or (more > 0 and len(reports) == MOST_NAMED))
    return reports if rest else None
