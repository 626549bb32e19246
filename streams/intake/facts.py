"""Facts made of valid reports, in the ledger's own terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from msgspec.structs import astuple

from schemas.chunks import Row, incident_of
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    GivenLength,
    IncidentFact,
    Located,
    Origin,
    PositionFact,
    ReportFact,
    RetractionFact,
)
from schemas.lengths import Length
from schemas.missing import is_missing
from schemas.reports import (
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
    Retraction,
    Source,
    Status,
    Toll,
)
from schemas.truceday import Micros, to_micros

#: Sources and parties are few, and each report names some.
REMEMBERED = 10_000


#: Topic, partition, offset and log of a record: the values of an origin.
SourceOffset = tuple[str, int, int, str]


class Times(NamedTuple):
    """Times of a report in microseconds.

    A declaration occurs when it is made.
    """

    reported_at: Micros
    from_: Micros
    to: Micros


class Locator(Protocol):
    """Resolver of a report's places, such as a gazetteer.

    Places are asked for in the report's order.
    """

    def locate(self, place: Place) -> Located:
        """Return the region of a place; raise ``ReportRejected`` where it is unknown."""


class FactMaker:
    """Maker of facts from valid reports.

    Every method takes the report, its times, the origin of its record in Kafka, and the stamp the
    fact is to carry.

    Raises:
        ReportRejected: a place cannot be resolved, or several places fit.
    """

    def __init__(self, gazetteer: Locator) -> None:
        self._gazetteer = gazetteer
        self._by_type: dict[type[Report], Callable[..., ReportFact]] = {
            IncidentReport: self.incident,
            ConvoyReport: self.convoy,
            CoverageNotice: self.coverage,
            Bulletin: self.bulletin,
            Declaration: self.declaration,
            PositionReport: self.position,
            Retraction: self.retraction,
        }

    def fact(self, report: Report, times: Times, origin: Origin, stamp: Micros) -> ReportFact:
        """Return the fact of a report of any type."""
        return self._by_type[type(report)](report, times, origin, stamp)

    def incident(self, report: IncidentReport, times: Times, origin: Origin, stamp: Micros) -> IncidentFact:
        """Return the fact of an incident report, or of its stand-in."""
        return incident_of(row_of(report, times, self._gazetteer.locate(report.place), astuple(origin), stamp))

    def convoy(self, report: ConvoyReport, times: Times, origin: Origin, stamp: Micros) -> ConvoyFact:
        """Return the fact of one step of a convoy."""
        place = self._gazetteer.locate(report.place)
        return ConvoyFact(
            **_spine(report, times, origin, stamp),
            place=place,
            from_=times.from_,
            to=times.to,
            convoy_id=report.convoy_id,
            step=report.step,
            mode=report.mode,
            trucks=report.trucks,
            people_requested=report.people_requested,
            people_approved=report.people_approved,
            people_reached=report.people_reached,
            reason=report.reason,
            trucks_hit=report.trucks_hit,
            items_removed=tuple(report.items_removed),
            blocker=report.blocker,
            constraint=report.constraint,
            reached_place=report.reached_place,
            same_convoy_as=report.same_convoy_as,
            not_same_convoy_as=tuple(report.not_same_convoy_as),
            # Two convoys to "Aleppo" are bound for anywhere in a governorate, and have no place in
            # common.
            place_precision=PlacePrecision.GOVERNORATE if place.names_region else report.place.precision,
        )

    def coverage(self, report: CoverageNotice, times: Times, origin: Origin, stamp: Micros) -> CoverageFact:
        """Return the fact of a notice, with its distinct regions."""
        return CoverageFact(
            **_spine(report, times, origin, stamp),
            regions=tuple(dict.fromkeys(self._gazetteer.locate(place).region for place in report.places)),
            from_=times.from_,
            to=times.to,
            nil=report.nil,
        )

    def bulletin(self, report: Bulletin, times: Times, origin: Origin, stamp: Micros) -> BulletinFact:
        """Return the fact of a monitor's own tally."""
        return BulletinFact(
            **_spine(report, times, origin, stamp),
            from_=times.from_,
            to=times.to,
            tallies=tuple(
                CountLine(
                    count=line.count,
                    region=self._gazetteer.locate(line.place).region if line.place else None,
                    accused=tuple(line.accused),
                    kind_as_given=line.kind_as_given,
                )
                for line in report.tallies
            ),
            total=report.total,
            at_least=report.at_least,
            period_as_given=report.occurred.source_precision,
        )

    def declaration(self, report: Declaration, times: Times, origin: Origin, stamp: Micros) -> DeclarationFact:
        """Return the fact of a party's declaration."""
        return DeclarationFact(
            **_spine(report, times, origin, stamp),
            act=report.act,
            declared_by=report.declared_by,
            effective_at=to_micros(report.effective_at),
            until=to_micros(report.until) if report.until else None,
        )

    def retraction(self, report: Retraction, times: Times, origin: Origin, stamp: Micros) -> RetractionFact:
        """Return the fact of a retraction by name."""
        return RetractionFact(**_spine(report, times, origin, stamp))

    def position(self, report: PositionReport, times: Times, origin: Origin, stamp: Micros) -> PositionFact:
        """Return the fact of a unit's position.

        Its names are kept; only its point counts.
        """
        return PositionFact(
            **_spine(report, times, origin, stamp),
            from_=times.from_,
            to=times.to,
            unit=report.unit,
            party=report.party,
            weapon_class=report.weapon_class,
            latitude=report.point.latitude,
            longitude=report.point.longitude,
            place_name=report.names[-1] if report.names else None,
            uncertainty=_given(report.uncertainty),
            stated_distance=_given(report.stated_distance),
        )


