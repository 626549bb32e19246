"""Linking: which reports tell of one occurrence. docs/judging.md, "Linking", states the rules.

Pure functions of reports. Which reports may be partners at all is for the caller to find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from schemas.agreement import Agreement, LinkingRules
from schemas.rows import Identity, Linkable, LinkedIncident, LinkedReport
from schemas.truceday import MICROS_PER_HOUR, MICROS_PER_SECOND, Micros
from streams.ledger.core.legs.tolls import incident_toll

EARTH_RADIUS_METRES = 6_371_008.8
#: No longer stretch tells when something happened.
LONGEST_INTERVAL = 26 * MICROS_PER_HOUR
TIME_ORDER = {name: rank for rank, name in enumerate(("minute", "hour", "day", "week", "month", "longer"))}
DAY_STATED = TIME_ORDER["day"]
HOUR_STATED = TIME_ORDER["hour"]
#: No report is ``named`` by itself: a pair is, where points do not tell how far apart the two are.
PLACE_ORDER = {name: rank for rank, name in enumerate(("exact", "near", "named", "district", "governorate"))}
NEAR, NAMED, DISTRICT = PLACE_ORDER["near"], PLACE_ORDER["named"], PLACE_ORDER["district"]
GOVERNORATE = PLACE_ORDER["governorate"]

_BOMBARDMENT, _FIGHTING, _ARREST, _OTHER = 1, 2, 4, 8
#: Kinds agree when they have a bit in common.
KIND_BITS: Mapping[str, int] = {
    "airstrike": _BOMBARDMENT,
    "shelling": _BOMBARDMENT,
    "explosive": _BOMBARDMENT,
    "chemical": _BOMBARDMENT,
    "armed_clash": _FIGHTING,
    "small_arms": _FIGHTING,
    "territory_taken": _FIGHTING,
    "attack_on_civilians": _BOMBARDMENT | _FIGHTING,
    "attack_on_aid": _BOMBARDMENT | _FIGHTING,
    "unspecified": _BOMBARDMENT | _FIGHTING,
    "other": _OTHER,
    "arrest": _ARREST,
}
#: Kinds that say with what: of one place and day, two of these that agree are hardly two occurrences.
TELLING_KINDS = frozenset(kind for kind, bits in KIND_BITS.items() if bits in (_BOMBARDMENT, _FIGHTING))
#: However small the counts, so few more dead are one count made twice.
TOLL_SLACK = 3
#: From the surest to the least sure.
CERTAINTIES = ("asserted", "good", "doubtful")


class MatchRank(NamedTuple):
    """Orders candidates, the closest first."""

    place_class: int
    time_rank: int
    toll_rank: int
    thousandths: int
    first: str
    second: str


class Link(NamedTuple):
    """Why two reports tell of one occurrence. Links sort in the order in which they are taken.

    ``of_several`` tells that one end was picked from others alike.
    """

    asserted_last: int
    order: MatchRank
    why: str
    one: Linkable
    other: Linkable
    of_several: bool = False

    @property
    def certainty(self) -> str:
        """How sure it is."""
        if not self.asserted_last:
            return "asserted"
        if self.order.place_class < NEAR:
            return "good"
        of_a_town = self.order.place_class <= NAMED
        tells_apart = self.order.time_rank <= HOUR_STATED or (not self.of_several and self._by_name_and_manner())
        return "good" if of_a_town and tells_apart else "doubtful"

    def _by_name_and_manner(self) -> bool:
        """Whether both name the same place and say with what it was struck."""
        manners = TELLING_KINDS.issuperset((self.one.kind, self.other.kind))
        return manners and class_by_name(self.one, self.other) is not None


Candidate = tuple[MatchRank, Linkable]


class Picked(NamedTuple):
    """Candidates in one feed that a report picks; ``of_several`` tells that the one was picked from others alike."""

    candidates: Sequence[Candidate]
    of_several: bool = False


def place_class(report: Linkable) -> int | None:
    """Return how exactly the report says where, as a rank; None when it agrees with nothing."""
    if report.place_precision == "country":
        return None
    if report.latitude is None or report.longitude is None:
        return GOVERNORATE
    return PLACE_ORDER.get(report.place_precision, GOVERNORATE)


def names_a_place(precision: str, key: str | None) -> bool:
    """Whether a report's name tells of a place that another report may be linked by."""
    return key is not None and precision not in ("governorate", "country")


def class_by_name(one: Linkable, other: Linkable) -> int | None:
    """Return the place class of two reports of one region whose places are called the same; None when they are not."""
    if one.place_key != other.place_key or not names_a_place(one.place_precision, one.place_key):
        return None
    if not names_a_place(other.place_precision, other.place_key):
        return None
    return DISTRICT if "district" in (one.place_precision, other.place_precision) else NAMED


