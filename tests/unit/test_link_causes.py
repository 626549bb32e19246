"""What caused a version, when a report changes through linking days that are not its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.facts import CountLine
from schemas.truceday import Micros
from streams.ledger.core import link_causes
from tests.support.worlds import HOUR, LINKING, World, agreement, at, bulletin, coverage, incident, tick

MINUTE = HOUR // 60
#: All days are over and settled: whatever changes makes a version.
SETTLED = tick(at(30))


def report(report_id: str, feed: str, when: Micros, minutes: int = 0, **given: Any) -> Any:
    """Return an incident somewhere in a region, stated to the hour, that lasts so many minutes."""
    return incident(
        report_id, feed=feed, when=when, **{"to": when + minutes * MINUTE, "time_precision": "hour", **given}
    )


@pytest.fixture(params=[(1, None), (1, 1), (1_000, None)], ids=["a flush a fact", "a restart a fact", "one flush"])
def world(request: pytest.FixtureRequest) -> World:
    flush_every, restart_every = request.param
    linking = {**LINKING, "weakest_place": "governorate"}
    return World(agreement(linking=linking), flush_every=flush_every, restart_every=restart_every)


def cause(told: World, region: str, number: int) -> tuple[list[str], int]:
    """Return the reports that the last version of a day came of, and how many more there were."""
    found = json.loads(told.versions(region, number)[-1].cause)
    return found["reports"], found["more"]


def counts(told: World, region: str, *days: int) -> list[int]:
    return [told.verdict(region, number).incidents for number in days]


# The evening of the first truce-day, and the first minutes of the next.
EVENING, NEXT = at(1) - 10 * MINUTE, at(1) + 5 * MINUTE


def test_the_retraction_of_a_lead_is_named_on_the_day_to_which_the_incident_goes_back(world: World) -> None:
    vague = report("vague", "feed-a", EVENING)
    exact = report("exact", "feed-b", NEXT, time_precision="minute")
    world.tell(vague, exact, SETTLED)
    assert counts(world, "SY01", 0, 1) == [0, 1]
    world.tell(report("exact", "feed-b", NEXT, time_precision="minute", revision=2, retracted=True), SETTLED)
    assert counts(world, "SY01", 0, 1) == [1, 0]
    assert cause(world, "SY01", 0) == cause(world, "SY01", 1) == (["feed-b/exact@2"], 0)


def test_a_notice_that_was_the_lead_is_named_once_on_a_day_it_watches_and_gives_an_incident_back(world: World) -> None:
    vague = report("vague", "feed-a", EVENING)
    world.tell(vague, report("exact", "feed-b", NEXT, time_precision="minute"), SETTLED)
    world.tell(coverage("exact", feed="feed-b", low=at(0), high=at(1), revision=2), SETTLED)
    assert counts(world, "SY01", 0, 1) == [1, 0]
    assert cause(world, "SY01", 0) == cause(world, "SY01", 1) == (["feed-b/exact@2"], 0)


def tally(name: str, **given: Any) -> Any:
    """Return a monitor's word on the first truce-day."""
    return bulletin(
        name, feed="feed-b", low=at(0), high=at(1), tallies=(CountLine(5, "SY01", ("Opposition",)),), **given
    )


def test_a_bulletin_that_was_an_incident_of_another_day_is_named_once_on_the_day_it_leaves(world: World) -> None:
    world.tell(report("vague", "feed-a", EVENING), report("exact", "feed-b", EVENING), SETTLED)
    moved = report("vague", "feed-a", at(2), revision=2)
    passing = report("exact", "feed-b", at(2), revision=2)
    world.tell(moved, passing, report("b", "feed-b", at(2)), tally("exact", revision=3), SETTLED)
    assert counts(world, "SY01", 0, 2) == [0, 1]
    assert cause(world, "SY01", 2) == (["feed-a/vague@2", "feed-b/exact@2", "feed-b/b@1", "feed-b/exact@3"], 0)


def test_an_incident_that_was_a_bulletin_is_named_once_on_the_day_it_takes_another_from() -> None:
    world = World(agreement(linking={**LINKING, "weakest_place": "governorate"}, violence={"bulletins_of": "feed-b"}))
    world.tell(report("vague", "feed-a", EVENING), tally("exact"), SETTLED)
    world.tell(report("exact", "feed-b", NEXT, time_precision="minute", revision=2), SETTLED)
    assert counts(world, "SY01", 0, 1) == [0, 1]
    assert cause(world, "SY01", 0) == cause(world, "SY01", 1) == (["feed-b/exact@2"], 0)


def test_a_revision_that_leaves_an_incident_of_another_region_is_named_there(world: World) -> None:
    here = report("here", "feed-a", at(2))
    there = report("there", "feed-b", at(2), region="SY02", time_precision="minute", same_as=("feed-a/here",))
    world.tell(here, there, SETTLED)
    assert (counts(world, "SY01", 2), counts(world, "SY02", 2)) == ([0], [1])
    world.tell(report("there", "feed-b", at(2), region="SY02", revision=2), SETTLED)
    assert (counts(world, "SY01", 2), counts(world, "SY02", 2)) == ([1], [1])
    assert cause(world, "SY01", 2) == (["feed-b/there@2"], 0)


