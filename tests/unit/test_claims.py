"""Claims of feeds joined to one convoy by place and time, sentence by sentence of docs/judging.md, "Claims"."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.agreement import Agreement
from schemas.facts import ConvoyFact, Located
from schemas.rows import Identity, JoinedClaimRow
from sinks.verify.claims import destination_of, group_claims
from sinks.verify.history import NaiveReport
from streams.ledger.core import claim_links
from streams.ledger.core.claim_links import CROWD
from streams.ledger.core.convoy import ConvoyName
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.report_rows import step_row
from tests.support.effort import calls
from tests.support.worlds import HOUR, World, agreement, at, convoy, tick

HOURS = 24
LISTED = {"name": "Hill Town", "names": ["The Hill"], "region": "SY02", "status": "besieged", "source": "none"}


def rules(hours: int | None = HOURS) -> Agreement:
    return agreement(access={"same_convoy_hours": hours, "places": [LISTED]})


RULES = rules()


def told(feed: str, step: str = "dispatched", hours: float = 0, **changes: Any) -> ConvoyFact:
    """Return what a feed tells of a convoy to a village, so many hours into the truce."""
    town = changes.pop("town", "A village")
    place = Located(changes.pop("region", "SY02"), name=town)
    convoy_id = changes.pop("convoy_id", "aid")
    name = f"{convoy_id} {step} {hours}"
    fields = {"feed": feed, "step": step, "when": at(0, hours), "place": place, "convoy_id": convoy_id}
    return convoy(**{**fields, "report_id": name, **changes})


def naive(facts: tuple[ConvoyFact, ...], truce: Agreement) -> list[NaiveReport]:
    return [
        NaiveReport(
            offset=0,
            feed=fact.feed,
            report_id=fact.report_id,
            revision=1,
            active=True,
            type="convoy",
            regions=(fact.place.region,),
            occurred_from=fact.from_,
            occurred_to=fact.to,
            reported_at=fact.reported_at,
            kind=fact.step,
            convoy_id=fact.convoy_id,
            same_convoy_as=fact.same_convoy_as,
            not_same_convoy_as=fact.not_same_convoy_as,
            destination=destination_of(
                truce, fact.place.region, [fact.place.name] if fact.place.name else [], fact.place_precision
            ),
        )
        for fact in facts
    ]


def entered(*facts: ConvoyFact, truce: Agreement = RULES) -> Convoys:
    convoys = Convoys(truce.access.same_convoy_hours)
    for fact in facts:
        convoys.add(Identity(fact.feed, fact.report_id), step_row(fact, truce))
    return convoys


def grouped(*facts: ConvoyFact, truce: Agreement = RULES) -> list[str]:
    """Return the claims of each convoy, as "a/aid b/aid", which core and recount say alike in every order."""
    recounted = sorted(" ".join(sorted(c.name for c in group)) for group in group_claims(truce, naive(facts, truce))[0])
    for order in list(permutations(facts))[:24]:
        convoys = entered(*order, truce=truce)
        claims = {ConvoyName(fact.feed, fact.convoy_id) for fact in facts}
        timelines = [timeline for claim in claims if (timeline := convoys.timeline(claim)) is not None]
        assert sorted({" ".join(sorted(map(str, one.claims))) for one in timelines}) == recounted
    return recounted


def joined(*facts: ConvoyFact, truce: Agreement = RULES) -> bool:
    return len(grouped(*facts, truce=truce)) == 1


def why(*facts: ConvoyFact) -> list[JoinedClaimRow]:
    convoys = entered(*facts)
    timeline = convoys.timeline(ConvoyName(facts[0].feed, facts[0].convoy_id))
    assert timeline is not None
    return convoys.joined_rows(timeline)


# -- candidates


def test_two_feeds_bound_for_one_place_on_one_day_tell_of_one_convoy() -> None:
    assert joined(told("a"), told("b", "offloaded", 4))


def test_without_hours_in_the_agreement_only_reports_join_claims() -> None:
    assert not joined(told("a"), told("b"), truce=rules(None))
    assert joined(told("a"), told("b", same_convoy_as="a/aid"), truce=rules(None))


def test_two_names_of_one_feed_are_two_convoys() -> None:
    assert not joined(told("a"), told("a", convoy_id="other"))


def test_a_request_or_an_approval_is_no_road() -> None:
    assert not joined(told("a", "approved"), told("b"))
    assert joined(told("a", "approved"), told("a", "loaded", 2), told("b"))


@pytest.mark.parametrize(("hours", "one"), [(HOURS, True), (HOURS + 0.01, False)])
def test_roads_lie_at_most_so_many_hours_apart(hours: float, one: bool) -> None:
    assert joined(told("a"), told("b", hours=hours)) is one
    assert joined(told("a", to=at(2)), told("b", hours=48 + hours)) is one


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"town": "The Hill"}, {"town": "hill town"}, True),
        ({"town": "al-Qarya"}, {"town": "QARYA"}, True),
        ({"town": "A village"}, {"town": "another"}, False),
        ({"town": "A village"}, {"town": "A village", "region": "SY01"}, False),
        ({"town": None}, {"town": None}, False),
        ({"town": "Aleppo", "place_precision": "governorate"}, {"town": "Aleppo"}, False),
        ({"town": "The Hill", "place_precision": "governorate"}, {"town": "Hill Town"}, True),
    ],
)
def test_roads_lead_to_one_place_listed_or_by_its_name(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert joined(told("a", **one), told("b", **other)) is same


def test_a_road_leads_to_the_place_its_last_step_names() -> None:
    first, later = told("a", town="another"), told("a", "held", 5)
    assert joined(first, later, told("a", "arrived", 6, town=None), told("b", hours=5))


@pytest.mark.parametrize(("days", "one"), [(31, True), (31.01, False)])
def test_a_name_used_for_more_than_a_month_is_no_one_convoys(days: float, one: bool) -> None:
    assert joined(told("a", to=at(days)), told("b", hours=9)) is one


# -- which is whose


def test_each_is_the_closest_of_its_feed_to_the_other() -> None:
    facts = [told("a"), told("b", hours=20, convoy_id="late"), told("b", hours=3, convoy_id="soon")]
    assert grouped(*facts) == ["a/aid b/soon", "b/late"]


def test_who_overlaps_goes_before_who_started_closer() -> None:
    long, near = told("b", hours=-20, to=at(0, 1), convoy_id="long"), told("b", hours=1, convoy_id="near")
    assert grouped(told("a"), long, near) == ["a/aid b/long", "b/near"]


def test_claims_that_overlap_alike_are_told_apart_by_their_starts() -> None:
    facts = [told("a", to=at(0, 9)), told("b", hours=6, convoy_id="six"), told("b", hours=5, convoy_id="zfive")]
    assert grouped(*facts) == ["a/aid b/zfive", "b/six"]


def test_no_convoy_has_two_claims_of_a_feed_by_place_and_time() -> None:
    """Of all, c is the closest to both of b's, by way of a and by itself."""
    facts = [told("a"), told("b", hours=1, convoy_id="x"), told("c", hours=13), told("b", hours=14, convoy_id="y")]
    assert all(group.count("b/") < 2 for group in grouped(*facts))


def test_a_claim_that_grows_takes_the_partner_it_is_now_closest_to() -> None:
    convoys = entered(told("a"), told("b", hours=3, convoy_id="was"), told("b", hours=9, convoy_id="is"))
    changed = convoys.add(Identity("b", "more"), step_row(told("b", "loaded", 0, convoy_id="is"), RULES))
    assert changed.claims >= {("a", "aid"), ("b", "was"), ("b", "is")}
    timeline = convoys.timeline(ConvoyName("a", "aid"))
    assert timeline is not None
    assert sorted(map(str, timeline.claims)) == ["a/aid", "b/is"]


# -- what reports say


def test_a_denial_by_either_keeps_two_claims_apart() -> None:
    assert not joined(told("a"), told("b", not_same_convoy_as=("a/aid",)))
    assert not joined(told("a", not_same_convoy_as=("c/aid", "b/aid")), told("b"))


def test_a_denial_wins_over_an_assertion() -> None:
    assert not joined(told("a", same_convoy_as="b/aid"), told("b", not_same_convoy_as=("a/aid",)))


def test_a_denial_keeps_apart_what_a_third_claim_would_join() -> None:
    facts = [told("a"), told("b", same_convoy_as="a/aid"), told("c", same_convoy_as="b/aid")]
    assert joined(*facts)
    assert grouped(*facts, told("c", "held", 2, not_same_convoy_as=("a/aid",))) == ["a/aid b/aid", "c/aid"]


def test_a_denial_that_is_taken_back_joins_again() -> None:
    convoys = entered(told("a"), told("b"), told("b", "held", 2, not_same_convoy_as=("a/aid",)))
    assert convoys.hanging_together(ConvoyName("a", "aid")) == {("a", "aid")}
    convoys.remove(Identity("b", "aid held 2"))
    assert convoys.hanging_together(ConvoyName("a", "aid")) == {("a", "aid"), ("b", "aid")}


def test_an_assertion_goes_before_what_is_closer() -> None:
    facts = [told("a"), told("b", hours=1, convoy_id="x"), told("b", hours=90, convoy_id="y", same_convoy_as="a/aid")]
    assert grouped(*facts) == ["a/aid b/y", "b/x"]


