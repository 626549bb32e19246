"""Distances to a line and the side of it, held against GeographicLib."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from geographiclib.geodesic import Geodesic

from streams.ledger.core.geodesy import Nearest, nearest, to_earth

WGS84 = Geodesic.WGS84
Place = tuple[float, float]


def moved(place: Place, azimuth: float, metres: float) -> Place:
    """Return the place so far away in a direction, degrees east of north."""
    there = WGS84.Direct(*place, azimuth, metres)
    return there["lat2"], there["lon2"]


def seen(place: Place, line: list[Place]) -> Nearest:
    """Return what a line is to a place, which must be in reach."""
    found = nearest(*place, [to_earth(*point) for point in line])
    assert found is not None
    return found


def true_distance(place: Place, line: list[Place]) -> float:
    """Return the geodesic distance to a line in metres, searched for along every piece."""

    def nearest_of(start: Place, end: Place) -> float:
        piece = WGS84.InverseLine(*start, *end)

        def gap(metres: float) -> float:
            there = piece.Position(metres)
            return float(WGS84.Inverse(*place, there["lat2"], there["lon2"])["s12"])

        low, high = 0.0, float(piece.s13)
        while high - low > 0.01:
            third = (high - low) / 3
            low, high = (low, high - third) if gap(low + third) < gap(high - third) else (low + third, high)
        return gap((low + high) / 2)

    return min(nearest_of(start, end) for start, end in pairwise(line))


@pytest.mark.parametrize("latitude", [0.0, 36.2, -70.0])
@pytest.mark.parametrize("within", [3_000, 50_000])
def test_a_distance_is_the_geodesic_one_to_the_decimetre(latitude: float, within: int) -> None:
    draw = random.Random(within)
    for _ in range(12):
        line, azimuth = [(latitude, 37.1)], draw.uniform(0, 360)
        for _ in range(3):
            line.append(moved(line[-1], azimuth + draw.uniform(-60, 60), draw.uniform(100, 13_000)))
        place = moved(draw.choice(line), draw.uniform(0, 360), draw.uniform(0, within))
        # Half a decimetre is rounding, the rest the plane's.
        assert abs(seen(place, line).distance / 10 - true_distance(place, line)) < 0.1


ROAD = [(36.24, 37.1), (36.25, 37.12), (36.24, 37.14)]


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ((36.26, 37.11), True),
        ((36.24, 37.11), False),
        ((36.26, 37.12), True),  # outside the bend
        ((36.23, 37.12), False),  # inside it
        ((36.24, 37.05), True),  # beyond the west end: left of where the first piece would have come from
        ((36.20, 37.05), False),
    ],
)
def test_the_side_is_told_by_the_direction_of_the_line(place: Place, left: bool) -> None:
    assert seen(place, ROAD).left is left
    assert seen(place, ROAD[::-1]).left is not left


def test_outside_a_hairpin_is_one_side_whichever_piece_is_looked_at() -> None:
    hairpin = [(36.24, 37.1), (36.24, 37.14), (36.242, 37.1)]
    assert not seen((36.2405, 37.16), hairpin).left
    assert not seen((36.2395, 37.16), hairpin).left
    assert seen((36.241, 37.11), hairpin).left


def test_a_point_on_a_straight_line_between_pieces_is_no_bend() -> None:
    straight = [(0.0, 37.1), (0.0, 37.12), (0.0, 37.14)]
    assert seen((0.01, 37.12), straight).left
    assert not seen((-0.01, 37.12), straight).left


def test_beyond_its_end_a_line_is_far_and_its_direction_near() -> None:
    end, before = ROAD[0], ROAD[1]
    azimuth = WGS84.Inverse(*before, *end)["azi2"]
    found = seen(moved(end, azimuth, 4_000), ROAD)
    assert found.distance == pytest.approx(40_000, abs=1)
    assert found.to_prolonged == pytest.approx(0, abs=1)


def test_on_the_line_is_no_distance() -> None:
    assert seen(ROAD[1], ROAD).distance == 0


@pytest.mark.parametrize("place", [(38.0, 37.1), (-36.24, -142.9), (90.0, 0.0), (0.0, 0.0), (36.24, -142.9)])
def test_what_is_far_away_is_not_measured(place: Place) -> None:
    assert nearest(*place, [to_earth(*point) for point in ROAD]) is None