def are_located(one: Linkable, other: Linkable) -> bool:
    """Whether the points of both locate them within their district."""
    classes = (place_class(one), place_class(other))
    return not (None in classes or GOVERNORATE in classes)


def metres_between(one: Linkable, other: Linkable) -> int | None:
    """Return the great-circle distance; None when one of the two is not located within its district."""
    if not are_located(one, other) or (
        # Only the type checker needs these: what is located has a point.
        one.latitude is None or one.longitude is None or other.latitude is None or other.longitude is None
    ):
        return None
    low, high = radians(one.latitude), radians(other.latitude)
    across = sin((high - low) / 2) ** 2
    across += cos(low) * cos(high) * sin(radians(other.longitude - one.longitude) / 2) ** 2
    return round(2 * EARTH_RADIUS_METRES * asin(min(1.0, sqrt(across))))


def gap_between(one: Linkable, other: Linkable) -> Micros:
    """Return the time between two stated intervals; 0 when they overlap or touch."""
    return max(0, one.occurred_from - other.occurred_to, other.occurred_from - one.occurred_to)


def share_an_instant(one: Linkable, other: Linkable) -> bool:
    """Whether two stated intervals overlap; one without length holds its own instant. Days that touch do not."""
    return one.occurred_from < max(other.occurred_to, other.occurred_from + 1) and other.occurred_from < max(
        one.occurred_to, one.occurred_from + 1
    )


def toll_of(report: Linkable) -> tuple[int, int] | None:
    """Return the least and the greatest count of deaths a report gives; None when it gives none."""
    given = [n for n in (report.deaths_low, report.deaths_best, report.deaths_high) if n is not None]
    return (min(given), max(given)) if given else None


def tolls_agree(one: Linkable, other: Linkable, ratio: int | None) -> bool:
    """Whether two counts of deaths may be of one occurrence; an unstated one may be any."""
    tolls = toll_of(one), toll_of(other)
    if ratio is None or tolls[0] is None or tolls[1] is None:
        return True
    fewer, more = min(tolls[0][1], tolls[1][1]), max(tolls[0][0], tolls[1][0])
    return more <= max(fewer + TOLL_SLACK, fewer * ratio)


def share_a_toll(one: Linkable, other: Linkable) -> bool:
    """Whether two counts of deaths have a number above one in common: one dead may be anybody."""
    tolls = toll_of(one), toll_of(other)
    if tolls[0] is None or tolls[1] is None:
        return False
    return max(tolls[0][0], tolls[1][0], 2) <= min(tolls[0][1], tolls[1][1])


def are_called_differently(one: Linkable, other: Linkable) -> bool:
    """Whether both name a place, and not the same."""
    return None not in (one.place_key, other.place_key) and one.place_key != other.place_key


def denies(one: Linkable, other: Linkable) -> bool:
    """Whether one of the two says that they tell of different occurrences."""
    return other.name in (one.not_same_as or ()) or one.name in (other.not_same_as or ())


def asserts(one: Linkable, other: Linkable) -> bool:
    """Whether one of the two says that they tell of the same occurrence."""
    return other.name in (one.same_as or ()) or one.name in (other.same_as or ())


def reaches_of(rules: LinkingRules) -> tuple[int, ...]:
    """Return by place class how far off a place may lie, in metres; a name has no such length."""
    return rules.exact_metres, rules.near_metres, 0, rules.district_metres


