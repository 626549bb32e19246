"""Partners are found in memory: none that the exact test would accept is missed, and few others are looked at."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Collection, Iterator

import pytest

from schemas.agreement import LinkingRules
from schemas.rows import Linkable, Placed
from streams.ledger.core.blocking_index import BlockingIndex
from streams.ledger.core.cell_reports import Cell, cell_of
from streams.ledger.core.linking import Candidates
from streams.ledger.core.probes import in_columns
from tests.support.effort import cases
from tests.support.worlds import HOUR, LINKING, at, day

REGIONS = ("SY01", "SY02")


def drawn(draw: random.Random, place: int) -> Linkable:
    """Return a report within three days and half a degree, near a pole or the date line now and then."""
    start = at(draw.choice([0, 0, 1, 2]), draw.uniform(0, 24))
    north, east = draw.choice([(33.5, 36.3), (33.5, 36.3), (89.7, 10.0), (10.0, 179.9)])
    longitude = east + draw.choice([0.0, 0.01, draw.random() / 2])
    return Linkable(
        fact_offset=place,
        feed=f"feed-{draw.choice('abc')}",
        report_id=str(place),
        revision=1,
        present=True,
        retracted=False,
        merged_into=None,
        region=draw.choice(REGIONS),
        truce_day=day(0),
        occurred_from=start,
        occurred_to=start + round(draw.choice([0, 0.2, 1, 1.1, 24, 26, 27]) * HOUR),
        time_precision=draw.choice(["minute", "minute", "hour", "day", "week"]),
        place_precision=draw.choice(["exact", "exact", "near", "district", "governorate", "unknown", "country"]),
        latitude=draw.choice([None, *[min(90.0, north + draw.choice([0.0, 0.01, draw.random() / 2]))] * 5]),
        longitude=longitude if longitude <= 180 else longitude - 360,
        place_key=draw.choice([None, "hill", "mill", "quay"]),
        kind=draw.choice(["shelling", "armed_clash", "attack_on_aid", "other"]),
        in_scope=True,
        names_parties=False,
        deaths_low=None,
        deaths_best=None,
        deaths_high=None,
        reported_at=start,
        same_as=None,
        not_same_as=None,
        origins=None,
    )


def placed(report: Linkable) -> Placed:
    return Placed._make(getattr(report, name) for name in Placed._fields)


def never(cells: Collection[Cell]) -> Iterator[list[Placed]]:
    pytest.fail(f"the store was asked for {cells}")


def add(nearby: BlockingIndex, *reports: Placed) -> None:
    nearby.add(nearby.probes(in_columns(reports)))


def pairs(nearby: BlockingIndex, *reports: Placed) -> list[tuple[int, int]]:
    return nearby.pairs(nearby.probes(in_columns(reports)), never)


@pytest.mark.parametrize("weakest", ["exact", "named", "district", "governorate"])
@pytest.mark.parametrize("minutes", [0, 60, 1_440])
@pytest.mark.parametrize("kept", cases([100, 0, 10_000], fast=1))
def test_no_candidate_is_missed(weakest: str, minutes: int, kept: int) -> None:
    draw = random.Random(f"{weakest}{minutes}{kept}")
    rules = LinkingRules.model_validate(LINKING | {"weakest_place": weakest, "minutes": minutes})
    reports = [drawn(draw, place) for place in range(400)]
    stored: list[Linkable] = []

    def read(cells: Collection[Cell]) -> Iterator[list[Placed]]:
        for report in stored:
            if cell_of(report.region, report.occurred_from) in cells:
                yield [placed(report)]

    nearby = BlockingIndex(rules, REGIONS, kept)
    found: set[tuple[int, int]] = set()
    for first in range(0, len(reports), 40):
        some = reports[first : first + 40]
        stored += some
        probes = nearby.probes(in_columns([placed(report) for report in some]))
        nearby.add(probes)
        found |= set(nearby.pairs(probes, read))
    exact = Candidates(rules)
    wanted = {
        (one.fact_offset, other.fact_offset)
        for one in reports
        for other in reports[: one.fact_offset // 40 * 40 + 40]
        if one is not other and exact.match_rank(one, other) is not None
    }
    assert wanted
    assert wanted <= found
    assert len(found) < 3 * len(wanted) + 100


def test_what_was_withdrawn_is_no_partner() -> None:
    nearby = BlockingIndex(LinkingRules.model_validate(LINKING), REGIONS)
    draw = random.Random(1)
    one = drawn(draw, 1)._replace(feed="feed-a", time_precision="minute", place_precision="exact", latitude=33.5)
    one = one._replace(occurred_to=one.occurred_from)
    other = one._replace(fact_offset=2, feed="feed-b")
    add(nearby, placed(one), placed(other))
    assert pairs(nearby, placed(one)) == [(1, 2)]
    nearby.withdraw([(cell_of(other.region, other.occurred_from), 2)])
    assert pairs(nearby, placed(one)) == []


def test_a_day_of_many_thousands_is_not_compared_pair_by_pair() -> None:
    """25,000 in one cell: the test of every pair would be 625 million comparisons, and as many bytes."""
    nearby = BlockingIndex(LinkingRules.model_validate(LINKING), REGIONS)
    draw = random.Random(2)
    reports = [
        Placed(
            *(n, f"feed-{n % 7}", "SY01", start, start, "minute", "exact"),
            *(33 + draw.random(), 36 + draw.random(), f"hill {n % 500}", "other"),
        )
        for n in range(25_000)
        for start in [at(0, draw.uniform(5, 28))]
    ]
    add(nearby, *reports)
    assert 5_000 < len(pairs(nearby, *reports)) < 200_000


def crowd(number: int) -> list[Placed]:
    """Return reports of one feed about one place and hour, and one of another feed."""
    start = at(0, 12)
    return [
        Placed(
            n, "feed-b" if n == 7 else "feed-a", "SY01", start, start, "minute", "exact", 33.5, 36.3, "hill", "other"
        )
        for n in range(number)
    ]


def test_thousands_about_one_place_and_hour_are_nobodys_candidates() -> None:
    """5,000 against 5,000: a column of all the pairs would be 200 MB."""
    nearby, reports = BlockingIndex(LinkingRules.model_validate(LINKING), REGIONS), crowd(5_000)
    add(nearby, *reports)
    tracemalloc.start()
    try:
        found = pairs(nearby, *reports)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == []
    assert nearby.crowded == set(range(5_000))
    assert most < 20_000_000


def test_two_points_are_never_found_by_their_name() -> None:
    """A town named thousands of times a day, each time with a point, is millions of pairs that no name decides."""
    nearby, reports = BlockingIndex(LinkingRules.model_validate(LINKING), REGIONS), crowd(40)
    apart = [report._replace(latitude=33.5 + number / 40) for number, report in enumerate(reports)]
    add(nearby, *apart)
    assert pairs(nearby, *apart) == []
    without_point = apart[7]._replace(fact_offset=99, latitude=None, longitude=None)
    assert len(pairs(nearby, without_point)) == 39


def test_what_is_too_coarse_and_has_no_name_is_nobodys_partner() -> None:
    coarse = [report._replace(place_precision="district", place_key=None) for report in crowd(4)]
    nearby = BlockingIndex(LinkingRules.model_validate(LINKING | {"weakest_place": "exact"}), REGIONS)
    add(nearby, *coarse[:2], coarse[2]._replace(place_precision="exact"))
    assert pairs(nearby, *coarse) == []


def test_where_portions_are_cut_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    reports = [placed(drawn(draw, place)) for place in range(300)] + crowd(40)
    found = []
    for at_once in (1 << 20, 50, 1):
        monkeypatch.setattr("streams.ledger.core.blocking_index.PAIRS_AT_ONCE", at_once)
        nearby = BlockingIndex(LinkingRules.model_validate(LINKING), REGIONS)
        add(nearby, *reports)
        found.append(sorted(pairs(nearby, *reports)))
    assert found[0]
    assert found[0] == found[1] == found[2]
