"""Ledgers that take over from each other, and disks that fill up: a few of what ``make crash`` does by the dozen."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.faults import full_disks, takeovers
from tests.crash.plan import Plan
from tests.support.disks import need_disks


@pytest.mark.crash
def test_ledgers_that_take_over_from_each_other_end_with_the_same_tables(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    figures = takeovers(Plan(embedded_broker, prefix, tmp_path, 2, random.Random(prefix)))
    print(figures.text())
    assert figures.whole, figures.text()
    assert (figures.met, figures.recounts) == (2, 1)


@pytest.mark.crash
def test_a_ledger_whose_disk_fills_up_again_and_again_ends_with_the_same_tables(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    need_disks(tmp_path / "probe")
    figures = full_disks(Plan(embedded_broker, prefix, tmp_path, 2, random.Random(prefix)))
    print(figures.text())
    assert figures.whole, figures.text()
    assert figures.met == 2
    assert figures.recounts == figures.rounds
