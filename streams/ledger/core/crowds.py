"""Crowds: spots at which more reports lie than anybody could tell apart; docs/judging.md, "Crowds".

A spot is a place and an hour, or a day where reports last longer. Within its cell, the region and day that reports are
kept by, it is a number.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt

from schemas.agreement import LinkingRules
from streams.ledger.core.linking import GOVERNORATE, reaches_of

Ints = npt.NDArray[np.int64]

#: Reports at a spot of an hour at most, and of a day. The most that real reports came to at one place and day are the
#: 102 videos of Ghouta on 21 August 2013.
AN_HOUR, A_DAY = 100, 200
#: A square's side in hundredths of a degree is the reach of two reports of its class in whole kilometres.
_METRES_OF_A_STEP = 1_000
_SECONDS_OF_AN_HOUR = 3_600
_LONG = 24
#: In a spot's number, from the lowest bit: column, row, class of place, hour.
_ROW, _CLASS, _TIME = 21, 42, 45
_MIDDLE = 1 << 20
_BY_NAME = GOVERNORATE + 1


class Spots:
    """The spots of reports by an agreement's rules."""

    #: So many reports of a cell are never a crowd.
    FEWEST = AN_HOUR

    def __init__(self, rules: LinkingRules) -> None:
        sides = [max(1, ceil(2 * reach / _METRES_OF_A_STEP)) for reach in reaches_of(rules)]
        self._sides = np.array([*sides, 1], dtype=np.float64)

    def by_point(
        self,
        place_class: Ints,
        latitude: npt.NDArray[np.float64],
        longitude: npt.NDArray[np.float64],
        seconds: Ints,
        is_long: npt.NDArray[np.bool_],
    ) -> Ints:
        """Return the spots of reports, given with the seconds since their day began.

        They are squares, or the whole region where points do not tell.
        """
        located = place_class < GOVERNORATE
        side = self._sides[place_class]
        row, column = (
            np.floor(np.floor(np.where(located, degrees, 0.0) * 100.0) / side).astype(np.int64) + _MIDDLE
            for degrees in (latitude, longitude)
        )
        return _at(seconds, is_long) | (place_class << _CLASS) | (row << _ROW) | column

    def by_name(self, name: Ints, seconds: Ints, is_long: npt.NDArray[np.bool_]) -> Ints:
        """Return the spots of reports by the names of their places."""
        return _at(seconds, is_long) | (_BY_NAME << _CLASS) | name

    @staticmethod
    def crowds(spots: Ints) -> Ints:
        """Return those spots that are of more reports than may be at one."""
        found, reports = np.unique(spots, return_counts=True)
        return found[reports > _limit(found)]

    @staticmethod
    def crossed(spots: Ints, new: npt.NDArray[np.bool_], gone: int) -> Ints:
        """Return those spots that are crowds and may have been none before, or the other way round.

        Args:
            new: which of the reports were not there before.
            gone: how many others were there, at whichever of these spots.
        """
        found, index, reports = np.unique(spots, return_inverse=True, return_counts=True)
        before = reports - np.bincount(index, weights=new, minlength=len(found)).astype(np.int64)
        limit = _limit(found)
        return found[np.where(reports > limit, before <= limit, before + gone > limit)]


def _at(seconds: Ints, is_long: npt.NDArray[np.bool_]) -> Ints:
    return np.where(is_long, _LONG, seconds // _SECONDS_OF_AN_HOUR).astype(np.int64) << _TIME


def _limit(spots: Ints) -> Ints:
    return np.where(spots >> _TIME == _LONG, A_DAY, AN_HOUR)
