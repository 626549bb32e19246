"""Looks of the page in Chromium: calm, broken, unknown, stale and contested, with pictures and axe.

``make screenshots`` tries each state in each look, and keeps the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from playwright.async_api import Browser

from schemas.agreement_file import load_agreement
from schemas.truceday import MICROS_PER_HOUR
from tests.support.browser import chromium, tab_of
from tests.support.effort import EVERY
from tests.support.judged import History, report
from tests.support.served import Served, serving
from tests.support.shared_data import find_shared_data

pytestmark = pytest.mark.broker

AGREEMENT = load_agreement("syria-2016")
START, HOUR = AGREEMENT.effective, MICROS_PER_HOUR
DAY = 24 * HOUR
#: Folder in which the pictures are kept.
KEPT = os.environ.get("SCREENSHOTS")


class Look(NamedTuple):
    """Way in which a page is looked at."""

    width: int
    media: Literal["screen", "print"] = "screen"
    scheme: Literal["light", "dark"] = "light"
    scripts: bool = True


LOOKS: Mapping[str, Look] = {
    "1280": Look(1280),
    "360": Look(360),
    "dark": Look(1280, scheme="dark"),
    "print": Look(794, media="print"),
    "no-script": Look(1280, scripts=False),
}


def incident(report_id: str, when: int, region: str = "SY02", **fields: Any) -> dict[str, Any]:
    """Return a shelling, reported an hour later."""
    told = {"reported_at": when + HOUR, "occurred": (when, when), "region": region, "kind": "shelling"}
    return report("incident", report_id, **{**told, **fields})


def truce(*told: dict[str, Any], watched: int = 7, hours: int = 7 * 24 + 1) -> History:
    """Return a truce into which aid came, whose first days a monitor watched, with what else is told of it."""
    history = History(AGREEMENT)
    for region in AGREEMENT.access.regions:
        for step, hour in (("requested", 1), ("dispatched", 5), ("offloaded", 9)):
            when = {"reported_at": START + (hour + 1) * HOUR, "occurred": (START + hour * HOUR,) * 2}
            aid = {"convoy_id": region, "people_requested": 2_000, "place": {"pcode": region}}
            history.tell(report("convoy", f"{region}-{step}", feed="un", step=step, **aid, **when))
    everywhere = [{"pcode": region} for region in AGREEMENT.regions]
    for day in range(watched):
        seen = {"reported_at": START + (day + 1) * DAY, "occurred": (START + day * DAY, START + (day + 1) * DAY)}
        history.tell(report("coverage", f"c{day}", feed="observers", places=everywhere, nil=True, **seen))
    return history.tell(*told).tick(*(START + hour * HOUR for hour in range(25, hours + 1, 24)))


def struck(*regions: str) -> list[dict[str, Any]]:
    """Return three shellings a region on the sixth truce-day, and a bulletin."""
    return [incident(f"{region}-{n}", START + 5 * DAY + (2 + n) * HOUR, region) for region in regions for n in range(3)]


def counted(region: str, count: int) -> dict[str, Any]:
    """Return a monitor's bulletin of the sixth truce-day, whose count nobody else's reports bear out."""
    when = {"reported_at": START + 6 * DAY, "occurred": (START + 5 * DAY, START + 6 * DAY)}
    return report("bulletin", "b", feed="centre", tallies=[{"count": count, "place": {"pcode": region}}], **when)


class State(NamedTuple):
    """State of a truce: what is told of it, what the overview says then, and the word of a cell."""

    told: Sequence[dict[str, Any]]
    said: str
    word: str
    watched: int = 7


STATES: Mapping[str, State] = {
    "calm": State([], "The gate is open", "MET"),
    "broken": State(struck("SY02", "SY05"), "The gate is closed", "BROKEN"),
    "unknown": State([], "The gate is closed", "UNKNOWN", watched=2),
    "stale": State([], "STALE", "MET"),
    "contested": State([counted("SY02", 14)], "contested", "UNKNOWN"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the pictures go."""
    folder = Path(KEPT or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def test_each_state_is_seen_at_once_and_keeps_nobody_out(folder: Path, tmp_path: Path) -> None:
    """Each state in each look for ``make screenshots``; else in the plain one and in one of the others."""
    boundaries = find_shared_data("cod_ab_syria/syr_adm1_simplified_0.01deg.geojson")
    others, barriers = list(LOOKS)[1:], []
    async with chromium() as browser:
        for turn, (name, state) in enumerate(STATES.items()):
            looks = list(LOOKS) if KEPT or EVERY else ["1280", others[turn % len(others)]]
            file = truce(*state.told, watched=state.watched).judged(tmp_path / name / AGREEMENT.id)
            async with serving(file, None, 60 if name == "stale" else 1e9, boundaries) as served:
                for look in looks:
                    barriers += await seen(served, browser, LOOKS[look], state, folder / f"{name}-{look}.png")
    assert barriers == []


async def seen(served: Served, browser: Browser, look: Look, state: State, picture: Path) -> list[str]:
    """Look at the overview, and return what keeps people out of it."""
    async with tab_of(browser, scripts=look.scripts) as tab:
        await tab.size(look.width)
        await tab.look(look.media, look.scheme)
        await tab.open(f"{served.base}/")
        cells = tab.page.locator(f".grid td[data-word={state.word}]")
        assert await cells.count() > 0, picture.stem
        assert state.said in await tab.page.inner_text("body"), picture.stem
        await tab.picture(picture)
        assert await tab.ask("document.documentElement.scrollWidth") <= look.width, picture.stem
        # What is cut off is not read: a cell is as wide as its word, and scrolls into sight.
        await cells.last.scroll_into_view_if_needed()
        seen, word = await cells.last.bounding_box(), await cells.last.locator("a").bounding_box()
        assert seen is not None
        assert word is not None
        assert 0 <= seen["x"] <= word["x"] < word["x"] + word["width"] <= seen["x"] + seen["width"], picture.stem
        for row in ("thead", "tbody"):
            first = await tab.page.locator(f".grid {row} tr:first-child > :first-child").bounding_box()
            assert first is not None
            assert 0 <= first["x"] < seen["x"], picture.stem
        shrunk = (
            "parseFloat(getComputedStyle(each).fontSize) < parseFloat(getComputedStyle(each.parentElement).fontSize)"
        )
        assert await tab.ask(f"[...document.querySelectorAll('.grid small')].every(each => {shrunk})"), picture.stem
        assert tab.errors == [], picture.stem
        return [f"{picture.stem}: {each}" for each in await tab.barriers()] if look.scripts else []
