"""Whether the broker answers, as a worker with nothing to do finds out."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.errors import BrokerRefused, BrokerUnavailable
from streams.engine import worker
from streams.engine.app import BatchApp
from streams.engine.lane import Lane
from streams.engine.reachability import READY_AWAY_SECONDS, BrokerReachability, apart


def test_a_worker_is_unready_once_nobody_has_answered_for_two_sessions() -> None:
    reachability = BrokerReachability("kafka://h:1", 90.0)
    reachability.unanswered(READY_AWAY_SECONDS - 1)
    assert reachability.unready() == []
    reachability.unanswered(1)
    assert reachability.unready() == ["no broker has answered for 20 s"]
    reachability.answered()
    assert reachability.unready() == []


def test_patience_ends_and_says_for_how_long_it_lasted() -> None:
    reachability = BrokerReachability("kafka://h:1", 90.0)
    for _ in range(8):
        reachability.unanswered(10)
    reachability.answered()
    for _ in range(8):
        reachability.unanswered(10)
    with pytest.raises(BrokerUnavailable, match="no Kafka broker answered at kafka://h:1 for 90 s"):
        reachability.unanswered(10)


@pytest.mark.parametrize(("taken_at", "asked_in_all"), [(None, 6), (4, 9)])
async def test_a_commit_that_was_taken_is_an_answer_though_nobody_asked(
    taken_at: int | None, asked_in_all: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away, back for a moment, away again: that is not as long as both together."""
    lane = Lane(frozenset({"t"}), 0.25)
    asked, gone = [], []
    app: Any = SimpleNamespace(lane=lane, reachability=BrokerReachability("kafka://h:1", 0.6), fail=gone.append)

    async def logs(app: BatchApp) -> dict[str, str]:
        asked.append(app)
        lane.commits += len(asked) == taken_at
        raise BrokerUnavailable("refused")

    # No more than 0.1 s are counted each time, however slow the machine is.
    monkeypatch.setattr(worker, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(worker, "monotonic", count().__next__)
    monkeypatch.setattr(worker, "_logs", logs)
    await worker._watch(app, {})
    assert [str(each) for each in gone] == ["no Kafka broker answered at kafka://h:1 for 1 s"]
    assert len(asked) == asked_in_all


async def test_a_broker_that_refuses_for_as_long_ends_a_worker_with_the_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An ACL that was taken away, say: it is no broker that is gone, and a person must know which."""
    gone: list[BaseException] = []
    lane = Lane(frozenset({"t"}), 0.25)
    app: Any = SimpleNamespace(lane=lane, reachability=BrokerReachability("kafka://h:1", 0.6), fail=gone.append)

    async def logs(_: BatchApp) -> dict[str, str]:
        raise BrokerRefused("an ACL is missing")

    monkeypatch.setattr(worker, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(worker, "monotonic", count().__next__)
    monkeypatch.setattr(worker, "_logs", logs)
    await worker._watch(app, {})
    assert [str(each) for each in gone] == ["an ACL is missing"]


async def test_an_answer_is_heard_though_the_loop_is_busy() -> None:
    """A ledger whose disk is slow must not take its broker for gone."""
    asked = []

    async def ask() -> str:
        for number in range(5):
            asked.append(number)
            await asyncio.sleep(0.01)
        return "here"

    asking = asyncio.create_task(apart(ask, 2.0))
    await asyncio.sleep(0)
    time.sleep(2.5)  # noqa: ASYNC251 - the loop is to stand still
    assert (await asking, asked) == ("here", [*range(5)])


async def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_told() -> None:
    with pytest.raises(TimeoutError):
        await apart(lambda: asyncio.sleep(60), 0.05)


async def test_an_error_is_raised_where_the_answer_is_awaited() -> None:
    async def ask() -> None:
        raise BrokerUnavailable("refused")

    with pytest.raises(BrokerUnavailable, match="refused"):
        await apart(ask, 1.0)


def test_an_answer_that_comes_after_the_end_disturbs_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        asking = asyncio.create_task(apart(lambda: asyncio.sleep(0.2), 1.0))
        await asyncio.sleep(0.05)
        asking.cancel()

    asyncio.run(main())
    time.sleep(0.4)
    assert capfd.readouterr() == ("", "")
