"""Crowds: reports that nobody could tell apart are linked by what they assert alone, and the file says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.truceday import Micros
from streams.ledger.core.crowds import A_DAY, AN_HOUR
from streams.verify import verify
from tests.support.effort import calls
from tests.support.judged import History, report, told
from tests.support.worlds import HOUR, LINKING, World, agreement, at, incident, tick

TRUCE = agreement(linking={**LINKING, "weakest_place": "named"})
MINUTE = HOUR // 60
SPOT = {"precision": "exact", "point": {"latitude": 36.2, "longitude": 37.15}}


def strike(name: str, feed: str, *, hour: int = 12, lasts: Micros = 0, **more: Any) -> dict[str, Any]:
    """Return a shelling at one spot."""
    start = at(1, hour)
    occurred = {"from": told(start), "to": told(start + lasts), "precision": "minute"}
    place = {"pcode": "SY02", **SPOT, **more.pop("place", {})}
    given = report("incident", name, feed=feed, reported_at=at(2, 18), place=place, **{"kind": "shelling"} | more)
    return given | {"occurred": occurred}


def judged(folder: Path, reports: list[dict[str, Any]], **options: int) -> duckdb.DuckDBPyConnection:
    """Return the file that a ledger publishes of reports and a later tick, once a recount agrees with it."""
    file = History(TRUCE).tell(*reports).tick(at(3)).judged(folder, **options)
    assert list(verify(file)) == []
    return duckdb.connect(str(file), read_only=True)


@pytest.mark.parametrize(("lasts", "most"), [(0, AN_HOUR), pytest.param(2 * HOUR, A_DAY, marks=pytest.mark.slow)])
def test_one_report_too_many_parts_all_that_lie_at_one_spot(tmp_path: Path, lasts: Micros, most: int) -> None:
    strikes = [strike(f"r{n}", f"feed-{n % 14}", lasts=lasts) for n in range(most)]
    with judged(tmp_path / "most", strikes) as file:
        assert file.execute("SELECT count(*) FROM incidents WHERE reports = 14").fetchone() == (1,)
        assert file.execute("FROM crowds").fetchall() == []
    one_more = [*strikes, strike("one-more", "feed-0", lasts=lasts, kind="arrest")]
    with judged(tmp_path / "crowd", one_more) as file:
        assert file.execute("SELECT count(*), max(reports) FROM incidents").fetchone() == (most + 1, 1)
        spot = file.execute("SELECT region, place, reports, feeds FROM crowds").fetchall()
        assert spot == [("SY02", "36.20 37.14 to 36.22 37.16", most + 1, 14)]


def test_a_crowd_of_one_name_is_parted_as_well_and_an_assertion_holds_in_it(tmp_path: Path) -> None:
    named = {"precision": "unknown", "names": ["A hamlet"]}
    strikes = [strike(f"r{n}", f"feed-{n % 14}", place=named) for n in range(AN_HOUR + 1)]
    for each in strikes:
        del each["place"]["point"]
    strikes[7]["same_as"] = ["feed-0/r0"]
    with judged(tmp_path, strikes) as file:
        assert file.execute("SELECT place, reports FROM crowds").fetchall() == [("a hamlet", AN_HOUR + 1)]
        assert file.execute("SELECT reports FROM incidents WHERE reports > 1").fetchall() == [(2,)]


@pytest.mark.slow
def test_a_report_moved_away_lets_the_others_be_linked_again(tmp_path: Path) -> None:
    strikes = [strike(f"r{n}", f"feed-{n % 14}") for n in range(AN_HOUR + 1)]
    moved = strike("r0", "feed-0", revision=2, hour=18)
    with judged(tmp_path, [*strikes, moved], flush_every=AN_HOUR + 1, restart_every=1) as file:
        assert file.execute("SELECT count(*) FROM incidents WHERE reports = 14").fetchone() == (1,)


def test_a_retracted_report_stays_one_of_its_crowd(tmp_path: Path) -> None:
    strikes = [strike(f"r{n}", f"feed-{n % 14}") for n in range(AN_HOUR + 1)]
    gone = strike("r0", "feed-0", revision=2, status="retracted")
    with judged(tmp_path, [*strikes, gone]) as file:
        assert file.execute("SELECT count(*), max(reports) FROM incidents").fetchone() == (AN_HOUR, 1)


@pytest.mark.parametrize("feed", ["feed-{}", "videos"])
def test_each_report_of_a_crowd_is_as_much_work_however_many_there_are(feed: str) -> None:
    def work(number: int) -> int:
        place = incident().place
        there = type(place)("SY01", latitude=36.2, longitude=37.15)
        facts = [
            incident(f"r{n}", feed=feed.format(n % 14), when=at(1), place=there, place_precision="exact")
            for n in range(number)
        ]
        return calls(lambda: World(TRUCE, flush_every=10_000).tell(*facts, tick(at(3))))

    assert work(1_200) < 2.5 * work(600)
