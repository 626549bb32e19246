"""Server with bounds on connections."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

#: Connections that may be open. The silent one that is oldest makes room, or else the new one goes.
CONNECTIONS = 600
#: How long a connection may be open before it sends a request. aiohttp waits for ever.
SILENT_SECONDS = 10.0
#: How long a connection may idle between requests.
IDLE_SECONDS = 15.0


class BoundedServer(web.Server):
    """Server that lets go of connections which send no request."""

    def __init__(self, handler: Any, **options: Any) -> None:
        self._silent: dict[Any, asyncio.Transport] = {}

        async def heard(request: web.BaseRequest) -> web.StreamResponse:
            self._silent.pop(request.protocol, None)
            answer: web.StreamResponse = await handler(request)
            return answer

        super().__init__(heard, keepalive_timeout=IDLE_SECONDS, access_log=None, **options)

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Bound the silence of a new connection, and the number of all."""
        super().connection_made(handler, transport)
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
