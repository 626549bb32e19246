"""Which reports changed, through linking, days that are not their own; docs/judging.md, "Cause", states the rule.

Incidents are compared as they stood at the last tick and stand now: what came and went in between, at a flush or not,
never shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple

from schemas.agreement import Agreement
from schemas.rows import Identity, Linkable
from schemas.truceday import Micros
from streams.ledger.core.identity import body_digest
from streams.ledger.core.legs.possible import possible_days
from streams.ledger.core.linking import Candidates
from streams.ledger.core.relinking import Incident
from streams.ledger.core.remembered import Remembered

Bucket = tuple[str, date | None]

#: Incidents and corrections remembered between two ticks, at some 300 bytes each. After more, nobody is named for a day
#: not its own: they are written with each commit, and without ticks would grow for ever.
CHANGES_KEPT = 10_000
#: Reports told since the last tick times days that a group of incidents, or those of a crowd, changed. Beyond it these
#: name nobody for a day not its own: ten thousand reports of as many days that one report ties together would else take
#: hours.
NAMED_AT_MOST = 10_000_000


class _Changed(NamedTuple):
    """An incident that stood at the last tick and does no more, or that stands only since.

    ``places`` are those of its active reports, ``others`` of those that lend their names. ``interval`` holds its start
    and its end.
    """

    stood: bool
    region: str
    truce_day: date
    places: list[int]
    others: list[int]
    interval: tuple[Micros, Micros]


class ByLink(NamedTuple):
    """A report that changed days through linking: ``own`` are those it has changed by itself, ``days`` the others."""

    report: str
    own: frozenset[Bucket]
    days: frozenset[Bucket]


class Again(NamedTuple):
    """A report that was told again since the last tick: where, its name, and the days it has changed by itself.

    The set is the caller's, who adds to it until the next report.
    """

    place: int
    name: str
    own: set[Bucket]


class LinkedSince:
    """What linking changed since the last tick: incidents, and reports told again."""

    def __init__(self) -> None:
        self._incidents: dict[int, _Changed] = {}
        self._again: dict[int, Again] = {}
        self._too_many = False

    def tell_again(self, standing: int, again: Again) -> None:
        """Note that a report tells again what stood at ``standing``."""
        self._again[standing] = again
        self._bound()

    def move(self, dissolved: Iterable[Incident], formed: Iterable[Incident]) -> None:
        """Note which incidents are no more, and which are new."""
        for stood, incidents in ((True, dissolved), (False, formed)):
            for incident in incidents:
                key = _key(incident)
                known = self._incidents.get(key)
                if known is not None and known.stood is not stood:
                    del self._incidents[key]
                else:
                    self._incidents[key] = _changed(incident, stood=stood)
        self._bound()

    def _bound(self) -> None:
        if self._too_many or len(self._incidents) + len(self._again) > CHANGES_KEPT:
            self.clear()
            self._too_many = True

    def clear(self) -> None:
        """Forget everything: it was judged."""
        self._incidents.clear()
        self._again.clear()
        self._too_many = False

    def causes(
        self, last_tick: int, agreement: Agreement, known: Remembered, candidates: Candidates
    ) -> Generator[ByLink | None, None, None]:
        """Yield, in the order they were told, the reports told since ``last_tick`` that changed days not their own.

        None is yielded between pieces of the work before.
        """
        if self._incidents:
            yield from _Causes(self._incidents.values(), self._again, last_tick, agreement, known, candidates).told()

    def to_values(self, last_tick: int) -> list[Any]:
        """Return everything as values for JSON; places are counted from the last tick, whichever log they lie in."""
        incidents = [
            [
                *(key, one.stood, one.region, one.truce_day.isoformat()),
                *([place - last_tick for place in places] for places in (one.places, one.others)),
                one.interval,
            ]
            for key, one in self._incidents.items()
        ]
        again = []
        for standing, (place, name, own) in self._again.items():
            days = sorted([region, day.isoformat() if day else ""] for region, day in own)
            again.append([standing - last_tick, place - last_tick, name, *days])
        return [self._too_many, incidents, again]

    @classmethod
    def from_values(cls, values: list[Any], last_tick: int) -> LinkedSince:
        """Read what ``to_values`` wrote."""
        since = cls()
        since._too_many, incidents, again = values
        for key, stood, region, day, places, others, (low, high) in incidents:
            active, lending = ([place + last_tick for place in some] for some in (places, others))
            told_of = region, date.fromisoformat(day)
            since._incidents[key] = _Changed(stood, *told_of, active, lending, (low, high))
        for standing, place, name, *own in again:
            buckets = {(region, date.fromisoformat(day) if day else None) for region, day in own}
            since._again[standing + last_tick] = Again(place + last_tick, name, buckets)
        return since


def _key(incident: Incident) -> int:
    """Return what two incidents alike have in common, wherever their reports lie."""
    rows = [row._replace(fact_offset=0) for row in incident.reports]
    return body_digest(repr((incident.content, sorted(rows))).encode())


def _changed(incident: Incident, *, stood: bool) -> _Changed:
    active = incident.active_places()
    others = [row.fact_offset for row in incident.reports if row.standing != "active"]
    content = incident.content
    interval = content.occurred_from, content.occurred_to
    return _Changed(stood, content.region, content.truce_day, active, others, interval)


class _Told(NamedTuple):
    """A report told since the last tick: what stood then and stands now, and the days it has changed by itself."""

    place: int
    name: str
    old: Linkable | None
    now: Linkable | None
    own: frozenset[Bucket]


class _Causes:
    """The incidents that changed between two ticks, in groups that share reports, and who changed them."""

    def __init__(
        self,
        changed: Collection[_Changed],
        again: dict[int, Again],
        last_tick: int,
        agreement: Agreement,
        known: Remembered,
        candidates: Candidates,
    ) -> None:
        self._last_tick = last_tick
        self._known = known
        self._candidates = candidates
        self._agreement = agreement
        self._regions = frozenset(agreement.regions)
        self._baseline = agreement.baseline_days
        self._changed = changed
        places = {place for one in changed for place in (*one.places, *one.others)}
        places.update(again, (telling.place for telling in again.values()))
        self._at: dict[int, Linkable] = {}
        self._named: dict[int, Identity] = {}
        self._revisions: dict[Identity, list[Linkable]] = defaultdict(list)
        self._read(places)
        self._again: dict[Identity, list[Again]] = defaultdict(list)
        for standing, telling in again.items():
            # What stood was an incident, or it had no part in any.
            if standing in self._named:
                self._again[self._named[standing]].append(telling)
        self._own = {telling.place: telling.own for telling in again.values()}
        self._told: dict[Identity, _Told | None] = {}

    def _read(self, places: Collection[int]) -> None:
        for report in sorted(self._known.reports_at(places)):
            self._at[report.fact_offset] = report
            self._named[report.fact_offset] = report.identity
            self._revisions[self._named[report.fact_offset]].append(report)

    def told(self) -> Generator[ByLink | None, None, None]:
        groups = self._groups()
        yield None
        group_of = {identity: number for number, group in enumerate(groups) for identity in self._members(group)}
        days = []
        for group in groups:
            yield None
            days.append(self._days(group))
        by: dict[Identity, set[int]] = defaultdict(set)
        for identity, number in group_of.items():
            by[identity].add(number)
        for rival in self._rivals(groups, group_of, days):
            yield None
            if rival is not None:
                by[rival[0]].add(rival[1])
        causes = [(told, by[identity]) for identity in by if (told := self._told_since(identity)) is not None]
        named = Counter(number for _, numbers in causes for number in numbers)
        too_many = {number for number, reports in named.items() if reports * len(days[number]) > NAMED_AT_MOST}
        for told, numbers in sorted(causes, key=lambda cause: cause[0].place):
            moved = set().union(*(days[number] for number in numbers - too_many))
            yield ByLink(told.name, told.own, frozenset(rest)) if (rest := moved - told.own) else None

    # -- incidents

    def _members(self, group: Iterable[_Changed]) -> set[Identity]:
        return {self._named[place] for one in group for place in (*one.places, *one.others)}

    def _groups(self) -> list[list[_Changed]]:
        """Return the changed incidents, those together that share reports."""
        of_member: dict[Identity, list[_Changed]] = defaultdict(list)
        for one in self._changed:
            for name in self._members([one]):
                of_member[name].append(one)
        groups: list[list[_Changed]] = []
        seen: set[int] = set()
        for first in self._changed:
            group: list[_Changed] = []
            ahead = [first]
            while ahead:
                one = ahead.pop()
                if id(one) not in seen:
                    seen.add(id(one))
                    group.append(one)
                    for name in self._members([one]):
                        # Once is enough: an incident of thousands would be reached from each of its reports.
                        ahead += of_member.pop(name, ())
            if group:
                groups.append(group)
        return groups

    def _days(self, group: list[_Changed]) -> set[Bucket]:
        """Return the days incidents counted for or count for now, and those of reports that stood or stand alone."""
        days: set[Bucket] = set()
        for one in group:
            days |= self._days_touched(one.region, one.truce_day, *one.interval)
        for stood in (True, False):
            elsewhere = self._members(one for one in group if one.stood is not stood)
            for place in (place for one in group if one.stood is stood for place in one.places):
                if self._named[place] in elsewhere:
                    continue
                told = self._told_since(self._named[place])
                alone = self._at[place] if told is None else told.now if stood else told.old
                if alone is not None and self._counts(alone):
                    interval = alone.occurred_from, alone.occurred_to
                    days |= self._days_touched(alone.region, alone.truce_day, *interval)
        return self._with_limits(days)

    def _days_touched(self, region: str, day: date, low: Micros, high: Micros) -> set[Bucket]:
        possible = possible_days(self._agreement, low, high)
        touched = self._agreement.calendar.days_between(*possible) if possible else []
        return {(region, day), *((region, each) for each in touched)}

    def _days_of(self, report: Linkable) -> set[Bucket]:
        return {(report.region, report.truce_day)} if self._counts(report) else set()

    def _with_limits(self, days: set[Bucket]) -> set[Bucket]:
        # Another baseline is another limit for every day of the region.
        return days | {(region, None) for region, day in days if day in self._baseline}

    def _counts(self, report: Linkable) -> bool:
        return not report.retracted and report.region in self._regions

    # -- reports

    def _told_since(self, identity: Identity) -> _Told | None:
        if identity not in self._told:
            self._told[identity] = self._find_told(identity)
        return self._told[identity]

    def _find_told(self, identity: Identity) -> _Told | None:
        revisions, again = self._revisions[identity], self._again.get(identity, [])
        now = next((report for report in revisions if report.present), None)
        old = self._standing_before(revisions, self._last_tick + 1)
        if now is not None and now.fact_offset > self._last_tick:
            place, name = now.fact_offset, f"{now.name}@{now.revision}"
            first = self._with_limits(self._days_of(now))
        elif not again:
            return None
        else:
            # An older revision that came late, or a report that is none of an incident any more.
            (place, name, _), first = max(again, key=lambda telling: telling.place), set()
        return _Told(place, name, old, now, frozenset(self._own.get(place, first)))

    @staticmethod
    def _standing_before(revisions: list[Linkable], place: int) -> Linkable | None:
        earlier = [report for report in revisions if report.fact_offset < place]
        return max(earlier, key=lambda report: report.revision, default=None)

    def _rivals(
        self, groups: list[list[_Changed]], group_of: dict[Identity, int], days: list[set[Bucket]]
    ) -> Iterator[tuple[Identity, int] | None]:
        """Yield reports told since that may have taken a link of a group away or given it back, with its number.

        A report is linked with its closest candidate of each feed. So a rival is, or was before it was told again, a
        candidate of a report of the group, and of the feed of one. The groups that have reports in one crowd get a
        further number, and ``days`` a further item.
        """
        feeds = [{identity.feed for identity in self._members(group)} for group in groups]
        members = {}
        for identity in group_of:
            told = self._told_since(identity)
            now = told.now if told is not None else self._revisions[identity][-1]
            if now is not None and self._counts(now):
                members[now.fact_offset] = now
        replaced = {
            told.old.fact_offset: told.old
            for identity in self._again
            if (told := self._told_since(identity)) is not None and told.old is not None
            if self._counts(told.old) and not told.old.present
        }
        pairs = self._known.partners_of(list(members.values())).near
        since = [(place, other) for place, other in pairs if other > self._last_tick]
        self._read({other for _, other in since} - self._at.keys())
        before = [(other, place) for place, other in self._known.partners_of(list(replaced.values())).near]
        for place, other in (*since, *before):
            yield None
            if place not in members or place in self._known.crowded or not self._counts(rival := self._at[other]):
                continue
            number, told = group_of[self._named[place]], self._told_since(self._named[other])
            # Most reports are of the day of those near them, which they have changed by themselves.
            if told is None or rival.feed not in feeds[number] or days[number] <= told.own:
                continue
            if self._candidates.closeness(members[place], rival) is not None:
                yield self._named[other], number
        for here, there in self._known.gatherings(list(members.values()), list(replaced.values())):
            told_since = [place for place in there if place > self._last_tick or place in replaced]
            self._read(set(told_since) - self._at.keys())
            # Once for the crowd: each of its reports with each of its groups would be the square of their number.
            met = {group_of[self._named[place]] for place in here}
            days.append(set().union(*(days[number] for number in met)))
            for place in told_since:
                yield self._named[place], len(days) - 1
