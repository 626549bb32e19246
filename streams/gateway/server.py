"""HTTP server whose connections are bounded in number and in patience."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice

import structlog
from aiohttp import web

from schemas.errors import UsageError
from streams.gateway.problems import Problem, Refusal

log = structlog.get_logger(__name__)

#: How long a connection may take for its handshake, for the head of its first request, and between two.
HEAD_SECONDS = 15.0
#: Connections open at once, beside those at work; the oldest goes first.
CONNECTIONS = 512
#: How long requests at work may take once the process is told to stop.
DRAIN_SECONDS = 20.0
#: How long the rest of a body is taken off the line after its refusal, so that the answer arrives.
_LINGER_SECONDS = 2.0

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Connection(web.RequestHandler):
    """Connection that tells what is no HTTP in problem details, and logs nothing of it."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - aiohttp gives what it knows
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Return the answer to a request that cannot be read."""
        if request.writer.output_size > 0:
            raise ConnectionResetError("an answer was begun already")
        response = Refusal(
            Problem.BAD_REQUEST, "the request line, a header or a chunk is no HTTP, or too long"
        ).answer()
        response.force_close()
        return response


class Server(web.Server):
    """Server of one handler.

    A client can be slow in each part of a request, or gone without a word. Each part has its limit:
    the head here, body and answer in ``streams.gateway.answers``.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            self._answer,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=HEAD_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        self._respond = answer
        self._at_work: set[web.RequestHandler] = set()
        self._heard: set[web.RequestHandler] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    def __call__(self) -> web.RequestHandler:
        """Return the handler of a new connection."""
        return _Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Give a new connection its time, and let go of the oldest idle ones beyond the number."""
        super().connection_made(handler, transport)
        self._loop.call_later(HEAD_SECONDS, self._unless_heard, handler)
        beyond = max(0, len(self._connections) - CONNECTIONS)
        for known, oldest in list(islice(self._connections.items(), beyond)):
            if known not in self._at_work:
                oldest.abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        self._heard.discard(handler)
        super().connection_lost(handler, exc)

    def _unless_heard(self, handler: web.RequestHandler) -> None:
        if handler in self._connections and handler not in self._heard:
            self._connections[handler].abort()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = request.protocol
        self._heard.add(handler)
        self._at_work.add(handler)
        self._idle.clear()
        try:
            response = await self._respond(request)
            if self._stopping:
                handler.close()
            return response
        finally:
            self._at_work.discard(handler)
            if not self._at_work:
                self._idle.set()

    async def drain(self) -> None:
        """Wait for the requests at work, then end every connection."""
        self._stopping = True
        for handler in self.connections:
            if handler not in self._at_work:
                handler.force_close()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            log.warning("cut_off_while_stopping", requests=len(self._at_work))
        await self.shutdown(1.0)


@asynccontextmanager
async def listening(server: Server, address: str, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Listen for the length of the block, then drain; yield the base address.

    Raises:
        UsageError: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    try:
        listener = await asyncio.get_running_loop().create_server(
            server,
            host.strip("[]"),
            int(port),
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else HEAD_SECONDS,
            ssl_shutdown_timeout=None if tls is None else _LINGER_SECONDS,
        )
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"the gateway cannot listen at {address}: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        yield f"{'http' if tls is None else 'https'}://{host}:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        await server.drain()
