"""Reports told since the last tick that change stretches of truce-days: they watch, or are of uncertain time.

A notice of a year changes a year of days, and after them those that nobody watches: their reasons tell who watched
last. An incident of uncertain time changes every day that it may have happened on. So a report is kept with the first
and the last day of its stretch, and spread over days at the tick alone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date, timedelta
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple, Protocol

#: Reports named for the days they watch between two ticks, at some 300 bytes each, and as many on a day. They are
#: written with each commit, and without ticks would grow for ever.
WATCHERS_KEPT = 10_000
CAUSES_SHOWN = 10

Bucket = tuple[str, date | None]
_DAY = timedelta(days=1)


class WatchBook(Protocol):
    """What is asked of the aggregates at the tick."""

    def next_watched(self, region: str, feed: str, after: date) -> date | None:
        """Return the first day after another one that a feed watches."""

    def anybody_watches(self, region: str, day: date) -> bool:
        """Whether any feed watches some of a day."""


class Days(NamedTuple):
    """Days of some regions that a report changes: a feed watches them by it, or it tells of what is possible on them.

    ``feed`` is None where nobody watches.
    """

    feed: str | None
    regions: tuple[str, ...]
    first: date
    last: date


class Watcher(NamedTuple):
    """A report, its number among those told since the last tick, and the days it has changed.

    ``touched`` are those it changed otherwise than by watching.
    """

    number: int
    report: str
    watches: list[Days]
    touched: set[Bucket]


class Told(NamedTuple):
    """Reports that changed a day by watching.

    Attributes:
        first: the first of them, each after its number.
        reports: how many there are.
        counted: how many of these are counted for the day already.
    """

    first: tuple[tuple[int, str], ...]
    reports: int
    counted: int


class Watchers:
    """The reports told since the last tick that watch or watched."""

    def __init__(self) -> None:
        self._watchers: dict[str, Watcher] = {}
        #: Of regions that more reports watch: the first day from which all are judged again.
        self._since: dict[str, date] = {}

    def add(self, number: int, report: str, days: Days, touched: set[Bucket]) -> None:
        """Note that ``report`` watches ``days``, or did until now."""
        watcher = self._watchers.get(report)
        if watcher is None and len(self._watchers) >= WATCHERS_KEPT:
            for region in days.regions:
                self._since[region] = min(days.first, self._since.get(region, days.first))
            return
        if watcher is None:
            watcher = self._watchers[report] = Watcher(number, report, [], touched)
        watcher.watches.append(days)

    def touch(self, report: str, buckets: Collection[Bucket]) -> None:
        """Note what ``report`` changed through linking: a notice may correct what was an incident."""
        watcher = self._watchers.get(report)
        if watcher is not None:
            watcher.touched.update(buckets)

    def clear(self) -> None:
        """Forget everything: it was judged."""
        self._watchers.clear()
        self._since.clear()

    def since(self) -> dict[str, date]:
        """Return by region the first day from which all are to be judged, where reports were too many to be kept."""
        return self._since

    def told(self, book: WatchBook, first: date, today: date) -> Iterator[tuple[str, date, Told] | None]:
        """Yield the days from ``first`` to ``today`` that the reports changed; None between pieces of the work."""
        changes: defaultdict[str, dict[date, list[_Change]]] = defaultdict(lambda: defaultdict(list))
        for watcher in self._watchers.values():
            yield None
            for region, low, high, silent in _stretches(watcher, book, today):
                if low <= today and high >= first:
                    changes[region][max(low, first)].append(_Change(watcher, silent, 1))
                    changes[region][min(high, today) + _DAY].append(_Change(watcher, silent, -1))
        for region in sorted(changes):
            yield from _swept(region, changes[region], book)

    def to_values(self, last_tick: int) -> list[Any]:
        """Return everything as values for JSON."""
        watchers = [
            [
                one.number - 2 * last_tick,
                one.report,
                [[feed, regions, low.isoformat(), high.isoformat()] for feed, regions, low, high in one.watches],
                sorted([region, day.isoformat() if day else ""] for region, day in one.touched),
            ]
            for one in self._watchers.values()
        ]
        return [watchers, {region: day.isoformat() for region, day in self._since.items()}]

    @classmethod
    def from_values(cls, values: list[Any], last_tick: int) -> Watchers:
        """Read what ``to_values`` wrote."""
        kept = cls()
        watchers, since = values
        for number, report, watches, touched in watchers:
            days = [
                Days(feed, tuple(regions), date.fromisoformat(low), date.fromisoformat(high))
                for feed, regions, low, high in watches
            ]
            buckets = {(region, date.fromisoformat(day) if day else None) for region, day in touched}
            kept._watchers[report] = Watcher(number + 2 * last_tick, report, days, buckets)
        kept._since = {region: date.fromisoformat(day) for region, day in since.items()}
        return kept


class _Change(NamedTuple):
    """A report begins (1) or ceases (-1) to change days: those it watches, or silent ones after them."""

    watcher: Watcher
    silent: bool
    sign: int


def _stretches(watcher: Watcher, book: WatchBook, today: date) -> Iterator[tuple[str, date, date, bool]]:
    """Yield by region the days a report changes, each once, and whether only those of them that nobody watches."""
    by_region: defaultdict[str, list[tuple[date, date, bool]]] = defaultdict(list)
    for days in watcher.watches:
        for region in days.regions:
            by_region[region].append((days.first, days.last, False))
            if days.feed is None:
                continue
            following = book.next_watched(region, days.feed, days.last)
            by_region[region].append((days.last + _DAY, today if following is None else following - _DAY, True))
    for region, stretches in by_region.items():
        done: list[tuple[date, date]] = []
        for low, high, silent in sorted(stretches, key=lambda one: (one[2], *one[:2])):
            for free in _without(done, low, high):
                yield region, *free, silent
            done.append((low, high))


def _without(done: Collection[tuple[date, date]], low: date, high: date) -> list[tuple[date, date]]:
    """Return what of the days from ``low`` to ``high`` lies outside other stretches of days."""
    free = [(low, high)] if low <= high else []
    for begun, ended in done:
        free = [
            part
            for start, end in free
            for part in ((start, min(end, begun - _DAY)), (max(start, ended + _DAY), end))
            if part[0] <= part[1]
        ]
    return free


def _swept(region: str, changes: dict[date, list[_Change]], book: WatchBook) -> Iterator[tuple[str, date, Told] | None]:
    """Go from day to day with the reports that change each."""
    watching: list[tuple[int, str]] = []
    silent: list[tuple[int, str]] = []
    touching: dict[str, Watcher] = {}
    moments = sorted(changes)
    for moment, following in zip(moments, [*moments[1:], moments[-1]], strict=True):
        for change in changes[moment]:
            yield None
            active = silent if change.silent else watching
            key = (change.watcher.number, change.watcher.report)
            if change.sign > 0:
                insort(active, key)
                if change.watcher.touched:
                    touching[change.watcher.report] = change.watcher
            else:
                del active[bisect_left(active, key)]
        for number in range((following - moment).days):
            day = moment + number * _DAY
            lists = [watching] if not silent or book.anybody_watches(region, day) else [watching, silent]
            reports = sum(map(len, lists))
            if reports:
                first = tuple(islice(merge(*lists), CAUSES_SHOWN))
                yield region, day, Told(first, reports, _counted(touching, lists, region, day))
            else:
                yield None


def _counted(touching: dict[str, Watcher], lists: list[list[tuple[int, str]]], region: str, day: date) -> int:
    """Return how many of the reports that change a day by watching changed it otherwise as well."""
    counted = 0
    for watcher in touching.values():
        if (region, day) in watcher.touched or (region, None) in watcher.touched:
            key = (watcher.number, watcher.report)
            counted += any(key in one[bisect_left(one, key) : bisect_left(one, key) + 1] for one in lists)
    return counted