def row_of(report: IncidentReport, times: Sequence[Micros], place: Located, source: SourceOffset, stamp: Micros) -> Row:
    """Return the row of an incident report, or of its stand-in, at a place."""
    # Written out in the order of a chunk's columns: most reports are incidents, and names would slow down each of them.
    reported_at, from_, to = times
    low = best = high = flaw = None
    if (deaths := report.deaths) is not None:
        flaw = flaw_of(deaths)
        if flaw is None:
            low, best, high = deaths.low, deaths.best, deaths.high
    return (
        report.feed,
        report.report_id,
        report.revision,
        report.status is not Status.ACTIVE,
        reported_at,
        stamp,
        from_,
        to,
        report.kind,
        sides_of(report.parties),
        tuple(report.accused),
        report.claimant,
        report.confidence,
        low,
        best,
        high,
        flaw,
        report.occurred.precision,
        PlacePrecision.NEAR if place.middle else report.place.precision,
        tuple(report.same_as),
        tuple(report.not_same_as),
        report.merged_into,
        origins_of(report.sources),
        *astuple(place),
        *source,
    )


def flaw_of(toll: Toll) -> str | None:
    """Return why a toll cannot be counted; None when it can."""
    if toll.low is None or toll.high is None or toll.low <= toll.high:
        return None
    return f"low {toll.low} is above high {toll.high}"


def sides_of(parties: Sequence[Party]) -> tuple[tuple[str, ...], ...]:
    """Group the names of ``parties`` by the source's slot, in order."""
    if len(parties) < 2:
        return ((parties[0].name,),) if parties else ()
    if len(parties) == 2:
        first, second = parties
        return ((first.name, second.name),) if first.slot == second.slot else ((first.name,), (second.name,))
    sides: dict[str | None, list[str]] = {}
    for party in parties:
        sides.setdefault(party.slot, []).append(party.name)
    return tuple(tuple(names) for names in sides.values())


def origins_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the distinct origins of ``sources``, in order, whatever their case."""
    if len(sources) == 1:
        teller = _teller_of(sources[0].origin, sources[0].name)
        return () if teller is None else (teller,)
    tellers = [_teller_of(source.origin, source.name) for source in sources]
    return tuple(dict.fromkeys(teller for teller in tellers if teller is not None))


@lru_cache(maxsize=REMEMBERED)
def _teller_of(origin: str | None, name: str) -> str | None:
    """Return who told first, in lower case; None where a source writes that it is not known."""
    if origin is not None and not is_missing(origin):
        return origin.casefold()
    return None if is_missing(name) else name.casefold()


def _given(length: Length | None) -> GivenLength | None:
    return GivenLength(length.value, str(length.unit)) if length else None


def _spine(report: Report, times: Times, origin: Origin, stamp: Micros) -> dict[str, Any]:
    return {
        "origin": origin,
        "stamp": stamp,
        "feed": report.feed,
        "report_id": report.report_id,
        "revision": report.revision,
        "retracted": report.status is not Status.ACTIVE,
        "reported_at": times.reported_at,
    }
