"""Facts as JSON: those that come back as they were, and what is none of ours."""

from __future__ import annotations

import pytest

from schemas import facts
from schemas.errors import FactUnreadable, WorkerDied
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    DismissalFact,
    IncidentFact,
    Located,
    Origin,
    OutsideFact,
    RejectFact,
    Tells,
    TickFact,
)

ORIGIN = Origin("truce.incidents.v1", 3, 41)
SPINE = {"origin": ORIGIN, "stamp": 7, "feed": "sohr", "report_id": "1", "reported_at": 6}
PLACE = Located(region="SY02", by="name", name="Halab", conflict="point lies in SY07 Idleb")


@pytest.mark.parametrize(
    "fact",
    [
        IncidentFact(**SPINE, place=PLACE, from_=1, to=2, kind="shelling", sides=(("A", "B"), ("C",)), deaths_best=3),
        ConvoyFact(**SPINE, place=PLACE, from_=1, to=2, convoy_id="c", step="arrived", trucks=20),
        CoverageFact(**SPINE, regions=("SY01", "SY02"), from_=1, to=2, nil=True),
        BulletinFact(**SPINE, from_=1, to=2, tallies=(CountLine(count=3, region="SY02"),), total=3),
        DeclarationFact(**SPINE, act="start", declared_by="A", effective_at=5),
        OutsideFact(origin=ORIGIN, stamp=1, feed="sohr"),
        RejectFact(origin=ORIGIN, code="not_json", hint="send JSON"),
        RejectFact(origin=ORIGIN, code="bad_value", hint="kind", tells=Tells(("SY02",), 1, 2, incident=True)),
        DismissalFact(origin=ORIGIN, of=ORIGIN, reason="a test", by="desk"),
        TickFact(stamp=9),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_fact_comes_back_as_it_was(fact: facts.Fact) -> None:
    assert facts.decode(facts.encode(fact)) == fact


def test_a_fact_names_its_fields_as_the_reports_do() -> None:
    text = facts.encode(CoverageFact(**SPINE, regions=("SY01",), from_=1, to=2, nil=False))
    assert b'"from":1' in text
    assert b'"type":"coverage"' in text


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b'{"type":"rumour"}', b'{"type":"tick","stamp":"now"}'])
def test_what_is_no_fact_stops_the_ledger(text: bytes) -> None:
    with pytest.raises(FactUnreadable, match="an unreadable fact"):
        facts.decode(text)


def test_a_dead_worker_passes_on_its_exit_code() -> None:
    assert WorkerDied("the ledger ended", 3).exit_code == 3
