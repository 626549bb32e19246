"""Random histories through intake, ledger and a DuckDB store: what is published is what its reports come to."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from schemas.facts import OutsideFact, RejectFact, TickFact
from streams.verify import verify
from tests.support.effort import examples
from tests.support.judged import History, report
from tests.support.random_history import random_history
from tests.support.records import present_tables
from tests.support.worlds import LINKING, agreement, at

#: A file costs what some hundred histories in memory cost.
HISTORIES = [(seed, linking) for seed in range(6) for linking in (False, True)][: examples(12)]

any_history = pytest.mark.parametrize(("seed", "linking"), HISTORIES)


@any_history
def test_ledger_and_recount_judge_a_random_history_alike(seed: int, linking: bool, tmp_path: Path) -> None:
    """Two programs, two methods, one page of rules; flushes and restarts fall where they like."""
    draw = random.Random(seed)
    history = random_history(seed, linking=linking)
    path = history.judged(tmp_path, flush_every=draw.choice([7, 50, 1_000]), restart_every=draw.choice([2, 10**9]))
    assert [str(difference) for difference in verify(path, limit=5)] == []


@any_history
def test_the_order_of_reports_shows_in_no_present_table(seed: int, linking: bool, tmp_path: Path) -> None:
    draw = random.Random(seed)
    history = random_history(seed, linking=linking)
    once: dict[object, bytes] = {}
    for fact, body in history.facts:
        if not isinstance(fact, TickFact | RejectFact | OutsideFact):
            once.setdefault((fact.feed, fact.report_id, fact.revision), body)
    orders = [list(once.values()), draw.sample(list(once.values()), len(once))]
    one, other = (
        present_tables(
            History(history.agreement).tell(*bodies).tick(at(30)).judged(tmp_path / str(number), flush_every=size)
        )
        for number, (bodies, size) in enumerate(zip(orders, (1_000, 9), strict=True))
    )
    # Which revision was the first to come decides between accepted, corrected and superseded.
    assert one.pop("feeds")
    assert other.pop("feeds")
    for table, rows in one.items():
        assert rows == other[table], table
    assert bool(one["linked_incidents"]) is linking


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_bodies_under_one_revision_the_first_to_come_stands_and_both_can_be_seen(
    first: int, tmp_path: Path
) -> None:
    """The one case in which order matters: nothing says which of the two the feed means."""
    when = (at(1), at(1, 1))
    bodies = [
        report("incident", "i1", reported_at=at(2), occurred=when, region=region, kind="shelling")
        for region in ("SY01", "SY02")
    ]
    truce = agreement(linking=LINKING)
    path = History(truce).tell(bodies[first], bodies[1 - first]).tick(at(5)).judged(tmp_path)
    assert verify(path) == []
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        told = connection.execute("select region, raw from reports").fetchall()
        refused = connection.execute("select code, original from rejects").fetchall()
        (counted,) = connection.execute("select region, incidents from day_tallies").fetchall()
    stands, refuses = (json.dumps(bodies[n], ensure_ascii=False) for n in (first, 1 - first))
    assert told == [(("SY01", "SY02")[first], stands)]
    assert refused == [("conflicting_body", refuses.encode())]
    assert counted == (("SY01", "SY02")[first], 1)
