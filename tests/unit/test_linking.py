"""Which reports are one incident; docs/judging.md, "Linking", states the rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from schemas.facts import IncidentFact, Located
from schemas.reports import IncidentKind
from schemas.rows import Identity, LinkedIncident
from schemas.truceday import Micros
from streams.ledger.core.linking import Candidates, Picked
from tests.support.effort import calls
from tests.support.worlds import HOUR, LINKING, World, agreement, at, day, incident, tick

MINUTE = HOUR // 60
TRUCE = agreement(linking=LINKING)
TWO_REPEATING = agreement(linking={**LINKING, "repeating_feeds": ["clips", "videos"]})
LINKING_RULES = TRUCE.linking
NOON = at(0, 12)
#: A degree of latitude is 111,195 metres on this globe.
METRE = 1 / 111_195.08


def report(
    report_id: str,
    feed: str = "feed-a",
    *,
    when: Micros = NOON,
    region: str = "SY01",
    north: float | None = 0,
    precise: str = "exact",
    **given: Any,
) -> IncidentFact:
    """Return an incident of ten minutes, so many metres north of a point in Damascus."""
    place = Located(region)
    if north is not None:
        place = Located(region, latitude=33.5 + north * METRE, longitude=36.3)
    return incident(
        report_id,
        feed=feed,
        when=when,
        **{"to": when + 10 * MINUTE, "place": place, "place_precision": precise, **given},
    )


def world(*facts: Any, truce: Any = TRUCE, flush_every: int = 1_000) -> World:
    told = World(truce, flush_every=flush_every).tell(*facts)
    told.flush()
    return told


def incidents(told: World) -> dict[str, list[str]]:
    """Return the reports of every incident of several, by its name."""
    found: dict[str, list[str]] = {f"{feed}/{report_id}": [] for feed, report_id in told.store.incidents}
    for row in told.store.members:
        found[f"{row.incident_feed}/{row.incident_report_id}"].append(f"{row.feed}/{row.report_id}")
    return {name: sorted(reports) for name, reports in found.items()}


def the_incident(told: World) -> LinkedIncident:
    [found] = told.store.incidents.values()
    return found


def linked(*facts: IncidentFact, truce: Any = TRUCE) -> bool:
    """Whether the reports given are one incident."""
    return len(incidents(world(*facts, truce=truce))) == 1


def counts(told: World, number: int = 0, region: str = "SY01") -> tuple[int, int]:
    """Return the incidents and deaths of a day as the books have them."""
    tally = told.ledger._aggregates.tallies[region, day(number)]
    return tally.in_scope.total, tally.tolls[1] or 0


# -- candidates


def test_two_feeds_that_tell_of_one_strike_make_one_incident() -> None:
    told = world(report("1"), report("2", "feed-b"))
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"]}
    assert counts(told) == (1, 0)


def test_without_rules_of_linking_every_report_is_an_incident() -> None:
    assert counts(world(report("1"), report("2", "feed-b"), truce=agreement())) == (2, 0)


def test_two_reports_of_one_feed_are_two_incidents() -> None:
    assert not linked(report("1"), report("2"))


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("airstrike", "chemical", True),
        ("shelling", "explosive", True),
        ("armed_clash", "territory_taken", True),
        ("airstrike", "armed_clash", False),
        ("attack_on_civilians", "small_arms", True),
        ("attack_on_aid", "airstrike", True),
        ("attack_on_aid", "attack_on_civilians", True),
        ("other", "other", True),
        ("unspecified", "airstrike", True),
        ("unspecified", "armed_clash", True),
        ("unspecified", "attack_on_aid", True),
        ("unspecified", "unspecified", True),
        ("unspecified", "arrest", False),
        ("unspecified", "other", False),
        ("other", "small_arms", False),
        ("other", "attack_on_aid", False),
        ("other", "arrest", False),
        ("arrest", "arrest", True),
        ("arrest", "attack_on_civilians", False),
    ],
)
def test_kinds_agree_by_what_they_say(one: str, other: str, agree: bool) -> None:
    assert linked(report("1", kind=one), report("2", "feed-b", kind=other)) is agree


@pytest.mark.parametrize(
    ("later", "precisions", "agree"),
    [
        (70, ("minute", "minute"), True),
        (71, ("minute", "minute"), False),
        (70, ("minute", "hour"), True),
        (70, ("minute", "day"), False),
        (9, ("day", "minute"), True),
        (10, ("day", "minute"), False),
        (-9, ("minute", "day"), True),
        (-10, ("minute", "day"), False),
        (0, ("minute", "week"), False),
        (-70, ("minute", "minute"), True),
        (-71, ("minute", "minute"), False),
    ],
)
def test_times_agree_within_their_stated_precision(later: int, precisions: tuple[str, str], agree: bool) -> None:
    one = report("1", time_precision=precisions[0])
    other = report("2", "feed-b", when=NOON + later * MINUTE, time_precision=precisions[1])
    assert linked(one, other) is agree


@pytest.mark.parametrize(
    ("at_minute", "agree"), [(-1, False), (0, True), (9, True), (10, False)], ids=["before", "start", "within", "end"]
)
def test_an_instant_agrees_with_the_day_that_holds_it(at_minute: int, agree: bool) -> None:
    """Two days touch at midnight, and midnight is of the second alone."""
    instant = NOON + at_minute * MINUTE
    assert linked(report("1", time_precision="day"), report("2", "feed-b", when=instant, to=instant)) is agree


def test_a_stretch_of_more_than_26_hours_tells_no_time() -> None:
    assert linked(report("1", to=NOON + 26 * HOUR), report("2", "feed-b"))
    assert not linked(report("1", to=NOON + 26 * HOUR + 1), report("2", "feed-b"))


@pytest.mark.parametrize(
    ("precisions", "north", "agree"),
    [
        (("exact", "exact"), 2_000, True),
        (("exact", "exact"), 2_001, False),
        (("exact", "near"), 11_000, True),
        (("exact", "near"), 11_001, False),
        (("near", "district"), 35_000, True),
        (("near", "district"), 35_001, False),
        (("exact", "governorate"), 0, False),
        (("exact", "unknown"), 0, False),
        (("exact", "country"), 0, False),
    ],
)
def test_places_agree_within_the_reach_of_both(precisions: tuple[str, str], north: int, agree: bool) -> None:
    one, other = precisions
    assert linked(report("1", precise=one), report("2", "feed-b", north=north, precise=other)) is agree


def test_a_governorate_agrees_with_all_that_lies_in_it_where_the_agreement_allows() -> None:
    loose = agreement(linking={**LINKING, "weakest_place": "governorate"})
    assert linked(report("1"), report("2", "feed-b", north=None), truce=loose)
    assert linked(report("1"), report("2", "feed-b", north=10**6, precise="unknown"), truce=loose)
    assert not linked(report("1"), report("2", "feed-b", precise="country"), truce=loose)
    assert not linked(report("1"), report("2", "feed-b", region="SY02"), truce=loose)


def named(report_id: str, feed: str = "feed-a", key: str | None = "old town", **given: Any) -> IncidentFact:
    """Return a report that names a place, without a point unless one is given."""
    return report(report_id, feed, **{"place": Located("SY01", key=key), **given})


@pytest.mark.parametrize(
    ("keys", "precisions", "agree"),
    [
        (("old town", "old town"), ("exact", "near"), True),
        (("old town", "old town"), ("exact", "unknown"), True),
        (("old town", "old town"), ("district", "unknown"), True),
        (("old town", "old town"), ("exact", "governorate"), False),
        (("old town", "old town"), ("exact", "country"), False),
        (("old town", "new town"), ("exact", "exact"), False),
        (("old town", None), ("exact", "exact"), False),
        ((None, None), ("exact", "exact"), False),
    ],
)
def test_places_without_points_agree_when_they_are_called_the_same(
    keys: tuple[str | None, str | None], precisions: tuple[str, str], agree: bool
) -> None:
    one = named("1", key=keys[0], place_precision=precisions[0])
    assert linked(one, named("2", "feed-b", key=keys[1], place_precision=precisions[1])) is agree


def test_a_name_agrees_with_a_point_that_is_called_the_same() -> None:
    point = Located("SY01", latitude=33.5, longitude=36.3, key="old town")
    assert linked(named("1"), named("2", "feed-b", place=point))
    assert linked(named("1", place=point), named("2", "feed-b", place=point, place_precision="unknown"))


def test_of_two_points_the_distance_decides_whatever_they_are_called() -> None:
    here, there = (Located("SY01", latitude=north, longitude=36.3, key="old town") for north in (33.5, 33.6))
    assert not linked(named("1", place=here), named("2", "feed-b", place=there))
    assert linked(named("1", place=here), named("2", "feed-b", place=msgspec.structs.replace(here, key="new town")))


def test_a_retracted_second_strike_would_have_no_link_of_its_own() -> None:
    retracted = by_day("2", north=900, revision=2, retracted=True)
    told = world(by_day("1"), retracted, by_day("3", "feed-b"))
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/3"]}


def test_a_name_does_not_reach_into_another_region() -> None:
    assert not linked(named("1"), named("2", "feed-b", place=Located("SY02", key="old town")))


@pytest.mark.parametrize(
    ("weakest", "precise", "agree"),
    [("near", "exact", False), ("named", "exact", True), ("named", "district", False), ("district", "district", True)],
)
def test_an_agreement_may_forbid_links_by_name(weakest: str, precise: str, agree: bool) -> None:
    truce = agreement(linking={**LINKING, "weakest_place": weakest})
    assert linked(named("1"), named("2", "feed-b", place_precision=precise), truce=truce) is agree


@pytest.mark.parametrize(("precise", "sure"), [("minute", "good"), ("hour", "good"), ("day", "doubtful")])
def test_a_town_and_an_hour_are_good_a_town_and_a_day_are_doubtful(precise: str, sure: str) -> None:
    """The one that says nothing of the manner leaves a day open."""
    told = world(named("1"), named("2", "feed-b", kind="unspecified", time_precision=precise))
    assert {(row.why, row.certainty, row.metres) for row in told.store.members} == {("same_name", sure, None)}


@pytest.mark.parametrize(
    ("kinds", "keys", "precise", "sure"),
    [
        (("airstrike", "shelling"), ("mill", "mill"), "near", "good"),
        (("armed_clash", "small_arms"), ("mill", "mill"), "near", "good"),
        (("airstrike", "unspecified"), ("mill", "mill"), "near", "doubtful"),
        (("attack_on_aid", "airstrike"), ("mill", "mill"), "near", "doubtful"),
        (("arrest", "arrest"), ("mill", "mill"), "near", "doubtful"),
        (("other", "other"), ("mill", "mill"), "near", "doubtful"),
        (("airstrike", "airstrike"), ("mill", "hill"), "near", "doubtful"),
        (("airstrike", "airstrike"), ("mill", None), "near", "doubtful"),
        (("airstrike", "airstrike"), (None, None), "near", "doubtful"),
        (("airstrike", "airstrike"), ("mill", "mill"), "district", "doubtful"),
        (("airstrike", "unspecified"), ("mill", None), "exact", "good"),
    ],
)
def test_one_name_one_day_and_a_manner_are_good(
    kinds: tuple[str, str], keys: tuple[str | None, str | None], precise: str, sure: str
) -> None:
    one, other = (
        by_day(feed, feed, kind=kind, place=Located("SY01", latitude=33.5, longitude=36.3, key=key), precise=precise)
        for feed, kind, key in zip(("feed-a", "feed-b"), kinds, keys, strict=True)
    )
    assert the_incident(world(one, other)).certainty == sure


def test_a_point_nearby_is_closer_than_a_name() -> None:
    point = Located("SY01", latitude=33.5, longitude=36.3, key="old town")
    told = world(
        named("a-name"), named("point", place=point, place_precision="near"), named("2", "feed-b", place=point)
    )
    assert incidents(told) == {"feed-a/point": ["feed-a/point", "feed-b/2"]}


def test_reports_of_a_repeating_feed_are_not_linked_by_name() -> None:
    assert not linked(named("1", "videos"), named("2", "videos"))


def test_reports_of_a_repeating_feed_are_linked_when_they_are_exact() -> None:
    assert linked(report("1", "videos"), report("2", "videos", precise="near"))
    assert not linked(report("1", "videos"), report("2", "videos", precise="district"))
    assert not linked(report("1", "videos"), report("2", "videos", time_precision="day"))


@pytest.mark.parametrize(
    ("keys", "metres", "agree"),
    [
        (("mill", "hill"), 2_000, True),
        (("mill", "hill"), 2_001, False),
        (("mill", "mill"), 2_001, True),
        (("mill", None), 2_001, True),
    ],
)
def test_two_places_that_are_called_differently_lie_as_close_as_exact_ones(
    keys: tuple[str | None, str | None], metres: int, agree: bool
) -> None:
    one, other = (
        Located("SY01", latitude=33.5 + north * METRE, longitude=36.3, key=key)
        for north, key in zip((0, metres), keys, strict=True)
    )
    assert linked(named("1", place=one, place_precision="near"), named("2", "feed-b", place=other)) is agree


# -- tolls


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ({"best": 2}, {"best": 25}, False),
        ({"best": 2}, {"best": 5}, True),  # more than twice as many, and three more
        ({"best": 1}, {"best": 5}, False),
        ({"best": 5}, {"best": 15}, True),
        ({"best": 5}, {"best": 16}, False),
        ({"best": 5}, {"low": 15, "best": 20}, True),
        ({"best": 2, "high": 6}, {"best": 18}, True),
        ({"high": 0}, {"low": 4}, False),
        ({}, {"best": 25}, True),
    ],
)
def test_tolls_too_far_apart_part_two_reports(one: dict[str, int], other: dict[str, int], agree: bool) -> None:
    truce = agreement(linking={**LINKING, "toll_ratio": 3})
    first, second = ({f"deaths_{name}": number for name, number in toll.items()} for toll in (one, other))
    assert linked(report("1", **first), report("2", "feed-b", **second), truce=truce) is agree
    assert linked(report("1", **second), report("2", "feed-b", **first), truce=truce) is agree


def test_without_a_toll_ratio_tolls_part_nobody() -> None:
    assert linked(report("1", deaths_best=2), report("2", "feed-b", deaths_best=25))


# -- links and incidents


def by_day(report_id: str, feed: str = "feed-a", north: float = 0, **given: Any) -> IncidentFact:
    """Return a report of a day and a town."""
    return report(report_id, feed, north=north, **{"precise": "near", "time_precision": "day", **given})


def test_a_day_and_a_town_do_not_tell_which_of_two_strikes_it_is() -> None:
    two = [by_day("1"), by_day("2", north=900)]
    assert incidents(world(*two, by_day("3", "feed-b"))) == {}
    # Either alone would do, and so would the hour or the street.
    assert linked(two[0], by_day("3", "feed-b"))
    assert linked(*two, by_day("3", "feed-b", not_same_as=("feed-a/2",)))
    assert (
        linked(*(msgspec.structs.replace(one, place_precision="exact") for one in two), by_day("3", "feed-b")) is False
    )
    assert linked(report("1"), report("2", north=900), report("3", "feed-b", time_precision="day"))
    assert linked(
        by_day("1", time_precision="hour"), by_day("2", north=900), by_day("3", "feed-b", time_precision="hour")
    )


def at_the_mill(report_id: str, feed: str = "feed-a", north: float = 0, **given: Any) -> IncidentFact:
    """Return a report of a day and a place by its name."""
    place = Located("SY01", latitude=33.5 + north * METRE, longitude=36.3, key="mill")
    return by_day(report_id, feed, **{"place": place, **given})


def test_of_two_strikes_alike_in_a_place_by_its_name_a_report_is_of_the_one_with_more_dead() -> None:
    fewer, more = at_the_mill("1", deaths_best=2), at_the_mill("2", north=900, deaths_low=1, deaths_high=4)
    for facts in ((fewer, more), (more, fewer)):
        told = world(*facts, at_the_mill("3", "feed-b"), flush_every=1)
        assert incidents(told) == {"feed-a/2": ["feed-a/2", "feed-b/3"]}
        assert the_incident(told).certainty == "doubtful"
    # It is the one where nothing is like it, and of equally many dead it is the closest.
    assert the_incident(world(more, at_the_mill("3", "feed-b"))).certainty == "good"
    equal = world(at_the_mill("1", north=900), at_the_mill("2", deaths_best=0), at_the_mill("3", "feed-b"))
    assert incidents(equal) == {"feed-a/2": ["feed-a/2", "feed-b/3"]}


def test_one_of_several_is_doubtful_from_whichever_end_it_was_picked() -> None:
    """The report of feed-b has one candidate, and is one of two for that."""
    told = world(at_the_mill("1"), at_the_mill("2", "feed-b"), at_the_mill("3", "feed-b", deaths_best=5))
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/3"]}
    assert {row.certainty for row in told.store.members} == {"doubtful"}


def test_where_one_of_the_strikes_alike_is_called_otherwise_none_is_picked() -> None:
    other = at_the_mill("2", place=Located("SY01", latitude=33.5, longitude=36.3), deaths_best=9)
    assert incidents(world(at_the_mill("1"), other, at_the_mill("3", "feed-b"))) == {}


def test_a_second_strike_in_a_place_makes_a_good_link_doubtful_until_it_is_retracted() -> None:
    told = world(at_the_mill("1", deaths_best=5), at_the_mill("3", "feed-b"), flush_every=1)
    assert the_incident(told).certainty == "good"
    told.tell(at_the_mill("2")).flush()
    assert the_incident(told).certainty == "doubtful"
    told.tell(at_the_mill("2", revision=2, retracted=True)).flush()
    assert the_incident(told).certainty == "good"


def test_one_strike_takes_the_videos_of_one_quarter() -> None:
    quarters = [
        by_day(str(n), "videos", place=Located("SY01", latitude=33.5 + n * 300 * METRE, longitude=36.3, key=key))
        for n, key in enumerate(["mill", "hill", "mill", None])
    ]
    wanted = {"feed-a/1": ["feed-a/1", "videos/0", "videos/2", "videos/3"]}
    assert incidents(world(by_day("1"), *quarters)) == wanted
    # What a report asserts is believed.
    sure = msgspec.structs.replace(quarters[1], same_as=("feed-a/1",))
    assert len(incidents(world(by_day("1"), sure, *quarters[2:]))["feed-a/1"]) == 3


def test_a_distance_or_a_toll_tells_which_of_two_strikes_it_is() -> None:
    five = by_day("3", "feed-b", deaths_best=5)
    assert incidents(world(by_day("1"), by_day("2", north=1_000), five)) == {}
    assert incidents(world(by_day("1"), by_day("2", north=1_001), five)) == {"feed-a/1": ["feed-a/1", "feed-b/3"]}
    told = world(by_day("1", deaths_best=4), by_day("2", north=900, deaths_low=5, deaths_high=7), five)
    assert incidents(told) == {"feed-a/2": ["feed-a/2", "feed-b/3"]}
    assert incidents(world(by_day("1", deaths_best=5), by_day("2", north=900, deaths_high=5), five)) == {}
    # One dead may be anybody.
    assert incidents(world(by_day("1"), by_day("2", deaths_best=1), by_day("3", "feed-b", deaths_best=1))) == {}


def test_who_has_no_candidates_picks_none() -> None:
    assert LINKING_RULES is not None
    assert Candidates(LINKING_RULES).picked(by_day("1"), []) == Picked([])


def test_a_retracted_report_takes_no_link_from_reports_out_of_its_reach() -> None:
    far = [report("b", "feed-b"), report("c", "feed-c", north=1_900), report("a", north=3_800)]
    told = world(report("lender", north=-200, revision=2, retracted=True), *far)
    [members] = incidents(told).values()
    assert members == ["feed-a/a", "feed-a/lender", "feed-b/b", "feed-c/c"]


def test_a_second_strike_told_later_takes_the_link_away_and_its_retraction_gives_it_back() -> None:
    told = world(by_day("1"), by_day("3", "feed-b"), flush_every=1)
    assert incidents(told) != {}
    told.tell(by_day("2", north=900))
    told.flush()
    assert incidents(told) == {}
    told.tell(by_day("2", north=900, revision=2, retracted=True))
    told.flush()
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/3"]}


def test_one_strike_has_many_videos() -> None:
    videos = [by_day(str(number), "videos", north=number * 100) for number in range(5)]
    told = world(by_day("1"), *videos)
    assert [len(reports) for reports in incidents(told).values()] == [6]
    # Each of them, of one strike only.
    assert incidents(world(by_day("1"), by_day("2"), *videos)) == {}
    assert incidents(world(by_day("1", "clips"), by_day("2", "clips", 300), *videos, truce=TWO_REPEATING)) == {
        "clips/1": ["clips/1", "videos/0"],
        "clips/2": ["clips/2", "videos/3"],
    }


def test_of_two_nearby_reports_the_closest_is_linked() -> None:
    told = world(report("far", north=900), report("near", north=100), report("2", "feed-b"))
    assert incidents(told) == {"feed-a/near": ["feed-a/near", "feed-b/2"]}
    assert counts(told) == (2, 0)


def test_a_closer_report_takes_the_place_of_the_one_that_came_first() -> None:
    told = world(report("far", north=900), report("2", "feed-b"), flush_every=1)
    assert incidents(told) == {"feed-a/far": ["feed-a/far", "feed-b/2"]}
    told.tell(report("near", north=100)).flush()
    assert incidents(told) == {"feed-a/near": ["feed-a/near", "feed-b/2"]}
    assert counts(told) == (2, 0)


def test_a_chain_of_links_never_brings_two_reports_of_one_feed_together() -> None:
    """c1 is a2's closest and b1's closest; a1 and b1 are each other's: joining all would say feed a counted twice."""
    told = world(
        report("a1", "feed-a", north=0),
        report("b1", "feed-b", north=100),
        report("c1", "feed-c", north=1_000),
        report("a2", "feed-a", north=1_950),
    )
    for reports in incidents(told).values():
        feeds = [name.partition("/")[0] for name in reports]
        assert len(feeds) == len(set(feeds))


