"""What the file says of itself, of its regions and days, of the feeds, and of how far it has read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.gazetteer import load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.rejects import RejectCode
from schemas.reports import FeedName
from schemas.rows import FeedRow
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import Micros, to_micros
from sinks.calendar import Calendar
from sinks.verify.days import Days
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published
from sinks.verify.refused import check_told, readable
from sinks.verify.reject_reasons import check_reason
from sinks.verify.report_rows import fingerprint, read_raw

#: The feed under which records are counted that were too broken to tell who sent them.
UNREADABLE = "(unreadable)"

#: A feed of which nothing was heard.
_NOTHING_OF = FeedRow("", None, None, 0, 0, 0, 0, 0, 0, 0)

_FEED_NAME: TypeAdapter[str] = TypeAdapter(FeedName)

#: What became of every accepted record, in the order they came.
_OUTCOMES = """
with arrivals as (
    select
        feed,
        retracted,
        reported_at,
        received_at,
        revision < max(revision) over earlier_ones as superseded,
        row_number() over earlier_ones = 1 as first
    from reports
    window earlier_ones as (partition by feed, report_id order by fact_offset rows unbounded preceding)
)
select
    feed,
    max(epoch_us(reported_at)),
    max(epoch_us(received_at)),
    count(*) filter (not superseded and not retracted and first),
    count(*) filter (not superseded and not retracted and not first),
    count(*) filter (not superseded and retracted),
    count(*) filter (superseded)
from arrivals
group by feed
"""


@lru_cache(maxsize=8)
def _calendar(time_zone: str, anchor: time) -> str:
    # Worked out once for files of one clock: it has every day that a report may state.
    return Calendar.cut_by(Days(time_zone, anchor).start).to_json()


def check_about(file: Published) -> Iterator[Difference]:
    """Check that the file names the agreement it judges by, and that agreement's regions and truce-days."""
    agreement = file.agreement
    named = file.select("select agreement_id, title from about")[0]
    yield from Row("about", "").compare(("agreement_id", "title"), named, (agreement.id, agreement.title))
    ((stored,),) = file.select("select calendar from about")
    calendar = _calendar(agreement.clock.time_zone, agreement.clock.anchor)
    yield from Row("about", "").compare(("calendar",), (stored,), (calendar,))
    needs = agreement.gate_regions, agreement.access.regions
    regions = {(region,): tuple(region in needed for needed in needs) for region in agreement.regions}
    yield from file.compare("regions", ("pcode", "in_gate", "access_owed"), 1, regions)
    if agreement.gazetteer in shipped_gazetteers():
        spellings = load_gazetteer(agreement.gazetteer).spellings()
        spelt = {region: list(spellings.get(region, (region,))) for region in agreement.regions}
        called = {(region,): (names[0], names) for region, names in spelt.items()}
        yield from file.compare("regions", ("pcode", "name", "spellings"), 1, called)
    lateness = agreement.lateness // timedelta(microseconds=1)
    days: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    if file.judged_at is not None:
        for day in file.days.judged(agreement, file.judged_at):
            days[day,] = file.days.start(day), file.days.end(day), file.days.end(day) + lateness
    yield from file.compare("truce_days", ("truce_day", "starts_at", "ends_at", "final_at"), 1, days)


def check_feeds(file: Published) -> Iterator[Difference]:
    """Check each feed's outcomes and last words against the rows they left.

    Duplicates, and reports outside the agreement, leave none: how many there were is only bounded, and where there were
    some, so is the time last received.
    """
    columns = file.columns("feeds", FeedRow._fields)
    stored = {row.feed: row for row in (FeedRow(*values) for values in file.select(f"select {columns} from feeds"))}  # noqa: S608
    recounted = _recounted_feeds(file)
    for feed, says in stored.items():
        if says.outside > 0:
            recounted.setdefault(feed, _NOTHING_OF._replace(feed=feed))
    for feed in sorted(stored.keys() ^ recounted.keys()):
        yield Row("feeds", feed).differs("", stored.get(feed), recounted.get(feed))
    for feed in sorted(stored.keys() & recounted.keys()):
        says, left = stored[feed], recounted[feed]
        row = Row("feeds", feed)
        exact = ["last_reported_at", "accepted", "corrected", "retracted", "superseded", "rejected"]
        if says.duplicate == says.outside == 0:
            exact.append("last_received_at")
        else:
            # One of them may be the last that was heard of a feed, and only its stamp was kept.
            since, heard = left.last_received_at or 0, says.last_received_at or 0
            yield from row.claim("last_received_at", heard, since <= heard, f"{since} or later")
        yield from row.compare(exact, (getattr(says, name) for name in exact), (getattr(left, name) for name in exact))
        # A reject published again twice is a duplicate as well.
        first = says.accepted + says.corrected + says.retracted + says.superseded + says.rejected
        copied = says.duplicate == 0 or (says.duplicate > 0 and first > 0)
        yield from row.claim("duplicate", says.duplicate, copied, "0 or more, and 0 without a record to repeat")
        yield from row.claim("outside", says.outside, says.outside >= 0, "0 or more")
    # Every fact is at most one outcome, and a tick is none.
    outcomes = sum(sum(row[3:]) for row in stored.values())
    ticks = file.select("select count(distinct tick_offset) from day_verdict_versions")[0][0]
    most = file.next_offset - ticks
    yield from Row("feeds", "all feeds").claim("", f"{outcomes} outcomes", outcomes <= most, f"at most {most}")


