"""The ledger agent on a real store: what is committed, and what a restart at any instant leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from schemas.agreement import Agreement
from schemas.chunks import read
from schemas.errors import FactUnreadable, LogMismatch, StoreFull, StoreInUse
from schemas.facts import Fact, TickFact
from sinks.publishing import Cadence
from sinks.store import LIVE, PUBLISHED, Store
from streams.engine.lane import Batch, Lane, Record
from streams.engine.producer import Outgoing
from streams.engine.unreadable import Unreadable
from streams.ledger import handler as handlers
from streams.ledger.core.identity import Hashes, SeenFilter
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.ticker import Ticker
from tests.property.test_any_history import histories
from tests.support.effort import FULL, examples
from tests.support.lanes import PATIENCE, Group, lane_of
from tests.support.records import TOPIC, batches, batches_of, record, tables
from tests.support.stores import begin_store
from tests.support.worlds import TRUCE, at, convoy, coverage, incident, tick

NEVER = 3_600.0


def agent_on(
    folder: Path,
    *,
    flush: FlushRules | None = None,
    truce: Agreement = TRUCE,
    log: str = "embedded-1",
    ticker: Ticker | None = None,
    log_of_facts: Sequence[Record] | None = None,
) -> LedgerHandler:
    """Return an agent whose store lies in ``folder``; it flushes by count unless told otherwise."""

    def open_store(log_begins: int) -> Store:
        begin_store(folder, truce)
        return Store.open(
            folder,
            truce,
            {"SY01": ["Damascus"]},
            facts_topic=TOPIC,
            log_identity=log,
            new_log_allowed=True,
            log_begins=log_begins,
        )

    async def record_at(_: object, offset: int) -> Record | None:
        return next((each for each in log_of_facts or () if each.offset == offset), None)

    return LedgerHandler(
        truce,
        open_store,
        Cadence(timedelta(hours=1)),
        flush or FlushRules(1, NEVER),
        ticker,
        None if log_of_facts is None else record_at,
    )


async def run(
    folder: Path, facts: list[Fact], *, size: int, flush: FlushRules | None = None, stops: tuple[int, ...] = ()
) -> None:
    """Feed facts, each a record, as ``run_records`` does."""
    await run_records(folder, [record(n, fact) for n, fact in enumerate(facts)], size=size, flush=flush, stops=stops)


async def run_records(
    folder: Path,
    log: Sequence[Record],
    *,
    size: int,
    flush: FlushRules | None = None,
    stops: tuple[int, ...] = (),
    truce: Agreement = TRUCE,
) -> None:
    """Feed records in batches of ``size``; at each offset of ``stops`` the ledger dies with what is not committed."""
    lane = lane_of(Group())
    remaining = list(stops)
    while True:
        agent = agent_on(folder, flush=flush, truce=truce)
        await agent.started(lane)
        start = await agent.resume(TOPIC, 0)
        died = False
        for batch in batches_of(log, size):
            records = [each for each in batch.records if each.offset >= start]
            if remaining and batch.next_offset > remaining[0]:
                remaining.pop(0)
                died = True
                break
            if records:
                await agent.handle(Batch(batch.topic, batch.partition, records, batch.next_offset))
        if not died:
            await agent.stopped()
            return
        await agent.revoked([])


HISTORY: list[Fact] = [
    coverage(low=at(0), high=at(1)),
    tick(at(0, 6)),
    *[incident(f"i{n}", when=at(0, n), feed=f"feed-{n % 2}") for n in range(12)],
    tick(at(1)),
    incident("i3", feed="feed-1", when=at(1, 2), revision=2),
    convoy(when=at(0, 3)),
    tick(at(1, 6)),
    incident("i4", feed="feed-0", when=at(0, 4), revision=2, retracted=True),
    incident("i5", feed="feed-1", when=at(0, 5)),
    convoy("s2", "offloaded", when=at(2)),
    tick(at(4)),
]


@pytest.mark.property
async def test_a_restart_in_mid_stream_leaves_every_table_as_if_it_had_not_been(tmp_path: Path) -> None:
    await run(tmp_path / "whole", HISTORY, size=1)
    whole = tables(tmp_path / "whole" / PUBLISHED)
    assert whole["day_verdict_versions"]
    for stop in range(1, len(HISTORY), 1 if FULL else 6):
        folder = tmp_path / f"stopped-at-{stop}"
        await run(folder, HISTORY, size=2, flush=FlushRules(5, NEVER), stops=(stop,))
        assert tables(folder / PUBLISHED) == whole, f"stopped at {stop}"


@pytest.mark.property
@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(history=histories, data=st.data())
async def test_restarts_and_batch_sizes_never_show_in_any_history(
    tmp_path_factory: pytest.TempPathFactory, history: list[Fact], data: st.DataObject
) -> None:
    facts = [*history, tick(at(9))]
    stops = tuple(sorted(data.draw(st.sets(st.integers(1, len(facts)), max_size=3))))
    size, every = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 9))
    folder = tmp_path_factory.mktemp("history")
    await run(folder / "whole", facts, size=100, flush=FlushRules(100, NEVER))
    await run(folder / "cut", facts, size=size, flush=FlushRules(every, NEVER), stops=stops)
    assert tables(folder / "cut" / PUBLISHED) == tables(folder / "whole" / PUBLISHED)


async def test_a_final_day_with_another_finding_is_told_in_the_log_and_one_with_other_figures_alone_is_not(
    tmp_path: Path,
) -> None:
    history: list[Fact] = [coverage(low=at(0), high=at(1)), tick(at(1)), tick(at(4))]
    history += [incident("i1", when=at(0, 5)), tick(at(4, 1)), incident("i2", when=at(0, 6)), tick(at(4, 2))]
    with capture_logs() as logs:
        await run(tmp_path, history, size=1)
    (line,) = [entry for entry in logs if entry["event"] == "verdicts_amended"]
    assert (line["days"], line["regions"], line["verdicts"]) == (1, 1, {"MET to BROKEN": 1})
    (told,) = line["first"]
    assert (told["region"], told["truce_day"], told["version"]) == ("SY01", "2016-09-12", 3)
    assert (told["before"]["verdict"], told["after"]["verdict"]) == ("MET", "BROKEN")
    assert told["cause"] == {"reports": ["feed-a/i2@1"], "more": 0}


async def test_all_days_that_a_tick_amends_are_told_in_one_line_with_counts(tmp_path: Path) -> None:
    history: list[Fact] = [coverage(low=at(0), high=at(6)), tick(at(9))]
    for day_number in range(6):
        history += [incident(f"i{day_number}-{n}", when=at(day_number, n)) for n in range(2)]
    with capture_logs() as logs:
        await run(tmp_path, [*history, tick(at(9, 1)), incident("i6", when=at(0, 9)), tick(at(9, 2))], size=100)
    (line,) = [entry for entry in logs if entry["event"] == "verdicts_amended"]
    assert (line["days"], line["regions"], line["verdicts"]) == (6, 1, {"MET to BROKEN": 6})
    assert [each["truce_day"] for each in line["first"]] == ["2016-09-12", "2016-09-13", "2016-09-14"]


async def test_what_is_not_committed_is_read_again(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(100, NEVER))
    assert await agent.resume(TOPIC, 0) == 0
    await agent.handle(batches(HISTORY, 10)[0])
    await agent.revoked([])
    assert await agent_on(tmp_path).resume(TOPIC, 0) == 0


async def test_a_fact_waits_no_longer_than_the_flush_allows(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(10_000, 0.0))
    await agent.resume(TOPIC, 0)
    await agent.handle(batches(HISTORY, 10)[0])
    await agent.revoked([])
    other = agent_on(tmp_path)
    assert await other.resume(TOPIC, 0) == 10
    await other.revoked([])


def test_facts_linger_a_quarter_of_the_last_flush_within_bounds() -> None:
    rules = FlushRules(seconds=0.03)
    assert [rules.linger(took) for took in (0.0, 0.2)] == [0.03, 0.05]
    assert rules.linger(9.0) == pytest.approx(0.75)


async def test_an_idle_batch_lets_waiting_facts_be_committed(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(10_000, 0.05))
    await agent.resume(TOPIC, 0)
    await agent.handle(batches(HISTORY, 3)[0])
    await asyncio.sleep(0.06)
    await agent.handle(Batch("", -1, [], 0))
    await agent.revoked([])
    assert tables(tmp_path / LIVE)["sink_offsets"][0][3] == 3


async def test_facts_are_committed_together_with_those_already_at_hand(tmp_path: Path) -> None:
    lane = lane_of(Group())
    lane.feed = asyncio.Queue()
    agent = agent_on(tmp_path, flush=FlushRules(10_000, 0.0))
    await agent.resume(TOPIC, 0)
    await agent.started(lane)
    first, second, *_ = batches(HISTORY, 2)
    lane.hand_over(second)
    await agent.handle(first)
    assert lane.commits == 0
    await agent.handle(lane.feed.get_nowait())
    assert lane.commits == 1
    await agent.revoked([])
    assert tables(tmp_path / LIVE)["sink_offsets"][0][3] == 4


async def test_a_record_nobody_of_ours_wrote_stops_the_ledger_before_anything_is_folded(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(2, NEVER))
    await agent.resume(TOPIC, 0)
    good, bad = record(0, incident()), record(1, incident("i2"))
    stranger: Any = bad.__class__(**{**bad.__dict__, "headers": ()})
    with pytest.raises(FactUnreadable, match="offset 1"):
        await agent.handle(Batch(TOPIC, 0, [good, stranger], 2))
    await agent.revoked([])
    assert tables(tmp_path / LIVE)["reports"] == []


async def test_a_standby_holds_no_file_until_it_is_asked_to_resume(tmp_path: Path) -> None:
    active, standby = agent_on(tmp_path), agent_on(tmp_path)
    await active.resume(TOPIC, 0)
    await standby.handle(batches(HISTORY, 3)[0])
    await active.revoked([])
    assert await standby.resume(TOPIC, 0) == 0
    await standby.revoked([])


class Shrinking:
    """A log that loses ten records each time it is asked where it begins; of a consumer's the one part needed here."""

    def __init__(self, lane: Lane, asked_before_it_is_lost: int) -> None:
        self.begins = 0
        self._lane, self._left = lane, asked_before_it_is_lost
        lane.consumer = self  # type: ignore[assignment]  # nothing else of it is asked

    async def first_offset(self, _: object) -> int:
        self.begins += 10
        self._left -= 1
        if not self._left:
            self._lane.new_epoch()
        return self.begins


