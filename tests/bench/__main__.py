"""``make bench``: how fast, how much memory, how soon; against a bare consumer of the same topic in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from schemas.topics import Topics
from sinks.verify import verify
from streams.engine.broker import EmbeddedBroker
from streams.settings import Role, Settings
from tests.bench import stages
from tests.bench.reports import reports, running_truce, span_of

ROLES: tuple[Role, ...] = ("intake", "ledger")


def main() -> int:
    """Run the benchmark and print its table; ``--json FILE`` keeps the figures."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=...", description=__doc__)
    parser.add_argument("--reports", type=int, default=200_000, help="reports to push through (default 200,000)")
    parser.add_argument("--broker", help="kafka://host:port; the embedded broker otherwise")
    parser.add_argument(
        "--latency-seconds", type=int, default=20, help="how long to publish at 200 a second; 0 leaves it out"
    )
    parser.add_argument(
        "--marks", type=int, nargs="*", default=[], help="counts at which to note memory, commits and copies"
    )
    parser.add_argument("--whole", action="store_true", help="measure the pipeline as a whole only, not its stages")
    parser.add_argument("--recount", action="store_true", help="have the referee recount what end to end published")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trucewatch-bench-")))
        broker = options.broker or stack.enter_context(EmbeddedBroker(folder)).url
        figures = asyncio.run(_run(options, folder, broker))
    figures["machine"] = _machine()
    _show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


async def _run(options: argparse.Namespace, folder: Path, broker: str) -> dict[str, object]:
    run = f"bench.r{os.getpid()}"
    truce = str(running_truce(folder, span_of(options.reports)))

    def settings(name: str, prefix: str) -> Settings:
        return Settings(agreement=truce, broker=broker, data=folder / name, topic_prefix=prefix, log_level="warning")

    staged, whole, live = f"{run}.staged", f"{run}.whole", f"{run}.live"
    _say(f"publishing {options.reports:,} reports")
    count = await stages.load(broker, Topics(staged), reports(options.reports))
    _say("bare consumer")
    bare = await stages.bare(broker, Topics(staged), count)
    rates = {}
    for role in () if options.whole else ROLES:
        _say(f"{role} alone")
        rates[f"{role} alone"] = (await stages.stage((role,), settings("staged", staged), count)).rate
    _say("end to end")
    if not options.whole:
        await stages.load(broker, Topics(whole), reports(options.reports))
    marks = tuple(options.marks)
    end_to_end = await stages.stage(ROLES, settings("whole", staged if options.whole else whole), count, marks)
    again = await stages.bare(broker, Topics(staged), count)
    waits: list[float] = []
    if options.latency_seconds:
        _say("latency at 200 reports a second")
        few = list(reports(200 * options.latency_seconds + stages.WARM_UP, seed=7))
        waits = await stages.latency(settings("live", live), few, 200)
    yardstick = (bare.rate + again.rate) / 2
    recount: dict[str, float] = {}
    if options.recount:
        _say("recount")
        begun = perf_counter()
        differences = verify(folder / "whole" / stages.AGREEMENT / "compliance.duckdb")
        recount = {"differences": len(differences), "seconds": perf_counter() - begun}
    return {
        "reports": count,
        "broker": "given" if options.broker else "embedded",
        "rates": {
            "bare consumer with orjson": yardstick,
            **rates,
            "end to end": end_to_end.rate,
        },
        "memory_mib": {
            role: {f"{mark:,}": round(noted.memory[role] / 2**20) for mark, noted in end_to_end.noted.items()}
            for role in ROLES
        },
        "work": _work(end_to_end.noted),
        "start_seconds": end_to_end.started_after,
        "latency_ms": _latency(waits),
        "recount": recount,
    }


def _work(noted: dict[int, stages.Noted]) -> dict[str, dict[str, dict[str, float]]]:
    """Return, up to each mark from the one before, how many commits and copies there were and how long they took."""
    spans: dict[str, dict[str, dict[str, float]]] = {"commits": {}, "copies": {}}
    for name, kind in (("commits", stages.COMMITS), ("copies", stages.COPIES)):
        before, count_before, seconds_before = 0, 0.0, 0.0
        for mark in sorted(noted):
            count, seconds = noted[mark].work[kind]
            times = count - count_before
            each = 1_000 * (seconds - seconds_before) / times if times else 0.0
            spans[name][f"{before:,} to {mark:,}"] = {"times": times, "ms": round(each, 1)}
            before, count_before, seconds_before = mark, count, seconds
    return spans


def _latency(waits: list[float]) -> dict[str, float]:
    if not waits:
        return {}
    return {
        "p50": 1_000 * stages.by_percentile(waits, lambda n: n * 0.50),
        "p99": 1_000 * stages.by_percentile(waits, lambda n: n * 0.99),
        "max": 1_000 * max(waits),
        "reports": len(waits),
    }


def _machine() -> dict[str, str]:
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "commit": git.stdout.strip() or "unknown",
        **{name: version(name) for name in ("faust-streaming", "aiokafka", "duckdb", "pyarrow", "pydantic", "msgspec")},
    }


def _show(figures: dict[str, object]) -> None:
    rates: dict[str, float] = figures["rates"]  # type: ignore[assignment]
    yardstick = rates["bare consumer with orjson"]
    _say("")
    _say(f"{figures['reports']:,} reports, {figures['broker']} broker")
    for name, rate in rates.items():
        _say(f"  {name:<28}{rate:>12,.0f} reports/s{rate / yardstick:>9.2f} of bare")
    for role, noted in figures["memory_mib"].items():  # type: ignore[attr-defined]
        _say(f"  {role} memory, MiB: " + ", ".join(f"{size} at {mark}" for mark, size in noted.items()))
    for name, spans in figures["work"].items():  # type: ignore[attr-defined]
        told = (f"{of['times']:.0f} of {of['ms']:.0f} ms from {span}" for span, of in spans.items())
        _say(f"  {name}: " + ", ".join(told))
    latency: dict[str, float] = figures["latency_ms"]  # type: ignore[assignment]
    if latency:
        _say(
            f"  publish to committed at 200/s: p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms, "
            f"max {latency['max']:.0f} ms ({latency['reports']:.0f} reports)"
        )
    recount: dict[str, float] = figures["recount"]  # type: ignore[assignment]
    if recount:
        _say(f"  recount: {recount['differences']} differences, after {recount['seconds']:.0f} s")
    _say("  " + ", ".join(f"{name} {value}" for name, value in figures["machine"].items()))  # type: ignore[attr-defined]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
