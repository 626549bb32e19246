"""The fast decoder against pydantic, which takes every body the decoder takes and makes the same facts of it."""

from __future__ import annotations

import copy
import re
import sys
from datetime import datetime
from typing import Annotated, Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
)

from schemas.facts import IncidentFact, Origin, encode
from schemas.gazetteer import load_gazetteer
from schemas.language import Language
from schemas.reports import FeedName, IncidentReport, Pcode, ReportId, ReportReference
from schemas.truceday import to_micros
from streams.intake import examine
from streams.intake.examine import Examiner
from streams.intake.fast_decoder import UnsupportedSchema, compiled_decoder, decoder_for
from tests.support.effort import examples
from tests.support.worlds import agreement, at

RANDOM = settings(max_examples=examples(600), deadline=None, suppress_health_check=[HealthCheck.too_slow])
ORIGIN = Origin("truce.incidents.v1", 0, 1)
NOW = at(30)

DECODE_ALL = compiled_decoder(IncidentReport)
FAST = Examiner([agreement()], load_gazetteer("syria", None), "archive")
with pytest.MonkeyPatch.context() as patch:
    patch.setattr(examine, "decoder_for", lambda _model: lambda bodies: [None] * len(bodies))
    SLOW = Examiner([agreement()], load_gazetteer("syria", None), "archive")

FULL: dict[str, Any] = {
    "type": "incident",
    "feed": "field-office",
    "report_id": "FO-17",
    "revision": 2,
    "status": "active",
    "agreement": None,
    "reported_at": "2016-09-13T12:00:00+03:00",
    "sources": [{"name": "Radio", "origin": None, "published": "13 September", "title": "Shells", "url": "x"}],
    "note": "as told",
    "raw": {"id": 7, "lat": 36.2, "gone": None, "sure": True, "tags": ["a", 1], "more": {"k": "v"}},
    "occurred": {
        "from": "2016-09-13T09:00:00.250+03:00",
        "to": "2016-09-13T06:30:00Z",
        "precision": "minute",
        "source_precision": "1",
    },
    "place": {
        "pcode": "SY02",
        "names": ["Aleppo"],
        "point": {"latitude": 36, "longitude": 37.1},
        "wkt": "POINT(37.1 36)",
        "precision": "exact",
        "source_precision": "1",
    },
    "kind": "shelling",
    "kind_as_given": "Shelling",
    "parties": [
        {"name": "A", "slot": "a", "party_id": "1", "kind": "state"},
        {"name": "B", "slot": "b"},
        {"name": "C"},
    ],
    "accused": ["A"],
    "claimant": "B",
    "confidence": "alleged",
    "deaths": {"low": 1, "best": 2, "high": 3, "by_side": {"A": 1}},
    "injured": {"best": 4},
    "same_as": ["other-office/7"],
    "not_same_as": ["other-office/8", "field-office/FO-16"],
}