def test_an_assertion_links_whatever_the_reports_say() -> None:
    far = report("2", "feed-b", region="SY02", when=at(3), kind="arrest", same_as=("feed-a/1",))
    told = world(report("1"), far, report("3"), report("4", same_as=("feed-a/3",)))
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"], "feed-a/3": ["feed-a/3", "feed-a/4"]}
    assert the_certainty(told, "feed-a/1") == "asserted"


def the_certainty(told: World, name: str) -> str | None:
    feed, _, report_id = name.partition("/")
    return told.store.incidents[Identity(feed, report_id)].certainty


def test_an_assertion_that_is_taken_back_parts_reports_of_two_regions() -> None:
    """No other feed reports in either region, and nobody else names another: only that it was said tells of it."""
    told = world(report("1"), report("2", "feed-b", region="SY02", same_as=("feed-a/1",)), tick(at(9)))
    assert len(incidents(told)) == 1
    told.tell(report("2", "feed-b", region="SY02", revision=2), tick(at(9)))
    told.flush()
    assert incidents(told) == {}
    assert [told.verdict(region, 0).incidents for region in ("SY01", "SY02")] == [1, 1]


def test_a_denial_wins_over_closeness_and_over_an_assertion_of_the_other() -> None:
    assert not linked(report("1", not_same_as=("feed-b/2",)), report("2", "feed-b"))
    assert not linked(report("1", not_same_as=("feed-b/2",)), report("2", "feed-b", same_as=("feed-a/1",)))


