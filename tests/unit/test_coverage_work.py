"""How much work and memory watching takes, counted: neither grows with the length or the number of other notices."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from streams.ledger.core import watchers
from streams.ledger.core.legs.coverage import Watch, watch_of
from tests.support.effort import calls
from tests.support.worlds import DAY, World, at, coverage, tick


def backfilled(number: int, *, days: int = 1) -> World:
    """Return a world long after the truce's start, which notices of its first days then reach, the oldest first."""
    world = World().tell(tick(at(400)))
    return world.tell(*(coverage(f"c{n}", low=at(n), high=at(n + days)) for n in range(number)))


def test_notices_that_come_late_cost_each_the_same_however_many_come() -> None:
    def work(number: int) -> int:
        def told() -> None:
            backfilled(number).tell(tick(at(401)))

        return calls(told) - nothing

    nothing = calls(lambda: World().tell(tick(at(400)), tick(at(401))))
    assert work(200) < 2.5 * work(100)


def test_to_fold_a_notice_of_a_year_is_as_much_work_as_one_of_a_day() -> None:
    world = backfilled(0)
    day = calls(lambda: world.tell(coverage("day", low=at(1), high=at(2))))
    year = calls(lambda: world.tell(coverage("year", low=at(1), high=at(366))))
    assert year < 1.5 * day


def test_notices_of_a_year_take_no_memory_by_the_day() -> None:
    def size(days: int) -> int:
        watch = Watch()
        tracemalloc.start()
        for n in range(200):
            watch.add("feed", at(n), at(n + days))
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return taken

    assert size(399) < 1.2 * size(1)


@pytest.mark.parametrize(("gone", "hours"), [((0, 12), 18), ((6, 18), 12), ((0, 8), 18)])
def test_what_is_taken_back_is_watched_no_more_unless_others_say_so(gone: tuple[int, int], hours: int) -> None:
    watch = watch_of({"a": [(0, 12), (0, 8), (0, 8), (6, 18)]})
    watch.remove("a", *gone)
    assert watch.watched(set(), 0, 24, 1) == hours


def test_the_feeds_that_stopped_last_are_named_and_of_two_at_one_time_the_first_by_name() -> None:
    watch = watch_of({"d": [(0, 1)], "c": [(0, 5)], "b": [(0, 5)], "a": [(0, 3), (7, 8)], "e": [(2, 4)]})
    assert watch.watched_before(6) == (("b", 5), ("c", 5), ("e", 4))
    watch.remove("c", 0, 5)
    assert watch.watched_before(6) == (("b", 5), ("e", 4), ("a", 3))
    assert watch.watched_before(DAY) == (("a", 8), ("b", 5), ("e", 4))


def test_days_of_watchers_beyond_those_remembered_are_judged_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "WATCHERS_KEPT", 1)
    world = World().tell(tick(at(5)))
    assert world.verdict("SY01", 2).verdict == "UNKNOWN"
    told = [coverage(f"c{n}", low=at(n), high=at(n + 1), feed=f"feed-{n}") for n in (1, 3, 2)]
    world.tell(*told, tick(at(5, 1)))
    assert [world.verdict("SY01", n).verdict for n in (1, 2, 3)] == ["MET"] * 3
    assert json.loads(world.verdict("SY01", 2).cause)["reports"] == []
    assert json.loads(world.verdict("SY01", 1).cause)["reports"] == ["feed-1/c1@1"]
