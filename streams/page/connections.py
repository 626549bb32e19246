"""HTTP server with bounds on connections, silence and unread answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

#: Connections that may be open. The silent one that is oldest makes room, or else the new one goes.
CONNECTIONS = 600
#: How long a connection may be open before it sends a request. aiohttp waits for ever.
SILENT_SECONDS = 10.0
#: How long a connection may idle between requests.
IDLE_SECONDS = 15.0
#: How long a reader may take to take an answer, or one event of a stream.
WRITE_SECONDS = 20.0


@asynccontextmanager
async def writing(request: web.BaseRequest) -> AsyncIterator[None]:
    """Limit the time of a write; the connection of a reader who does not take it ends.

    Raises:
        ConnectionResetError: it was not taken in time.
    """
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            yield
    except TimeoutError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer is not read") from error


class BoundedServer(web.Server):
    """Server that lets go of connections which send no request, or do not read its answer."""

    def __init__(self, handler: Any, **options: Any) -> None:
        self._silent: dict[Any, asyncio.Transport] = {}

        async def heard(request: web.BaseRequest) -> web.StreamResponse:
            self._silent.pop(request.protocol, None)
            answer: web.StreamResponse = await handler(request)
            try:
                # aiohttp would wait for ever for a reader.
                async with writing(request):
                    await answer.prepare(request)
                    await answer.write_eof()
            except ConnectionError:
                answer.force_close()
            return answer

        super().__init__(heard, keepalive_timeout=IDLE_SECONDS, access_log=None, **options)

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Bound the silence of a new connection, and the number of all."""
        super().connection_made(handler, transport)
        # An answer that the kernel has not taken would outlast its time limit in a buffer here.
        transport.set_write_buffer_limits(0)
        self._silent[handler] = transport
        self._loop.call_later(SILENT_SECONDS, self._let_go, handler)
        if len(self.connections) > CONNECTIONS:
            self._let_go(next(iter(self._silent)))

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        self._silent.pop(handler, None)
        super().connection_lost(handler, exc)

    def _let_go(self, handler: Any) -> None:
        transport = self._silent.pop(handler, None)
        if transport is not None:
            transport.abort()
