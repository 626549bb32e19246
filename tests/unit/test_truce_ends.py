"""A truce that ends, and a ledger that begins when days are long final."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from schemas.agreement import Agreement
from schemas.facts import CountLine, Fact
from schemas.rows import Amendment
from schemas.truceday import Micros
from tests.support.judged import History, report
from tests.support.scenarios import Outcome, outcome, shelling, watched
from tests.support.worlds import World, agreement, at, bulletin, convoy, coverage, day, incident, tick
from tests.unit.test_refused import refused

ENDED = agreement(clock={"ends": datetime(2016, 9, 15, 19)})  # noqa: DTZ001 - agreements state local time


def windows(world: World) -> dict[str, tuple[object, ...]]:
    world.flush()
    rows = [row for changes in world.store.changes for row in changes.windows]
    return {row.region: (row.first_day, row.last_day, row.streak_days, row.streak_ended_day) for row in rows}


def amendments(world: World) -> list[Amendment]:
    world.flush()
    return [each for changes in world.store.changes for each in changes.amendments]


def test_no_day_that_starts_at_the_end_or_later_is_judged() -> None:
    world = World(ENDED).tell(coverage(low=at(0), high=at(9)), tick(at(9)))
    world.flush()
    assert sorted(world.store.verdicts) == [(region, day(number)) for region in ("SY01", "SY02") for number in range(3)]


def test_a_day_before_the_end_settles_and_is_judged_again_after_it() -> None:
    world = World(ENDED).tell(coverage(low=at(0), high=at(3)), tick(at(3)))
    states = [world.tell(tick(at(3, hours))).verdict("SY01", 2).state for hours in (0, 47, 48)]
    assert states == ["PROVISIONAL", "PROVISIONAL", "FINAL"]
    world.tell(incident("i1", when=at(2, 3)), incident("i2", when=at(2, 4)), tick(at(30)))
    assert (world.verdict("SY01", 2).verdict, world.verdict("SY01", 2).state) == ("BROKEN", "AMENDED")


@pytest.mark.parametrize(("now", "streak"), [(at(2, 23), 2), (at(3), 3), (at(40), 3)], ids=["runs", "over", "later"])
def test_once_the_end_has_passed_the_last_day_is_completed_and_the_window_stays(now: Micros, streak: int) -> None:
    world = World(ENDED).tell(coverage(low=at(0), high=at(3)), tick(now))
    assert windows(world)["SY01"] == (day(0), day(2), streak, None)


def test_the_gate_opens_with_the_last_day_and_stays_as_the_truce_left_it() -> None:
    truce = agreement(clock={"ends": ENDED.clock.ends}, gate_regions=["SY01"], access={"regions": []})
    world = World(truce).tell(coverage(low=at(0), high=at(3)), tick(at(2, 23)), tick(at(3)), tick(at(99)))
    world.flush()
    lines = [row for changes in world.store.changes for row in changes.gate_history]
    assert [(row.is_open, row.recorded_at) for row in lines] == [(False, at(2, 23)), (True, at(3))]


def test_an_agreement_without_an_end_is_the_one_that_was_stored_before_there_was_the_key() -> None:
    stored = json.loads(agreement().model_dump_json())
    del stored["clock"]["ends"]
    assert Agreement.model_validate_json(json.dumps(stored)) == agreement()


def ended_history(truce: Agreement = ENDED) -> History:
    history = History(truce).tell(watched("w1", at(0), at(3), "SY01"))
    return history.tick(at(1), at(2), at(2, 20), at(3), at(4))


def test_a_window_of_an_instant_counts_the_last_day_once_it_is_over(tmp_path: Path) -> None:
    judged = outcome(ended_history(), tmp_path)
    streaks = "SELECT streak_days FROM window_as_of('SY01', make_timestamptz(?))"
    assert [judged.one(streaks, now) for now in (at(2, 20), at(3), at(4))] == [2, 3, 3]
    assert judged.streak("SY01") == 3


def test_a_recount_finds_the_days_up_to_the_end_and_no_other(tmp_path: Path) -> None:
    judged = outcome(ended_history().tell(shelling("i1", at(5))).tick(at(20)), tmp_path)
    assert judged.one("SELECT count(*) FROM truce_days") == 3


@pytest.mark.parametrize(
    ("access", "told"),
    [
        ([], [coverage(low=at(0), high=at(1))]),
        (["SY01"], [incident("i1", when=at(0, 3)), incident("i2", when=at(0, 4))]),
        (["SY01"], [convoy(region="SY01", when=at(-1)), convoy("s2", "attacked", region="SY01", when=at(0, 3))]),
    ],
    ids=["a notice", "reports", "a convoy"],
)
def test_to_fill_in_a_day_that_nobody_had_told_of_amends_nothing(access: list[str], told: list[Fact]) -> None:
    world = World(agreement(access={"regions": access})).tell(tick(at(9)))
    before = world.verdict("SY01", 0)
    world.tell(*told, tick(at(9, 1)))
    after = world.verdict("SY01", 0)
    assert (before.state, before.version, after.state, after.version) == ("FINAL", 1, "FINAL", 2)
    assert amendments(world) == []


@pytest.mark.parametrize(
    "told",
    [
        coverage(low=at(0), high=at(1)),
        coverage(low=at(0), high=at(0, 2)),
        incident("i1", when=at(0, 3)),
        incident("i1", when=at(0, 3), sides=(("Government",), ("ISIL",))),
        convoy(region="SY01", when=at(-1)),
    ],
    ids=["a watch of all of it", "a watch of some", "an incident", "one out of scope", "a convoy"],
)
def test_a_final_day_that_rested_on_anything_is_amended(told: Fact) -> None:
    world = World(agreement(access={"regions": ["SY01", "SY02"]})).tell(told, tick(at(9)))
    assert world.verdict("SY01", 0).state == "FINAL"
    world.tell(incident("late-1", when=at(0, 6)), incident("late-2", when=at(0, 7)), tick(at(9, 1)))
    assert world.verdict("SY01", 0).state == "AMENDED"
    assert [each.after.region for each in amendments(world)] == ["SY01"]


def test_a_final_day_that_rested_on_a_bulletin_is_amended() -> None:
    truce = agreement(violence={"bulletins_of": "feed-a"}, coverage={"min_feeds": 2})
    world = World(truce).tell(bulletin("b1", low=at(0), high=at(1), feed="feed-a"), tick(at(9)))
    assert (world.verdict("SY02", 0).state, world.verdict("SY02", 0).covered_share) == ("FINAL", 0)
    world.tell(bulletin("b2", low=at(0), high=at(1), feed="feed-a", count=50, reported_at=at(5)), tick(at(9, 1)))
    assert world.verdict("SY02", 0).state == "AMENDED"


@pytest.mark.parametrize(
    "told",
    [
        coverage(low=at(0), high=at(1), feed="one of two"),
        coverage(low=at(0), high=at(0, 1), nil=False),
        bulletin("b1", low=at(0), high=at(1), tallies=(CountLine(0, "SY01"),)),
        refused(1),
        incident("i1", when=at(0, 3), to=at(3)),
    ],
    ids=["a watch of too few feeds", "a notice that says not what", "a bulletin", "a reject", "a possible incident"],
)
def test_a_final_day_that_rested_on_so_much_is_amended(told: Fact) -> None:
    world = World(agreement(coverage={"min_feeds": 2}), flush_every=1, restart_every=1).tell(told, tick(at(9)))
    final = world.verdict("SY01", 0)
    assert (final.state, final.verdict, final.covered_share) == ("FINAL", "UNKNOWN", 0)
    world.tell(incident("late-1", when=at(0, 6)), incident("late-2", when=at(0, 7)), tick(at(9, 1)))
    assert world.verdict("SY01", 0).state == "AMENDED"


def told_of(world: World, region: str = "SY01") -> bool:
    return bool(json.loads(world.verdict(region, 0).reasons)[0].get("told_of", True))


def test_the_reason_of_a_day_that_nobody_told_of_says_so_until_somebody_does() -> None:
    world = World().tell(tick(at(0, 1)))
    assert not told_of(world)
    world.tell(bulletin("b1", low=at(0), high=at(1), tallies=(CountLine(0, "SY01"),)), tick(at(1)))
    assert (told_of(world), told_of(world, "SY02")) == (True, False)


def test_a_bulletin_for_days_and_a_notice_without_length_tell_of_no_day() -> None:
    longer = bulletin("b1", low=at(0), high=at(3), tallies=(CountLine(9, "SY01"),))
    assert not told_of(World().tell(longer, coverage(low=at(0, 3), high=at(0, 3)), tick(at(9))))


def test_a_recount_finds_what_a_day_rested_on(tmp_path: Path) -> None:
    history = History(agreement(coverage={"min_feeds": 2}))
    lines = [{"count": 0, "place": {"pcode": "SY01"}}]
    history.tell(report("bulletin", "b", feed="m", reported_at=at(1), occurred=(at(0), at(1)), tallies=lines))
    history.tell(watched("w1", at(1), at(2), "SY01"), shelling("r1", at(2), kind="sheling")).tick(at(30))
    late = [shelling(f"{number}{name}", at(number, 3)) for number in range(4) for name in "ab"]
    judged = outcome(history.tell(*late).tick(at(30, 1)), tmp_path)
    states = [judged.verdict("SY01", day(number))["state"] for number in range(4)]
    assert states == ["AMENDED", "AMENDED", "AMENDED", "FINAL"]


def test_a_day_once_filled_in_is_amended_by_the_next_change_and_stays_so() -> None:
    world = World().tell(tick(at(9)))
    told = [coverage(low=at(0), high=at(1)), incident("i1", when=at(0, 3)), incident("i1", when=at(0, 3), revision=2)]
    states = [world.tell(each, tick(at(9, 1 + n))).verdict("SY01", 0).state for n, each in enumerate(told)]
    assert states == ["FINAL", "AMENDED", "AMENDED"]


def late_beginning(folder: Path) -> Outcome:
    history = History(agreement()).tell(watched("w1", at(0), at(1), "SY01")).tick(at(30))
    history.tell(watched("w2", at(3), at(4), "SY01"), shelling("i1", at(0, 3)), shelling("i2", at(0, 4)))
    return outcome(history.tick(at(30, 1)), folder)


def test_a_recount_tells_a_day_filled_in_from_one_amended(tmp_path: Path) -> None:
    judged = late_beginning(tmp_path)
    found = [judged.verdict("SY01", day(number)) for number in (0, 3)]
    assert [(row["verdict"], row["state"], row["version"]) for row in found] == [
        ("BROKEN", "AMENDED", 2),
        ("MET", "FINAL", 2),
    ]
