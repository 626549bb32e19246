"""``make bench-growth``: how cost grows, one axis at a time from one base point.

CPU microseconds a report and peak memory, of intake and of the ledger. Most points run both in a process each, with a
pipe in the broker's stead. Several intakes and several agreements need a broker: they run on the embedded one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from schemas.topics import Topics
from streams.cli.processes import Worker, running
from streams.engine.admin import ensure_topics
from streams.engine.broker import EmbeddedBroker
from streams.settings import Role, Settings
from tests.bench import stages
from tests.bench.page import machine
from tests.bench.pair import Cost, Load, mib, micros, through
from tests.bench.reports import running_truce

BASE = Load(200_000, days=14)
#: Those the shipped agreement names elsewhere, Syria's others, and then made ones.
_SYRIA = tuple(f"SY{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 12, 14, 8, 10, 11, 13))
_STILL_SECONDS = 300.0
#: A pair of processes until its first report, and both roles' work on a report, on two idle cores.
_START_SECONDS, _PAIR_MICROS, _WORKERS_MICROS = 4.0, 70.0, 120.0


@dataclass(frozen=True)
class Point:
    """One row of a table.

    Attributes:
        intakes: processes of intake for each agreement.
        agreements: agreements that judge the same reports.
        brokered: whether it runs on a broker.
    """

    axis: str
    name: str
    load: Load
    intakes: int = 1
    agreements: int = 1
    brokered: bool = False

    @property
    def about_seconds(self) -> float:
        """About how long it takes on two idle cores."""
        micros_each = _WORKERS_MICROS * self.agreements if self.brokered else _PAIR_MICROS * (1 + self.load.linking)
        return _START_SECONDS * self.intakes * self.agreements + self.load.reports * micros_each / 1e6


def base_of(scale: float) -> Load:
    """Return the load from which one thing at a time is changed."""
    return replace(BASE, reports=round(BASE.reports * scale))


def axes(scale: float, millions: Sequence[float]) -> Iterator[Point]:
    """Yield every point, a table after another."""
    base = base_of(scale)
    for number in millions:
        # As many a day throughout, so that no day grows.
        count = round(number * 1_000_000 * scale)
        yield Point("reports", f"{count:,}", Load(count))
    for number in (10, 14, 100, 1_000, 5_000):
        codes = (*_SYRIA, *(f"SY{code}" for code in range(20_000, 20_000 + number)))[:number]
        yield Point("regions", f"{number:,}", replace(base, regions=codes))
    for number in (1, 14, 100, 400):
        yield Point("days", str(number), replace(base, days=number))
    for share in (0.0, 0.04, 0.15, 0.3):
        yield Point("corrections", f"{share:.0%}", replace(base, corrections=share))
    for linking in (False, True):
        yield Point("linking", "on" if linking else "off", replace(base, linking=linking))
    for number in (1, 2, 4):
        yield Point("intakes", str(number), base, intakes=number, brokered=True)
    for number in (1, 2, 4):
        yield Point("agreements", str(number), base, agreements=number, brokered=True)


def main() -> int:
    """Measure every point and print a table for each axis."""
    options = _options()
    where = machine()
    points = [each for each in axes(options.scale, options.millions) if each.axis in options.axes]
    _say(f"{len(points)} points, about {sum(each.about_seconds for each in points) / 60:.0f} min on two idle cores")
    if options.plan:
        return 0
    measured: list[tuple[Point, Cost, Cost, float]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="trucewatch-growth-") as name:
        for number, point in enumerate(points):
            _say(f"{point.axis}: {point.name}, about {point.about_seconds:.0f} s")
            folder = Path(name) / str(number)
            folder.mkdir()
            began = time.monotonic()
            try:
                costs = asyncio.run(_brokered(point, folder)) if point.brokered else through(point.load, folder)
            # aiokafka raises the latter from closing a client whose broker has ended.
            except (Exception, asyncio.CancelledError) as failure:
                failed += 1
                _say(f"  failed: {failure!r}")
                continue
            measured.append((point, *costs, time.monotonic() - began))
    sys.stdout.write(_page(measured, where, base_of(options.scale)))
    if options.json:
        rows = [
            {
                "axis": point.axis,
                "value": point.name,
                "reports": point.load.reports,
                "seconds": seconds,
                "intake": asdict(intake),
                "ledger": asdict(ledger),
            }
            for point, intake, ledger, seconds in measured
        ]
        options.json.write_text(json.dumps({"machine": where, "measured": rows}, indent=2) + "\n", "utf-8")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="make bench-growth GROWTH=...", description=__doc__, formatter_class=raw)
    names = list(dict.fromkeys(point.axis for point in axes(1, (1,))))
    parser.add_argument("--axes", nargs="+", choices=names, default=names, help="which tables")
    number = partial(parser.add_argument, type=float)
    number("--scale", default=1.0, help="share of the reports of every point (default 1)")
    number("--millions", nargs="+", default=(1, 3), help="points of the axis reports (default 1 3)")
    parser.add_argument("--plan", action="store_true", help="tell how long it takes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


async def _brokered(point: Point, folder: Path) -> tuple[Cost, Cost]:
    """Return what all intakes and all ledgers cost together, and the largest of each, on an embedded broker."""
    with EmbeddedBroker(folder / "broker") as broker:
        names = [f"syria-2016-{number}" for number in range(point.agreements)]
        settings = [
            Settings(
                agreement=str(running_truce(folder, point.load.span, linking=point.load.linking, name=name)),
                broker=broker.url,
                data=folder / "data",
                topic_prefix="growth",
                log_level="warning",
            )
            for name in names
        ]
        topics = Topics("growth")
        await ensure_topics(broker.url, topics.specs(names))
        await stages.load(broker.url, topics, point.load.drawn())
        roles: list[Role] = [*["intake"] * point.intakes, "ledger"]
        async with AsyncExitStack() as stack:
            looks = [
                await stack.enter_async_context(stages.Committed(broker.url, *of))
                for name in names
                for of in (
                    (topics.intake_group(name), topics.incidents, topics.partitions),
                    (topics.ledger_group(name), topics.facts(name)),
                )
            ]
            with running(roles, *settings) as workers:
                return await _through(workers, looks, point.load.reports)


async def _through(workers: Sequence[Worker], looks: Sequence[stages.Committed], count: int) -> tuple[Cost, Cost]:
    """Wait until all is taken in and judged; the CPU of a start is left out."""
    before: dict[int, float] = {}
    seen, since = 0, time.monotonic()
    while True:
        for worker in workers:
            worker.check()
        offsets = [await each.offset() for each in looks]
        if sum(offsets) > seen:
            seen, since = sum(offsets), time.monotonic()
            before = before or {worker.pid: stages.cpu_seconds(worker.pid) for worker in workers}
        elif time.monotonic() - since > _STILL_SECONDS:
            raise TimeoutError(f"nothing was committed for {_STILL_SECONDS:.0f} s, offsets {offsets}")
        taken_in = all(offset >= count for offset in offsets[::2])
        if taken_in and all([offset >= await look.end() for offset, look in zip(offsets, looks, strict=True)]):
            break
        await asyncio.sleep(stages.LOOK_SECONDS)

    def cost(role: Role) -> Cost:
        pids = [worker.pid for worker in workers if worker.role == role]
        spent = sum(stages.cpu_seconds(pid) - before[pid] for pid in pids)
        return Cost(spent, max(stages.resident(pid, "VmHWM") for pid in pids))

    return cost("intake"), cost("ledger")


def _page(measured: Sequence[tuple[Point, Cost, Cost, float]], where: dict[str, str], base: Load) -> str:
    """Return a Markdown table for each axis."""
    about = (
        f"Measured on {where['date']} at commit `{where['commit']}`, {where['cores']} cores ({where['processor']}), "
        f"{where['memory']}, load {where['load']} before the run. From {base.reports:,} reports over {base.days} days, "
        f"14 regions, {base.corrections:.0%} corrections, one intake, one agreement, without linking."
    )
    lines = textwrap.wrap(about, 100, break_on_hyphens=False)
    axis = None
    for point, intake, ledger, _ in measured:
        if point.axis != axis:
            axis = point.axis
            heads = (axis, "intake, CPU us a report", "ledger, CPU us a report", "intake, MiB", "ledger, MiB")
            lines += ["", f"| {' | '.join(heads)} |", "| --- | ---: | ---: | ---: | ---: |"]
        cells = [f"{micros(each, point.load):.1f}" for each in (intake, ledger)]
        cells += [f"{mib(each.peak_bytes):,.0f}" for each in (intake, ledger)]
        lines.append(f"| {' | '.join([point.name, *cells])} |")
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
