"""Which claims of feeds are one convoy: docs/judging.md, "Claims", sentence by sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.placenames import parts_of, words_of
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros
from sinks.verify.history import NaiveReport

DELIVERIES = ("offloaded", "distributed")
ROAD = ("loaded", "dispatched", "held", "turned_back", "attacked", "arrived")

LONGEST_DAYS = 31
MOST_TOGETHER = 50


class Claim(NamedTuple):
    """All that one feed tells of one convoy under one name, in the order it happened."""

    feed: str
    convoy_id: str
    steps: tuple[NaiveReport, ...]

    @property
    def name(self) -> str:
        """The claim as reports name it."""
        return f"{self.feed}/{self.convoy_id}"

    def denies(self, other: Claim) -> bool:
        """Whether a step says that the other is another convoy."""
        return any(other.name in step.not_same_convoy_as for step in self.steps)

    @property
    def road(self) -> list[NaiveReport]:
        """The steps on the road, deliveries included."""
        return [step for step in self.steps if step.kind in ROAD + DELIVERIES]


class Stretch(NamedTuple):
    """The road of a claim: where to, from when, until when."""

    claim: Claim
    to: tuple[str, str, str]
    start: Micros
    end: Micros

    def days(self, hours: int) -> range:
        """Return the days by UTC, counted from 1970, that it touches when it lasts so many hours longer."""
        return range(self.start // MICROS_PER_DAY, (self.end + hours * MICROS_PER_HOUR) // MICROS_PER_DAY + 1)


class Link(NamedTuple):
    """Two claims that may be one convoy; ``gap`` is None when a report says that they are."""

    gap: Micros | None
    between_starts: Micros
    names: tuple[str, str]
    one: Claim
    other: Claim

    @property
    def order(self) -> tuple[object, ...]:
        """Asserted ones first, then by closeness."""
        return (self.gap is not None, self.gap or 0, self.between_starts, self.names)


class Grouped(NamedTuple):
    """Claims that are one convoy each, and the links that joined them, in order."""

    groups: list[list[Claim]]
    links: list[Link]


def destination_of(
    agreement: Agreement, region: str, names: list[str], precision: str | None
) -> tuple[str, str, str] | None:
    """Return where a step is bound, by the names its report gives and the precision intake found."""
    if not names:
        return None
    listed = listed_place(agreement, region, names[-1])
    if listed is not None:
        return region, listed, ""
    town = town_of(names, precision)
    return None if town is None else (region, "", town)


def listed_place(agreement: Agreement, region: str, name: str) -> str | None:
    """Return the place on the agreement's list that a name means, if it is only one."""
    told = [words_of(part) for part in parts_of(name).names]
    listed = [place for place in agreement.access.places if place.region == region]
    meant = {place.name for place in listed if any(words_of(each) in told for each in (place.name, *place.names))}
    return meant.pop() if len(meant) == 1 else None


def town_of(names: list[str], precision: str | None) -> str | None:
    """Return the most exact name as names are compared, unless it is only a region's."""
    if not names or precision in ("governorate", "country"):
        return None
    return " ".join(words_of(names[-1])) or None


def group_claims(agreement: Agreement, steps: Iterable[NaiveReport]) -> Grouped:
    """Return which claims of these present, active steps are one convoy."""
    told: dict[tuple[str, str], list[NaiveReport]] = defaultdict(list)
    for step in steps:
        told[step.feed, step.convoy_id].append(step)
    claims = []
    for (feed, convoy_id), its in sorted(told.items()):
        its.sort(key=lambda step: (step.occurred_from, step.reported_at, step.report_id))
        claims.append(Claim(feed, convoy_id, tuple(its)))
    links = [*_asserted(claims), *_closest(agreement, claims)]
    denials = {
        _in_order(claim.name, name) for claim in claims for step in claim.steps for name in step.not_same_convoy_as
    }
    group_of = {claim.name: [claim] for claim in claims}
    joined = []
    for link in sorted(links, key=lambda link: link.order):
        one, other = group_of[link.one.name], group_of[link.other.name]
        if one is other or (link.gap is not None and {claim.feed for claim in one} & {claim.feed for claim in other}):
            continue
        if denials and any(_in_order(each.name, another.name) in denials for each, another in product(one, other)):
            continue
        one += other
        group_of |= {claim.name: one for claim in other}
        joined.append(link)
    return Grouped(list({id(group): group for group in group_of.values()}.values()), joined)


def _asserted(claims: list[Claim]) -> list[Link]:
    called = {claim.name: claim for claim in claims}
    pairs = {
        _in_order(claim.name, step.same_convoy_as)
        for claim in claims
        for step in claim.steps
        if step.same_convoy_as is not None and step.same_convoy_as in called
    }
    return [Link(None, 0, (one, other), called[one], called[other]) for one, other in pairs]


def _closest(agreement: Agreement, claims: list[Claim]) -> list[Link]:
    """Return the candidates each of which is the closest of its feed to the other."""
    candidates = _candidates(agreement, claims)
    best: dict[tuple[str, str], Link] = {}
    for link in sorted(candidates, key=lambda link: link.order, reverse=True):
        # The last one to be noted is the closest.
        best[link.one.name, link.other.feed] = best[link.other.name, link.one.feed] = link
    return [
        link
        for link in candidates
        if best[link.one.name, link.other.feed] is link and best[link.other.name, link.one.feed] is link
    ]


def _candidates(agreement: Agreement, claims: list[Claim]) -> list[Link]:
    hours = agreement.access.same_convoy_hours
    if hours is None:
        return []
    roads = [road for claim in claims if (road := _road(claim)) is not None]
    together = Counter((road.to, day) for road in roads for day in road.days(hours))
    roads = [road for road in roads if all(together[road.to, day] <= MOST_TOGETHER for day in road.days(hours))]
    by_place: dict[tuple[str, str, str], list[Stretch]] = defaultdict(list)
    for road in sorted(roads, key=lambda road: road.start):
        by_place[road.to].append(road)
    found = []
    for to_one_place in by_place.values():
        for number, one in enumerate(to_one_place):
            for later in to_one_place[number + 1 :]:
                gap = max(0, later.start - one.end)
                if gap > hours * MICROS_PER_HOUR:
                    # Those after it start later still.
                    break
                pair = one.claim, later.claim
                if one.claim.feed != later.claim.feed and not pair[0].denies(pair[1]) and not pair[1].denies(pair[0]):
                    names = _in_order(pair[0].name, pair[1].name)
                    found.append(Link(gap, later.start - one.start, names, *pair))
    return found


def _road(claim: Claim) -> Stretch | None:
    to = [step.destination for step in claim.road if step.destination is not None]
    if not to:
        return None
    start, end = min(step.occurred_from for step in claim.road), max(step.occurred_to for step in claim.road)
    return None if end - start > LONGEST_DAYS * MICROS_PER_DAY else Stretch(claim, to[-1], start, end)


def _in_order(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)
