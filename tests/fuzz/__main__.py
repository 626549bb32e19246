"""``python -m tests.fuzz --seconds N``: every target in turn, or those named, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import guided
from tests.fuzz.campaign import FINDINGS, Finding, diary, keep
from tests.fuzz.targets import targets

#: What a process may take beyond its time: to start, and to say what it found.
GRACE_SECONDS = 120.0


def main() -> int:
    """Run the targets; return 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz everything that reads bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(targets())}; all unless named")
    parser.add_argument("--seconds", type=float, default=300.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same inputs")
    parser.add_argument("--guided", action="store_true", help="led by coverage (needs atheris), where a target can be")
    given = parser.parse_args()
    if unknown := sorted(set(given.targets) - set(targets())):
        parser.error(f"no target is called {', '.join(unknown)}")
    if given.guided and (missing := guided.what_is_missing()):
        parser.error(missing)
    chosen = [
        each
        for name, each in targets().items()
        if (not given.targets or name in given.targets) and (each.guided or not given.guided)
    ]
    total, found = 0, 0
    for target in chosen:
        run, findings = _one(target.name, given.seconds / len(chosen), given.seed, led=given.guided)
        total, found = total + run, found + findings
        print(f"{target.name:24} {run:>11,} inputs {findings:>3} findings", flush=True)
    print(f"{'all':24} {total:>11,} inputs {found:>3} findings; inputs of findings are in {FINDINGS}")
    return 1 if found else 0


def _one(name: str, seconds: float, seed: int, *, led: bool) -> tuple[int, int]:
    """Run one target in a process of its own; return inputs and findings, its death being one."""
    module = "tests.fuzz.guided" if led else "tests.fuzz.campaign"
    with tempfile.TemporaryDirectory(prefix="trucewatch-fuzz-") as folder:
        noted = Path(folder) / "diary"
        command = [sys.executable, "-m", module, name, str(seconds), str(seed), str(noted)]
        try:
            code = subprocess.run(command, timeout=seconds + GRACE_SECONDS, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -1
        run, findings, data = diary(noted)
    if code != 0 or run == 0:
        path = keep(name, Finding(data, f"the process ended with {code}", ""))
        print(f"{name}: the process ended with {code} on {path}", file=sys.stderr)
        findings += 1
    return run, findings


if __name__ == "__main__":
    sys.exit(main())
