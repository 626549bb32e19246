"""Objects of JSON Lines, lists and GeoJSON as rows of text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO

import orjson

from schemas.errors import InputFileError
from streams.feeds.mapping.values import text_of_value
from streams.feeds.mapping.words import canonical


def objects_in(source: BinaryIO, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the objects of JSON Lines, of a list, or the features of GeoJSON, with their numbers."""
    first = source.readline()
    try:
        alone = orjson.loads(first)
    except orjson.JSONDecodeError:
        alone = None
    if isinstance(alone, dict) and alone.get("type") != "FeatureCollection":
        lines = ((number, line) for number, line in enumerate(chain([first], source), 1) if line.strip())
        yield from ((number, _read(line, f"{name}, line {number}")) for number, line in lines)
        return
    whole = _read(first + source.read(), name)
    if isinstance(whole, dict):
        features = whole.get("features", [])
        if not isinstance(features, list):
            raise InputFileError(f"{name}: its features are no list")
        whole = list(map(_feature, features)) if "features" in whole else [whole]
    yield from enumerate(whole, 1)


def _read(text: bytes, where: str) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{where}: not JSON that can be read ({error})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _feature(feature: Any) -> Any:
    """Return the properties of a feature, and the degrees of a point; what is no feature stays as it is."""
    if not isinstance(feature, dict):
        return feature
    geometry, properties = feature.get("geometry") or {}, feature.get("properties") or {}
    if not isinstance(geometry, dict) or not isinstance(properties, dict):
        return [feature]
    point = geometry.get("coordinates") if geometry.get("type") == "Point" else None
    longitude, latitude = (*point, None, None)[:2] if isinstance(point, list) else (None, None)
    own = {"id": feature["id"]} if "id" in feature else {}
    return {**own, **properties, "geometry.latitude": latitude, "geometry.longitude": longitude}


def row_of(value: Any, where: str) -> dict[str, str] | None:
    """Return the cells of an object by column; None of what is none.

    Raises:
        InputFileError: two of its names make one column, and a mapping could mean either.
    """
    if not isinstance(value, dict):
        return None
    cells = list(_flat(value, ""))
    row = dict(cells)
    if len(row) < len(cells):
        twice = next(column for column, times in Counter(column for column, _ in cells).items() if times > 1)
        raise InputFileError(f"{where}: gives the column {twice!r} twice, within another object or with a dot")
    return row


def _flat(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{path}{key}.")
        else:
            yield canonical(f"{path}{key}"), text_of_value(inner)
