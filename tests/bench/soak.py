"""``make soak``: millions of reports through intake and ledger into a file, its memory, and its verification.

Corrections, late reports, redelivered and unreadable ones, and linking as in syria-2016. Memory is looked at after
every 100,000 reports, and `verify` recounts the file at the end.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from sinks.opening import PUBLISHED
from streams.verify import verify
from tests.bench.page import machine
from tests.bench.pair import Load, mib, micros, through
from tests.bench.stages import AGREEMENT, resident

EVERY = 100_000
#: Differences that are looked for.
MOST_SHOWN = 20


def main() -> int:
    """Run one soak and print what it found; the exit code is 1 where anything differs."""
    options = _options()
    # Standard output is the page's: what the recount's ledger logs has no place there.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found: dict[str, Any] = {"machine": machine()}
    load = Load(options.reports, linking=not options.without_linking)
    with tempfile.TemporaryDirectory(prefix="trucewatch-soak-") as name:
        folder = options.data or Path(name)
        found |= _soaked(load, folder)
        sys.stdout.write(_page(found))
        differences = []
        if not options.no_verify:
            began = time.monotonic()
            differences = verify(folder / AGREEMENT / PUBLISHED, lambda _, step: _say(f"  {step}"), MOST_SHOWN)
            found["verify"] = {"seconds": time.monotonic() - began, "differences": list(map(str, differences))}
            peak = mib(resident(os.getpid(), "VmHWM"))
            sys.stdout.write(f"verify: {len(differences)} differences in {found['verify']['seconds']:,.0f} s, ")
            sys.stdout.write(f"peak {peak:,.0f} MiB\n" + "".join(f"  {each}\n" for each in differences))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 1 if differences else 0


def _options() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="make soak SOAK=...", description=__doc__, formatter_class=raw)
    parser.add_argument("--reports", type=int, default=300_000, help="how many (default 300,000)")
    parser.add_argument("--without-linking", action="store_true", help="as if the agreement had no such section")
    parser.add_argument("--data", type=Path, help="keep the file in this folder; else it is deleted")
    parser.add_argument("--no-verify", action="store_true", help="do not verify the file")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser.parse_args()


def _soaked(load: Load, folder: Path) -> dict[str, Any]:
    """Send the load through, telling how far it is, and return what it cost."""
    began = time.monotonic()

    def noted(role: str, done: int, size: int) -> None:
        so_far = time.monotonic() - began
        left = so_far * (load.reports / done - 1)
        _say(f"{done:>12,} of {load.reports:,} in {so_far:,.0f} s, {role} {mib(size):,.0f} MiB; {left:,.0f} s to go")

    costs = dict(zip(("intake", "ledger"), through(load, folder, EVERY, noted), strict=True))
    return {
        "reports": load.reports,
        "linking": load.linking,
        "seconds": time.monotonic() - began,
        "file_mib": mib((folder / AGREEMENT / PUBLISHED).stat().st_size),
        "cpu_micros": {role: micros(cost, load) for role, cost in costs.items()},
        "peak_mib": {role: mib(cost.peak_bytes) for role, cost in costs.items()},
        "resident_mib": {
            role: {mark: mib(size) for mark, size in cost.resident.items()} for role, cost in costs.items()
        },
    }


def _page(found: dict[str, Any]) -> str:
    """Return the figures as Markdown, with memory at some ten of the looks."""
    where, resident_mib = found["machine"], found["resident_mib"]
    linking = "with" if found["linking"] else "without"
    about = (
        f"{found['reports']:,} reports {linking} linking in {found['seconds']:,.0f} s, a file of "
        f"{found['file_mib']:,.0f} MiB; commit `{where['commit']}`, load {where['load']} before."
    )
    lines = [about, "", "| reports | intake, MiB | ledger, MiB |", "| ---: | ---: | ---: |"]
    marks = sorted(resident_mib["intake"].keys() & resident_mib["ledger"].keys())
    lines += [
        f"| {mark:,} | {resident_mib['intake'][mark]:,.0f} | {resident_mib['ledger'][mark]:,.0f} |"
        for mark in marks[:: -(-len(marks) // 10) or 1]
    ]
    peak, cpu = found["peak_mib"], found["cpu_micros"]
    lines.append(f"| peak | {peak['intake']:,.0f} | {peak['ledger']:,.0f} |")
    lines.append(f"| CPU us a report | {cpu['intake']:.1f} | {cpu['ledger']:.1f} |")
    return "\n".join(lines) + "\n\n"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