def test_a_denial_after_an_assertion_takes_the_incident_apart() -> None:
    told = world(report("1", same_as=("feed-b/2",)), report("2", "feed-b", north=50_000), flush_every=1)
    assert counts(told) == (1, 0)
    told.tell(report("2", "feed-b", north=50_000, revision=2, not_same_as=("feed-a/1",))).flush()
    assert (incidents(told), counts(told)) == ({}, (2, 0))


def test_a_denial_keeps_apart_what_a_third_report_would_join() -> None:
    told = world(
        report("1", "feed-a", not_same_as=("feed-c/3",)),
        report("2", "feed-b", north=10),
        report("3", "feed-c", north=30),
    )
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"]}


def test_an_assertion_of_a_report_that_comes_later_takes_effect_when_it_comes() -> None:
    told = world(report("1", same_as=("feed-b/2",)), flush_every=1)
    assert incidents(told) == {}
    told.tell(report("2", "feed-b", north=90_000)).flush()
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"]}
    told.tell(report("2", "feed-b", revision=2, retracted=True)).flush()
    assert counts(told) == (1, 0)


@pytest.mark.parametrize("taken_back", [{}, {"retracted": True}])
def test_the_last_assertion_taken_back_parts_reports_that_nothing_else_brings_near_each_other(
    taken_back: dict[str, Any],
) -> None:
    far: dict[str, Any] = {"region": "SY02", "when": at(3, 12)}
    told = world(report("1"), report("2", "feed-b", same_as=("feed-a/1",), **far), flush_every=1)
    assert (counts(told), counts(told, 3, "SY02")) == ((1, 0), (0, 0))
    told.tell(report("2", "feed-b", revision=2, **taken_back, **far)).flush()
    assert incidents(told) == {}
    assert (counts(told), counts(told, 3, "SY02")) == ((1, 0), (0 if taken_back else 1, 0))


