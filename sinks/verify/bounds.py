"""Bounds of what leaves no row of its own, so that no rebuild can make it again."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.verify.comparison import Comparison
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

_OFFSETS = """
select fact_offset, 'reports' as of from reports union all select fact_offset, 'rejects' from rejects
union all select fact_offset, 'dismissals' from dismissals
"""
#: Offsets at which no fact can lie, and those at which two do.
_ODD = f"""
select of, fact_offset, 0 from ({_OFFSETS}) where fact_offset < 0 or fact_offset >= $next
union all select 'redrives', fact_offset, 0 from redrives where fact_offset < 0 or fact_offset >= $next
union all select min(of), fact_offset, count(*) from ({_OFFSETS}) group by fact_offset having count(*) > 1
order by all
"""  # noqa: S608 - the text above
_TICKS = """
select 'day_verdict_versions' as of, tick_offset from day_verdict_versions
union all select 'day_figures', tick_offset from day_figures
union all select 'gate_history', tick_offset from gate_history
union all select 'ledger_state', last_tick from ledger_state where last_tick >= 0
"""
#: Offsets that are said to be a tick's and are a record's, or lie in no log.
_NO_TICKS = f"""
select min(of), tick_offset from ({_TICKS})
where tick_offset < 0 or tick_offset >= $next or tick_offset in (select fact_offset from ({_OFFSETS}))
group by tick_offset order by all
"""  # noqa: S608 - the text above

#: Of every source the offset read next, as recorded and as its rows come to, and whether some name no known log.
_SOURCES = """
with told as (from recorded.sink_offsets where role = 'source'),
single as (select topic, partition, case when count(*) = 1 then min(log_identity) end as log from told group by all),
made as (
    select made.topic, made.partition, max(next_offset) as least,
        -- Rows that name no log are of the partition's only one, or of one that is not known.
        case when log_identity <> '' or single.topic is null then log_identity else log end as log
    from rebuilt.sink_offsets made left join single on single.topic = made.topic and single.partition = made.partition
    where role = 'source' group by all
)
select topic, partition, log, told.next_offset, coalesce(least, 0),
    (topic, partition) in (select (topic, partition) from made where log is null)
from (select topic, partition, log_identity as log, next_offset from told) told
full join (from made where log is not null) using (topic, partition, log) order by all
"""


def check_offsets(file: Published) -> Iterator[Difference]:
    """Check that each offset of the facts topic below the next one is at most one record's or tick's."""
    # The broker counts chunks from the start of the present topic, the file facts from its first.
    facts = file.next_offset - file.log_start
    read_on = file.select("select partition, next_offset from sink_offsets where role <> 'source'")
    holds = len(read_on) == 1 and read_on[0][0] == 0 and min(facts, 1) <= read_on[0][1] <= facts
    wanted = f"one of partition 0, a chunk or more and at most {facts}"
    yield from Row("sink_offsets", "facts").claim("partition and next_offset", read_on, holds, wanted)
    begun = 0 <= file.log_start <= file.next_offset
    yield from Row("ledger_state", "").claim("log_start", file.log_start, begun, f"0 to {file.next_offset}")
    known: dict[str, object] = {"next": file.next_offset}
    for table, offset, rows in file.select(_ODD, known):
        wanted = "1 row" if rows else f"0 to {file.next_offset - 1}"
        yield Row(table, f"offset {offset}").differs("fact_offset", f"{rows} rows" if rows else offset, wanted)
    for table, offset in file.select(_NO_TICKS, known):
        yield Row(table, f"tick {offset}").differs("tick_offset", offset, f"below {file.next_offset}, and no record's")


def check_feeds(file: Published, both: Comparison) -> Iterator[Difference]:
    """Check the counts of records that leave no row, and when a feed was last heard, against the rebuilt ones.

    Duplicates, and reports outside the agreement, are more than the rebuilt ones or as many; without any the time last
    received is exact.
    """
    outcomes = 0
    for feed, told, made in both.paired("feeds", "feed"):
        row = Row("feeds", feed)
        outcomes += sum(value for name, value in told.items() if name not in ("last_reported_at", "last_received_at"))
        # A redrive that was outside is of no feed any more: its row alone tells of it.
        for name, least in (("duplicate", made["duplicate"] or 0), ("outside", 0)):
            yield from row.claim(name, told[name], told[name] >= least, f"{least} or more")
        first = sum(told[name] for name in ("accepted", "corrected", "retracted", "superseded", "rejected"))
        copied = told["duplicate"] == 0 or first > 0
        yield from row.claim("duplicate", told["duplicate"], copied, "0 without a record to repeat")
        since, heard = made["last_received_at"] or "", told["last_received_at"] or ""
        if told["duplicate"] or told["outside"]:
            yield from row.claim("last_received_at", heard, since <= heard, f"{since} or later")
        else:
            yield from row.compare(("last_received_at",), (heard,), (since,))
        if not first:
            yield from row.compare(("last_reported_at",), (told["last_reported_at"],), (None,))
    ticks = file.select(f"select count(distinct tick_offset) from ({_TICKS})")[0][0]  # noqa: S608
    most = file.next_offset - ticks
    yield from Row("feeds", "all feeds").claim("", f"{outcomes} outcomes", outcomes <= most, f"at most {most}")


def check_sources(file: Published, both: Comparison) -> Iterator[Difference]:
    """Check that the file claims to have read of each source what its rows come from.

    With duplicates or reports outside the agreement it may have read further. So it may of a log that is not known, or
    where the facts topic was made anew and the source topics were not.
    """
    ending = f".facts.{file.agreement.id}.v1"
    for topic, partition in file.select("select topic, partition from sink_offsets where role = 'facts'"):
        named = topic.endswith(ending)
        yield from Row("sink_offsets", topic, partition).claim("topic", topic, named, f"a name that ends with {ending}")
    loose = file.log_start > 0 or file.select("select coalesce(sum(duplicate + outside), 0) from feeds")[0][0] > 0
    for topic, partition, log, read, least, unknown in both.select(_SOURCES):
        bounded = loose or unknown
        holds = read is not None and (read >= least if bounded else read == least)
        wanted = f"{least} or more" if bounded else least
        yield from Row("sink_offsets", topic, partition, log).claim("next_offset", read, holds, wanted)