TIMES = [
    "2016-09-13T09:00:00",
    "2016-09-13t09:00:00z",
    "2016-09-13 09:00:00Z",
    "2016-09-13_09:00:00Z",
    "2016-09-13T09:00Z",
    "2016-09-13T09:00:00+0300",
    "2016-09-13T09:00:00+03",
    "2016-09-13T09:00:00+03:00:10",
    "2016-09-13T09:00:00+23:59",
    "2016-09-13T09:00:00+24:00",
    "2016-09-13T09:00:00+05:60",
    "2016-09-13T09:00:00-00:00",
    "2016-09-13T09:00:60Z",
    "2016-09-13T23:59:60Z",
    "2016-09-13T24:00:00Z",
    "2016-09-13T09:00:00.9999999Z",
    "2016-09-13T09:00:00.1234567Z",
    "2016-09-13T09:00:00.123456Z",
    "2016-09-13T09:00:00.1Z",
    "2016-09-13T09:00:00,5Z",
    "2016-09-13T09:00:00.Z",
    "2016-09-13T09:00:00Z\n",
    " 2016-09-13T09:00:00Z",
    "2016-W37-2T09:00:00Z",
    "2016-257T09:00:00Z",
    "20160913T090000Z",
    "2016-09-13",
    "20160913",
    "1473750000",
    "1473750000.5",
    1473750000,
    1473750000.5,
    "2016-02-30T00:00:00Z",
    "2016-02-29T00:00:00Z",
    "2015-02-29T00:00:00Z",
    "1970-12-31T23:59:59Z",
    "1971-01-01T00:00:00Z",
    "1971-01-01T00:00:00+01:00",
    "2199-12-31T23:59:59-01:00",
    "2200-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "٢٠١٦-09-13T09:00:00Z",
]
TEXTS = [
    "",
    "x",
    "x" * 200,
    "x" * 201,
    "😀" * 200,
    "😀" * 201,
    "é\u0301",
    "a\n",
    "a b",
    " a",
    "a ",
    "a\x00",
    "\x7f",
    "\u00a0",
]
TEXTS += [
    "SY02\n",
    "sy02",
    "SY٠٢",
    "feed\n",
    "Feed",
    "f" * 64,
    "f" * 65,
    "NaN",
    "Infinity",
    "\u2028",
    "incident",
    "active",
]
NUMBERS = [0, -0.0, -1, 1, 1.0, 1.5, 1e3, 90, -90.0000001, 180.5, 10**6, 10**6 + 1, 10**9, 10**9 + 1, 2**63, 2**64 - 1]
SCALARS: list[Any] = [None, True, False, *TIMES, *TEXTS, *NUMBERS]
NESTED: list[Any] = [[], {}, [[]], {"a": {"b": {}}}, [{"a": 1}], ["x"] * 21, [None], {"A": 1}, {"": 1}, {"A": 1.0}]
#: Put where a value stood, as they are: what no writer of JSON would write.
HOSTILE = [
    *("NaN", "-Infinity", "1e999", "1E400", "-0", "01", "1.", ".5", "+1", "0x1", "1e3", "1e-400", "9" * 25, "9" * 5000),
    *(
        r'"\ud800"',
        r'"\ud83d\ude00"',
        r'"\udc00\ud800"',
        r'"\u0000"',
        r'"\x41"',
        '"a\x01"',
        '"\t"',
        "tru",
        "nul",
        "'a'",
    ),
    *(
        "[" * 250 + "]" * 250,
        '{"a":' * 150 + "1" + "}" * 150,
        "[1,]",
        '{"a":1,}',
        "[1 2]",
        "/**/1",
        "",
        '"',
        "[",
        '{"a"',
    ),
    *('{"a":1,"a":2}', '{"A":1,"A":"x"}', '{"A":"x","A":1}', "{" + ",".join(['"A":1'] * 21) + "}"),
    *('"2016-09-13T09:00:00\\u005a"', "0.1e1", "4.9e-324", "179.99999999999999999", "90.000000000000000001"),
]
PATHS = [
    (key,) if not inner else (key, *inner)
    for key, value in FULL.items()
    for inner in [
        (),
        *([(k,) for k in value] if isinstance(value, dict) else [(0,)] if isinstance(value, list) else []),
    ]
] + [("sources", 0, "name"), ("parties", 0, "name"), ("place", "point", "latitude"), ("deaths", "by_side", "A")]
MARK = '"\x7fhere\x7f"'


def plain(value: Any) -> Any:
    """Return a model or a stand-in as dicts, tuples and values with their types."""
    fields = getattr(type(value), "__struct_fields__", None) or getattr(type(value), "model_fields", None)
    if fields is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, datetime):
        return int, repr(to_micros(value))
    return type(value), repr(value)


def decoded(body: bytes) -> Any:
    """Return what the fast decoder makes of one body."""
    (taken,) = DECODE_ALL([body])
    return taken


