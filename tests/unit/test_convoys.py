"""Convoys told by several feeds, out of order and in contradiction; docs/judging.md states the rules."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.facts import ConvoyFact
from schemas.reports import ConvoyStep
from schemas.rows import ConvoyRow, ConvoyStepRow
from sinks.verify.convoys import LEGAL
from streams.ledger.core.convoy import Convoy, ConvoyName
from streams.ledger.core.convoy_steps import MAY_FOLLOW, is_legal
from tests.support.effort import calls
from tests.support.worlds import World, agreement, at, convoy, tick


def told(step: str, hours: float, feed: str = "un", *, convoy_id: str = "aid-1", **changes: Any) -> ConvoyFact:
    """Return one step, so many hours into the truce, under a report id of its own."""
    fields = {"feed": feed, "convoy_id": convoy_id, "report_id": f"{convoy_id}-{step}-{hours}", **changes}
    return convoy(step=step, when=at(0, hours), **fields)


def same(step: str, hours: float, feed: str, of: str = "un/aid-1", **changes: Any) -> ConvoyFact:
    """Return a step another feed tells of the convoy ``of``."""
    return told(step, hours, feed, convoy_id=f"by-{feed}", same_convoy_as=of, **changes)


class File:
    """What the tables of convoys hold after a ledger was told facts, as flush upon flush replaces their rows."""

    def __init__(self, *facts: ConvoyFact, flush_every: int = 1_000) -> None:
        world = World(flush_every=flush_every).tell(*facts)
        world.flush()
        self.convoys: dict[str, ConvoyRow] = {}
        self.steps: dict[tuple[str, str], ConvoyStepRow] = {}
        for changes in world.store.changes:
            for gone in changes.touched_convoys:
                self.convoys.pop("/".join(gone), None)
            for identity in changes.touched_reports:
                self.steps.pop(identity, None)
            self.convoys |= {f"{row.feed}/{row.convoy_id}": row for row in changes.convoys}
            self.steps |= {(row.feed, row.report_id): row for row in changes.convoy_steps}

    @property
    def only(self) -> ConvoyRow:
        (row,) = self.convoys.values()
        return row

    def flaws(self) -> dict[str, str | None]:
        return {f"{row.feed} {row.step}": row.flaw for row in self.steps.values()}


# -- the table of steps


def test_every_step_has_a_line_in_both_tables_and_they_say_the_same() -> None:
    assert set(MAY_FOLLOW) == set(LEGAL) == set(ConvoyStep)
    assert {step: set(MAY_FOLLOW[step]) for step in ConvoyStep} == {step: set(LEGAL[step]) for step in ConvoyStep}


@pytest.mark.parametrize("step", ConvoyStep)
def test_anything_may_come_first_and_anything_twice(step: ConvoyStep) -> None:
    assert is_legal(step, None)
    assert is_legal(step, step)


def test_the_whole_way_of_a_convoy_is_legal() -> None:
    way = ["requested", "no_response", "approved_in_principle", "approved", "loaded", "dispatched", "held"]
    way += ["dispatched", "arrived", "offloaded", "distributed"]
    assert all(is_legal(after, before) for before, after in itertools.pairwise(way))


@pytest.mark.parametrize(
    ("before", "step"),
    [
        ("requested", "distributed"),
        ("approved", "offloaded"),
        ("loaded", "offloaded"),
        ("denied", "dispatched"),
        ("arrived", "dispatched"),
        ("offloaded", "loaded"),
        ("distributed", "attacked"),
        ("turned_back", "offloaded"),
    ],
)
def test_no_delivery_without_a_road_no_road_after_a_refusal_and_no_going_back(before: str, step: str) -> None:
    assert not is_legal(step, before)


# -- what counts


def test_one_claim_of_delivery_out_of_nothing_is_kept_and_flagged_and_delivers_nothing() -> None:
    file = File(told("requested", 0), told("distributed", 5, people_reached=900))
    assert (file.only.state, file.only.delivered_at, file.only.steps_flagged) == ("requested", None, 1)
    assert file.flaws()["un distributed"] == "distributed does not follow requested; no other feed claims a delivery"
    assert file.only.people_reached == 900


def test_the_same_feed_saying_it_again_does_not_make_it_true() -> None:
    file = File(told("requested", 0), told("distributed", 5), told("offloaded", 6), told("distributed", 7))
    assert (file.only.state, file.only.delivered_at) == ("requested", None)


def test_a_second_feed_bears_a_delivery_out_and_both_stay_flagged() -> None:
    file = File(told("requested", 0), told("distributed", 5), same("offloaded", 6, "icrc"))
    assert (file.only.state, file.only.delivered_at) == ("offloaded", at(0, 5))
    assert [row.counts for row in file.steps.values()] == [True, True, True]
    assert file.only.steps_flagged == 2


def test_a_step_out_of_place_does_not_move_the_state_but_a_setback_does() -> None:
    assert File(told("arrived", 0), told("dispatched", 1)).only.state == "arrived"
    assert File(told("offloaded", 0), told("held", 1)).only.state == "held"
    attacked = File(told("denied", 0), told("attacked", 1)).only
    assert (attacked.state, attacked.attacked_at) == ("attacked", at(0, 1))


def test_a_delivery_that_another_feed_still_saw_held_later_is_none() -> None:
    file = File(told("dispatched", 0), same("offloaded", 5, "agency"), told("held", 9))
    assert (file.only.state, file.only.delivered_at) == ("held", None)
    assert file.flaws()["agency offloaded"] == "un/aid-1-held-9 says held"


def test_a_hold_that_reaches_beyond_a_delivery_contradicts_it_when_it_was_said_later() -> None:
    hold = {"to": at(9), "reported_at": at(9)}
    assert File(told("held", 0, **hold), same("offloaded", 30, "agency")).only.delivered_at is None
    early = {"to": at(9), "reported_at": at(0, 1)}
    assert File(told("held", 0, **early), same("offloaded", 30, "agency")).only.delivered_at == at(0, 30)
    over = {"to": at(0, 30), "reported_at": at(9)}
    assert File(told("held", 0, **over), same("offloaded", 30, "agency")).only.delivered_at == at(0, 30)


def test_trucks_on_their_way_home_do_not_take_their_own_feeds_delivery_back() -> None:
    file = File(told("dispatched", 0), told("offloaded", 5), told("turned_back", 9))
    assert (file.only.state, file.only.delivered_at, file.only.steps_flagged) == ("turned_back", at(0, 5), 0)


def test_a_feed_that_saw_the_convoy_held_later_keeps_its_own_delivery() -> None:
    file = File(told("dispatched", 1), told("offloaded", 10), same("offloaded", 11, "icrc"), same("held", 12, "icrc"))
    assert file.flaws()["un offloaded"] == "icrc/by-icrc-held-12 says held"
    assert file.flaws()["icrc offloaded"] is None
    assert file.only.delivered_at == at(0, 11)


def test_a_delivery_after_the_contradiction_counts_again() -> None:
    file = File(told("dispatched", 0), same("offloaded", 5, "agency"), told("held", 9), told("offloaded", 20))
    assert (file.only.state, file.only.delivered_at) == ("offloaded", at(0, 20))


# -- claims of several feeds


def test_two_feeds_claims_are_one_convoy_when_either_says_so() -> None:
    for facts in (
        [told("dispatched", 0), same("arrived", 5, "icrc")],
        [told("dispatched", 0, same_convoy_as="icrc/by-icrc"), told("arrived", 5, "icrc", convoy_id="by-icrc")],
    ):
        for order in itertools.permutations(facts):
            assert (File(*order).only.claims, File(*order).only.state) == (2, "arrived")


def test_circles_and_a_claim_named_twice_are_harmless() -> None:
    facts = [
        told("dispatched", 0, same_convoy_as="b/by-b"),
        same("held", 1, "b", of="c/by-c"),
        same("arrived", 2, "c", of="un/aid-1"),
        same("arrived", 3, "c", of="c/by-c"),
    ]
    assert (File(*facts).only.claims, File(*facts).only.steps) == (3, 4)


def test_a_name_nobody_bears_joins_nothing_until_somebody_does() -> None:
    facts = [same("held", 1, "b", of="un/aid-9"), same("held", 2, "c", of="un/aid-9")]
    assert len(File(*facts).convoys) == 2
    assert File(*facts, told("dispatched", 3, convoy_id="aid-9")).only.claims == 3


def test_a_revision_that_no_longer_says_it_parts_them_again() -> None:
    joined = same("offloaded", 5, "icrc")
    parted = told("offloaded", 5, "icrc", convoy_id="by-icrc", report_id=joined.report_id, revision=2)
    for flush_every in (1, 9):
        file = File(told("requested", 0), joined, parted, flush_every=flush_every)
        assert {name: row.state for name, row in file.convoys.items()} == {
            "un/aid-1": "requested",
            "icrc/by-icrc": "offloaded",
        }
        assert {row.convoy for row in file.steps.values()} == {"un/aid-1", "icrc/by-icrc"}


def test_a_retracted_claim_leaves_the_convoy() -> None:
    joined = same("held", 5, "icrc")
    file = File(told("dispatched", 0), joined, same("held", 5, "icrc", revision=2, retracted=True), flush_every=1)
    assert (file.only.claims, file.only.state, len(file.steps)) == (1, "dispatched", 1)


def test_an_assertion_told_twice_holds_until_both_are_taken_back() -> None:
    twice = same("held", 5, "icrc"), same("arrived", 6, "icrc")
    parted = [
        told(one.step, 5 + n, "icrc", convoy_id="by-icrc", report_id=one.report_id, revision=2)
        for n, one in enumerate(twice)
    ]
    assert len(File(told("dispatched", 0), *twice, parted[0], flush_every=1).convoys) == 1
    assert len(File(told("dispatched", 0), *twice, *parted, flush_every=1).convoys) == 2


def test_a_convoy_to_a_region_that_is_owed_no_access_moves_none_of_its_days() -> None:
    world = World().tell(told("dispatched", 1, region="SY01"), tick(at(1)))
    world.tell(told("attacked", 2, region="SY01"), tick(at(1, 1)))
    assert [row.access for row in world.versions("SY01", 0)] == ["NOT_OWED"]


def test_a_convoy_keeps_the_name_it_was_first_told_under() -> None:
    assert list(File(told("dispatched", 0), same("held", 5, "aaa"), flush_every=1).convoys) == ["un/aid-1"]


def test_what_a_later_join_says_holds_for_earlier_days_as_well() -> None:
    """The trucks were the same ones all along: the delivery of day 1 ends the waiting of day 3."""
    delivered = told("offloaded", 20, "icrc", convoy_id="x")
    joined = told("distributed", 100, "icrc", convoy_id="x", report_id="later", same_convoy_as="un/aid-1")
    world = World().tell(told("dispatched", 0), delivered, tick(at(5)))
    assert [world.verdict("SY02", n).access for n in range(5)] == ["MET", "MET", "BROKEN", "BROKEN", "BROKEN"]
    world.tell(joined, tick(at(5, 1)))
    assert [world.verdict("SY02", n).access for n in range(5)] == ["MET"] * 5


def test_a_region_learns_of_a_join_that_was_told_for_another_one() -> None:
    truce = agreement(access={"regions": ["SY01", "SY02"]})
    world = World(truce).tell(told("dispatched", 0), tick(at(1)), same("arrived", 5, "icrc", region="SY01"))
    world.tell(tick(at(1, 1)))
    assert (world.verdict("SY02", 0).access, world.verdict("SY01", 0).access) == ("UNKNOWN", "MET")


def test_figures_are_the_latest_with_the_least_and_the_greatest_beside_them() -> None:
    row = File(
        told("requested", 0, trucks=25, people_requested=40_000, items_removed=("surgical kits",)),
        same("loaded", 1, "ap", trucks=23, items_removed=("insulin", "surgical kits")),
        told("arrived", 2, people_requested=35_000),
    ).only
    assert (row.trucks, row.trucks_least, row.trucks_most) == (23, 23, 25)
    assert (row.people_requested, row.people_requested_least, row.people_requested_most) == (35_000, 35_000, 40_000)
    assert row.items_removed == '["surgical kits", "insulin"]'


def test_a_horizon_inside_a_convoys_life_shows_it_as_it_was_then() -> None:
    hold = same("held", 30, "un2", to=at(3), reported_at=at(3))
    world = World().tell(told("dispatched", 0), told("offloaded", 10), hold, tick(at(6)))
    # Delivered until another feed saw it held; from then on waited for, and overdue three days after its first step.
    assert [world.verdict("SY02", n).access for n in range(5)] == ["MET", "MET", "BROKEN", "BROKEN", "BROKEN"]


def test_what_was_unloaded_in_one_region_is_no_delivery_to_the_next_one_the_convoy_is_sent_on_to() -> None:
    truce = agreement(access={"regions": ["SY01", "SY02"], "overdue_after_hours": 72, "max_gap_days": 7})
    on_the_way = told("dispatched", 1, region="SY01"), told("offloaded", 5, region="SY01")
    world = World(truce).tell(*on_the_way, told("held", 9), *(tick(at(days)) for days in (1, 2, 3, 4, 5)))
    assert [world.verdict("SY02", number).access for number in (0, 2, 3)] == ["MET", "MET", "BROKEN"]
    world.tell(told("offloaded", 40), tick(at(6)))
    assert [world.verdict("SY02", number).access for number in (0, 2, 3)] == ["MET", "MET", "MET"]
    delivered = [row.delivered_at for changes in world.store.changes for row in changes.convoys]
    assert delivered == [None, at(0, 40)]


# -- what it costs


def test_a_convoy_of_twice_as_many_claims_takes_twice_the_work_to_tell() -> None:
    work = []
    for number in (200, 400):
        told_of = [told("requested", n / 100, convoy_id=f"c{n}", same_convoy_as=f"un/c{n - 1}") for n in range(number)]
        work.append(calls(lambda facts=told_of: File(*facts)))
    assert work[1] < 2.5 * work[0]


@pytest.mark.parametrize("step", ["offloaded", "denied", "held"])
def test_a_step_of_today_takes_as_much_work_after_four_times_the_days_and_convoys(step: str) -> None:
    """Of the convoys delivered, or denied and made good, none is asked again; all days lie before the clocks change."""
    work = []
    for days in (10, 40):
        world = World()
        for number in range(days):
            for hour, kind in ((1, "dispatched"), (5, "offloaded")):
                world.tell(convoy(f"{kind}-{number}", kind, when=at(number, hour), convoy_id=f"c{number}"))
            world.tell(convoy(f"no-{number}", "denied", when=at(number, 2), convoy_id=f"d{number}"))
        world.tell(tick(at(days)))
        late = convoy("late", step, when=at(days - 1, 20), convoy_id="late")
        work.append(calls(lambda world=world, late=late, days=days: world.tell(late, tick(at(days, 1)))))
    assert work[1] < 1.5 * work[0]


def test_a_day_that_ended_before_a_step_began_is_not_judged_again() -> None:
    world = World().tell(told("dispatched", 1), told("offloaded", 5), tick(at(60)))
    work = []
    for number, begun in enumerate((at(59, 12), at(5))):
        late = convoy(f"late-{number}", "offloaded", when=begun, convoy_id=f"late-{number}")
        work.append(calls(lambda late=late, number=number: world.tell(late, tick(at(60, number + 1)))))
    assert work[1] > 5 * work[0]


@pytest.mark.parametrize(
    ("place", "delivered_to", "delivered", "good"),
    [
        ("Duma", "Duma", 3, True),
        (None, "Duma", 3, True),
        ("Duma", "Harasta", 3, False),
        ("Duma", "Duma", 1, False),
        ("Duma", "Duma", None, False),
    ],
)
def test_a_later_delivery_to_the_same_place_stands_in_for_a_convoy_that_was_refused(
    place: str | None, delivered_to: str, delivered: int | None, good: bool
) -> None:
    refused = Convoy(ConvoyName("un", "1"), "un/1", "SY03", place, "denied", at(2), at(0), None)
    other = refused._replace(
        place=delivered_to, state="offloaded", delivered_at=None if delivered is None else at(delivered)
    )
    assert refused.made_good_by(other) == good
    assert not other.made_good_by(other)
