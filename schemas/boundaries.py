"""Regions by coordinates: polygons an operator supplies as GeoJSON. They imply no endorsement of any border."""

# mypy: disallow-untyped-calls=False
# (shapely carries no types)

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.resources import files
from math import cos, hypot, radians
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from shapely.geometry import Point

from schemas.boundary_file import Area, read_areas, some_of
from schemas.errors import GazetteerError
from schemas.pcodes import region_of

_KM_PER_DEGREE = 111.32
#: Simplified polygons and coarse coordinates put border towns just outside; farther out is another place.
TOLERANCE_KM = 5.0
#: A line of the time zone database: a country, and where its zone's chief city lies, in degrees and minutes.
_CITY = re.compile(r"^([A-Z]{2})\t([+-]\d{2})(\d{2})(?:\d{2})?([+-]\d{3})(\d{2})(?:\d{2})?\t", re.MULTILINE)


class PointHit(NamedTuple):
    """The region at a point; ``note`` says so when that is not quite certain."""

    region: str
    note: str | None = None


class Boundaries:
    """Polygons with P-codes, searched by coordinates.

    Attributes:
        notes: what of the file was skipped.
    """

    def __init__(self, areas: Sequence[tuple[str, Any]], names: Mapping[str, str], notes: Sequence[str] = ()) -> None:
        """Index ``areas``; a code that is none of ``names`` is that of an area beyond the regions."""
        sizes: defaultdict[str, float] = defaultdict(float)
        for code, geometry in areas:
            sizes[code] += geometry.area
        # Where two overlap the smaller is meant, as a city within its province; so it is in every run.
        areas = sorted(areas, key=lambda area: (area[0] not in names, sizes[area[0]], area[0]))
        self.notes = tuple(notes)
        self._codes = [code for code, _ in areas]
        self._geometries = [geometry for _, geometry in areas]
        self._tree = shapely.STRtree(self._geometries)
        self._names = names

    def at(self, latitude: float, longitude: float) -> PointHit | None:
        """Return the region that contains a point, or the nearest one within ``TOLERANCE_KM``; else None."""
        point = Point(longitude, latitude)
        hits = self._containing(point)
        regions = [code for code in hits if code in self._names]
        if len(regions) == 1:
            return PointHit(regions[0])
        if regions:
            inside = [code for code in self._containing(point, "within") if code in self._names]
            where = "where polygons overlap, of" if len(inside) > 1 else "on the border of"
            return PointHit(regions[0], f"point lies {where} {' and '.join(map(self._label, regions))}")
        return self._near(point) if not hits else None

    def outside(self, latitude: float, longitude: float) -> str:
        """Say where a point lies that is in no region.

        Whoever stated it is told of swapped figures only where they would then lie in a region.
        """
        beyond = self._containing(Point(longitude, latitude))
        if beyond:
            return f"the point lies in {beyond[0]}, which is no region of the gazetteer"
        swapped = ": latitude and longitude may be swapped" if self.at(longitude, latitude) else ""
        return f"the point lies outside every region{swapped}"

    def contains(self, region: str, latitude: float, longitude: float) -> bool:
        """Whether a point lies in a region's own polygons, or within ``TOLERANCE_KM`` of them."""
        point = Point(longitude, latitude)
        near = self._near(point)
        return region in self._containing(point) or (near is not None and near.region == region)

    def shapes(self) -> dict[str, Any]:
        """Return the polygons of each region as one geometry."""
        parts: defaultdict[str, list[Any]] = defaultdict(list)
        for code, geometry in zip(self._codes, self._geometries, strict=True):
            if code in self._names:
                parts[code].append(geometry)
        return {code: shapely.union_all(geometries) for code, geometries in sorted(parts.items())}

    def geojson(self) -> dict[str, Any]:
        """Return the GeoJSON geometry of each region, outlined as RFC 7946 has it."""
        return {
            code: json.loads(shapely.to_geojson(shapely.orient_polygons(each))) for code, each in self.shapes().items()
        }

    def covered(self) -> list[tuple[str, str]]:
        """Return each region that no point can reach, with the one that lies over it."""
        over: dict[str, str | None] = {}
        for index, code in enumerate(self._codes):
            if code in self._names and over.get(code, "") is not None:
                over[code] = self._over(index)
        return [(code, other) for code, other in sorted(over.items()) if other is not None]

    def _over(self, index: int) -> str | None:
        """Return the region that decides wherever a polygon lies, when that is another than its own."""
        geometry = self._geometries[index]
        before = (other for other in sorted(self._tree.query(geometry)) if self._codes[other] != self._codes[index])
        covering = (self._codes[other] for other in before if other < index and self._covers(other, geometry))
        return next(covering, None)

    def _covers(self, index: int, geometry: Any) -> bool:
        return bool(shapely.covers(self._geometries[index], geometry))

    def _containing(self, point: Any, predicate: str = "intersects") -> list[str]:
        """Return the codes of all areas that contain a point, the one that decides first."""
        hits = sorted(self._tree.query(point, predicate=predicate))
        return list(dict.fromkeys(self._codes[index] for index in hits))

    def _near(self, point: Any) -> PointHit | None:
        # At high latitudes a degree of longitude shrinks; a floor keeps the search finite at the poles.
        shrink = max(cos(radians(point.y)), 0.01)
        reach = TOLERANCE_KM / _KM_PER_DEGREE / shrink
        nearest: tuple[float, str] | None = None
        for index in self._tree.query(point, predicate="dwithin", distance=reach):
            if self._codes[index] not in self._names:
                continue
            line = shapely.shortest_line(self._geometries[index], point)
            (from_x, from_y), (to_x, to_y) = line.coords
            far = hypot((to_x - from_x) * shrink, to_y - from_y) * _KM_PER_DEGREE
            nearest = min(nearest or (far, self._codes[index]), (far, self._codes[index]))
        if nearest is None or nearest[0] > TOLERANCE_KM:
            return None
        far, region = nearest
        return PointHit(region, f"point lies {far:.1f} km outside {self._label(region)}, the nearest region")

    def _label(self, region: str) -> str:
        return f"{region} {self._names[region]}"


