"""``make bench``: throughput, memory and latency, beside a bare consumer of the same topic in the same run.

Without options it measures the pipeline as shipped, on the embedded broker. With ``--write docs/speed.md`` it measures
without linking and with it, on the embedded broker and on Apache Kafka, and puts the figures into that page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import structlog

from schemas.topics import Topics
from streams.engine.broker import EmbeddedBroker
from streams.settings import Role, Settings
from streams.verify import verify
from tests.bench import stages
from tests.bench.page import FIGURES, Bench, Span, machine, markdown, rewritten
from tests.bench.reports import reports, running_truce, span_of
from tests.support.kafka import running_kafka, what_is_missing

ROLES: tuple[Role, ...] = ("intake", "ledger")


def main() -> int:
    """Measure what is asked for and print it as Markdown."""
    options = _options()
    # Standard output is the page's: what the recount's ledger logs has no place there.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Before anything runs here: a machine at work on something else makes every figure smaller.
    where = machine()
    measured: list[Bench] = []
    with tempfile.TemporaryDirectory(prefix="trucewatch-bench-") as name:
        for broker in options.broker:
            with _serving(broker, Path(name) / "broker") as address:
                for linking in options.linking:
                    folder = Path(name) / uuid4().hex
                    folder.mkdir()
                    _say(f"{broker}, {linking} linking")
                    measured.append(asyncio.run(_measure(options, folder, broker, address, linking)))
    block = markdown(measured, where)
    sys.stdout.write(block)
    if options.json:
        whole = {"machine": where, "measured": [asdict(each) for each in measured]}
        options.json.write_text(json.dumps(whole, indent=2) + "\n", "utf-8")
    if options.write:
        options.write.write_text(rewritten(options.write.read_text("utf-8"), block), "utf-8")
    return 0


def _options() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="make bench BENCH=...", description=__doc__, formatter_class=raw)
    number = partial(parser.add_argument, type=int)
    number("--reports", default=150_000, help="reports to push through (default 150,000)")
    parser.add_argument("--broker", nargs="+", help="embedded, kafka (started here), or kafka://host:port")
    parser.add_argument("--linking", nargs="+", choices=("without", "with"), help="whether reports are linked")
    number("--latency-seconds", default=20, help="how long to publish at 200 a second, by the last --linking; 0: not")
    number("--marks", nargs="*", default=[], help="counts at which to note memory, commits and copies as well")
    parser.add_argument("--whole", action="store_true", help="measure the pipeline as a whole only, not its stages")
    parser.add_argument("--recount", action="store_true", help="have verify recount what end to end published")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--write", type=Path, metavar="PAGE", help=f"put the figures into a page, after {FIGURES[0]}")
    options = parser.parse_args()
    options.broker = options.broker or (["embedded", "kafka"] if options.write else ["embedded"])
    options.linking = options.linking or (["without", "with"] if options.write else ["with"])
    if "kafka" in options.broker and (missing := what_is_missing()):
        parser.error(missing)
    return options


@contextmanager
def _serving(broker: str, folder: Path) -> Iterator[str]:
    """Run the broker that is asked for; yield its address."""
    if broker == "embedded":
        with EmbeddedBroker(folder) as own:
            yield own.url
    elif broker == "kafka":
        with running_kafka(folder) as address:
            yield address
    else:
        yield broker


async def _measure(options: argparse.Namespace, folder: Path, broker: str, address: str, linking: str) -> Bench:
    run = f"bench.r{uuid4().hex[:10]}"
    truce = str(running_truce(folder, span_of(options.reports), linking=linking == "with"))

    def settings(name: str, prefix: str) -> Settings:
        return Settings(agreement=truce, broker=address, data=folder / name, topic_prefix=prefix, log_level="warning")

    staged, whole, live = f"{run}.staged", f"{run}.whole", f"{run}.live"
    _say(f"  publishing {options.reports:,} reports")
    count = await stages.load(address, Topics(staged), reports(options.reports))
    _say("  bare consumer")
    bare = await stages.bare(address, Topics(staged), count)
    rates = {}
    for role in () if options.whole else ROLES:
        _say(f"  {role} alone")
        rates[f"{role} alone"] = (await stages.stage((role,), settings("staged", staged), count)).rate
    _say("  end to end")
    if not options.whole:
        await stages.load(address, Topics(whole), reports(options.reports))
    marks = tuple(options.marks)
    end_to_end = await stages.stage(ROLES, settings("whole", staged if options.whole else whole), count, marks)
    # Once more, so that a machine that grew slower meanwhile shows on both sides of the ratio.
    again = await stages.bare(address, Topics(staged), count)
    waits: list[float] = []
    if options.latency_seconds and linking == options.linking[-1]:
        _say("  latency at 200 reports a second")
        few = list(reports(200 * options.latency_seconds + stages.WARM_UP, seed=7))
        waits = await stages.latency(settings("live", live), few, 200)
    recount = None
    if options.recount:
        _say("  recount")
        begun = perf_counter()
        differences = verify(folder / "whole" / stages.AGREEMENT / "compliance.duckdb")
        recount = (len(differences), perf_counter() - begun)
    return Bench(
        broker=broker,
        linking=linking,
        reports=count,
        bare=(bare.rate + again.rate) / 2,
        rates={**rates, "end to end": end_to_end.rate},
        spans=_spans(end_to_end.noted),
        waits_ms=[1_000 * seconds for seconds in waits],
        recount=recount,
        cpu=again.cpu_of_a_million() | end_to_end.cpu_of_a_million(),
    )


def _spans(noted: dict[int, stages.Noted]) -> list[Span]:
    """Return, of each mark, the memory at it and the work done since the mark before."""
    spans: list[Span] = []
    before = dict.fromkeys((stages.COMMITS, stages.COPIES), (0.0, 0.0))
    for mark in sorted(noted):
        work = noted[mark].work
        counts = {kind: (work[kind][0] - before[kind][0], work[kind][1] - before[kind][1]) for kind in before}
        means = {kind: 1_000 * seconds / times if times else 0.0 for kind, (times, seconds) in counts.items()}
        mib = {role: size / 2**20 for role, size in noted[mark].memory.items()}
        spans.append(Span(mark, mib["intake"], mib["ledger"], means[stages.COMMITS], means[stages.COPIES]))
        before = work
    return spans


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
