"""What was measured of the peers, as Markdown and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from tests.bench.peers.measure import Latency, Recovery, Throughput
from tests.bench.peers.peer import Peer, Work


@dataclass
class Measured:
    """One peer with its figures.

    Attributes:
        failed: of each measure that was given up, why.
    """

    peer: Peer
    throughput: Throughput | None = None
    recovery: Recovery | None = None
    latencies: list[Latency] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def markdown(measured: Sequence[Measured], where: dict[str, str]) -> str:
    """Return the figures with all that is needed to compare them with others."""
    versions = {name: number for each in measured for name, number in each.peer.versions().items()}
    about = (
        f"Measured on {where['date']} at commit `{where['commit']}`, {where['cores']} cores ({where['processor']}), "
        f"{where['memory']}, {where['system']}, load {where['load']} before the run; Python {where['python']}, "
        f"{', '.join(f'{name} {number}' for name, number in sorted(versions.items()))}."
    )
    bare = [each.throughput.rate for each in measured if each.peer.work is Work.READS and each.throughput]
    yardstick = sum(bare) / len(bare) if bare else None
    lines = [*textwrap.wrap(about, 100, break_on_hyphens=False), ""]
    lines += _row("", "job", "reports", "reports/s", "of bare", "CPU s/million", "broker CPU s/million", "peak, MiB")
    lines += _row("---", "---", *["---:"] * 6)
    for each in measured:
        lines += _row(each.peer.title, each.peer.work, *_speed(each.throughput, yardstick))
    lines += ["", *_row("", "keeps", "start, s", "recovery, s", "windows that differ", "after `kill -9`")]
    lines += _row("---", "---", *["---:"] * 4)
    for each in measured:
        first, again = each.throughput, each.recovery
        start, differing = (_figure(first.start_seconds, 1), _figure(first.differing)) if first else ("", "")
        recovery, after = (_figure(again.seconds, 1), _figure(again.differing)) if again else ("", "")
        lines += _row(each.peer.title, each.peer.keeps, start, recovery, differing, after)
    rates = sorted({latency.rate for each in measured for latency in each.latencies})
    if rates:
        lines += ["", "From publish to queryable, p50 and p99 in ms:", ""]
        lines += _row("", *[f"{rate:,}/s" for rate in rates])
        lines += _row("---", *["---:"] * len(rates))
        for each in measured:
            waits = {latency.rate: _waits(latency) for latency in each.latencies}
            if waits:
                lines += _row(each.peer.title, *[waits.get(rate, "") for rate in rates])
    for each in measured:
        for what, why in each.failed.items():
            lines += ["", f"Given up: {each.peer.title}, {what}: {why.splitlines()[0]}"]
    return "\n".join(lines) + "\n"


def whole(measured: Sequence[Measured], where: dict[str, str]) -> str:
    """Return everything as JSON, for programs."""
    peers = [
        {
            "peer": each.peer.name,
            "title": each.peer.title,
            "job": each.peer.work,
            "keeps": each.peer.keeps,
            "versions": each.peer.versions(),
            "throughput": asdict(each.throughput) if each.throughput else None,
            "recovery": asdict(each.recovery) if each.recovery else None,
            "latencies": [asdict(latency) for latency in each.latencies],
            "failed": each.failed,
        }
        for each in measured
    ]
    return json.dumps({"machine": where, "measured": peers}, indent=2) + "\n"


def _speed(found: Throughput | None, yardstick: float | None) -> list[str]:
    if found is None:
        return [""] * 6
    share = f"{found.rate / yardstick:.3f}" if yardstick else ""
    figures = (found.cpu_seconds, found.broker_cpu_seconds, found.peak_mib)
    return [f"{found.records:,}", f"{found.rate:,.0f}", share, *[_figure(each) for each in figures]]


def _waits(latency: Latency) -> str:
    # A machine too busy to publish at the rate has measured another one.
    slower = f" (at {latency.published:,.0f}/s)" if latency.published < 0.95 * latency.rate else ""
    if latency.p50_ms is None or latency.p99_ms is None:
        return f"did not keep up{slower}"
    return f"{latency.p50_ms:,.0f}, {latency.p99_ms:,.0f}{slower}"


def _figure(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]
