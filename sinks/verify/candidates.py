"""Which reports could be one occurrence, and how close they are to it: docs/judging.md, "Linking", by hand.

Two revisions are candidates for each other or not, whatever else is known; what stands at some moment decides only
which of the candidates are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

from schemas.agreement import LinkingRules
from schemas.truceday import MICROS_PER_HOUR, Micros
from sinks.verify.history import NaiveReport

BOMBARDMENT = frozenset({"airstrike", "shelling", "explosive", "chemical"})
FIGHTING = frozenset({"armed_clash", "small_arms", "territory_taken"})
#: Kinds that leave open with what: two say at whom, one says nothing.
WITH_WHATEVER = frozenset({"attack_on_civilians", "attack_on_aid", "unspecified"})

#: From fine to coarse.
TIMES = ("minute", "hour", "day", "week", "month", "longer")
CLASSES = ("exact", "near", "named", "district", "governorate")
GOVERNORATE = CLASSES.index("governorate")
NEAR = CLASSES.index("near")
NAMED = CLASSES.index("named")
HOUR = TIMES.index("hour")
DAY = TIMES.index("day")

LONGEST = 26 * MICROS_PER_HOUR
MICROS_PER_MINUTE = MICROS_PER_HOUR // 60
EARTH_METRES = 6_371_008.8


class Closeness(NamedTuple):
    """How close two candidates are; the least is the closest, and no two pairs are equally close."""

    place: int
    time: int
    other_toll: bool
    thousandths: int
    names: tuple[str, str]


class Pair(NamedTuple):
    """Two revisions that are candidates; ``metres`` is None where no distance was asked for.

    ``by_name`` tells that their places agree because they are called the same, ``likeliest`` that one of the two is
    taken for the other's though others are like it.
    """

    closeness: Closeness
    one: NaiveReport
    other: NaiveReport
    gap: Micros
    metres: int | None
    by_name: bool = False
    likeliest: bool = False

    def beside(self, report: NaiveReport) -> NaiveReport:
        """Return the revision that ``report`` is a candidate for."""
        return self.other if report is self.one else self.one


def candidates(rules: LinkingRules, report: NaiveReport, others: Iterable[NaiveReport]) -> list[Pair]:
    """Return ``report`` with each of ``others`` that is a candidate for it, the closest first."""
    pairs = (compare(rules, *sorted((report, other), key=lambda each: each.name)) for other in others)
    return sorted((pair for pair in pairs if pair is not None), key=lambda pair: pair.closeness)


def is_timely(report: NaiveReport) -> bool:
    """Whether a report says well enough when it was."""
    return TIMES.index(report.time_precision) <= DAY and report.occurred_to - report.occurred_from <= LONGEST


def _may_have_candidates(rules: LinkingRules, report: NaiveReport) -> bool:
    place = place_class(report)
    exact = place is not None and place <= CLASSES.index(rules.weakest_place)
    return is_timely(report) and (exact or called_the_same(report, report))


def compare(rules: LinkingRules, one: NaiveReport, other: NaiveReport) -> Pair | None:
    """Return how the two are candidates for each other, None when they are not."""
    repeated = one.feed == other.feed
    if repeated and (one.report_id == other.report_id or one.feed not in rules.repeating_feeds):
        return None
    if one.regions != other.regions or not kinds_agree(one.kind, other.kind) or denied(one, other):
        return None
    if not _may_have_candidates(rules, one) or not _may_have_candidates(rules, other):
        return None
    if rules.toll_ratio is not None and tolls_part(rules.toll_ratio, one, other):
        return None

    time = max(TIMES.index(one.time_precision), TIMES.index(other.time_precision))
    allowed = rules.minutes * MICROS_PER_MINUTE if time <= HOUR else 0
    gap = max(0, one.occurred_from - other.occurred_to, other.occurred_from - one.occurred_to)
    if gap > allowed or (time > HOUR and not share_an_instant(one, other)):
        return None

    classes = place_class(one), place_class(other)
    place = max(rank for rank in classes if rank is not None)
    metres, reach, by_name = None, 0, False
    if place < GOVERNORATE and one.point is not None and other.point is not None:
        metres, reach = distance(one.point, other.point), allowed_metres(rules, one, other)
        if metres > reach:
            return None
    elif called_the_same(one, other):
        by_name = True
        stated = {one.place_precision, other.place_precision}
        place = CLASSES.index("district" if "district" in stated else "named")
    if place > CLASSES.index(rules.weakest_place) or (repeated and (time > HOUR or place > NEAR)):
        return None

    thousandths = (1000 * metres // reach if metres and reach else 0) + (1000 * gap // allowed if allowed else 0)
    closeness = Closeness(place, time, not one_toll(one, other), thousandths, names_of(one, other))
    return Pair(closeness, one, other, gap, metres, by_name)


def allowed_metres(rules: LinkingRules, one: NaiveReport, other: NaiveReport) -> int:
    """Return how far apart the points of two reports may lie, each known to its district at least."""
    reaches = {"exact": rules.exact_metres, "near": rules.near_metres, "district": rules.district_metres}
    both = reaches[one.place_precision] + reaches[other.place_precision]
    keys = {one.place_key, other.place_key} - {None}
    # Two names are two places, unless exact points could be one.
    return min(both, 2 * rules.exact_metres) if len(keys) == 2 else both


def called_the_same(one: NaiveReport, other: NaiveReport) -> bool:
    """Whether two reports of one region name one place, and neither says that it means all of the governorate."""
    wide = any(report.place_precision in ("governorate", "country") for report in (one, other))
    return one.place_key is not None and one.place_key == other.place_key and not wide


def kinds_agree(one: str, other: str) -> bool:
    """Whether two kinds may be two words for one occurrence."""
    kinds = {one, other}
    if "arrest" in kinds or "other" in kinds:
        return len(kinds) == 1
    if kinds <= WITH_WHATEVER:
        return True
    with_what = kinds - WITH_WHATEVER
    return with_what <= BOMBARDMENT or with_what <= FIGHTING


def toll(report: NaiveReport) -> list[int]:
    """Return the figures of the dead that a report gives."""
    return [n for n in (report.deaths_low, report.deaths_best, report.deaths_high) if n is not None]


def one_toll(one: NaiveReport, other: NaiveReport) -> bool:
    """Whether both may count the same two dead or more."""
    figures = toll(one), toll(other)
    return all(figures) and max(2, *map(min, figures)) <= min(map(max, figures))


def tolls_part(ratio: int, one: NaiveReport, other: NaiveReport) -> bool:
    """Whether all that one counts of the dead lies too far above all that the other does."""
    figures = toll(one), toll(other)
    if not all(figures):
        return False
    return any(
        min(upper) - max(lower) > 3 and min(upper) > ratio * max(lower) for lower, upper in (figures, figures[::-1])
    )


def one_of(rules: LinkingRules, report: NaiveReport, pairs: Iterable[Pair]) -> list[Pair]:
    """Return which one of its candidates in a feed ``report`` is of, the closest given first; none if nothing tells."""
    there = list(pairs)
    rivals = there[:1] + [pair for pair in there[1:] if alike(rules, there[0], pair)]
    if len(rivals) < 2:
        return rivals
    if not all(called_the_same(report, pair.beside(report)) for pair in rivals):
        return []
    # Of equally many dead the earlier one stays first: a sort keeps the order.
    likeliest = sorted(rivals, key=lambda pair: max(toll(pair.beside(report)), default=0), reverse=True)[0]
    return [likeliest._replace(likeliest=True)]


def alike(rules: LinkingRules, closest: Pair, other: Pair) -> bool:
    """Whether nothing tells that a report is of the closest of two: a day, no exact place, no toll and no distance."""
    place, time, toll_differs, *_ = closest.closeness
    if place < NEAR or time < DAY or other.closeness[:3] != (place, time, toll_differs):
        return False
    if closest.metres is None or other.metres is None:
        return True
    return other.metres - closest.metres <= rules.exact_metres


def are_surely_one(pair: Pair) -> bool:
    """Whether a place or a time tells two candidates from others, or a place's name, a manner and nothing like them."""
    place, time, *_ = pair.closeness
    if place > NAMED:
        return False
    with_what = BOMBARDMENT | FIGHTING
    named = called_the_same(pair.one, pair.other) and pair.one.kind in with_what and pair.other.kind in with_what
    return place < NEAR or time <= HOUR or (named and not pair.likeliest)


