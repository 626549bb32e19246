"""Records and ticks that a file tells of, in the ledger's order: what a rebuild is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.facts import Origin, Redrive
from schemas.truceday import Micros
from sinks.verify.published import Published

#: Records read at once, and about how many bytes of theirs: a report may have a megabyte.
CHUNK = 10_000
CHUNK_BYTES = 64 * 1_048_576

#: First and last offset of so many records.
_CHUNKS = f"""
select min(fact_offset), max(fact_offset) from (
    select fact_offset, (sum(1 / {CHUNK} + bytes / {CHUNK_BYTES}) over (order by fact_offset))::bigint as chunk from (
        select fact_offset, max(bytes) as bytes from (
            select fact_offset, strlen(raw) as bytes from reports
            union all select fact_offset, octet_length(original) from rejects
            union all select fact_offset, 0 from dismissals union all select fact_offset, 0 from redrives
        ) group by fact_offset
    )
) group by chunk order by all
"""  # noqa: S608 - numbers
_RECORDS = """
with told as (
    select fact_offset, encode(raw) as body, epoch_us(received_at) as received_at, source_topic, source_partition,
        source_offset, source_log, type, feed, report_id, present and not retracted as stands, region, located_by,
        place_name, place_key, place_conflict, place_precision, latitude, longitude,
        null as code, null as hint, null as size, null as regions, null as reason, null as dismissed_by
    from reports where fact_offset between $low and $high
    union all by name
    select fact_offset, original as body, epoch_us(received_at) as received_at, source_topic, source_partition,
        source_offset, source_log, code, hint, original_bytes as size, regions
    from rejects where fact_offset between $low and $high
    union all by name
    select fact_offset, ''::blob as body, epoch_us(received_at) as received_at, source_topic, source_partition,
        source_offset, source_log, reason, dismissed_by
    from dismissals where fact_offset between $low and $high
), again as (
    select fact_offset, outcome, epoch_us(received_at) as redriven_at, number, reject_topic, reject_partition,
        reject_offset, reject_log, body_digest
    from (select fact_offset, outcome, received_at, number, reject_topic, reject_partition, reject_offset, reject_log,
              body_digest from redrives
          union all
          select fact_offset, null, null, null, reject_topic, reject_partition, reject_offset, reject_log, null
          from dismissals)
    where fact_offset between $low and $high
)
select fact_offset, body, coalesce(received_at, redriven_at), source_topic, source_partition, source_offset, source_log,
    type, feed, report_id, stands, region, located_by, place_name, place_key, place_conflict, place_precision,
    latitude, longitude, code, hint, size, regions, reason, dismissed_by, outcome, number, body_digest,
    reject_topic, reject_partition, reject_offset, reject_log
from told full join again using (fact_offset) order by fact_offset
"""
#: Where a redrive left neither a report nor a reject, its bytes are those of a report accepted before.
_SENT_BEFORE = "select encode(raw) from reports where body_digest = ? and fact_offset < ? limit 1"
_TICKS = """
select tick_offset, epoch_us(mode(recorded_at)) from (
    select tick_offset, recorded_at from day_verdict_versions
    union all select tick_offset, recorded_at from day_figures
    union all select tick_offset, recorded_at from gate_history
) where tick_offset <> $last group by all
union all select last_tick, epoch_us(now) from ledger_state where now is not null
order by all
"""


class Record(NamedTuple):
    """Record of a source as the file has it: a report, a reject or a dismissal, or a redrive without a row of its own.

    A report has a ``type``, a reject a ``code``, a dismissal a ``reason``. ``received_at`` is None for what an
    archive's replay rejected; ``stands`` is whether a report counts. ``outcome`` and ``number`` are a redrive's.
    """

    fact_offset: int
    body: bytes
    received_at: Micros | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_log: str | None
    type: str | None
    feed: str | None
    report_id: str | None
    stands: bool | None
    region: str | None
    located_by: str | None
    place_name: str | None
    place_key: str | None
    place_conflict: str | None
    place_precision: str | None
    latitude: float | None
    longitude: float | None
    code: str | None
    hint: str | None
    size: int | None
    regions: list[str] | None
    reason: str | None
    dismissed_by: str | None
    outcome: str | None
    number: int | None
    body_digest: int | None
    reject_topic: str | None
    reject_partition: int | None
    reject_offset: int | None
    reject_log: str | None

    @property
    def is_incident(self) -> bool:
        """Whether it is an incident's report that no redrive brought and whose source is named in full."""
        return self.type == "incident" and self.number is None and None not in self.source and self.origin is not None

    @property
    def source(self) -> tuple[Any, Any, Any, Any]:
        """Values of the origin, as the row has them."""
        return self[3:7]

    @property
    def origin(self) -> Origin | None:
        """Place of the source record in Kafka; None for a fact of no topic."""
        if not self.source_topic or self.source_partition is None or (self.source_offset or 0) < 0:
            return None
        return Origin(self.source_topic, self.source_partition, self.source_offset or 0, self.source_log or "")

    @property
    def of(self) -> Origin:
        """Rejected record that a redrive or a dismissal is of."""
        return Origin(
            self.reject_topic or "", self.reject_partition or 0, self.reject_offset or 0, self.reject_log or ""
        )

    @property
    def redrive(self) -> Redrive | None:
        """Redrive that the record is; None where it is none."""
        return None if self.number is None else Redrive(self.of, self.number)


class Log(NamedTuple):
    """Facts topic that a file was read from, and how far."""

    topic: str
    identity: str
    begins: int
    next_offset: int


def log_of(file: Published) -> Log:
    """Return the facts topic of a file."""
    told = file.select("select topic, log_identity from sink_offsets where role = 'facts'")
    topic, identity = told[0] if told else ("", "")
    return Log(topic, identity, file.log_start, file.next_offset)


def ticks_of(file: Published) -> list[tuple[int, Micros]]:
    """Return the ticks that left a row, and the last one, with the time of each."""
    return file.select(_TICKS, {"last": file.last_tick})


def records_of(file: Published) -> Iterator[list[Record]]:
    """Yield the records in order, some at a time."""
    for low, high in file.select(_CHUNKS):
        records = [Record(*row) for row in file.select(_RECORDS, {"low": low, "high": high})]
        yield [_whole(file, each) if each.body is None else each for each in records]


def _whole(file: Published, redrive: Record) -> Record:
    found = file.select(_SENT_BEFORE, [redrive.body_digest, redrive.fact_offset])
    return redrive._replace(body=found[0][0] if found else b"")


def watched_by(file: Published) -> dict[tuple[str, str], list[str]]:
    """Return the regions of each coverage notice that stands, by feed and report_id."""
    return _regions(file, "select feed, report_id, region from coverage order by all")


def told_by_line(file: Published) -> dict[tuple[str, str], list[str]]:
    """Return the regions of each bulletin's lines that have a place, by feed and report_id, line by line."""
    lines = "select feed, report_id, region from bulletins where region is not null order by feed, report_id, line"
    return _regions(file, lines)


def spellings_of(file: Published) -> dict[str, list[str]]:
    """Return the names of the regions, by P-code; the first is shown."""
    return dict(file.select("select pcode, coalesce(spellings, [name]) from regions"))


def _regions(file: Published, sql: str) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for feed, report_id, region in file.select(sql):
        found[feed, report_id].append(region)
    return found
