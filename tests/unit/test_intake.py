"""Intake: what a record becomes, and that nothing a feed may send goes unanswered."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest

from schemas import facts
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CoverageFact,
    DeclarationFact,
    GivenLength,
    IncidentFact,
    Origin,
    OutsideFact,
    PositionFact,
    RejectFact,
    RetractionFact,
    TickFact,
)
from schemas.gazetteer import load_gazetteer
from schemas.reports import Party
from schemas.topics import MAX_REPORT_BYTES
from streams.intake.examine import Examined, Examiner, cut
from streams.intake.facts import sides_of
from tests.support.valid import INCIDENT
from tests.support.worlds import agreement, at

GAZETTEER = load_gazetteer("syria", None)
CLOCK = Examiner([agreement()], GAZETTEER, "clock")
ARCHIVE = Examiner([agreement()], GAZETTEER, "archive")
ORIGIN = Origin("truce.incidents.v1", 2, 41)
NOW = at(3)


def report(**changes: Any) -> dict[str, Any]:
    """Return a valid incident report; a change of None removes the field."""
    return {key: value for key, value in (INCIDENT | changes).items() if value is not None}


def examine(body: bytes | dict[str, Any] | None, examiner: Examiner = CLOCK, now: int = NOW) -> Examined:
    """Examine a body or the JSON of a report."""
    return examiner.examine(orjson.dumps(body) if isinstance(body, dict) else body, (), ORIGIN, now)


def rejected(body: bytes | dict[str, Any] | None, examiner: Examiner = CLOCK) -> RejectFact:
    """Return the reject a body becomes."""
    found = examine(body, examiner)
    assert found.rejected is not None
    ((agreement, fact),) = found.facts
    assert isinstance(fact, RejectFact)
    assert (agreement, msgspec.structs.replace(fact, tells=None)) == ("test-truce", found.rejected)
    return found.rejected


def accepted(body: dict[str, Any], examiner: Examiner = CLOCK) -> Any:
    """Return the one fact a report becomes."""
    found = examine(body, examiner)
    assert found.rejected is None, found.rejected
    [(agreement_id, fact)] = found.facts
    assert agreement_id == "test-truce"
    assert facts.decode(facts.encode(fact)) == fact
    return fact


def test_an_incident_becomes_a_fact_with_its_region_and_stamp() -> None:
    fact = accepted(report(place={"names": ["Halab"]}, deaths={"low": 1, "best": 2, "high": 3}))
    assert isinstance(fact, IncidentFact)
    assert (fact.place.region, fact.place.by, fact.stamp, fact.origin) == ("SY02", "name", NOW, ORIGIN)
    assert (fact.deaths_low, fact.deaths_best, fact.deaths_high) == (1, 2, 3)


def test_an_archive_is_stamped_with_its_own_reporting_times() -> None:
    fact = accepted(report(), ARCHIVE)
    assert fact.stamp == fact.reported_at


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"type": "convoy", "kind": None, "convoy_id": "aid-1", "step": "dispatched"}, ConvoyFact),
        ({"type": "coverage", "kind": None, "place": None, "places": [{"pcode": "SY02"}], "nil": True}, CoverageFact),
        (
            {
                "type": "bulletin",
                "kind": None,
                "place": None,
                "tallies": [{"count": 3, "place": {"pcode": "SY01"}}, {"count": 1}],
            },
            BulletinFact,
        ),
        (
            {
                "type": "declaration",
                "kind": None,
                "place": None,
                "occurred": None,
                "act": "end",
                "declared_by": "army",
                "effective_at": "2016-09-19T19:00:00+03:00",
            },
            DeclarationFact,
        ),
        (
            {
                "type": "position",
                "kind": None,
                "place": None,
                "unit": "a battery",
                "party": "army",
                "weapon_class": "heavy",
                "point": {"latitude": 36.2, "longitude": 37.1},
            },
            PositionFact,
        ),
    ],
)
def test_every_kind_of_report_becomes_its_fact(changes: dict[str, Any], kind: type) -> None:
    assert isinstance(accepted(report(**changes)), kind)


@pytest.mark.parametrize(
    ("deaths", "kept", "flaw"),
    [
        ({"low": 5, "best": 3, "high": 2}, (None, None, None), "low 5 is above high 2"),
        ({"low": 5, "high": 5}, (5, None, 5), None),
        ({"low": 5, "best": 9}, (5, 9, None), None),
        ({"low": 5, "best": 9, "high": 7}, (5, 9, 7), None),
    ],
)
@pytest.mark.parametrize("kind", ["shelling", "airstrike"])
def test_a_toll_out_of_order_is_flagged_and_its_incident_kept(
    kind: str, deaths: dict[str, int], kept: tuple[int | None, ...], flaw: str | None
) -> None:
    for body in (report(kind=kind, deaths=deaths), report(kind=kind, deaths=deaths, raw={"deep": [[1]]})):
        fact = accepted(body)
        assert isinstance(fact, IncidentFact)
        assert (fact.deaths_low, fact.deaths_best, fact.deaths_high) == kept
        assert (fact.kind, fact.toll_flaw) == (kind, flaw)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{not json", "not_json"),
        (b'{"feed": "\xff"}', "invalid_utf8"),
        (None, "empty_value"),
        (b"", "empty_value"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b"{}", "missing_field"),
        (b'{"a":' * 3_000, "not_json"),
        (b" " * (MAX_REPORT_BYTES + 1), "too_large"),
        (report(colour="red"), "unknown_field"),
        (report(type="rumour"), "unknown_type"),
        (report(revision="2"), "wrong_type"),
        (report(revision=0), "bad_value"),
        (report(kind=None), "missing_field"),
        (report(reported_at="2016-09-13T12:00:00"), "time_without_offset"),
        (report(reported_at="2016-09-16T12:00:00+03:00"), "time_in_future"),
        (
            report(
                occurred={"from": "2016-09-14T09:00:00+03:00", "to": "2016-09-14T09:00:00+03:00", "precision": "day"}
            ),
            "time_in_future",
        ),
        (
            report(
                occurred={"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T08:00:00+03:00", "precision": "day"}
            ),
            "interval_backwards",
        ),
        (
            report(
                occurred={"from": "2015-01-01T00:00:00+03:00", "to": "2016-09-13T08:00:00+03:00", "precision": "longer"}
            ),
            "bad_value",
        ),
        (report(place={"point": {"latitude": 91, "longitude": 37}}), "bad_coordinates"),
        (report(place={"point": {"latitude": 36, "longitude": -181}}), "bad_coordinates"),
        (report(place={}), "place_empty"),
        (report(place={"names": ["Atlantis"]}), "unknown_place"),
        (report(place={"pcode": "SY14"}, agreement="test-truce"), "outside_agreements"),
        (report(place={"pcode": "ML01"}, agreement="test-truce"), "outside_agreements"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_rejected_with_its_code_and_a_hint(body: bytes | dict[str, Any] | None, code: str) -> None:
    reject = rejected(body)
    assert reject.code == code
    assert reject.hint


def test_infinity_is_no_json() -> None:
    body = orjson.dumps(report(raw={"x": 1})).replace(b'"x":1', b'"x":Infinity')
    assert rejected(body).code == "not_json"
    assert accepted(report(note="NaN is a word here")).feed == "field-office"


def test_a_reject_says_who_sent_it_as_far_as_that_can_be_told() -> None:
    assert (rejected(report(kind="noise")).feed, rejected(report(kind="noise")).report_id) == ("field-office", "FO-17")
    assert rejected(b"{not json").feed is None
    assert rejected({"feed": 7}).feed is None


@pytest.mark.parametrize("name", ["Field Office", "x" * 65, "", "field-office\n", "حلب"])
def test_a_name_that_no_feed_may_have_is_not_kept_as_one(name: str) -> None:
    assert (rejected(report(feed=name)).feed, rejected(report(feed=name)).report_id) == (None, "FO-17")


@pytest.mark.parametrize(("examiner", "value"), [(CLOCK, b"123"), (ARCHIVE, b"soon")])
def test_a_tick_that_may_not_pass_says_who_sent_it(examiner: Examiner, value: bytes) -> None:
    found = examiner.examine(orjson.dumps(report()), [("tick", value)], ORIGIN, NOW).rejected
    assert found is not None
    assert (found.code, found.feed, found.report_id) == ("tick_not_allowed", "field-office", "FO-17")


def test_a_reject_of_an_archive_does_not_move_time() -> None:
    assert rejected(b"{not json", ARCHIVE).stamp is None
    assert rejected(b"{not json", CLOCK).stamp == NOW


def test_nobody_watched_what_has_not_happened() -> None:
    ahead = {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-14T09:00:00+03:00", "precision": "hour"}
    notice = report(type="coverage", kind=None, place=None, places=[{"pcode": "SY02"}], nil=True, occurred=ahead)
    assert rejected(notice).code == "time_in_future"


def test_a_notice_keeps_the_regions_of_the_agreement_only() -> None:
    notice = report(type="coverage", kind=None, place=None, places=[{"pcode": "SY14"}, {"pcode": "SY02"}], nil=True)
    assert accepted(notice).regions == ("SY02",)
    notice["places"] = [{"pcode": "SY14"}]
    assert accepted(notice) == OUTSIDE


#: The fact of a report that is none of an agreement's.
OUTSIDE = OutsideFact(origin=ORIGIN, stamp=NOW, feed="field-office")
BOTH = Examiner([agreement(), agreement(id="other", regions=["SY02"], gate_regions=["SY02"])], GAZETTEER, "clock")


@pytest.mark.parametrize(
    "changes",
    [
        {"place": {"pcode": "SY14"}},
        {"place": {"pcode": "ML0101"}},
        {"place": {"pcode": "ML05", "names": ["Mopti"]}},
        {"agreement": "another-truce"},
        {"agreement": "another-truce", "place": {"names": ["Atlantis"]}},
        {"place": {"pcode": "SY14"}, "status": "retracted"},
    ],
    ids=str,
)
def test_a_report_that_is_none_of_the_agreement_is_outside_and_rejected_nowhere(changes: dict[str, Any]) -> None:
    assert examine(report(**changes)) == Examined([("test-truce", OUTSIDE)])


@pytest.mark.parametrize(
    ("lines", "total", "outside"),
    [
        ([{"count": 2, "place": {"pcode": "SY14"}}], None, True),
        ([{"count": 2, "place": {"pcode": "SY14"}}], 5, False),
        ([{"count": 2, "place": {"pcode": "SY14"}}, {"count": 3}], None, False),
        ([{"count": 2, "place": {"pcode": "SY14"}}, {"count": 3, "place": {"pcode": "SY02"}}], None, False),
        ([{"count": 2, "place": {"pcode": "ML05"}}], 5, True),
    ],
)
def test_a_bulletin_is_outside_when_it_counts_other_regions_alone(
    lines: list[dict[str, Any]], total: int | None, outside: bool
) -> None:
    bulletin = report(type="bulletin", kind=None, place=None, tallies=lines, total=total)
    assert (accepted(bulletin) == OUTSIDE) is outside


def test_every_agreement_is_told_of_every_report() -> None:
    def told(**changes: Any) -> list[tuple[str, str]]:
        return sorted((name, type(fact).__name__) for name, fact in examine(report(**changes), BOTH).facts)

    assert told() == [("other", "IncidentFact"), ("test-truce", "IncidentFact")]
    assert told(place={"pcode": "SY01"}) == [("other", "OutsideFact"), ("test-truce", "IncidentFact")]
    assert told(agreement="other") == [("other", "IncidentFact"), ("test-truce", "OutsideFact")]
    assert told(kind="noise") == [("other", "RejectFact"), ("test-truce", "RejectFact")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"place": {"pcode": "SY01"}}, "outside_agreements"), ({"place": {"names": ["Atlantis"]}}, "unknown_place")],
)
def test_the_agreement_a_report_names_alone_rejects_it(changes: dict[str, Any], code: str) -> None:
    examined = examine(report(agreement="other", **changes), BOTH)
    facts = dict(examined.facts)
    assert facts["test-truce"] == OUTSIDE
    refused = facts["other"]
    assert isinstance(refused, RejectFact)
    assert msgspec.structs.replace(refused, tells=None) == examined.rejected
    assert examined.rejected is not None
    assert examined.rejected.code == code
    grown = dict(cut(examined, 9_000_000).facts)
    assert (grown["test-truce"], getattr(grown["other"], "size", None)) == (OUTSIDE, 9_000_000)


def test_a_correction_that_leaves_the_agreement_is_told_to_it() -> None:
    """Otherwise what it corrects would stand for ever."""
    assert accepted(report(revision=2, place={"pcode": "SY14"})).place.region == "SY14"
    notice = report(type="coverage", kind=None, place=None, places=[{"pcode": "SY14"}], nil=True, revision=2)
    assert accepted(notice).regions == ()


def test_a_tick_passes_in_a_replay_only() -> None:
    def send(examiner: Examiner, value: bytes) -> Examined:
        return examiner.examine(b"", [("tick", value)], ORIGIN, NOW)

    assert send(ARCHIVE, b"123").facts == [("test-truce", TickFact(origin=ORIGIN, stamp=123))]
    assert send(CLOCK, b"123").rejected is not None
    assert send(ARCHIVE, b"soon").rejected is not None


def test_parties_are_grouped_by_the_sources_slot() -> None:
    parties = [Party(name="A", slot="a"), Party(name="B", slot="b"), Party(name="C", slot="a"), Party(name="D")]
    assert sides_of(parties) == (("A", "C"), ("B",), ("D",))


def position(**changes: Any) -> dict[str, Any]:
    """Return a valid position report."""
    stood = {"unit": "a battery", "party": "army", "weapon_class": "heavy"}
    point = {"latitude": 36.2, "longitude": 37.1}
    return report(**{"type": "position", "kind": None, "place": None, "point": point, **stood, **changes})


def test_a_length_keeps_the_unit_it_was_given_in() -> None:
    fact = accepted(position(uncertainty={"value": 500, "unit": "yards"}, names=["Aleppo", "Layramoun"]))
    assert fact.uncertainty == GivenLength(500.0, "yards")
    assert (fact.place_name, fact.stated_distance) == ("Layramoun", None)


def test_a_position_may_lie_in_no_region_of_the_agreement() -> None:
    assert isinstance(accepted(position(point={"latitude": 60.2, "longitude": 24.9})), PositionFact)


@pytest.mark.parametrize(
    ("changes", "code", "hint"),
    [
        ({"point": {"latitude": 91, "longitude": 37}}, "bad_coordinates", "point.latitude"),
        ({"point": None}, "missing_field", "point"),
        ({"uncertainty": {"value": -5, "unit": "metres"}}, "bad_value", "uncertainty.value: expected 0 or more"),
        ({"uncertainty": {"value": 0, "unit": "metres"}}, "bad_value", "uncertainty: expected more than nothing"),
        ({"uncertainty": {"value": 1001, "unit": "kilometres"}}, "bad_value", "at most 1,000 km"),
        ({"uncertainty": {"value": 5, "unit": "leagues"}}, "bad_value", "uncertainty.unit: expected one of"),
        ({"uncertainty": 500}, "wrong_type", "uncertainty: expected an object"),
        ({"stated_distance": {"value": -1, "unit": "yards"}}, "bad_value", "stated_distance.value: expected 0 or more"),
        ({"weapon_class": ""}, "bad_value", "weapon_class"),
    ],
)
def test_a_position_that_cannot_be_is_rejected(changes: dict[str, Any], code: str, hint: str) -> None:
    found = rejected(position(**changes))
    assert found.code == code
    assert hint in found.hint


def test_a_retraction_needs_no_more_than_a_name_a_revision_and_the_time() -> None:
    spine = {"type": "retraction", "feed": "acled", "report_id": "SYR1", "reported_at": INCIDENT["reported_at"]}
    fact = accepted({**spine, "revision": 2**53 - 1})
    assert isinstance(fact, RetractionFact)
    assert (fact.retracted, fact.revision) == (True, 2**53 - 1)
    assert rejected({**spine, "revision": 2**53}).code == "bad_value"
    assert rejected({**spine, "status": "active"}).code == "bad_value"
    assert rejected({**spine, "place": {"pcode": "SY02"}}).code == "unknown_field"


def test_a_word_for_missing_is_no_first_teller_and_no_place() -> None:
    sources = [
        {"name": "Radio", "origin": "unknown"},
        {"name": "NA", "origin": " n/a "},
        {"name": "-", "origin": "SOHR"},
    ]
    fact = accepted(report(sources=sources, place={"pcode": "SY02", "names": ["Aleppo", "Unknown"]}))
    assert fact.origins == ("radio", "sohr")
    assert fact.place.key is None
    assert accepted(report(sources=[{"name": "Unknown"}])).origins == ()


def test_an_exact_point_that_is_the_middle_of_its_town_is_near() -> None:
    street, middle = ({"latitude": north, "longitude": 36.825} for north in (36.12, 36.139))
    place = {"names": ["Aleppo Governorate", "Al Atarib town"], "precision": "exact"}
    found = [accepted(report(place={**place, "point": point})) for point in (street, middle)]
    assert [fact.place_precision for fact in found] == ["exact", "near"]
