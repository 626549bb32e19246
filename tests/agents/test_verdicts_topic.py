"""Verdicts topic of a ledger on a real store: it tells what ``day_verdicts`` has, wherever the ledger dies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable
from sinks.opening import LIVE
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch
from streams.engine.producer import BatchProducer, Outgoing
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.verdicts import LedgerVerdicts
from tests.support.effort import examples
from tests.support.judged import History
from tests.support.lanes import Group, lane_of
from tests.support.random_history import random_history
from tests.support.records import TOPIC, batches_of, chunk
from tests.support.stores import begin_store
from tests.support.verdict_messages import on_file, on_topic

VERDICTS = "truce.verdicts.test-truce.v1"


class Compacted(BatchProducer):
    """Producer whose topic keeps the last value of each key."""

    def __init__(self) -> None:
        super().__init__("kafka://nowhere:9092")
        self.values: dict[bytes, bytes] = {}
        self.gone = False

    async def start(self) -> None:
        """Connect to nothing."""

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[int]:
        """Keep these records."""
        assert (topic, partition) == (VERDICTS, 0)
        if self.gone:
            raise BrokerUnavailable("gone")
        self.values |= {key: value for key, value, _ in records if key is not None and value is not None}
        return []


def ledger_on(folder: Path, told: Compacted, history: History) -> LedgerHandler:
    def open_store(_: int) -> Store:
        begin_store(folder, history.agreement)
        return Store.open(
            folder, history.agreement, {}, facts_topic=TOPIC, log_identity="embedded-1", new_log_allowed=True
        )

    verdicts = LedgerVerdicts(told, VERDICTS, history.agreement)
    flush = FlushRules(1, 3_600.0)
    return LedgerHandler(history.agreement, open_store, Cadence(timedelta(hours=1)), flush, None, verdicts=verdicts)


@pytest.mark.slow
@pytest.mark.property
@pytest.mark.parametrize("seed", range(examples(40) // 2))
async def test_the_topic_equals_the_view_wherever_a_ledger_ends(seed: int, tmp_path: Path) -> None:
    draw, told = random.Random(seed), Compacted()
    history = random_history(seed, reports=30, days=5)
    cuts = sorted({0, len(history.facts), *draw.choices(range(len(history.facts)), k=draw.choice([3, 9]))})
    records = [chunk(offset, history.facts[low:high]) for offset, (low, high) in enumerate(pairwise(cuts))]
    while records:
        ledger = ledger_on(tmp_path, told, history)
        await ledger.started(lane_of(Group()))
        start = await ledger.resume(TOPIC, 0)
        assert start is not None
        records = [each for each in records if each.offset >= start]
        lived = records[: draw.randint(1, 6)]
        told.gone = draw.random() < 0.3
        for batch in batches_of(lived, draw.choice([1, 4])):
            try:
                await ledger.handle(batch)
            except BrokerUnavailable:
                break
        await ledger.revoked([])
        if told.gone:
            # Committed and not published: the next start tells it.
            told.gone = False
        elif lived:
            assert on_topic(told.values, history.agreement.id) == on_file(tmp_path / LIVE)
    assert len(told.values) > 1


async def test_a_topic_that_was_lost_is_whole_again_at_the_next_start(tmp_path: Path) -> None:
    history, told = random_history(1, reports=30, days=5), Compacted()
    ledger = ledger_on(tmp_path, told, history)
    await ledger.started(lane_of(Group()))
    await ledger.resume(TOPIC, 0)
    await ledger.handle(batches_of([chunk(0, history.facts)], 1)[0])
    await ledger.stopped()
    told.values = {}
    again = ledger_on(tmp_path, told, history)
    await again.started(lane_of(Group()))
    await again.resume(TOPIC, 0)
    await again.stopped()
    assert on_topic(told.values, history.agreement.id) == on_file(tmp_path / LIVE)


async def test_a_ledger_that_the_group_refuses_tells_nothing(tmp_path: Path) -> None:
    history, told, group = random_history(1, reports=30, days=5), Compacted(), Group()
    ledger = ledger_on(tmp_path, told, history)
    await ledger.started(lane_of(group))
    await ledger.resume(TOPIC, 0)
    group.takes = False
    half = len(history.facts) // 2
    records = [chunk(0, history.facts[:half]), chunk(1, history.facts[half:])]
    await ledger.handle(batches_of(records, 2)[0])
    assert told.values == {}
    group.takes = True
    await ledger.handle(Batch(TOPIC, 0, [], 2))
    await ledger.stopped()
    assert on_topic(told.values, history.agreement.id) == on_file(tmp_path / LIVE)