def share_an_instant(one: NaiveReport, other: NaiveReport) -> bool:
    """Whether two intervals overlap; one without length holds its own instant."""
    # Where they share any, they share the start of the later one.
    start = max(one.occurred_from, other.occurred_from)
    return all(
        report.occurred_from <= start < max(report.occurred_to, report.occurred_from + 1) for report in (one, other)
    )


def place_class(report: NaiveReport) -> int | None:
    """Return the rank of a report's place class; None for one that agrees with no other place."""
    if report.place_precision == "country":
        return None
    if report.point is None or report.place_precision == "unknown":
        return GOVERNORATE
    return CLASSES.index(report.place_precision)


def denied(one: NaiveReport, other: NaiveReport) -> bool:
    """Whether one of the two says that they are not the same."""
    return other.name in one.not_same_as or one.name in other.not_same_as


def names_of(one: NaiveReport, other: NaiveReport) -> tuple[str, str]:
    """Return the two names, the smaller first."""
    return min(one.name, other.name), max(one.name, other.name)


def distance(one: tuple[float, float], other: tuple[float, float]) -> int:
    """Return the great-circle distance of two points in degrees, in whole metres."""
    (south, west), (north, east) = ((radians(point[0]), radians(point[1])) for point in (one, other))
    square = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin((east - west) / 2) ** 2
    # A square a little above 1 would come from rounding, at two ends of the earth.
    return round(2 * EARTH_METRES * asin(min(1.0, sqrt(square))))
