"""Chunks of facts at the ledger: where they end, and what intakes write again, never shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import FactUnreadable
from schemas.facts import Fact, Origin, TickFact, encode
from sinks.store import LIVE, PUBLISHED
from streams.engine.lane import Batch, Record
from streams.ledger.handler import FlushRules
from tests.agents.test_ledger_agent import HISTORY, NEVER, agent_on, run_records
from tests.property.test_any_history import TRUCES, histories
from tests.support.effort import examples
from tests.support.lanes import Group, lane_of
from tests.support.records import TABLES, batches_of, chunks, record, tables, tables_without_places
from tests.support.worlds import at, incident, tick

#: All but how far the broker counts.
OF_FACTS = [name for name in TABLES if name != "sink_offsets"]
RANDOM = settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@pytest.mark.property
@pytest.mark.parametrize("truce", ["plain", "linking", "linking what counts"])
@RANDOM
@given(cuts=sizes, data=st.data())
async def test_where_chunks_end_and_what_is_folded_by_column_never_show_in_any_history(
    tmp_path_factory: pytest.TempPathFactory, truce: str, cuts: list[int], data: st.DataObject
) -> None:
    agreement, told = TRUCES[truce]
    facts = [*from_a_partition(data.draw(told)), tick(at(9))]
    whole, cut = in_columns(facts, [len(facts)]), chunks(facts, cycle(cuts))
    if data.draw(st.booleans()):
        cut = in_columns(facts, cycle(cuts))
    stops = tuple(sorted(data.draw(st.sets(st.integers(1, len(cut)), max_size=3))))
    folder = tmp_path_factory.mktemp("history")
    with folded_from(NEVER):
        await run_records(folder / "whole", whole, size=1, flush=FlushRules(100, NEVER), truce=agreement)
    flush = FlushRules(data.draw(st.integers(1, 9)), NEVER)
    with folded_from(data.draw(st.sampled_from([1, 3, NEVER]))):
        await run_records(
            folder / "cut", cut, size=data.draw(st.integers(1, 7)), flush=flush, stops=stops, truce=agreement
        )
    assert tables(folder / "cut" / PUBLISHED, OF_FACTS) == tables(folder / "whole" / PUBLISHED, OF_FACTS)


@pytest.mark.property
@RANDOM
@given(history=histories, cuts=sizes, others=sizes, data=st.data())
async def test_facts_that_an_intake_writes_again_in_other_chunks_never_show(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Fact],
    cuts: list[int],
    others: list[int],
    data: st.DataObject,
) -> None:
    """An intake was killed before it committed, or two of them share a partition for a while."""
    facts = [*from_a_partition(history), tick(at(9))]
    written = data.draw(st.integers(1, len(facts)))
    committed = data.draw(st.integers(0, written - 1))
    again = [fact for fact in facts[committed:written] if not isinstance(fact, TickFact)]
    folder = tmp_path_factory.mktemp("history")
    once, twice = chunks(facts, cycle(cuts)), in_columns([*facts[:written], *again, *facts[written:]], cycle(others))
    await run_records(folder / "once", once, size=3, flush=FlushRules(5, NEVER))
    with folded_from(1):
        await run_records(folder / "twice", twice, size=2, flush=FlushRules(4, NEVER))
    assert tables_without_places(folder / "twice" / PUBLISHED) == tables_without_places(folder / "once" / PUBLISHED)


@contextmanager
def folded_from(incidents: float) -> Iterator[None]:
    """Have so many incidents of one record folded by column, and fewer one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.ledger.numbered.WORTH_COLUMNS", incidents)
        yield