def test_assertions_in_a_circle_are_harmless() -> None:
    told = world(
        report("1", same_as=("feed-b/2",)),
        report("2", "feed-b", north=50_000, same_as=("feed-c/3",)),
        report("3", "feed-c", north=99_000, same_as=("feed-a/1", "feed-c/3")),
    )
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2", "feed-c/3"]}


def test_a_report_in_no_region_of_the_agreement_is_asserted_in_vain() -> None:
    told = world(
        report("1", same_as=("feed-b/2",)),
        report("2", "feed-b", north=50_000),
        report("2", "feed-b", north=50_000, revision=2, region="SY09"),
        flush_every=1,
    )
    assert incidents(told) == {}
    assert counts(told) == (1, 0)


# -- content


def test_the_report_that_tells_the_time_most_exactly_leads() -> None:
    one = report("1", time_precision="hour", to=NOON + HOUR, deaths_low=2, deaths_best=3, deaths_high=9)
    other = report("2", "feed-b", when=NOON + 5 * MINUTE, deaths_low=1, deaths_best=5, reported_at=NOON + 9 * HOUR)
    found = the_incident(world(one, other))
    assert (found.occurred_from, found.occurred_to) == (NOON + 5 * MINUTE, NOON + 15 * MINUTE)
    assert (found.deaths_low, found.deaths_best, found.deaths_high) == (1, 5, 9)


