"""Relinking: which incidents change when reports come, change or go, found without looking at all the others.

A link rests on two reports and on the candidates of each; so whatever changed has among its ends a report that was
told since, or a candidate of one, by its old revision or its new. From these the work spreads along links and along
the incidents that were stored, until nothing outside can be touched. The outcome is a function of the present
reports alone: relinking more often, or for more of them, never shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from schemas.agreement import Agreement, LinkingRules
from schemas.rows import Identity, Linkable, LinkedIncident, LinkedReport
from schemas.truceday import Micros
from streams.ledger.core.joins import Joins, turn_of
from streams.ledger.core.linking import (
    Candidate,
    Candidates,
    Link,
    Picked,
    alone,
    asserts,
    denies,
    in_order,
    incident_of,
    joined,
    linked_report,
    merged_report,
)
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.report_cache import Partners, ReportCache

#: Reports whose partners are looked for at once.
EXPANDED_AT_ONCE = 2_000


class Incident(NamedTuple):
    """A linked incident with its reports."""

    content: LinkedIncident
    reports: tuple[LinkedReport, ...]

    @property
    def name(self) -> Identity:
        """What it is called by."""
        return Identity(self.content.feed, self.content.report_id)

    def active_places(self) -> list[int]:
        """Return the places of the reports that count."""
        return [report.fact_offset for report in self.reports if report.standing == "active"]


class Relinked(NamedTuple):
    """What relinking changed: incidents that are no more, new ones, and the reports of both by place."""

    dissolved: list[Incident]
    formed: list[Incident]
    reports: dict[int, Linkable]


def relink(
    agreement: Agreement,
    rules: LinkingRules,
    known: ReportCache,
    told_again: Collection[int],
) -> Pieces[Relinked]:
    """Compute anew, piece by piece, the incidents that reports told since the last time may have changed.

    Args:
        known: what it was told of since included.
        told_again: places of the revisions that stood until then and were told again since, replaced by that or not.
    """
    return _Work(agreement, rules, known).relink(told_again)


class _Work:
    """The reports looked at by one relinking, and what is known of them."""

    def __init__(self, agreement: Agreement, rules: LinkingRules, known: ReportCache) -> None:
        self._agreement = agreement
        self._candidates = Candidates(rules)
        self._known = known
        self._regions = frozenset(agreement.regions)
        self._at: dict[int, Linkable] = {}
        self._present: dict[Identity, Linkable] = {}
        self._places: dict[Identity, list[int]] = defaultdict(list)
        self._near: dict[int, list[int]] = defaultdict(list)
        self._partners: dict[int, set[int]] = defaultdict(set)
        self._expanded: set[int] = set()
        self._work: set[Identity] = set()
        self._asked: set[Identity] = set()
        self._stored: dict[Identity, Incident] = {}
        self._links: dict[int, list[Link]] = {}
        self._candidates_of: dict[int, dict[str, list[Candidate]]] = {}
        self._ends: dict[Identity, Linkable | None] = {}
        #: By name, the active reports that say they are not the same.
        self._deniers: dict[str, list[str]] = defaultdict(list)
        #: What is joined, the number of each report's, and by that the joins of those asked about.
        self._incidents: list[tuple[list[Linkable], list[Link]]] = []
        self._number_of: dict[str, int] = {}
        self._joins: dict[int, Joins] = {}

    def relink(self, told_again: Collection[int]) -> Pieces[Relinked]:
        # Most that is new has no partner, and is left alone.
        self._pair(self._known.partners_of_new())
        first = set(self._partners)
        self._expanded |= first
        self._read(told_again)
        yield from self._expand(told_again)
        # Others of a crowd that came to be or ceased, though nobody told them again.
        moved = self._known.take_moved()
        self._read(moved)
        yield from self._expand(moved)
        first.update(moved, told_again, self._known.new_of({self._at[place].identity for place in told_again}))
        self._read(first)
        self._work |= {self._at[place].identity for place in first}
        for place in first:
            yield
            report = self._at[place]
            for partner in self._partners.get(place, ()):
                other = self._at[partner]
                if other.identity in self._work:
                    continue
                if self._merges(report, other) or self._may_link(report, other):
                    self._work.add(other.identity)
        yield from self._spread()
        return (yield from self._outcome())

    # -- what is known

    def _read(self, places: Iterable[int]) -> None:
        wanted = set(places) - self._at.keys()
        if not wanted:
            return
        for report in self._known.reports_at(wanted):
            self._at[report.fact_offset] = report
            self._places[report.identity].append(report.fact_offset)
            if report.present:
                self._present[report.identity] = report

    def _expand(self, places: Collection[int]) -> Pieces[None]:
        """Learn of every report that may have to do with those at ``places``."""
        wanted = list(set(places) - self._expanded)
        for first in range(0, len(wanted), EXPANDED_AT_ONCE):
            yield
            portion = wanted[first : first + EXPANDED_AT_ONCE]
            self._expanded.update(portion)
            self._pair(self._known.partners_of([self._at[place] for place in portion]))

    def _pair(self, pairs: Partners) -> None:
        for place, partner in pairs.near:
            self._near[place].append(partner)
        for place, partner in chain(*pairs):
            self._partners[place].add(partner)
        self._read(partner for _, partner in chain(*pairs))

    def _counts(self, report: Linkable) -> bool:
        return report.present and not report.retracted and report.region in self._regions

    def _lends(self, report: Linkable) -> bool:
        return report.present and report.retracted and report.merged_into is None and report.region in self._regions

    def _may_link(self, one: Linkable, other: Linkable) -> bool:
        return asserts(one, other) or self._candidates.match_rank(one, other) is not None

    # -- links

    def _near_of(self, report: Linkable) -> dict[str, list[Candidate]]:
        """Return by feed the active candidates of a report, the closest first."""
        found = self._candidates_of.get(report.fact_offset)
        if found is not None:
            return found
        found = self._candidates_of[report.fact_offset] = {}
        if report.fact_offset in self._known.crowded:
            return found
        for place in set(self._near[report.fact_offset]):
            other = self._at[place]
            if self._counts(other) and other.identity != report.identity and not denies(report, other):
                match_rank = self._candidates.match_rank(report, other)
                if match_rank is not None:
                    found.setdefault(other.feed, []).append((match_rank, other))
        for near in found.values():
            near.sort(key=itemgetter(0))
        return found

    def _picked(self, report: Linkable, feed: str, raised: Linkable) -> Picked:
        """Return what a report picks among its candidates of a feed, were ``raised`` one that stands."""
        near = self._near_of(report).get(feed, [])
        if raised.feed == feed and not self._counts(raised) and not denies(raised, report):
            match_rank = self._candidates.match_rank(report, raised)
            if match_rank is not None:
                near = sorted([*near, (match_rank, raised)], key=itemgetter(0))
        return self._candidates.picked(report, near)

    def _links_of(self, report: Linkable) -> list[Link]:
        """Return the links of an active report, or those a retracted one would have; those it picks are expanded."""
        links = [
            self._candidates.asserted(report, other)
            for place in self._partners[report.fact_offset]
            if (other := self._at[place]).identity != report.identity
            and self._counts(other)
            and asserts(report, other)
            and not denies(report, other)
        ]
        for near in self._near_of(report).values():
            picked = self._candidates.picked(report, near)
            for match_rank, other in picked.candidates:
                back = picked if other.feed == report.feed else self._picked(other, report.feed, report)
                if (back is picked or _has(back, report)) and not asserts(report, other):
                    of_several = picked.of_several or back.of_several
                    links.append(self._candidates.found(match_rank, report, other, of_several=of_several))
        return in_order(links)

    # -- spreading

    def _spread(self) -> Pieces[None]:
        """Take in everything that links or stored incidents tie to the work, until nothing is added."""
        seen: set[Identity] = set()
        again: list[Linkable] = []
        while again or len(seen) < len(self._work):
            self._take_in_stored()
            new = self._work - seen
            seen |= new
            reports = [self._present[identity] for identity in new if identity in self._present]
            yield from self._expand([report.fact_offset for report in reports])
            ahead, again, wanted = [*again, *reports], [], set[int]()
            for report in ahead:
                yield
                if unknown := self._settle(report):
                    wanted |= unknown
                    again.append(report)
            yield from self._expand(wanted)

    def _take_in_stored(self) -> None:
        while new := self._work - self._asked:
            self._asked |= new
            contents, rows = self._known.linked_with(place for identity in new for place in self._places[identity])
            # A report is in one incident at most.
            self._asked |= {Identity(row.feed, row.report_id) for row in rows}
            by_name: dict[Identity, list[LinkedReport]] = defaultdict(list)
            for row in rows:
                by_name[Identity(row.incident_feed, row.incident_report_id)].append(row)
            for content in contents:
                name = Identity(content.feed, content.report_id)
                self._stored[name] = Incident(content, tuple(sorted(by_name[name])))
            missing = [row for row in rows if Identity(row.feed, row.report_id) not in self._present]
            self._read(row.fact_offset for row in missing)
            self._work |= {Identity(row.feed, row.report_id) for row in rows}

    def _settle(self, report: Linkable) -> set[int]:
        """Take in what ties to one report; return the places that must be expanded before all of it is known."""
        for place in self._partners[report.fact_offset]:
            other = self._at[place]
            # A merged report belongs where the other does, a retracted one may lend its name there.
            if self._merges(report, other) or (self._lends(other) and self._may_link(report, other)):
                self._work.add(other.identity)
        if not (self._counts(report) or self._lends(report)):
            return set()
        picked = (self._candidates.picked(report, near) for near in self._near_of(report).values())
        unknown = {other.fact_offset for some in picked for _, other in some.candidates} - self._expanded
        if not unknown:
            links = self._links[report.fact_offset] = self._links_of(report)
            self._work |= {link.other.identity for link in links}
        return unknown

    @staticmethod
    def _merges(one: Linkable, other: Linkable) -> bool:
        if one.feed != other.feed:
            return False
        return one.merged_into == other.report_id or other.merged_into == one.report_id

    # -- the outcome

    def _outcome(self) -> Pieces[Relinked]:
        reports = [self._present[identity] for identity in self._work if identity in self._present]
        active = {report.name: report for report in reports if self._counts(report)}
        for report in active.values():
            for name in report.not_same_as or ():
                self._deniers[name].append(report.name)
        # Each link is found from both of its ends.
        links = {link[:2]: link for report in active.values() for link in self._links[report.fact_offset]}
        yield
        incidents = self._incidents = joined(active.values(), links.values(), self._candidates.repeating)
        yield
        numbers = {member.name: number for number, (members, _) in enumerate(incidents) for member in members}
        self._number_of = numbers
        belonging: dict[int, list[tuple[Linkable, Link | Linkable]]] = defaultdict(list)
        host: dict[str, int] = {}
        for report in reports:
            yield
            if self._lends(report) and (link := self._first_joined(report)) is not None:
                host[report.name] = numbers[link.other.name]
                belonging[host[report.name]].append((report, link))
        host |= numbers
        for report in reports:
            if report.merged_into is not None:
                end = self._end_of(report)
                if end is not None and end.name in host:
                    into = self._present[Identity(report.feed, report.merged_into)]
                    belonging[host[end.name]].append((report, into))
        formed = yield from self._formed(incidents, belonging)
        kept = {(incident.content, incident.reports) for incident in formed} & set(self._stored.values())
        dissolved = [incident for incident in self._stored.values() if incident not in kept]
        formed = [incident for incident in formed if incident not in kept]
        self._read(report.fact_offset for incident in dissolved for report in incident.reports)
        return Relinked(dissolved, formed, self._at)

    def _first_joined(self, lender: Linkable) -> Link | None:
        """Return the link that would join a retracted report first if it alone stood again; None when none would."""
        own = self._links[lender.fact_offset]
        # Until one joins, it stands alone and changes nothing: a denial in the other's group is all that may refuse an
        # asserted one. So what hangs together with it, perhaps thousands, need not be looked at.
        asserted = [link for link in own if not link.asserted_last]
        first = next((link for link in asserted if not self._refused(lender, link)), None)
        return first if first is not None or len(own) == len(asserted) else self._first_by_trial(lender, own)

    def _first_by_trial(self, lender: Linkable, own: list[Link]) -> Link | None:
        """Join a retracted report with what hangs together with its links: only that can keep one from joining."""
        near = {link.other.name: link.other for link in own}
        ahead = list(near.values())
        links = {link[:2]: link for link in own}
        while ahead:
            for link in self._links[ahead.pop().fact_offset]:
                if self._displaces(lender, link):
                    continue
                links[link[:2]] = link
                if link.other.name not in near:
                    near[link.other.name] = link.other
                    ahead.append(link.other)
        for _, taken in joined([lender, *near.values()], links.values(), self._candidates.repeating):
            for link in taken:
                if link.one is lender:
                    return link
        return None

    def _refused(self, lender: Linkable, link: Link) -> bool:
        """Whether a denial stands between a retracted report and those its asserted link would join it to."""
        apart = [*(lender.not_same_as or ()), *self._deniers.get(lender.name, ())]
        number, turn = self._number_of[link.other.name], turn_of(link)
        apart = [name for name in apart if self._number_of.get(name) == number]
        if not apart:
            return False
        joins = self._joins.get(number)
        if joins is None:
            joins = self._joins[number] = Joins(self._incidents[number][1])
        group = joins.group_of(link.other.name, turn)
        return any(joins.group_of(name, turn) == group for name in apart)

    def _displaces(self, lender: Linkable, link: Link) -> bool:
        """Whether one end of a link would no longer pick the other, if ``lender`` stood again."""
        if not link.asserted_last or link.one.feed == link.other.feed or lender.fact_offset in self._known.crowded:
            return False
        ends = ((link.one, link.other), (link.other, link.one))
        return any(
            other.feed == lender.feed and not _has(self._picked(end, other.feed, lender), other) for end, other in ends
        )

    def _end_of(self, report: Linkable) -> Linkable | None:
        """Return the report that a merged one ends in; None for a circle, or when it is not known."""
        way: list[Identity] = []
        end: Linkable | None = report
        while end is not None and end.merged_into is not None and end.identity not in self._ends:
            # Whoever comes by here again went in a circle, unless an end is found.
            self._ends[end.identity] = None
            way.append(end.identity)
            end = self._present.get(Identity(end.feed, end.merged_into))
        if end is not None:
            end = self._ends.get(end.identity, end)
        self._ends.update(dict.fromkeys(way, end))
        return end

    def _formed(
        self,
        incidents: list[tuple[list[Linkable], list[Link]]],
        belonging: dict[int, list[tuple[Linkable, Link | Linkable]]],
    ) -> Pieces[list[Incident]]:
        several = [
            (members, links, belonging[number])
            for number, (members, links) in enumerate(incidents)
            if len(members) > 1 or number in belonging
        ]
        everybody = [report for members, _, others in several for report in (*members, *(other for other, _ in others))]
        corrected = {report.identity for report in everybody if report.revision > 1}
        first_told = self._known.first_told(corrected) if corrected else {}

        def by_telling(report: Linkable) -> tuple[Micros, str, str]:
            return first_told.get(report.identity, report.reported_at), report.feed, report.report_id

        formed = []
        for members, links, others in several:
            yield
            name = min([*members, *(other for other, _ in others)], key=by_telling)
            rows = []
            for report, tie in others:
                row = linked_report(name, report, tie) if isinstance(tie, Link) else merged_report(name, report, tie)
                rows.append(row)
            first: dict[str, Link] = {}
            for link in links:
                first.setdefault(link.one.name, link)
                first.setdefault(link.other.name, link)
            for report in members:
                own = first.get(report.name)
                rows.append(alone(name, report) if own is None else linked_report(name, report, own))
            formed.append(Incident(incident_of(self._agreement, members, links, name), tuple(sorted(rows))))
        return formed


def _has(picked: Picked, report: Linkable) -> bool:
    # Several are picked only where all are.
    several = picked.candidates
    return len(several) > 1 or (bool(several) and several[0][1].identity == report.identity)
