"""Probes: reports that state time and place well enough to have candidates, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from schemas.agreement import LinkingRules
from schemas.rows import Placed
from streams.ledger.core.cell_reports import Ints
from streams.ledger.core.linking import GOVERNORATE, KIND_BITS, LONGEST_INTERVAL, NAMED, PLACE_ORDER, names_a_place

#: What stands for no name, and for a region that is none of the agreement's.
NO_NAME = NO_REGION = -1
_TELLING_TIMES = frozenset(("minute", "hour", "day"))

#: Reports in columns, in the order of the fields of ``Placed``.
PlacedColumns = tuple[Any, ...]


def in_columns(rows: Sequence[tuple[Any, ...]]) -> PlacedColumns:
    """Return the columns of rows with the fields of ``Placed``."""
    return tuple(zip(*rows, strict=True)) or ((),) * len(Placed._fields)


class Probes(NamedTuple):
    """Reports that state time and place well enough to have candidates, as columns."""

    place: Ints
    region: Ints
    low: Ints
    high: Ints
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    place_class: Ints
    name: Ints
    feed: Ints
    bits: npt.NDArray[np.uint8]


class ProbeBuilder:
    """Builder of probes, which numbers the feeds it meets.

    Args:
        regions: the agreement's; reports elsewhere have no candidates.
    """

    def __init__(self, rules: LinkingRules, regions: Sequence[str]) -> None:
        self._regions = {region: number for number, region in enumerate(regions)}
        self._weakest = PLACE_ORDER[rules.weakest_place]
        # Where a governorate is enough, all of one are found whatever they are called.
        self._by_name = NAMED <= self._weakest < GOVERNORATE
        self._repeats = frozenset(rules.repeating_feeds)
        self._feeds: dict[str, int] = {}
        #: By a feed's number, whether two of its reports may be of one incident.
        self.may_repeat = np.zeros(0, dtype=np.bool_)

    def build(self, *columns: PlacedColumns) -> Probes:
        """Return, of reports in columns, those that may have candidates."""
        return Probes._make(np.concatenate(each) for each in zip(*map(self._probes, columns), strict=True))

    def _probes(self, columns: PlacedColumns) -> Probes:
        place, feed, region, low, high, time, precision, latitude, longitude, called, kind = columns
        count = len(place)
        for one in dict.fromkeys(feed):
            self._feeds.setdefault(one, len(self._feeds))
        if len(self._feeds) > len(self.may_repeat):
            self.may_repeat = np.array([one in self._repeats for one in self._feeds])
        begins, ends = np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)
        regions = np.fromiter(map(self._regions.get, region, repeat(NO_REGION)), np.int64, count)
        stated = np.fromiter(map(_TELLING_TIMES.__contains__, time), np.bool_, count)
        stated &= np.fromiter(map("country".__ne__, precision), np.bool_, count)
        stated &= (regions != NO_REGION) & (ends - begins <= LONGEST_INTERVAL)
        north, east = np.array(latitude, dtype=np.float64), np.array(longitude, dtype=np.float64)
        classes = np.fromiter(map(PLACE_ORDER.get, precision, repeat(GOVERNORATE)), np.int64, count)
        classes[np.isnan(north) | np.isnan(east)] = GOVERNORATE
        names = np.full(count, NO_NAME, dtype=np.int64)
        if self._by_name:
            for row, (precise, key) in enumerate(zip(precision, called, strict=True)):
                if names_a_place(precise, key):
                    names[row] = crc32(key.encode())
        exact = stated & ((classes <= self._weakest) | (names != NO_NAME))
        probes = Probes(
            np.asarray(place, dtype=np.int64),
            regions,
            begins,
            ends,
            north,
            east,
            classes,
            names,
            np.fromiter(map(self._feeds.__getitem__, feed), np.int64, count),
            np.fromiter(map(KIND_BITS.__getitem__, kind), np.uint8, count),
        )
        return Probes._make(column[exact] for column in probes)