def test_a_report_without_a_range_has_its_one_figure_in_the_range_of_the_incident() -> None:
    ranged = report("1", deaths_low=5, deaths_best=8, deaths_high=9)
    found = the_incident(world(ranged, report("2", "feed-b", deaths_best=3, reported_at=NOON + 9 * HOUR)))
    assert (found.deaths_low, found.deaths_best, found.deaths_high) == (3, 3, 9)
    found = the_incident(world(report("1", deaths_low=5), report("2", "feed-b", deaths_high=3)))
    assert (found.deaths_low, found.deaths_best, found.deaths_high) == (5, 5, 5)


def test_a_severe_kind_of_one_report_is_the_incidents() -> None:
    told = world(report("1", kind="airstrike"), report("2", "feed-b", kind="attack_on_aid"), tick(at(1)))
    assert the_incident(told).kind == "attack_on_aid"
    assert '"feed-a/1"' in told.verdict("SY01", 0).evidence


def test_an_incident_is_in_scope_when_one_report_that_names_parties_is() -> None:
    outside = (("Government",), ("ISIL",))
    assert not the_incident(world(report("1", sides=outside), report("2", "feed-b", sides=()))).in_scope
    assert the_incident(world(report("1", sides=outside), report("2", "feed-b"))).in_scope
    assert the_incident(world(report("1", sides=()), report("2", "feed-b", sides=()))).in_scope


