"""Coverage: which feeds watched a region when, and for how much of a truce-day enough of them did.

Stretches are kept as such, never day by day, so a notice of a year costs what one of an hour does. A day asks only for
the edges that lie in it and for how many stretches were open at its start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from schemas.truceday import MICROS_PER_HOUR, Micros

#: Of a day nobody watched so many feeds are named that had watched before.
MOST_NAMED = 3
#: Edges are kept by day of UTC.
_BLOCK = 24 * MICROS_PER_HOUR
#: Makes the number of every day of the calendar positive, and is a power of two.
_BEFORE_ALL_DAYS = 1 << 20
_DAYS = 1 << 22


class Edge(NamedTuple):
    """The start (``change`` 1) or the end (-1) of a stretch over which a feed watched."""

    at: Micros
    change: int
    feed: str


class Watch:
    """The stretches over which feeds say they watched one region. Every ``add`` has its exact ``remove``."""

    def __init__(self) -> None:
        self._feeds: dict[str, _Stretches] = {}
        self._stale: set[str] = set()
        self._edges: defaultdict[int, set[Edge]] = defaultdict(set)
        self._open = _Sums()
        self._ends = _LastEnds()

    def add(self, feed: str, low: Micros, high: Micros) -> None:
        """Enter a stretch; one that lasts no time watches nothing."""
        if low < high:
            stretches = self._feeds.setdefault(feed, _Stretches())
            insort(stretches.told, (low, high))
            if feed not in self._stale:
                self._move(feed, *stretches.join(low, high))

    def remove(self, feed: str, low: Micros, high: Micros) -> None:
        """Take a stretch out again."""
        if low < high:
            told = self._feeds[feed].told
            del told[bisect_left(told, (low, high))]
            # What others still cover is found when somebody asks, once for all that goes until then.
            self._stale.add(feed)

    def watched(
        self,
        all_day: AbstractSet[str],
        start: Micros,
        end: Micros,
        min_feeds: int,
        instead: tuple[AbstractSet[str], Watch] | None = None,
    ) -> Micros:
        """Return for how many microseconds of ``[start, end)`` at least ``min_feeds`` feeds watched.

        Args:
            all_day: feeds that count as watching the whole day.
            instead: further feeds, and the watch that holds the stretches to take for theirs.
        """
        needed = min_feeds - len(all_day)
        if needed <= 0:
            return end - start
        others, other_watch = instead or (frozenset(), self)
        apart = all_day | others
        edges = [edge for edge in self._between(start, end) if edge.feed not in apart]
        edges += [edge for edge in other_watch._between(start, end) if edge.feed in others]
        watching = self._open_at(start) - sum(self._is_open(feed, start) for feed in apart)
        watching += sum(other_watch._is_open(feed, start) for feed in others)
        total, since = 0, start
        for edge in sorted(edges):
            if watching >= needed:
                total += edge.at - since
            watching += edge.change
            since = edge.at
        return total + (end - since if watching >= needed else 0)

    def watched_until(
        self, all_day: AbstractSet[str], start: Micros, horizon: Micros
    ) -> tuple[tuple[str, Micros], ...] | None:
        """Return each feed that watched some of ``[start, horizon)`` and stopped before its end, with until when.

        Sorted by feed; None when no feed watched any of it.
        """
        open_at_start = self._open_at(start)
        edges = list(self._between(start, horizon))
        if not (open_at_start or all_day or any(edge.change > 0 for edge in edges)):
            return None
        ends = ((feed, self._feeds[feed].last_end(horizon)) for feed in {edge.feed for edge in edges})
        return tuple(sorted((feed, end) for feed, end in ends if end < horizon and feed not in all_day))

    def watched_before(self, start: Micros) -> tuple[tuple[str, Micros], ...]:
        """Return the feeds that had stopped by ``start`` and when: the last ones, at most ``MOST_NAMED``.

        It must lie within no stretch.
        """
        self._settle()
        return self._ends.before(start)

    def anybody(self, start: Micros, end: Micros) -> bool:
        """Whether any feed watched some of ``[start, end)``."""
        return self._open_at(start) > 0 or any(edge.change > 0 for edge in self._between(start, end))

    def feeds(self, start: Micros, end: Micros) -> frozenset[str]:
        """Return the feeds that watched some of ``[start, end)``."""
        self._settle()
        since = ((feed, stretches.next(start)) for feed, stretches in self._feeds.items())
        return frozenset(feed for feed, first in since if first is not None and first < end)

    def next_of(self, feed: str, since: Micros) -> Micros | None:
        """Return the first instant from ``since`` on that a feed watched."""
        self._settle()
        stretches = self._feeds.get(feed)
        return None if stretches is None else stretches.next(since)

    def _between(self, start: Micros, end: Micros) -> Iterator[Edge]:
        """Yield the edges that lie in ``[start, end)``, without ends at its very start."""
        self._settle()
        for block in range(start // _BLOCK, (end - 1) // _BLOCK + 1):
            for edge in self._edges.get(block, ()):
                if start <= edge.at < end and (edge.change > 0 or edge.at > start):
                    yield edge

    def _open_at(self, start: Micros) -> int:
        """Return how many feeds watched before ``start`` and go on."""
        self._settle()
        block = start // _BLOCK
        here = (
            edge for edge in self._edges.get(block, ()) if edge.at < start or (edge.at == start and edge.change < 0)
        )
        return self._open.before(block) + sum(edge.change for edge in here)

    def _is_open(self, feed: str, start: Micros) -> bool:
        stretches = self._feeds.get(feed)
        return stretches is not None and stretches.is_open(start)

    def _settle(self) -> None:
        for feed in self._stale:
            self._move(feed, *self._feeds[feed].join_anew())
            if not self._feeds[feed].told:
                del self._feeds[feed]
        self._stale.clear()

    def _move(self, feed: str, gone: Collection[tuple[Micros, Micros]], new: Collection[tuple[Micros, Micros]]) -> None:
        """Take out the edges of stretches that are no more, and enter those of new ones."""
        for stretch in gone:
            for at, change in zip(stretch, (1, -1), strict=True):
                block = at // _BLOCK
                self._edges[block].remove(Edge(at, change, feed))
                self._open.add(block, -change)
                if not self._edges[block]:
                    del self._edges[block]
            self._ends.remove(stretch[1], feed)
        for stretch in new:
            for at, change in zip(stretch, (1, -1), strict=True):
                self._edges[at // _BLOCK].add(Edge(at, change, feed))
                self._open.add(at // _BLOCK, change)
            self._ends.add(stretch[1], feed)


def watch_of(notices: Mapping[str, Iterable[tuple[Micros, Micros]]]) -> Watch:
    """Return a watch of the stretches that each feed says it watched."""
    watch = Watch()
    for feed, stretches in notices.items():
        for low, high in stretches:
            watch.add(feed, low, high)
    return watch


class _Stretches:
    """What one feed says it watched: ``told`` as it says it, and joined where it overlaps."""

    __slots__ = ("_highs", "_lows", "told")

    def __init__(self) -> None:
        self.told: list[tuple[Micros, Micros]] = []
        self._lows: list[Micros] = []
        self._highs: list[Micros] = []

    def join(self, low: Micros, high: Micros) -> tuple[list[tuple[Micros, Micros]], list[tuple[Micros, Micros]]]:
        """Take in a stretch; return the joined ones that go, and the one that comes for them."""
        # Those that only touch stay apart: of thousands of days in a row one more or less then moves one.
        first, beyond = bisect_right(self._highs, low), bisect_left(self._lows, high)
        gone = list(zip(self._lows[first:beyond], self._highs[first:beyond], strict=True))
        new = (min(low, gone[0][0]), max(high, gone[-1][1])) if gone else (low, high)
        if gone == [new]:
            return [], []
        self._lows[first:beyond], self._highs[first:beyond] = [new[0]], [new[1]]
        return gone, [new]

    def join_anew(self) -> tuple[set[tuple[Micros, Micros]], set[tuple[Micros, Micros]]]:
        """Join all that is told once more; return the joined stretches that are no more, and the new ones."""
        before = set(zip(self._lows, self._highs, strict=True))
        lows: list[Micros] = []
        highs: list[Micros] = []
        for low, high in self.told:
            if highs and low < highs[-1]:
                highs[-1] = max(highs[-1], high)
            else:
                lows.append(low)
                highs.append(high)
        self._lows, self._highs = lows, highs
        after = set(zip(lows, highs, strict=True))
        return before - after, after - before

    def is_open(self, start: Micros) -> bool:
        """Whether it watched before ``start`` and goes on."""
        index = bisect_right(self._highs, start)
        return index < len(self._lows) and self._lows[index] < start

    def last_end(self, horizon: Micros) -> Micros:
        """Return until when it watched before ``horizon``, and that one itself where it goes on."""
        return min(self._highs[bisect_left(self._lows, horizon) - 1], horizon)

    def next(self, since: Micros) -> Micros | None:
        """Return the first instant from ``since`` on that it watched."""
        index = bisect_right(self._highs, since)
        return max(self._lows[index], since) if index < len(self._lows) else None


class _Sums:
    """Numbers by day, and their sum before any day in a few steps: a Fenwick tree in a dictionary."""

    __slots__ = ("_tree",)

    def __init__(self) -> None:
        self._tree: dict[int, int] = {}

    def add(self, day: int, number: int) -> None:
        index = day + _BEFORE_ALL_DAYS
        while index <= _DAYS:
            self._tree[index] = self._tree.get(index, 0) + number
            index += index & -index

    def before(self, day: int) -> int:
        index, total = day + _BEFORE_ALL_DAYS - 1, 0
        while index > 0:
            total += self._tree.get(index, 0)
            index -= index & -index
        return total


class _LastEnds:
    """The feeds that stopped last before any instant, worked out from the first end on as far as somebody asks."""

    __slots__ = ("_ends", "_last")

    def __init__(self) -> None:
        self._ends: list[tuple[Micros, str]] = []
        self._last: list[tuple[tuple[str, Micros], ...]] = []

    def add(self, end: Micros, feed: str) -> None:
        index = bisect_left(self._ends, (end, feed))
        self._ends.insert(index, (end, feed))
        del self._last[index:]

    def remove(self, end: Micros, feed: str) -> None:
        index = bisect_left(self._ends, (end, feed))
        del self._ends[index], self._last[index:]

    def before(self, start: Micros) -> tuple[tuple[str, Micros], ...]:
        index = bisect_left(self._ends, (start + 1,))
        while len(self._last) < index:
            end, feed = self._ends[len(self._last)]
            others = [one for one in (self._last[-1] if self._last else ()) if one[0] != feed]
            self._last.append(tuple(sorted([(feed, end), *others], key=lambda one: (-one[1], one[0]))[:MOST_NAMED]))
        return self._last[index - 1] if index else ()
