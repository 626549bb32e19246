"""Truce-days that changed since the last tick, with the reports that changed them."""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Iterable, Set
from datetime import date
from operator import itemgetter

from schemas.facts import DismissalFact, Redrive, RejectFact, ReportFact
from schemas.rows import Identity
from schemas.truceday import Micros
from streams.ledger.core.link_causes import Bucket, LinkedSince, Span
from streams.ledger.core.link_causes import Told as Linked
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.report_rows import NO_ORIGIN
from streams.ledger.core.watchers import CAUSES_SHOWN, Days, Told, WatchBook, Watchers

#: What changes days: facts, and redrives that settle a reject of other days than their own.
Changing = ReportFact | RejectFact | DismissalFact | Redrive


class Cause:
    """The reports behind a change: the first few by name, the rest as a number.

    ``shared`` is how many of all of them changed every day of the region as well.
    """

    __slots__ = ("more", "reports", "shared")

    def __init__(self, reports: list[tuple[int, str]] | None = None, more: int = 0, shared: int = 0) -> None:
        #: With their numbers, by which they were told.
        self.reports = reports or []
        self.more = more
        self.shared = shared

    def add(self, number: int, report: str) -> None:
        """Add a report, by name where it is among the first."""
        # Facts that were folded by column came before those between them.
        insort(self.reports, (number, report), key=itemgetter(0))
        if len(self.reports) > CAUSES_SHOWN:
            self.reports.pop()
            self.more += 1