def test_only_feeds_that_count_make_the_content() -> None:
    truce = agreement(linking=LINKING, violence={"feeds": ["feed-b"]})
    told = world(report("1", deaths_best=9), report("2", "feed-b", deaths_best=1), truce=truce)
    assert (the_incident(told).counted, the_incident(told).deaths_best) == (True, 1)
    assert counts(told) == (1, 1)
    told = world(report("1"), report("2", "feed-c"), truce=truce)
    assert not the_incident(told).counted
    assert told.ledger._aggregates.tallies == {}


def test_an_incident_of_feeds_that_do_not_count_parts_without_a_trace() -> None:
    truce = agreement(linking=LINKING, violence={"feeds": ["feed-b"]})
    told = world(report("1"), report("2", "feed-c"), tick(at(1)), truce=truce)
    told.tell(report("2", "feed-c", revision=2, retracted=True), tick(at(1)))
    told.flush()
    assert (the_incident(told).reports, told.ledger._aggregates.tallies) == (1, {})


def test_an_incident_is_of_plain_values_as_the_store_returns_them() -> None:
    told = the_incident(world(report("1", kind=IncidentKind.AIRSTRIKE), report("2", "feed-b")))
    assert {type(value) for value in told} <= {str, int, bool, date, tuple, type(None)}


