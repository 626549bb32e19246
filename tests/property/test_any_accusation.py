"""Random histories with accusations: the views by party are what a plain recount makes of the raw reports."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import duckdb

from schemas.facts import TickFact
from schemas.truceday import from_micros
from tests.support.accusations import Accusations
from tests.support.effort import EVERY, FULL
from tests.support.random_history import random_history
from tests.support.worlds import at

#: A file costs a second: the fast half takes two, the slow half some, and ``make test-every`` all.
SEEDS = range(500 if EVERY else 25 if FULL else 2)


def test_any_history_shows_its_accusations_as_a_plain_recount_does(tmp_path: Path) -> None:
    assert sum(rows_that_agree(seed, tmp_path / str(seed)) for seed in SEEDS) > 10 * len(SEEDS)


def rows_that_agree(seed: int, folder: Path) -> int:
    """Compare the views of one history, judged at its end, with their recount; return their number of rows."""
    history = random_history(seed, reports=40, linking=seed % 2 == 0)
    history.facts = [(fact, body) for fact, body in history.facts if not isinstance(fact, TickFact)]
    path = history.tick(at(20)).judged(folder)
    since = from_micros(at(random.Random(seed).choice([-3, 0, 1.5, 4])))
    with closing(duckdb.connect(str(path), read_only=True)) as file:
        file.execute("SET TimeZone = 'UTC'")
        recount = Accusations(file)
        by_party = file.execute(
            "SELECT truce_day, region, party, side, claimant, feed, incidents_sure, incidents_possible, "
            "deaths_sure, deaths_possible FROM violations_by_party"
        ).fetchall()
        counted = file.execute(
            "SELECT what, party, claimant, feed, incidents_sure, incidents_possible, deaths_sure, deaths_possible "
            "FROM violations_since(?) WHERE what <> 'bulletin'",
            [since],
        ).fetchall()
        tallied = file.execute(
            "SELECT what, party, feed, report_id, in_scope, incidents_sure, incidents_possible, counted_sure, "
            "counted_possible FROM violations_since(?) WHERE what = 'bulletin'",
            [since],
        ).fetchall()
    assert sorted(by_party, key=repr) == recount.by_party(), seed
    assert sorted(counted, key=repr) == recount.since(since), seed
    assert sorted(tallied, key=repr) == recount.tallied_since(since), seed
    return len(by_party) + len(counted) + len(tallied)
