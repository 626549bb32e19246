"""``kill -9`` at named steps and random instants, on each broker: every table ends as if it had not happened."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.campaign import Kills, intake_campaign, ledger_campaign
from tests.crash.plan import Plan

#: A campaign of hundreds is ``make crash``.
KILLS = int(os.environ.get("TRUCEWATCH_TEST_KILLS", "6"))
REPORTS = 1_000


@pytest.mark.crash
def test_a_ledger_killed_again_and_again_ends_with_the_same_tables(broker: str, prefix: str, tmp_path: Path) -> None:
    _check(ledger_campaign(_plan(broker, prefix, tmp_path, KILLS * 2 // 3)))


@pytest.mark.crash
def test_an_intake_killed_again_and_again_loses_and_doubles_nothing(broker: str, prefix: str, tmp_path: Path) -> None:
    """Facts may be written twice; the ledger counts each source record once."""
    _check(intake_campaign(_plan(broker, prefix, tmp_path, KILLS // 3)))


def _plan(broker: str, prefix: str, folder: Path, kills: int) -> Plan:
    return Plan(broker, prefix, folder, kills, random.Random(prefix), reports=REPORTS)


def _check(figures: Kills) -> None:
    print(figures.text())
    assert figures.whole, figures.text()
    assert figures.at_failpoints >= 1
    # A file killed as it was made is recounted beside the one of its round.
    assert figures.recounts >= figures.rounds >= 1
