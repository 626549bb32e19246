"""Receipts of a ledger on a real store: which are told, and that none is lost wherever it dies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from schemas.agreement import Agreement
from schemas.errors import BrokerUnavailable
from schemas.facts import Fact, OutsideFact, RejectFact
from schemas.receipts import Receipt, digest_of, read
from schemas.truceday import Micros
from sinks.owed import OWED
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch, Record
from streams.engine.producer import BatchProducer, Outgoing
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.receipts import TOLD_FOR, LedgerReceipts
from tests.support.lanes import Group, lane_of
from tests.support.records import TOPIC, chunk, record, with_body
from tests.support.stores import begin_store
from tests.support.worlds import TRUCE, at, convoy, incident, origin

RECEIPTS = "truce.receipts.v1"


class Told(BatchProducer):
    """Producer that keeps receipts, for want of a broker."""

    def __init__(self) -> None:
        super().__init__("kafka://nowhere:9092")
        self.receipts: list[Receipt] = []
        self.gone = False

    async def start(self) -> None:
        """Connect to nothing."""

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        """Keep the receipts of these records."""
        assert (topic, partition) == (RECEIPTS, 0)
        if self.gone:
            raise BrokerUnavailable("gone")
        for key, value, _ in records:
            found = read(value)
            assert {each.feed for each in found} == {key.decode() if key is not None else None}
            self.receipts += found


def ledger_on(folder: Path, told: Told, truce: Agreement = TRUCE) -> LedgerHandler:
    def open_store(_: int) -> Store:
        begin_store(folder, truce)
        return Store.open(
            folder, truce, {"SY01": ["Damascus"]}, facts_topic=TOPIC, log_identity="embedded-1", new_log_allowed=True
        )

    cadence, flush = Cadence(timedelta(hours=1)), FlushRules(50, 3_600.0)
    return LedgerHandler(
        truce, open_store, cadence, flush, None, receipts=LedgerReceipts(told, RECEIPTS, truce, folder)
    )


async def run(folder: Path, told: Told, records: Sequence[Record], truce: Agreement = TRUCE) -> None:
    """Let a ledger read on from its store to the end of these records."""
    ledger = ledger_on(folder, told, truce)
    await ledger.started(lane_of(Group()))
    start = await ledger.resume(TOPIC, 0)
    assert start is not None
    if rest := [each for each in records if each.offset >= start]:
        await ledger.handle(Batch(TOPIC, 0, rest, rest[-1].offset + 1))
    await ledger.stopped()


def stamped(facts: Sequence[Fact], stamp: Micros | None = None) -> list[Fact]:
    """Return facts received now, each of a source record of its own."""
    now = time.time_ns() // 1_000 if stamp is None else stamp
    return [msgspec.structs.replace(fact, stamp=now, origin=origin(number)) for number, fact in enumerate(facts)]


def one_by_one(facts: Sequence[Fact]) -> list[Record]:
    return [record(number, fact) for number, fact in enumerate(facts)]


async def test_each_outcome_has_its_receipt(tmp_path: Path) -> None:
    first = incident("i1", when=at(0.5), region="SY01")
    facts = stamped(
        [
            first,
            first,
            msgspec.structs.replace(first, revision=3, kind="airstrike"),
            msgspec.structs.replace(first, revision=2, kind="clash"),
            msgspec.structs.replace(first, revision=3, kind="clash"),
            msgspec.structs.replace(first, revision=4, retracted=True),
            convoy("c1", "approved", when=at(1.5)),
        ]
    )
    told = Told()
    await run(tmp_path, told, one_by_one(facts))
    assert [(each.report_id, each.revision, each.outcome, each.counted) for each in told.receipts] == [
        ("i1", 1, "accepted", True),
        ("i1", 1, "duplicate", None),
        ("i1", 3, "corrected", True),
        ("i1", 2, "superseded", None),
        ("i1", 3, "rejected", None),
        ("i1", 4, "retracted", None),
        ("c1", 1, "accepted", None),
    ]
    accepted, refused = told.receipts[0], told.receipts[4]
    assert (accepted.region, accepted.truce_day, accepted.agreement) == ("SY01", "2016-09-12", TRUCE.id)
    assert accepted.digest == digest_of(with_body(facts[0])[1])
    assert refused.code == "conflicting_body"
    assert "count revision up" in (refused.hint or "")


async def test_incidents_folded_by_column_have_the_same_receipts_as_one_by_one(tmp_path: Path) -> None:
    regions = ("SY01", "SY02")
    facts = stamped(
        [incident(f"i{number}", when=at(number % 3, 5), region=regions[number % 2]) for number in range(200)]
    )
    by_column, alone = Told(), Told()
    await run(tmp_path / "a", by_column, [chunk(0, [with_body(fact) for fact in facts])])
    await run(tmp_path / "b", alone, one_by_one(facts))
    assert len(by_column.receipts) == 200
    assert by_column.receipts == alone.receipts


async def test_only_feeds_that_count_are_told_that_they_do(tmp_path: Path) -> None:
    violence = TRUCE.violence.model_copy(update={"feeds": ["another"]})
    truce = TRUCE.model_copy(update={"violence": violence})
    facts = stamped([incident(f"i{number}", when=at(0.5)) for number in range(100)])
    told = Told()
    await run(tmp_path, told, [chunk(0, [with_body(fact) for fact in facts[:99]]), record(1, facts[99])], truce)
    assert {each.counted for each in told.receipts} == {False}


async def test_refusals_and_reports_of_elsewhere_are_told_by_intake(tmp_path: Path) -> None:
    refused = RejectFact(code="not_json", hint="mend it", feed="f")
    told = Told()
    await run(tmp_path, told, one_by_one(stamped([refused, OutsideFact(feed="f")])))
    assert told.receipts == []


async def test_a_ledger_that_begins_anew_does_not_tell_of_what_was_received_long_ago(tmp_path: Path) -> None:
    old = time.time_ns() // 1_000 - TOLD_FOR - 1_000_000
    facts = stamped([incident(f"i{number}", when=at(0.5)) for number in range(100)], old)
    facts[7:9] = stamped([incident("i7", when=at(0.5)), incident("i8", when=at(0.5))])
    facts = [msgspec.structs.replace(fact, origin=origin(number)) for number, fact in enumerate(facts)]
    by_column, alone = Told(), Told()
    await run(tmp_path / "a", by_column, [chunk(0, [with_body(fact) for fact in facts])])
    await run(tmp_path / "b", alone, one_by_one(facts))
    assert [each.report_id for each in by_column.receipts] == ["i7", "i8"]
    assert by_column.receipts == alone.receipts


def incidents(count: int) -> list[Record]:
    return one_by_one(stamped([incident(f"i{number}", when=at(0.5)) for number in range(count)]))


async def test_receipts_the_broker_did_not_take_are_told_after_the_restart(tmp_path: Path) -> None:
    records, told = incidents(3), Told()
    await run(tmp_path, told, records[:1])
    told.gone = True
    with pytest.raises(BrokerUnavailable):
        await run(tmp_path, told, records)
    assert (tmp_path / OWED).exists()
    told.gone = False
    await run(tmp_path, told, records)
    assert [each.report_id for each in told.receipts] == ["i0", "i1", "i2"]
    assert not (tmp_path / OWED).exists()


async def test_receipts_of_a_flush_that_was_not_committed_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, told = incidents(2), Told()
    await run(tmp_path, told, records[:1])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "committing", full)
        with pytest.raises(OSError, match="No space"):
            await run(tmp_path, told, records)
    assert (tmp_path / OWED).exists()
    assert [each.report_id for each in told.receipts] == ["i0"]
    await run(tmp_path, told, records)
    assert [each.report_id for each in told.receipts] == ["i0", "i1"]