def test_every_claim_says_what_joined_it_and_how_far_apart() -> None:
    rows = why(told("a"), told("b", hours=1.5), told("c", hours=40, same_convoy_as="b/aid"))
    assert [row[:2] + row[3:] for row in rows] == [
        ("a", "aid", "b/aid", "same_place_and_time", 5_400, "doubtful"),
        ("b", "aid", "c/aid", "same_convoy_as", None, "asserted"),
        ("c", "aid", "b/aid", "same_convoy_as", None, "asserted"),
    ]
    assert {row.convoy for row in rows} == {"a/aid"}
    assert why(told("a")) == []


# -- crowds, and what it costs


def crowd(number: int) -> list[ConvoyFact]:
    return [told(f"feed-{n}", hours=n % 3 / 10) for n in range(number)]


def test_in_a_crowd_nobody_can_say_which_is_whose() -> None:
    facts = crowd(CROWD + 1)
    assert len(group_claims(RULES, naive(tuple(facts), RULES)).groups) == CROWD + 1
    convoys = entered(*facts)
    assert len(convoys.hanging_together(ConvoyName("feed-0", "aid"))) == 1
    convoys.remove(Identity("feed-7", facts[7].report_id))
    assert len(convoys.hanging_together(ConvoyName("feed-0", "aid"))) == CROWD
    assert len(group_claims(RULES, naive(tuple(facts[:7] + facts[8:]), RULES)).groups) == 1


def test_the_ten_thousandth_claim_to_one_place_on_one_day_costs_no_more_than_the_hundredth() -> None:
    convoys = Convoys(HOURS)
    rows = [(Identity(fact.feed, fact.report_id), step_row(fact, RULES)) for fact in crowd(10_000)]
    for identity, row in rows[:100]:
        convoys.add(identity, row)
    early = calls(lambda: [convoys.add(*each) for each in rows[100:200]])
    for identity, row in rows[200:9_900]:
        convoys.add(identity, row)
    assert calls(lambda: [convoys.add(*each) for each in rows[9_900:]]) < 1.2 * early


def test_claims_on_other_days_cost_nothing() -> None:
    convoys = Convoys(HOURS)
    rows = [step_row(told(f"feed-{n % 3}", hours=24 * n, convoy_id=f"c{n}"), RULES) for n in range(2_000)]
    work = []
    for number in (200, 1_900):
        for n, row in enumerate(rows[:number]):
            if convoys.claim_of(Identity(row.feed, str(n))) is None:
                convoys.add(Identity(row.feed, str(n)), row)
        work.append(calls(lambda at=number: [convoys.add(Identity("x", str(at)), rows[at])]))
    assert work[1] < 1.5 * work[0]


def test_a_crowd_that_comes_and_goes_leaves_nothing() -> None:
    links = claim_links.ClaimLinks(HOURS)
    road = claim_links.Road(("SY02", "", "village"), at(0), at(0) + HOUR)
    names = [ConvoyName(f"feed-{n}", "aid") for n in range(CROWD + 5)]
    for name in names:
        links.move(name, road, {})
    for name in names:
        links.move(name, None, {})
    assert not any(vars(links)[kept] for kept in ("_roads", "_cells", "_crowds", "_candidates", "_closest", "_links"))


def test_a_step_off_the_road_or_without_a_place_goes_without_a_trace() -> None:
    plain = told("a"), told("b", hours=3)
    approved, nameless = told("b", "approved", 1), told("b", "arrived", 9, town=None)
    convoys = entered(*plain, approved, nameless)
    for fact in (approved, nameless):
        convoys.remove(Identity(fact.feed, fact.report_id))
    timeline = convoys.timeline(ConvoyName("a", "aid"))
    assert timeline is not None
    assert convoys.joined_rows(timeline) == why(*plain)


def test_a_claim_that_leaves_takes_no_other_of_its_feed_along() -> None:
    """Both of b's are candidates of a, and the farther one stays one."""
    near, far = told("b", hours=1, convoy_id="near"), told("b", hours=9, convoy_id="far")
    convoys = entered(told("a"), near, far)
    convoys.remove(Identity(near.feed, near.report_id))
    timeline = convoys.timeline(ConvoyName("a", "aid"))
    assert timeline is not None
    assert sorted(map(str, timeline.claims)) == ["a/aid", "b/far"]


# -- the leg


def test_a_delivery_another_feed_tells_of_ends_the_waiting() -> None:
    facts = told("nyt", "dispatched", 2), told("ap", "offloaded", 6)
    for truce, found in ((RULES, "MET"), (rules(None), "BROKEN")):
        world = World(truce).tell(*facts, tick(at(5)))
        assert world.verdict("SY02", 4).access == found


def test_a_region_a_join_was_taken_from_is_judged_again() -> None:
    world = World(RULES).tell(told("nyt", "dispatched", 2), told("ap", "offloaded", 6), tick(at(5)))
    world.tell(told("ap", "arrived", 5, not_same_convoy_as=("nyt/aid",)), tick(at(5, 1)))
    assert world.verdict("SY02", 4).access == "BROKEN"
    assert "ap/aid arrived 5@1" in world.versions("SY02", 4)[-1].cause
