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
from typing import Protocol

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
#: How old a connection may grow. An answer takes milliseconds, and closes it.
CONNECTION_SECONDS = 10.0
#: How many connections may be open. Without a bound, idle ones take every descriptor of the worker.
CONNECTIONS = 64

Reasons = Callable[[], list[str]]


class LoopPulse(Protocol):
    """Sign of life of an event loop."""

    @property
    def limit_seconds(self) -> float:
        """Seconds the loop may stand still."""

    def silent_seconds(self) -> float:
        """Return the seconds since the loop ran."""


class Probes:
    """Server of ``/livez`` or ``/healthz``, ``/readyz`` and ``/metrics``.

    It asks neither the broker nor the disk.

    Args:
        address: ``host:port``; port 0 has the system choose one.
        heartbeat: of the process's event loop.
        unready: reasons for not being ready.
        registry: the metrics.
    """

    def __init__(self, address: str, heartbeat: LoopPulse, unready: Reasons, registry: CollectorRegistry) -> None:
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
        server = _BoundedServer(self._answer, loop=loop, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_CLOSE_SECONDS)
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

    async def _listen(self, runner: web.ServerRunner) -> int:
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host.strip("[]"), self._port).start()
        except OSError as error:
            raise UsageError(f"probes cannot be served at {self._address}: {error.strerror or error}") from error
        port: int = runner.addresses[0][1]
        return port

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        answers = {"/livez": self._livez, "/healthz": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}
        answer = answers.get(request.path)
        if answer is None:
            response = web.Response(status=404, text=f"no such path; there are {', '.join(answers)}\n")
        elif request.method not in {"GET", "HEAD"}:
            response = web.Response(status=405, headers={"Allow": "GET, HEAD"})
        else:
            response = answer()
        response.force_close()
        return response

    def _livez(self) -> web.Response:
        """Answer 200 while the worker's loop ticks, else 503."""
        silent, limit = self._heartbeat.silent_seconds(), self._heartbeat.limit_seconds
        alive = silent < limit
        body = {"alive": alive, "loop_silent_seconds": round(silent, 1), "limit_seconds": limit}
        return web.json_response(body, status=200 if alive else 503)

    def _readyz(self) -> web.Response:
        """Answer 200 when the worker is ready, else 503 with the reasons."""
        reasons = self._unready()
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    def _metrics(self) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _BoundedServer(web.Server):
    """Server whose connections are bounded in age and number; the oldest ones go first.

    aiohttp waits for the first request of a connection for ever.
    """

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Bound the age of a new connection, and let go of the oldest beyond the number."""
        super().connection_made(handler, transport)
        self._loop.call_later(CONNECTION_SECONDS, transport.abort)
        for oldest in list(self._connections.values())[:-CONNECTIONS]:
            oldest.abort()


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
