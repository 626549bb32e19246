"""An open page over the restart of every process behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from schemas.topics import Topics
from streams.cli.processes import Worker
from streams.engine.admin import ensure_topics
from streams.engine.broker import free_port
from streams.ops.published import copy_path
from streams.settings import Role
from tests.integration.test_live import AGREEMENT, report, settings_for
from tests.integration.test_page_in_browser import server
from tests.support.brokers import need_kafka, write
from tests.support.browser import PATIENCE, browsing
from tests.support.effort import EVERY
from tests.support.kafka import node_of

#: Time that the page may take for a report that comes once the process is back.
CATCH_UP_SECONDS = 10.0


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - a process is asked
            await asyncio.sleep(0.05)


@pytest.mark.kafka
@pytest.mark.skipif(not EVERY, reason="a minute of restarts, for make test-every")
async def test_an_open_page_catches_up_after_each_process_is_started_anew(tmp_path: Path) -> None:
    need_kafka()
    node, topics = node_of(tmp_path / "kafka"), Topics("t.restarts")
    broker = await asyncio.to_thread(node.start, free_port())
    workers: dict[Role, Worker] = {}
    try:
        settings = settings_for(broker, "t.restarts", tmp_path).model_copy(update={"health_address": "127.0.0.1:0"})
        settings = settings.model_copy(update={"log_level": "info"})
        await ensure_topics(broker, topics.specs((AGREEMENT,)))
        for role in ("intake", "ledger"):
            workers[role] = Worker(role, settings, echo=False)
        copy, listen, told = copy_path(settings.data, AGREEMENT), f"127.0.0.1:{free_port()}", 0
        async with AsyncExitStack() as serving, browsing() as tab:
            await serving.enter_async_context(server(copy, listen))

            async def another_report() -> float:
                """Publish a report and return the seconds until the page counts it."""
                nonlocal told
                told += 1
                await write(broker, topics.incidents, 0, [(None, report(report_id=f"FO-{told}"), [])])
                began = time.monotonic()
                await tab.until(f"document.getElementById('health')?.textContent.match(/accepted\\s+{told}\\s/)")
                return time.monotonic() - began

            async def restart_broker() -> None:
                port = int(broker.rpartition(":")[2])
                await asyncio.to_thread(node.stop)
                await asyncio.to_thread(node.start, port)

            def restart(role: Role) -> Callable[[], Awaitable[None]]:
                async def restarted() -> None:
                    workers[role].kill()
                    workers[role] = workers[role].again()
                    await until(lambda: workers[role].probes is not None)

                return restarted

            async def restart_page() -> None:
                await serving.aclose()
                await serving.enter_async_context(server(copy, listen))

            await write(broker, topics.incidents, 0, [(None, report(report_id="FO-0"), [])])
            told = 1
            await until(copy.exists)
            await tab.open(f"http://{listen}/")
            await another_report()
            restarts = {
                "broker": restart_broker,
                "intake": restart("intake"),
                "ledger": restart("ledger"),
                "page": restart_page,
            }
            took = {}
            for name, again in restarts.items():
                await again()
                took[name] = round(await another_report(), 1)
            print(took)
            assert max(took.values()) <= CATCH_UP_SECONDS, took
    finally:
        for each in workers.values():
            each.kill()
        await asyncio.to_thread(node.stop)