class Candidates:
    """The exact test of two reports, by one agreement's rules."""

    def __init__(self, rules: LinkingRules) -> None:
        self._reaches = reaches_of(rules)
        self._weakest = PLACE_ORDER[rules.weakest_place]
        self._patience = rules.minutes * 60 * MICROS_PER_SECOND
        self._toll_ratio = rules.toll_ratio
        self.repeating = frozenset(rules.repeating_feeds)

    def match_rank(self, one: Linkable, other: Linkable) -> MatchRank | None:
        """Return how close two reports are; None when they are no candidates for each other.

        Denials are not looked at: a denial may be new, and the pair was one before it.
        """
        alike = one.feed == other.feed
        if alike and (one.feed not in self.repeating or one.report_id == other.report_id):
            return None
        if one.region != other.region or not KIND_BITS[one.kind] & KIND_BITS[other.kind]:
            return None
        if not tolls_agree(one, other, self._toll_ratio):
            return None
        in_time = self._in_time(one, other, alike=alike)
        in_place = self._in_place(one, other, alike=alike) if in_time is not None else None
        if in_time is None or in_place is None:
            return None
        time_rank, apart = in_time
        place_rank, away = in_place
        first, second = sorted((one.name, other.name))
        return MatchRank(place_rank, time_rank, 1 - share_a_toll(one, other), apart + away, first, second)

    def _in_time(self, one: Linkable, other: Linkable, *, alike: bool) -> tuple[int, int] | None:
        """Return the rank of the coarser time, and the gap in thousandths of the patience.

        None when the gap is too long. ``alike`` says that both are of one feed.
        """
        time_rank = max(TIME_ORDER[one.time_precision], TIME_ORDER[other.time_precision])
        if time_rank > DAY_STATED or (alike and time_rank > HOUR_STATED):
            return None
        if max(one.occurred_to - one.occurred_from, other.occurred_to - other.occurred_from) > LONGEST_INTERVAL:
            return None
        patience = self._patience if time_rank <= HOUR_STATED else 0
        gap = gap_between(one, other)
        if gap > patience or (time_rank > HOUR_STATED and not share_an_instant(one, other)):
            return None
        return time_rank, 1_000 * gap // patience if patience else 0

    def _in_place(self, one: Linkable, other: Linkable, *, alike: bool) -> tuple[int, int] | None:
        """Return the coarser place class, and the distance in thousandths of the reach.

        None when the distance is too long. ``alike`` says that both are of one feed.
        """
        classes = (place_class(one), place_class(other))
        if classes[0] is None or classes[1] is None:
            return None
        coarser = max(classes[0], classes[1])
        located = coarser < GOVERNORATE
        if not located:
            # Two points tell better than two names: towns are many miles wide, and names are borne twice.
            coarser = class_by_name(one, other) or coarser
        if coarser > (min(NEAR, self._weakest) if alike else self._weakest):
            return None
        if not located:
            return coarser, 0
        metres = metres_between(one, other) or 0
        reach = self._reaches[classes[0]] + self._reaches[classes[1]]
        if are_called_differently(one, other):
            reach = min(reach, 2 * self._reaches[0])
        if metres > reach:
            return None
        return coarser, 1_000 * metres // reach if reach else 0

    def picked(self, report: Linkable, near: Sequence[Candidate]) -> Picked:
        """Return those of a report's candidates in one feed, the closest first, that it picks."""
        if not near:
            return Picked(near)
        closest, feed = near[0][0], near[0][1].feed
        if feed in self.repeating:
            return Picked(near if feed == report.feed or report.feed not in self.repeating else near[:1])
        if closest.time_rank < DAY_STATED or closest.place_class < NEAR:
            return Picked(near[:1])
        alike = [near[0], *(other for other in near[1:] if self._alike(report, near[0], other))]
        if len(alike) == 1:
            return Picked(alike)
        # A day and a city do not tell which of two strikes it is; of those in one place by its name it is one of two.
        if any(class_by_name(report, other) is None for _, other in alike):
            return Picked(())
        return Picked([max(alike, key=_most_dead)], of_several=True)

    def _alike(self, report: Linkable, closest: Candidate, other: Candidate) -> bool:
        """Whether nothing tells that a report is rather of its closest candidate."""
        if other[0][:3] != closest[0][:3]:
            return False
        least, metres = metres_between(report, closest[1]), metres_between(report, other[1])
        return least is None or metres is None or metres <= least + self._reaches[0]

    def asserted(self, one: Linkable, other: Linkable) -> Link:
        """Return the link of two reports one of which asserts it."""
        first, second = sorted((one.name, other.name))
        return Link(0, MatchRank(0, 0, 0, 0, first, second), "same_as", one, other)

    def found(self, match_rank: MatchRank, one: Linkable, other: Linkable, *, of_several: bool) -> Link:
        """Return the link of two candidates that pick each other, or of one repeating feed."""
        why = "closest"
        if one.feed == other.feed:
            why = "repeating_feed"
        elif match_rank.place_class < GOVERNORATE and not are_located(one, other):
            why = "same_name"
        return Link(1, match_rank, why, one, other, of_several)


def _most_dead(candidate: Candidate) -> int:
    return (toll_of(candidate[1]) or (0, 0))[1]


def in_order(links: Iterable[Link]) -> list[Link]:
    """Return links in the order in which they are taken: asserted ones by name, then by rank."""
    return sorted(links, key=lambda link: link[:2])


class _Group:
    """Reports joined so far."""

    __slots__ = ("called", "denied", "feeds", "members", "names")

    def __init__(self, report: Linkable, repeating: frozenset[str]) -> None:
        self.members = [report]
        self.names = {report.name}
        self.denied = set(report.not_same_as or ())
        self.feeds = {report.feed} - repeating
        self.called = {(report.feed, report.place_key)} if report.feed in repeating and report.place_key else set()

    def may_join(self, other: _Group, link: Link) -> bool:
        if not (self.denied.isdisjoint(other.names) and other.denied.isdisjoint(self.names)):
            return False
        if not link.asserted_last:
            return True
        if not self.feeds.isdisjoint(other.feeds):
            return False
        # One strike on a city takes the videos of one quarter, and not of all.
        return all(feed != named[0] or key == named[1] for feed, key in self.called for named in other.called)

    def take(self, other: _Group) -> None:
        self.members += other.members
        self.names |= other.names
        self.denied |= other.denied
        self.feeds |= other.feeds
        self.called |= other.called


