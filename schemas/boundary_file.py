"""Reading of boundary files: GeoJSON as the world writes it.

What is no area of a region is skipped with a note. What would misplace reports is refused, so that no feed is told
that its coordinates are wrong where the file is.
"""

# mypy: disallow-untyped-calls=False
# (shapely carries no types)

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import shapely
from shapely.geometry import MultiPolygon, Polygon

from schemas.errors import GazetteerError
from schemas.plain_words import found

#: Spellings of the property that holds a region's P-code, letters and digits only; "#" is the level.
_PCODE_NAMES = ("adm#pcode", "admin#pcode", "adm#pcod", "admin#pcod")
_LEVELS = range(1, 5)
#: Names of WGS 84, as URN, as address, and of old.
_WGS84 = re.compile(r"(?:CRS:?84|EPSG[:/](?:[\d.]*[:/])?4326|WGS[ _]?(?:19)?84|^4326)$", re.IGNORECASE)


#: Items named in one note.
_SHOWN = 10


class Area(NamedTuple):
    """One feature of a boundary file.

    Attributes:
        codes: the P-codes it bears, the nearest to a region first.
        geometry: its polygons; None where it has no area.
    """

    number: int
    codes: tuple[str, ...]
    geometry: Any
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        return f"feature {self.number} ({self.codes[0]})" if self.codes else f"feature {self.number}"


def read_areas(path: Path) -> tuple[list[Area], list[str]]:
    """Read the features of a boundary file that are areas, and notes of those that are none.

    Raises:
        GazetteerError: the file is missing, is no GeoJSON of areas in WGS 84 degrees, or is damaged.
    """
    read = read_features(path)
    areas = [area for area in read if area.geometry is not None]
    empty = [str(area) for area in read if area.geometry is None]
    if not areas:
        raise GazetteerError(f"{path}: no feature has an area")
    notes = [f"skipped, having no area: {some_of(empty)}"] if empty else []
    if not any(area.codes for area in areas):
        raise GazetteerError(f"{path}: no feature has a P-code; expected a property ADM1_PCODE such as SY02")
    return areas, notes


def read_features(path: Path) -> list[Area]:
    """Read every feature of a boundary file, those without an area and without a P-code too.

    Raises:
        GazetteerError: the file is missing, is no GeoJSON of areas in WGS 84 degrees, or is damaged.
    """
    document = _json_of(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        raise GazetteerError(f"{path}: not a GeoJSON FeatureCollection with features")
    try:
        _refuse_foreign_system(document, "it")
        return [_area(number, one if isinstance(one, dict) else {}) for number, one in enumerate(features, 1)]
    except _FileFault as error:
        raise GazetteerError(f"{path}: {error}") from None


def some_of(items: Sequence[str]) -> str:
    """Return the first of many items in words."""
    shown = ", ".join(items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN:,} more"


class _FileFault(Exception):
    """A fault of the file, in words."""


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise GazetteerError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise GazetteerError(f"{path}: not JSON: {error}") from error
    except RecursionError as error:
        raise GazetteerError(f"{path}: not GeoJSON: lists within lists without end") from error


def _area(number: int, feature: dict[str, Any]) -> Area:
    geometry, stated = feature.get("geometry"), feature.get("properties")
    properties = stated if isinstance(stated, dict) else {}
    area = Area(number, tuple(_codes(properties)), None, properties)
    where = str(area)
    _refuse_foreign_system(feature, where)
    if geometry is None:
        return area
    if not isinstance(geometry, dict):
        raise _FileFault(f"{where}: its geometry is not GeoJSON: {found(geometry)}")
    _refuse_foreign_system(geometry, where)
    polygons = [Polygon(outer, holes) for outer, *holes in _polygons(geometry, where)]
    # Simplified polygons may cross themselves, which makes "inside" a matter of chance.
    valid = shapely.make_valid(MultiPolygon(polygons))
    return area if valid.area == 0 else area._replace(geometry=valid)


def _codes(properties: dict[str, Any]) -> Iterator[str]:
    by_name = {"".join(filter(str.isalnum, name)).lower(): value for name, value in properties.items()}
    names = [spelling.replace("#", str(level)) for level in _LEVELS for spelling in _PCODE_NAMES]
    for name in (*names, "pcode"):
        value = by_name.get(name)
        if isinstance(value, str) and value:
            yield value


def _refuse_foreign_system(member: dict[str, Any], where: str) -> None:
    """Refuse a ``crs`` that is not WGS 84; without one, GeoJSON is."""
    system = member.get("crs")
    if system is None:
        return
    properties = system.get("properties") if isinstance(system, dict) else None
    name = (properties.get("name") or properties.get("code")) if isinstance(properties, dict) else None
    if _WGS84.search(str(name)) is None:
        stated = name if isinstance(name, str) else found(system)
        raise _FileFault(
            f"{where} states another reference system than WGS 84, {stated}; "
            "convert it, as with: ogr2ogr -t_srs EPSG:4326 out.geojson in.geojson"
        )


def _polygons(geometry: dict[str, Any], where: str) -> Iterator[list[list[tuple[float, float]]]]:
    """Yield the polygons of a geometry as lists of rings; those without a ring are left out."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise _FileFault(f"{where}: expected a Polygon or MultiPolygon, found {found(kind)}")
    for polygon in [coordinates] if kind == "Polygon" else _list_in(coordinates, where):
        rings = [_ring(ring, where) for ring in _list_in(polygon, where)]
        if rings and rings[0]:
            yield [ring for ring in rings if ring]


def _ring(ring: Any, where: str) -> list[tuple[float, float]]:
    positions = [_position(position, where) for position in _list_in(ring, where)]
    if positions and positions[0] != positions[-1]:
        raise _FileFault(f"{where}: a ring is not closed: its first and last positions differ")
    if 0 < len(positions) < 4:
        raise _FileFault(f"{where}: a ring has {len(positions)} positions; expected 4 or more, the last like the first")
    return positions


def _position(position: Any, where: str) -> tuple[float, float]:
    pair = position[:2] if isinstance(position, list) else []
    if len(pair) < 2 or not all(type(number) in (int, float) for number in pair):
        raise _FileFault(f"{where}: its geometry is not GeoJSON: expected a position, found {found(position)}")
    longitude, latitude = pair
    if -180 <= longitude <= 180 and -90 <= latitude <= 90:
        return longitude, latitude
    swapped = -180 <= latitude <= 180 and -90 <= longitude <= 90
    may_be = "latitudes may stand before longitudes" if swapped else "the file may be projected"
    raise _FileFault(f"{where}: coordinates are not WGS 84 degrees; {may_be}")


def _list_in(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _FileFault(f"{where}: its geometry is not GeoJSON: expected a list of coordinates, found {found(value)}")
    return value
