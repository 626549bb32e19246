"""Outlines of the regions as SVG paths, from the operator's boundaries."""

# mypy: disallow-untyped-calls=False
# (shapely carries no types)

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import cos, radians
from pathlib import Path
from typing import Any, NamedTuple

import shapely

from schemas.boundaries import load_boundaries

#: Width of the map in its own units, and the characters that all paths may have together.
WIDTH, MOST_CHARACTERS = 480, 8_000


class Outline(NamedTuple):
    """Outline of one region: its path, and where its symbol stands."""

    path: str
    x: int
    y: int


class Outlines(NamedTuple):
    """Outlines of all regions, on a map so high."""

    regions: Mapping[str, Outline]
    height: int


def read_outlines(path: Path, names: Mapping[str, str]) -> Outlines:
    """Return the outlines of the regions of ``names``, simplified together until they are small.

    Neighbours keep one border. A degree of longitude is as long as it is in the middle of the map.

    Raises:
        GazetteerError: the file is missing, is no GeoJSON of areas, or lacks a region.
    """
    # Without a country nothing is known of its cities: intake has refused coordinates that are swapped.
    shapes = load_boundaries(path, names, "").shapes()
    west, south, east, north = shapely.total_bounds(list(shapes.values()))
    shrink = cos(radians((south + north) / 2))
    scale = WIDTH / ((east - west) * shrink)

    def on_map(points: Any) -> Any:
        points[:, 0] = (points[:, 0] - west) * shrink * scale
        points[:, 1] = (north - points[:, 1]) * scale
        return points

    drawn = shapely.transform(list(shapes.values()), on_map)
    tolerance = 0.5
    while True:
        simple = shapely.coverage_simplify(drawn, tolerance)
        outlines = {region: _outline(shape) for region, shape in zip(shapes, simple, strict=True)}
        if sum(len(each.path) for each in outlines.values()) <= MOST_CHARACTERS or tolerance > WIDTH:
            return Outlines(outlines, round((north - south) * scale))
        tolerance *= 1.5


def _outline(shape: Any) -> Outline:
    polygons = shapely.get_parts(shape)
    largest = max(polygons, key=shapely.area)
    # Islands of less than a unit are not seen.
    seen = [each for each in polygons if each is largest or each.area >= 1]
    rings = [ring for each in seen for ring in (each.exterior, *each.interiors)]
    middle = shapely.point_on_surface(largest)
    return Outline("".join(map(_ring, rings)), round(middle.x), round(middle.y))


def _ring(ring: Any) -> str:
    """Return a closed line as whole units, each but the first from the one before."""
    points = [(round(x), round(y)) for x, y in ring.coords[:-1]]
    steps = [(x - x_before, y - y_before) for (x_before, y_before), (x, y) in pairwise(points)]
    moved = "".join(f"{x}{'' if y < 0 else ' '}{y} " for x, y in steps if (x, y) != (0, 0))
    return f"M{points[0][0]} {points[0][1]}l{moved.rstrip()}z" if moved else ""
