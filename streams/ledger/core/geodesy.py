"""How far a point lies from a line on the ellipsoid, and on which side.

GeographicLib has no distance to a line, only between points; finding the nearest point of every piece by its
geodesics takes an iteration. Within a few tens of kilometres the plane that touches the ellipsoid at the position
gives the same to the decimetre, in a few lines; tests hold it against GeographicLib.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, cos, hypot, inf, radians, sin, sqrt
from typing import NamedTuple

_EQUATOR = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_ECCENTRICITY_SQUARED = _FLATTENING * (2 - _FLATTENING)
#: Mean radius, for the small difference between a chord and its arc.
_RADIUS = 6_371_008.8
#: A piece with both ends beyond this has nothing nearer than the reach, pieces being at most 20 km long.
_FARTHEST_END = 70_000.0

Vector = tuple[float, float, float]


class Nearest(NamedTuple):
    """What a line is to a point; lengths in whole decimetres, because more digits would be noise.

    ``distance`` is to the line, ``to_prolonged`` to the line with its two ends prolonged, of which ``left`` is told.
    """

    distance: int
    to_prolonged: int
    left: bool


class _Placed(NamedTuple):
    """A point on the plane, in metres east and north of the position, and its chord to it."""

    east: float
    north: float
    chord: float


def to_earth(latitude: float, longitude: float) -> Vector:
    """Return a point of WGS 84 at height 0, in degrees, as metres from the middle of the Earth."""
    phi, lam = radians(latitude), radians(longitude)
    normal = _EQUATOR / sqrt(1 - _ECCENTRICITY_SQUARED * sin(phi) ** 2)
    return (
        normal * cos(phi) * cos(lam),
        normal * cos(phi) * sin(lam),
        normal * (1 - _ECCENTRICITY_SQUARED) * sin(phi),
    )


def nearest(latitude: float, longitude: float, line: Sequence[Vector]) -> Nearest | None:
    """Find a line's distance and side as seen from a point in degrees; None when all of it is beyond the reach.

    Args:
        line: two or more points from ``to_earth``, no two neighbours alike or more than 20 km apart.
    """
    placed = [_on_plane(latitude, longitude, point) for point in line]
    last = len(placed) - 2
    distance = to_prolonged = inf
    left = False
    for number in range(last + 1):
        start, end = placed[number], placed[number + 1]
        if min(start.chord, end.chord) > _FARTHEST_END:
            continue
        run = _run(start, end)
        along = -(start.east * run[0] + start.north * run[1])
        length = hypot(end.east - start.east, end.north - start.north)
        distance = min(distance, _gap(start, run, min(max(along, 0.0), length)))
        before_it, past_it = along < 0 and number > 0, along > length and number < last
        gap = _gap(start, run, 0.0 if before_it else length if past_it else along)
        if gap < to_prolonged:
            to_prolonged = gap
            # Where a bend is nearest, one of its pieces alone may tell the wrong side: both together do not.
            other = _run(placed[number - 1], start) if before_it else _run(end, placed[number + 2]) if past_it else run
            corner = end if past_it else start
            left = (run[1] + other[1]) * corner.east > (run[0] + other[0]) * corner.north
    return None if distance == inf else Nearest(round(distance * 10), round(to_prolonged * 10), left)


def _on_plane(latitude: float, longitude: float, point: Vector) -> _Placed:
    """Put ``point`` on the plane that touches the ellipsoid at a position: in its direction, at the arc's length."""
    phi, lam = radians(latitude), radians(longitude)
    x, y, z = (there - here for there, here in zip(point, to_earth(latitude, longitude), strict=True))
    east = y * cos(lam) - x * sin(lam)
    north = z * cos(phi) - (x * cos(lam) + y * sin(lam)) * sin(phi)
    chord = sqrt(x * x + y * y + z * z)
    flat = hypot(east, north)
    if flat == 0:
        return _Placed(0.0, 0.0, chord)
    # On the far side of the Earth a chord of the ellipsoid may be longer than the sphere is wide.
    stretch = 2 * _RADIUS * asin(min(1.0, chord / (2 * _RADIUS))) / flat
    return _Placed(east * stretch, north * stretch, chord)


def _run(start: _Placed, end: _Placed) -> tuple[float, float]:
    """Return the direction from one point to another, of length one."""
    east, north = end.east - start.east, end.north - start.north
    length = hypot(east, north)
    return east / length, north / length


def _gap(start: _Placed, run: tuple[float, float], along: float) -> float:
    """Return how far the position lies from the point ``along`` metres from ``start``."""
    return hypot(start.east + along * run[0], start.north + along * run[1])
