"""The table ``reports`` against the bytes it keeps: every column that the raw JSON decides is read from it again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import GazetteerError
from schemas.gazetteer import load_gazetteer
from schemas.missing import is_missing
from schemas.reports import (
    ANY_REPORT,
    AnyReport,
    Bulletin,
    ConvoyReport,
    CoverageNotice,
    Declaration,
    IncidentReport,
    Party,
    Place,
    PlacePrecision,
    PositionReport,
    Report,
    Status,
    Toll,
)
from schemas.rows import ReportRow
from schemas.truceday import to_micros
from sinks.verify.days import Days
from sinks.verify.difference import Difference, Row
from sinks.verify.parties import meant_parties
from sinks.verify.placed import check_placed, place_precision
from sinks.verify.published import Published

#: What intake found out beyond the report itself: the gazetteer's part, the stamp, and Kafka's coordinates.
NOT_IN_RAW = frozenset(
    {
        "fact_offset",
        "present",
        "region",
        "received_at",
        "place_name",
        "place_key",
        "located_by",
        "place_conflict",
        "source_topic",
        "source_partition",
        "source_offset",
        "source_log",
        "raw",
    }
)
RECOUNTED = tuple(name for name in ReportRow._fields if name not in NOT_IN_RAW)


def check_reports(file: Published) -> Iterator[Difference]:
    """Check every accepted revision against its raw bytes, then how the rows stand to each other."""
    columns = file.columns("reports", ReportRow._fields)
    # As they lie in the file, which is the order they came in: sorting would take memory for every raw text.
    for values in file.stream(f"select {columns} from reports"):  # noqa: S608
        yield from _check_row(file, dict(zip(ReportRow._fields, values, strict=True)))
    yield from _check_identities(file)
    yield from _check_facts(file)


def read_raw(raw: str | bytes) -> AnyReport:
    """Return the report a row's raw text holds.

    Raises:
        ValidationError: it is no report of ours.
    """
    return ANY_REPORT.validate_json(raw)


def in_scope(agreement: Agreement, parties: list[Party]) -> bool:
    """Whether an incident between ``parties`` is the agreement's concern.

    A side is the parties of one slot; those without a slot are a side together.
    """
    if not parties:
        return True
    slots = {party.slot for party in parties}
    sides = [[party.name for party in parties if party.slot == slot] for slot in slots]
    outside = [all(name in agreement.scope.outside for name in side) for side in sides]
    if agreement.scope.excluded_when == "a_side_outside":
        return not any(outside)
    return not all(outside)


def fingerprint(content: bytes) -> int:
    """Return the signed 64-bit fingerprint the ledger stores of identities and bodies."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little", signed=True)


def recounted_columns(agreement: Agreement, days: Days, raw: str, report: AnyReport) -> dict[str, object]:
    """Return what one report, and the raw text it was read from, make of every column in ``RECOUNTED``."""
    columns: dict[str, object] = dict.fromkeys(RECOUNTED)
    columns |= {
        "key_hash": fingerprint(f"{report.feed}\x00{report.report_id}".encode()),
        "feed": report.feed,
        "report_id": report.report_id,
        "revision": report.revision,
        "retracted": report.status is not Status.ACTIVE,
        "reported_at": to_micros(report.reported_at),
        "body_digest": fingerprint(raw.encode()),
    }
    match report:
        case IncidentReport():
            columns |= _when(report) | _day(report, days) | _where(report.place)
            columns |= {
                "type": "incident",
                "kind": str(report.kind),
                "time_precision": str(report.occurred.precision),
                "place_precision": str(report.place.precision),
                "merged_into": report.merged_into,
                "same_as": report.same_as or None,
                "not_same_as": report.not_same_as or None,
                "origins": _first_tellers(report),
                "in_scope": in_scope(agreement, report.parties),
                "names_parties": bool(report.parties),
                "accused": report.accused or None,
                "accused_parties": meant_parties(agreement, report.accused),
                "claimant": report.claimant,
                "confidence": str(report.confidence),
            }
            if report.deaths is not None:
                columns |= _toll(report.deaths)
        case ConvoyReport():
            columns |= _when(report) | _day(report, days) | _where(report.place)
            columns |= {"type": "convoy", "kind": str(report.step), "place_precision": str(report.place.precision)}
        case CoverageNotice():
            columns |= _when(report) | {"type": "coverage"}
        case Bulletin():
            columns |= _when(report) | {"type": "bulletin"}
        case Declaration():
            columns |= {"type": "declaration", "kind": report.act}
        case PositionReport():
            columns |= _when(report) | _day(report, days) | {"type": "position", "kind": report.weapon_class}
            columns |= {"latitude": report.point.latitude, "longitude": report.point.longitude}
    return columns


def _when(report: IncidentReport | ConvoyReport | CoverageNotice | Bulletin | PositionReport) -> dict[str, object]:
    return {"occurred_from": to_micros(report.occurred.from_), "occurred_to": to_micros(report.occurred.to)}


def _day(report: IncidentReport | ConvoyReport | PositionReport, days: Days) -> dict[str, object]:
    day, uncertain = days.holding_most(to_micros(report.occurred.from_), to_micros(report.occurred.to))
    return {"truce_day": day, "time_uncertain": uncertain}


