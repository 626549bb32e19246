"""Blocking index of reports by region, time and place, in memory: who may tell of one occurrence.

A report that stands takes 41 bytes here, in the cell of its region and of the UTC day it begins on: once where its
point puts it and once under the name of its place, if it may be linked by them. Cells that were not looked into for
longest are dropped when there are too many, and read again from the store. What is found may be a candidate or be none
after all: the exact test comes later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.agreement import LinkingRules
from schemas.rows import Placed
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, Micros
from streams.ledger.core.cell_reports import NONE, Cell, CellReports, Columns, Ints, Run
from streams.ledger.core.crowds import Spots
from streams.ledger.core.linking import GOVERNORATE, LONGEST_INTERVAL, NAMED, PLACE_ORDER, reaches_of
from streams.ledger.core.probes import NO_NAME, PlacedColumns, ProbeBuilder, Probes, in_columns

#: About 250 MB.
ROWS_KEPT = 6_000_000
#: Cells read from the store at once: what a question may hold in memory beyond the rows kept.
CELLS_AT_ONCE = 128
#: Pairs tested at once, at some 50 bytes each: where thousands tell of one place and hour there are millions.
PAIRS_AT_ONCE = 1 << 20

#: Reports of an hour at most are looked for in stretches of four hours, longer ones in the whole day.
_SLOT = 4 * MICROS_PER_HOUR
_SLOTS = 6
_LONG = _SLOTS
_SHORT_AT_MOST = MICROS_PER_HOUR
#: A degree of latitude is 111.2 km, and no great circle is shorter than 2/pi of the way along the parallel of
#: its end nearer to a pole. The slack covers what single precision and whole seconds take away.
_METRES_NORTH, _METRES_EAST, _SLACK_METRES, _SLACK_SECONDS = 111_000, 70_000, 20, 2
_LATITUDE_STEPS = 2**32 - 1
#: Beside the place classes: reports by name, apart from those with a point, which only such without look for.
_BY_NAME, _BY_NAME_WITH_POINT = GOVERNORATE + 1, GOVERNORATE + 2


class _Sought(NamedTuple):
    """What probes look for on a day of their region: stretches of keys, first to last, each within a reach."""

    probe: Ints
    day: Ints
    is_long: npt.NDArray[np.bool_]
    reach: npt.NDArray[np.float64]
    first: Ints
    last: Ints


class BlockingIndex:
    """Blocking index of an agreement's reports: which may be candidates for each other.

    Args:
        regions: the agreement's; reports elsewhere have no candidates.
        rows_kept: how many reports may stay in memory.
    """

    def __init__(self, rules: LinkingRules, regions: Sequence[str], rows_kept: int = ROWS_KEPT) -> None:
        self._regions = {region: number for number, region in enumerate(regions)}
        self._region_names = list(regions)
        self._rows_kept = rows_kept
        self._rows = 0
        self._patience = rules.minutes * 60 * MICROS_PER_SECOND
        self._weakest = PLACE_ORDER[rules.weakest_place]
        self._reaches = np.array(reaches_of(rules), dtype=np.float64)
        self._classes = [np.int64(rank) for rank in range(self._weakest + 1) if rank != NAMED]
        self._builder = ProbeBuilder(rules, regions)
        # The first is the one not looked into for longest.
        self._cells: dict[Cell, CellReports] = {}
        self._stored: set[Cell] = set()
        self._spots = Spots(rules)
        #: Since ``begin``: reports that came to a crowd or are in none any more; those asked about that are in one; and
        #: of cells that are not in memory, which reports came and how many went.
        self._moved: set[int] = set()
        self.crowded: set[int] = set()
        self._came: dict[Cell, set[int]] = {}
        self._went: Counter[Cell] = Counter()

    def probes(self, *columns: PlacedColumns) -> Probes:
        """Return, of reports in columns, those that may have candidates."""
        return self._builder.build(*columns)

    def restore(self, stored: Iterable[Cell]) -> None:
        """Begin with nothing in memory, and reports in the store for ``stored``."""
        self._stored = {cell for cell in stored if cell[0] in self._regions}

    # -- what stands

    def begin(self) -> None:
        """Begin to note which reports come to a crowd, and which are in none any more."""
        self._moved.clear()
        self.crowded.clear()
        self._came.clear()
        self._went.clear()

    def take_moved(self) -> set[int]:
        """Return the places of reports that stood before and came to a crowd since, or are in none any more."""
        moved, self._moved = self._moved, set()
        return moved

    def add(self, probes: Probes) -> None:
        """Take in present reports, not merged. The store has them as well."""
        came = self._enter(probes, skipped=self._stored)
        for cell in came:
            self._moved.update(self._sort_out(cell).tolist())
        self._moved.difference_update(*came.values())
        for cell, places in came.items():
            if cell not in self._cells:
                self._came.setdefault(cell, set()).update(places)
        self._trim()

    def withdraw(self, cells: Iterable[tuple[Cell, int]]) -> None:
        """Take out reports that no longer stand, given by cell and place in the facts topic."""
        by_cell: dict[Cell, list[int]] = {}
        for cell, place in cells:
            by_cell.setdefault(cell, []).append(place)
        for cell, places in by_cell.items():
            if cell in self._cells:
                self._cells[cell].withdraw(np.array(places, dtype=np.int64))
                self._moved.update(self._sort_out(cell).tolist())
            else:
                self._went[cell] += len(places)

    def _enter(self, probes: Probes, skipped: Collection[Cell]) -> dict[Cell, list[int]]:
        """Take in reports, but for those of ``skipped`` cells; return the places of all by cell."""
        if not len(probes.place):
            return {}
        day, low, is_long = _begun(probes)
        lasts = -((probes.low - probes.high) // MICROS_PER_SECOND)
        slot = np.where(is_long, _LONG, low // (_SLOT // MICROS_PER_SECOND))
        of, spots = self._spots_of(probes, low, is_long)
        columns: Columns = (
            _key(probes.place_class, slot, _steps(probes.latitude)),
            probes.place,
            low.astype(np.int32),
            lasts.astype(np.int32),
            probes.longitude.astype(np.float32),
            probes.feed.astype(np.int32),
            probes.bits,
        )
        columns = (*(column[of] for column in columns), spots)
        called = np.flatnonzero(probes.name != NO_NAME)
        if len(called):
            by_name = np.where(probes.place_class[called] < GOVERNORATE, _BY_NAME_WITH_POINT, _BY_NAME)
            columns[0][-len(called) :] = _key(by_name, slot[called], probes.name[called])
        came = {}
        for cell, rows in self._by_cell(probes.region[of], day[of]):
            came[cell] = columns[1][rows].tolist()
            if cell not in skipped:
                known = self._cells.setdefault(cell, CellReports())
                before = len(known)
                known.add(tuple(column[rows] for column in columns), has_long=bool(is_long[of[rows]].any()))
                self._rows += len(known) - before
        return came

    def _spots_of(self, probes: Probes, low: Ints, is_long: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Return at which spots reports are, once by point and once by name, by their indices."""
        placed, called = np.flatnonzero(probes.place_class <= self._weakest), np.flatnonzero(probes.name != NO_NAME)
        by_point = self._spots.by_point(
            probes.place_class[placed], probes.latitude[placed], probes.longitude[placed], low[placed], is_long[placed]
        )
        by_name = self._spots.by_name(probes.name[called], low[called], is_long[called])
        return np.concatenate((placed, called)), np.concatenate((by_point, by_name))

    def _by_cell(self, region: Ints, day: Ints) -> list[tuple[Cell, Ints]]:
        """Return the indices of each cell's entries."""
        code = day * len(self._regions) + region
        order = np.argsort(code, kind="stable")
        codes, starts = np.unique(code[order], return_index=True)
        return [
            ((self._region_names[one % len(self._regions)], one // len(self._regions)), rows)
            for one, rows in zip(codes.tolist(), np.split(order, starts[1:]), strict=True)
        ]

    # -- what is near

    def pairs(
        self, probes: Probes, read: Callable[[Collection[Cell]], Iterable[list[Placed]]]
    ) -> list[tuple[int, int]]:
        """Return pairs of one of ``probes`` and a report that stands and may be a candidate for it.

        Args:
            read: gives from the store, in portions, the present reports of cells that are not merged.
        """
        if not len(probes.place):
            return []
        wanted = self._by_cell_near(probes)
        found: list[tuple[int, int]] = []
        missing = [cell for cell in wanted if cell in self._stored]
        for cell, entries in wanted.items():
            if cell not in self._stored:
                self._look(cell, probes, entries, found)
        for first in range(0, len(missing), CELLS_AT_ONCE):
            portion = missing[first : first + CELLS_AT_ONCE]
            self._stored.difference_update(portion)
            for rows in read(portion):
                self._enter(self.probes(in_columns(rows)), skipped=())
            for cell in portion:
                self._sort_out_read(cell)
                self._look(cell, probes, wanted[cell], found)
            self._trim()
        self._trim()
        return found

    def _sort_out(self, cell: Cell) -> Ints:
        """Part the crowds of a cell from its others; return which have come to one or are in none any more."""
        known = self._cells.get(cell)
        if known is None:
            return NONE
        before = len(known)
        moved = known.sort_out()
        self._rows += len(known) - before
        return moved

    def _sort_out_read(self, cell: Cell) -> None:
        """Part the crowds of a cell that was read anew, and note what may have crossed their bounds since ``begin``."""
        known = self._cells.get(cell)
        if known is None:
            return
        # Not noted: what is read was in memory before, or is told of below.
        self._sort_out(cell)
        came, went = self._came.pop(cell, set()), self._went.pop(cell, 0)
        if came or went:
            spot, place = known.spots()
            new = np.isin(place, np.fromiter(came, dtype=np.int64, count=len(came)))
            crossed = Spots.crossed(spot, new, went)
            self._moved.update(set(place[np.isin(spot, crossed)].tolist()) - came)

    def _look(self, cell: Cell, probes: Probes, sought: _Sought, found: list[tuple[int, int]]) -> None:
        known = self._cells.pop(cell, None)
        if known is None:
            return
        self._cells[cell] = known
        if known.crowd is not None:
            asked = np.unique(probes.place[sought.probe])
            self.crowded.update(asked[np.isin(asked, known.crowded)].tolist())
        if not known.has_long:
            sought = _Sought._make(column[~sought.is_long] for column in sought)
        if not len(sought.probe):
            return
        day = cell[1] * MICROS_PER_DAY
        for run in known.runs():
            starts = np.searchsorted(run.key, sought.first, "left")
            lengths = np.searchsorted(run.key, sought.last, "right") - starts
            for part in _portions(lengths):
                self._test(run, day, probes, sought.probe[part], sought.reach[part], starts[part], lengths[part], found)

    def _test(
        self,
        run: Run,
        day: Micros,
        probes: Probes,
        probe: Ints,
        reach: npt.NDArray[np.float64],
        starts: Ints,
        lengths: Ints,
        found: list[tuple[int, int]],
    ) -> None:
        """Compare each probe with its stretch of a run."""
        entry = np.repeat(np.arange(len(probe)), lengths)
        row = np.arange(len(entry)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)
        patience = self._patience // MICROS_PER_SECOND + _SLACK_SECONDS
        begins = (probes.low[probe] - day) // MICROS_PER_SECOND - patience
        ends = (probes.high[probe] - day) // MICROS_PER_SECOND + patience
        of = probe[entry]
        low = run.low[row]
        near = (low <= ends[entry]) & (low + run.lasts[row] >= begins[entry])
        row, of, entry = row[near], of[near], entry[near]
        feed = run.feed[row]
        fits = (feed >= 0) & ((run.bits[row] & probes.bits[of]) != 0) & (run.place[row] != probes.place[of])
        fits &= (feed != probes.feed[of]) | self._builder.may_repeat[feed]
        row, of, entry = row[fits], of[fits], entry[fits]
        allowed = reach[entry]
        apart = np.abs(run.longitude[row] - probes.longitude[of])
        # The latitude nearer to a pole of the two is at most the probe's and the reach.
        polar = np.abs(np.nan_to_num(probes.latitude[of])) + np.where(np.isinf(allowed), 90.0, allowed / _METRES_NORTH)
        east = np.minimum(apart, 360 - apart) * _METRES_EAST * np.cos(np.radians(np.minimum(polar, 90.0)))
        close = np.isinf(allowed) | (east <= allowed)
        found += zip(probes.place[of[close]].tolist(), run.place[row[close]].tolist(), strict=True)

    def _by_cell_near(self, probes: Probes) -> dict[Cell, _Sought]:
        """Return by cell what the probes look for in it."""
        latest = probes.high + self._patience
        short_probe, short = _stretch(probes.low - self._patience - _SHORT_AT_MOST, latest, _SLOT)
        long_probe, long = _stretch(probes.low - self._patience - LONGEST_INTERVAL, latest, MICROS_PER_DAY)
        probe = np.concatenate((short_probe, long_probe))
        day = np.concatenate((short // _SLOTS, long))
        slot = np.concatenate((short % _SLOTS, np.full(len(long), _LONG)))
        # For all cells together: an hour's reports come to hundreds of cells, each with a handful of them.
        pieces = [*self._by_point(probes, probe, day, slot), *self._by_names(probes, probe, day, slot)]
        sought = _Sought._make(np.concatenate(columns) for columns in zip(*pieces, strict=True))
        cells = self._by_cell(probes.region[sought.probe], sought.day)
        return {cell: _Sought._make(column[rows] for column in sought) for cell, rows in cells}

    def _by_point(self, probes: Probes, probe: Ints, day: Ints, slot: Ints) -> Iterator[_Sought]:
        placed = probes.place_class[probe] <= self._weakest
        if not placed.all():
            probe, day, slot = probe[placed], day[placed], slot[placed]
        # Every class of place has its own reach.
        for of_class in self._classes:
            coarsest = np.maximum(of_class, probes.place_class[probe])
            located = coarsest < GOVERNORATE
            reach = np.full(len(probe), np.inf)
            if of_class < GOVERNORATE:
                reach[located] = self._reaches[of_class] + self._reaches[probes.place_class[probe][located]]
                reach[located] += _SLACK_METRES
            latitude = np.where(located, probes.latitude[probe], 0.0)
            span = np.where(located, reach / _METRES_NORTH, 360.0)
            first, last = _steps(latitude - span), _steps(latitude + span) + 1
            yield _Sought(probe, day, slot == _LONG, reach, _key(of_class, slot, first), _key(of_class, slot, last))

    def _by_names(self, probes: Probes, probe: Ints, day: Ints, slot: Ints) -> Iterator[_Sought]:
        called = probes.name[probe] != NO_NAME
        # Of two with points these decide.
        without = called & (probes.place_class[probe] == GOVERNORATE)
        for of_class, which in ((_BY_NAME, called), (_BY_NAME_WITH_POINT, without)):
            if which.any():
                key = _key(np.int64(of_class), slot[which], probes.name[probe[which]])
                reach = np.full(len(key), np.inf)
                yield _Sought(probe[which], day[which], slot[which] == _LONG, reach, key, key)

    def _trim(self) -> None:
        """Drop the cells not looked into for longest until the rest is within bounds."""
        while self._rows > self._rows_kept:
            cell = next(iter(self._cells))
            self._rows -= len(self._cells.pop(cell))
            self._stored.add(cell)


def _begun(probes: Probes) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return on which days reports begin, at which second of the day, and whether they last long."""
    day = probes.low // MICROS_PER_DAY
    low = (probes.low - day * MICROS_PER_DAY) // MICROS_PER_SECOND
    return day, low, probes.high - probes.low > _SHORT_AT_MOST


def _steps(latitude: npt.NDArray[np.float64]) -> Ints:
    """Return latitudes as whole steps from the south pole; without one, the first."""
    share = (np.nan_to_num(latitude, nan=-90.0) + 90.0) / 180.0
    return (np.clip(share, 0.0, 1.0) * _LATITUDE_STEPS).astype(np.int64)


def _key(place_class: Ints | np.int64, slot: Ints, steps: Ints) -> Ints:
    return ((place_class * (_SLOTS + 2) + slot) << 33) | steps


def _portions(lengths: Ints) -> list[slice]:
    """Return slices of stretches with about ``PAIRS_AT_ONCE`` rows each; a longer stretch stays whole."""
    begun = (np.cumsum(lengths) - lengths) // PAIRS_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(begun)) + 1).tolist(), len(lengths)]
    return [slice(*ends) for ends in pairwise(cuts) if lengths[slice(*ends)].any()]


def _stretch(low: Ints, high: Ints, width: int) -> tuple[Ints, Ints]:
    """Return for every interval, by its index, the numbers of all stretches of a width that it touches."""
    first = low // width
    lengths = high // width - first + 1
    index = np.repeat(np.arange(len(low)), lengths)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(lengths) - lengths - first, lengths)
