"""``make bench-peers``: other stream processors over the same reports, on one Apache Kafka, one after another.

Each has an environment of its own, made on first use from pinned versions. Its windows are held against a plain
recount of the reports.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from streams.engine.broker import free_port
from tests.bench.page import machine
from tests.bench.peers import measure
from tests.bench.peers.environments import SetupFailed
from tests.bench.peers.job import Job, Report
from tests.bench.peers.peer import Peer
from tests.bench.peers.peers import PEERS
from tests.bench.peers.plan import Planned, planned, written
from tests.bench.peers.processes import PeerFailed
from tests.bench.peers.recount import Recount
from tests.bench.peers.written import Measured, markdown, whole
from tests.bench.reports import reports, running_truce, span_of
from tests.support.kafka import node_of, what_is_missing

MEASURES = ("throughput", "recovery", "latency")
YARDSTICK = "bare"
#: How long the broker may take to delete the topics of a run.
_CLEAR_SECONDS = 60.0

T = TypeVar("T")


def main() -> int:
    """Measure the peers that are asked for and print what was found as Markdown."""
    options = _options()
    # Before anything runs here: a machine at work on something else makes every figure smaller.
    where = machine()
    # Ended from outside, the broker and the peer must end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A client complains of each topic that a peer has yet to make.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    names = list(options.peers)
    if YARDSTICK in names and len(names) > 1 and "throughput" in options.measures:
        # Once more, so that a machine that grew slower meanwhile shows on both sides of the ratio.
        names.append(YARDSTICK)
    counts = (options.reports, options.recovery_reports)
    plans = [planned(PEERS[name], options.measures, *counts, options.rates, options.seconds) for name in names]
    _say(written(plans))
    if options.plan:
        return 0
    with tempfile.TemporaryDirectory(prefix="trucewatch-peers-") as folder:
        node = node_of(Path(folder) / "broker")
        address = node.start(0)
        try:
            bench = _Bench(options, Path(folder), address, node.pid())
            measured = [asyncio.run(bench.measure(plan)) for plan in plans]
        finally:
            node.stop()
    sys.stdout.write(markdown(measured, where))
    if options.json:
        options.json.write_text(whole(measured, where), "utf-8")
    return 1 if any(each.failed for each in measured) else 0


def _options() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="make bench-peers PEERS=... BENCH=...", description=__doc__, formatter_class=raw
    )
    number = partial(parser.add_argument, type=int)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="which, in this order")
    number("--reports", default=600_000, help="reports a peer reads; slow ones get fewer (default 600,000)")
    number("--recovery-reports", default=150_000, help="those of which half are read at the kill (default 150,000)")
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES, help="what is measured")
    number("--rates", nargs="+", default=(200, 2_000, 20_000), help="reports a second at which latency is measured")
    number("--seconds", default=8, help="how long to publish at each rate (default 8)")
    number("--longest", default=600, help="a measure is given up after so many seconds (default 600)")
    parser.add_argument("--plan", action="store_true", help="tell what would be measured and how long it takes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what a peer that failed left, here")
    options = parser.parse_args()
    if missing := what_is_missing():
        parser.error(missing)
    return options


class _Bench:
    """Runs of the peers, one at a time, each with a topic and a folder of its own."""

    def __init__(self, options: argparse.Namespace, folder: Path, broker: str, broker_pid: int) -> None:
        self._options = options
        self._folder = folder
        self._broker = broker
        self._broker_pid = broker_pid
        self._reports: dict[int, list[Report]] = {}

    async def measure(self, plan: Planned) -> Measured:
        """Return what is planned of one peer; a measure that fails leaves its reason and stops no other."""
        _say(plan.peer.title)
        found = Measured(plan.peer)
        for what, run in self._runs(plan, found):
            _say(f"  {what}")
            try:
                async with asyncio.timeout(self._options.longest):
                    _say(f"    {await run()}")
            except SetupFailed as failure:
                found.failed["setup"] = str(failure)
                break
            except Exception as failure:
                late = isinstance(failure, TimeoutError)
                found.failed[what] = f"not done in {self._options.longest} s" if late else _told(failure)
                _say(f"    failed: {found.failed[what]}")
        return found

    def _runs(self, plan: Planned, found: Measured) -> list[tuple[str, Callable[[], Coroutine[None, None, object]]]]:
        """Return the measures of a peer by their names."""
        peer = plan.peer

        async def throughput() -> object:
            records = self._drawn(plan.reports)
            found.throughput = await self._on(
                peer, records, lambda job, recount: measure.throughput(peer, job, recount, self._broker_pid)
            )
            return found.throughput

        async def recovery() -> object:
            records = self._drawn(plan.recovery_reports)
            found.recovery = await self._on(peer, records, partial(measure.recovery, peer))
            return found.recovery

        async def latency(rate: int) -> object:
            # Of a report that is not readable, nothing becomes queryable.
            drawn = self._drawn(rate * self._options.seconds + measure.WARM_UP)
            stream = [report for report in drawn if report[0] != b"broken"]
            found.latencies.append(
                await self._on(peer, stream, lambda job, _: measure.latency(peer, job, stream, rate), publish=False)
            )
            return found.latencies[-1]

        runs: list[tuple[str, Callable[[], Coroutine[None, None, object]]]] = []
        if plan.reports:
            runs.append(("throughput", throughput))
        if plan.recovery_reports:
            runs.append(("recovery", recovery))
        return runs + [(f"latency at {rate:,}/s", partial(latency, rate)) for rate in plan.rates]

    def _drawn(self, count: int) -> list[Report]:
        if count not in self._reports:
            self._reports[count] = list(reports(count))
        return self._reports[count]

    async def _on(
        self,
        peer: Peer,
        records: list[Report],
        run: Callable[[Job, Recount], Coroutine[None, None, T]],
        *,
        publish: bool = True,
    ) -> T:
        """Return what a measure finds on a topic and in a folder of its own."""
        folder = self._folder / uuid4().hex
        truce = self._folder / f"{uuid4().hex}.truce"
        truce.mkdir()
        agreement = running_truce(truce, span_of(len(records)), linking=peer.links)
        job = Job(self._broker, f"peers.r{uuid4().hex[:10]}", folder, agreement, free_port())
        try:
            return await run(job, await job.prepare(records if publish else []))
        except BaseException:
            if self._options.keep:
                shutil.copytree(folder, self._options.keep / job.name, dirs_exist_ok=True)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            async with asyncio.timeout(_CLEAR_SECONDS):
                await job.clear()


def _told(failure: Exception) -> str:
    """Return a failure in one text, by its kind where it is none of a peer."""
    return str(failure) if isinstance(failure, PeerFailed) else f"{type(failure).__name__}: {failure}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
