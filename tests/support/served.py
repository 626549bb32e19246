"""Page served over a published file within a test's own event loop."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientTimeout

from streams.page.server import PageServer
from streams.page.site import Site

#: Generous: a loaded machine reads a file for seconds.
PATIENCE = 240.0


@dataclass
class Served:
    """Site that is served, and a client of it."""

    site: Site
    base: str
    client: ClientSession
    server: PageServer

    async def get(self, path: str, status: int = 200) -> str:
        """Return the body at an address, which must answer with ``status``."""
        async with self.client.get(self.base + path, allow_redirects=False) as answer:
            assert answer.status == status, (path, answer.status, await answer.text())
            return await answer.text()

    async def json(self, path: str) -> Any:
        """Return the JSON at an address."""
        async with self.client.get(self.base + path) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json"), path
            return await answer.json()

    async def page(self, path: str, status: int = 200) -> Page:
        """Return the page at an address, read as browsers read it."""
        return Page.of(await self.get(path, status))

    @asynccontextmanager
    async def stream(self, since: int = 0, last_seen: str | None = None) -> AsyncIterator[Stream]:
        """Follow changes since a version."""
        headers = {} if last_seen is None else {"Last-Event-ID": last_seen}
        async with self.client.get(f"{self.base}/live?since={since}", headers=headers) as answer:
            assert answer.content_type == "text/event-stream"
            yield Stream(answer)


@dataclass
class Stream:
    """Stream of events."""

    answer: ClientResponse

    async def next(self) -> tuple[str, str, dict[str, Any]]:
        """Return name, id and data of the next event."""
        async with asyncio.timeout(PATIENCE):
            while True:
                lines = (await self.answer.content.readuntil(b"\n\n")).decode().splitlines()
                fields = dict(line.split(": ", 1) for line in lines if line)
                if "data" in fields:
                    return fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])

    async def message(self) -> tuple[str, dict[str, Any]]:
        """Return id and data of the next event that is no ping."""
        while True:
            name, number, data = await self.next()
            if name == "message":
                return number, data


@dataclass
class Page(HTMLParser):
    """Page as a browser reads it: its tags with their attributes, and its text."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, html: str) -> Page:
        """Read a page."""
        page = cls()
        HTMLParser.__init__(page)
        page.feed(html)
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, with single blanks."""
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def links(self) -> list[str]:
        """Return the addresses that the page links to."""
        return [attrs.get("href") or "" for tag, attrs in self.tags if tag == "a"]

    def ids(self) -> list[str]:
        """Return the ids of its elements."""
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


@asynccontextmanager
async def serving(path: Path, agreement: str | None = None, max_age: float = 1e9) -> AsyncIterator[Served]:
    """Serve a file at a free port for the length of a block."""
    site, stop = Site(path, agreement, max_age), asyncio.Event()
    server = PageServer(site, "127.0.0.1:0")
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(server.serve(address.set_result, stop))
    done, _ = await asyncio.wait({running, address}, return_when=asyncio.FIRST_COMPLETED)
    if running in done:
        running.result()
    try:
        async with ClientSession(timeout=ClientTimeout(total=PATIENCE)) as client:
            yield Served(site, await address, client, server)
    finally:
        stop.set()
        await running
