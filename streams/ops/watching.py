"""Who watched a truce-day when: its stretches with the feeds that watched each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from schemas.truceday import Micros


class Stretch(NamedTuple):
    """A part of a day over which the same feeds watched."""

    start: Micros
    end: Micros
    feeds: tuple[str, ...]


def stretches(
    notices: Mapping[str, Iterable[tuple[Micros, Micros]]], all_day: Iterable[str], start: Micros, end: Micros
) -> list[Stretch]:
    """Cut ``[start, end)`` where the feeds that watch change; feeds of ``all_day`` watch all of it."""
    everywhere = set(all_day)
    clipped = [
        (max(low, start), min(high, end), feed) for feed, spans in notices.items() for low, high in spans if low < high
    ]
    moments = {start, end} | {moment for low, high, _ in clipped for moment in (low, high) if start < moment < end}
    edges = sorted(moments)
    found: list[Stretch] = []
    for low, high in pairwise(edges):
        feeds = tuple(sorted(everywhere | {feed for from_, to, feed in clipped if from_ <= low and high <= to}))
        if found and found[-1].feeds == feeds:
            found[-1] = found[-1]._replace(end=high)
        else:
            found.append(Stretch(low, high, feeds))
    return found
