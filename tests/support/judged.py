"""Raw reports judged by the real ledger: histories written as JSON, as feeds send them, and the facts they become.

Places state P-codes, so no gazetteer is needed between a report and its fact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas.agreement import Agreement
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    Fact,
    IncidentFact,
    Located,
    Origin,
    RejectFact,
    TickFact,
)
from schemas.reports import (
    ANY_REPORT,
    Bulletin,
    ConvoyReport,
    CoverageNotice,
    Declaration,
    IncidentReport,
    Place,
    Status,
)
from schemas.truceday import Micros, from_micros, to_micros

Told = tuple[Fact, bytes]


def told(micros: Micros) -> str:
    """Return an instant as a feed writes it."""
    return from_micros(micros).isoformat()


def report(kind: str, report_id: str, *, feed: str = "feed-a", reported_at: Micros, **fields: Any) -> dict[str, Any]:
    """Return a report as JSON-like data; an ``occurred`` given as a pair of instants is spelled out."""
    occurred = fields.pop("occurred", None)
    if occurred is not None:
        fields["occurred"] = {"from": told(occurred[0]), "to": told(occurred[1]), "precision": "minute"}
    if "region" in fields:
        fields["place"] = {"pcode": fields.pop("region")}
    return {"type": kind, "feed": feed, "report_id": report_id, "reported_at": told(reported_at), **fields}


def fact_of(body: bytes, origin: Origin, stamp: Micros) -> Fact:
    """Return the fact intake makes of a report whose places state P-codes."""
    read = ANY_REPORT.validate_json(body)
    spine: dict[str, Any] = {
        "origin": origin,
        "stamp": stamp,
        "feed": read.feed,
        "report_id": read.report_id,
        "revision": read.revision,
        "retracted": read.status is Status.RETRACTED,
        "reported_at": to_micros(read.reported_at),
    }
    if isinstance(read, Declaration):
        until = to_micros(read.until) if read.until else None
        at = to_micros(read.effective_at)
        return DeclarationFact(**spine, act=read.act, declared_by=read.declared_by, effective_at=at, until=until)
    spine |= {"from_": to_micros(read.occurred.from_), "to": to_micros(read.occurred.to)}
    match read:
        case IncidentReport():
            sides: dict[str | None, list[str]] = {}
            for party in read.parties:
                sides.setdefault(party.slot, []).append(party.name)
            deaths = read.deaths
            return IncidentFact(
                **spine,
                place=located(read.place),
                kind=read.kind.value,
                sides=tuple(tuple(side) for side in sides.values()),
                accused=tuple(read.accused),
                claimant=read.claimant,
                confidence=read.confidence.value,
                deaths_low=deaths.low if deaths else None,
                deaths_best=deaths.best if deaths else None,
                deaths_high=deaths.high if deaths else None,
            )
        case ConvoyReport():
            figures = ("trucks", "people_requested", "people_approved", "people_reached", "reason")
            return ConvoyFact(
                **spine,
                place=located(read.place),
                convoy_id=read.convoy_id,
                step=read.step.value,
                mode=read.mode,
                **{name: getattr(read, name) for name in figures},
            )
        case CoverageNotice():
            regions = tuple(dict.fromkeys(located(place).region for place in read.places))
            return CoverageFact(**spine, regions=regions, nil=read.nil)
        case Bulletin():
            lines = tuple(
                CountLine(
                    line.count, located(line.place).region if line.place else None, line.accused, line.kind_as_given
                )
                for line in read.tallies
            )
            return BulletinFact(**spine, tallies=lines, total=read.total, at_least=read.at_least)


def located(place: Place) -> Located:
    """Return the governorate of a stated P-code."""
    assert place.pcode is not None
    point = place.point
    return Located(
        place.pcode[:4],
        "pcode",
        place.names[0] if place.names else None,
        point.latitude if point else None,
        point.longitude if point else None,
    )


class History:
    """Facts with their bytes, in the order they reach the ledger; a report is received when it is reported."""

    def __init__(self) -> None:
        self.facts: list[Told] = []
        self._sources = 0

    def tell(self, *reports: dict[str, Any]) -> History:
        """Add reports, each the next record of one source partition."""
        for data in reports:
            body = json.dumps(data, ensure_ascii=False).encode()
            stamp = to_micros(datetime.fromisoformat(data["reported_at"]))
            self.facts.append((fact_of(body, self._next(), stamp), body))
        return self

    def reject(self, body: bytes, *, feed: str | None = None, stamp: Micros | None = None) -> History:
        """Add a record that intake could not accept."""
        fact = RejectFact(origin=self._next(), stamp=stamp, code="not_json", hint="send JSON", feed=feed)
        self.facts.append((fact, body))
        return self

    def again(self, number: int) -> History:
        """Send an earlier report's very bytes once more."""
        fact, body = self.facts[number]
        assert fact.stamp is not None
        self.facts.append((fact_of(body, self._next(), fact.stamp), body))
        return self

    def tick(self, *moments: Micros) -> History:
        """Add ticks."""
        self.facts += [(TickFact(stamp=moment), b"") for moment in moments]
        return self

    def _next(self) -> Origin:
        self._sources += 1
        return Origin("truce.incidents.v1", 0, self._sources - 1)


def ticks(agreement: Agreement, days: int, every: Micros) -> Iterable[Micros]:
    """Return the moments of regular ticks over the first days of a truce."""
    end = agreement.effective + days * 24 * 3_600_000_000
    return range(agreement.effective, end, every)