def test_a_newcomer_that_takes_the_lead_is_named_on_the_day_it_takes_the_incident_from(world: World) -> None:
    world.tell(report("vague", "feed-a", EVENING), SETTLED)
    world.tell(report("exact", "feed-b", NEXT, time_precision="minute"), SETTLED)
    assert counts(world, "SY01", 0, 1) == [0, 1]
    assert cause(world, "SY01", 0) == (["feed-b/exact@1"], 0)


def test_a_newcomer_that_takes_a_partner_away_is_named_on_the_day_of_the_one_left_behind(world: World) -> None:
    world.tell(report("a", "feed-a", EVENING), report("b", "feed-b", NEXT, time_precision="minute"), SETTLED)
    world.tell(report("closer", "feed-a", NEXT + MINUTE), SETTLED)
    assert counts(world, "SY01", 0, 1) == [1, 1]
    assert cause(world, "SY01", 0) == (["feed-a/closer@1"], 0)


def test_a_newcomer_that_comes_between_two_and_joins_neither_is_named_on_its_own_day_alone(world: World) -> None:
    """It is closer to one of them than the other is, and is linked with nobody: the closest to it has a closer one."""
    minutes = {"b1": -10, "a1": -28, "b2": 10, "a2": 12}
    world.tell(*[report(name, f"feed-{name[0]}", at(1) + after * MINUTE) for name, after in minutes.items()], SETTLED)
    assert counts(world, "SY01", 0, 1) == [1, 1]
    between = at(1) + 5 * MINUTE
    world.tell(report("between", "feed-a", between), SETTLED)
    assert counts(world, "SY01", 0, 1) == [2, 2]
    assert (cause(world, "SY01", 0), cause(world, "SY01", 1)) == (([], 0), (["feed-a/between@1"], 0))
    world.tell(report("between", "feed-a", between, revision=2, retracted=True), SETTLED)
    assert counts(world, "SY01", 0, 1) == [1, 1]
    assert (cause(world, "SY01", 0), cause(world, "SY01", 1)) == (([], 0), (["feed-a/between@2"], 0))


def test_incidents_that_share_no_report_are_each_by_their_own(world: World) -> None:
    """Two pairs far apart; a newcomer takes one of each pair away."""
    for number in (0, 3):
        world.tell(report(f"a{number}", "feed-a", EVENING + number * 24 * HOUR))
        world.tell(report(f"b{number}", "feed-b", NEXT + number * 24 * HOUR, time_precision="minute"))
    world.tell(SETTLED, *[report(f"c{n}", "feed-a", NEXT + MINUTE + n * 24 * HOUR) for n in (0, 3)], SETTLED)
    assert counts(world, "SY01", 0, 1, 3, 4) == [1, 1, 1, 1]
    assert [cause(world, "SY01", n)[0] for n in (0, 3)] == [["feed-a/c0@1"], ["feed-a/c3@1"]]


def test_a_report_that_moves_days_within_its_incident_is_counted_once(world: World) -> None:
    lead = report("lead", "feed-b", EVENING, time_precision="minute")
    others = [report(f"other{n}", "feed-a", at(0, n)) for n in range(11)]
    world.tell(lead, report("moves", "feed-a", EVENING), SETTLED)
    moved = report("moves", "feed-a", NEXT, revision=2, deaths_best=3)
    world.tell(moved, *others, SETTLED)
    assert world.verdict("SY01", 0).deaths_best == 3
    reports, more = cause(world, "SY01", 0)
    assert (reports[0], len(reports), more) == ("feed-a/moves@2", 10, 2)


def test_an_older_revision_that_comes_late_and_names_the_incident_is_named(world: World) -> None:
    def attack(name: str, told: Micros, **given: Any) -> Any:
        return report(name, f"feed-{name}", at(2), kind="attack_on_aid", reported_at=told, **given)

    world.tell(attack("a", at(2, 1)), attack("b", at(2, 3), revision=2), SETTLED)
    assert json.loads(world.verdict("SY01", 2).evidence)["violence"] == ["feed-a/a"]
    world.tell(attack("b", at(2)), SETTLED)
    assert json.loads(world.verdict("SY01", 2).evidence)["violence"] == ["feed-b/b"]
    assert cause(world, "SY01", 2) == (["feed-b/b@1"], 0)


def test_who_takes_an_incident_out_of_the_baseline_is_named_once_wherever_the_limit_moved() -> None:
    told = World(agreement(linking={**LINKING, "weakest_place": "governorate"}, violence={"floor": 0}))
    told.tell(report("vague", "feed-a", at(0) - 10 * MINUTE), SETTLED)
    assert told.verdict("SY01", 5).violence_limit == 0.02  # a fifth of one incident in ten days
    told.tell(report("exact", "feed-b", at(0) + 5 * MINUTE, time_precision="minute"), SETTLED)
    assert told.verdict("SY01", 5).violence_limit == 0
    assert cause(told, "SY01", 5) == cause(told, "SY01", 0) == (["feed-b/exact@1"], 0)


@pytest.mark.parametrize("bound", ["CHANGES_KEPT", "NAMED_AT_MOST"])
def test_incidents_beyond_the_bounds_name_no_one_for_a_day_not_their_own(
    world: World, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_causes, bound, 0)
    world.tell(report("vague", "feed-a", EVENING), SETTLED)
    world.tell(report("exact", "feed-b", NEXT, time_precision="minute"), SETTLED)
    assert cause(world, "SY01", 0) == ([], 0)
    assert cause(world, "SY01", 1) == (["feed-b/exact@1"], 0)
