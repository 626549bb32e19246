"""Coverage: for how much of a truce-day enough feeds were watching."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from schemas.truceday import Micros

#: Of a day nobody watched so many feeds are named that had watched before.
MOST_NAMED = 3


def watched(
    notices: Mapping[str, Iterable[tuple[Micros, Micros]]],
    all_day: Iterable[str],
    start: Micros,
    end: Micros,
    min_feeds: int,
) -> Micros:
    """Return for how many microseconds of ``[start, end)`` at least ``min_feeds`` feeds watched.

    Args:
        notices: per feed, the stretches it says it watched; they may overlap and reach beyond the day.
        all_day: feeds that count as watching the whole day.
    """
    everywhere = set(all_day)
    needed = min_feeds - len(everywhere)
    if needed <= 0:
        return end - start
    edges: list[tuple[Micros, int]] = []
    for feed, stretches in notices.items():
        if feed in everywhere:
            continue
        for low, high in _union(stretches, start, end):
            edges.append((low, 1))
            edges.append((high, -1))
    edges.sort()
    total = watching = 0
    since = start
    for at, change in edges:
        if watching >= needed:
            total += at - since
        watching += change
        since = at
    return total


def watched_until(
    notices: Mapping[str, Iterable[tuple[Micros, Micros]]], all_day: Iterable[str], start: Micros, horizon: Micros
) -> tuple[tuple[str, Micros], ...] | None:
    """Return each feed that watched some of ``[start, horizon)`` and stopped before its end, with until when.

    Sorted by feed; None when no feed watched any of it.
    """
    everywhere = set(all_day)
    last = {
        feed: joined[-1][1]
        for feed, stretches in notices.items()
        if (joined := _union(((low, high) for low, high in stretches if low < high), start, horizon))
    }
    if not last and not everywhere:
        return None
    return tuple(sorted((feed, end) for feed, end in last.items() if end < horizon and feed not in everywhere))


def watched_before(ends: Mapping[str, Sequence[Micros]], start: Micros) -> tuple[tuple[str, Micros], ...]:
    """Return the feeds that had watched by ``start`` and until when: those that watched last, at most ``MOST_NAMED``.

    ``ends`` has per feed, in order, the ends of all it says it watched; later ones than ``start`` are no part of it.
    """
    last = [(-told[ended - 1], feed) for feed, told in ends.items() if (ended := bisect_right(told, start))]
    return tuple((feed, -end) for end, feed in sorted(last)[:MOST_NAMED])


def _union(stretches: Iterable[tuple[Micros, Micros]], start: Micros, end: Micros) -> list[tuple[Micros, Micros]]:
    """Clip to ``[start, end)`` and join what overlaps, so that a feed counts once however often it says so."""
    clipped = sorted((max(low, start), min(high, end)) for low, high in stretches if low < end and high > start)
    joined: list[tuple[Micros, Micros]] = []
    for low, high in clipped:
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined
