"""Incident reports met last, so that the store is seldom asked for one."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from schemas.chunks import Numbers
from schemas.rows import Linkable
from streams.ledger.core.fresh import Flags, Fresh

_PRESENT = Linkable._fields.index("present")


class RecentReports:
    """The reports met last, each for itself or in the columns in which it was told for the first time.

    Args:
        kept: how many of each kind may stay in memory.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        # The first is the one met longest ago.
        # Plain tuples: those of a class of their own would be looked at by every run of the garbage collector.
        self._single: dict[int, tuple[Any, ...]] = {}
        #: By the number of their first fact, in its order; with each, which of them still stand.
        self._fresh: dict[int, tuple[Fresh, Flags]] = {}
        #: Runs kept of each chunk, and the rows of all those chunks: a run keeps its whole chunk in memory.
        self._runs: Counter[int] = Counter()
        self._held = 0

    def keep(self, reports: Iterable[tuple[Any, ...]]) -> None:
        """Keep reports, each with the fields of ``Linkable``."""
        single = self._single
        for report in reports:
            single.pop(report[0], None)
            single[report[0]] = report
        for place in list(islice(single, max(0, len(single) - self._kept))):
            del single[place]

    def keep_fresh(self, fresh: Fresh) -> None:
        """Keep reports in columns; all of them stand."""
        self._fresh[fresh.first] = fresh, np.ones(len(fresh), np.bool_)
        self._hold(fresh, 1)
        while self._held > self._kept:
            oldest, _ = self._fresh.pop(next(iter(self._fresh)))
            self._hold(oldest, -1)

    def _hold(self, fresh: Fresh, runs: int) -> None:
        chunk, before = fresh.incidents.chunk, self._runs[fresh.incidents.chunk]
        self._runs[chunk] += runs
        if not (before and self._runs[chunk]):
            self._held += runs * fresh.incidents.held
        if not self._runs[chunk]:
            del self._runs[chunk]

    def replace(self, places: Collection[int]) -> None:
        """Note that reports do not stand any more."""
        for place in places:
            known = self._single.get(place)
            if known is not None:
                self._single[place] = (*known[:_PRESENT], False, *known[_PRESENT + 1 :])
        for _, present, rows in self._rows(places):
            present[rows] = False

    def find(self, places: Collection[int]) -> dict[int, tuple[Any, ...]]:
        """Return by place those that are at hand, as the fields of ``Linkable``."""
        single = self._single
        found = {place: single[place] for place in places if place in single}
        told = [
            report
            for fresh, present, rows in self._rows([place for place in places if place not in found])
            for report in fresh.linkable(rows, present[rows])
        ]
        self.keep(told)
        found.update((report[0], report) for report in told)
        return found

    def _rows(self, places: Collection[int]) -> Iterator[tuple[Fresh, Flags, Numbers]]:
        """Yield which rows of which columns lie at places."""
        firsts = list(self._fresh)
        wanted: defaultdict[int, list[int]] = defaultdict(list)
        for place in places:
            if index := bisect_right(firsts, place):
                wanted[firsts[index - 1]].append(place)
        for first, some in wanted.items():
            fresh, present = self._fresh[first]
            rows = np.searchsorted(fresh.numbers, some)
            rows = rows[fresh.numbers[np.minimum(rows, len(fresh) - 1)] == some]
            if len(rows):
                yield fresh, present, rows
