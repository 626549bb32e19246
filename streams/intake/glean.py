"""Lenient reading of rejects, for the regions and the time that their bytes still tell.

The rule is written in docs/judging.md, and followed apart by ``sinks.verify.refused``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import chain, islice
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import ReportRejected
from schemas.facts import Tells
from schemas.instants import END, FIRST, parse_instant
from schemas.rejects import REPORTS_BY_TYPE
from schemas.reports import Place, PlacePrecision, Status
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import MICROS_PER_DAY, Micros, to_micros
from streams.intake.facts import Locator

#: Places asked for at most: as many as a valid report may have.
MOST_PLACES = 500
#: An interval longer than this says nothing about a day.
LONGEST_DAYS = 400
#: Types of report that are no incident. A tuple: what stands under ``type`` may have no hash.
_OTHERS = tuple(name for name in REPORTS_BY_TYPE if name != "incident")
_NOTHING = Tells()


class Gleaner:
    """Reader of rejects, for the agreements that intake serves."""

    def __init__(self, agreements: Sequence[Agreement], gazetteer: Locator) -> None:
        self._agreements = {agreement.id: agreement for agreement in agreements}
        self._gazetteer = gazetteer

    def glean(self, body: bytes, agreements: Sequence[str]) -> dict[str, Tells]:
        """Return what the bytes of a reject still tell each agreement; no bytes raise."""
        told = object_in(body)
        if told is None:
            return dict.fromkeys(agreements, _NOTHING)
        regions = tuple(sorted(set(self._regions(told))))
        return {name: self._tells(told, regions, self._agreements[name]) for name in agreements}

    def _tells(self, told: dict[str, Any], regions: Sequence[str], agreement: Agreement) -> Tells:
        named = told.get("agreement")
        within = tuple(region for region in regions if region in agreement.regions)
        span = _span(told.get("occurred"), agreement.calendar.time_zone)
        if span is None or not within or (isinstance(named, str) and named != agreement.id):
            return _NOTHING
        stands = told.get("status") not in (Status.RETRACTED, Status.MERGED)
        return Tells(within, *span, incident=stands and told.get("type") not in _OTHERS)

    def _regions(self, told: dict[str, Any]) -> Iterator[str]:
        for place in _valid_places(told):
            try:
                yield self._gazetteer.locate(place).region
            except ReportRejected:
                continue  # a place nobody can locate tells no region


def object_in(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a record; None where there is none, or the record is too large.

    Bytes that are not UTF-8 are read as marks in the place of letters: the rest may tell enough.
    """
    if not body or len(body) > MAX_REPORT_BYTES:
        return None
    try:
        read = orjson.loads(body.decode("utf-8-sig", errors="replace"))
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) else None


def places_in(body: bytes) -> list[Place]:
    """Return the places that a rejected record tells, in the order in which they are located."""
    told = object_in(body)
    return [] if told is None else list(_valid_places(told))


def _valid_places(told: dict[str, Any]) -> Iterator[Place]:
    places = map(_place, islice(_places(told), MOST_PLACES))
    return (place for place in places if place is not None)


def _places(told: dict[str, Any]) -> Iterator[Any]:
    """Yield whatever stands where a report of any kind states a place."""
    lists = (told.get("places"), told.get("tallies"))
    places, lines = (each if isinstance(each, list) else [] for each in lists)
    yield from chain((told.get("place"),), places, (line.get("place") for line in lines if isinstance(line, dict)))


def _place(stated: Any) -> Place | None:
    """Return what of a stated place is valid by itself; None where nothing of it tells where."""
    if not isinstance(stated, dict):
        return None
    kept = {name: stated[name] for name in ("pcode", "names", "point") if _is_valid(name, stated.get(name))}
    if not kept:
        return None
    try:
        precision = PlacePrecision(str(stated.get("precision")))
    except ValueError:
        precision = PlacePrecision.UNKNOWN
    return Place.model_validate({**kept, "precision": precision})


def _is_valid(name: str, value: Any) -> bool:
    try:
        Place.model_validate({name: value})
    except ValidationError:
        return False
    return True


def _span(occurred: Any, zone: ZoneInfo) -> tuple[Micros, Micros] | None:
    """Return the stated interval; an instant where its two ends do not make one, None where neither can be read."""
    if not isinstance(occurred, dict):
        return None
    from_, to = _instant(occurred.get("from"), zone, 0), _instant(occurred.get("to"), zone, 1)
    if from_ is None:
        return None if to is None else (to, to)
    if to is None or not from_ <= to <= from_ + LONGEST_DAYS * MICROS_PER_DAY:
        return from_, from_
    return from_, to


def _instant(stated: Any, zone: ZoneInfo, whole_days: int) -> Micros | None:
    """Return a stated instant; one without an offset, or a date alone, is on the wall clock of ``zone``.

    A date alone is the midnight ``whole_days`` after the one it begins with.
    """
    if not isinstance(stated, str):
        return None
    for written, days in ((stated, None), (f"{stated}Z", 0), (f"{stated}T00:00Z", whole_days)):
        try:
            read = parse_instant(written)
        except ValueError:
            continue  # not written so
        if not FIRST.year <= read.year < END.year:
            return None
        return to_micros(read if days is None else read.replace(tzinfo=zone) + timedelta(days=days))
    return None
