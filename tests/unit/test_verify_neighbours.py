"""Reports are filed by when and where they lie, and whatever could be a candidate is found there."""

from __future__ import annotations

import random

import pytest

from schemas.agreement import LinkingRules
from sinks.verify.candidates import compare
from sinks.verify.history import NaiveReport
from sinks.verify.neighbours import Neighbours
from tests.support.effort import examples

MINUTE = 60_000_000
#: Degrees from a middle: some points lie within reach of each other, some do not.
WIDTHS = (0.005, 0.04)
LENGTHS = {"minute": 0, "hour": 60 * MINUTE, "day": 24 * 60 * MINUTE, "week": 7 * 24 * 60 * MINUTE}
#: Middles of crowded circles: a town, both sides of the date line, and the pole.
MIDDLES = ((36.2, 37.2), (0.0, 179.999), (0.0, -179.999), (89.99, 12.0), (-33.0, 0.0))


def rules_of(minutes: int, weakest: str) -> LinkingRules:
    """Return the reaches of the shipped agreement, with these limits."""
    reaches = {"exact_metres": 1_000, "near_metres": 3_000, "district_metres": 25_000}
    return LinkingRules.model_validate({"minutes": minutes, "weakest_place": weakest, **reaches})


def drawn(draw: random.Random, number: int) -> NaiveReport:
    """Return a report that lies within some kilometres and hours of others."""
    south, west = draw.choice(MIDDLES)
    width = draw.choice(WIDTHS)
    point = (min(90.0, south + draw.uniform(-width, width)), west + draw.uniform(-width, width))
    precision = draw.choice(list(LENGTHS))
    begins = draw.randrange(-30 * 60, 30 * 60) * MINUTE
    return NaiveReport(
        offset=number,
        feed=draw.choice("abcd"),
        report_id=str(number),
        revision=1,
        active=True,
        type="incident",
        regions=(draw.choice(("XX01", "XX02")),),
        kind=draw.choice(("airstrike", "shelling", "armed_clash", "unspecified")),
        occurred_from=begins,
        occurred_to=begins + draw.randint(0, LENGTHS[precision]),
        time_precision=precision,
        place_precision=draw.choice(
            ("exact", "exact", "exact", "near", "district", "governorate", "unknown", "country")
        ),
        point=draw.choice((point, point, None)),
        place_key=draw.choice(("one", "two", None)),
    )


@pytest.mark.parametrize("weakest", ["exact", "near", "named", "district", "governorate"])
def test_whatever_could_be_a_candidate_is_a_neighbour(weakest: str) -> None:
    found = 0
    for seed in range(examples(40)):
        draw = random.Random(seed)
        rules = rules_of(draw.choice((0, 60, 240)), weakest)
        reports = [drawn(draw, number) for number in range(300)]
        neighbours = Neighbours(rules, reports)
        for report in reports:
            near = {other.offset for other in neighbours.of(report)}
            pairs = {other.offset for other in reports if other is not report and compare(rules, report, other)}
            assert pairs <= near
            found += len(pairs)
    assert found > 5


def test_reports_far_away_are_no_neighbours() -> None:
    rules = rules_of(60, "district")
    draw = random.Random(7)
    reports = [drawn(draw, number) for number in range(400)]
    neighbours = Neighbours(rules, reports)
    assert sum(len(neighbours.of(report)) for report in reports) < len(reports) ** 2 / 20
