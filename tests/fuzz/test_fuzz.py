"""A short campaign of fixed seed, and every input that once found something."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz import guided
from tests.fuzz.campaign import FINDINGS, found_by, tried
from tests.fuzz.mutation import inputs
from tests.fuzz.targets import Target, targets

ROOT = Path(__file__).parents[2]
#: Inputs of a quick target; slow ones run their share.
INPUTS = 4_000
KEPT = sorted(path for path in FINDINGS.glob("*/*"))


@pytest.mark.parametrize("target", targets().values(), ids=list(targets()))
def test_whatever_bytes_come_they_are_taken_or_refused(target: Target) -> None:
    given = inputs(target.seeds(), random.Random(2016), target.tokens)
    assert list(tried(target, islice(given, max(10, round(INPUTS * target.share))))) == []


@pytest.mark.parametrize("path", KEPT, ids=[f"{path.parent.name}/{path.name}" for path in KEPT])
def test_what_once_found_a_fault_finds_it_no_more(path: Path) -> None:
    assert found_by(targets()[path.parent.name], path.read_bytes()) is None


@pytest.mark.parametrize("name", ["examine", "fact", "chunk", "peek", "ged", "status"])
def test_every_seed_of_a_target_is_sound(name: str) -> None:
    """A seed that is refused at the door would leave all behind it untried."""
    target = targets()[name]
    seeds = target.seeds() if target.guided else [b""]
    for seed in seeds:
        target.run(seed)


def test_an_error_that_is_not_ours_is_a_finding() -> None:
    def wrong(_: bytes) -> None:
        raise KeyError("missed")

    finding = found_by(Target("wrong", wrong, lambda: [b""]), b"x")
    assert finding is not None
    assert finding.said == "KeyError: 'missed'"


@pytest.mark.skipif(guided.what_is_missing() is not None, reason=guided.what_is_missing() or "")
def test_coverage_leads_the_way_for_some_seconds() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--guided", "--seconds", "3", "fact"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert int(ended.stdout.split()[1].replace(",", "")) > 1_000