def waiting_standby(given: list[int], tries: int) -> LedgerHandler:
    """Return a ledger for which another process holds the file until it tried so often; keeps what it is given."""

    def open_store(log_begins: int) -> Store:
        given.append(log_begins)
        if len(given) < tries:
            raise StoreInUse("another ledger has it")
        raise StoreFull("enough")

    return LedgerHandler(TRUCE, open_store, Cadence(timedelta(hours=1)), FlushRules(1, NEVER), None)


async def test_where_the_log_begins_is_asked_when_a_standby_takes_over_and_not_before() -> None:
    """It may have waited for months: where a damaged file may be set aside rests on what the log holds then."""
    lane, given = Lane(frozenset({TOPIC}), 0.25), list[int]()
    standby = waiting_standby(given, tries=3)
    await standby.started(lane)
    Shrinking(lane, asked_before_it_is_lost=9)
    with pytest.raises(StoreFull):
        await standby.resume(TOPIC, 0)
    assert given == [10, 20, 30]


async def test_a_partition_lost_while_the_broker_was_asked_opens_no_file() -> None:
    lane, given = Lane(frozenset({TOPIC}), 0.25), list[int]()
    standby = waiting_standby(given, tries=3)
    await standby.started(lane)
    Shrinking(lane, asked_before_it_is_lost=2)
    assert await standby.resume(TOPIC, 0) is None
    assert given == [10]


