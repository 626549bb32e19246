"""Places as the shipped gazetteer resolves them, against those that intake found.

The file keeps neither polygons nor a gazetteer of one's own. A point may have decided, or be told beside what did,
and nothing is known of places where the agreement's gazetteer is not a shipped one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.agreement import Agreement
from schemas.errors import ReportRejected
from schemas.facts import Located
from schemas.gazetteer import load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.reports import Place, PlacePrecision
from sinks.verify.difference import Difference, Row

_FOUND = ("region", "located_by", "place_name", "place_key", "place_conflict")


def resolved(agreement: Agreement, place: Place) -> Located | ReportRejected | None:
    """Return what the shipped gazetteer makes of a place, without polygons; None where the gazetteer is another."""
    if agreement.gazetteer not in shipped_gazetteers():
        return None
    try:
        return load_gazetteer(agreement.gazetteer).locate(place)
    except ReportRejected as reason:
        return reason


def place_precision(agreement: Agreement, place: Place, says: str) -> str:
    """Return how exactly an incident's place is known; the file's word is taken where the gazetteer is another."""
    found = resolved(agreement, place)
    if found is None:
        return says if (place.precision, says) == (PlacePrecision.EXACT, PlacePrecision.NEAR) else str(place.precision)
    return "near" if isinstance(found, Located) and found.middle else str(place.precision)


def has_point(place: Place) -> bool:
    """Whether polygons may locate a place; what is known to the country only has the country's middle."""
    return place.point is not None and place.precision is not PlacePrecision.COUNTRY


def check_placed(agreement: Agreement, row: Row, stored: dict[str, Any], place: Place) -> Iterator[Difference]:
    """Check where a report of one place lies, and by what."""
    found = resolved(agreement, place)
    if found is None:
        return
    says = [stored[name] for name in _FOUND]
    if not isinstance(found, Located):
        decided = has_point(place) and says[1] == "point"
        yield from row.claim("located_by", says[1], decided, f"nothing: {found.hint}")
        return
    # A convoy goes by the listed place or the town, and its key is not kept.
    told = [found.region, found.by, found.name, found.key if stored["type"] == "incident" else None, found.conflict]
    if stored["type"] == "convoy":
        precision = "governorate" if found.names_region else str(place.precision)
        yield from row.compare(("place_precision",), (stored["place_precision"],), (precision,))
    if has_point(place):
        yield from row.compare(_FOUND[2:4], says[2:4], told[2:4])
        if says[1] == "point" or (says[:2] == told[:2] and _adds_a_point(says[4], told[4])):
            return
    yield from row.compare(_FOUND, says, told)


def _adds_a_point(says: str | None, told: str | None) -> bool:
    """Whether a conflict tells all that names and P-code make of it, and beyond that of a point alone."""
    rest = says or ""
    for part in (told or "").split("; "):
        if part not in rest:
            return False
        rest = rest.replace(part, "", 1)
    return not rest.strip("; ") or "point" in rest
