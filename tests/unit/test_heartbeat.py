"""The heartbeat: what counts as standing still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from faust.types import TP

from streams.engine import heartbeat
from streams.engine.heartbeat import OPENING_SECONDS, Heartbeat
from streams.engine.lane import Batch, Lane, Record
from streams.engine.probes import behind

TOPIC = "facts"
#: The time of day, in seconds, at which a test begins.
START = 1_473_696_000.0
HERE = TopicPartition(TOPIC, 0)


class Worker:
    """A lane that says how many records wait, the calls to its handler, and a clock that is set by hand."""

    def __init__(self, set_clock: Callable[[float], None]) -> None:
        self.commits = self.pieces = 0
        self.waiting = 0
        self.oldest: dict[TopicPartition, int] = {}
        self.call: str | None = None
        self.calls = 0
        self.heartbeat = Heartbeat(self, self, 10.0)
        self._now = 0.0
        self._set_clock = set_clock

    def uncommitted(self) -> dict[TopicPartition, int]:
        return {HERE: self.waiting}

    def oldest_ms(self) -> dict[TopicPartition, int]:
        return self.oldest

    def passes(self, seconds: float, *, every: float = 0.25) -> bool:
        """Tick for so long; return whether the worker stalled."""
        for _ in range(round(seconds / every)):
            self._now += every
            self._set_clock(self._now)
            self.heartbeat.tick()
        return self.heartbeat.stalled() is not None


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    def set_clock(now: float) -> None:
        monkeypatch.setattr(heartbeat, "monotonic", lambda: now)
        monkeypatch.setattr(heartbeat, "time", lambda: START + now)

    set_clock(0.0)
    return Worker(set_clock)


def test_nothing_to_do_is_no_stall(worker: Worker) -> None:
    assert not worker.passes(1_000)


def test_records_that_wait_while_nothing_is_committed_are_one(worker: Worker) -> None:
    worker.waiting = 1_234
    assert not worker.passes(9)
    assert worker.passes(2)
    said = str(worker.heartbeat.stalled())
    assert said.startswith("stalled: 1,234 records wait and none was committed for 1")
    assert said.endswith("(the limit is TRUCEWATCH_STALL_SECONDS)")


def test_a_flush_that_works_on_in_pieces_is_none_however_long_it_takes(worker: Worker) -> None:
    worker.waiting, worker.call = 20_000, "handle"
    for _ in range(100):
        assert not worker.passes(8)
        worker.pieces += 1
    assert worker.passes(11)


def test_a_commit_is_progress_and_a_call_that_returns_is_none(worker: Worker) -> None:
    worker.waiting = 5
    for _ in range(20):
        assert not worker.passes(8)
        worker.commits += 1
    assert not worker.passes(8)
    worker.calls += 1
    assert worker.passes(3)


def test_a_call_that_never_returns_is_one_though_nothing_waits(worker: Worker) -> None:
    worker.call = "stopped"
    assert worker.passes(11)
    assert "the handler is in stopped() for 1" in str(worker.heartbeat.stalled())


def test_calls_that_follow_each_other_while_nothing_waits_are_none(worker: Worker) -> None:
    """At every tick one may be under way: a copy is published every few seconds."""
    worker.call = "handle"
    for _ in range(10):
        assert not worker.passes(8)
        worker.calls += 1


def test_time_in_which_the_loop_did_not_run_hardly_counts(worker: Worker) -> None:
    """A commit on a slow disk keeps it busy; a process that was stopped comes back from nowhere."""
    worker.waiting = 5
    worker.heartbeat.tick()
    assert not worker.passes(3_600, every=3_600)
    assert not worker.passes(25, every=5)


def test_a_standby_may_wait_for_ever_and_opening_a_store_may_keep_the_loop_for_longer(worker: Worker) -> None:
    worker.call = "resume"
    assert not worker.passes(3_600)
    assert worker.heartbeat.limit_seconds == OPENING_SECONDS
    worker.call = "handle"
    assert worker.heartbeat.limit_seconds == 10


def test_lag_is_the_age_of_the_oldest_record_that_waits(worker: Worker) -> None:
    worker.passes(1)
    assert worker.heartbeat.lag_seconds() == {HERE: 0.0}
    worker.waiting, worker.oldest = 5, {HERE: round(1_000 * (START - 90))}
    worker.passes(1)
    assert worker.heartbeat.lag_seconds()[HERE] == 92


def test_of_records_still_in_kafka_it_is_known_since_when_they_were_seen(worker: Worker) -> None:
    worker.waiting = 5
    worker.passes(1)
    worker.passes(20)
    assert worker.heartbeat.lag_seconds()[HERE] == pytest.approx(20, abs=1)


def test_who_has_no_partition_or_is_far_behind_is_not_ready(worker: Worker) -> None:
    assert behind(worker.heartbeat) == ["no partition is assigned"]
    worker.passes(1)
    assert behind(worker.heartbeat) == []
    worker.waiting, worker.oldest = 5, {HERE: round(1_000 * (START - 90))}
    worker.passes(1)
    assert behind(worker.heartbeat) == ["facts/0: 5 records wait, the oldest for 92 s; at most 60 s are ready"]


async def test_the_lane_counts_a_record_until_it_is_committed() -> None:
    lane = Lane(frozenset({TOPIC}), 0.25)
    lane.feed = asyncio.Queue()
    lane.consumer = _Consumer()
    records = [_record(offset) for offset in range(4)]
    lane.hand_over(Batch(TOPIC, 0, records[:2], 2))
    lane.hand_over(Batch(TOPIC, 0, records[2:3], 3))
    assert (lane.uncommitted(), lane.oldest_ms()) == ({HERE: 10}, {HERE: 1_000})
    await lane.commit({HERE: 1})
    assert (lane.uncommitted(), lane.oldest_ms()) == ({HERE: 9}, {HERE: 1_001})
    await lane.commit({HERE: 2})
    assert lane.uncommitted() == {HERE: 8}
    await lane.commit({HERE: 3})
    assert (lane.uncommitted(), lane.oldest_ms()) == ({HERE: 7}, {})
    assert (lane.most_records, lane.most_bytes) == (3, 3 * len(records[0].value or b""))
    lane.hand_over(Batch(TOPIC, 0, records[3:], 4))
    before = lane.commits
    await lane.commit({HERE: 3})
    assert lane.commits == before, "the same offset told again is no progress"
    lane.sought()
    assert lane.uncommitted() == {HERE: 7}


async def test_commits_that_the_group_refuses_are_no_progress_and_the_records_wait_on() -> None:
    """One that is no member any more may write for ever: it publishes nothing, and is to be started again."""
    lane = Lane(frozenset({TOPIC}), 0.25)
    lane.feed, lane.consumer = asyncio.Queue(), (consumer := _Consumer())
    consumer.takes = False
    for offset in range(1, 4):
        lane.hand_over(Batch(TOPIC, 0, [_record(offset - 1)], offset))
        assert not await lane.commit({HERE: offset})
    assert (lane.commits, lane.uncommitted()) == (0, {HERE: 10})
    consumer.takes = True
    assert await lane.commit({HERE: 3})
    assert (lane.commits, lane.uncommitted()) == (1, {HERE: 7})


def _record(offset: int) -> Record:
    return ConsumerRecord(TOPIC, 0, offset, 1_000 + offset, 0, None, b"told", None, 0, 0, ())


class _Consumer:
    """Seven records are in Kafka that were not handed over."""

    takes = True

    def assignment(self) -> set[TP]:
        return {TP(TOPIC, 0)}

    def lag(self) -> dict[TP, int]:
        return {TP(TOPIC, 0): 7}

    def stop_flow(self) -> None:
        raise AssertionError("nobody stops the flow here")

    async def commit_within(self, offsets: object, seconds: float) -> bool:
        return self.takes