async def test_a_ledger_thrown_out_of_its_group_lets_go_of_the_file(tmp_path: Path) -> None:
    """Nobody tells it that its partitions are revoked: it learns that it holds none."""
    active, standby = agent_on(tmp_path), agent_on(tmp_path)
    await active.resume(TOPIC, 0)
    await active.assigned([])
    assert await standby.resume(TOPIC, 0) == 0
    await standby.revoked([])


async def until_published(agent: LedgerHandler, folder: Path) -> None:
    """Hand over idle batches until there is a copy."""
    async with asyncio.timeout(PATIENCE):
        while not (folder / PUBLISHED).exists():
            await agent.handle(Batch("", -1, [], 0))
            await asyncio.sleep(0.001)


async def test_a_copy_left_behind_by_a_crash_is_made_without_a_new_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = agent_on(tmp_path)
    await agent.resume(TOPIC, 0)
    with monkeypatch.context() as crash:
        # Its pause lasts, so that the crash comes first.
        crash.setattr(Cadence, "due", lambda *_: False)
        await agent.handle(batches(HISTORY, len(HISTORY))[0])
    await agent.revoked([])
    assert not (tmp_path / PUBLISHED).exists()
    other = agent_on(tmp_path)
    assert await other.resume(TOPIC, 0) == len(HISTORY)
    await until_published(other, tmp_path)
    await other.revoked([])
    assert tables(tmp_path / PUBLISHED) == tables(tmp_path / LIVE)


