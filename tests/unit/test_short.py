"""Records of one-line commands: full, and accepted by intake."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from schemas.facts import CoverageFact, IncidentFact, Origin
from schemas.gazetteer import load_gazetteer
from streams.feeds.short import nothing_seen, withdrawn
from streams.intake.examine import Examiner

NOW = datetime(2016, 9, 15, 9, 0, tzinfo=UTC)
REPORT = {
    "type": "incident",
    "feed": "field-office",
    "report_id": "FO-17",
    "revision": 2,
    "reported_at": "2016-09-13T12:00:00+03:00",
    "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "minute"},
    "place": {"pcode": "SY05"},
    "kind": "shelling",
    "raw": {"row": 7},
}
BODY = json.dumps(REPORT).encode()


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    truce = load_agreement("syria-2016")
    return Examiner([truce], load_gazetteer(truce.gazetteer), "clock")


def fact_of(examiner: Examiner, body: bytes) -> object:
    examined = examiner.examine(body, (), Origin("t", 0, 0), int(datetime.now(UTC).timestamp() * 1e6))
    assert examined.rejected is None, examined.rejected
    return examined.facts[0][1]


def test_a_withdrawal_is_the_whole_report_under_the_next_revision(examiner: Examiner) -> None:
    body = withdrawn(BODY, NOW, "an accident")
    changes = {
        "revision": 3,
        "status": "retracted",
        "reported_at": "2016-09-15T09:00:00+00:00",
        "note": "an accident",
    }
    assert json.loads(body) == REPORT | changes
    fact = fact_of(examiner, body)
    assert isinstance(fact, IncidentFact)
    assert (fact.retracted, fact.revision, fact.merged_into) == (True, 3, None)


def test_a_merger_names_the_report_that_tells_it_now(examiner: Examiner) -> None:
    body = withdrawn(json.dumps({**REPORT, "note": "kept"}).encode(), NOW, None, "FO-16")
    assert json.loads(body)["note"] == "kept"
    fact = fact_of(examiner, body)
    assert isinstance(fact, IncidentFact)
    assert (fact.retracted, fact.merged_into) == (True, "FO-16")


def test_a_withdrawal_keeps_every_digit_of_what_it_does_not_change() -> None:
    raw = b'{"row":12345678901234567890123,"share":0.10000000000000000555,"most":1e400,"text":"\\u0041"}'
    body = BODY.replace(b'{"row": 7}', raw)
    for withdrawal in (withdrawn(body, NOW, "an accident"), withdrawn(body, NOW, None, "FO-16")):
        assert raw in withdrawal
        assert json.loads(withdrawal)["revision"] == 3


def test_a_retraction_does_not_stand() -> None:
    body = b'{"type":"retraction","feed":"f","report_id":"r","reported_at":"2016-09-13T12:00:00+03:00"}'
    with pytest.raises(UsageError, match="f/r is retracted already"):
        withdrawn(body, NOW, None)


def test_what_does_not_stand_is_not_withdrawn_again() -> None:
    with pytest.raises(UsageError, match="field-office/FO-17 is retracted already"):
        withdrawn(withdrawn(BODY, NOW, None), NOW, None)


def test_a_report_without_a_revision_is_the_first() -> None:
    body = json.dumps({name: value for name, value in REPORT.items() if name != "revision"}).encode()
    assert json.loads(withdrawn(body, NOW, None))["revision"] == 2


def test_a_notice_of_nothing_names_regions_by_code_or_name(examiner: Examiner) -> None:
    stretch = (NOW - timedelta(days=1), NOW)
    body = nothing_seen("field-office", ["SY02", "Hama"], {"SY02", "SY05"}, stretch, NOW)
    fact = fact_of(examiner, body)
    assert isinstance(fact, CoverageFact)
    assert (fact.regions, fact.nil, fact.revision) == (("SY02", "SY05"), True, 1)
    assert fact.to - fact.from_ == 24 * 3_600 * 1_000_000


def test_the_same_line_said_later_is_another_notice() -> None:
    stretch = (NOW - timedelta(days=1), NOW)
    one, again, later = (
        json.loads(nothing_seen("f", ["SY02"], {"SY02"}, stretch, when))["report_id"]
        for when in (NOW, NOW, NOW + timedelta(hours=1))
    )
    assert one == again != later
