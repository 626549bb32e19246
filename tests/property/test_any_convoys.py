"""Convoys against a naive recount that shares no code with them: claims of feeds in any order, at any horizon."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Located
from schemas.reports import ConvoyStep
from schemas.rows import ConvoyRow, ConvoyStepRow, Identity, JoinedClaimRow
from sinks.verify.claims import DELIVERIES, group_claims
from sinks.verify.convoy_rows import naive_step
from sinks.verify.convoys import Standing, convoys_of, judge_access
from sinks.verify.history import NaiveReport
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.legs.access import Access
from streams.ledger.core.report_rows import step_row
from tests.support.drawn_facts import LISTED
from tests.support.effort import examples
from tests.support.worlds import HOUR, agreement, at, convoy

ANY = settings(max_examples=examples(300), deadline=None)
PLACES = [{"name": name, "region": region, "status": "besieged", "source": "none"} for name, region in LISTED.items()]

feeds = st.sampled_from(["a", "b", "c"])
convoy_ids = st.sampled_from(["x", "y/z"])
claims = st.builds("{}/{}".format, feeds, convoy_ids)
#: Listed ones, one that is not, and none.
TOWNS = [*LISTED, "a village", "a village", None]
HOURS_APART = 3
RULES = agreement(
    access={
        "regions": ["SY01", "SY02"],
        "overdue_after_hours": 5,
        "max_gap_days": 1,
        "same_convoy_hours": HOURS_APART,
        "places": PLACES,
    }
)
#: Few hours, so that many steps begin, end and are told at one instant.
hours = st.integers(0, 12)


@st.composite
def steps(draw: st.DrawFn) -> ConvoyStepRow:
    begun = at(0, draw(hours))
    fact = convoy(
        draw(st.sampled_from("123456789")),
        draw(st.sampled_from([*ConvoyStep, *DELIVERIES, *DELIVERIES, ConvoyStep.HELD])),
        when=begun,
        to=begun + draw(hours) * HOUR,
        reported_at=begun + draw(hours) * HOUR,
        feed=draw(feeds),
        convoy_id=draw(convoy_ids),
        trucks=draw(st.none() | st.integers(0, 3)),
        same_convoy_as=draw(st.none() | st.none() | claims),
        not_same_convoy_as=tuple(draw(st.just([]) | st.lists(claims, max_size=1))),
        place=Located(draw(st.sampled_from(["SY01", "SY01", "SY02"])), name=draw(st.sampled_from(TOWNS))),
        place_precision=draw(st.sampled_from(["unknown", "exact", "governorate"])),
    )
    return step_row(fact, RULES)


histories = st.lists(steps(), max_size=20)


def identity(step: ConvoyStepRow) -> Identity:
    return Identity(step.feed, step.report_id)


def told(history: list[ConvoyStepRow]) -> tuple[Convoys, dict[Identity, ConvoyStepRow]]:
    """Return the convoys and their steps, each replacing its report's earlier one; asked for all rows at every step."""
    convoys, standing = Convoys(HOURS_APART), dict[Identity, ConvoyStepRow]()
    for step in history:
        if standing.pop(identity(step), None) is not None:
            convoys.remove(identity(step))
        convoys.add(identity(step), step)
        standing[identity(step)] = step
        everything(convoys, standing)
    return convoys, standing


def everything(
    convoys: Convoys, standing: dict[Identity, ConvoyStepRow]
) -> tuple[list[ConvoyRow], list[ConvoyStepRow], list[JoinedClaimRow]]:
    """Return the rows of every convoy, in the order of their names."""
    found = (convoys.timeline(claim) for one in standing if (claim := convoys.claim_of(one)) is not None)
    timelines = {timeline.name: timeline for timeline in found if timeline is not None}
    ordered = [timelines[name] for name in sorted(timelines)]
    return (
        [one.row() for one in ordered],
        [row for one in ordered for row in one.step_rows()],
        sorted(row for one in ordered for row in convoys.joined_rows(one)),
    )


def naive(standing: dict[Identity, ConvoyStepRow]) -> list[NaiveReport]:
    return [naive_step(step) for step in standing.values()]


@ANY
@given(history=histories)
def test_convoys_agree_with_a_recount_of_their_steps(history: list[ConvoyStepRow]) -> None:
    convoys, standing = told(history)
    rows, steps_, _ = everything(convoys, standing)
    recounted = convoys_of(RULES, naive(standing))
    states = [Standing.of(one) for one in recounted]
    assert [(row.feed, row.convoy_id, row.region, row.state, row.since, row.delivered_at) for row in rows] == [
        (
            one.convoy.feed,
            one.convoy.convoy_id,
            one.last.regions[0],
            one.last.kind,
            one.last.occurred_from,
            one.delivered_at,
        )
        for one in states
    ]
    assert [(row.convoy, row.feed, row.report_id, row.legal, row.counts) for row in steps_] == [
        (one.name, step.feed, step.report_id, legal, counts)
        for one in recounted
        for step, legal, counts in zip(one.steps, one.legal(), one.counting(), strict=True)
    ]
    assert [row.steps_flagged for row in rows] == [
        sum(1 for step in steps_ if step.flaw and step.convoy == f"{row.feed}/{row.convoy_id}") for row in rows
    ]


