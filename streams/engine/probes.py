"""HTTP probes of a worker for liveness, readiness and metrics.

A thread with an event loop of its own answers them. The worker's loop stands still while DuckDB
commits, for seconds on a slow disk, and a probe that waited for it would have a healthy worker
killed. The answers rest on the heartbeat, which holds when the worker's loop ticked last.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.errors import UsageError
from streams.engine.heartbeat import Heartbeat

log = structlog.get_logger(__name__)

#: How old the oldest record that waits may be while a worker counts as ready.
READY_LAG_SECONDS = 60.0
#: How long answers under way may take when the worker ends.
_CLOSE_SECONDS = 1.0

Reasons = Callable[[], list[str]]


class Probes:
    """Server of ``/livez``, ``/readyz`` and ``/metrics``.

    It asks neither the broker nor the disk.

    Args:
        address: ``host:port``; port 0 has the system choose one.
        heartbeat: of the worker's event loop.
        unready: reasons of the worker's own for not being ready, besides those of the heartbeat.
        registry: the metrics.
    """

    def __init__(self, address: str, heartbeat: Heartbeat, unready: Reasons, registry: CollectorRegistry) -> None:
        self._address = address
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._heartbeat = heartbeat
        self._unready = unready
        self._registry = registry

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve for the length of the block; yield the base address, ``http://host:port``.

        Raises:
            UsageError: the address cannot be listened on.
        """
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="probes", daemon=True)
        thread.start()
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_CLOSE_SECONDS)
        try:
            port = asyncio.run_coroutine_threadsafe(self._listen(runner), loop).result()
            url = f"http://{self._host}:{port}"
            log.info("probes_served", address=url)
            yield url
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(2 * _CLOSE_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _listen(self, runner: web.AppRunner) -> int:
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host.strip("[]"), self._port).start()
        except OSError as error:
            raise UsageError(f"probes cannot be served at {self._address}: {error.strerror or error}") from error
        port: int = runner.addresses[0][1]
        return port

    def _app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        return app

    async def _livez(self, _: web.Request) -> web.Response:
        """Answer 200 while the worker's loop ticks, else 503."""
        silent, limit = self._heartbeat.silent_seconds(), self._heartbeat.limit_seconds
        alive = silent < limit
        body = {"alive": alive, "loop_silent_seconds": round(silent, 1), "limit_seconds": limit}
        return web.json_response(body, status=200 if alive else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        """Answer 200 when the worker is ready, else 503 with the reasons."""
        reasons = [*behind(self._heartbeat), *self._unready()]
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def behind(heartbeat: Heartbeat) -> list[str]:
    """Return why a worker is not ready, by its heartbeat."""
    if not heartbeat.uncommitted:
        return ["no partition is assigned"]
    return [
        f"{partition.topic}/{partition.partition}: {heartbeat.uncommitted.get(partition, 0):,} records wait, "
        f"the oldest for {seconds:.0f} s; at most {READY_LAG_SECONDS:.0f} s are ready"
        for partition, seconds in sorted(heartbeat.lag_seconds().items())
        if seconds > READY_LAG_SECONDS
    ]
