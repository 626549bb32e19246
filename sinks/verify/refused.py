"""Rejects read again for where and when, and how many reports of a region and day were pending at any time.

docs/judging.md, "Refused". The reading shares no code with intake's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.facts import Located
from schemas.instants import parse_instant
from schemas.rejects import REPORTS_BY_TYPE
from schemas.reports import Place
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import MICROS_PER_DAY, Micros, to_micros
from sinks.verify.days import Days
from sinks.verify.difference import Difference, Row
from sinks.verify.linking import NOW
from sinks.verify.located import has_point, region_of_pcode, resolved
from sinks.verify.published import Published

#: Places looked at, days an interval may last, years it may lie in, and reports named.
MOST_PLACES, LONGEST_DAYS, FIRST_YEAR, LAST_YEAR, NAMED = 500, 400, 1971, 2199, 10
_NOT_INCIDENTS = REPORTS_BY_TYPE.keys() - {"incident"}
_WITHDRAWN = {"retracted", "merged"}
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch

#: Every reject that tells a region, with the first fact that settles it: a report of its identity, a dismissal, or a
#: redrive that became a report or a reject that tells a region.
_REJECTS = """
with settling as (
    select reject_topic, reject_partition, reject_offset, reject_log, fact_offset from dismissals
    union all
    select reject_topic, reject_partition, reject_offset, reject_log, d.fact_offset
    from redrives d left join rejects r on r.fact_offset = d.fact_offset
    where d.outcome <> 'rejected' or len(r.regions) > 0
),
settled as (select * exclude (fact_offset), min(fact_offset) as at from settling group by all),
told as (
    select feed, report_id, min(fact_offset) as at from reports semi join rejects using (feed, report_id) group by all
)
select fact_offset, feed, report_id, source_topic, source_partition, source_offset, coalesce(source_log, ''),
    regions, truce_day, may_be_incident, least(settled.at, told.at)
from rejects left join told using (feed, report_id)
left join settled on reject_topic = source_topic and reject_partition = source_partition
    and reject_offset = source_offset and reject_log = coalesce(source_log, '')
where len(regions) > 0
order by fact_offset
"""


class NaiveReject(NamedTuple):
    """One reject that tells a region and a time; ``settled_at`` is the offset of the first fact that settles it.

    ``report`` is what it counts as: its identity, or where it was read.
    """

    offset: int
    report: tuple[str, ...]
    name: str
    feed: str | None
    regions: tuple[str, ...]
    truce_day: date
    may_be_incident: bool
    settled_at: int | None

    def pending(self, before: int) -> bool:
        """Whether it was pending, knowing only the facts with an offset below ``before``."""
        return self.offset < before and (self.settled_at is None or self.settled_at >= before)


class NaiveRefused(NamedTuple):
    """Pending reports of one region and day, those of them that may be incidents, and names of the first of these."""

    reports: int = 0
    incidents: int = 0
    names: tuple[str, ...] = ()


#: Nothing is pending.
NONE_REFUSED = NaiveRefused()


class RefusedOfDay:
    """The rejects of one region and truce-day, counted as of any offset."""

    def __init__(self, agreement: Agreement, rejects: Iterable[NaiveReject]) -> None:
        self._rejects = list(rejects)
        feeds = agreement.violence.feeds
        self._incidents = [
            each
            for each in self._rejects
            if each.may_be_incident and (each.feed is None or not feeds or each.feed in feeds)
        ]
        self._names = agreement.coverage.refused == "unknown"
        self._ends = _stretches(self._rejects), _stretches(self._incidents)

    def at(self, before: int) -> NaiveRefused:
        """Return what was pending, knowing only the facts with an offset below ``before``."""
        reports, incidents = (bisect_left(begins, before) - bisect_left(ends, before) for begins, ends in self._ends)
        names: list[tuple[str, tuple[str, ...]]] = []
        if self._names:
            names = sorted({(each.name, each.report) for each in self._incidents if each.pending(before)})
        return NaiveRefused(reports, incidents, tuple(name for name, _ in names[:NAMED]))

    def changes(self) -> set[int]:
        """Return the offsets at which a reject came or was settled."""
        settled = {each.settled_at for each in self._rejects}
        return {each.offset for each in self._rejects} | {offset for offset in settled if offset is not None}


def _stretches(rejects: Iterable[NaiveReject]) -> tuple[list[int], list[int]]:
    """Return the begins and ends of the stretches over which each report was pending, by any of its rejects."""
    of_report: dict[tuple[str, ...], list[tuple[int, int]]] = defaultdict(list)
    for each in rejects:
        end = NOW if each.settled_at is None else each.settled_at
        if end > each.offset:
            of_report[each.report].append((each.offset, end))
    begins, ends = [], []
    for stretches in of_report.values():
        reach = -1
        for begin, end in sorted(stretches):
            if begin > reach:
                begins.append(begin)
                ends.append(end)
                reach = end
            elif end > reach:
                ends[-1] = reach = end
    return sorted(begins), sorted(ends)


def by_day(rejects: Iterable[NaiveReject]) -> dict[tuple[str, date], list[NaiveReject]]:
    """Return rejects by region and truce-day."""
    found: dict[tuple[str, date], list[NaiveReject]] = defaultdict(list)
    for each in rejects:
        for region in each.regions:
            found[region, each.truce_day].append(each)
    return found


def rejects_of(file: Published) -> Iterator[NaiveReject]:
    """Yield the rejects of a file that tell a region and a time."""
    for offset, feed, report_id, topic, partition, place, log, regions, day, incident, settled in file.stream(_REJECTS):
        name = f"{topic}/{partition}/{place}"
        report: tuple[str, ...] = ("", topic or "", str(partition), str(place), log)
        if feed is not None and report_id is not None:
            name, report = f"{feed}/{report_id}", (feed, report_id)
        yield NaiveReject(offset, report, name, feed, tuple(regions), day, incident, settled)


# -- what the bytes tell


class Glimpse(NamedTuple):
    """What the bytes of a reject tell: when, the regions that are certain, and whether there may be others."""

    span: tuple[Micros, Micros] | None
    regions: list[str]
    open: bool
    may_be_incident: bool


def check_refused(file: Published) -> Iterator[Difference]:
    """Check what each reject is said to tell; nobody looked where its regions are NULL."""
    columns = ("regions", *_REST)
    sql = f"select fact_offset, original, {file.columns('rejects', columns)} from rejects where regions is not null"  # noqa: S608
    for offset, original, *told in file.stream(sql):
        yield from _check_told(file, Row("rejects", f"offset {offset}"), original, told)


def _check_told(file: Published, row: Row, original: bytes, told: list[Any]) -> Iterator[Difference]:
    regions, *rest = told
    seen = glimpse(file.agreement, original)
    if seen.open and seen.span is not None:
        inside = set(seen.regions) <= set(regions) <= set(file.agreement.regions)
        wanted = f"{seen.regions} and regions of points"
        yield from row.claim("regions", regions, inside and len(set(regions)) == len(regions), wanted)
    else:
        yield from row.compare(("regions",), (regions,), (seen.regions if seen.span else [],))
    recounted: list[Any] = [None] * len(_REST)
    if regions and seen.span is not None:
        recounted = [*seen.span, file.days.holding_most(*seen.span)[0], seen.may_be_incident]
    yield from row.compare(_REST, rest, recounted)


_REST = ("occurred_from", "occurred_to", "truce_day", "may_be_incident")


def readable(original: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a reject holds, whatever its bytes are that are no letters; else an empty one."""
    if len(original) > MAX_REPORT_BYTES:
        return {}
    text = original.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    try:
        # As with the feed's name: the standard library's reader takes more than JSON, and runs out of stack.
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def glimpse(agreement: Agreement, original: bytes) -> Glimpse:
    """Read a reject for where and when, by the agreement's clock and the shipped gazetteer."""
    record = readable(original)
    regions: list[str] = []
    unsure = False
    for stated in _stated_places(record)[:MOST_PLACES]:
        place = _valid_part(stated)
        if place is None:
            continue
        found = resolved(agreement, place)
        if found is None or has_point(place):
            unsure = True
        region = found.region if isinstance(found, Located) else region_of_pcode(agreement, place)
        if region in agreement.regions and region not in regions and not has_point(place):
            regions.append(region)
    span = _interval(agreement, record.get("occurred"))
    if isinstance(record.get("agreement"), str) and record["agreement"] != agreement.id:
        span = None
    other_kind = record.get("type") in _NOT_INCIDENTS if isinstance(record.get("type"), str) else False
    withdrawn = record.get("status") in _WITHDRAWN if isinstance(record.get("status"), str) else False
    return Glimpse(span, sorted(regions), unsure, not other_kind and not withdrawn)