@ANY
@given(history=histories)
def test_what_joins_claims_agrees_with_a_recount(history: list[ConvoyStepRow]) -> None:
    convoys, standing = told(history)
    *_, rows = everything(convoys, standing)
    grouped = group_claims(RULES, naive(standing))
    firsts: dict[str, tuple[str, int | None]] = {}
    for link in grouped.links:
        for claim, other in ((link.one, link.other), (link.other, link.one)):
            firsts.setdefault(claim.name, (other.name, None if link.gap is None else link.gap // 1_000_000))
    assert {f"{row.feed}/{row.convoy_id}": (row.joined_to, row.seconds_apart) for row in rows} == firsts
    assert {row.why for row in rows if row.certainty == "asserted"} <= {"same_convoy_as"}
    assert {row.why for row in rows if row.certainty == "doubtful"} <= {"same_place_and_time"}


@ANY
@given(history=histories, horizon=st.integers(-1, 14), region=st.sampled_from(["SY01", "SY02"]))
def test_a_convoy_at_a_horizon_is_the_convoy_its_earlier_steps_make(
    history: list[ConvoyStepRow], horizon: int, region: str
) -> None:
    convoys, standing = told(history)
    known = [one for whole in convoys_of(RULES, naive(standing)) if (one := whole.before(at(0, horizon))) is not None]
    states = [state for one in known if (state := Standing.of(one)).last.regions[0] == region]
    found = sorted(convoys.bound_for(region, at(0, horizon)))
    assert [(one.label, one.state, one.since, one.first_known, one.delivered_at) for one in found] == [
        (one.convoy.name, one.last.kind, one.last.occurred_from, one.convoy.first_known, one.delivered_at)
        for one in states
    ]


def owed_here(history: list[ConvoyStepRow], access: Access, horizon: int) -> None:
    """Compare the leg by the index with the recount, on days of four hours up to a horizon."""
    for region in ("SY01", "SY02"):
        for number in range(0, horizon + 1, 4):
            start, end = at(0, number), at(0, min(number + 4, horizon))
            if end <= start:
                continue
            found = access.judge(region, start, end)
            told = judge_access(RULES, region, start, at(0, number + 4), end, history_of(history))
            assert (found.finding, found.evidence) == (told.finding, told.evidence)


def history_of(history: list[ConvoyStepRow]) -> list[NaiveReport]:
    return naive({identity(step): step for step in history})


@ANY
@given(history=histories, horizons=st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_the_access_leg_agrees_with_a_recount_however_often_it_takes_in_what_moved(
    history: list[ConvoyStepRow], horizons: list[int]
) -> None:
    convoys, standing = Convoys(HOURS_APART), list[ConvoyStepRow]()
    access = Access(RULES, convoys)
    known: set[Identity] = set()
    for number, step in enumerate(history):
        if identity(step) in known:
            convoys.remove(identity(step))
            standing = [one for one in standing if identity(one) != identity(step)]
        convoys.add(identity(step), step)
        known.add(identity(step))
        standing.append(step)
        if number % 3 == 0:
            access.take_in()
            owed_here(standing, access, horizons[number % len(horizons)])
    access.take_in()
    owed_here(standing, access, 30)


@ANY
@given(history=histories, late=steps())
def test_a_step_moves_no_finding_before_the_first_horizon_it_is_said_to_move(
    history: list[ConvoyStepRow], late: ConvoyStepRow
) -> None:
    convoys, _ = told(history)
    access = Access(RULES, convoys)
    access.take_in()
    horizons = [at(0, hours) for hours in range(31)]
    regions = ("SY01", "SY02")
    before = {(region, h): access.judge(region, h - 4 * HOUR, h) for region in regions for h in horizons}
    if convoys.claim_of(identity(late)) is not None:
        convoys.remove(identity(late))
    convoys.add(identity(late), late)
    moved = access.take_in()
    for (region, horizon), found in before.items():
        if horizon < moved.get(region, at(9)):
            assert access.judge(region, horizon - 4 * HOUR, horizon) == found


@ANY
@given(history=histories, data=st.data())
def test_the_order_of_arrival_never_shows(history: list[ConvoyStepRow], data: st.DataObject) -> None:
    once = list({identity(step): step for step in history}.values())
    assert everything(*told(once)) == everything(*told(data.draw(st.permutations(once))))


@ANY
@given(history=histories)
def test_what_is_taken_out_again_leaves_nothing(history: list[ConvoyStepRow]) -> None:
    convoys, standing = told(history)
    for one in standing:
        convoys.remove(one)
        assert convoys.claim_of(one) is None
    assert convoys.bound_for("SY01", at(9)) == convoys.bound_for("SY02", at(9)) == []
    assert everything(convoys, standing) == ([], [], [])
    access = Access(RULES, convoys)
    assert access.take_in() == {}
    assert access.judge("SY01", at(0), at(1)).rule == "no_convoy_known"
