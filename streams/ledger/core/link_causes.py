"""Reports told since the last tick that changed linked incidents; docs/judging.md, "Cause", states the rule.

Incidents are compared as they stood at the last tick and stand now. Those that came and went in between never show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Set
from datetime import date
from typing import Any, NamedTuple

from schemas.rows import Identity
from streams.ledger.core.identity import body_digest
from streams.ledger.core.relinking import Incident

Bucket = tuple[str, date | None]
#: A region with a first and a last day.
Span = tuple[str, date, date]

#: Incidents and tellings remembered between two ticks, at some 300 bytes each. They are written with each commit, and
#: without ticks would grow for ever.
CHANGES_KEPT = 10_000
#: Reports times days of a group of incidents. Beyond it nobody is named: ten thousand reports of as many days that one
#: report ties together would else take minutes.
NAMED_AT_MOST = 10_000_000


class Told(NamedTuple):
    """A report, the number of its fact, and the days it has changed by itself."""

    place: int
    name: str
    own: Set[Bucket]


class Changed(NamedTuple):
    """An incident that stood at the last tick and does no more, or that stands only since.

    ``days`` are its own and those of its active reports, ``spans`` where one of these is possible.
    """

    stood: bool
    days: Set[Bucket]
    spans: Set[Span]
    reports: dict[Identity, Told]


class LinkedSince:
    """Incidents that changed since the last tick, and reports told again."""

    def __init__(self) -> None:
        self._incidents: dict[int, Changed] = {}
        self._again: dict[Identity, list[Told]] = {}
        self._too_many = False

    def tell_again(self, identity: Identity, told: Told) -> None:
        """Note a report told again, as an incident or of what was one; the caller may add to its days."""
        self._again.setdefault(identity, []).append(told)
        self._bound()

    def move(self, incident: Incident, changed: Changed) -> None:
        """Note an incident that is no more, or is new."""
        key = _key(incident)
        known = self._incidents.pop(key, None)
        if known is None or known.stood is changed.stood:
            self._incidents[key] = changed
        self._bound()

    def _bound(self) -> None:
        if self._too_many or len(self._incidents) + len(self._again) > CHANGES_KEPT:
            self.clear()
            self._too_many = True

    def clear(self) -> None:
        """Forget everything."""
        self._incidents.clear()
        self._again.clear()
        self._too_many = False

    def causes(self, last_tick: int) -> list[tuple[Told, Set[Bucket], Set[Span]]]:
        """Return, in order, the reports told since ``last_tick`` of incidents that changed, with the days of these."""
        causes = []
        for group in _groups(self._incidents.values()):
            told: dict[int, Told] = {}
            for identity, report in (each for one in group for each in one.reports.items()):
                since = [report, *self._again.get(identity, ())]
                told.update({one.place: one for one in since if one.place > last_tick})
            days = set[Bucket]().union(*(one.days for one in group))
            spans = set[Span]().union(*(one.spans for one in group))
            if len(told) * len(days) <= NAMED_AT_MOST:
                causes += [(one, days, spans) for one in told.values()]
        return sorted(causes, key=lambda cause: cause[0].place)

    def to_values(self, last_tick: int) -> list[Any]:
        """Return everything as values for JSON; places are counted from the last tick, whichever log they lie in."""

        def told(identity: Identity, one: Told) -> list[Any]:
            return [*identity, one.place - last_tick, one.name, _texts(one.own)]

        incidents = [
            [key, stood, _texts(days), _texts(spans), [told(*each) for each in reports.items()]]
            for key, (stood, days, spans, reports) in self._incidents.items()
        ]
        return [self._too_many, incidents, [told(who, one) for who, some in self._again.items() for one in some]]

    @classmethod
    def from_values(cls, values: list[Any], last_tick: int) -> LinkedSince:
        """Read what ``to_values`` wrote."""

        def told(feed: str, report_id: str, place: int, name: str, own: list[list[str]]) -> tuple[Identity, Told]:
            return Identity(feed, report_id), Told(place + last_tick, name, _read(own))

        since = cls()
        since._too_many, incidents, again = values
        for key, stood, days, spans, reports in incidents:
            since._incidents[key] = Changed(stood, _read(days), _read(spans), dict(told(*each) for each in reports))
        for each in again:
            identity, one = told(*each)
            since._again.setdefault(identity, []).append(one)
        return since


def _key(incident: Incident) -> int:
    """Return a digest that two incidents share when they are alike, wherever their reports lie."""
    rows = [row._replace(fact_offset=0) for row in incident.reports]
    return body_digest(repr((incident.content, sorted(rows))).encode())


def _groups(incidents: Collection[Changed]) -> Iterator[list[Changed]]:
    """Yield the connected components of incidents that share reports."""
    of_report: dict[Identity, list[Changed]] = defaultdict(list)
    for one in incidents:
        for identity in one.reports:
            of_report[identity].append(one)
    seen: set[int] = set()
    for first in incidents:
        group, ahead = [], [first]
        while ahead:
            one = ahead.pop()
            if id(one) not in seen:
                seen.add(id(one))
                group.append(one)
                # Once is enough: an incident of thousands would be reached from each of its reports.
                ahead += [other for identity in one.reports for other in of_report.pop(identity, ())]
        yield group


def _texts(days: Iterable[tuple[str, *tuple[date | None, ...]]]) -> list[list[str]]:
    return sorted([region, *(day.isoformat() if day else "" for day in ends)] for region, *ends in days)


def _read(days: Iterable[list[str]]) -> set[Any]:
    return {(region, *(date.fromisoformat(day) if day else None for day in ends)) for region, *ends in days}