def in_columns(facts: Sequence[Fact], cuts: Iterable[int]) -> list[Record]:
    """Return chunks in which incidents stand in columns, however few they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("schemas.chunks._WORTH_COLUMNS", 1)
        return chunks(facts, cuts)


def from_a_partition(facts: Sequence[Fact]) -> list[Fact]:
    """Return facts as of the records of one source partition, in its order."""
    return [
        fact if isinstance(fact, TickFact) else msgspec.structs.replace(fact, origin=Origin("truce.in", 0, n, "log"))
        for n, fact in enumerate(facts)
    ]


async def test_late_incidents_of_no_known_receipt_add_to_no_hour_long_past_in_columns_either(tmp_path: Path) -> None:
    late = [incident(name, when=at(0, 12), stamp=None) for name in ("b", "c")]
    facts = from_a_partition([incident("a"), tick(at(8, 12)), *late, tick(at(9))])
    for folder, least in (("columns", 1), ("one by one", NEVER)):
        with folded_from(least):
            await run_records(tmp_path / folder, in_columns(facts, [len(facts)]), size=1)
    found, wanted = (tables(tmp_path / folder / PUBLISHED, OF_FACTS) for folder in ("columns", "one by one"))
    assert found == wanted
    assert len(found["reports"]) == 3


@pytest.mark.parametrize(
    ("truce", "before", "after"),
    [
        # The earliest of a day are read again from the store, those of the flush among them.
        ("plain", [(n, "feed-a", 2 * n) for n in (9, 10, 11)], [(n, "feed-a", 2 * n) for n in (1, 2, 3, 4)]),
        # A cell that the store knows is read again with the reports of the flush.
        ("linking", [(1, "feed-a", 1), (2, "feed-b", 20)], [(3, "feed-a", 10), (4, "feed-b", 10)]),
    ],
)
async def test_after_a_restart_a_tick_sees_the_columns_folded_before_it_in_its_flush(
    tmp_path: Path, truce: str, before: list[tuple[int, str, float]], after: list[tuple[int, str, float]]
) -> None:
    agreement, _ = TRUCES[truce]
    told, later = (
        [
            incident(f"i{n}", feed=feed, when=at(0, hour), place_precision="near", deaths_best=3)
            for n, feed, hour in each
        ]
        for each in (before, after)
    )
    facts = from_a_partition([*told, tick(at(1)), *later, tick(at(1, 1))])
    log = in_columns(facts, [len(told) + 1, len(later) + 1])
    for folder, least in (("columns", 1), ("one by one", NEVER)):
        with folded_from(least):
            flush = FlushRules(1, NEVER)
            await run_records(tmp_path / folder, log, size=1, flush=flush, stops=(1,), truce=agreement)
    found, wanted = (tables(tmp_path / folder / PUBLISHED, OF_FACTS) for folder in ("columns", "one by one"))
    assert found == wanted


async def test_a_facts_number_is_counted_along_the_topic_and_stored_with_the_offset(tmp_path: Path) -> None:
    log = chunks(HISTORY, [4, 1, 7, 30])
    await run_records(tmp_path, log[:3], size=1)
    found = tables(tmp_path / PUBLISHED)
    assert sorted(row[0] for row in found["reports"]) == [0, *range(2, 12)]
    assert [row[3] for row in found["sink_offsets"] if row[2] == "facts"] == [3]
    assert found["ledger_state"][0][0] == 12
    await run_records(tmp_path, log, size=1)
    assert max(row[0] for row in tables(tmp_path / PUBLISHED)["reports"]) == len(HISTORY) - 2


async def test_a_flush_takes_whole_chunks_up_to_the_facts_it_may(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(5, NEVER))
    await agent.started(lane_of(Group()))
    batch = batches_of(chunks(HISTORY, [2, 2, 2, 2, 30]), 4)[0]
    await agent.resume(batch.topic, 0)
    await agent.handle(batch)
    await agent.revoked([])
    assert tables(tmp_path / LIVE, ["ledger_state"])["ledger_state"][0][0] == 6


async def test_a_topic_of_facts_one_to_a_record_is_refused_before_anything_is_folded(tmp_path: Path) -> None:
    old: Record = record(0, HISTORY[0])
    old.headers = (("fact", encode(HISTORY[0])),)
    agent = agent_on(tmp_path)
    await agent.resume(old.topic, 0)
    with pytest.raises(FactUnreadable, match="offset 0: a fact of an earlier version") as refused:
        await agent.handle(Batch(old.topic, 0, [old], 1))
    assert "another topic prefix" in (refused.value.hint or "")
    await agent.revoked([])
    assert tables(tmp_path / LIVE, ["reports"])["reports"] == []