def check(body: bytes) -> bool:
    """Compare both decoders on one body; return whether the fast one took it."""
    taken = decoded(body)
    if taken is not None:
        assert plain(taken) == plain(IncidentReport.model_validate_json(body))
    fast, slow = (examiner.examine(body, (), ORIGIN, NOW) for examiner in (FAST, SLOW))
    assert fast == slow
    assert [encode(fact) for _, fact in fast.facts] == [encode(fact) for _, fact in slow.facts]
    return taken is not None


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A report with some values replaced, left out or added."""
    report = copy.deepcopy(FULL)
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=3)):
        holder = report
        try:
            for step in path[:-1]:
                holder = holder[step]
            match draw(st.integers(0, 9)):
                case 0:
                    del holder[path[-1]]
                case 1 if isinstance(holder, dict):
                    holder[draw(st.sampled_from(["from_", "extra", "type", "name"]))] = holder[path[-1]]
                case _:
                    value = st.sampled_from(SCALARS + NESTED) | st.text(max_size=5) | st.floats(allow_nan=False)
                    holder[path[-1]] = draw(value | st.integers(-(2**63), 2**64 - 1))
        except (KeyError, IndexError, TypeError):
            continue
    return report


def at_path(path: tuple[Any, ...], text: str) -> bytes:
    """Return the full report with ``text``, raw, in the place of the value at ``path``."""
    report: Any = copy.deepcopy(FULL)
    holder = report
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = MARK[1:-1]
    return orjson.dumps(report).replace(orjson.dumps(MARK[1:-1]), text.encode())


def test_a_full_report_and_a_bare_one_are_read_by_the_fast_decoder() -> None:
    needed = ("type", "feed", "report_id", "reported_at", "occurred", "place", "kind")
    assert check(orjson.dumps(FULL))
    assert check(orjson.dumps({key: FULL[key] for key in needed}))
    assert check(orjson.dumps(FULL | {"status": "merged", "merged_into": "FO-16"}))
    assert isinstance(FAST.examine(orjson.dumps(FULL), (), ORIGIN, NOW).facts[0][1], IncidentFact)


@RANDOM
@given(changed())
@example(FULL)
def test_both_decoders_say_the_same_of_any_report(report: dict[str, Any]) -> None:
    check(orjson.dumps(report))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_both_decoders_say_the_same_of_any_value_in_any_place(path: tuple[Any, ...]) -> None:
    for value in SCALARS + NESTED:
        check(at_path(path, orjson.dumps(value).decode()))
    for text in HOSTILE:
        check(at_path(path, text))


@RANDOM
@given(st.data())
def test_both_decoders_say_the_same_of_damaged_bytes(data: st.DataObject) -> None:
    body = bytearray(orjson.dumps(FULL))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                body[place] = data.draw(st.integers(0, 255))
            case 1:
                del body[place]
            case _:
                body[place:place] = data.draw(
                    st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b'"', b",", b"\\", b"0"])
                )
    check(bytes(body))


@pytest.mark.parametrize("status", ["active", "retracted", "merged"])
@pytest.mark.parametrize("into", [None, "FO-16", "FO-17", ""])
def test_both_decoders_say_the_same_of_a_merge(status: str, into: str | None) -> None:
    taken = check(orjson.dumps(FULL | {"status": status, "merged_into": into}))
    assert taken == ((status == "merged") == (into == "FO-16") and into in (None, "FO-16"))


@pytest.mark.parametrize("name", FULL)
def test_both_decoders_say_the_same_of_a_field_given_twice(name: str) -> None:
    body = orjson.dumps(FULL)
    for value in (*SCALARS, *NESTED, FULL[name]):
        again = orjson.dumps({name: value})
        check(body[:-1] + b"," + again[1:])
        check(again[:-1] + b"," + body[1:])


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf%s", b" \n%s\t ", b"%s,", b"%s%s", b"[%s]", b"%s\x00"])
def test_both_decoders_say_the_same_of_what_stands_around_a_report(body: bytes) -> None:
    check(body.replace(b"%s", orjson.dumps(FULL)))


@pytest.mark.parametrize("kind", [FeedName, ReportId, ReportReference, Pcode])
def test_patterns_take_the_same_characters_in_both_decoders(kind: Any) -> None:
    """Two engines read them: characters of all planes are tried at the start, inside, at the end and alone."""
    named = create_model("Named", __base__=Language, name=(kind, ...))
    pattern = TypeAdapter(kind).core_schema["pattern"]
    ours = re.compile(f"{pattern[:-1]}\\Z").search
    theirs = TypeAdapter(kind).validator
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code <= 0xDFFF or not (code < 0x3100 or code % 97 == 0):
            continue
        for text in (chr(code), f"{chr(code)}a", f"a{chr(code)}a", f"a{chr(code)}", f"SY{chr(code)}", f"a/{chr(code)}"):
            if ours(text):
                assert theirs.validate_python(text) == text
    decoder = compiled_decoder(named)
    assert any(decoder([b'{"name": "%s"}' % name]) != [None] for name in (b"SY02", b"a", b"a/b"))
    assert decoder([b'{"name": "SY02\\n"}']) == [None]


class _Loose(BaseModel):
    name: str


class _Checked(Language):
    name: str

    @field_validator("name")
    @classmethod
    def _is_short(cls, name: str) -> str:
        return name


class _Stripped(Language):
    name: Annotated[str, StringConstraints(strip_whitespace=True)]


class _Multiple(Language):
    number: int = Field(multiple_of=5)


class _OpenEnded(Language):
    name: Annotated[str, StringConstraints(pattern="^a")]


class _Instance(Language):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    pattern: re.Pattern[str] | int


@pytest.mark.parametrize("model", [_Loose, _Checked, _Stripped, _Multiple, _OpenEnded, _Instance])
def test_a_model_with_an_unknown_constraint_has_no_fast_decoder(model: type[BaseModel]) -> None:
    with pytest.raises(UnsupportedSchema):
        compiled_decoder(model)
    assert decoder_for(model)([b'{"name": "a"}'] * 2) == [None, None]


def test_the_shipped_language_has_a_fast_decoder() -> None:
    with pytest.raises(ValidationError):
        IncidentReport.model_validate_json(b"{}")
    assert decoder_for(IncidentReport)([orjson.dumps(FULL)]) != [None]
