"""The page in Debian's Chromium: keys, new copies, other sizes, no script, a server that goes away."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from streams.engine.broker import free_port
from streams.page import server as page_server
from streams.page.asking import Reply
from tests.support.browser import PATIENCE, browsing
from tests.support.demo import Demo
from tests.support.hostile import HOUR, hostile, shelling
from tests.support.judged import History
from tests.support.served import serving
from tests.support.shell import clean_environment

pytestmark = pytest.mark.broker

AGREEMENT = load_agreement("syria-2016")
CELL = "c-SY05-2016-09-12"


async def test_the_grid_is_walked_by_keys_and_no_script_or_policy_fails(demo: Demo, tmp_path: Path) -> None:
    async with serving(demo.file) as served, browsing(tmp_path) as tab:
        await tab.size(1280)
        await tab.open(f"{served.base}/")
        assert await tab.ask("document.querySelector('.grid').getAttribute('role')") == "grid"
        assert await tab.ask("document.querySelectorAll('.grid a[id]:not([tabindex=\"-1\"])').length") == 1
        await tab.ask("document.querySelector('.grid a[id]:not([tabindex=\"-1\"])').focus()")
        assert await tab.ask("document.activeElement.id") == "c-SY01-2016-09-12-a"
        await tab.press("ArrowDown")
        await tab.press("ArrowRight", 2)
        assert await tab.ask("document.activeElement.id") == "c-SY02-2016-09-14-a"
        await tab.press("ArrowLeft", 9)
        await tab.press("?")
        assert await tab.ask("document.getElementById('legend').open") is True
        assert await tab.ask("document.activeElement.id") == "c-SY02-2016-09-12-a"
        await tab.picture(tmp_path / "overview.png")
        await tab.press("Enter")
        await tab.until("location.pathname === '/region/SY02/2016-09-12' && document.readyState === 'complete'")
        assert "Findings" in await tab.ask("document.body.innerText")
        for path in ("/feeds", "/tables/grid?sort=truce_day"):
            await tab.open(served.base + path)
        assert tab.errors == []


async def test_the_page_fits_a_telephone_and_reads_without_script(demo: Demo, tmp_path: Path) -> None:
    async with serving(demo.file) as served, browsing(tmp_path) as tab:
        await tab.size(360)
        for path in ("/", "/region/SY02/2016-09-14", "/convoys", "/tables/day_verdicts"):
            await tab.open(served.base + path)
            assert await tab.ask("document.documentElement.scrollWidth") <= 360, path
            if path == "/":
                await tab.picture(tmp_path / "narrow.png")
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.call("Page.navigate", url=f"{served.base}/declared")
        await tab.call("Page.navigate", url=f"{served.base}/")
        async with asyncio.timeout(PATIENCE):
            # Every cell is in the tab order, which a script alone would change.
            while await tab.count_of(".grid td a[href^='/region/']:not([tabindex])") < 98:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await tab.count_of("#pause[hidden]") == 1


async def test_a_break_is_announced_while_focus_and_place_stay(tmp_path: Path) -> None:
    folder = tmp_path / "syria-2016"
    history = History(AGREEMENT).tell(shelling(AGREEMENT, 1)).tick(AGREEMENT.effective + 3 * HOUR)
    async with serving(history.judged(folder)) as served, browsing(tmp_path) as tab:
        await tab.size(1280, 400)
        await tab.open(f"{served.base}/")
        await tab.ask(f"document.getElementById('{CELL}-a').focus()")
        await tab.ask("document.getElementById('streaks').open = true")
        await tab.ask("scrollTo(0, 150)")
        await tab.until("!document.getElementById('pause').hidden")
        place = f"document.getElementById('{CELL}').getBoundingClientRect().top"
        before = await tab.ask(place)
        history.tell(shelling(AGREEMENT, 2)).tick(AGREEMENT.effective + 4 * HOUR)
        history.judged(folder)
        await tab.until(f"document.getElementById('{CELL}').dataset.word === 'BROKEN'")
        assert await tab.ask("document.activeElement.id") == f"{CELL}-a"
        assert await tab.ask("document.getElementById('streaks').open")
        assert abs(await tab.ask(place) - before) < 30, "what is looked at stays where it is"
        assert await tab.ask("document.title.startsWith('✕ ')")
        assert await tab.ask("document.getElementById('news').textContent") == "SY05-2016-09-12 is BROKEN"
        assert await tab.ask("document.querySelectorAll('.new').length") < 20
        # Paused, it takes nothing; then all at once.
        await tab.ask("document.getElementById('pause').click()")
        history.tell(shelling(AGREEMENT, 3)).tick(AGREEMENT.effective + 5 * HOUR)
        history.judged(folder)
        await served.site.look()
        assert "2/1" in await tab.ask(f"document.getElementById('{CELL}').textContent")
        await tab.ask("document.getElementById('pause').click()")
        await tab.until(f"document.getElementById('{CELL}').textContent.includes('3/1')")
        assert tab.errors == []


async def test_a_page_taken_anew_leaves_what_a_person_does(tmp_path: Path) -> None:
    folder = tmp_path / "syria-2016"
    history = History(AGREEMENT).tell(shelling(AGREEMENT, 1), b"garbage").tick(AGREEMENT.effective + 3 * HOUR)
    async with serving(history.judged(folder)) as served, browsing(tmp_path) as tab:

        async def another_copy(hour: int) -> None:
            history.tell(shelling(AGREEMENT, hour)).tick(AGREEMENT.effective + (hour + 2) * HOUR)
            history.judged(folder)
            await served.site.look()

        await tab.size(360)
        await tab.open(f"{served.base}/tables/day_verdicts?sort=region")
        await tab.ask("document.querySelector('.scroll').scrollLeft = 90")
        assert await tab.ask("document.querySelector('.scroll').scrollLeft") == 90
        await tab.ask("document.querySelectorAll('td a')[3].focus({ preventScroll: true })")
        await another_copy(2)
        await tab.until(f"document.body.dataset.version === '{served.site.version}'")
        assert await tab.ask("document.querySelector('.scroll').scrollLeft") == 90
        assert await tab.ask("[...document.querySelectorAll('td a')].indexOf(document.activeElement)") == 3
        await tab.open(f"{served.base}/rejects")
        began = served.site.version
        await tab.ask("document.querySelector('[name=feed]').focus()")
        await tab.call("Input.insertText", text="a feed")
        await another_copy(3)
        await tab.until("!document.getElementById('newer').hidden")
        # Elsewhere with the focus, what was written is still there.
        await tab.ask("document.activeElement.blur()")
        await tab.ask("new Promise((done) => setTimeout(done, 1500))")
        assert await tab.ask("document.querySelector('[name=feed]').value") == "a feed"
        assert await tab.ask("document.body.dataset.version") == str(began)
        await tab.ask("document.getElementById('newer').click()")
        await tab.until(f"document.body.dataset.version === '{served.site.version}'")
        await tab.until("document.getElementById('newer').hidden")
        assert tab.errors == []


async def test_old_content_never_stands_under_a_fresh_banner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "syria-2016"
    history = History(AGREEMENT).tell(shelling(AGREEMENT, 1)).tick(AGREEMENT.effective + 3 * HOUR)

    async def busy(*_: object) -> Reply:
        return Reply(503, "text/html", b"<main id=main>busy</main>")

    async with serving(history.judged(folder)) as served, browsing(tmp_path) as tab:
        await tab.open(f"{served.base}/feeds")
        began = served.site.version
        shown = await tab.ask("document.getElementById('banner').dataset.published")
        with monkeypatch.context() as failing:
            failing.setattr(served.site, "reply", busy)
            history.tell(shelling(AGREEMENT, 2)).tick(AGREEMENT.effective + 4 * HOUR)
            history.judged(folder)
            await tab.until("document.getElementById('state').textContent === 'STALE, reconnecting.'")
            assert await tab.ask("document.getElementById('banner').dataset.published") == shown
            assert await tab.ask("document.body.dataset.version") == str(began)
        await tab.until(f"document.body.dataset.version === '{served.site.version}'")
        await tab.until("document.getElementById('state').textContent === ''")


async def test_a_refused_stream_is_asked_for_again_and_a_hidden_page_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = hostile(AGREEMENT).judged(tmp_path / "syria-2016")
    refused = "performance.getEntriesByType('resource').some(({ name }) => name.includes('/live'))"
    async with serving(file) as served, browsing(tmp_path) as tab:

        async def streams(number: int) -> None:
            async with asyncio.timeout(PATIENCE):
                while served.server._streams != number:  # noqa: ASYNC110 - the server is asked
                    await asyncio.sleep(0.05)

        with monkeypatch.context() as full:
            full.setattr(page_server, "STREAMS", 0)
            await tab.open(f"{served.base}/")
            await tab.until(refused)
        await streams(1)
        for hidden, number in (("true", 0), ("false", 1)):
            await tab.ask(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
            await tab.ask("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
            await streams(number)


async def test_a_server_that_goes_away_makes_the_page_stale_until_it_is_back(tmp_path: Path) -> None:
    file = hostile(AGREEMENT).judged(tmp_path / "syria-2016")
    # A port that no connection is given meanwhile: the page has to come back at it.
    listen = f"127.0.0.1:{free_port()}"
    async with browsing(tmp_path) as tab:
        async with server(file, listen):
            await tab.open(f"http://{listen}/")
            assert "STALE" not in await tab.ask("document.getElementById('state').textContent")
        await tab.until("document.getElementById('state').textContent === 'STALE, reconnecting.'")
        async with server(file, listen):
            await tab.until("document.getElementById('state').textContent === ''")
        # Nothing that feeds wrote has run meanwhile: an alert would hold the page up.
        assert await tab.ask("document.images.length") == 0


@asynccontextmanager
async def server(file: Path, listen: str) -> AsyncIterator[None]:
    """Run the command until killed, once it serves."""
    command = (
        "-P",
        "-m",
        "streams",
        "serve",
        "--file",
        str(file),
        "--listen",
        listen,
        "--json",
        "--max-age",
        "999999999",
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    try:
        assert process.stdout is not None
        assert b"serving" in await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
