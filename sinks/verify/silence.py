"""Who was silent of a region since when: the view ``feed_silence``, worked out again from what every feed told."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import accumulate

from schemas.truceday import Micros
from sinks.verify.difference import Difference
from sinks.verify.published import Published

_NAMES = ("region", "truce_day", "feed", "silent_since", "silent_until")
_TOLD = """
select region, feed, epoch_us(occurred_from), epoch_us(occurred_to) from coverage
union all select region, feed, epoch_us(occurred_from), epoch_us(occurred_to) from convoy_events
union all select region, feed, epoch_us(occurred_from), epoch_us(occurred_to) from bulletins where region is not null
union all
select region, feed, epoch_us(occurred_from), epoch_us(occurred_to) from reports
where type = 'incident' and present and not retracted
order by all
"""


def check_silence(file: Published) -> Iterator[Difference]:
    """Check every feed that had told of a region: whether and since when it was silent at each day's end, or now."""
    told: dict[tuple[str, str], list[tuple[Micros, Micros]]] = defaultdict(list)
    for region, feed, from_, to in file.stream(_TOLD):
        told[region, feed].append((from_, to))
    now = file.judged_at
    recounted: dict[tuple[str, date, str], tuple[Micros, Micros]] = {}
    for (region, feed), intervals in told.items():
        if now is None or region not in file.agreement.regions:
            continue
        begins = [from_ for from_, _ in intervals]
        heard_until = list(accumulate((to for _, to in intervals), max))
        for day in file.days.judged(file.agreement, now):
            horizon = min(file.days.end(day), now)
            begun = bisect_left(begins, horizon)
            if begun and heard_until[begun - 1] < horizon:
                recounted[region, day, feed] = (heard_until[begun - 1], horizon)
    yield from file.compare("feed_silence", _NAMES, 3, recounted)
