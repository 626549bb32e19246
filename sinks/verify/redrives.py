"""Rejected records published again: each counted once, and what became of it is what the file holds of it."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published
from sinks.verify.report_rows import fingerprint

#: Of every redrive the report or reject it became, or nothing, and whether such bytes had been accepted before.
_BECAME = """
with arrivals as (
    select
        fact_offset,
        body_digest,
        received_at,
        case
            when revision < max(revision) over earlier_ones then 'superseded'
            when retracted then 'retracted'
            when row_number() over earlier_ones = 1 then 'accepted'
            else 'corrected'
        end as outcome
    from reports
    window earlier_ones as (partition by feed, report_id order by fact_offset rows unbounded preceding)
)
select
    redrives.fact_offset,
    redrives.outcome,
    redrives.body_digest,
    epoch_us(redrives.received_at),
    arrivals.outcome,
    arrivals.body_digest,
    epoch_us(coalesce(rejects.received_at, arrivals.received_at)),
    rejects.original,
    exists (
        select 1 from reports
        where reports.body_digest = redrives.body_digest and reports.fact_offset < redrives.fact_offset)
from redrives
left join arrivals using (fact_offset)
left join rejects using (fact_offset)
order by redrives.fact_offset
"""

_TWICE = """
select columns(['reject_topic', 'reject_partition', 'reject_offset', 'reject_log', 'number', 'body_digest']), count(*)
from redrives group by all having count(*) > 1 order by all
"""


def check_redrives(file: Published) -> Iterator[Difference]:
    """Check that no redrive counts twice, and that each became what it is said to have become."""
    for *reject, number, _, rows in file.select(_TWICE):
        yield Row("redrives", *reject, number).differs("", f"{rows} rows", "1 row")
    for offset, outcome, digest, received, arrived_as, of_report, then, rejected, known in file.stream(_BECAME):
        row = Row("redrives", f"offset {offset}")
        yield from row.claim("fact_offset", offset, 0 <= offset < file.next_offset, f"below {file.next_offset}")
        became = ("rejected", fingerprint(rejected), then) if rejected is not None else (arrived_as, of_report, then)
        if became[0] is not None:
            yield from row.compare(("outcome", "body_digest", "received_at"), (outcome, digest, received), became)
        elif outcome != "outside":
            # It left no row of its own, so its bytes must be those of a report accepted earlier.
            yield from row.claim("outcome", outcome, outcome == "duplicate", "duplicate or outside")
            yield from row.claim("body_digest", digest, known, "that of a report accepted before")
