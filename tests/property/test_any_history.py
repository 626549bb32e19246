"""The ledger against a naive recount that shares no code with it, on random histories."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.agreement import Agreement
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    Fact,
    GivenLength,
    IncidentFact,
    PositionFact,
    TickFact,
)
from schemas.reports import ConvoyStep
from schemas.rows import VerdictRow
from sinks.verify.convoys import DELIVERIES
from sinks.verify.history import NaiveLine, NaiveReport
from sinks.verify.recount import recount
from tests.support.worlds import (
    HOUR,
    World,
    agreement,
    at,
    bulletin,
    convoy,
    coverage,
    declaration,
    incident,
    position,
    tick,
)

EXAMPLES = int(os.environ.get("TRUCEWATCH_TEST_HISTORIES", "300"))
RANDOM = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TRUCES = (
    agreement(),
    agreement(
        coverage={"min_feeds": 2, "min_share_percent": 40, "reports_cover_the_day": True},
        access={"regions": ["SY01", "SY02"], "overdue_after_hours": 20, "max_gap_days": 2},
    ),
    agreement(violence={"bulletins_of": "feed-a"}, coverage={"min_share_percent": 40}),
)
EVERY_TRUCE = pytest.mark.parametrize("truce", TRUCES, ids=["plain", "strict", "bulletins"])

moments = st.integers(min_value=-4 * 24, max_value=5 * 24).map(lambda hours: at(0, hours))
regions = st.sampled_from(["SY01", "SY02"])
revisions = st.integers(min_value=1, max_value=4)
names = st.sampled_from(["r1", "r2", "r3", "r4", "r5", "r6", "r7"])
feeds = st.sampled_from(["feed-a", "feed-b"])
convoy_ids = st.sampled_from(["aid-1", "aid-2", "aid/3"])
lengths = st.integers(min_value=0, max_value=30).map(lambda hours: hours * HOUR)
sides = st.sampled_from([(), (("Government",), ("Opposition",)), (("Government",), ("ISIL",)), (("Nusra",),)])


@st.composite
def incidents(draw: st.DrawFn) -> IncidentFact:
    when = draw(moments)
    return incident(
        draw(names),
        when=when,
        to=when + draw(lengths),
        region=draw(regions),
        feed=draw(feeds),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
        sides=draw(sides),
        kind=draw(st.sampled_from(["shelling", "shelling", "shelling", "attack_on_aid"])),
        deaths_best=draw(st.none() | st.integers(0, 9)),
    )


@st.composite
def notices(draw: st.DrawFn) -> CoverageFact:
    low = draw(moments)
    return coverage(
        draw(names),
        low=low,
        high=low + draw(st.integers(1, 60)) * HOUR,
        regions=tuple(draw(st.lists(regions, min_size=1, max_size=2))),
        feed=draw(feeds),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def steps(draw: st.DrawFn) -> ConvoyFact:
    return convoy(
        draw(names),
        draw(st.sampled_from([*ConvoyStep, *DELIVERIES, *DELIVERIES])),
        when=(when := draw(moments)),
        to=when + draw(lengths),
        reported_at=when + draw(lengths),
        convoy_id=draw(convoy_ids),
        region=draw(regions),
        feed=draw(feeds),
        same_convoy_as=draw(st.none() | st.builds("{}/{}".format, feeds, convoy_ids)),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def bulletins(draw: st.DrawFn) -> BulletinFact:
    low = draw(moments)
    lines = st.builds(CountLine, st.integers(0, 9), st.none() | regions, st.sampled_from([None, "Opposition", "ISIL"]))
    return bulletin(
        draw(names),
        low=low,
        high=low + draw(st.sampled_from([0, 6, 12, 24, 24, 24, 25, 26, 60])) * HOUR,
        reported_at=low + draw(st.integers(0, 3)) * HOUR,
        tallies=tuple(draw(st.lists(lines, min_size=1, max_size=3))),
        total=draw(st.none() | st.integers(0, 20)),
        feed=draw(feeds),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def declarations(draw: st.DrawFn) -> DeclarationFact:
    return declaration(
        draw(names),
        act=draw(st.sampled_from(["start", "extension", "end"])),
        when=draw(moments),
        feed=draw(feeds),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
    )


@st.composite
def positions(draw: st.DrawFn) -> PositionFact:
    return position(
        draw(names),
        when=draw(moments),
        latitude=draw(st.sampled_from([36.23, 36.25, 36.28, 37.5])),
        weapon_class=draw(st.sampled_from(["heavy", "personnel", "bicycles"])),
        party=draw(st.sampled_from(["Government", "Opposition"])),
        uncertainty=draw(st.sampled_from([None, GivenLength(50, "metres"), GivenLength(1.5, "miles")])),
        feed=draw(feeds),
        revision=draw(revisions),
        retracted=draw(st.integers(0, 5)) == 0,
    )


# All draw from the same few names: a revision may be of another type than the one it corrects.
reports = st.one_of(incidents(), incidents(), notices(), steps(), bulletins(), bulletins(), declarations(), positions())
ticks = st.integers(min_value=0, max_value=8 * 24).map(lambda hours: tick(at(0, hours)))
histories = st.lists(st.one_of(reports, reports, reports, ticks), max_size=30)


def one_body_a_revision(history: list[Fact]) -> list[Fact]:
    """Drop a second body under one identity and revision: the one case in which order matters, by design."""
    known: dict[tuple[str, str, int], Fact] = {}
    kept: list[Fact] = []
    for fact in history:
        if isinstance(fact, TickFact):
            kept.append(fact)
            continue
        name = (fact.feed, fact.report_id, fact.revision)
        if known.setdefault(name, fact) == fact:
            kept.append(fact)
    return kept


def as_naive(history: list[Fact]) -> list[NaiveReport]:
    """Return the reports of a history as a recount sees them."""
    naive = []
    for offset, fact in enumerate(history):
        if isinstance(fact, TickFact):
            continue
        spine = (offset, fact.feed, fact.report_id, fact.revision, not fact.retracted)
        if isinstance(fact, DeclarationFact | PositionFact):
            kind = "declaration" if isinstance(fact, DeclarationFact) else "position"
            naive.append(NaiveReport(*spine, kind))
            continue
        if isinstance(fact, BulletinFact):
            lines = tuple(NaiveLine(line.region, line.count, line.accused != "ISIL") for line in fact.tallies)
            stretch = (fact.from_, fact.to, fact.reported_at)
            naive.append(NaiveReport(*spine, "bulletin", (), *stretch, lines=lines))
            continue
        places = fact.regions if isinstance(fact, CoverageFact) else (fact.place.region,)
        scoped = isinstance(fact, IncidentFact)
        naive.append(
            NaiveReport(
                offset=offset,
                feed=fact.feed,
                report_id=fact.report_id,
                revision=fact.revision,
                active=not fact.retracted,
                type="incident" if scoped else "coverage" if isinstance(fact, CoverageFact) else "convoy",
                regions=places,
                occurred_from=fact.from_,
                occurred_to=fact.to,
                reported_at=fact.reported_at,
                kind=fact.kind if isinstance(fact, IncidentFact) else getattr(fact, "step", ""),
                in_scope=TRUCES[0].in_scope(fact.sides) if isinstance(fact, IncidentFact) else False,
                deaths_best=fact.deaths_best if isinstance(fact, IncidentFact) else None,
                convoy_id=getattr(fact, "convoy_id", ""),
                same_convoy_as=getattr(fact, "same_convoy_as", None),
            )
        )
    return naive


def figures(row: VerdictRow) -> tuple[object, ...]:
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
        row.deaths_best,
        tuple(evidence["violence"]),
        tuple(evidence["access"]),
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
            found.deaths_best,
            found.violence_evidence,
            found.access_evidence,
        )
        for bucket, found in recount(truce, as_naive(history), now).items()
    }


@EVERY_TRUCE
@RANDOM
@given(history=histories)
def test_the_ledger_agrees_with_a_recount_of_the_whole_history(truce: Agreement, history: list[Fact]) -> None:
    history = [*one_body_a_revision(history), tick(at(9))]
    world = World(truce).tell(*history)
    world.flush()
    assert {bucket: figures(row) for bucket, row in world.store.verdicts.items()} == expected(truce, history, at(9))


@EVERY_TRUCE
@RANDOM
@given(history=histories, data=st.data())
def test_order_and_repetition_never_show_in_the_present_rows(
    truce: Agreement, history: list[Fact], data: st.DataObject
) -> None:
    told = [fact for fact in one_body_a_revision(history) if not isinstance(fact, TickFact)]
    shuffled = data.draw(st.permutations([*told, *told]))
    plain = World(truce).tell(*told, tick(at(9)))
    twice = World(truce).tell(*shuffled, tick(at(9)))
    plain.flush()
    twice.flush()
    assert {b: figures(row) for b, row in twice.store.verdicts.items()} == {
        b: figures(row) for b, row in plain.store.verdicts.items()
    }


@EVERY_TRUCE
@RANDOM
@given(history=histories, size=st.integers(1, 6))
def test_where_flushes_fall_never_shows_versions_included(truce: Agreement, history: list[Fact], size: int) -> None:
    told = [*one_body_a_revision(history), tick(at(9))]
    whole = World(truce).tell(*told)
    whole.flush()
    cut = World(truce, flush_every=size).tell(*told)
    cut.flush()
    assert cut.store.verdicts == whole.store.verdicts
    assert cut.store.versions == whole.store.versions


@EVERY_TRUCE
@RANDOM
@given(history=histories, extra=st.lists(ticks, max_size=4))
def test_judging_more_often_changes_no_present_finding(
    truce: Agreement, history: list[Fact], extra: list[TickFact]
) -> None:
    """Being judged incrementally at many ticks is the same as being judged once at the end."""
    told = one_body_a_revision(history)
    once = World(truce).tell(*[fact for fact in told if not isinstance(fact, TickFact)], tick(at(9)))
    often = World(truce).tell(*[step for fact in told for step in (fact, tick(at(0)))], *extra, tick(at(9)))
    once.flush()
    often.flush()
    assert {b: figures(row) for b, row in often.store.verdicts.items()} == {
        b: figures(row) for b, row in once.store.verdicts.items()
    }
