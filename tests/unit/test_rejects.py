"""Why a record is rejected: code and hint for every fault, and the headers of its dead letter."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from schemas.errors import ReportRejected
from schemas.facts import Origin, Redrive, RejectFact
from schemas.plain_words import NAME_LENGTH, fields_at, path_of
from schemas.rejects import (
    DeadLetter,
    RejectCode,
    dead_letter_headers,
    explain,
    fitting,
    redrive_headers,
    redrive_in,
    source_of,
)
from schemas.reports import ANY_REPORT, ConvoyReport, IncidentReport
from schemas.topics import MAX_MESSAGE_BYTES

REPORT: dict[str, Any] = {
    "type": "incident",
    "feed": "sohr",
    "report_id": "1",
    "reported_at": "2016-09-13T12:00:00+03:00",
    "occurred": {
        "from": "2016-09-12T19:00:00+03:00",
        "to": "2016-09-12T20:00:00+03:00",
        "precision": "hour",
    },
    "place": {"pcode": "SY02"},
    "kind": "shelling",
}


def rejected(body: bytes | dict[str, Any]) -> ReportRejected:
    value = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    with pytest.raises(ValidationError) as caught:
        ANY_REPORT.validate_json(value)
    return explain(caught.value)


def with_(**fields: Any) -> dict[str, Any]:
    return REPORT | fields


@pytest.mark.parametrize(
    ("fields", "code", "hint"),
    [
        ({"reported_at": "2016-09-13T12:00:00"}, "time_without_offset", "reported_at: expected a time with its offset"),
        ({"reported_at": "2016-09-13"}, "bad_value", "reported_at: expected a time with its offset"),
        ({"reported_at": "20160913"}, "time_without_offset", "reported_at: expected a time with its offset"),
        ({"reported_at": "2200-01-01T00:00:00Z"}, "bad_value", "a time in the years 1971 to 2199"),
        ({"reported_at": 1473}, "wrong_type", "reported_at: expected a time with its offset"),
        ({"revision": "1"}, "wrong_type", 'revision: expected a whole number, found "1"'),
        ({"revision": 0}, "bad_value", "revision: expected 1 or more, found 0"),
        ({"kind": "shell"}, "bad_value", "kind: expected one of 'airstrike', 'shelling'"),
        ({"feed": "A feed"}, "bad_value", "feed: expected 1 to 64 lower-case letters"),
        ({"bogus": 1}, "unknown_field", "bogus: unknown field; put the source’s own columns under raw"),
        ({"reportd_at": 1}, "unknown_field", "reportd_at: unknown field; did you mean 'reported_at'?"),
        ({"place": {}}, "place_empty", "place: needs at least one of pcode, names and point, found {}"),
        ({"place": {"pcode": "SY.02"}}, "bad_value", "place.pcode: expected an OCHA P-code, such as SY02"),
        ({"place": {"pcode": "SY02", "pcod": 1}}, "unknown_field", "place.pcod: unknown field; did you mean 'pcode'?"),
        ({"status": "merged"}, "merge_unclear", "the record: status 'merged' needs merged_into"),
        ({"merged_into": "2"}, "merge_unclear", "the record: merged_into needs status 'merged'"),
        ({"status": "merged", "merged_into": "1"}, "merge_unclear", "the record: merged_into names the report itself"),
        (
            {"same_as": ["2"]},
            "bad_value",
            "same_as[0]: expected a report as feed/report_id, such as field-office/FO-17",
        ),
        ({"not_same_as": ["a/b"] * 21}, "bad_value", "not_same_as: expected at most 20 entries"),
        ({"deaths": {"by_side": {"": 1}}}, "bad_value", 'deaths.by_side[""]: expected text of 1 or more characters'),
        ({"occurred": None}, "wrong_type", "occurred: expected an object, found null"),
        ({"raw": [1]}, "wrong_type", "raw: expected an object, found [1]"),
        ({"sources": "x"}, "wrong_type", 'sources: expected a list, found "x"'),
        ({"sources": [{"name": "a"}, {}]}, "missing_field", "sources[1].name: required, but missing"),
        ({"sources": [{"name": "a", "urll": 1}]}, "unknown_field", "sources[0].urll: unknown field; did you mean"),
        ({"place": {"names": ["x"] * 21}}, "bad_value", "place.names: expected at most 20 entries"),
        ({"note": "x" * 20_001}, "bad_value", "note: expected text of at most 20000 characters"),
    ],
)
def test_a_fault_is_named_with_code_path_expectation_and_finding(fields: dict[str, Any], code: str, hint: str) -> None:
    reason = rejected(with_(**fields))
    assert reason.code == code
    assert hint in reason.hint


@pytest.mark.parametrize(
    ("point", "code", "hint"),
    [
        ({"latitude": 91, "longitude": 0}, "bad_coordinates", "place.point.latitude: expected 90 or less, found 91"),
        ({"latitude": 0, "longitude": -181.5}, "bad_coordinates", "longitude: expected -180 or more, found -181.5"),
        ({"latitude": "36", "longitude": 0}, "wrong_type", 'place.point.latitude: expected a number, found "36"'),
    ],
)
def test_coordinates_off_the_globe_have_a_code_of_their_own(point: dict[str, Any], code: str, hint: str) -> None:
    reason = rejected(with_(place={"point": point}))
    assert reason.code == code
    assert hint in reason.hint


def test_not_a_number_is_a_bad_coordinate() -> None:
    body = json.dumps(with_(place={"point": {"latitude": float("nan"), "longitude": 0}})).encode()
    reason = rejected(body)
    assert reason.code == "bad_coordinates"
    assert "place.point.latitude: expected a finite number, found NaN" in reason.hint


def test_an_interval_that_runs_backwards_has_a_code_of_its_own() -> None:
    occurred = REPORT["occurred"] | {"to": "2016-09-12T18:00:00+03:00"}
    reason = rejected(with_(occurred=occurred))
    assert reason.code == "interval_backwards"
    assert reason.hint.startswith('occurred: ends before it starts, found {"from": ')


@pytest.mark.parametrize(
    ("body", "code", "hint"),
    [
        (b"", "not_json", "the record is empty or white space: send one JSON object per record"),
        (b"{", "not_json", "the record ends within an object: it was cut short"),
        (b'{"a":"\xff"}', "invalid_utf8", "byte 7 (FF) is not UTF-8"),
        (b"[]", "wrong_type", "the record: expected an object, found []"),
        (b"null", "wrong_type", "the record: expected an object, found null"),
        (b"{}", "missing_field", "type: required, but missing; type is one of incident, convoy"),
        (
            b'{"type":1}',
            "unknown_type",
            "type is one of incident, convoy, coverage, bulletin, declaration, position, retraction, found 1",
        ),
        (b'{"type":"convy"}', "unknown_type", "found \"convy\"; did you mean 'convoy'?"),
    ],
)
def test_a_record_that_is_no_report_at_all_is_told_so(body: bytes, code: str, hint: str) -> None:
    reason = rejected(body)
    assert reason.code == code
    assert hint in reason.hint


def test_text_that_is_not_json_is_told_so_too() -> None:
    with pytest.raises(ValidationError) as caught:
        ANY_REPORT.validate_json("{")
    assert (explain(caught.value).code, explain(caught.value).hint) == ("not_json", rejected(b"{").hint)


def test_the_first_faults_code_counts_and_five_faults_are_listed() -> None:
    reason = rejected(b'{"type":"convoy","revision":0}')
    assert reason.code == "missing_field"
    assert reason.hint.split("; ") == [
        "feed: required, but missing",
        "report_id: required, but missing",
        "revision: expected 1 or more, found 0",
        "reported_at: required, but missing",
        "convoy_id: required, but missing",
        "and 3 more",
    ]


def test_what_was_found_is_cut_to_80_characters() -> None:
    hint = rejected(with_(kind="x" * 500)).hint
    shown = hint.partition("found ")[2]
    assert len(shown) == 80
    assert shown.endswith("…")


def test_the_unions_tag_never_shows_in_a_path() -> None:
    for body in ({"type": "incident"}, {"type": "coverage", "places": [{}]}, with_(place={"point": {}})):
        hint = rejected(body).hint
        assert not any(
            f"{tag}." in hint
            for tag in ("incident", "convoy", "coverage", "bulletin", "declaration", "position", "retraction")
        )


def test_faults_of_a_single_model_are_explained_as_well() -> None:
    with pytest.raises(ValidationError) as caught:
        IncidentReport.model_validate_json(json.dumps(with_(revision="1")))
    assert explain(caught.value).hint == 'revision: expected a whole number, found "1"'


def test_every_error_pydantic_knows_gets_a_code() -> None:
    """No kind of error, however rare, may leave a record without a reason."""
    known = list_all_errors()
    assert len(known) > 90
    for one in known:
        fault = {"type": one["type"], "loc": ("incident", "kind"), "input": {"type": 1}, "ctx": one["example_context"]}
        if one["example_context"] is None:
            del fault["ctx"]
        reason = explain(ValidationError.from_exception_data("tagged-union", [fault]))  # type: ignore[list-item]
        assert RejectCode(reason.code)
        assert reason.hint


def test_an_unknown_pattern_is_shown_as_it_is() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[str, StringConstraints(pattern="^a+$")]).validate_python("b")
    assert explain(caught.value).hint == 'the record: expected text of the form ^a+$, found "b"'


def test_every_code_has_a_meaning_and_a_hint_of_one_line() -> None:
    for code in RejectCode:
        assert code.meaning.endswith(".")
        assert code.hint
        assert "\n" not in code.meaning + code.hint
    assert RejectCode("not_json") is RejectCode.NOT_JSON
    assert f"{RejectCode.NOT_JSON}" == "not_json"


def test_the_names_at_a_path_are_those_a_document_may_use() -> None:
    assert {"from", "to", "precision", "source_precision"} == set(fields_at(ConvoyReport, ("occurred",)))
    assert "url" in fields_at(ConvoyReport, ("sources", 0))
    assert fields_at(ConvoyReport, ("raw", "x")) == []
    assert fields_at(ConvoyReport, ("nothing",)) == []


def test_a_path_is_written_as_in_the_document() -> None:
    assert path_of(("sources", 0, "name")) == "sources[0].name"
    assert path_of(("raw", "a key", 1)) == 'raw["a key"][1]'
    assert path_of(()) == ""


def test_a_long_name_is_cut_in_a_path() -> None:
    assert path_of(("raw", "x" * 1_000)) == f'raw["{"x" * (NAME_LENGTH - 1)}…"]'


HEADERS = [("trace", b"1")]


@pytest.mark.parametrize(
    ("key", "value_bytes", "passed_on"),
    [
        (b"key", 100, (b"key", HEADERS)),
        (b"key", MAX_MESSAGE_BYTES - 5, (b"key", ())),
        (b"key", MAX_MESSAGE_BYTES - 2, (None, ())),
        (b"k" * MAX_MESSAGE_BYTES, 100, (None, HEADERS)),
        (None, MAX_MESSAGE_BYTES + 1, (None, ())),
    ],
)
def test_a_record_is_passed_on_with_as_much_of_key_and_headers_as_a_topic_takes(
    key: bytes | None, value_bytes: int, passed_on: tuple[bytes | None, Any]
) -> None:
    assert fitting(key, HEADERS, value_bytes) == passed_on


class TestDeadLetter:
    FACT = RejectFact(origin=Origin("truce.incidents.v1", 2, 41), code="not_json", hint="send JSON; حلب", feed="sohr")
    REDRIVE = Redrive(Origin("truce.incidents.v1", 2, 41, "aLog-_"), 1)

    def test_it_says_where_the_record_lay_and_what_is_wrong(self) -> None:
        assert dead_letter_headers(self.FACT) == [
            ("__streams.errors.exception", b"ReportRejected"),
            ("__streams.errors.message", "not_json: send JSON; حلب".encode()),
            ("__streams.errors.topic", b"truce.incidents.v1"),
            ("__streams.errors.partition", b"2"),
            ("__streams.errors.offset", b"41"),
            ("x-original-topic", b"truce.incidents.v1"),
            ("reason-code", b"not_json"),
            ("hint", "send JSON; حلب".encode()),
            ("attempt", b"1"),
        ]

    def test_the_records_own_headers_stay_first_and_untouched(self) -> None:
        own: list[tuple[str, bytes | None]] = [("ce_id", b"7"), ("ce_id", b"8"), ("traceparent", b"00-1"), ("x", None)]
        assert dead_letter_headers(self.FACT, own)[:4] == own

    def test_a_record_rejected_again_keeps_one_set_of_reasons_and_counts_up(self) -> None:
        first = dead_letter_headers(self.FACT, [("ce_id", b"7")])
        again = dead_letter_headers(
            RejectFact(code="unknown_place", hint="name it"), redrive_headers(first, self.REDRIVE)
        )
        names = [name for name, _ in again]
        assert len(names) == len(set(names))
        assert dict(again)["attempt"] == b"2"
        assert dict(again)["reason-code"] == b"unknown_place"
        assert "__streams.errors.topic" not in names

    def test_redriving_strips_the_reasons_and_the_trace(self) -> None:
        letter = dead_letter_headers(self.FACT, [("ce_id", b"7"), ("traceparent", b"00-1"), ("tracestate", b"a")])
        assert redrive_headers(letter, self.REDRIVE) == [
            ("ce_id", b"7"),
            ("attempt", b"1"),
            ("redrive-of", b"truce.incidents.v1/2/41/aLog-_"),
            ("redrive-number", b"1"),
        ]

    def test_a_letter_redriven_again_names_the_newer_reject_alone(self) -> None:
        first = redrive_headers(dead_letter_headers(self.FACT), self.REDRIVE)
        later = Redrive(Origin("truce.incidents.v1", 2, 57, "aLog-_"), 1)
        names = [name for name, _ in redrive_headers(dead_letter_headers(self.FACT, first), later)]
        assert sorted(names) == ["attempt", "redrive-number", "redrive-of"]

    def test_a_record_tells_of_which_reject_it_is_a_redrive(self) -> None:
        assert redrive_in(redrive_headers([], self.REDRIVE)) == self.REDRIVE

    @pytest.mark.parametrize(
        ("of", "number"),
        [
            (b"truce.incidents.v1/2/41", b"1"),
            (b"truce.incidents.v1/2/41/a", b"0"),
            (b"truce.incidents.v1/2/41/a", None),
            (None, b"1"),
            (b"a/b/2/41/a", b"1"),
            (b"a/9999999999/41/a", b"1"),
            (b"a/2/41/a\n", b"1"),
            (b"a/2/41/\xff", b"1"),
            (b"a" * 300 + b"/2/41/a", b"1"),
        ],
    )
    def test_headers_in_other_words_name_no_reject(self, of: bytes | None, number: bytes | None) -> None:
        """They may be anybody's: the record is taken as any other, and nothing too large for its column goes on."""
        assert redrive_in([("redrive-of", of), ("redrive-number", number)]) is None

    @pytest.mark.parametrize("before", [b"x", b"0", b"", b"99999999999", None])
    def test_an_attempt_that_is_no_number_starts_anew(self, before: bytes | None) -> None:
        assert dict(dead_letter_headers(self.FACT, [("attempt", before)]))["attempt"] == b"1"

    def test_its_headers_are_what_the_schema_describes(self) -> None:
        headers = {name: (value or b"").decode() for name, value in dead_letter_headers(self.FACT, [("ce_id", b"7")])}
        letter = DeadLetter.model_validate(headers)
        assert letter.reason_code is RejectCode.NOT_JSON
        assert (letter.topic, letter.partition, letter.offset) == ("truce.incidents.v1", "2", "41")


SOURCE = ("truce.incidents.v1", 2, 41)


def test_a_dead_letter_names_the_record_it_is_of() -> None:
    origin = Origin(*SOURCE, "3kYc0aVbQ9uYx")
    letter = dead_letter_headers(RejectFact(origin=origin, code="not_json", hint="send JSON"), [("source-log", b"old")])
    assert source_of(letter) == origin
    assert source_of([each for each in letter if each[0] != "source-log"]) == origin.__class__(
        "truce.incidents.v1", 2, 41
    )
    assert source_of([]) is None
    assert source_of([*letter, ("__streams.errors.offset", b"4/1")]) is None
