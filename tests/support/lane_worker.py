"""A worker process for tests: handles a topic with a handler that reports every call as a JSON line on stdout."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from aiokafka import TopicPartition

from schemas.errors import StoreFull
from streams.engine.app import EMBEDDED, build_app
from streams.engine.lane import Batch, Lane
from streams.engine.worker import run_worker


class Reporting:
    """Commits only when it is stopped; raises when it meets a record with the value it was told."""

    def __init__(self, fail_at: str | None, error: str) -> None:
        self._fail_at = fail_at
        self._error = error
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
                raise StoreFull("the disk is full") if self._error == "ours" else ZeroDivisionError("in the handler")
            self._next[TopicPartition(batch.topic, batch.partition)] = record.offset + 1
        if batch.records:
            _say("handled", records=len(batch.records))

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._next.clear()

    async def stopped(self) -> None:
        if self._lane is not None:
            await self._lane.commit(self._next)
        _say("stopped")


def _say(event: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("broker")
    parser.add_argument("group")
    parser.add_argument("topic")
    parser.add_argument("--fail-at")
    parser.add_argument("--error", choices=("ours", "foreign"), default="ours")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    # The tests are about what the engine says; aiokafka reports a broker that is gone in its own way.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    app = build_app(
        app_id=given.group,
        broker=given.broker,
        topics=(given.topic,),
        handler=Reporting(given.fail_at, given.error),
        resume=None,
        idle_seconds=0.2,
        data_dir=Path("unused"),
        timing=EMBEDDED,
        max_records=10,
    )
    return run_worker(app)


if __name__ == "__main__":
    sys.exit(main())
