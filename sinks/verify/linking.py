"""Reports joined to incidents, as of any moment: docs/judging.md, "Linking", rule by rule.

Nothing is carried from one moment to the next. An incident is found from one of its reports by following links, and
every link is asked for anew: which candidates stand, and which of them are picked. What was found is only
remembered for as long as no revision comes of any report that was asked about on the way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from schemas.agreement import Agreement, LinkingRules
from schemas.truceday import Micros
from sinks.verify.candidates import Pair, candidates, denied, one_of
from sinks.verify.crowds import Spot, spots
from sinks.verify.days import Days
from sinks.verify.history import Identity, NaiveReport
from sinks.verify.incidents import Member, NaiveIncident, NaiveLink, incident_of
from sinks.verify.neighbours import Neighbours

#: Above every offset.
NOW = 2**62


class Known(NamedTuple):
    """One report after each of its revisions: where they came, the present one, and when it was first told."""

    offsets: list[int]
    present: list[NaiveReport]
    told_first: list[Micros]


class Linking:
    """The incidents that ``reports``, revisions in any order, make at any moment.

    A moment is an offset: known are the facts before it. ``reports`` must hold every revision of each identity.
    """

    def __init__(
        self, agreement: Agreement, days: Days, reports: Iterable[NaiveReport], regions: Sequence[str] | None = None
    ) -> None:
        self.agreement = agreement
        self.days = days
        #: Where incidents are looked for; reports elsewhere are none of them.
        self.regions = frozenset(agreement.regions if regions is None else regions)
        self._known = _known(reports)
        #: By revision, and by feed of the other, its candidates, the closest first.
        self._near: dict[tuple[str, str, int], dict[str, list[Pair]]] = {}
        #: By spot, who ever was at it.
        self._ever_at: dict[Spot, set[Identity]] = defaultdict(set)
        self._counted: dict[Spot, list[tuple[int, int, bool]]] = defaultdict(list)
        #: Between which moments no answer about a spot, of those asked for in the course of one answer, is another.
        self._spots_asked: list[tuple[int, int]] = []
        self._asserting: dict[str, list[NaiveReport]] = defaultdict(list)
        self._merged: dict[Identity, set[Identity]] = defaultdict(set)
        #: Whatever was asked about in the course of one answer.
        self._asked: set[Identity] = set()
        self._found: dict[Identity, list[tuple[int, int, NaiveIncident]]] = defaultdict(list)
        self._repeating: frozenset[str] = frozenset()
        if agreement.linking is not None:
            self._repeating = frozenset(agreement.linking.repeating_feeds)
            self._relate(agreement.linking)

    def _relate(self, rules: LinkingRules) -> None:
        revisions = {_key(report): report for known in self._known.values() for report in known.present}
        ours = [report for report in revisions.values() if self._is_ours(report)]
        self._neighbours = Neighbours(rules, ours)
        for report in ours:
            for spot in spots(rules, report):
                self._ever_at[spot].add(report.identity)
        for report in revisions.values():
            for name in set(report.same_as):
                self._asserting[name].append(report)
            if report.merged_into is not None:
                self._merged[report.feed, report.merged_into].add(report.identity)

    @cached_property
    def by_region(self) -> dict[str, list[NaiveReport]]:
        """Every revision of an incident report that was present at some time, by region."""
        found: dict[str, list[NaiveReport]] = defaultdict(list)
        for known in self._known.values():
            for report in {_key(report): report for report in known.present}.values():
                if self._is_ours(report):
                    found[report.regions[0]].append(report)
        return found

    # -- what is known

    def present(self, identity: Identity, before: int) -> NaiveReport | None:
        """Return the highest revision of a report among the facts before an offset."""
        self._asked.add(identity)
        return self._present(identity, before)

    def standing(self, identity: Identity, before: int) -> NaiveReport | None:
        """Return the incident report that stands, of those known before an offset; None where it does not."""
        report = self._present(identity, before)
        return report if report is not None and report.active and self._is_ours(report) else None

    def _present(self, identity: Identity, before: int) -> NaiveReport | None:
        known = self._known.get(identity)
        index = bisect_left(known.offsets, before) if known else 0
        return known.present[index - 1] if known and index else None

    def _member(self, report: NaiveReport, standing: str, before: int, links: list[NaiveLink]) -> Member:
        known = self._known[report.identity]
        told_first = known.told_first[bisect_left(known.offsets, before) - 1]
        return Member(report, standing, told_first, next((link for link in links if report in link[:2]), None))

    def _is_ours(self, report: NaiveReport) -> bool:
        return report.type == "incident" and report.regions[0] in self.regions

    def _stands(self, report: NaiveReport, before: int, raised: NaiveReport | None = None) -> bool:
        """Whether a revision stands, or would if ``raised``, a retracted one, stood again."""
        there = self.present(report.identity, before) is report and self._is_ours(report)
        return there and (report.active or report is raised)

    # -- candidates

    def _candidates(self, report: NaiveReport, before: int) -> dict[str, list[Pair]]:
        """Return by feed the candidates a report has if it is in no crowd, whatever may stand of them."""
        rules = self.agreement.linking
        if rules is None or self._is_crowded(report, before):
            return {}
        found = self._near.get(_key(report))
        if found is None:
            found = self._near[_key(report)] = {}
            for pair in candidates(rules, report, self._neighbours.of(report)):
                found.setdefault(pair.beside(report).feed, []).append(pair)
        return found

    def _is_crowded(self, report: NaiveReport, before: int) -> bool:
        rules = self.agreement.linking
        return rules is not None and any(self._is_crowd(rules, spot, before) for spot in spots(rules, report))

    def _is_crowd(self, rules: LinkingRules, spot: Spot, before: int) -> bool:
        """Whether more reports are at a spot than can be told apart, retracted ones included."""
        ever = self._ever_at[spot]
        if len(ever) <= spot.most:
            return False
        for low, high, crowd in self._counted[spot]:
            if low < before <= high:
                self._spots_asked.append((low, high))
                return crowd
        there = [report for identity in ever if (report := self._present(identity, before)) is not None]
        crowd = sum(spot in spots(rules, report) for report in there if self._is_ours(report)) > spot.most
        low, high = self._untold(ever, before)
        self._counted[spot].append((low, high, crowd))
        self._spots_asked.append((low, high))
        return crowd

    # -- links

    def _links(self, report: NaiveReport, before: int, raised: NaiveReport | None) -> list[NaiveLink]:
        """Return the links of a report that stands."""
        links = [NaiveLink(report, other, "same_as") for other in self._asserted(report, before, raised)]
        known = {link.names for link in links}
        for feed, pairs in self._candidates(report, before).items():
            if feed == report.feed:
                chosen = [pair for pair in pairs if self._meets(pair.beside(report), before, raised)]
            else:
                chosen = [
                    pair._replace(likeliest=pair.likeliest or back.likeliest)
                    for pair in self._picked(report, feed, before, raised)
                    for back in self._picked(pair.beside(report), report.feed, before, raised)
                    if back.closeness == pair.closeness
                ]
            links += [NaiveLink.found(pair) for pair in chosen if pair.closeness.names not in known]
        return links

    def _asserted(self, report: NaiveReport, before: int, raised: NaiveReport | None) -> list[NaiveReport]:
        named = [self.present(identity_named(name), before) for name in report.same_as]
        others = {_key(other): other for other in (*named, *self._asserting.get(report.name, ())) if other is not None}
        return [
            other
            for other in others.values()
            if other is not report and self._stands(other, before, raised) and not denied(report, other)
        ]

    def _picked(self, report: NaiveReport, feed: str, before: int, raised: NaiveReport | None) -> list[Pair]:
        """Return which of its candidates in another feed a report may be of."""
        near = self._candidates(report, before).get(feed, ())
        there = (pair for pair in near if self._meets(pair.beside(report), before, raised))
        if feed in self._repeating:
            return list(there) if report.feed not in self._repeating else list(islice(there, 1))
        rules = self.agreement.linking
        return one_of(rules, report, there) if rules is not None else []

    def _meets(self, report: NaiveReport, before: int, raised: NaiveReport | None) -> bool:
        """Whether a report that was found to be near stands and is in no crowd."""
        return self._stands(report, before, raised) and not self._is_crowded(report, before)

    def _joined(self, start: NaiveReport, before: int, raised: NaiveReport | None = None) -> Joined:
        """Return what hangs together with ``start``, which stands, by whatever links, joined as far as they may."""
        reached, ahead = {start.identity: start}, [start]
        links: dict[tuple[str, str], NaiveLink] = {}
        while ahead:
            for link in self._links(ahead.pop(), before, raised):
                links[link.names] = link
                for end in (link.one, link.other):
                    if end.identity not in reached:
                        reached[end.identity] = end
                        ahead.append(end)
        return join(reached.values(), links.values(), self._repeating)

    # -- incidents

    def incident_of(self, identity: Identity, before: int = NOW) -> NaiveIncident | None:
        """Return the incident of a report that stands; None when it does not."""
        for low, high, incident in reversed(self._found.get(identity, ())):
            if low < before <= high:
                return incident
        self._asked.clear()
        self._spots_asked.clear()
        report = self.present(identity, before)
        if report is None or not self._stands(report, before):
            return None
        members = [self._member(report, "active", before, [])]
        joined: list[NaiveLink] = []
        if self.agreement.linking is not None:
            members, joined = self._linked(report, before)
        incident = incident_of(self.agreement, self.days, members, joined)
        low, high = self._untold(self._asked, before)
        low = max([low, *(since for since, _ in self._spots_asked)])
        high = min([high, *(until for _, until in self._spots_asked)])
        for member in members:
            if member.standing == "active":
                self._found[member.report.identity].append((low, high, incident))
        return incident

    def _linked(self, start: NaiveReport, before: int) -> tuple[list[Member], list[NaiveLink]]:
        """Return the reports of one incident and the links that joined the active ones."""
        groups, links = self._joined(start, before)
        active = groups[start.identity]
        joined = [link for link in links if link.one in active]
        lent = self._lent(active, before)
        merged = self._merged_into([*active, *(link.one for link in lent)], before)
        members = [self._member(report, "active", before, joined) for report in active]
        members += [self._member(link.one, "retracted", before, [link]) for link in lent]
        members += [self._member(link.one, "merged", before, [link]) for link in merged]
        return members, joined

    def _lent(self, active: list[NaiveReport], before: int) -> list[NaiveLink]:
        """Return, from the retracted report on, the links that would lead to one of ``active`` if it alone stood again.

        Of each retracted report that is its first link; the links come in order.
        """
        lent: dict[Identity, NaiveLink] = {}
        for report in active:
            for identity in self._related(report, before) - lent.keys():
                other = self.present(identity, before)
                if other is None or other.active or other.merged_into is not None or not self._is_ours(other):
                    continue
                link = self._first_link(other, before)
                if link is not None and link.other in active:
                    lent[identity] = link
        return sorted(lent.values(), key=_order)

    def _related(self, report: NaiveReport, before: int) -> set[Identity]:
        """Return all reports that, in some revision of theirs, could be linked to this one."""
        candidates_ = self._candidates(report, before)
        near = {pair.beside(report).identity for pairs in candidates_.values() for pair in pairs}
        named = {identity_named(name) for name in report.same_as}
        return near | named | {other.identity for other in self._asserting.get(report.name, ())}

    def _first_link(self, retracted: NaiveReport, before: int) -> NaiveLink | None:
        for link in self._joined(retracted, before, raised=retracted).links:
            if retracted in (link.one, link.other):
                return link._replace(one=retracted, other=link.beside(retracted.identity))
        return None

    def _merged_into(self, reports: list[NaiveReport], before: int) -> list[NaiveLink]:
        """Return, from the merged report on, every merge into one of ``reports`` or into what was merged into it."""
        found: dict[Identity, NaiveLink] = {}
        ahead = list(reports)
        while ahead:
            into = ahead.pop()
            for identity in self._merged.get(into.identity, set()) - found.keys():
                report = self.present(identity, before)
                if report is not None and report.merged_into == into.report_id:
                    found[identity] = NaiveLink(report, into, "merged_into")
                    ahead.append(report)
        return sorted(found.values(), key=_order)

    def incidents(self, before: int = NOW) -> list[NaiveIncident]:
        """Return every incident."""
        found: dict[Identity, NaiveIncident] = {}
        for identity in self._known:
            incident = self.incident_of(identity, before)
            if incident is not None:
                found[incident.feed, incident.report_id] = incident
        return list(found.values())

    def led_by(self, identity: Identity, before: int) -> tuple[int, int, NaiveIncident | None]:
        """Return the incident whose content comes from a report before all others, and between which moments it does.

        The moments are after the first and up to the last. None where the report leads no incident.
        """
        incident = self.incident_of(identity, before)
        if incident is None:
            return *self._untold((identity,), before), None
        low, high = next((low, high) for low, high, _ in reversed(self._found[identity]) if low < before <= high)
        return low, high, incident if incident.content.lead.identity == identity else None

    def _untold(self, identities: Iterable[Identity], before: int) -> tuple[int, int]:
        """Return the moments between which no revision of these reports came."""
        low, high = -1, NOW
        for identity in identities:
            known = self._known.get(identity)
            if known is not None:
                index = bisect_left(known.offsets, before)
                low = max(low, known.offsets[index - 1]) if index else low
                high = min(high, known.offsets[index]) if index < len(known.offsets) else high
        return low, high


class Group:
    """Reports joined so far: their names, their feeds, and the names that one of them denies."""

    def __init__(self, reports: list[NaiveReport]) -> None:
        self.reports = reports
        self.names = {report.name for report in reports}
        self.feeds = {report.feed for report in reports}
        self.denied = {name for report in reports for name in report.not_same_as}
        self.places = {(report.feed, report.place_key) for report in reports if report.place_key is not None}

    def take(self, other: Group) -> None:
        """Join another group to this one."""
        self.reports += other.reports
        self.names |= other.names
        self.feeds |= other.feeds
        self.denied |= other.denied
        self.places |= other.places


class Joined(NamedTuple):
    """Reports in the groups they ended in, by identity of each, and the links that joined them, in order."""

    groups: dict[Identity, list[NaiveReport]]
    links: list[NaiveLink]


def join(reports: Iterable[NaiveReport], links: Iterable[NaiveLink], repeating: frozenset[str]) -> Joined:
    """Take the links one after the other, asserted ones first, each as far as it may join."""
    groups = {report.identity: Group([report]) for report in reports}
    joined = []
    for link in sorted(links, key=_order):
        one, other = groups[link.one.identity], groups[link.other.identity]
        if one is other or _apart(link, one, other, repeating):
            continue
        if len(one.reports) < len(other.reports):
            one, other = other, one
        one.take(other)
        for report in other.reports:
            groups[report.identity] = one
        joined.append(link)
    return Joined({identity: group.reports for identity, group in groups.items()}, joined)


def _order(link: NaiveLink) -> tuple[object, ...]:
    return (0, link.names) if link.pair is None else (1, link.pair.closeness)


def _apart(link: NaiveLink, one: Group, other: Group, repeating: frozenset[str]) -> bool:
    """Whether ``link`` must not bring these two together."""
    doubled = link.pair is not None and bool((one.feeds & other.feeds) - repeating)
    named = [(here, there) for here in one.places for there in other.places if here[0] == there[0] in repeating]
    doubled = doubled or (link.pair is not None and any(here != there for here, there in named))
    return doubled or bool(one.denied & other.names) or bool(other.denied & one.names)


def identity_named(name: str) -> Identity:
    """Return the identity in ``feed/report_id``; no feed's name holds a stroke, a report's may."""
    feed, _, report_id = name.partition("/")
    return feed, report_id


def _key(report: NaiveReport) -> tuple[str, str, int]:
    return report.feed, report.report_id, report.revision


def _known(reports: Iterable[NaiveReport]) -> dict[Identity, Known]:
    by_identity: dict[Identity, list[NaiveReport]] = defaultdict(list)
    for report in reports:
        by_identity[report.identity].append(report)
    known = {}
    for identity, revisions in by_identity.items():
        revisions.sort(key=lambda report: report.offset)
        present: list[NaiveReport] = []
        told_first: list[Micros] = []
        for report in revisions:
            higher = not present or report.revision > present[-1].revision
            present.append(report if higher else present[-1])
            told_first.append(min([report.reported_at, *told_first[-1:]]))
        known[identity] = Known([report.offset for report in revisions], present, told_first)
    return known
