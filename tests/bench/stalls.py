"""Bench of crowds of valid reports, which prints a Markdown table.

``python -m tests.bench.stalls`` runs every kind at 5,000 and 20,000 reports, each in a process of
its own. The reports are folded in flushes of up to 20,000 and judged at one tick. Some more of the
same kind follow, each with a tick. The table tells CPU seconds, memory and the longest hold of the
event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from aiokafka import ConsumerRecord

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.chunks import records_of
from schemas.facts import Fact, Origin, TickFact
from schemas.gazetteer import load_gazetteer
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch, Record
from streams.intake.examine import Examiner
from streams.ledger.handler import FlushRules, LedgerHandler

Report = dict[str, Any]
TOPIC = "truce.facts.stalls.v1"
COUNTS = (5_000, 20_000)
#: Reports that follow one by one, each with a tick.
FURTHER = 3
#: Records of one flush: the most there are.
FLUSHED = FlushRules().records
BEATS_SECONDS = 0.02
STARTED = datetime(2016, 9, 12, 16, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEPS = ("requested", "approved", "loaded", "dispatched", "arrived", "offloaded", "distributed")


def spine(of: str, feed: str, name: str, begun: datetime, lasted: timedelta = timedelta(), **more: object) -> Report:
    """Return what reports of all kinds have in common."""
    end = begun + lasted
    occurred = {"from": begun.isoformat(), "to": end.isoformat(), "precision": "minute"}
    told = (end + 30 * MINUTE).isoformat()
    return {"type": of, "feed": feed, "report_id": name, "reported_at": told, "occurred": occurred, **more}


def strike(feed: str, name: str, minutes: int = 0, place: int | None = None, **more: object) -> Report:
    """Return a shelling, at one place or at one of many."""
    point = {"latitude": 36.2, "longitude": 37.15}
    if place is not None:
        point = {"latitude": 35.9 + place % 997 * 6e-4, "longitude": 37 + place % 991 * 6e-4}
    located = {"pcode": "SY02", "precision": "exact", "point": point}
    return spine("incident", feed, name, STARTED + minutes * MINUTE, kind="shelling", place=located, **more)


def notice(number: int, days: int) -> Report:
    """Return a notice of all regions, a day after the one before."""
    regions = [{"pcode": f"SY{code:02}"} for code in range(1, 15)]
    return spine("coverage", "office", f"C{number}", STARTED + number * DAY, days * DAY, nil=True, places=regions)


def step(feed: str, name: str, convoy: str, taken: str, minutes: int, **more: object) -> Report:
    """Return a step of a convoy to Duma."""
    place = {"pcode": "SY03", "names": ["Duma"]}
    told = {"convoy_id": convoy, "step": taken, "trucks": 10, "place": place, **more}
    return spine("convoy", feed, name, STARTED + minutes * MINUTE, **told)


def tally(name: str, minutes: int) -> Report:
    """Return a bulletin of the second truce-day."""
    lines = [{"count": 3, "place": {"pcode": f"SY{code:02}"}} for code in (1, 2, 3)]
    bulletin = spine("bulletin", "monitor", name, STARTED + DAY, 24 * HOUR, tallies=lines)
    return {**bulletin, "reported_at": (STARTED + 3 * DAY + minutes * MINUTE).isoformat()}


def weekly(name: str, day: int) -> Report:
    """Return a bulletin of all regions for the week that begins with a truce-day."""
    lines = [{"count": 3, "place": {"pcode": f"SY{code:02}"}} for code in range(1, 15)]
    return spine("bulletin", "monitor", name, STARTED + day * DAY, 7 * DAY, tallies=lines)


def stood(number: int) -> Report:
    """Return a position of one unit."""
    point = {"latitude": 36.25, "longitude": 37.1}
    told = {"unit": "a battery", "party": "Government of Syria", "weapon_class": "heavy", "point": point}
    return spine("position", "observers", f"P{number}", STARTED + number * MINUTE, **told)


def twice(number: int, first: Report, second: dict[str, object]) -> Report:
    """Return a report, or for odd numbers its second revision."""
    return {**first, "revision": 2, **second} if number % 2 else first


KINDS: dict[str, Callable[[int, int], Report]] = {
    "notices of a day, 14 regions": lambda i, _: notice(i, 1),
    "notices of 399 days, 14 regions": lambda i, _: notice(i % 500, 399) | {"report_id": f"C{i}"},
    "one spot, 14 feeds": lambda i, _: strike(f"feed-{i % 14}", f"R{i}"),
    "one spot, a feed each": lambda i, _: strike(f"feed-{i}", f"R{i}"),
    "one spot, a repeating feed": lambda i, _: strike("syrian-archive", f"R{i}"),
    "one spot, two feeds by turns": lambda i, _: strike(f"feed-{i % 2}", f"R{i}", i // 100),
    "one spot, retracted": lambda i, _: twice(i, strike(f"feed-{i // 2 % 14}", f"R{i // 2}"), {"status": "retracted"}),
    "one spot, corrected": lambda i, _: twice(i, strike(f"feed-{i // 2 % 14}", f"R{i // 2}"), {"claimant": "again"}),
    "one spot, minutes apart, 14 feeds": lambda i, _: strike(f"feed-{i % 14}", f"R{i}", 4 * i),
    "scattered, a feed each": lambda i, _: strike(f"feed-{i}", f"R{i}", i % 20_000, i),
    "each same as the one before": lambda i, _: strike("f", f"R{i}", i, i, same_as=[f"f/R{i - 1}"] if i else []),
    "all same as one": lambda i, _: strike(f"feed-{i % 7}", f"R{i}", i % 900, i, same_as=["feed-0/R0"] if i else []),
    "all merged into one": lambda i, _: strike(
        "f", f"R{i}", i % 900, i, **({"status": "merged", "merged_into": "R0"} if i else {})
    ),
    "each merged into the one before": lambda i, _: strike(
        "f", f"R{i}", i % 900, i, **({"status": "merged", "merged_into": f"R{i - 1}"} if i else {})
    ),
    "all same as one, retracted": lambda i, _: strike(
        f"feed-{i % 7}", f"R{i}", i % 900, i, same_as=["feed-0/R0"] if i else [], status="retracted" if i else "active"
    ),
    "all deny one": lambda i, _: strike(f"feed-{i % 7}", f"R{i}", i % 900, i, not_same_as=["feed-0/R0"] if i else []),
    "revisions of one report, last first": lambda i, n: strike("f", "R", revision=n - i + FURTHER, claimant=str(i)),
    "revisions of one report": lambda i, _: strike("f", "R", revision=i + 1, claimant=str(i)),
    "revisions of one notice": lambda i, _: notice(0, 399) | {"revision": i + 1, "raw": {"number": i}},
    "one convoy, many steps": lambda i, _: step("f", f"K{i}", "C", STEPS[i % 7], i),
    "one convoy, steps of many feeds": lambda i, _: step(f"f{i}", f"K{i}", "C", STEPS[i % 7], i, same_convoy_as="f0/C"),
    "one convoy, steps retracted": lambda i, _: twice(
        i, step("f", f"K{i // 2}", "C", STEPS[i // 2 % 7], i // 2), {"status": "retracted"}
    ),
    "convoys to one place, 14 feeds": lambda i, _: step(
        f"f{i % 14}", f"K{i}", f"C{i // 2}", STEPS[2 + i % 2], i % 5_000
    ),
    "claims, each the one before": lambda i, _: step(
        "f", f"K{i}", f"C{i}", "dispatched", i, **({"same_convoy_as": f"f/C{i - 1}"} if i else {})
    ),
    "claims, each the one before, retracted": lambda i, _: twice(
        i,
        step(
            "f",
            f"K{i // 2}",
            f"C{i // 2}",
            "dispatched",
            i,
            **({"same_convoy_as": f"f/C{i // 2 - 1}"} if i > 1 else {}),
        ),
        {"status": "retracted"},
    ),
    "a notice of a day each, scattered": lambda i, n: notice(i * 7919 % n, 1) | {"feed": f"office-{i}"},
    "bulletins of a day": lambda i, _: tally(f"B{i}", i),
    "bulletins of a week, 14 regions": lambda i, _: weekly(f"B{i}", i % 34),
    "positions of a unit": lambda i, _: stood(i),
}
#: Kinds that need another agreement than the shipped one, whose violence is measured by a monitor.
MEASURED = {"bulletins_of": "monitor", "feeds": []}


class Figures(NamedTuple):
    """What one run came to."""

    seconds: float
    mebibytes: float
    hold: float
    further: float
    further_hold: float


def facts_of(kind: str, count: int, truce: Agreement) -> Iterator[tuple[Fact, bytes]]:
    """Yield the facts that intake makes of reports of a kind."""
    examiner = Examiner([truce], load_gazetteer(truce.gazetteer), "archive")
    for number in range(count + FURTHER):
        body = json.dumps(KINDS[kind](number, count)).encode()
        found = examiner.examine(body, (), Origin("truce.incidents.v1", 0, number), truce.effective + 4 * 10**15)
        if found.rejected is not None:
            raise ValueError(f"{kind}: {found.rejected.hint}")
        yield from ((fact, body) for _, fact in found.facts)


class Beats:
    """A task of the event loop that notes for how long it was kept from running."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        """Beat until cancelled. What others do on the machine counts for nothing: CPU time is what passes."""
        while True:
            before = time.process_time()
            await asyncio.sleep(BEATS_SECONDS)
            self.longest = max(self.longest, time.process_time() - before)


async def measure(kind: str, count: int, folder: Path) -> Figures:
    """Run a ledger over reports of a kind."""
    shipped = load_agreement("syria-2016")
    # Its truce ends after a week, and of no later day would anything be judged.
    rules: dict[str, Any] = {"clock": shipped.clock.model_dump() | {"ends": None}}
    if kind.startswith("bulletins"):
        rules["violence"] = shipped.violence.model_dump() | MEASURED
    truce = Agreement.model_validate(shipped.model_dump() | rules)

    def open_store(_begins: int) -> Store:
        return Store.open(folder, truce, {}, facts_topic=TOPIC, log_identity="log", new_log_allowed=True)

    handler = LedgerHandler(truce, open_store, Cadence(timedelta(days=1)), FlushRules(seconds=0.0), None)
    await handler.resume(TOPIC, 0)
    offset = 0

    def record(fact: Fact, body: bytes) -> Record:
        nonlocal offset
        offset += 1
        ((_, value, headers),) = records_of([(fact, body)])
        return ConsumerRecord(TOPIC, 0, offset - 1, 0, 0, None, value, None, 0, len(value), tuple(headers))

    async def give(records: Sequence[Record]) -> None:
        await handler.handle(Batch(TOPIC, 0, list(records), records[-1].offset + 1))
        # Else the task that beats would not get its turn.
        await asyncio.sleep(2 * BEATS_SECONDS)

    async def tick(days: int) -> None:
        stamp = round((STARTED + days * DAY).timestamp()) * 1_000_000
        await give([record(TickFact(stamp=stamp), b"")])

    # The time of the first tick lies behind all they tell of: who watched last is told of every day since.
    days = 30 + (count if kind == "notices of a day, 14 regions" else 900 if "notice" in kind else count // 300)
    await tick(days)
    facts = facts_of(kind, count, truce)
    records = [record(*told) for told in islice(facts, count)]
    beats = Beats()
    beating = asyncio.create_task(beats.beat())
    await asyncio.sleep(0)
    memory, cpu, beats.longest = resident(), time.process_time(), 0.0
    for first in range(0, count, FLUSHED):
        await give(records[first : first + FLUSHED])
    await tick(days + 1)
    seconds, hold = time.process_time() - cpu, beats.longest
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    beats.longest, cpu = 0.0, time.process_time()
    for number, told in enumerate(facts, start=1):
        await give([record(*told)])
        await tick(days + 1 + number)
    further = (time.process_time() - cpu) / FURTHER
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    further_hold = beats.longest
    await handler.stopped()
    return Figures(seconds, peak - memory, hold, further, further_hold)


def resident() -> float:
    """Return the resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def run(kind: str, count: int, limit: int) -> str:
    """Measure in a process of its own; return a row of the table."""
    command = [sys.executable, "-m", "tests.bench.stalls", "--one", kind, "--counts", str(count), "--limit", str(limit)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode == -signal.SIGXCPU:
        return f"| {kind} | {count:,} | over {limit} s | | | | |"
    if ended.returncode:
        return f"| {kind} | {count:,} | {(ended.stderr.strip().splitlines() or ['died'])[-1]} | | | | |"
    told = ended.stdout
    figures = Figures(*json.loads(told.splitlines()[-1]))
    return (
        f"| {kind} | {count:,} | {figures.seconds:.1f} | {figures.mebibytes:.0f} | {figures.hold:.1f} | "
        f"{figures.further:.2f} | {figures.further_hold:.2f} |"
    )


def main() -> int:
    """Run what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stalls", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--kinds", default="", help="only the kinds whose names hold this")
    parser.add_argument("--limit", type=int, default=300, help="CPU seconds of one run before it is given up")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        resource.setrlimit(resource.RLIMIT_CPU, (options.limit, options.limit + 1))
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=Path(os.devnull).open("w")))  # noqa: SIM115
        with tempfile.TemporaryDirectory(prefix="trucewatch-stalls-") as folder:
            figures = asyncio.run(measure(options.one, options.counts[0], Path(folder)))
        say(json.dumps(figures))
        return 0
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "numpy", "pyarrow"))
    say(f"Python {sys.version.split()[0]}, {libraries}\n")
    say("| reports | number | CPU s | more MiB | longest hold | one more | its longest hold |")
    say("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in KINDS:
        for count in options.counts if options.kinds in kind else ():
            say(run(kind, count, options.limit))
    return 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
