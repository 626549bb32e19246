"""HTTP server whose connections are bounded in number and in patience."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog
from aiohttp import web

from schemas.errors import UsageError

log = structlog.get_logger(__name__)

#: How long a connection may take for its handshake, for the head of its first request, and between two.
HEAD_SECONDS = 15.0
#: How long a client may take to read its answer.
READ_SECONDS = 60.0
#: Connections open at once, those in a handshake among them.
CONNECTIONS = 512
#: How long requests at work may take once the process is told to stop.
DRAIN_SECONDS = 20.0
#: How long the rest of a body is taken off the line after its refusal, so that the answer arrives.
_LINGER_SECONDS = 2.0
#: Time until the next try, when no connection can be taken.
_AGAIN_SECONDS = 1.0
_BACKLOG = 512

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
#: Maker of the answer of 400 to what is no HTTP, and of 500 where the handler failed.
Excuse = Callable[[int], web.Response]
#: Source of the context of the next connection, which a renewed certificate replaces.
Tls = Callable[[], ssl.SSLContext]


class _Connection(web.RequestHandler):
    """Connection that has its server's words for a request that cannot be read."""

    __slots__ = ("excuse",)
    excuse: Excuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp gives what it knows
    ) -> web.StreamResponse:
        """Return the answer to a request that cannot be read, or whose handler failed."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionResetError("there is nobody to answer, or an answer was begun")
        if status >= 500:
            log.error("not_answered", path=request.path, exc_info=exc)
        response = self.excuse(status)
        response.force_close()
        return response


class BoundedServer(web.Server):
    """Server of one handler.

    A client can be slow in each part of a request, or gone without a word. The server bounds the
    handshake, the head and the time between requests, ``send`` bounds the answer. Bodies are the
    handler's.

    Args:
        answer: the handler.
        excuse: maker of the answers that are not the handler's.
        connections: how many may be open at once. An idle one makes room, or else the new one goes.
    """

    def __init__(self, answer: Answer, excuse: Excuse, connections: int = CONNECTIONS) -> None:
        super().__init__(
            self._answer,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=HEAD_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        self._respond = answer
        self._excuse = excuse
        self._most = connections
        # Each connection is in one of these. The first of each has been there longest.
        self._greeted: dict[asyncio.Task[None], None] = {}
        self._idle: dict[web.RequestHandler, asyncio.Transport] = {}
        self._at_work: dict[web.RequestHandler, asyncio.Transport] = {}
        self._unheard: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._none_at_work = asyncio.Event()
        self._none_at_work.set()
        self._stopping = False

    def __call__(self) -> web.RequestHandler:
        """Return the handler of a new connection."""
        made = _Connection(self, loop=self._loop, **self._kwargs)
        made.excuse = self._excuse
        return made

    async def accept(self, listener: socket.socket, tls: Tls | None) -> None:
        """Take connections until cancelled."""
        while True:
            try:
                line, _ = await self._loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue  # gone already
            except OSError as error:
                # Descriptors or memory are used up, for instance: others have to end first.
                log.warning("connection_not_taken", reason=error.strerror or str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if self._has_room():
                self._greet(line, tls and tls())
            else:
                line.close()
            # Where many wait the next one is there at once, and the loop would serve nobody else.
            await asyncio.sleep(0)

    def _has_room(self) -> bool:
        """Return whether there is room for one more connection, made of an idle one if need be.

        Counted as it is accepted: a server that counts after the handshake bounds no handshakes.
        """
        if len(self._greeted) + len(self._idle) + len(self._at_work) < self._most:
            return True
        # Whoever holds most makes room: many handshakes must not end idle connections, nor these the handshakes.
        if len(self._greeted) > len(self._idle):
            oldest = next(iter(self._greeted))
            del self._greeted[oldest]
            oldest.cancel()
        elif self._idle:
            self._idle.pop(next(iter(self._idle))).abort()
        else:
            return False
        return True

    def _greet(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        task = asyncio.create_task(self._connect(line, tls))
        self._greeted[task] = None

        def greeted(_: object) -> None:
            self._greeted.pop(task, None)
            if task.cancelled():
                line.close()

        task.add_done_callback(greeted)

    async def _connect(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError):  # of a client that is gone, or speaks no TLS
            await self._loop.connect_accepted_socket(
                self,
                line,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else HEAD_SECONDS,
                ssl_shutdown_timeout=None if tls is None else _LINGER_SECONDS,
            )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Count a new connection among the idle ones, and give it its time."""
        super().connection_made(handler, transport)
        self._idle[handler] = transport
        # Not every aiohttp ends a connection whose first request never comes.
        self._unheard[handler] = self._loop.call_later(HEAD_SECONDS, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        self._idle.pop(handler, None)
        self._was_heard(handler)
        super().connection_lost(handler, exc)

    def _was_heard(self, handler: web.RequestHandler) -> None:
        timer = self._unheard.pop(handler, None)
        if timer is not None:
            timer.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        handler, transport = request.protocol, request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        self._was_heard(handler)
        self._idle.pop(handler, None)
        self._at_work[handler] = transport
        self._none_at_work.clear()
        try:
            response = await self._respond(request)
            if self._stopping:
                handler.close()
            return response
        finally:
            del self._at_work[handler]
            if handler.transport is not None:
                self._idle[handler] = transport
            if not self._at_work:
                self._none_at_work.set()

    async def drain(self) -> None:
        """Wait for the requests at work, then end every connection."""
        self._stopping = True
        for task in list(self._greeted):
            task.cancel()
        for handler in list(self._idle):
            handler.force_close()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._none_at_work.wait()
        except TimeoutError:
            log.warning("cut_off_while_stopping", requests=len(self._at_work))
        await self.shutdown(1.0)


async def send(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Send an answer whole, within a time.

    Raises:
        ConnectionError: the client is gone, or does not read; then the connection is ended.
    """
    async with being_read(request):
        await response.prepare(request)
        await response.write_eof()
    return response


@asynccontextmanager
async def being_read(request: web.BaseRequest) -> AsyncIterator[None]:
    """Bound the time in which a client reads what the block writes.

    Raises:
        ConnectionResetError: it did not read; then the connection is ended.
    """
    try:
        async with asyncio.timeout(READ_SECONDS):
            yield
    except TimeoutError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client does not read its answer") from error


@asynccontextmanager
async def listening(server: BoundedServer, role: str, address: str, tls: Tls | None = None) -> AsyncIterator[str]:
    """Listen for the length of the block, then drain; yield the base address.

    Args:
        role: name of the server in an error.

    Raises:
        UsageError: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    try:
        listeners = await asyncio.to_thread(_listeners, host.strip("[]"), int(port))
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"the {role} cannot listen at {address}: {reason}") from error
    accepting = [asyncio.create_task(server.accept(each, tls)) for each in listeners]
    try:
        yield f"{'http' if tls is None else 'https'}://{host}:{listeners[0].getsockname()[1]}"
    finally:
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for each in listeners:
            each.close()
        await server.drain()


def _listeners(host: str, port: int) -> list[socket.socket]:
    """Return a socket that listens at each address of a host."""
    found: list[socket.socket] = []
    # One address may be told more than once.
    told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, where in dict.fromkeys((each[0], each[4]) for each in told):
            found.append(socket.create_server(where, family=family, backlog=_BACKLOG))
            found[-1].setblocking(False)
    except BaseException:
        for each in found:
            each.close()
        raise
    return found
