"""Facts as the Kafka records a ledger reads, and the tables of a finished store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import duckdb
import msgspec
from aiokafka import ConsumerRecord

from schemas.chunks import Told, records_of
from schemas.facts import Fact
from streams.engine.lane import Batch, Record

TOPIC = "truce.facts.test-truce.v1"

#: Every table a ledger writes, but the one that says which software wrote it and when.
TABLES = (
    "reports",
    "linked_incidents",
    "linked_reports",
    "convoys",
    "convoy_events",
    "joined_claims",
    "coverage",
    "bulletins",
    "declarations",
    "positions",
    "position_findings",
    "day_tallies",
    "feed_tallies",
    "day_verdicts",
    "day_verdict_versions",
    "region_windows",
    "gate",
    "gate_history",
    "rejects",
    "redrives",
    "feeds",
    "sink_offsets",
    "ledger_state",
)


def with_body(fact: Fact) -> Told:
    """Return a fact with what of it a feed would have said."""
    return fact, msgspec.json.encode(msgspec.structs.replace(fact, origin=None, stamp=None))


def chunk(offset: int, told: Sequence[Told], topic: str = TOPIC) -> Record:
    """Return facts as one record."""
    ((key, value, headers),) = records_of(told)
    return ConsumerRecord(topic, 0, offset, 0, 0, key, value, None, 0, len(value), tuple(headers))


def record(offset: int, fact: Fact, topic: str = TOPIC) -> Record:
    """Return a fact as a record of its own."""
    return chunk(offset, [with_body(fact)], topic)


def chunks(facts: Sequence[Fact], sizes: Iterable[int]) -> list[Record]:
    """Return a history cut into chunks of these sizes."""
    following = iter(facts)
    cuts = ([with_body(fact) for fact in islice(following, size)] for size in sizes)
    return [chunk(offset, cut) for offset, cut in enumerate(takewhile(bool, cuts))]


def batches(facts: Sequence[Fact], size: int) -> list[Batch]:
    """Return a history of facts, each a record, cut into batches."""
    return batches_of([record(offset, fact) for offset, fact in enumerate(facts)], size)


def batches_of(records: Sequence[Record], size: int) -> list[Batch]:
    """Return records cut into batches."""
    cuts = [records[start : start + size] for start in range(0, len(records), size)]
    return [Batch(TOPIC, 0, cut, cut[-1].offset + 1) for cut in cuts]


#: What the order of arrival is told by.
HISTORIES = ("day_verdict_versions", "gate_history", "rejects", "sink_offsets", "ledger_state")
#: Of present rows, what depends on the order of arrival by nature: places in Kafka, recording times, versions, counts
#: of repetitions.
BY_ARRIVAL = {
    "reports": ("fact_offset", "received_at", "source_topic", "source_partition", "source_offset", "source_log"),
    "linked_reports": ("fact_offset",),
    "day_verdicts": ("version", "recorded_at", "tick_offset", "cause", "state"),
    "gate": ("recorded_at", "tick_offset"),
    "feeds": ("last_received_at", "duplicate", "rejected"),
}


def tables(file: Path, names: Sequence[str] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table, in a fixed order."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}


def tables_of_a_run(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row, without what names the run's own topics and broker."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        chosen = {"sink_offsets": "role, partition, next_offset"}
        chosen["reports"] = "* EXCLUDE (source_topic, source_log)"
        chosen["rejects"] = "* EXCLUDE (source_topic, source_log)"
        return {
            name: connection.execute(f"SELECT {chosen.get(name, '*')} FROM {name} ORDER BY ALL").fetchall()
            for name in TABLES
        }


#: What depends on where in Kafka a record came to lie, and not on what was reported.
_PLACES = ("fact_offset", "tick_offset", "source_topic", "source_partition", "source_offset", "source_log")


def tables_without_places(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row, versions included, without where in Kafka it came from."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = {}
        for name in (name for name in TABLES if name not in ("sink_offsets", "ledger_state")):
            described = connection.execute(f"SELECT column_name FROM (DESCRIBE {name})").fetchall()
            columns = ", ".join(column for (column,) in described if column not in _PLACES)
            found[name] = connection.execute(f"SELECT {columns} FROM {name} ORDER BY ALL").fetchall()
        return found


def present_tables(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every present table without the columns that depend on arrival."""
    found = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in (name for name in TABLES if name not in HISTORIES):
            left_out = ", ".join(BY_ARRIVAL.get(table, ()))
            columns = f"* EXCLUDE ({left_out})" if left_out else "*"
            found[table] = connection.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
    return found
