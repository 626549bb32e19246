"""Random histories with accusations: the views by party are what a plain recount makes of the raw reports."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import duckdb

from schemas.truceday import from_micros
from sinks.verify import verify
from tests.support.accusations import Accusations
from tests.support.effort import examples
from tests.support.random_history import random_history
from tests.support.worlds import at


def test_any_history_shows_its_accusations_as_a_plain_recount_does(tmp_path: Path) -> None:
    seen = 0
    for seed in range(examples(500)):
        path = random_history(seed, reports=40, linking=seed % 2 == 0).judged(tmp_path / str(seed))
        since = from_micros(at(random.Random(seed).choice([-3, 0, 1.5, 4])))
        with closing(duckdb.connect(str(path), read_only=True)) as file:
            file.execute("SET TimeZone = 'UTC'")
            recount = Accusations(file)
            found = file.execute(
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
        assert sorted(found, key=repr) == recount.by_party(), seed
        assert sorted(counted, key=repr) == recount.since(since), seed
        assert sorted(tallied, key=repr) == recount.tallied_since(since), seed
        if seed % 25 == 0:
            assert verify(path) == [], seed
        seen += len(found)
    assert seen > examples(500)
