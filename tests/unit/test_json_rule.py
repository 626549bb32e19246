"""The rule of JSON at intake, and readers that must read whatever it lets pass."""

from __future__ import annotations

import json

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Origin, RejectFact
from schemas.gazetteer import load_gazetteer
from schemas.json_rule import breach, keeps_the_rule
from schemas.rejects import RejectCode
from streams.intake.examine import Examiner
from tests.support.worlds import agreement, at

INTAKE = Examiner([agreement()], load_gazetteer("syria"), "clock")
REPORT = {
    "type": "incident",
    "feed": "field-office",
    "report_id": "FO-17",
    "reported_at": "2016-09-13T12:00:00+03:00",
    "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "minute"},
    "place": {"pcode": "SY02"},
    "kind": "shelling",
    "raw": {},
}
BODY = orjson.dumps(REPORT)


def rejected(body: bytes) -> RejectFact | None:
    """Return the reject intake makes of a body, if it makes one."""
    return INTAKE.examine(body, (), Origin("truce.incidents.v1", 0, 1), at(3)).rejected


TWICE = [
    b'{"a":1,"a":1}',
    b'{"a":1,"\\u0061":2}',
    b'{"x":[{"y":{"a":1, "a" :2}}]}',
    b'{"a":{"b":1},"b":1,"a":":"}',
    b'{"a":"\\u003a","b":1,"b":2}',
    b'{"a":"\\u003A","b":1,"b":2}',
    b'{"":1,"":2}',
]
BEYOND = [b'{"a":1e400}', b'{"a":[-1E+999]}', b'{"a":{"b":%s}}' % (b"9" * 310), b'{"a":-%s.5}' % (b"9" * 400)]
NO_JSON = [b'{"a":NaN}', b'{"a":[Infinity]}', b'{"a":{"b":-Infinity}}']
KEPT = [
    b"{}",
    b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    b'{"a":":","b":"\\u003a\\":","c":"\\\\"}',
    b'{"a":1e308,"b":1e-400,"c":%s,"d":18446744073709551616}' % (b"9" * 308),
    b'{"A":1,"a":2," a":3}',
    b'{"NaN":"Infinity"}',
]


@pytest.mark.parametrize("document", TWICE + BEYOND + NO_JSON)
def test_what_readers_read_otherwise_breaks_the_rule(document: bytes) -> None:
    assert not keeps_the_rule(document)
    assert breach(document) is not None


@pytest.mark.parametrize("document", KEPT)
def test_what_readers_read_alike_keeps_it(document: bytes) -> None:
    assert breach(document) is None


def test_the_hint_names_what_breaks_it() -> None:
    assert breach(TWICE[0]) == 'the name "a" stands twice in one object, and readers differ in which they take'
    assert breach(BEYOND[0]) == 'the number "1e400" is beyond what a double holds: give it as text, under raw'
    assert breach(NO_JSON[0]) == "NaN and Infinity are no JSON numbers; leave the field out"


def test_what_stands_too_deep_is_named() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert breach(b'{"a":' + deep + b',"a":1}') == "lists and objects stand too deep in one another: nest them less"


def test_a_million_names_are_looked_at_once_each() -> None:
    names = b",".join(b'"%d":0' % number for number in range(100_000))
    assert breach(b"{" + names + b',"99999":1}') is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(':"\\a\u003a', max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.text(max_size=3), JSON)
def test_a_name_added_once_more_is_always_noticed(document: dict[str, object], name: str, value: object) -> None:
    try:
        once = orjson.dumps(document | {name: value})
        again = once[:-1] + b"," + orjson.dumps({name: value})[1:]
    except TypeError:
        return  # halves of characters and larger integers: no JSON of this writer
    assert breach(once) is None
    assert not keeps_the_rule(again)
    assert breach(again) is not None


@pytest.mark.parametrize("field", ["kind", "report_id", "feed", "reported_at"])
def test_a_report_that_says_a_field_twice_is_rejected(field: str) -> None:
    fact = rejected(BODY[:-1] + b"," + orjson.dumps({field: REPORT[field]})[1:])
    assert fact is not None
    assert fact.code == RejectCode.NOT_JSON
    assert f'the name "{field}" stands twice' in fact.hint


@pytest.mark.parametrize("inner", ["occurred", "place", "raw"])
def test_a_name_twice_is_rejected_at_any_depth(inner: str) -> None:
    pair = {"occurred": b'"precision":"hour"', "place": b'"pcode":"SY05"', "raw": b'"a":1,"a":1'}[inner]
    holder = orjson.dumps({inner: REPORT[inner]})[1:-2]
    fact = rejected(BODY.replace(holder, holder + (b"" if inner == "raw" else b",") + pair))
    assert fact is not None
    assert fact.code == RejectCode.NOT_JSON


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 310, "NaN"])
@pytest.mark.parametrize("raw", ['{"toll":%s}', '{"tolls":[[%s]]}', '{"a":{"b":{"c":%s}}}'])
def test_a_number_beyond_a_double_is_rejected_wherever_it_stands(raw: str, number: str) -> None:
    fact = rejected(BODY.replace(b'"raw":{}', b'"raw":' + (raw % number).encode()))
    assert fact is not None
    assert fact.code == RejectCode.NOT_JSON


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_what_is_accepted_every_reader_reads(raw: dict[str, object]) -> None:
    try:
        sent = orjson.dumps(REPORT | {"raw": raw})
    except TypeError:
        return  # halves of characters and larger integers: no JSON of this writer
    assert rejected(sent) is None
    assert orjson.loads(sent)["kind"] == json.loads(sent)["kind"] == "shelling"
    sql = "SELECT ?::JSON ->> '$.kind', (?::JSON -> '$.raw')::VARCHAR"
    ((kind, inner),) = duckdb.execute(sql, [sent.decode()] * 2).fetchall()
    assert (kind, orjson.loads(inner)) == ("shelling", orjson.loads(sent)["raw"])
