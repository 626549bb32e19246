"""Centres and neighbours of regions, from their polygons."""

# mypy: disallow-untyped-calls=False
# (shapely carries no types)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import shapely

#: How far apart two drawings of one border may lie, in degrees: half a kilometre.
_GAP = 0.005
#: Regions that meet in a corner share less than this of a strip along their border; neighbours share 2 km and more.
_LEAST_SHARED = 3 * _GAP**2


class Shape(NamedTuple):
    """A region's centre as latitude and longitude, and the codes of its neighbours."""

    centre: tuple[float, float]
    neighbours: tuple[str, ...]


def shapes_of(polygons: Mapping[str, list[Any]]) -> dict[str, Shape]:
    """Return the centre and the neighbours of each region of ``polygons``."""
    whole = {code: shapely.union_all(parts) for code, parts in polygons.items()}
    # Borders of a million points would be widened point by point.
    drawn = {code: shapely.simplify(shape, _GAP / 5) for code, shape in whole.items()}
    codes = list(drawn)
    tree = shapely.STRtree(list(drawn.values()))
    shapes = {}
    for code in codes:
        strip = shapely.buffer(drawn[code], _GAP)
        near = (codes[index] for index in tree.query(strip, predicate="intersects"))
        beside = [
            other
            for other in near
            if other != code and shapely.area(shapely.intersection(strip, drawn[other])) > _LEAST_SHARED
        ]
        shapes[code] = Shape(_centre(whole[code]), tuple(sorted(beside)))
    return shapes


def _centre(shape: Any) -> tuple[float, float]:
    """Return the middle of a shape, or another point inside where the middle of a bent one lies outside."""
    largest = max(shapely.get_parts(shape), key=shapely.area)
    middle = shapely.centroid(largest)
    inside = middle if shapely.contains(largest, middle) else shapely.point_on_surface(largest)
    return round(shapely.get_y(inside), 3), round(shapely.get_x(inside), 3)
