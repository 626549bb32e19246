"""Incident reports met last: what is at hand of them, one by one and in columns."""

from __future__ import annotations

import numpy as np

from schemas.chunks import Chunk, encode
from schemas.facts import Origin
from schemas.rows import Contribution, Linkable, Placed
from streams.ledger.core.fresh import Fresh, fresh
from streams.ledger.core.recent import RecentReports
from streams.ledger.core.report_cache import linkable_of
from streams.ledger.core.report_rows import Entry, incident_row
from tests.support.worlds import TRUCE, at, incident

FACTS = [
    incident(
        f"i{n}",
        origin=Origin("t", 0, n, "log"),
        when=at(n / 100),
        place_precision="exact",
        deaths_best=n or None,
        origins=("a",) * (n % 2),
    )
    for n in range(80)
]
#: Every other fact of a topic from the tenth on, so that some between are not at hand.
PLACES = [10 + 2 * n for n in range(len(FACTS))]
ROWS = {}
for place, fact in zip(PLACES, FACTS, strict=True):
    day, uncertain = TRUCE.calendar.day_of(fact.from_, fact.to)
    tolls = (fact.deaths_low, fact.deaths_best, fact.deaths_high)
    adds = Contribution("SY01", day, fact.from_, fact.kind, TRUCE.in_scope(fact.sides), *tolls, fact.to)
    row = incident_row(Entry(place, fact, b"{}", 0), fact, 0, adds, uncertain, (), present=True)
    ROWS[place] = linkable_of(row)


def columns(first: int = PLACES[0]) -> Fresh:
    """Return the facts in columns, numbered from ``first`` on."""
    incidents = Chunk(encode([(fact, b"{}") for fact in FACTS])).incidents(range(len(FACTS)))
    numbers = np.array(PLACES) - PLACES[0] + first
    return fresh(TRUCE, incidents, numbers, numbers, numbers, TRUCE.in_scope)


def test_reports_in_columns_are_found_as_those_told_one_by_one() -> None:
    recent = RecentReports(1_000)
    recent.keep_fresh(columns())
    assert recent.find([0, 9, 11, PLACES[-1] + 1]) == {}
    assert recent.find([PLACES[7], 11, PLACES[3]]) == {place: ROWS[place] for place in (PLACES[3], PLACES[7])}
    recent.keep([ROWS[PLACES[5]]])
    assert recent.find(PLACES) == ROWS
    assert dict(columns().names()) == {place: f"{row[1]}/{row[2]}" for place, row in ROWS.items()}


def test_columns_tell_of_place_and_time_what_the_rows_tell() -> None:
    told = [[None if value != value else value for value in column] for column in columns().placed()]
    assert dict(zip(Placed._fields, told, strict=True)) == {
        name: [getattr(linkable, name) for linkable in map(Linkable._make, ROWS.values())] for name in Placed._fields
    }


def test_a_report_that_was_replaced_is_found_as_one_that_does_not_stand() -> None:
    recent = RecentReports(1_000)
    recent.keep_fresh(columns())
    assert recent.find([PLACES[1]])[PLACES[1]][4]
    recent.replace([1, PLACES[1], PLACES[2]])
    recent.keep([ROWS[PLACES[3]]])
    assert [recent.find([place])[place][4] for place in PLACES[1:4]] == [False, False, True]


def test_those_met_longest_ago_are_forgotten_first() -> None:
    recent = RecentReports(len(FACTS))
    recent.keep_fresh(columns())
    assert set(recent.find([PLACES[0]])) == {PLACES[0]}
    recent.keep_fresh(columns(PLACES[-1] + 1))
    assert set(recent.find([*PLACES, PLACES[-1] + 1])) == {PLACES[0], PLACES[-1] + 1}
    # Runs of one chunk keep it in memory once.
    runs, whole = RecentReports(2 * len(FACTS) - 1), columns()
    for rows in np.split(np.arange(len(FACTS)), [20, 50]):
        numbers = whole.numbers[rows]
        runs.keep_fresh(fresh(TRUCE, whole.incidents.take(rows), numbers, numbers, numbers, TRUCE.in_scope))
    assert runs.find(PLACES) == ROWS
    runs.keep_fresh(columns(PLACES[-1] + 1))
    assert PLACES[-1] + 1 in runs.find([PLACES[-1] + 1])
    one_by_one = RecentReports(2)
    one_by_one.keep(ROWS[place] for place in (*PLACES[:3], PLACES[1]))
    assert list(one_by_one.find(PLACES)) == [PLACES[1], PLACES[2]]
