"""Coordinates of source records in Kafka, which only move on within one log of a partition.

A topic that was made anew has another log, and its offsets begin again.
"""

from __future__ import annotations

from collections.abc import Iterator

from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

#: Every record of a source that left a row. Rows of versions before 3 name no log: it is the partition's only one, or
#: unknown. An offset of -1 marks a fact from no topic. Facts of an earlier log may be of an earlier broker.
_RECORDS = """
with logs as (
    select topic, partition, case when count(*) = 1 then min(log_identity) end as only_log
    from sink_offsets where role = 'source' group by all
),
records as (
    select fact_offset, topic, partition, coalesce(source_log, only_log) as log, source_offset
    from (
        select fact_offset, source_topic as topic, source_partition as partition, source_log, source_offset from reports
        union all
        select fact_offset, source_topic, source_partition, source_log, source_offset from rejects
        union all
        select fact_offset, source_topic, source_partition, source_log, source_offset from dismissals
    ) left join logs using (topic, partition)
    where source_offset >= 0 and fact_offset >= ?
)
"""


def check_sources(file: Published) -> Iterator[Difference]:
    """Check that no source record became two rows, and that the file claims to have read what its rows come from."""
    yield from _check_numbers(file)
    yield from _check_named(file)
    yield from _check_order(file)
    yield from _check_reached(file)


def _check_numbers(file: Published) -> Iterator[Difference]:
    """A record lies somewhere in its topic; -1 marks a fact of no topic."""
    odd = file.select(
        """
        select 'reports', fact_offset, source_topic, source_offset from reports
        where source_offset < -1 or (source_offset = -1) <> (source_topic = '')
        union all
        select 'rejects', fact_offset, source_topic, source_offset from rejects
        where source_offset < 0 or (source_offset is null) <> (source_topic is null)
        order by all"""
    )
    for table, offset, topic, source_offset in odd:
        yield Row(table, f"offset {offset}", topic).differs("source_offset", source_offset, "0 or more")
    roles = file.select("select topic, partition, role from sink_offsets where role not in ('facts', 'source')")
    for *place, role in roles:
        yield Row("sink_offsets", *place).differs("role", role, "facts or source")
    ending = f".facts.{file.agreement.id}.v1"
    for topic, partition in file.select("select topic, partition from sink_offsets where role = 'facts'"):
        row = Row("sink_offsets", topic, partition)
        yield from row.claim("topic", topic, topic.endswith(ending), f"a topic whose name ends with {ending}")


def _check_named(file: Published) -> Iterator[Difference]:
    unnamed = file.select(
        "select fact_offset from reports where source_log is null "
        "and fact_offset > (select min(fact_offset) from reports where source_log is not null) order by all"
    )
    for (offset,) in unnamed:
        yield Row("reports", f"offset {offset}").differs("source_log", None, "a log, as rows before it name theirs")


def _check_order(file: Published) -> Iterator[Difference]:
    # A source record at or before one that was counted is a redelivery, so along the facts sources only move on.
    back = file.select(
        f"""{_RECORDS}
        select fact_offset, topic, partition, source_offset, latest from (
            select *, max(source_offset) over (
                partition by topic, partition, log order by fact_offset
                rows between unbounded preceding and 1 preceding) as latest
            from records where log is not null)
        where source_offset <= latest order by fact_offset""",  # noqa: S608 - the text above
        [file.log_start],
    )
    for offset, topic, partition, source_offset, latest in back:
        row = Row("reports", f"offset {offset}", f"{topic}[{partition}]")
        yield row.differs("source_offset", source_offset, f"above {latest}")


def _check_reached(file: Published) -> Iterator[Difference]:
    # A duplicate, or a report outside the agreement, may come after the last row of its partition, so with such the
    # file may have read further; likewise when the facts topic was made anew and the source topics were not, or a row's
    # log is not known.
    loose = file.log_start > 0 or file.select("select coalesce(sum(duplicate + outside), 0) from feeds")[0][0] > 0
    read = file.select(
        f"""{_RECORDS}
        select topic, partition, log, next_offset, highest, (topic, partition) in (
            select (topic, partition) from records where log is null)
        from (select topic, partition, log_identity as log, next_offset from sink_offsets where role = 'source')
            full join (
                select topic, partition, log, max(source_offset) as highest
                from records where log is not null group by all)
            using (topic, partition, log)
        order by all""",  # noqa: S608 - the text above
        [file.log_start],
    )
    for topic, partition, log, stored, highest, unknown in read:
        least = 0 if highest is None else highest + 1
        bounded = loose or unknown
        holds = stored is not None and (stored >= least if bounded else stored == least)
        wanted = f"{least} or more" if bounded else least
        yield from Row("sink_offsets", topic, partition, log).claim("next_offset", stored, holds, wanted)
