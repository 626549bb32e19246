"""Chromium of the machine, steered through its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

#: Generous: a browser's first page takes seconds on a loaded machine.
PATIENCE = 240.0
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_KEYS = {
    "ArrowUp": 38,
    "ArrowDown": 40,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "Enter": 13,
    "Tab": 9,
    "?": 191,
}


class Refused(AssertionError):
    """Call that the browser refuses."""


@dataclass
class Tab:
    """Tab of the browser.

    ``errors`` holds what its console told: exceptions of scripts, and what the content policy refused.
    """

    socket: ClientWebSocketResponse
    session: str = ""
    errors: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1))
    answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Take what the browser says, until it closes."""
        async for message in self.socket:
            said = message.json()
            if "id" in said:
                self.answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"]["text"])
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self.numbers)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        said = {"id": number, "method": method, "params": parameters}
        await self.socket.send_json(said | ({"sessionId": self.session} if self.session else {}))
        result = await asyncio.wait_for(answer, PATIENCE)
        if "error" in result:
            raise Refused(method, result)
        return dict(result["result"])

    async def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        result = await self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression in the page is true, and return its value."""
        async with asyncio.timeout(PATIENCE):
            while not (value := await self.ask(expression)):  # noqa: ASYNC110 - a page is asked
                await asyncio.sleep(0.05)
        return value

    async def count_of(self, selector: str) -> int:
        """Return how many elements there are, without a script of the page's; none while another page comes."""
        root = (await self.call("DOM.getDocument", depth=1))["root"]["nodeId"]
        try:
            return len((await self.call("DOM.querySelectorAll", nodeId=root, selector=selector))["nodeIds"])
        except Refused:
            return 0

    async def open(self, url: str) -> None:
        """Open an address and wait until the page is there."""
        await self.call("Page.navigate", url=url)
        await self.until(f"location.href.startsWith({url!r}) && document.readyState === 'complete'")

    async def press(self, key: str, times: int = 1) -> None:
        """Press and let go of a key."""
        text = {"Enter": "\r", "?": "?"}.get(key, "")
        for _ in range(times):
            pressed = {"key": key, "windowsVirtualKeyCode": _KEYS[key], "text": text}
            await self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=_KEYS[key])

    async def size(self, width: int, height: int = 800) -> None:
        """Make the window as large."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    async def picture(self, file: Path) -> None:
        """Write a picture of the whole page."""
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - a small file


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Tab]:
    """Run Chromium for the length of a block, and yield a tab; skip the test where there is none."""
    if _CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    process = await asyncio.create_subprocess_exec(
        _CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'chromium'}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            address = await _address(process)
        async with ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
            tab = Tab(socket)
            listening = asyncio.create_task(tab.listen())
            target = (await tab.call("Target.createTarget", url="about:blank"))["targetId"]
            tab.session = (await tab.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                await tab.call(f"{domain}.enable")
            yield tab
            listening.cancel()
    finally:
        process.kill()
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if found := re.search(r"DevTools listening on (ws://\S+)", line.decode(errors="replace")):
            return found[1]
    raise AssertionError(f"Chromium ended: {said.decode(errors='replace')}")
