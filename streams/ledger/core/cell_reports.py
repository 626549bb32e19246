"""Reports of one cell of the blocking index, in columns: sorted by where and when, crowds apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.truceday import MICROS_PER_DAY, Micros
from streams.ledger.core.crowds import Spots

#: Newer reports of a cell stay apart from the sorted ones until they are one in so many of them, or this many.
SHARE_APART, FEWEST_APART = 4, 512

Ints = npt.NDArray[np.int64]
#: A region, and a day since 1970.
Cell = tuple[str, int]
Columns = tuple[npt.NDArray[Any], ...]
NONE: Ints = np.zeros(0, dtype=np.int64)


def cell_of(region: str, occurred_from: Micros) -> Cell:
    """Return the cell that holds a report: its region, and the day since 1970 it begins on."""
    return region, occurred_from // MICROS_PER_DAY


class Run:
    """Reports of a cell sorted by place class, slot and latitude, column by column."""

    __slots__ = ("bits", "feed", "key", "lasts", "longitude", "low", "place", "spot")

    def __init__(self, columns: Columns) -> None:
        order = np.argsort(columns[0], kind="stable")
        self.key, self.place, self.low, self.lasts, self.longitude, self.feed, self.bits, self.spot = (
            column[order] for column in columns
        )

    def standing(self) -> Columns:
        """Return the columns without the reports that were withdrawn."""
        stand = self.feed >= 0
        columns = (self.key, self.place, self.low, self.lasts, self.longitude, self.feed, self.bits, self.spot)
        return columns if stand.all() else tuple(column[stand] for column in columns)

    def __len__(self) -> int:
        return len(self.key)


class CellReports:
    """The reports of one cell: most of them in one run, the newest in another, and apart those in a crowd."""

    __slots__ = ("apart", "crowd", "has_long", "settled")

    def __init__(self) -> None:
        self.settled: Run | None = None
        self.apart: Run | None = None
        #: Nobody's candidates: whoever looks for some must not have to pass over thousands.
        self.crowd: Run | None = None
        self.has_long = False

    def runs(self) -> list[Run]:
        """Return the runs in which candidates are looked for."""
        return [run for run in (self.settled, self.apart) if run is not None]

    def _all(self) -> list[Run]:
        return self.runs() if self.crowd is None else [*self.runs(), self.crowd]

    def __len__(self) -> int:
        return sum(map(len, self._all()))

    @property
    def crowded(self) -> Ints:
        """The places in the facts topic of the reports in a crowd."""
        return NONE if self.crowd is None else self.crowd.place[self.crowd.feed >= 0]

    def spots(self) -> tuple[Ints, Ints]:
        """Return the spot and the place in the facts topic of every report that stands."""
        runs = self._all()
        standing = [run.feed >= 0 for run in runs]
        spot, place = (
            np.concatenate([getattr(run, name)[stand] for run, stand in zip(runs, standing, strict=True)])
            for name in ("spot", "place")
        )
        return spot, place

    def sort_out(self) -> Ints:
        """Part the reports in a crowd from the others; return those that came to a crowd or are in none any more."""
        if len(self) <= Spots.FEWEST and self.crowd is None:
            return NONE
        spot, place = self.spots()
        crowds = Spots.crowds(spot)
        before = self.crowded
        if not len(crowds) and not len(before):
            return NONE
        after = np.unique(place[np.isin(spot, crowds)])
        moved = np.setxor1d(before, after)
        if len(moved):
            pieces = [run.standing() for run in self._all()]
            columns = tuple(np.concatenate(each) for each in zip(*pieces, strict=True))
            inside = np.isin(columns[1], after)
            self.settled, self.apart = Run(tuple(column[~inside] for column in columns)), None
            self.crowd = Run(tuple(column[inside] for column in columns)) if inside.any() else None
        return moved

    def add(self, columns: Columns, *, has_long: bool) -> None:
        """Take in reports, given in the order of a run's columns."""
        self.has_long |= has_long
        self.apart = _joined([self.apart] if self.apart else [], columns)
        if len(self.apart) > max(FEWEST_APART, len(self.settled or ()) // SHARE_APART):
            self.settled = _joined([self.settled] if self.settled else [], self.apart.standing())
            self.apart = None

    def withdraw(self, places: Ints) -> None:
        """Take out the reports at these places in the facts topic."""
        for run in self._all():
            run.feed[np.isin(run.place, places)] = -1


def _joined(runs: list[Run], columns: Columns) -> Run:
    pieces = [*(run.standing() for run in runs), columns]
    return Run(columns if len(pieces) == 1 else tuple(np.concatenate(each) for each in zip(*pieces, strict=True)))
