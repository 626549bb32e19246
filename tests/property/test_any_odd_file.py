"""Odd but accepted reports of every type: what the ledger makes of them is what the recount makes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from schemas.facts import ReportFact
from streams.verify import verify
from tests.support.effort import FULL, cases
from tests.support.odd_history import TYPES, odd_history

#: A file costs a second whatever it holds, so that each holds many reports.
REPORTS = 250 if FULL else 60


@pytest.mark.parametrize("seed", cases(range(12), fast=2))
def test_ledger_and_recount_agree_on_odd_reports_of_every_type(seed: int, tmp_path: Path) -> None:
    history = odd_history(seed, REPORTS)
    accepted = Counter(type(fact).__name__ for fact, _ in history.facts if isinstance(fact, ReportFact))
    assert len(accepted) == len(TYPES)
    path = history.judged(tmp_path, flush_every=(7, 50, 1_000)[seed % 3])
    assert [str(difference) for difference in verify(path, limit=5)] == []
