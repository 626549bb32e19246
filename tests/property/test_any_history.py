"""The ledger against a naive recount that shares no code with it, on random histories."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.agreement import Agreement
from schemas.facts import Fact, TickFact
from schemas.rows import DayVerdict
from sinks.verify.days import Days
from sinks.verify.linked_rows import incident_row, report_rows
from sinks.verify.linking import Linking
from tests.support.drawn_facts import LISTED, as_naive, as_rejects, histories, meetings, ticks
from tests.support.effort import examples
from tests.support.recounting import recount
from tests.support.worlds import LINKING, World, agreement, at, tick

#: Under each of the seven kinds of agreement; at full effort more than 2,000 histories in all.
RANDOM = settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: Where the ledger is compared with itself.
FEWER = settings(RANDOM, max_examples=examples(113))

STRICT: dict[str, dict[str, object]] = {
    "coverage": {"min_feeds": 2, "min_share_percent": 40, "reports_cover_the_day": True, "refused": "unknown"},
    "access": {
        "regions": ["SY01", "SY02"],
        "overdue_after_hours": 20,
        "max_gap_days": 2,
        "places": [
            {"name": name, "region": region, "status": "besieged", "source": "none"} for name, region in LISTED.items()
        ],
    },
}
TRUCES = {
    "plain": (agreement(), histories),
    "strict": (agreement(**STRICT), histories),
    "ended": (agreement(**STRICT, clock={"ends": datetime(2016, 9, 15, 19)}), histories),  # noqa: DTZ001 - local time
    "bulletins": (agreement(violence={"bulletins_of": "m"}, coverage={"min_share_percent": 40}), histories),
    "linking": (agreement(linking=LINKING), meetings),
    "linking by governorate": (agreement(**STRICT, linking={**LINKING, "weakest_place": "governorate"}), meetings),
    "linking what counts": (agreement(**STRICT, linking=LINKING, violence={"feeds": ["m", "z", "videos"]}), meetings),
}
any_truce = pytest.mark.parametrize(("truce", "told"), TRUCES.values(), ids=TRUCES)
Histories = st.SearchStrategy[list[Fact]]


def figures(row: DayVerdict) -> tuple[object, ...]:
    """Return what of a verdict does not depend on how it came about."""
    evidence = json.loads(row.evidence)
    return (
        row.verdict,
        row.violence,
        row.access,
        row.incidents,
        row.incidents_out_of_scope,
        row.bulletin_incidents,
        row.violence_limit,
        row.covered_share,
        row.deaths_low,
        row.deaths_best,
        row.deaths_high,
        tuple(evidence["violence"]),
        tuple(evidence["access"]),
        json.loads(row.reasons),
        row.rule,
        row.contested_by,
        row.incidents_sure,
        row.incidents_possible,
        row.refused_pending,
        row.incidents_without_toll,
    )


def expected(truce: Agreement, history: list[Fact], now: int) -> dict[object, tuple[object, ...]]:
    """Return the figures a recount gives for every region and truce-day."""
    return {
        bucket: (
            found.verdict,
            found.violence,
            found.access,
            found.incidents,
            found.incidents_out_of_scope,
            found.bulletin_incidents,
            float(found.limit),
            float(found.share),
            found.deaths_low,
            found.deaths_best,
            found.deaths_high,
            found.evidence["violence"],
            found.evidence["access"],
            list(found.reasons),
            found.rule,
            found.contested_by,
            found.incidents_sure,
            found.incidents_possible,
            found.refused_pending,
            found.incidents_without_toll,
        )
        for bucket, found in recount(truce, as_naive(truce, history), now, rejects=as_rejects(truce, history)).items()
    }


def verdicts(world: World) -> dict[object, tuple[object, ...]]:
    """Return the figures of every present verdict."""
    world.flush()
    return {bucket: figures(row) for bucket, row in world.store.verdicts.items()}


def linked(world: World) -> tuple[object, ...]:
    """Return what is linked and why, but where the reports lie in the topic."""
    reports = {row._replace(fact_offset=0) for row in world.store.members}
    return set(world.store.incidents.values()), reports


def joined(truce: Agreement, history: list[Fact]) -> tuple[object, ...]:
    """Return what a recount links, and why."""
    found = Linking(truce, Days.of(truce), as_naive(truce, history)).incidents()
    several = [incident for incident in found if len(incident.members) > 1]
    rows = {row._replace(fact_offset=0) for incident in several for row in report_rows(incident)}
    return {incident_row(incident) for incident in several}, rows


def untimed(history: list[Fact]) -> list[Fact]:
    """Return a history without its ticks."""
    return [fact for fact in history if not isinstance(fact, TickFact)]


@any_truce
@RANDOM
@given(data=st.data())
def test_the_ledger_agrees_with_a_recount_of_the_whole_history(
    truce: Agreement, told: Histories, data: st.DataObject
) -> None:
    history = [*data.draw(told), tick(at(9))]
    flushes, restarts = data.draw(st.sampled_from([(1, 1), (2, 3), (5, 1), (5, None), (1_000, None)]))
    world = World(truce, flush_every=flushes, restart_every=restarts).tell(*history)
    assert verdicts(world) == expected(truce, history, at(9))
    assert linked(world) == joined(truce, history)


@any_truce
@FEWER
@given(data=st.data())
def test_order_and_repetition_never_show_in_the_present_rows(
    truce: Agreement, told: Histories, data: st.DataObject
) -> None:
    history = untimed(data.draw(told))
    shuffled = data.draw(st.permutations([*history, *history]))
    plain = World(truce).tell(*history, tick(at(9)))
    twice = World(truce).tell(*shuffled, tick(at(9)))
    assert verdicts(twice) == verdicts(plain)
    assert linked(twice) == linked(plain)


@any_truce
@FEWER
@given(data=st.data(), size=st.integers(1, 6), restarts=st.sampled_from([None, 1, 2]))
def test_where_flushes_and_restarts_fall_never_shows_versions_included(
    truce: Agreement, told: Histories, data: st.DataObject, size: int, restarts: int | None
) -> None:
    history = [*data.draw(told), tick(at(9))]
    whole = World(truce).tell(*history)
    cut = World(truce, flush_every=size, restart_every=restarts).tell(*history)
    assert verdicts(cut) == verdicts(whole)
    assert cut.store.versions == whole.store.versions
    assert linked(cut) == linked(whole)
    assert cut.kept.tables() == whole.kept.tables()


@any_truce
@FEWER
@given(data=st.data(), extra=st.lists(ticks, max_size=4))
def test_judging_more_often_changes_no_present_finding(
    truce: Agreement, told: Histories, data: st.DataObject, extra: list[TickFact]
) -> None:
    """Being judged incrementally at many ticks is the same as being judged once at the end."""
    history = data.draw(told)
    once = World(truce).tell(*untimed(history), tick(at(9)))
    often = World(truce).tell(*[step for fact in history for step in (fact, tick(at(0)))], *extra, tick(at(9)))
    assert verdicts(often) == verdicts(once)
    assert linked(often) == linked(once)


@pytest.mark.slow
def test_drawn_histories_are_ones_in_which_reports_meet() -> None:
    """What is compared above must happen: every kind of link, and all that keeps one from joining."""
    seen: Counter[str] = Counter()
    truce = TRUCES["linking"][0]

    @settings(max_examples=600, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(history=meetings)
    def look(history: list[Fact]) -> None:
        found = Linking(truce, Days.of(truce), as_naive(truce, history)).incidents()
        members = [member for incident in found for member in incident.members]
        shown = {member.link.why for member in members if member.link} | {member.standing for member in members}
        sizes = [len({member.report.feed for member in incident.members}) for incident in found]
        if any(len(incident.links) for incident in found):
            shown.add("linked")
        if max(sizes, default=0) > 2:
            shown.add("three feeds")
        seen.update(shown)

    look()
    assert seen["linked"] > 100
    assert {kind: count for kind, count in seen.items() if count < 4} == {}
    assert seen.keys() >= {"closest", "repeating_feed", "same_as", "merged_into", "retracted", "three feeds"}