def test_ten_outlets_that_repeat_one_agency_are_one_origin() -> None:
    told = world(report("1", origins=("agency",)), report("2", "feed-b", origins=("agency", "radio")))
    assert the_incident(told).independent_origins == 2
    assert the_incident(world(report("1"), report("2", "feed-b"))).independent_origins == 2


# -- corrections, retractions, merges


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "arrest"},
        {"when": NOON + 24 * HOUR},
        {"region": "SY02"},
        {"north": 50_000},
        {"precise": "unknown"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_correction_that_no_longer_agrees_leaves_the_incident(change: dict[str, Any]) -> None:
    told = world(report("1"), report("2", "feed-b"), flush_every=1)
    told.tell(report("2", "feed-b", revision=2, **change)).flush()
    assert incidents(told) == {}
    assert counts(told)[0] == (1 if {"when", "region"} & change.keys() else 2)
    told.tell(report("2", "feed-b", revision=3)).flush()
    assert (incidents(told), counts(told)) == ({"feed-a/1": ["feed-a/1", "feed-b/2"]}, (1, 0))


def test_a_correction_of_deaths_and_parties_changes_the_incident() -> None:
    told = world(report("1", deaths_best=1), report("2", "feed-b"), flush_every=1)
    told.tell(report("1", revision=2, deaths_best=7)).flush()
    assert counts(told) == (1, 7)
    outside = (("ISIL",), ("Nusra",))
    told.tell(report("1", revision=3, sides=outside), report("2", "feed-b", revision=2, sides=outside)).flush()
    assert counts(told) == (0, 0)


def test_a_retraction_renames_nothing() -> None:
    told = world(report("1"), report("2", "feed-b"), flush_every=1)
    told.tell(report("1", revision=2, retracted=True)).flush()
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"]}
    assert (the_incident(told).reports, the_incident(told).certainty) == (1, None)
    assert counts(told) == (1, 0)


def test_a_retracted_report_stays_where_it_would_be_the_closest() -> None:
    """Another report of its feed has taken its place, and is farther away."""
    facts = report("1"), report("2", "feed-b"), report("3", when=NOON + 20 * MINUTE)
    told = world(*facts, report("1", revision=2, retracted=True), flush_every=1)
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-a/3", "feed-b/2"]}
    assert (the_incident(told).reports, counts(told)) == (2, (1, 0))


def test_a_retracted_report_that_an_incident_denies_is_in_none() -> None:
    asserting = report("3", "feed-c", north=None, same_as=("feed-b/2",), not_same_as=("feed-a/1",))
    told = world(report("1"), report("2", "feed-b"), asserting, report("1", revision=2, retracted=True), flush_every=1)
    assert incidents(told) == {"feed-b/2": ["feed-b/2", "feed-c/3"]}


def test_a_retraction_that_comes_before_its_report_is_the_same() -> None:
    told = world(report("1", revision=2, retracted=True), report("2", "feed-b"), flush_every=1)
    told.tell(report("1", reported_at=NOON)).flush()
    assert incidents(told) == {"feed-a/1": ["feed-a/1", "feed-b/2"]}
    assert counts(told) == (1, 0)


def test_an_older_revision_that_comes_late_may_name_the_incident() -> None:
    told = world(report("1"), report("2", "feed-b", revision=2), flush_every=1)
    assert list(incidents(told)) == ["feed-a/1"]
    told.tell(report("2", "feed-b", reported_at=NOON - HOUR)).flush()
    assert list(incidents(told)) == ["feed-b/2"]


def test_a_merged_report_belongs_where_the_other_does_and_counts_nowhere() -> None:
    told = world(report("1"), report("2", north=700), flush_every=1)
    assert counts(told) == (2, 0)
    told.tell(report("2", revision=2, retracted=True, merged_into="1")).flush()
    assert (incidents(told), counts(told)) == ({"feed-a/1": ["feed-a/1", "feed-a/2"]}, (1, 0))


def test_a_chain_of_merges_is_followed_and_a_circle_or_unknown_end_belongs_nowhere() -> None:
    def merged(name: str, into: str) -> IncidentFact:
        return report(name, retracted=True, merged_into=into)

    chain = world(merged("3", "2"), merged("2", "1"), report("1"), flush_every=1)
    assert incidents(chain) == {"feed-a/1": ["feed-a/1", "feed-a/2", "feed-a/3"]}
    circle = world(merged("1", "2"), merged("2", "1"), merged("3", "nobody"), report("4", "feed-b"))
    assert incidents(circle) == {}


def test_reports_join_and_part_without_a_trace_in_the_books() -> None:
    told = world(report("1", deaths_best=2), tick(at(9)), flush_every=1)
    before = told.ledger._aggregates.tallies["SY01", day(0)]
    figures = (before.in_scope.total, before.tolls, before.without_toll, dict(before.feeds))
    told.tell(report("2", "feed-b", deaths_best=5), report("2", "feed-b", revision=2, retracted=True, kind="arrest"))
    told.flush()
    after = told.ledger._aggregates.tallies["SY01", day(0)]
    told_by = {feed: told_of for feed, told_of in after.feeds.items() if told_of}
    assert (after.in_scope.total, after.tolls, after.without_toll, told_by) == figures


# -- asking


def test_where_no_other_feed_reports_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told = World(TRUCE)
    for question in ("cells", "reports_at", "linked_with", "first_told", "present_at"):
        monkeypatch.setattr(told.store, question, lambda *_: pytest.fail("the store was asked"))
    told.tell(report("1"), report("2"), report("1", revision=2), report("9", "feed-b", when=at(30)), tick(at(1)))
    told.flush()
    assert counts(told) == (2, 0)


def test_a_tick_with_nothing_told_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = world(report("1"), report("2", "feed-b"), tick(at(1)))
    for question in ("cells", "reports_at", "linked_with", "first_told", "present_at"):
        monkeypatch.setattr(told.store, question, lambda *_: pytest.fail("the store was asked"))
    told.tell(tick(at(2)), tick(at(3))).flush()


# -- what it costs


def asserted_by_all(number: int) -> list[IncidentFact]:
    """Return a report, and as many as are asked for that assert that they tell of the same."""
    return [report("hub"), *(report(str(n), same_as=("feed-a/hub",)) for n in range(number))]


def merged_in_a_chain(number: int) -> list[IncidentFact]:
    """Return a report, and others each of which was merged into the one before."""
    chain = (
        report(str(n), retracted=True, merged_into=str(n - 1) if n else "hub", precise="country") for n in range(number)
    )
    return [report("hub"), *chain]


@pytest.mark.parametrize("facts", [asserted_by_all, merged_in_a_chain])
def test_an_incident_of_twice_as_many_reports_takes_twice_the_work(
    facts: Callable[[int], list[IncidentFact]],
) -> None:
    work = []
    for number in (200, 400):
        told = World(TRUCE).tell(*facts(number))
        work.append(calls(told.ledger.drain))
    assert work[1] < 2.5 * work[0]
