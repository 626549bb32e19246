"""HTTP server of the page."""

from __future__ import annotations

import asyncio
import hashlib
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from typing import NamedTuple

import structlog
from aiohttp import web

from streams.engine.http import BoundedServer, being_read, listening, send
from streams.page.hosts import Hosts
from streams.page.render import address
from streams.page.site import Site

log = structlog.get_logger(__name__)

#: Connections that may be open. An idle one makes room, or else the new one goes.
CONNECTIONS = 600
#: Streams of changes that may be open; a page without one is read anew by hand.
STREAMS = 400
#: How often a stream says that it lives.
PING_SECONDS = 5.0
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class _Asset(NamedTuple):
    kind: str
    body: bytes
    tag: str


class PageServer:
    """Server of a site on one address; it takes GET and HEAD alone.

    Args:
        site: the pages.
        address: ``host:port``; port 0 has the system choose one.
        names: names by which a proxy passes requests on.
    """

    def __init__(self, site: Site, address: str, names: Sequence[str] = ()) -> None:
        self._site = site
        self._address = address
        self._hosts = Hosts(address.rpartition(":")[0], names)
        self._assets = _assets()
        self._streams = 0
        self._closing = False

    async def serve(self, told: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set; tell the base address once it is listened on.

        Raises:
            UsageError: the address cannot be listened on.
        """
        server = BoundedServer(self._answer, _excuse, CONNECTIONS)
        try:
            async with listening(server, "page", self._address) as base:
                try:
                    await self._site.look()
                    told(base)
                    await self._follow(stop)
                finally:
                    # Or the server would wait for the streams to end.
                    self._closing = True
                    self._site.turned.set()
        finally:
            await asyncio.to_thread(self._site.close)

    async def _follow(self, stop: asyncio.Event) -> None:
        watch, stopped = asyncio.create_task(self._site.watch()), asyncio.create_task(stop.wait())
        try:
            # A fault of the watch must end the process: a page that follows nothing would look calm.
            await asyncio.wait({watch, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()
        finally:
            for task in (watch, stopped):
                task.cancel()
            await asyncio.wait({watch, stopped})

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await send(request, await self._found(request))

    async def _found(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in {"GET", "HEAD"}:
            return _said(405, "nothing can be changed here\n", {"Allow": "GET, HEAD"})
        if not self._hosts.allow(request.headers.get("Host")):
            return _said(421, "the page has another name; `trucewatch serve --name` gives it one\n")
        if request.path == "/live" and request.method == "GET":
            return await self._stream(request)
        if request.path == "/livez":
            return _said(200, "alive\n")
        if request.path in self._assets:
            return _sent(self._assets[request.path], request.headers.get("If-None-Match"))
        try:
            return await self._page(request.path, dict(request.query))
        except Exception:
            # One page that cannot be made must not take the others along.
            log.exception("page_failed", path=request.path)
            return _said(500, "a fault of trucewatch itself; its log has it\n")

    async def _page(self, path: str, query: dict[str, str]) -> web.Response:
        if path.startswith("/tables/") and "column" in query:
            # A form cannot name its column as an address does.
            asked = {name: value for name, value in query.items() if name not in ("column", "is", "offset")}
            where = address(path, {**asked, query["column"]: query.get("is", "")})
            return _said(303, "", {"Location": where})
        reply = await self._site.reply(path, query)
        headers = {**_HEADERS, "Retry-After": "5"} if reply.status == 503 else dict(_HEADERS)
        if reply.following:
            headers["Link"] = ", ".join(f'<{each}>; rel="next"' for each in reply.following)
        return web.Response(
            status=reply.status, body=reply.body, content_type=reply.kind, charset="utf-8", headers=headers
        )

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send what changed since the version that the page shows, then each change as it comes."""
        if self._streams >= STREAMS:
            return _said(503, "too many pages are open\n", {"Retry-After": "30"})
        seen = _version(request.headers.get("Last-Event-ID") or request.query.get("since", ""))
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        self._streams += 1
        try:
            await response.prepare(request)
            await _write(request, response, b"retry: 2000\n\n")
            # Its banner may be of another time: the first event comes at once.
            due = True
            while not self._closing:
                if due:
                    # Another copy may come while this event is on its way: the next one leads on from this.
                    turned, event = self._site.turned, self._site.event(seen)
                    seen = self._site.version
                    await _write(request, response, event)
                due = await _set_within(turned, PING_SECONDS)
                if not due:
                    await _write(request, response, self._site.ping())
        except ConnectionError:
            response.force_close()
        finally:
            self._streams -= 1
        return response


async def serve_page(site: Site, address: str, told: Callable[[str], None], names: Sequence[str] = ()) -> None:
    """Serve a site until SIGINT or SIGTERM.

    Raises:
        UsageError: the address cannot be listened on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await PageServer(site, address, names).serve(told, stop)


def _assets() -> Mapping[str, _Asset]:
    found = {}
    for file in (resources.files("streams.page") / "static").iterdir():
        body = file.read_bytes()
        if file.name.endswith(".js"):
            # Comments and indentation are for whoever reads the source.
            body = re.sub(rb"(?m)^\s*(//.*\n)?", b"", body)
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        found[f"/static/{file.name}"] = _Asset(_KINDS[file.name.rpartition(".")[2]], body, tag)
    return found


def _sent(asset: _Asset, known: str | None) -> web.Response:
    headers = {**_HEADERS, "ETag": asset.tag}
    if known == asset.tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, content_type=asset.kind, charset="utf-8", headers=headers)


def _said(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, headers={**_HEADERS, **(headers or {})})


def _excuse(status: int) -> web.Response:
    return _said(status, "this is no request\n" if status < 500 else "a fault of trucewatch itself; its log has it\n")


def _version(text: str) -> int:
    """Return the version that a page says it shows; 0, which nobody remembers, where it says none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


async def _write(request: web.BaseRequest, response: web.StreamResponse, event: bytes) -> None:
    """Send an event; one who does not take it for long is let go, or it would pile up in memory."""
    async with being_read(request):
        await response.write(event)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    # Both may come in one turn of the loop.
    return event.is_set()
