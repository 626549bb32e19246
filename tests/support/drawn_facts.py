"""Histories of facts for hypothesis to draw, dense enough that reports meet: few names, few places, close times.

Every fact is made from one drawn number. Hypothesis then draws a number a fact and not twenty, which is ten times as
fast, and still finds the fewest facts that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas.agreement import Agreement
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    DismissalFact,
    Fact,
    GivenLength,
    IncidentFact,
    Located,
    Origin,
    OutsideFact,
    PositionFact,
    Redrive,
    RejectFact,
    RetractionFact,
    Tells,
    TickFact,
)
from schemas.reports import ConvoyStep
from schemas.truceday import Micros
from sinks.verify.claims import DELIVERIES, destination_of, listed_place
from sinks.verify.days import Days
from sinks.verify.history import NaiveLine, NaiveReport
from sinks.verify.refused import NaiveReject
from tests.support.worlds import HOUR, at, bulletin, convoy, coverage, declaration, incident, position, tick

MINUTE = HOUR // 60

#: A hyphen sorts before a stroke: ``m-x/r1`` comes before ``m/r1``, though the feed ``m`` comes before ``m-x``.
FEEDS = ("m", "m-x", "z", "videos", "videos")
NAMES = ("r1", "r2", "r3", "r4", "r5")
SIDES = ((), (("Government",), ("Opposition",)), (("Government",), ("ISIL",)), (("Nusra",),))
REGIONS = ("SY01", "SY02")
STEPS = (*ConvoyStep, *DELIVERIES, *DELIVERIES, "denied", "turned_back", "attacked")
#: What an agreement may list, two of them in one region, and what else a convoy may be bound for.
LISTED = {"Old Town": "SY01", "New Town": "SY02", "Upper Town": "SY02"}
BOUND_FOR = (*LISTED, *LISTED, None, "Nowhere")
CONVOYS = ("aid-1", "aid-2", "aid/3")

#: An hour of a day, the end of that day, where whole days touch, and an hour of the baseline.
BEGUN = (*[at(1, 11)] * 9, at(2), at(-3, 5))
LATER_MINUTES = (0, 0, 0, 0, 10, 10, 50, 61, 130)
LASTED_HOURS = (0, 1, 1, 1, 24, 26, 27, 90)
#: Hours that are more than one day may hold: of two days, of a week, of all the days there are.
TOO_LONG = (27, 100, 500)
#: Metres to the north.
NORTH = (0, 0, 0, 0, 400, 800, 3_000, 12_000)
PLACES = (*["exact"] * 8, "near", "near", "district", "governorate", "country", "unknown")
TIMES = (*["minute"] * 5, "hour", "hour", "day", "day", "week")
KINDS = (*["shelling"] * 10, "airstrike", "airstrike", "attack_on_aid", "armed_clash", "other", "arrest")


def _spine(draw: Random) -> dict[str, Any]:
    """Return who says it: of so few that a revision may be of another type than the one it corrects."""
    return {
        "report_id": draw.choice(NAMES),
        "feed": draw.choice(FEEDS),
        "revision": draw.choice((1, 1, 2, 3)),
        "retracted": draw.randrange(7) == 0,
    }


def _moment(draw: Random) -> Micros:
    return at(0, draw.randint(-4 * 24, 5 * 24))


def _toll(draw: Random) -> int | None:
    return draw.choice((None, draw.randint(0, 9)))


def _incident(draw: Random) -> IncidentFact:
    """Return an incident anywhere in the history."""
    when = _moment(draw)
    return incident(
        **_spine(draw),
        when=when,
        to=when + draw.choice((*[draw.randint(0, 26)] * 3, *TOO_LONG)) * HOUR,
        region=draw.choice(REGIONS),
        sides=draw.choice(SIDES),
        kind=draw.choice(("shelling", "shelling", "shelling", "attack_on_aid")),
        deaths_best=_toll(draw),
    )


def _meeting_incident(draw: Random) -> IncidentFact:
    """Return an incident that may be linked to others."""
    spine = _spine(draw)
    when = draw.choice(BEGUN) + draw.choice(LATER_MINUTES) * MINUTE
    point = None if draw.randrange(8) == 0 else (33.5 + draw.choice(NORTH) / 111_195, 36.3)
    merged_into = (
        draw.choice([name for name in NAMES if name != spine["report_id"]]) if draw.randrange(8) == 0 else None
    )
    spine |= {"retracted": spine["retracted"] or merged_into is not None, "merged_into": merged_into}
    low, high = sorted((draw.randint(0, 9), draw.randint(0, 9)))
    # As newsrooms tell it, by a day and a town: of those several are alike.
    by_day = draw.randrange(5) == 0
    if by_day:
        when = BEGUN[0]
    return incident(
        **spine,
        when=when,
        to=when + (24 if by_day else draw.choice(LASTED_HOURS)) * HOUR,
        place=Located(
            draw.choice((*["SY01"] * 8, "SY02", "SY09")),
            latitude=point[0] if point else None,
            longitude=point[1] if point else None,
            key="old town" if by_day else draw.choice((None, "old town", "old town", "new town")),
        ),
        # At few times, so that some reports are told first at the same one.
        reported_at=at(3, draw.randint(0, 3)),
        stamp=at(3),
        sides=draw.choice(SIDES),
        kind=draw.choice(KINDS),
        deaths_low=draw.choice((None, low)),
        deaths_best=_toll(draw),
        deaths_high=draw.choice((None, high)),
        time_precision="day" if by_day else draw.choice(TIMES),
        place_precision="near" if by_day else draw.choice(PLACES),
        same_as=_few_references(draw),
        not_same_as=_few_references(draw),
        origins=draw.choice(((), ("agency",), ("agency", "radio"), ("radio",))),
    )


def _few_references(draw: Random) -> tuple[str, ...]:
    return (f"{draw.choice(FEEDS)}/{draw.choice(NAMES)}",) if draw.randrange(6) == 0 else ()


def _notice(draw: Random) -> CoverageFact:
    low = _moment(draw)
    regions = tuple(draw.choice(REGIONS) for _ in range(draw.randint(1, 2)))
    high, nil = low + draw.randint(1, 60) * HOUR, draw.random() < 0.6
    return coverage(**_spine(draw), low=low, high=high, regions=regions, nil=nil)


def _step(draw: Random) -> ConvoyFact:
    when, region = _moment(draw), draw.choice(REGIONS)
    return convoy(
        **_spine(draw),
        step=draw.choice(STEPS),
        when=when,
        to=when + draw.randint(0, 30) * HOUR,
        reported_at=when + draw.randint(0, 30) * HOUR,
        convoy_id=draw.choice(CONVOYS),
        place=Located(region, name=draw.choice((*BOUND_FOR, "a village", "another", "Aleppo"))),
        place_precision=draw.choice(PLACES),
        same_convoy_as=draw.choice((None, None, f"{draw.choice(FEEDS)}/{draw.choice(CONVOYS)}")),
        not_same_convoy_as=draw.choice(((), (), (f"{draw.choice(FEEDS)}/{draw.choice(CONVOYS)}",))),
    )


def _bulletin(draw: Random) -> BulletinFact:
    low = _moment(draw)
    lines = tuple(
        CountLine(
            draw.randint(0, 9),
            draw.choice((None, *REGIONS)),
            draw.choice(((), ("Opposition",), ("ISIL",), ("Opposition", "ISIL"))),
        )
        for _ in range(draw.randint(1, 3))
    )
    return bulletin(
        **_spine(draw),
        low=low,
        high=low + draw.choice((0, 6, 12, 24, 24, 24, 25, 26, 60)) * HOUR,
        reported_at=low + draw.randint(0, 3) * HOUR,
        tallies=lines,
        total=draw.choice((None, draw.randint(0, 20))),
        at_least=draw.random() < 0.3,
    )


def _declaration(draw: Random) -> DeclarationFact:
    return declaration(**_spine(draw), act=draw.choice(("start", "extension", "end")), when=_moment(draw))


def _position(draw: Random) -> PositionFact:
    return position(
        **_spine(draw),
        when=_moment(draw),
        latitude=draw.choice((36.23, 36.25, 36.28, 37.5)),
        weapon_class=draw.choice(("heavy", "personnel", "bicycles")),
        party=draw.choice(("Government", "Opposition")),
        uncertainty=draw.choice((None, GivenLength(50, "metres"), GivenLength(1.5, "miles"))),
    )


def _tells(draw: Random) -> Tells | None:
    """Return what a reject tells: mostly of the days on which incidents crowd."""
    if draw.randrange(6) == 0:
        return draw.choice((None, Tells()))
    when = draw.choice((_moment(draw), at(1, 11), at(1, 11)))
    regions = draw.choice((("SY01",), ("SY02",), REGIONS))
    return Tells(regions, when, when + draw.randint(0, 30) * HOUR, incident=draw.random() < 0.8)


def _refused(draw: Random) -> RejectFact:
    """Return a reject, by an identity that reports may have, or by none; it may be a redrive of another."""
    named = {"feed": draw.choice((*FEEDS, None)), "report_id": draw.choice((*NAMES, None))}
    redrive = _redrive(draw) if draw.randrange(5) == 0 else None
    return RejectFact(code="bad_value", hint="none", **named, tells=_tells(draw), redrive=redrive)


def _redrive(draw: Random) -> Redrive:
    return Redrive(_nth(draw.randrange(100)), draw.choice((1, 1, 2)))


def _dismissal(draw: Random) -> DismissalFact:
    return DismissalFact(of=_nth(draw.randrange(100)), reason="none", by="desk")


def _redriven(draw: Random) -> IncidentFact:
    return msgspec.structs.replace(_incident(draw), redrive=_redrive(draw))


def _nth(number: int, of: str = "rejected") -> Origin:
    """Return where a record lies, each in a topic of its own: shuffled, none passes for a redelivery."""
    return Origin(f"{of}{number}", 0, 0)


def _tick(draw: Random) -> TickFact:
    return tick(at(0, draw.randint(0, 8 * 24)))


def _facts(makers: Sequence[Callable[[Random], Fact]]) -> st.SearchStrategy[Fact]:
    def made(number: int) -> Fact:
        draw = Random(number)
        return draw.choice(makers)(draw)

    return st.integers(0, 2**32).map(made)


_anything = _facts(
    [
        *[_incident] * 4,
        *[_notice] * 2,
        *[_step] * 2,
        *[_bulletin] * 3,
        *[_declaration] * 2,
        *[_position] * 2,
        *[_tick] * 3,
        *[_refused] * 4,
        _redriven,
        _dismissal,
    ]
)
#: The others move days, convoys and who watched around the incidents.
_meeting = _facts([*[_meeting_incident] * 14, _notice, _notice, _bulletin, _step, _tick, _tick])
ticks = st.integers(0, 8 * 24).map(lambda hours: tick(at(0, hours)))


#: Facts that are no reports.
NO_REPORTS = (TickFact, RejectFact, DismissalFact)


def numbered(history: list[Fact]) -> list[Fact]:
    """Give every reject and dismissal a source of its own, and let what names a reject name one that there is."""
    rejects = sum(isinstance(fact, RejectFact) for fact in history)
    numbers, told = iter(range(rejects)), []
    for place, fact in enumerate(history):
        found = fact
        if fact.redrive is not None:
            named = int(fact.redrive.of.topic.removeprefix("rejected")) % max(rejects, 1)
            found = msgspec.structs.replace(found, redrive=Redrive(_nth(named), fact.redrive.number))
        if isinstance(found, RejectFact):
            number = next(numbers)
            # Of redrives with the same bytes the ledger would take the first alone.
            found = msgspec.structs.replace(found, origin=_nth(number), hint=f"reject {number}")
        elif isinstance(found, DismissalFact):
            named = int(found.of.topic.removeprefix("rejected")) % max(rejects, 1)
            found = msgspec.structs.replace(found, of=_nth(named), origin=_nth(place, "dismissal"))
        told.append(found)
    return told


def one_body_a_revision(history: list[Fact]) -> list[Fact]:
    """Drop a second body under one identity and revision: the one case in which order matters, by design."""
    known: dict[tuple[str, str, int], Fact] = {}
    kept: list[Fact] = []
    for fact in history:
        if isinstance(fact, NO_REPORTS):
            kept.append(fact)
            continue
        name = (fact.feed or "", fact.report_id or "", getattr(fact, "revision", 0))
        if known.setdefault(name, fact) == fact:
            kept.append(fact)
    return kept


#: Anything, in any order.
histories = st.lists(_anything, max_size=36).map(numbered).map(one_body_a_revision)
#: Mostly incidents that may be linked.
meetings = st.lists(_meeting, min_size=18, max_size=36).map(one_body_a_revision)


def as_naive(truce: Agreement, history: list[Fact]) -> list[NaiveReport]:
    """Return the reports of a history as a recount sees them."""
    return [_naive(truce, offset, fact) for offset, fact in enumerate(history) if not isinstance(fact, NO_REPORTS)]


def as_rejects(truce: Agreement, history: list[Fact]) -> list[NaiveReject]:
    """Return the rejects of a history that tell a region and a time, as a recount sees them."""
    return [
        _naive_reject(truce, offset, fact, history)
        for offset, fact in enumerate(history)
        if isinstance(fact, RejectFact) and fact.tells is not None and fact.tells.regions
    ]


def _naive_reject(truce: Agreement, offset: int, fact: RejectFact, history: list[Fact]) -> NaiveReject:
    tells, origin = fact.tells, fact.origin
    assert tells is not None
    assert origin is not None
    name = f"{origin.topic}/{origin.partition}/{origin.offset}"
    report: tuple[str, ...] = ("", name)
    if fact.feed is not None and fact.report_id is not None:
        name, report = f"{fact.feed}/{fact.report_id}", (fact.feed, fact.report_id)
    settling = [place for place, other in enumerate(history) if _settles(other, fact)]
    day, _ = Days.of(truce).holding_most(tells.from_, tells.to)
    return NaiveReject(offset, report, name, fact.feed, tells.regions, day, tells.incident, min(settling, default=None))


def _settles(other: Fact, rejected: RejectFact) -> bool:
    if isinstance(other, DismissalFact):
        return other.of == rejected.origin
    if isinstance(other, TickFact | OutsideFact):
        return False
    redriven = other.redrive is not None and other.redrive.of == rejected.origin
    if isinstance(other, RejectFact):
        return redriven and other.tells is not None and bool(other.tells.regions)
    return redriven or (other.feed, other.report_id) == (rejected.feed, rejected.report_id)


def _naive(truce: Agreement, offset: int, fact: Fact) -> NaiveReport:
    spine = {"offset": offset, "feed": fact.feed, "report_id": fact.report_id, "revision": fact.revision}
    spine |= {"active": not fact.retracted, "reported_at": fact.reported_at}
    match fact:
        case BulletinFact():
            when = {"occurred_from": fact.from_, "occurred_to": fact.to}
            lines = [NaiveLine(line.region, line.count, line.accused != ("ISIL",)) for line in fact.tallies]
            told = {"at_least": fact.at_least, "adds_up": fact.total in (None, sum(line.incidents for line in lines))}
            return NaiveReport(**spine, **when, **told, type="bulletin", lines=tuple(lines))
        case DeclarationFact():
            return NaiveReport(**spine, type="declaration")
        case PositionFact():
            return NaiveReport(**spine, type="position")
        case RetractionFact():
            return NaiveReport(**spine, type="retraction")
        case CoverageFact():
            when = {"occurred_from": fact.from_, "occurred_to": fact.to}
            return NaiveReport(**spine, **when, type="coverage", regions=fact.regions, nil=fact.nil)
        case ConvoyFact():
            when = {"occurred_from": fact.from_, "occurred_to": fact.to, "convoy_id": fact.convoy_id}
            when |= {"same_convoy_as": fact.same_convoy_as, "not_same_convoy_as": fact.not_same_convoy_as}
            if fact.place.name is not None:
                names, listed = [fact.place.name], listed_place(truce, fact.place.region, fact.place.name)
                when |= {"destination": destination_of(truce, fact.place.region, names, fact.place_precision)}
                when |= {"place": listed}
            return NaiveReport(**spine, **when, type="convoy", regions=(fact.place.region,), kind=fact.step)
        case IncidentFact():
            latitude, longitude = fact.place.latitude, fact.place.longitude
            return NaiveReport(
                **spine,
                type="incident",
                regions=(fact.place.region,),
                occurred_from=fact.from_,
                occurred_to=fact.to,
                kind=fact.kind,
                in_scope=truce.in_scope(fact.sides),
                deaths_low=fact.deaths_low,
                deaths_best=fact.deaths_best,
                deaths_high=fact.deaths_high,
                time_precision=fact.time_precision,
                place_precision=fact.place_precision,
                point=None if latitude is None or longitude is None else (latitude, longitude),
                place_key=fact.place.key,
                names_parties=bool(fact.sides),
                tellers=fact.origins,
                same_as=fact.same_as,
                not_same_as=fact.not_same_as,
                merged_into=fact.merged_into,
            )
    raise AssertionError(fact)
