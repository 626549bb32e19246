"""An open page over the restart of every process behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from schemas.topics import Topics
from streams.cli.processes import Worker
from streams.engine.admin import ensure_topics
from streams.engine.broker import free_port
from streams.ops.published import copy_path
from streams.settings import Role
from tests.bench.stages import by_percentile
from tests.integration.test_live import AGREEMENT, report, settings_for
from tests.integration.test_page_in_browser import server
from tests.support.brokers import need_kafka, write
from tests.support.browser import PATIENCE, browsing
from tests.support.effort import EVERY
from tests.support.kafka import node_of

#: Bounds of the page, in seconds: a report is counted so long after a process was killed, and the page is STALE.
CATCH_UP_SECONDS, STALE_SECONDS = 10.0, 15.0
#: Of the copies 95 % are on an open page within so many seconds of their publication.
SHOWN_SECONDS = 5.0
STATE = "document.getElementById('state').textContent"


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - a process is asked
            await asyncio.sleep(0.05)


def end(workers: Iterable[Worker]) -> None:
    for each in workers:
        each.kill()


@pytest.mark.kafka
@pytest.mark.skipif(not EVERY, reason="a minute of restarts, for make test-every")
async def test_an_open_page_catches_up_after_each_process_is_started_anew(tmp_path: Path) -> None:
    need_kafka()
    node, topics = node_of(tmp_path / "kafka"), Topics("t.restarts")
    broker = await asyncio.to_thread(node.start, free_port())
    workers: dict[Role, Worker] = {}
    try:
        settings = settings_for(broker, "t.restarts", tmp_path)
        await ensure_topics(broker, topics.specs((AGREEMENT,)))
        for role in ("intake", "ledger"):
            workers[role] = Worker(role, settings, echo=False)
        copy, listen, sent = copy_path(settings.data, AGREEMENT), f"127.0.0.1:{free_port()}", 0
        async with AsyncExitStack() as serving, browsing() as tab:

            async def send_another() -> None:
                nonlocal sent
                await write(broker, topics.incidents, 0, [(None, report(report_id=f"FO-{sent}"), [])])
                sent += 1

            async def counted() -> None:
                """Wait until the page counts every report sent."""
                await tab.until(f"/accepted\\s*{sent}\\s/.test(document.getElementById('health')?.textContent)")

            async def restart_broker() -> None:
                os.kill(node.pid(), signal.SIGKILL)
                await asyncio.to_thread(node.stop)
                await asyncio.to_thread(node.start, int(broker.rpartition(":")[2]))
                await send_another()

            def restart(role: Role) -> Callable[[], Awaitable[None]]:
                async def restarted() -> None:
                    workers[role].kill()
                    workers[role] = workers[role].again()
                    await send_another()

                return restarted

            async def restart_page() -> None:
                await serving.aclose()
                await serving.enter_async_context(server(copy, listen))
                await send_another()

            await send_another()
            await until(copy.exists)
            await serving.enter_async_context(server(copy, listen))
            await tab.open(f"http://{listen}/")
            await tab.ask("window.opened = 'once'")
            await counted()

            shown = []
            for _ in range(20):
                before = copy.stat().st_ino
                await send_another()
                await until(lambda inode=before: copy.stat().st_ino != inode)
                began = time.monotonic()
                await counted()
                shown.append(time.monotonic() - began)

            took = {}
            for name, again in {
                "intake": restart("intake"),
                "ledger": restart("ledger"),
                "page": restart_page,
                "broker": restart_broker,
            }.items():
                began = time.monotonic()
                await again()
                await counted()
                took[name] = time.monotonic() - began

            began = time.monotonic()
            await serving.aclose()
            await tab.until(f"{STATE} === 'STALE, reconnecting.'")
            stale = time.monotonic() - began
            await serving.enter_async_context(server(copy, listen))
            await tab.until(f"{STATE} === ''")
            assert await tab.ask("window.opened") == "once", "the page was never loaded anew"
            print(
                {name: round(each, 1) for name, each in took.items()},
                f"STALE after {stale:.1f} s, shown after at most {max(shown):.1f} s",
            )
            # A single broker takes as long as it takes; what is asked of it is that all go on.
            assert max(took["intake"], took["ledger"], took["page"]) <= CATCH_UP_SECONDS, took
            assert stale <= STALE_SECONDS
            assert by_percentile(shown, lambda n: n * 0.95 - 1) <= SHOWN_SECONDS, shown
    finally:
        end(workers.values())
        await asyncio.to_thread(node.stop)