def _recounted_feeds(file: Published) -> dict[str, FeedRow]:
    feeds: dict[str, FeedRow] = {}
    for feed, reported, received, accepted, corrected, retracted, superseded in file.select(_OUTCOMES):
        feeds[feed] = FeedRow(feed, reported, received, accepted, corrected, retracted, 0, superseded, 0, 0)
    rejects = file.stream("select feed, code, epoch_us(received_at), original from rejects")
    for feed, code, received, original in rejects:
        name = feed or UNREADABLE
        row = feeds.get(name, _NOTHING_OF._replace(feed=name))
        feeds[name] = row._replace(
            rejected=row.rejected + 1,
            last_received_at=_later(row.last_received_at, received),
            last_reported_at=_later(row.last_reported_at, _reported_at(code, original)),
        )
    return feeds


def _reported_at(code: str, original: bytes) -> Micros | None:
    """Return when a rejected record was reported, if it was a sound report that contradicts an earlier one."""
    if code != RejectCode.CONFLICTING_BODY:
        return None
    try:
        return to_micros(read_raw(original).reported_at)
    except ValidationError:
        # That it is no report at all is told of its row.
        return None


def check_rejects(file: Published) -> Iterator[Difference]:
    """Check that each reject names who its bytes name, and that one called a contradiction contradicts a report."""
    for offset, code, hint, feed, report_id, received, original, size, *told in file.stream(
        "select fact_offset, code, hint, feed, report_id, epoch_us(received_at), original, original_bytes, "
        "regions, epoch_us(occurred_from), epoch_us(occurred_to), truce_day, may_be_incident "
        "from rejects order by fact_offset"
    ):
        row = Row("rejects", f"offset {offset}")
        yield from check_told(file, row, code, original, tuple(told))
        yield from row.compare(("feed", "report_id"), (feed, report_id), named(original, code))
        yield from row.claim("fact_offset", offset, 0 <= offset < file.next_offset, f"below {file.next_offset}")
        if code == RejectCode.TOO_LARGE:
            # Only such a record may have been cut.
            yield from row.claim("original_bytes", size, size > MAX_REPORT_BYTES, f"more than {MAX_REPORT_BYTES}")
            yield from row.claim("original", len(original), len(original) <= size, f"at most {size}")
        else:
            yield from row.compare(("original_bytes",), (size,), (len(original),))
        yield from check_reason(file.agreement, row, (code, hint), original, size, received)
        if code == RejectCode.CONFLICTING_BODY:
            yield from _check_contradiction(file, row, offset, original)


def named(original: bytes, code: str = "") -> tuple[str | None, str | None]:
    """Return the feed and report id a rejected record names; None for what nobody can tell.

    Nothing can be told of bytes that are no JSON object, and a feed only by a name a feed may have.
    """
    if len(original) > MAX_REPORT_BYTES:
        return None, None
    if code == RejectCode.CONFLICTING_BODY:
        # It was accepted once, perhaps with numbers that are refused by now.
        try:
            report = read_raw(original)
        except ValidationError:
            return None, None
        return report.feed, report.report_id
    read = readable(original)
    report_id = read.get("report_id")
    return _feed_name(read.get("feed")), report_id[:200] if isinstance(report_id, str) else None


def _feed_name(stated: object) -> str | None:
    try:
        return _FEED_NAME.validate_python(stated)
    except ValidationError:
        return None


def _check_contradiction(file: Published, row: Row, offset: int, original: bytes) -> Iterator[Difference]:
    try:
        report = read_raw(original)
    except ValidationError:
        yield row.differs("original", original[:200], "a sound report that contradicts another")
        return
    earlier = file.select(
        "select body_digest from reports where feed = ? and report_id = ? and revision = ? and fact_offset < ?",
        [report.feed, report.report_id, report.revision, offset],
    )
    contradicts = bool(earlier) and earlier[0][0] != fingerprint(original)
    yield from row.claim("code", RejectCode.CONFLICTING_BODY.value, contradicts, "no contradiction")


def _later(one: Micros | None, other: Micros | None) -> Micros | None:
    known = [moment for moment in (one, other) if moment is not None]
    return max(known, default=None)


def check_offsets(file: Published) -> Iterator[Difference]:
    """Check that the file claims to have read what its rows come from, and no tick beyond."""
    row = Row("ledger_state", "")
    read = -1 <= file.last_tick < file.next_offset
    yield from row.claim("last_tick", file.last_tick, read, f"below {file.next_offset}")
    # The broker counts chunks from the start of the present topic, the file facts from its first.
    facts = file.next_offset - file.log_start
    read_on = file.select("select partition, next_offset from sink_offsets where role <> 'source'")
    holds = len(read_on) == 1 and read_on[0][0] == 0 and min(facts, 1) <= read_on[0][1] <= facts
    wanted = f"one of partition 0, a chunk or more and at most {facts}"
    yield from Row("sink_offsets", "facts").claim("partition and next_offset", read_on, holds, wanted)
    begun = 0 <= file.log_start <= file.next_offset
    yield from row.claim("log_start", file.log_start, begun, f"0 to {file.next_offset}")
    # Ticks alone move time, so it is there once one was read, and stands at what was judged.
    yield from row.claim("now", file.now, (file.now is None) == (file.last_tick < 0), "a tick's, once one was read")
    if file.judged_at is not None:
        yield from row.claim("now", file.now, file.now == file.judged_at, file.judged_at)
