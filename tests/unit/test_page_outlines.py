"""Map of the page: outlines that fit together, and stay small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from schemas.errors import GazetteerError
from schemas.gazetteer import load_gazetteer
from streams.page.outlines import MOST_CHARACTERS, WIDTH, read_outlines
from streams.page.site import Site
from tests.support.hostile import hostile
from tests.support.polygons import features, square
from tests.support.served import Page
from tests.support.shared_data import shared_data

NAMES = {"SY01": "West", "SY02": "East"}


def squares(folder: Path, *codes: str) -> Path:
    """Write squares beside one another, at latitude 60, where a degree is half as wide as it is high."""
    path = folder / "squares.geojson"
    path.write_text(json.dumps(features(*(({"ADM1_PCODE": code}, square(n, 59.5)) for n, code in enumerate(codes)))))
    return path


def corners(path: str) -> list[tuple[int, int]]:
    """Return the points of a path of one ring."""
    (begin, steps) = re.fullmatch(r"M(\d+ \d+)l(.*)z", path).groups()  # type: ignore[union-attr]
    x, y = map(int, begin.split())
    found, numbers = [(x, y)], [int(each) for each in re.findall(r"-?\d+", steps)]
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        x, y = x + dx, y + dy
        found.append((x, y))
    return found


def test_regions_lie_beside_one_another_as_far_as_they_are_wide(tmp_path: Path) -> None:
    outlines = read_outlines(squares(tmp_path, "SY01", "SY02"), NAMES)
    west, east = (set(corners(outlines.regions[code].path)) for code in ("SY01", "SY02"))
    assert outlines.height == pytest.approx(WIDTH, abs=2)
    assert west == {(0, 0), (240, 0), (240, outlines.height), (0, outlines.height)}
    assert west & east == {(240, 0), (240, outlines.height)}, "neighbours keep one border"
    assert (outlines.regions["SY01"].x, outlines.regions["SY02"].x) == (120, 360)


def test_a_region_without_a_polygon_is_named(tmp_path: Path) -> None:
    with pytest.raises(GazetteerError, match="no polygon for SY02"):
        read_outlines(squares(tmp_path, "SY01"), NAMES)


def test_real_boundaries_become_a_map_of_eight_kilobytes() -> None:
    boundaries = shared_data("cod_ab_syria/syr_adm1_simplified_0.01deg.geojson")
    names = load_gazetteer("syria").names()
    outlines = read_outlines(boundaries, names)
    assert outlines.regions.keys() == names.keys()
    assert MOST_CHARACTERS / 3 < sum(len(each.path) for each in outlines.regions.values()) <= MOST_CHARACTERS


async def test_the_overview_has_a_map_where_boundaries_are_given_and_none_where_they_do_not_fit(tmp_path: Path) -> None:
    agreement = load_agreement("syria-2016")
    file = hostile(agreement).judged(tmp_path / agreement.id)
    for codes, number in ((agreement.regions, len(agreement.regions)), (["SY01"], 0)):
        site = Site(file, None, 1e9, boundaries=squares(tmp_path, *codes))
        await site.look()
        page = Page.of((await site.reply("/", {})).body.decode())
        site.close()
        areas = [attrs for tag, attrs in page.tags if tag == "a" and (attrs.get("id") or "").startswith("m-")]
        assert len(areas) == number
        assert [tag for tag, _ in page.tags].count("title") == 1 + number
        if number:
            (hama,) = [attrs for attrs in areas if attrs["id"] == "m-SY05"]
            assert (hama["href"], hama["aria-label"]) == (
                "/region/SY05/2016-09-12",
                "Hama: ✕ BROKEN on 2016-09-12",
            )
