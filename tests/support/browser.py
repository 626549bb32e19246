"""Chromium of the machine, driven by Playwright."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

#: Generous: a browser's first page takes seconds on a loaded machine.
PATIENCE = 240.0
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Tab:
    """Tab of the browser.

    ``errors`` holds what its console told: exceptions of scripts, and what the content policy refused.
    """

    page: Page
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(1_000 * PATIENCE)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    async def open(self, url: str) -> None:
        """Open an address and wait until the page is there."""
        await self.page.goto(url)

    async def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return await self.page.evaluate(expression)

    async def until(self, expression: str) -> Any:
        """Wait until an expression in the page is true, and return its value.

        Asked again and again from here: what Playwright would run within the page its content policy forbids.
        """
        async with asyncio.timeout(PATIENCE):
            while not (value := await self.ask(expression)):  # noqa: ASYNC110 - a page is asked
                await asyncio.sleep(0.05)
        return value

    async def press(self, key: str, times: int = 1) -> None:
        """Press and let go of a key."""
        for _ in range(times):
            await self.page.keyboard.press(key)

    async def size(self, width: int, height: int = 800) -> None:
        """Make the window as large."""
        await self.page.set_viewport_size({"width": width, "height": height})

    async def look(
        self, media: Literal["screen", "print"] = "screen", scheme: Literal["light", "dark"] = "light"
    ) -> None:
        """Show the page on a screen or on paper, to those who like it light or dark."""
        await self.page.emulate_media(media=media, color_scheme=scheme)

    async def picture(self, file: Path) -> None:
        """Write a picture of the whole page."""
        await self.page.screenshot(path=file, full_page=True)

    async def barriers(self) -> list[str]:
        """Return what axe finds on the page that keeps people out, each with the element it is of."""
        found = await Axe().run(self.page)
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found.response["violations"]
            for node in each["nodes"]
        ]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium for the length of a block; skip the test where there is none, or fail it with REQUIRE_BROWSER=1."""
    if _CHROMIUM is None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail("REQUIRE_BROWSER=1, but no Chromium is on this machine")
    if _CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, timeout=1_000 * PATIENCE)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def tab_of(browser: Browser, *, scripts: bool = True) -> AsyncIterator[Tab]:
    """Open a tab that shares nothing with others, in which scripts run or none does."""
    context = await browser.new_context(java_script_enabled=scripts)
    try:
        yield Tab(await context.new_page())
    finally:
        await context.close()


@asynccontextmanager
async def browsing() -> AsyncIterator[Tab]:
    """Run Chromium with one tab for the length of a block."""
    async with chromium() as browser, tab_of(browser) as tab:
        yield tab
