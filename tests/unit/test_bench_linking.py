"""The labelled pairs of linking, and how they are counted."""

from __future__ import annotations

from datetime import date

import pytest

from tests.bench.linking.__main__ import EVENTS, HELD_OUT, PLACES, VIDEOS, Found, Score, labels, score, table
from tests.bench.linking.draw import HELD_OUT_SEED, HELD_OUT_STRATA, STRATA, Told, draw, events, videos
from tests.support.shared_data import shared_data


def test_every_pair_is_read_twice_and_a_third_reading_decides_where_they_differ() -> None:
    pairs = labels()
    assert len(pairs) >= 150
    assert len({(pair.event, pair.video) for pair in pairs}) == len(pairs)
    assert {word for pair in pairs for word in (pair.first, pair.second, pair.label)} == {"yes", "no"}
    assert all(pair.reason for pair in pairs)
    assert all(pair.label == pair.first for pair in pairs if pair.first == pair.second)
    assert any(pair.first != pair.second for pair in pairs)


def test_the_held_out_pairs_are_others_each_with_a_reason() -> None:
    pairs = labels(HELD_OUT)
    drawn = {(pair.event, pair.video) for pair in pairs}
    assert len(pairs) == len(drawn) >= 60
    assert drawn.isdisjoint((pair.event, pair.video) for pair in labels())
    assert {pair.label for pair in pairs} == {"yes", "no"}
    assert all(pair.reason for pair in pairs)


@pytest.mark.slow
def test_the_pairs_are_those_that_the_draw_gives() -> None:
    told = events(shared_data(EVENTS)), videos(shared_data(VIDEOS), shared_data(PLACES))
    drawn = {(pair.event.name, pair.video.name, pair.stratum) for pair in draw(*told)}
    assert drawn == {(pair.event, pair.video, pair.stratum) for pair in labels()}
    without = {(pair.event, pair.video) for pair in labels()}
    left = draw(*told, seed=HELD_OUT_SEED, strata=HELD_OUT_STRATA, without=without)
    assert {(pair.event.name, pair.video.name, pair.stratum) for pair in left} == {
        (pair.event, pair.video, pair.stratum) for pair in labels(HELD_OUT)
    }


def test_a_draw_takes_each_pair_once_and_no_more_than_its_stratum_allows() -> None:
    def at(name: str, number: int, east: float) -> Told:
        return Told(name, date(2016, 9, 1 + number % 28), (36.0, 37.0 + east), frozenset(), False, {})

    told = [
        [at(f"{feed}/{number}", number, number * gap) for number in range(56)] for feed, gap in (("e", 0), ("v", 1e-4))
    ]
    pairs = draw(*told, seed=1)
    assert pairs == draw(*told, seed=1)
    assert len({(pair.event.name, pair.video.name) for pair in pairs}) == len(pairs)
    taken = [pair.stratum for pair in pairs]
    assert all(0 < taken.count(stratum) <= STRATA[stratum] for stratum in set(taken))
    assert {"closest within 1 km", "within 2 km", "the day after"} <= set(taken)


def test_precision_is_of_links_and_recall_of_true_pairs() -> None:
    yes, no = (next(pair for pair in labels() if pair.label == label) for label in ("yes", "no"))
    found = [Found(yes, "good", "a"), Found(yes, None, "a"), Found(no, "doubtful", "b"), Found(no, None, "b")]
    assert score(found) == Score(right=1, wrong=1, missed=1)
    assert (score(found).precision, score(found).recall) == (0.5, 0.5)
    assert score(found, "good").precision == 1.0
    assert score([found[3]]).precision is score([found[3]]).recall is None
    shown = list(table(found))
    assert "| all | 1 | 1 | 1 | 0.50 | 0.50 |" in shown
    assert "| `good` links | 1 | 0 |  | 1.00 |  |" in shown