def _stated_places(record: Mapping[str, Any]) -> list[Any]:
    found = [record.get("place")]
    if isinstance(record.get("places"), list):
        found += record["places"]
    if isinstance(record.get("tallies"), list):
        found += [line.get("place") for line in record["tallies"] if isinstance(line, dict)]
    return found


def _valid_part(stated: Any) -> Place | None:
    """Return a place of those parts that a report could state; None when these tell nothing of where."""
    parts = stated if isinstance(stated, dict) else {}
    place: dict[str, Any] = {}
    for part in ("pcode", "names", "point"):
        try:
            place |= Place.model_validate({part: parts.get(part)}).model_dump(include={part}, exclude_none=True)
        except ValidationError:
            continue
    if not place:
        return None
    try:
        return Place.model_validate_json(orjson.dumps({**place, "precision": parts.get("precision")}))
    except ValidationError:
        return Place.model_validate_json(orjson.dumps(place))


def _interval(agreement: Agreement, occurred: Any) -> tuple[Micros, Micros] | None:
    if not isinstance(occurred, dict):
        return None
    zone = Days.of(agreement).zone
    ends = [_moment(occurred.get(name), zone, ends=name == "to") for name in ("from", "to")]
    readable_ends = [each for each in ends if each is not None]
    if len(readable_ends) < len(ends):
        return (readable_ends[0], readable_ends[0]) if readable_ends else None
    start, end = readable_ends
    return (start, end) if 0 <= end - start <= LONGEST_DAYS * MICROS_PER_DAY else (start, start)


def _moment(stated: Any, zone: tzinfo, *, ends: bool) -> Micros | None:
    """Return a stated instant: with its own offset, or else on the wall clock, of which a date alone is a whole day."""
    if not isinstance(stated, str):
        return None
    if _DATE(stated):
        return _midnight(stated, zone, ends=ends)
    for text, local in ((stated, False), (stated + "Z", True)):
        try:
            told = parse_instant(text)
        except ValueError:
            continue
        if FIRST_YEAR <= told.year <= LAST_YEAR:
            return to_micros(told.replace(tzinfo=zone) if local else told)
        return None
    return None


def _midnight(stated: str, zone: tzinfo, *, ends: bool) -> Micros | None:
    try:
        day = date.fromisoformat(stated)
    except ValueError:
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    return to_micros(datetime.combine(day + timedelta(days=ends), time(), tzinfo=zone))
