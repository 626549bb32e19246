"""A worker process for tests: handles a topic with a handler that reports every call as a JSON line on stdout.

It can be made to stand still in each of the ways a worker can.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import Sequence

from aiokafka import TopicPartition

from schemas.errors import StoreFull, TrucewatchError
from streams.cli.leaving import OWN_FAULT, described, leave
from streams.engine.app import EMBEDDED, BatchApp
from streams.engine.lane import Batch, Lane
from streams.engine.worker import run_worker
from tests.support.lanes import app_of

#: What a worker may do at the record it is told: none of them raises anything.
STILL = (
    "block",  # a call that never gives the event loop back
    "hold",  # the same, holding the lock that every thread of Python's needs
    "wait",  # a handler that waits for something that never comes
    "forget",  # a handler that returns and never commits
    "unfetched",  # a fetch loop that ended
    "slow",  # this one moves: every batch takes longer than half the time allowed, and is committed
)


class Reporting:
    """Commits when it is stopped, and every batch when told to; raises or stands still at the value it was told."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.app: BatchApp | None = None
        self._still: str | None = given.still
        self._stall_seconds: float = given.stall_seconds
        self._commits = given.commits
        self._fail_at: str | None = given.fail_at
        self._error = given.error
        self._lane: Lane | None = None
        self._next: dict[TopicPartition, int] = {}

    async def started(self, lane: Lane) -> None:
        self._lane = lane
        _say("started")

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        _say("assigned", partitions=[each.partition for each in partitions])

    async def handle(self, batch: Batch) -> None:
        for record in batch.records:
            if self._fail_at is not None and record.value == self._fail_at.encode():
                if self._still is not None:
                    await self._stand_still(batch)
                    return
                raise StoreFull("the disk is full") if self._error == "ours" else ZeroDivisionError("in the handler")
            self._next[TopicPartition(batch.topic, batch.partition)] = record.offset + 1
        if self._commits and self._lane is not None:
            await self._lane.commit(self._next)
        if batch.records:
            _say("handled", records=len(batch.records))

    async def _stand_still(self, batch: Batch) -> None:
        _say("still")
        match self._still:
            case "block":
                time.sleep(3_600)  # noqa: ASYNC251 - that is the point
            case "hold":
                re.match("(a*)*b", "a" * 60)
            case "wait":
                await asyncio.Event().wait()
            case "forget":
                self._commits = False
            case "unfetched" if self.app is not None:
                # As if it had ended by itself: nobody is told.
                self.app._fetcher._stopped.set()
            case "slow":
                time.sleep(0.6 * self._stall_seconds)  # noqa: ASYNC251 - as a slow disk does
                if self._lane is not None:
                    await self._lane.commit({TopicPartition(batch.topic, batch.partition): batch.next_offset})

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._next.clear()

    async def stopped(self) -> None:
        if self._lane is not None:
            await self._lane.commit(self._next)
        _say("stopped")


def _say(event: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("broker")
    parser.add_argument("group")
    parser.add_argument("topic")
    parser.add_argument("--fail-at")
    parser.add_argument("--error", choices=("ours", "foreign"), default="ours")
    parser.add_argument("--still", choices=STILL)
    parser.add_argument("--stall-seconds", type=float, default=60.0)
    parser.add_argument("--commits", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    # The tests are about what the engine says; aiokafka reports a broker that is gone in its own way.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    handler = Reporting(given)
    handler.app = app = app_of(
        given.broker,
        given.group,
        (given.topic,),
        handler,
        timing=EMBEDDED,
        max_records=10,
        stall_seconds=given.stall_seconds,
    )
    run_worker(app)


if __name__ == "__main__":
    try:
        main()
    except TrucewatchError as error:
        leave(described(error), error.exit_code, as_json=False)
    except ZeroDivisionError:
        sys.exit(OWN_FAULT)
