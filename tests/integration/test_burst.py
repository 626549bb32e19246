"""A burst of reports on a slow disk: memory stays bounded, nothing is lost, and slow work is no stall."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.topics import Topics
from tests.bench import stages
from tests.bench.burst import through
from tests.bench.reports import reports
from tests.integration.test_live import settings_for

pytestmark = pytest.mark.broker

COUNT = 40_000
COMMIT_SECONDS = 1.5
#: What the ledger may have in hand, of reports of about a kilobyte, over a small burst and a large one alike.
ROOM_BYTES = 400 * 2**20


def test_a_burst_on_a_slow_disk_is_worked_off_within_bounded_memory(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    settings = settings_for(embedded_broker, prefix, tmp_path).model_copy(
        update={"flush_records": 4_000, "stall_seconds": 20.0, "publish_seconds": 3_600.0, "memory_limit": "256MB"}
    )
    count = asyncio.run(stages.load(embedded_broker, Topics(prefix), reports(COUNT)))
    memory = asyncio.run(through(settings, count, COMMIT_SECONDS, 0.2))
    for role in ("intake", "ledger"):
        started, peak = min(memory[role]), memory[f"{role} peak"][0]
        assert peak - started < ROOM_BYTES, role
