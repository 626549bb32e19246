"""A feed's commands that are killed while the broker comes and goes: a few of what ``make crash`` kills."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.crash.outboxes import outbox_campaign
from tests.support.effort import EVERY

#: A campaign of dozens is ``make crash``.
KILLS = int(os.environ.get("TRUCEWATCH_TEST_KILLS", "3"))


@pytest.mark.crash
@pytest.mark.skipif(not EVERY, reason="two minutes; CI kills an outbox at its steps, see tests/integration")
def test_an_outbox_loses_and_doubles_nothing_and_knows_every_fate(prefix: str, tmp_path: Path) -> None:
    figures = outbox_campaign("embedded hangs", tmp_path / "feed", KILLS, 150, random.Random(prefix))
    print(figures.text())
    assert figures.whole, figures.text()
    assert figures.met >= KILLS
    assert figures.recounts == 1