async def test_an_empty_store_is_not_published(tmp_path: Path) -> None:
    agent = agent_on(tmp_path)
    await agent.resume(TOPIC, 0)
    await agent.handle(Batch("", -1, [], 0))
    await agent.stopped()
    assert not (tmp_path / PUBLISHED).exists()


async def test_a_new_epoch_is_warned_of(tmp_path: Path) -> None:
    await run(tmp_path, HISTORY, size=5)
    with capture_logs() as told:
        agent = agent_on(tmp_path, log="embedded-2")
        assert await agent.resume(TOPIC, 0) == 0
        await agent.revoked([])
    assert [(line["log_level"], line["agreement"]) for line in told if line["event"] == "new_epoch"] == [
        ("warning", TRUCE.id)
    ]
    with capture_logs() as told:
        agent = agent_on(tmp_path, log="embedded-2")
        await agent.resume(TOPIC, 0)
        await agent.revoked([])
    assert "new_epoch" not in {line["event"] for line in told}


async def test_a_report_sent_again_takes_no_more_room_in_the_filter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[int] = []
    add = SeenFilter.add

    def counted(seen: SeenFilter, hashes: Hashes) -> None:
        added.append(len(hashes))
        add(seen, hashes)

    monkeypatch.setattr(SeenFilter, "add", counted)
    facts: list[Fact] = [incident(f"i{number % 5}") for number in range(50)]
    await run(tmp_path, facts, size=5, flush=FlushRules(5, NEVER))
    assert sum(added) == 5


