"""Boundary files of squares."""

from __future__ import annotations

from typing import Any


def square(west: float, south: float = 30.0) -> dict[str, Any]:
    """One degree by one degree."""
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def features(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": p, "geometry": g} for p, g in pairs],
    }
