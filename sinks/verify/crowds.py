"""At which spots a report lies, and how many reports at one are a crowd: docs/judging.md, "Crowds"."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import NamedTuple

from schemas.agreement import LinkingRules
from schemas.truceday import MICROS_PER_HOUR
from sinks.verify.candidates import CLASSES, GOVERNORATE, NAMED, called_the_same, is_timely, place_class
from sinks.verify.history import NaiveReport

#: The most reports at a spot that are no crowd: in an hour, and in a day.
AN_HOUR, A_DAY = 100, 200


class Spot(NamedTuple):
    """A place of a region, by what it is told, and an hour or a day of UTC since 1970."""

    region: str
    place: tuple[object, ...]
    span: str
    number: int

    @property
    def most(self) -> int:
        """How many reports may be there before they are a crowd."""
        return AN_HOUR if self.span == "hour" else A_DAY


def spots(rules: LinkingRules, report: NaiveReport) -> list[Spot]:
    """Return where a report lies: nowhere when it can have no candidates, else at one or two spots."""
    if report.merged_into is not None or not is_timely(report) or place_class(report) is None:
        return []
    short = report.occurred_to - report.occurred_from <= MICROS_PER_HOUR
    span, length = ("hour", MICROS_PER_HOUR) if short else ("day", 24 * MICROS_PER_HOUR)
    return [
        Spot(report.regions[0], place, span, report.occurred_from // length) for place in set(_places(rules, report))
    ]


def _places(rules: LinkingRules, report: NaiveReport) -> Iterator[tuple[object, ...]]:
    rank, weakest = place_class(report), CLASSES.index(rules.weakest_place)
    if rank == GOVERNORATE == weakest:
        yield ("anywhere",)
    elif rank is not None and rank < GOVERNORATE and rank <= weakest and report.point is not None:
        reach = {"exact": rules.exact_metres, "near": rules.near_metres, "district": rules.district_metres}
        # Twice the reach, in begun kilometres, as so many hundredths of a degree.
        side = max(1, -(-2 * reach[CLASSES[rank]] // 1_000))
        yield (CLASSES[rank], *(floor(degrees * 100.0) // side for degrees in report.point))
    if NAMED <= weakest < GOVERNORATE and called_the_same(report, report):
        yield ("called", report.place_key)
