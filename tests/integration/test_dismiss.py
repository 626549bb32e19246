"""Dismissals on each broker: sent once, known again, and judged anew from the facts alone."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from schemas.topics import Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.producer import Outgoing
from streams.verify import verify
from tests.integration.test_cli_replay import run
from tests.integration.test_live import AGREEMENT, ask, report, settings_for
from tests.support.brokers import write
from tests.support.recorded_archive import wait_until

PENDING = "SELECT report_id FROM reject_states WHERE pending ORDER BY fact_offset"
SAID = "SELECT reject_offset, reason, dismissed_by FROM dismissals ORDER BY fact_offset"


def test_a_dismissal_is_a_fact_that_outlives_the_file(broker: str, prefix: str, tmp_path: Path) -> None:
    topics, settings = Topics(prefix), settings_for(broker, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    refused: list[Outgoing] = [(None, report(report_id=f"i{n}", kind="sheling"), []) for n in range(3)]
    asyncio.run(ensure_topics(broker, topics.specs((AGREEMENT,))))
    asyncio.run(write(broker, topics.incidents, 2, refused))
    common = ("--data", settings.data, "--agreement", settings.agreement, "--broker", broker)

    def dismiss(*ids: int) -> tuple[int, str, str]:
        said: tuple[Any, ...] = ("--reason", "a test", "--by", "desk")
        return run("rejects", "dismiss", *ids, *said, *common, cwd=tmp_path, TRUCEWATCH_TOPIC_PREFIX=prefix)

    with running(("intake", "ledger"), settings):
        wait_until(lambda: ask(copy, PENDING) == [("i0",), ("i1",), ("i2",)])
        ids = [number for (number,) in ask(copy, "SELECT fact_offset FROM rejects ORDER BY ALL")]
        assert dismiss(ids[0])[:2] == (0, "1 reject dismissed\n")
        wait_until(lambda: ask(copy, PENDING) == [("i1",), ("i2",)])
        code, _, error = dismiss(ids[0])
        assert (code, "dismissed before" in error) == (2, True)
        assert dismiss(*ids[:2])[:2] == (0, "1 reject dismissed; 1 left out that were dismissed before\n")
        # Sent again and accepted, under its own name: no redrive is needed.
        asyncio.run(write(broker, topics.incidents, 2, [(None, report(report_id="i2"), [])]))
        wait_until(lambda: ask(copy, PENDING) == [])
    assert ask(copy, SAID) == [(0, "a test", "desk"), (1, "a test", "desk")]
    assert verify(copy) == []

    shutil.rmtree(settings.data / AGREEMENT)
    with running(("ledger",), settings):
        wait_until(lambda: copy.exists() and ask(copy, SAID) == [(0, "a test", "desk"), (1, "a test", "desk")])
        wait_until(lambda: ask(copy, PENDING) == [])
    assert verify(copy) == []
