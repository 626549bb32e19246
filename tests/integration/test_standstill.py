"""Workers that stand still without an error: each way of it is noticed, said, and ends the process in time."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from pathlib import Path

import pytest

from schemas.topics import Topics
from streams.cli.restarts import Watched
from streams.engine.admin import committed_offsets
from tests.integration.test_worker import worker
from tests.support.brokers import numbered, topic_of, write
from tests.support.month import month
from tests.support.recorded_archive import archive_of, publish_archive, settings_for, wait_until
from tests.support.standbys import worker as held

pytestmark = pytest.mark.broker

LIMIT_SECONDS = 2.0


@pytest.mark.parametrize(
    ("still", "said"),
    [
        ("wait", r"records wait and none was committed for 2 s; the handler is in handle\(\)"),
        ("forget", r"records wait and none was committed for 2 s; nothing is being handled"),
        ("unfetched", r"records wait and none was committed for 2 s; nothing is being handled"),
        ("block", r"the event loop has stood still for 2 s, in handle\(\)"),
    ],
)
async def test_a_worker_that_stands_still_says_so_and_ends_in_time(
    embedded_broker: str, prefix: str, still: str, said: str
) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(100))
    how = ("--commits", "--fail-at", "15", "--still", still, "--stall-seconds", str(LIMIT_SECONDS))
    with worker(embedded_broker, f"{prefix}.group", topic, *how) as one:
        one.wait_for("still")
        code, _, err = one.end()
    assert code == 3
    last = err.splitlines()[-1]
    assert last.startswith("trucewatch: stalled: ")
    assert re.search(said, last), last
    if still == "block":
        assert "in _stand_still" in err, "the stacks tell which call it was"


async def test_a_call_that_holds_the_interpreters_lock_is_ended_too(embedded_broker: str, prefix: str) -> None:
    """No thread of Python's can run then, the watchdog neither."""
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(30))
    with worker(
        embedded_broker, f"{prefix}.group", topic, "--fail-at", "15", "--still", "hold", "--stall-seconds", "3"
    ) as one:
        one.wait_for("still")
        code, _, err = one.end()
    assert code == 1
    assert "in _stand_still" in err


def test_up_starts_a_worker_again_that_held_the_interpreters_lock_and_says_why(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    settings = settings_for(embedded_broker, prefix, tmp_path).model_copy(update={"stall_seconds": 3.0})
    asyncio.run(publish_archive(embedded_broker, Topics(prefix), archive_of(month(3))))
    told: list[dict[str, object]] = []
    with held(settings, role="intake", failpoint="intake.read:1:hold") as hanging:
        first, watched = hanging.pid, [hanging]
        watch = Watched(watched, lambda event, text, **fields: told.append({"event": event, "text": text, **fields}))
        try:
            wait_until(lambda: watch.look(time.monotonic()) or watched[0].pid != first)
        finally:
            watched[0].kill()
    (restart,) = told
    assert (restart["event"], restart["role"], restart["restarts"]) == ("restart", "intake", 1)
    assert str(restart["reason"]).startswith(
        "the intake worker ended: stalled: none of its threads could run any more; the main one was in match() ("
    )


async def test_slow_work_that_moves_is_not_ended(embedded_broker: str, prefix: str) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(60))
    slow = ("--fail-at", "15", "--still", "slow", "--commits", "--stall-seconds", "5")
    with worker(embedded_broker, f"{prefix}.group", topic, *slow) as one:
        one.wait_for("handled", records=50)
        one.signal(signal.SIGTERM)
        code, _, err = one.end()
    assert (code, err) == (0, "")
    assert await committed_offsets(embedded_broker, f"{prefix}.group", topic) == {0: 60}


async def test_a_process_that_was_stopped_and_goes_on_is_not_taken_for_a_stall(
    embedded_broker: str, prefix: str
) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.in")
    await write(embedded_broker, topic, 0, numbered(10))
    with worker(embedded_broker, f"{prefix}.group", topic, "--commits", "--stall-seconds", "2") as one:
        one.wait_for("handled", records=10)
        one.signal(signal.SIGSTOP)
        time.sleep(4)  # noqa: ASYNC251 - the broker is a process of its own
        one.signal(signal.SIGCONT)
        await write(embedded_broker, topic, 0, numbered(10))
        one.wait_for("handled", records=20)
        one.signal(signal.SIGTERM)
        code, _, _ = one.end()
    assert code == 0
