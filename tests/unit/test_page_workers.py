"""Health of workers on the page: at work, standing by, or not to be reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession
from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.rows import Changes
from streams.engine.broker import free_port
from streams.engine.handler_serializer import HandlerSerializer
from streams.engine.heartbeat import Heartbeat
from streams.engine.metrics import WorkerMetrics, registry_of
from streams.engine.probes import Probes
from streams.engine.reachability import BrokerReachability
from streams.ledger.metrics import LedgerMetrics
from streams.page.workers import Workers
from tests.support.lanes import Group, Remembering, lane_of
from tests.support.served import Page


@pytest.fixture
def heartbeat() -> Heartbeat:
    lane = lane_of(Group())
    return Heartbeat(lane, HandlerSerializer(Remembering(), None, lane, pytest.fail), 60.0)


@pytest.fixture
def url(heartbeat: Heartbeat) -> Iterator[str]:
    metrics = LedgerMetrics()
    metrics.committed(Changes(), 0.2)
    metrics.committed(Changes(), 0.6)
    of_worker = WorkerMetrics(heartbeat, heartbeat._lane, BrokerReachability("a broker"), "ledger", "syria-2016")  # type: ignore[arg-type]
    with Probes("127.0.0.1:0", heartbeat, list, registry_of(of_worker, metrics)).serving() as url:
        yield url


async def shown(*addresses: str, workers: Workers | None = None) -> str:
    """Return what the page says of workers at some addresses."""
    workers = workers or Workers()
    workers.move(" ".join(addresses))
    async with ClientSession() as client:
        await workers.look(client)
    return Page.of(workers.shown).text


async def test_lag_and_commits_of_a_worker_are_told_and_a_standby_is_called_one(url: str, heartbeat: Heartbeat) -> None:
    assert f"ledger {url} standby 0 0 0.40" in " ".join((await shown(url)).split())
    heartbeat.uncommitted = {TP("facts", 0): 1_200, TP("facts", 1): 34}
    heartbeat.waits_since = {TP("facts", 0): time.time() - 90}
    assert f"ledger {url} ✓ at work 1,234 90 0.40" in await shown(url)


async def test_a_worker_that_is_gone_is_said_to_be_with_its_time(url: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    workers = Workers()
    assert f"{nobody} ✕ does not answer: " in await shown(url, nobody, workers=workers)
    workers._answered[nobody] = time.monotonic() - 61
    assert "✕ does not answer for 61 s: " in await shown(nobody, workers=workers)


async def test_something_that_is_no_worker_is_not_taken_for_one(heartbeat: Heartbeat) -> None:
    with Probes("127.0.0.1:0", heartbeat, list, CollectorRegistry()).serving() as url:
        assert "does not answer: it is no worker of trucewatch" in await shown(url)


async def test_without_addresses_the_page_says_why_it_knows_no_lag() -> None:
    assert "lag is not known" in await shown()


async def test_workers_are_asked_again_and_again_at_the_addresses_of_the_moment(url: str) -> None:
    workers = Workers()
    watching = asyncio.create_task(workers.watch())
    try:
        workers.move(url)
        async with asyncio.timeout(60):
            while url not in workers.shown:  # noqa: ASYNC110 - the page is asked
                await asyncio.sleep(0.05)
    finally:
        watching.cancel()
