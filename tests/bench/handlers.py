"""CPU of both handlers on reports in memory, without a broker: ``python -m tests.bench.handlers --reports 100000``.

Each figure stands beside that of ``orjson.loads`` of the same reports, taken before and after, so that it can be
compared with one of another hour or machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import orjson
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch, Lane, Record
from streams.engine.producer import BATCH_BYTES, BatchProducer, Outgoing, batches
from streams.engine.unique_log import UniqueLog
from streams.intake.examine import Examiner
from streams.intake.handler import IntakeHandler
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.roles import YOUNG_OBJECTS
from tests.bench.reports import reports, running_truce, span_of
from tests.support.lanes import Group, lane_of

#: About what one fetch of 4 MiB holds.
FETCHED = 5_000


class Kept(BatchProducer):
    """Producer that builds the batches and keeps the records, for want of a broker."""

    def __init__(self) -> None:
        super().__init__("kafka://nowhere:9092")
        self.records: list[Outgoing] = []

    async def start(self) -> None:
        """Connect to nothing."""

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Build the batches as they would be sent."""
        for batch in batches(_Batches(), records):  # type: ignore[arg-type] # of a producer it needs no more
            batch.close()
        self.records += records


class _Batches:
    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0, is_transactional=0)


class _NoRejects(UniqueLog):
    async def append(self, *_: object) -> None:
        """Take rejects and keep none."""


async def intake_of(truce: Agreement, producer: BatchProducer, topics: Topics) -> IntakeHandler:
    """Return an intake that takes the first partition of the incidents."""
    handler = IntakeHandler(
        Examiner([truce], load_gazetteer(truce.gazetteer), "clock"),
        producer,
        _NoRejects("kafka://nowhere:9092", "none"),
        topics,
        _identity,
    )
    await handler.started(_lane(topics.incidents))
    await handler.assigned([TopicPartition(topics.incidents, 0)])
    return handler


async def ledger_of(truce: Agreement, folder: Path, topics: Topics) -> LedgerHandler:
    """Return a ledger with an empty store that publishes once, at its end."""
    facts, regions = topics.facts(truce.id), load_gazetteer(truce.gazetteer).spellings()

    def open_store(_: int) -> Store:
        return Store.open(folder, truce, regions, facts_topic=facts, log_identity="log", new_log_allowed=True)

    handler = LedgerHandler(truce, open_store, Cadence(timedelta(days=1)), FlushRules(), None)
    await handler.resume(facts, 0)
    await handler.started(_lane(facts))
    return handler


def _lane(topic: str) -> Lane:
    """Return the lane of a worker whose group takes every offset of a topic's first partition."""
    group = Group()
    lane = lane_of(group)
    group.partitions = {TP(topic, 0)}
    return lane


async def measure(count: int, folder: Path, *, linking: bool) -> dict[str, float]:
    """Return CPU microseconds of a report, by what spends them."""
    truce = load_agreement(str(running_truce(folder, span_of(count), linking=linking)))
    topics, raw, kept = Topics(), list(reports(count)), Kept()
    yardstick = [_loads(raw)]
    intake = await intake_of(truce, kept, topics)
    of_intake = await _spent(intake.handle, topics.incidents, [(key, value, ()) for key, value in raw], FETCHED)
    ledger = await ledger_of(truce, folder, topics)
    of_ledger = await _spent(ledger.handle, topics.facts(truce.id), kept.records, 1, ledger.stopped)
    yardstick.append(_loads(raw))
    figures = {"orjson.loads": sum(yardstick) / 2, "intake": of_intake, "ledger": of_ledger}
    return {what: 1_000_000 * seconds / count for what, seconds in figures.items()}


async def _identity(_: str) -> str:
    return "cluster/log"


def read(topic: str, records: Sequence[Outgoing], first: int) -> list[Record]:
    """Return records as they are read from a topic, the first at an offset."""
    return [
        ConsumerRecord(topic, 0, offset, 0, 0, key, value, None, 0, len(value or b""), tuple(headers))  # type: ignore[arg-type]
        for offset, (key, value, headers) in enumerate(records, first)
    ]


async def _spent(
    handle: Callable[[Batch], Awaitable[None]],
    topic: str,
    records: Sequence[Outgoing],
    at_once: int,
    then: Callable[[], Awaitable[None]] | None = None,
) -> float:
    """Return the CPU seconds of a handler for records of a topic."""
    made = read(topic, records, 0)
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for first in range(0, len(made), at_once):
        some = made[first : first + at_once]
        await handle(Batch(topic, 0, some, some[-1].offset + 1))
    if then is not None:
        await then()
    return time.process_time() - began


def _loads(raw: Sequence[tuple[bytes, bytes]]) -> float:
    began = time.process_time()
    for _, value in raw:
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError:
            continue
    return time.process_time() - began


def main() -> int:
    """Measure and print a row of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=100_000)
    parser.add_argument("--linking", action="store_true")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    with tempfile.TemporaryDirectory(prefix="trucewatch-handlers-") as folder:
        figures = asyncio.run(measure(given.reports, Path(folder), linking=given.linking))
    of_loads = figures["orjson.loads"]
    for what, micros in figures.items():
        sys.stdout.write(f"{what}: {micros:.1f} CPU s a million, {micros / of_loads:.1f} x orjson.loads\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