class DirtyDays:
    """Causes by region and truce-day; a day of None stands for every day of the region.

    Kept as JSON text with each commit, so that a ledger that was killed between two ticks judges as if it had not.
    """

    def __init__(self) -> None:
        self._causes: dict[tuple[str, date | None], Cause] = {}
        #: Regions of which something moved that every day rests on, and not only their convoys.
        self.every_day: set[str] = set()
        self._by: Changing | None = None
        self._touched_by_it: set[tuple[str, date | None]] = set()
        #: Where what follows is told: twice the number of its fact, and one more of what its redrive settles.
        self._number = 0
        #: Reports that watch, and at a tick what they changed, by region and day.
        self._watchers = Watchers()
        self._watched: dict[tuple[str, date], Told] = {}
        #: Regions with the first and the last day on which a linked incident is, or was, possible.
        self._spans: set[Span] = set()
        self.linked = LinkedSince()
        #: The ledger's time at the last tick: days that were over by then move only when a report touches them.
        self.judged_to: Micros | None = None

    def tell(self, fact_number: int, *, settles: bool = False) -> None:
        """Note whose touches follow: those of a fact, or of what its redrive settles."""
        self._number = 2 * fact_number + settles

    def touch(self, region: str, day: date | None, fact: Changing) -> None:
        """Note that a report changed what ``region`` and ``day`` rest on; one report's touches follow each other."""
        if day is None:
            self.every_day.add(region)
        self._name(region, day, fact)

    def touch_by_many(self, region: str, day: date, first: list[tuple[int, str]], reports: int) -> None:
        """Note that reports changed one day and nothing else: how many, and the first few with their numbers."""
        cause = self._causes.setdefault((region, day), Cause())
        for number, report in first:
            cause.add(2 * number, report)
        cause.more += reports - len(first)

    def touch_access(self, region: str, fact: ReportFact) -> None:
        """Note that a step of a convoy to ``region`` came or went: it is named on every day of the region.

        Which of these it may have moved the convoys tell themselves, at the tick.
        """
        self._name(region, None, fact)

    def _name(self, region: str, day: date | None, fact: Changing) -> None:
        bucket = (region, day)
        if not self._begin(fact) and bucket in self._touched_by_it:
            # A correction takes out what was there and puts in what is: that is one report, not two.
            return
        self._touched_by_it.add(bucket)
        cause = self._causes.get(bucket)
        if cause is None:
            cause = self._causes[bucket] = Cause()
        cause.add(self._number, _name(fact))
        if day is not None:
            cause.shared += (region, None) in self._touched_by_it
            return
        for other, narrower in self._touched_by_it:
            if other == region and narrower is not None:
                self._causes[other, narrower].shared += 1

    def touch_watched(self, days: Days, fact: ReportFact) -> None:
        """Note that a report changes a stretch of days, or did until now; silent ones after what it watches as well."""
        self._begin(fact)
        self._watchers.add(self._number, _name(fact), days, self._touched_by_it)

    def tell_again(self, fact: ReportFact) -> None:
        """Note that a report was told again, as an incident or of what was one."""
        self._begin(fact)
        told = Linked(self._number // 2, _name(fact), self._touched_by_it)
        self.linked.tell_again(Identity(fact.feed, fact.report_id), told)

    def _begin(self, fact: Changing) -> bool:
        """Note whose touches follow; return whether it is another report than before."""
        if fact is self._by:
            return False
        self._by, self._touched_by_it = fact, set()
        return True

    def spread(self, book: WatchBook, first: date, today: date) -> Pieces[None]:
        """Before a tick judges: find the days from ``first`` to ``today`` that reports changed by watching."""
        for told in self._watchers.told(book, first, today):
            yield
            if told is not None:
                region, day, by = told
                self._watched[region, day] = by

    def watched(self) -> Iterable[tuple[str, date]]:
        """Return the days that reports changed by watching."""
        return self._watched

    def watched_since(self) -> dict[str, date]:
        """Return by region the day from which all are judged, where too many reports watch."""
        return self._watchers.since()

    def touch_by_link(self, told: Linked, days: Set[Bucket], spans: Iterable[Span]) -> None:
        """Note that a report changed days through linking, beside those it has touched by itself."""
        # A copy: a report that watches has its days there as well, and adds to them below.
        number, own = 2 * told.place, frozenset(told.own)
        touched = {*own, *days}
        self._watchers.touch(told.name, days)
        for region, first, last in spans:
            self._watchers.add(number, told.name, Days(None, (region,), first, last), touched)
        for bucket in days - own:
            self._causes[bucket].add(number, told.name)
        for region, day in touched:
            every = (region, None)
            if day is not None and every in touched and not {(region, day), every} <= own:
                self._causes[region, day].shared += 1

    def move(self, days: Iterable[Bucket], spans: Iterable[Span]) -> None:
        """Note that what these days rest on may have changed, whoever did it."""
        for region, day in days:
            self._causes.setdefault((region, day), Cause())
            if day is None:
                self.every_day.add(region)
        self._spans.update(spans)

    def spans(self) -> Iterable[Span]:
        """Return the stretches of days that were noted so."""
        return self._spans

    def days(self) -> list[tuple[str, date | None]]:
        """Return what was touched."""
        return list(self._causes)

    def cause_text(self, region: str, day: date) -> str:
        """Return as JSON text which reports changed this day; none when it was only time."""
        own, every = self._causes.get((region, day)), self._causes.get((region, None))
        found = [cause for cause in (own, every) if cause is not None]
        watched = self._watched.get((region, day))
        reports = sum(len(cause.reports) + cause.more for cause in found) - (own.shared if own else 0)
        of_day = [*(own.reports if own else ())]
        if watched is not None:
            of_day = sorted([*of_day, *watched.first])
            reports += watched.reports - watched.counted
        named = [*of_day, *(every.reports if every else ())]
        shown = list(dict.fromkeys(report for _, report in named))[:CAUSES_SHOWN]
        return json.dumps({"reports": shown, "more": reports - len(shown)}, ensure_ascii=False)

    def judged(self, now: Micros) -> None:
        """Forget everything: it was judged, at ``now``."""
        self._causes.clear()
        self.every_day.clear()
        self.linked.clear()
        self._watchers.clear()
        self._watched.clear()
        self._spans.clear()
        self._by = None
        self.judged_to = now

    def to_text(self, last_tick: int) -> str:
        """Return everything as JSON text, given where in the facts topic the last tick lies."""
        causes = [
            [
                *(region, day and day.isoformat()),
                [(number - 2 * last_tick, report) for number, report in cause.reports],
                *(cause.more, cause.shared),
            ]
            for (region, day), cause in self._causes.items()
        ]
        dirty = {
            "judged_to": self.judged_to,
            "causes": causes,
            "incidents": self.linked.to_values(last_tick),
            "watchers": self._watchers.to_values(last_tick),
            "spans": sorted([region, low.isoformat(), high.isoformat()] for region, low, high in self._spans),
        }
        return json.dumps(dirty, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str, last_tick: int) -> DirtyDays:
        """Read what ``to_text`` wrote; an empty object is a ledger that has not judged yet."""
        dirty = cls()
        stored = json.loads(text)
        dirty.judged_to = stored.get("judged_to")
        for region, day, reports, more, shared in stored.get("causes", []):
            named = [(number + 2 * last_tick, report) for number, report in reports]
            dirty._causes[region, day and date.fromisoformat(day)] = Cause(named, more, shared)
        # Which days a step moved that came or went before the restart, nobody can tell any more.
        dirty.every_day = {region for region, day in dirty._causes if day is None}
        if "incidents" in stored:
            dirty.linked = LinkedSince.from_values(stored["incidents"], last_tick)
        if "watchers" in stored:
            dirty._watchers = Watchers.from_values(stored["watchers"], last_tick)
        for region, low, high in stored.get("spans", []):
            dirty._spans.add((region, date.fromisoformat(low), date.fromisoformat(high)))
        return dirty


def _name(fact: Changing) -> str:
    if isinstance(fact, Redrive):
        return f"{fact.of.topic}/{fact.of.partition}/{fact.of.offset} redrive {fact.number}"
    if isinstance(fact, RejectFact | DismissalFact):
        # A record that is no report is called by where it was read.
        origin = fact.origin or NO_ORIGIN
        return f"{origin.topic}/{origin.partition}/{origin.offset}"
    return f"{fact.feed}/{fact.report_id}@{fact.revision}"