async def test_reports_whose_identities_have_one_hash_count_once_each_however_often_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 64-bit fingerprint finds rows, and tells nothing apart: names do."""
    monkeypatch.setattr("streams.ledger.numbered.key_hash", lambda *_: 7)
    told: list[Fact] = [
        *[incident(f"i{n}", when=at(0, n)) for n in range(3)],
        tick(at(1)),
        *[incident(f"i{n}", when=at(0, n)) for n in range(3)],
        *[incident(f"i{n}", when=at(0, n), revision=2) for n in range(2)],
        tick(at(2)),
    ]
    await run(tmp_path, told, size=4, flush=FlushRules(4, NEVER), stops=(4,))
    found = tables(tmp_path / PUBLISHED)
    present = [row[:6] for row in found["reports"] if row[5]]
    assert [(row[3], row[4]) for row in present] == [("i2", 1), ("i0", 2), ("i1", 2)]
    assert [row[2] for row in found["day_tallies"]] == [3]


async def test_what_waits_for_a_flush_is_bounded_in_records_and_in_bytes(tmp_path: Path) -> None:
    """However patient the ledger is, and however slow its disk."""
    facts = [incident(f"i{n}", when=at(0)) for n in range(60)]
    size = len(record(0, facts[0]).value or b"")
    for rules, most in ((FlushRules(10, NEVER), 9), (FlushRules(1_000, NEVER, bytes=10 * size), 10)):
        agent = agent_on(tmp_path / str(most), flush=rules)
        await agent.started(lane_of(Group()))
        await agent.resume(TOPIC, 0)
        waited = []
        for batch in batches(facts, 4):
            await agent.handle(batch)
            waited.append(len(agent._waiting))
        assert 0 < max(waited) <= most
        await agent.stopped()


class Sent:
    """A producer that keeps the ticks it is given."""

    def __init__(self) -> None:
        self.ticks: list[TickFact] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        for _, value, headers in records:
            ((fact, _),) = read(value, headers)
            assert isinstance(fact, TickFact)
            self.ticks.append(fact)


def ticker_to(sent: Sent) -> Ticker:
    """Return a ticker that is always due."""
    return Ticker(sent, TOPIC, idle_seconds=0.0)  # type: ignore[arg-type]  # of a producer it needs no more


async def test_a_ledger_that_its_group_refuses_publishes_nothing_when_it_is_stopped(tmp_path: Path) -> None:
    """It hung, lost the partition and is told to stop: a copy said to be of now would pass for the newest."""
    group = Group()
    agent = agent_on(tmp_path)
    await agent.started(lane_of(group))
    await agent.resume(TOPIC, 0)
    first, second, *_ = batches(HISTORY, 5)
    await agent.handle(first)
    await until_published(agent, tmp_path)
    before = tables(tmp_path / PUBLISHED)
    group.takes = False
    await agent.handle(second)
    await agent.stopped()
    assert tables(tmp_path / PUBLISHED) == before
    assert tables(tmp_path / LIVE)["ledger_state"][0][0] == 10, "what it has read is in its own file"


async def test_a_ledger_that_its_group_refuses_makes_no_tick(tmp_path: Path) -> None:
    """Ticks alone move time: a host that wakes up with a clock that is ahead would move it for everybody."""
    group, sent = Group(), Sent()
    agent = agent_on(tmp_path, ticker=ticker_to(sent))
    await agent.started(lane_of(group))
    await agent.resume(TOPIC, 0)
    await agent.handle(batches(HISTORY, 5)[0])
    assert len(sent.ticks) == 1
    group.takes = False
    await agent.handle(batches(HISTORY, 5)[1])
    await agent.handle(Batch("", -1, [], 0))
    assert len(sent.ticks) == 1
    group.takes = True
    await agent.handle(Batch("", -1, [], 0))
    assert len(sent.ticks) == 2
    await agent.stopped()


async def test_each_ledger_that_leads_makes_ticks_under_a_higher_number(tmp_path: Path) -> None:
    sent = Sent()
    told: list[Fact] = list(HISTORY[:3])
    for _ in range(3):
        agent = agent_on(tmp_path, ticker=ticker_to(sent))
        await agent.started(lane_of(Group()))
        start = await agent.resume(TOPIC, 0)
        for _ in range(2):
            await agent.handle(Batch(TOPIC, 0, [record(n, fact) for n, fact in enumerate(told)][start:], len(told)))
            start, told = len(told), [*told, sent.ticks[-1]]
        await agent.stopped()
    assert [tick.term for tick in sent.ticks] == [1, 1, 2, 2, 3, 3]
    assert [tick.writer for tick in sent.ticks[::2]] == [tick.writer for tick in sent.ticks[1::2]]
    assert len({tick.writer for tick in sent.ticks}) == 3


@pytest.mark.parametrize("lost", ["the end", "the end, and others are there by now"])
async def test_a_log_that_lost_records_already_judged_is_refused_however_often_it_is_tried(
    tmp_path: Path, lost: str
) -> None:
    await run(tmp_path, HISTORY, size=5)
    there = [record(offset, fact) for offset, fact in enumerate(HISTORY[:10])]
    if lost != "the end":
        there += [record(offset, incident(f"new-{offset}")) for offset in range(10, 3 * len(HISTORY))]
    for _ in range(3):
        agent = agent_on(tmp_path, log_of_facts=there)
        await agent.started(lane_of(Group()))
        with pytest.raises(LogMismatch, match=f"the record at offset {len(HISTORY) - 1}, the last one read, is "):
            await agent.resume(TOPIC, 0)


async def test_a_log_that_still_has_the_last_record_judged_is_gone_on_with(tmp_path: Path) -> None:
    """And one that was deleted on purpose up to there: nothing is left to compare."""
    await run(tmp_path, HISTORY[:10], size=3)
    whole = [record(offset, fact) for offset, fact in enumerate(HISTORY)]
    for begins, there in ((0, whole), (10, whole[10:])):
        group = Group(begins)
        agent = agent_on(tmp_path, log_of_facts=there)
        await agent.started(lane_of(group))
        assert await agent.resume(TOPIC, 0) == 10
        await agent.revoked([])


async def test_a_fact_that_kafka_damaged_stops_the_ledger_with_its_offset(tmp_path: Path) -> None:
    agent = agent_on(tmp_path, flush=FlushRules(1, NEVER))
    await agent.resume(TOPIC, 0)
    damaged = Unreadable(**{**record(3, incident()).__dict__, "headers": ()}, fault="the checksum is wrong", first=1)
    with pytest.raises(FactUnreadable, match="offset 1: the checksum is wrong"):
        await agent.handle(Batch(TOPIC, 0, [damaged], 4))
    await agent.revoked([])


async def test_the_event_loop_runs_in_the_middle_of_a_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "PIECE_SECONDS", 0.0)
    lane, agent = lane_of(Group()), agent_on(tmp_path)
    await agent.started(lane)
    await agent.resume(TOPIC, 0)
    handling = asyncio.ensure_future(agent.handle(batches(HISTORY, 100)[0]))
    turns = 0
    while not handling.done():
        turns += 1
        await asyncio.sleep(0)
    await handling
    assert turns > len(HISTORY)
    assert lane.pieces > len(HISTORY)
    await agent.stopped()


async def test_a_flush_that_is_called_off_in_the_middle_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "PIECE_SECONDS", 0.0)
    await run(tmp_path / "whole", HISTORY, size=100)
    whole = tables(tmp_path / "whole" / PUBLISHED)
    for turns in (3, 40):
        folder = tmp_path / f"called-off-after-{turns}"
        agent = agent_on(folder, flush=FlushRules(len(HISTORY), NEVER))
        await agent.started(lane_of(Group()))
        await agent.resume(TOPIC, 0)
        handling = asyncio.ensure_future(agent.handle(batches(HISTORY, 100)[0]))
        for _ in range(turns):
            await asyncio.sleep(0)
        handling.cancel()
        with suppress(asyncio.CancelledError):
            await handling
        await agent.stopped()
        await run(folder, HISTORY, size=100)
        assert tables(folder / PUBLISHED) == whole, f"called off after {turns} turns"
