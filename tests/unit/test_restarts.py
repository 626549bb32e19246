"""``up`` starts a worker again that stood still, with pauses that grow, and gives up in the end."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.errors import WorkerDied
from streams.cli.restarts import FORGIVEN_SECONDS, PAUSES, Watched


class Process:
    """A worker that has ended as it is told."""

    role = name = "ledger"
    probes: str | None = None
    started = 0

    def __init__(self, death: WorkerDied | None) -> None:
        self.death = death
        Process.started += 1

    def check(self) -> None:
        if self.death is not None:
            raise self.death

    def again(self) -> Process:
        return Process(self.death)


STALLED = WorkerDied("the ledger worker ended: stalled: 5 records wait", 3, stalled=True)


@pytest.fixture
def said() -> list[dict[str, Any]]:
    return []


def watched(said: list[dict[str, Any]], *workers: Process) -> Watched:
    def say(event: str, text: str, **fields: object) -> None:
        said.append({"event": event, "text": text, **fields})

    return Watched(cast("Any", list(workers)), say)


def test_one_that_stood_still_is_started_again_after_a_pause_and_that_is_said(said: list[dict[str, Any]]) -> None:
    watch = watched(said, Process(STALLED))
    before = Process.started
    watch.look(0.0)
    watch.look(PAUSES[0] - 0.1)
    assert Process.started == before
    watch.look(PAUSES[0])
    assert Process.started == before + 1
    (told,) = said
    assert (told["event"], told["role"], told["restarts"]) == ("restart", "ledger", 1)
    assert told["text"].endswith("stalled: 5 records wait; starting it again in 1 s (1 of 5 within an hour)")


def test_after_so_many_times_within_an_hour_it_is_given_up(said: list[dict[str, Any]]) -> None:
    watch = watched(said, Process(STALLED))
    now = 0.0
    for pause in PAUSES:
        watch.look(now)
        now += pause
        watch.look(now)
    assert [each["pause_seconds"] for each in said] == list(PAUSES)
    with pytest.raises(WorkerDied):
        watch.look(now + 1)


def test_what_was_an_hour_ago_is_forgiven(said: list[dict[str, Any]]) -> None:
    watch = watched(said, Process(STALLED))
    for number in range(20):
        watch.look(number * FORGIVEN_SECONDS)
        watch.look(number * FORGIVEN_SECONDS + PAUSES[0])
    assert {each["restarts"] for each in said} == {1}


def test_any_other_death_is_an_error_at_once(said: list[dict[str, Any]]) -> None:
    watch = watched(said, Process(WorkerDied("the ledger worker ended: the disk is full", 3)))
    with pytest.raises(WorkerDied, match="the disk is full"):
        watch.look(0.0)
    assert said == []


def test_the_address_of_the_probes_is_told_once(said: list[dict[str, Any]]) -> None:
    worker = Process(None)
    watch = watched(said, worker)
    watch.look(0.0)
    worker.probes = "http://127.0.0.1:4711"
    watch.look(1.0)
    watch.look(2.0)
    assert [each["text"] for each in said] == ["probes of the ledger: http://127.0.0.1:4711"]
