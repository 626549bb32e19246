"""Memory of intake and of a ledger on a slow disk while a burst of reports goes through them.

``python -m tests.bench.burst --reports 1000000 --commit-seconds 5``
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from schemas.topics import Topics
from streams.cli.processes import running, worker_environment
from streams.engine.broker import EmbeddedBroker
from streams.settings import Settings
from tests.bench import stages
from tests.bench.reports import reports, running_truce


@contextmanager
def slow_ledger(
    settings: Settings, commit_seconds: float, log: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a ledger whose commits take so much longer; ends it with the block."""
    command = [sys.executable, "-m", "tests.support.slow_ledger", str(commit_seconds)]
    process = subprocess.Popen(command, env=worker_environment(settings), stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def through(settings: Settings, count: int, commit_seconds: float, every_seconds: float) -> dict[str, list[int]]:
    """Push what lies in the topics through both workers; return each one's resident memory over time, in bytes."""
    topics = Topics(settings.topic_prefix, settings.partitions)
    group, facts = topics.ledger_group(stages.AGREEMENT), topics.facts(stages.AGREEMENT)
    source = topics.intake_group(stages.AGREEMENT), topics.incidents
    memory: dict[str, list[int]] = {"intake": [], "ledger": []}
    with running(("intake",), settings) as (intake,), slow_ledger(settings, commit_seconds) as ledger:
        async with (
            stages.Committed(settings.broker or "", group, facts) as committed,
            stages.Committed(settings.broker or "", *source, topics.partitions) as taken_in,
        ):
            while await committed.offset() < await committed.end() or await taken_in.offset() < count:
                intake.check()
                if ledger.poll() is not None:
                    raise RuntimeError(f"the ledger ended by itself, with exit code {ledger.returncode}")
                memory["intake"].append(stages.resident(intake.pid))
                memory["ledger"].append(stages.resident(ledger.pid))
                await asyncio.sleep(every_seconds)
        memory["intake peak"] = [stages.resident(intake.pid, "VmHWM")]
        memory["ledger peak"] = [stages.resident(ledger.pid, "VmHWM")]
    return memory


def main() -> int:
    """Run one burst and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--commit-seconds", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trucewatch-burst-") as name, EmbeddedBroker(Path(name)) as broker:
        folder = Path(name)
        settings = Settings(
            agreement=str(running_truce(folder)),
            broker=broker.url,
            data=folder / "data",
            topic_prefix=f"burst.r{os.getpid()}",
            log_level="warning",
        )
        count = asyncio.run(stages.load(broker.url, Topics(settings.topic_prefix), reports(given.reports)))
        began = time.monotonic()
        memory = asyncio.run(through(settings, count, given.commit_seconds, 1.0))
        took = time.monotonic() - began
    sys.stdout.write(f"{count:,} reports in {took:.0f} s, every commit {given.commit_seconds:g} s late\n")
    for role in ("intake", "ledger"):
        tenth = memory[role][:: max(1, len(memory[role]) // 10)]
        shown = " ".join(f"{size / 2**20:.0f}" for size in tenth)
        sys.stdout.write(f"  {role}, MiB: {shown}; peak {memory[f'{role} peak'][0] / 2**20:.0f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