def _toll(toll: Toll) -> dict[str, object]:
    if toll.low is not None and toll.high is not None and toll.high < toll.low:
        return {"toll_flaw": f"low {toll.low} is above high {toll.high}"}
    return {"deaths_low": toll.low, "deaths_best": toll.best, "deaths_high": toll.high}


def _first_tellers(report: IncidentReport) -> list[str] | None:
    tellers: list[str] = []
    for source in report.sources:
        named = [name for name in (source.origin, source.name) if name is not None and not is_missing(name)]
        if named and named[0].casefold() not in tellers:
            tellers.append(named[0].casefold())
    return tellers or None


def _where(place: Place) -> dict[str, object]:
    # The point of what is known to the country only is the country's middle.
    point = None if place.precision is PlacePrecision.COUNTRY else place.point
    return {"latitude": point and point.latitude, "longitude": point and point.longitude}


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


def _check_row(file: Published, stored: dict[str, Any]) -> Iterator[Difference]:
    name = f"{stored['feed']}/{stored['report_id']}@{stored['revision']}"
    row = Row("reports", f"offset {stored['fact_offset']}", name)
    try:
        report = read_raw(stored["raw"])
    except ValidationError as error:
        yield row.differs("raw", stored["raw"][:200], f"no report: {error.errors()[0]['msg']}")
        return
    recounted = recounted_columns(file.agreement, file.days, stored["raw"], report)
    if isinstance(report, ConvoyReport) and report.place.names and stored["place_precision"] == "governorate":
        # The gazetteer's word is taken that the most exact name is a region's.
        recounted["place_precision"] = "governorate"
    if isinstance(report, IncidentReport):
        recounted["place_precision"] = place_precision(file.agreement, report.place, stored["place_precision"])
    yield from row.compare(RECOUNTED, (stored[name] for name in RECOUNTED), (recounted[name] for name in RECOUNTED))
    yield from _check_place(file.agreement, row, stored, report)
    if isinstance(report, IncidentReport | ConvoyReport):
        yield from check_placed(file.agreement, row, stored, report.place)
    offset = stored["fact_offset"]
    yield from row.claim("fact_offset", offset, 0 <= offset < file.next_offset, f"below {file.next_offset}")


def _check_place(agreement: Agreement, row: Row, stored: dict[str, Any], report: Report) -> Iterator[Difference]:
    """Check what the gazetteer found as far as the report alone can tell."""
    region, by = stored["region"], stored["located_by"]
    if not isinstance(report, IncidentReport | ConvoyReport):
        name = report.names[-1] if isinstance(report, PositionReport) and report.names else None
        found = (region, by, stored["place_name"], stored["place_key"], stored["place_conflict"])
        left = (None, None, name, None, None)
        yield from row.compare(("region", "located_by", "place_name", "place_key", "place_conflict"), found, left)
        return
    place = report.place
    stated = region_of_pcode(agreement, place)
    if stated is not None:
        yield from row.compare(("region", "located_by"), (region, by), (stated, "pcode"))
    # A correction may have moved the report out of the agreement; what was never in it does not get here.
    inside = region in agreement.regions or stored["revision"] > 1
    yield from row.claim("region", region, inside, "one of the agreement's")
    # The point of what is known to the country only finds no region.
    located = place.point is not None and place.precision is not PlacePrecision.COUNTRY
    ways = {"pcode": place.pcode is not None, "name": bool(place.names), "point": located}
    yield from row.claim("located_by", by, ways.get(by, False), [way for way, given in ways.items() if given])
    name = stored["place_name"]
    yield from row.claim("place_name", name, name in place.names or (name is None and not place.names), place.names)
    key = stored["place_key"]
    keyed = key is None or (key != "" and isinstance(report, IncidentReport) and bool(place.names))
    yield from row.claim("place_key", key, keyed, "none without a name")


def _check_identities(file: Published) -> Iterator[Difference]:
    """Of every identity exactly the highest revision is present, and no revision is there twice."""
    wrong = file.select("""
        select feed, report_id, revision, present, highest from (
            select *, revision = max(revision) over (partition by feed, report_id) as highest from reports)
        where present is distinct from highest order by all""")
    for feed, report_id, revision, present, highest in wrong:
        yield Difference("reports", f"{feed}/{report_id}@{revision}", "present", present, highest)
    twice = file.select("""
        select feed, report_id, revision, count(*) from reports
        group by all having count(*) > 1 order by all""")
    for feed, report_id, revision, rows in twice:
        yield Difference("reports", f"{feed}/{report_id}@{revision}", "revision", f"{rows} rows", "1 row")


def _check_facts(file: Published) -> Iterator[Difference]:
    """No fact became two rows, be it of ``reports`` or of ``rejects``."""
    twice = file.select("""
        select fact_offset, count(*) from (select fact_offset from reports union all select fact_offset from rejects)
        group by all having count(*) > 1 order by all""")
    for offset, rows in twice:
        yield Difference("reports", f"offset {offset}", "fact_offset", f"{rows} rows", "1 row")