def joined(
    reports: Iterable[Linkable], links: Iterable[Link], repeating: frozenset[str]
) -> list[tuple[list[Linkable], list[Link]]]:
    """Return the incidents that links make of active reports: the reports of each, and the links that joined them.

    Args:
        reports: active ones; every link is between two of these.
    """
    group_of = {report.name: _Group(report, repeating) for report in reports}
    groups = list(group_of.values())
    taken: dict[str, list[Link]] = {}
    for link in in_order(links):
        one, other = group_of[link.one.name], group_of[link.other.name]
        if one is other or not one.may_join(other, link):
            continue
        if len(one.members) < len(other.members):
            # The smaller moves: thousands that name one report would else be copied once for each.
            one, other = other, one
        one.take(other)
        for name in other.names:
            group_of[name] = one
        taken.setdefault(one.members[0].name, []).append(link)
    incidents: list[tuple[list[Linkable], list[Link]]] = []
    for group in groups:
        if group_of[group.members[0].name] is group:
            of_group = [link for report in group.members for link in taken.get(report.name, ())]
            incidents.append((group.members, in_order(of_group)))
    return incidents


def by_exactness(report: Linkable) -> tuple[int, Micros, Micros, str, str]:
    """Order reports by how exactly they tell when; the first of an incident leads it."""
    return (
        TIME_ORDER[report.time_precision],
        report.occurred_to - report.occurred_from,
        report.occurred_from,
        report.feed,
        report.report_id,
    )


def incident_of(
    agreement: Agreement,
    active: Sequence[Linkable],
    links: Sequence[Link],
    name: Linkable,
) -> LinkedIncident:
    """Return what the active reports of an incident, joined by ``links``, make of it under a name."""
    feeds = agreement.violence.feeds
    counting = [report for report in active if not feeds or report.feed in feeds]
    telling = sorted(counting or active, key=by_exactness)
    lead = telling[0]
    severe = [report.kind for report in telling if report.kind in agreement.violence.severe_kinds]
    named = [report.in_scope for report in telling if report.names_parties]
    by_telling = sorted(telling, key=lambda report: (report.reported_at, report.feed, report.report_id))
    low, best, high = incident_toll(by_telling)
    origins = {origin for report in active for origin in (report.origins or (report.feed,))}
    return LinkedIncident(
        feed=name.feed,
        report_id=name.report_id,
        region=lead.region,
        truce_day=lead.truce_day,
        occurred_from=lead.occurred_from,
        occurred_to=lead.occurred_to,
        # Plain, as the store returns it: what came and went since a tick is told by equal rows.
        kind=str(severe[0] if severe else lead.kind),
        in_scope=any(named) if named else True,
        counted=bool(counting),
        deaths_low=low,
        deaths_best=best,
        deaths_high=high,
        reports=len(active),
        feeds=tuple(sorted({report.feed for report in active})),
        independent_origins=len(origins),
        certainty=max((link.certainty for link in links), key=CERTAINTIES.index, default=None),
    )


def linked_report(name: Linkable, report: Linkable, link: Link) -> LinkedReport:
    """Return why ``report`` belongs to the incident called ``name``: by a link it is part of."""
    other = link.other if link.one.name == report.name else link.one
    return _belongs(name, report, other, link.why, link.certainty, "retracted" if report.retracted else "active")


def alone(name: Linkable, report: Linkable) -> LinkedReport:
    """Return the row of the one active report of the incident called ``name``: others only lend it their names."""
    identity = Identity(name.feed, name.report_id)
    return LinkedReport(
        *identity,
        report.feed,
        report.report_id,
        report.revision,
        report.fact_offset,
        standing="active",
        linked_to=None,
        why="alone",
        seconds=None,
        metres=None,
        certainty=None,
    )


def merged_report(name: Linkable, report: Linkable, into: Linkable) -> LinkedReport:
    """Return why ``report`` belongs to the incident called ``name``: its feed merged it into another."""
    return _belongs(name, report, into, "merged_into", "asserted", "merged")


def _belongs(
    name: Linkable, report: Linkable, other: Linkable, why: str, certainty: str, standing: str
) -> LinkedReport:
    return LinkedReport(
        incident_feed=name.feed,
        incident_report_id=name.report_id,
        feed=report.feed,
        report_id=report.report_id,
        revision=report.revision,
        fact_offset=report.fact_offset,
        standing=standing,
        linked_to=other.name,
        why=why,
        seconds=gap_between(report, other) // MICROS_PER_SECOND,
        metres=metres_between(report, other),
        certainty=certainty,
    )
