"""Reports filed by when and where they lie, so that few are compared: all that could be candidates are among them.

Nothing here decides. A pair whose places agree lies within a distance of each other, and so within bands of latitude
and longitude, or bears one name while one of the two has no place but that; its times lie within the patience of the
rules.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import asin, cos, degrees, radians, sin

from schemas.agreement import LinkingRules
from schemas.truceday import MICROS_PER_HOUR, Micros
from sinks.verify.candidates import (
    EARTH_METRES,
    GOVERNORATE,
    LONGEST,
    MICROS_PER_MINUTE,
    called_the_same,
    is_timely,
    place_class,
)
from sinks.verify.history import NaiveReport

#: Reports up to this long are filed by the hour, longer ones by the day.
SHORT = MICROS_PER_HOUR
DAY = 24 * MICROS_PER_HOUR
#: Where a report is filed that lies anywhere in its region.
ANYWHERE = 0.0
#: What a place's name is filed under. No precision has a stroke in it, so that none is taken for a name.
LOCATED, NAMED_ONLY = "+/", "-/"

#: Region, what the place is told by, and whether the reports there are short.
Shelf = tuple[str, str | None, bool]


class Neighbours:
    """The timely incident reports of all regions, by shelf, begun hour or day, and latitude."""

    def __init__(self, rules: LinkingRules, reports: Iterable[NaiveReport]) -> None:
        self._patience = rules.minutes * MICROS_PER_MINUTE
        self._reaches = {
            "exact": rules.exact_metres,
            "near": rules.near_metres,
            "district": rules.district_metres,
        }
        #: A governorate's name is enough: all reports of a region lie near each other.
        self._wide = rules.weakest_place == "governorate"
        shelves: dict[Shelf, dict[int, list[tuple[float, int, NaiveReport]]]] = defaultdict(lambda: defaultdict(list))
        for number, report in enumerate(reports):
            if is_timely(report):
                short = report.occurred_to - report.occurred_from <= SHORT
                span = report.occurred_from // (SHORT if short else DAY)
                for told, latitude in self._filed(report):
                    shelves[report.regions[0], told, short][span].append((latitude, number, report))
        self._shelves = {
            shelf: {span: _by_latitude(filed) for span, filed in spans.items()} for shelf, spans in shelves.items()
        }

    def of(self, report: NaiveReport) -> list[NaiveReport]:
        """Return whatever could be a candidate for a report, itself perhaps, each once."""
        if not is_timely(report):
            return []
        found: dict[tuple[str, str, int], NaiveReport] = {}
        for told, latitude in self._filed(report):
            for there, reach in self._within(told):
                width = degrees((reach + 1) / EARTH_METRES)
                for other in self._between(report, there, latitude - width, latitude + width):
                    if not reach or _beside(report, other, width):
                        found[other.feed, other.report_id, other.revision] = other
        return list(found.values())

    def _filed(self, report: NaiveReport) -> Iterator[tuple[str | None, float]]:
        """Yield what tells a report's place, and its latitude."""
        if self._wide:
            yield None, ANYWHERE
            return
        rank, located = place_class(report), False
        if rank is not None and rank < GOVERNORATE and report.point is not None:
            located = True
            yield report.place_precision, report.point[0]
        if called_the_same(report, report):
            yield f"{LOCATED if located else NAMED_ONLY}{report.place_key}", ANYWHERE

    def _within(self, told: str | None) -> Iterable[tuple[str | None, int]]:
        """Return what the places near one may be told by, and within how many metres they lie."""
        own = self._reaches.get(told or "")
        if own is not None:
            return [(other, own + reach) for other, reach in self._reaches.items()]
        if told is None:
            return [(None, 0)]
        # Of two that are located the distance decides, whatever they are called.
        name = told[len(LOCATED) :]
        there = [NAMED_ONLY] if told.startswith(LOCATED) else [NAMED_ONLY, LOCATED]
        return [(f"{how}{name}", 0) for how in there]

    def _between(self, report: NaiveReport, told: str | None, south: float, north: float) -> Iterator[NaiveReport]:
        earliest, until = report.occurred_from - self._patience, report.occurred_to + self._patience
        for short, length, longest in ((True, SHORT, SHORT), (False, DAY, LONGEST)):
            spans = self._shelves.get((report.regions[0], told, short))
            if spans is None:
                continue
            since: Micros = earliest - longest
            for span in range(since // length, until // length + 1):
                if span in spans:
                    latitudes, reports = spans[span]
                    for other in reports[bisect_left(latitudes, south) : bisect_right(latitudes, north)]:
                        if other.occurred_from <= until and other.occurred_to >= earliest:
                            yield other


def _beside(one: NaiveReport, other: NaiveReport, width: float) -> bool:
    """Whether two points may lie within an arc of ``width`` degrees, by their longitudes."""
    if one.point is None or other.point is None:
        return True
    # No point of a circle around the first lies further east than where a meridian touches the circle.
    ratio = sin(radians(width)) / max(cos(radians(one.point[0])), 1e-9)
    apart = abs(one.point[1] - other.point[1])
    return ratio >= 1 or min(apart, 360 - apart) <= degrees(asin(ratio))


def _by_latitude(filed: list[tuple[float, int, NaiveReport]]) -> tuple[list[float], list[NaiveReport]]:
    filed.sort()
    return [latitude for latitude, _, _ in filed], [report for _, _, report in filed]
