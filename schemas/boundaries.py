"""Regions by coordinates: polygons an operator supplies as GeoJSON. They imply no endorsement of any border."""

# mypy: disallow-untyped-calls=False
# (shapely carries no types)

from __future__ import annotations

import json
from collections.abc import Mapping
from math import cos, hypot, radians
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from shapely.errors import ShapelyError  # type: ignore[attr-defined]  # exported, though not declared
from shapely.geometry import Point

from schemas.errors import GazetteerError
from schemas.pcodes import region_of

#: Spellings of the property that holds a governorate's P-code, letters and digits only, the surest first.
_PCODE_NAMES = ("adm1pcode", "admin1pcode", "adm1pcod", "admin1pcod", "pcode")
_KM_PER_DEGREE = 111.32
#: Simplified polygons and coarse coordinates put border towns just outside; farther out is another place.
TOLERANCE_KM = 5.0


class PointHit(NamedTuple):
    """The region at a point; ``note`` says so when that is not quite certain."""

    region: str
    note: str | None = None


class Boundaries:
    """Polygons with P-codes, searched by coordinates."""

    def __init__(self, polygons: list[tuple[str, Any]], names: Mapping[str, str]) -> None:
        # Sorted, so that a point on a border falls to the same side in every run.
        polygons = sorted(polygons, key=lambda polygon: polygon[0])
        self._regions = [region for region, _ in polygons]
        self._geometries = [geometry for _, geometry in polygons]
        self._tree = shapely.STRtree(self._geometries)
        self._names = names

    def at(self, latitude: float, longitude: float) -> PointHit | None:
        """Return the region that contains a point, or the nearest one within ``TOLERANCE_KM``; else None."""
        point = Point(longitude, latitude)
        hits = sorted({self._regions[index] for index in self._tree.query(point, predicate="intersects")})
        if len(hits) == 1:
            return PointHit(hits[0])
        if hits:
            return PointHit(hits[0], f"point lies on the border of {' and '.join(map(self._label, hits))}")
        return self._near(point)

    def _near(self, point: Any) -> PointHit | None:
        # At high latitudes a degree of longitude shrinks; a floor keeps the search finite at the poles.
        shrink = max(cos(radians(point.y)), 0.01)
        reach = TOLERANCE_KM / _KM_PER_DEGREE / shrink
        nearest: tuple[float, str] | None = None
        for index in self._tree.query(point, predicate="dwithin", distance=reach):
            line = shapely.shortest_line(self._geometries[index], point)
            (from_x, from_y), (to_x, to_y) = line.coords
            far = hypot((to_x - from_x) * shrink, to_y - from_y) * _KM_PER_DEGREE
            nearest = min(nearest or (far, self._regions[index]), (far, self._regions[index]))
        if nearest is None or nearest[0] > TOLERANCE_KM:
            return None
        far, region = nearest
        return PointHit(region, f"point lies {far:.1f} km outside {self._label(region)}, the nearest region")

    def _label(self, region: str) -> str:
        return f"{region} {self._names[region]}"


def load_boundaries(path: Path, names: Mapping[str, str]) -> Boundaries:
    """Read a GeoJSON file with a polygon for every region of ``names``.

    Each feature states its P-code in ``ADM1_PCODE`` or a common spelling of it; a deeper code counts as its
    governorate, and several features may make one region.

    Raises:
        GazetteerError: the file is missing, is not such a GeoJSON, or does not fit the regions.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise GazetteerError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise GazetteerError(f"{path}: not JSON: {error}") from error
    except RecursionError as error:
        raise GazetteerError(f"{path}: not GeoJSON: lists within lists without end") from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        raise GazetteerError(f"{path}: not a GeoJSON FeatureCollection with features")
    polygons = [_polygon(feature, f"{path}: feature {number}", names) for number, feature in enumerate(features, 1)]
    missing = sorted(set(names) - {region for region, _ in polygons})
    if missing:
        raise GazetteerError(f"{path}: no polygon for {', '.join(missing)}")
    return Boundaries(polygons, names)


def _polygon(feature: Any, where: str, names: Mapping[str, str]) -> tuple[str, Any]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    code = _pcode(properties if isinstance(properties, dict) else {})
    if code is None:
        raise GazetteerError(f"{where}: no P-code; expected a property ADM1_PCODE such as SY02")
    region = region_of(code, names)
    if region is None:
        raise GazetteerError(f"{where}: P-code {code} is not in the gazetteer")
    try:
        geometry = shapely.from_geojson(json.dumps(feature.get("geometry")))
    except ShapelyError as error:
        raise GazetteerError(f"{where} ({code}): its geometry is not GeoJSON: {error}") from error
    if geometry.geom_type not in ("Polygon", "MultiPolygon") or geometry.is_empty:
        raise GazetteerError(f"{where} ({code}): expected a Polygon or MultiPolygon")
    west, south, east, north = geometry.bounds
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise GazetteerError(f"{where} ({code}): coordinates are not WGS 84 degrees; the file may be projected")
    # Simplified polygons may cross themselves, which makes "inside" a matter of chance.
    return region, shapely.make_valid(geometry)


def _pcode(properties: dict[str, Any]) -> str | None:
    by_name = {"".join(filter(str.isalnum, name)).lower(): value for name, value in properties.items()}
    for name in _PCODE_NAMES:
        value = by_name.get(name)
        if isinstance(value, str) and value:
            return value
    return None
