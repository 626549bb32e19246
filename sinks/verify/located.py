"""Regions of places, as far as P-codes and the shipped gazetteers tell them.

The file keeps neither polygons nor a gazetteer of one's own. A point may have decided, or be told beside what did.
"""

from __future__ import annotations

from functools import lru_cache

from schemas.agreement import Agreement
from schemas.errors import GazetteerError, ReportRejected
from schemas.facts import Located
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.reports import Place, PlacePrecision


def resolved(agreement: Agreement, place: Place) -> Located | ReportRejected | None:
    """Return what the shipped gazetteer makes of a place, without polygons; None where the gazetteer is another."""
    gazetteer = _shipped(agreement.gazetteer)
    try:
        return None if gazetteer is None else gazetteer.locate(place)
    except ReportRejected as reason:
        return reason


@lru_cache(maxsize=8)
def _shipped(name: str) -> Gazetteer | None:
    return load_gazetteer(name) if name in shipped_gazetteers() else None


def gazetteer_of(agreement: Agreement) -> Gazetteer | None:
    """Return the agreement's gazetteer, shipped or not; None where its file is no longer there."""
    try:
        return load_gazetteer(agreement.gazetteer)
    except GazetteerError:
        return None


def region_now(agreement: Agreement, gazetteer: Gazetteer | None, place: Place) -> str | None:
    """Return the region that P-code or gazetteer tell of a place; None where nobody can tell."""
    stated = region_of_pcode(agreement, place)
    if stated is not None or gazetteer is None:
        return stated
    try:
        return gazetteer.locate(place).region
    except ReportRejected:
        return None


def has_point(place: Place) -> bool:
    """Whether polygons may locate a place; what is known to the country only has the country's middle."""
    return place.point is not None and place.precision is not PlacePrecision.COUNTRY


def region_of_pcode(agreement: Agreement, place: Place) -> str | None:
    """Return the region a stated P-code names; None when it names none of the agreement's: the gazetteer decided."""
    if place.pcode is None:
        return None
    listed = _listed_codes(agreement.gazetteer, tuple(agreement.regions))
    region = max((code for code in listed if place.pcode.startswith(code)), key=len, default=None)
    return region if region in agreement.regions else None


@lru_cache(maxsize=8)
def _listed_codes(gazetteer: str, regions: tuple[str, ...]) -> frozenset[str]:
    """Return the codes a report's may begin with; without the gazetteer's file, those of the agreement."""
    try:
        return frozenset(load_gazetteer(gazetteer).names()).union(regions)
    except GazetteerError:
        return frozenset(regions)