def load_boundaries(path: Path, names: Mapping[str, str], country: str) -> Boundaries:
    """Read a GeoJSON file with a polygon for every region of ``names``, which lie in ``country``.

    Each feature states its P-code in ``ADM1_PCODE`` or a common spelling of it; a deeper code counts as its
    region, and several features may make one region. Features of no region are skipped with a note.

    Raises:
        GazetteerError: the file is missing, is not such a GeoJSON, or does not fit the regions.
    """
    areas, notes = read_areas(path)
    placed = [(_code_of(area, names), area.geometry) for area in areas]
    missing = sorted(set(names) - {code for code, _ in placed})
    if missing:
        raise GazetteerError("; ".join([f"{path}: no polygon for {', '.join(missing)}", *notes]))
    if strangers := sorted({code for code, _ in placed if code not in names}):
        notes.append(f"skipped, being of no region of the gazetteer: {some_of(strangers)}")
    _refuse_swapped(path, [geometry for code, geometry in placed if code in names], country)
    boundaries = Boundaries(placed, names, notes)
    if covered := boundaries.covered():
        said = "; ".join(f"no point could reach {code}, as the polygon of {other} covers it" for code, other in covered)
        raise GazetteerError(f"{path}: {said}")
    return boundaries


def refuse_other_scheme(path: Path, boundaries: Boundaries, centres: Mapping[str, tuple[float, float]]) -> None:
    """Refuse polygons whose codes number the regions in another way than the gazetteer does.

    SY09 is Deir-ez-Zor by OCHA's P-codes and Aleppo by another list: every report would be put into the wrong region.

    Raises:
        GazetteerError: with every region whose centre lies elsewhere.
    """
    astray = []
    for region, centre in centres.items():
        if not boundaries.contains(region, *centre):
            hit = boundaries.at(*centre)
            astray.append(f"{region} in {hit.region}" if hit else f"{region} in none")
    if astray:
        raise GazetteerError(
            f"{path}: the polygons do not fit the gazetteer's centres: it has that of {some_of(astray)}; "
            "the codes may be of another scheme, or else mend the centres"
        )


def _code_of(area: Area, names: Mapping[str, str]) -> str:
    """Return the region of an area, or where it is none of them the code it bears."""
    regions = [region for code in area.codes if (region := region_of(code, names)) is not None]
    return max(regions, key=len, default=area.codes[0] if area.codes else "an area without a P-code")


def _refuse_swapped(path: Path, geometries: list[Any], country: str) -> None:
    """Refuse a file whose latitudes stand first: the country's chief cities lie in it only when swapped."""
    cities = _chief_cities(country)
    whole = shapely.STRtree(geometries)
    if any(len(whole.query(city, predicate="intersects")) for city in cities):
        return
    if any(len(whole.query(Point(city.y, city.x), predicate="intersects")) for city in cities):
        raise GazetteerError(
            f"{path}: latitudes stand before longitudes, since only so {country}'s chief cities lie in it; "
            "GeoJSON has the longitude first"
        )


def _chief_cities(country: str) -> list[Any]:
    """Return the cities after which the time zones of a country are named, none for an unknown country."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    cities = []
    for code, north, north_minutes, east, east_minutes in _CITY.findall(table):
        if code == country:
            latitude = int(north) + int(f"{north[0]}{north_minutes}") / 60
            longitude = int(east) + int(f"{east[0]}{east_minutes}") / 60
            cities.append(Point(longitude, latitude))
    return cities
