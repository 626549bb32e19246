"""``make bench-peers``: other stream processors over the same reports, on one Apache Kafka, one after another.

Each has an environment of its own, made on first use from pinned versions. Its windows are held against a plain
recount of the reports.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.bench.page import machine
from tests.bench.peers import measure
from tests.bench.peers.job import Job, Report
from tests.bench.peers.peer import Peer
from tests.bench.peers.peers import PEERS
from tests.bench.peers.processes import PeerFailed
from tests.bench.peers.written import Measured, markdown, whole
from tests.bench.reports import reports, running_truce, span_of
from tests.support.brokers import free_port
from tests.support.kafka import node_of, what_is_missing

MEASURES = ("throughput", "recovery", "latency")
YARDSTICK = "bare"


def main() -> int:
    """Measure the peers that are asked for and print what was found as Markdown."""
    options = _options()
    # Before anything runs here: a machine at work on something else makes every figure smaller.
    where = machine()
    # Ended from outside, the broker and the peer must end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = list(options.peers)
    if YARDSTICK in names and len(names) > 1 and "throughput" in options.measures:
        # Once more, so that a machine that grew slower meanwhile shows on both sides of the ratio.
        names.append(YARDSTICK)
    with tempfile.TemporaryDirectory(prefix="trucewatch-peers-") as folder:
        node = node_of(Path(folder) / "broker")
        address = node.start(0)
        try:
            bench = _Bench(options, Path(folder), address, node.pid())
            measured = [asyncio.run(bench.measure(PEERS[name])) for name in names]
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
    parser.add_argument("--measures", nargs="+", choices=MEASURES, default=MEASURES, help="what is measured")
    number("--rates", nargs="+", default=(200, 2_000, 20_000), help="reports a second at which latency is measured")
    number("--latency-seconds", default=20, help="how long to publish at each rate (default 20)")
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
        self._reports: dict[tuple[int, int], list[Report]] = {}

    async def measure(self, peer: Peer) -> Measured:
        """Return what is asked for of one peer; a failure is told and ends its measures."""
        found: dict[str, Any] = {}
        _say(peer.title)
        try:
            if "throughput" in self._options.measures:
                found["throughput"] = await self._run(peer, self._topic(peer), "throughput")
            # The yardstick keeps nothing that could be recovered or queried.
            if "recovery" in self._options.measures and peer.found is not None:
                found["recovery"] = await self._run(peer, self._topic(peer), "recovery")
            if "latency" in self._options.measures and peer.found is not None:
                found["latencies"] = []
                for rate in self._options.rates:
                    found["latencies"].append(await self._run(peer, self._stream(rate), f"latency at {rate:,}/s", rate))
        except PeerFailed as failure:
            _say(f"  failed: {failure}")
            found["failed"] = str(failure)
        return Measured(peer, **found)

    def _topic(self, peer: Peer) -> list[Report]:
        count = self._options.reports
        return self._drawn(count if peer.at_most is None else min(count, peer.at_most), seed=2016)

    def _stream(self, rate: int) -> list[Report]:
        """Return readable reports for a steady rate: of one that is not, nothing becomes queryable."""
        drawn = self._drawn(rate * self._options.latency_seconds + measure.WARM_UP, seed=7)
        return [report for report in drawn if report[0] != b"broken"]

    def _drawn(self, count: int, seed: int) -> list[Report]:
        if (count, seed) not in self._reports:
            self._reports[count, seed] = list(reports(count, seed))
        return self._reports[count, seed]

    async def _run(self, peer: Peer, records: list[Report], what: str, rate: int | None = None) -> object:
        _say(f"  {what}")
        folder = self._folder / uuid4().hex
        truce = self._folder / f"{uuid4().hex}.truce"
        truce.mkdir()
        agreement = running_truce(truce, span_of(len(records)), linking=peer.links)
        job = Job(self._broker, f"peers.r{uuid4().hex[:10]}", folder, agreement, free_port())
        try:
            if rate is not None:
                await job.prepare([])
                found: object = await measure.latency(peer, job, records, rate)
            else:
                recount = await job.prepare(records)
                if what == "throughput":
                    found = await measure.throughput(peer, job, recount, self._broker_pid)
                else:
                    found = await measure.recovery(peer, job, recount)
        except PeerFailed:
            if self._options.keep:
                shutil.copytree(folder, self._options.keep / job.name, dirs_exist_ok=True)
            raise
        await job.clear()
        shutil.rmtree(folder)
        _say(f"    {found}")
        return found


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
