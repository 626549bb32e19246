"""Bytes that are no JSON: what stands where, and what to do, in words of no parser."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from schemas.broken_json import SHOWN, not_json
from schemas.errors import ReportRejected
from schemas.rejects import explain
from schemas.reports import ANY_REPORT

#: A body for everything that the parser can find, with its own name for it and what a feed reads.
FAULTS = [
    (b"[1, 2", "EOF while parsing a list", "the record ends within a list: it was cut short, so send the whole of it"),
    (b'{"a":1', "EOF while parsing an object", "the record ends within an object: it was cut short"),
    (b'{"a":"x', "EOF while parsing a string", "the record ends within a text: it was cut short"),
    (b'{"a":', "EOF while parsing a value", "the record ends where a value is expected: it was cut short"),
    (b'{"a" 1}', "expected `:`", 'character 6, in “{"a" 1}”: between a field\'s name and its value belongs a colon'),
    (b"[1 2]", "expected `,` or `]`", "character 4, in “[1 2]”: behind an entry of a list belongs a comma, or the ]"),
    (b'{"a":1 "b":2}', "expected `,` or `}`", 'character 8, in “{"a":1 "b":2}”: behind a field belongs a comma'),
    (b'{"a":None}', "expected ident", 'character 7, in “{"a":None}”: this is no value of JSON: text stands in'),
    (b'{"a":True}', "expected value", 'character 6, in “{"a":True}”: this is no value of JSON: text stands in'),
    (b'{"a":"C:\\x"}', "invalid escape", "a backslash with this behind it means nothing in JSON: write \\\\ for"),
    (b'{"a":01}', "invalid number", 'character 7, in “{"a":01}”: this is no number as JSON writes it'),
    (b'{"a":' + b"9" * 5_000 + b"}", "number out of range", "the number has too many digits: give it as text"),
    (b'{"a":"x\ty"}', "control character", 'character 8, in “{"a":"x\\u0009y"}”: a text holds a line break, a tab'),
    (b"{'a':1}", "key must be a string", "character 2, in “{'a':1}”: a field's name must stand in double quotes"),
    (b'{"a":"\\ud800\\u0041"}', "lone leading surrogate", "a \\u escape is half of a pair: write the character itself"),
    (b'{"a":"\\ud800"}', "unexpected end of hex escape", "a \\u escape is half of a pair: write the character itself"),
    (b'{"a":1,}', "trailing comma", 'character 8, in “{"a":1,}”: no comma may stand before a closing bracket'),
    (b'{"a":1}\n{"a":2}', "trailing characters", 'line 2, character 1, in “{"a":1}\\u000a{"a":2}”: something follows'),
    (b"[" * 300, "recursion limit exceeded", "lists and objects stand some 200 deep in one another: nest them less"),
]


def refused(body: bytes) -> tuple[str, ReportRejected]:
    """Return what the parser says of a body, and what its feed is told."""
    with pytest.raises(ValidationError) as caught:
        ANY_REPORT.validate_json(body)
    return caught.value.errors()[0]["ctx"]["error"], explain(caught.value)


@pytest.mark.parametrize(("body", "parser_says", "told"), FAULTS, ids=[says for _, says, _ in FAULTS])
def test_every_fault_of_the_parsers_is_told_in_a_persons_words(body: bytes, parser_says: str, told: str) -> None:
    says, reason = refused(body)
    assert says.startswith(parser_says)
    assert told in reason.hint
    assert reason.code == "not_json"
    assert not re.search(r"EOF|ident\b|parsing|column|line 1\b|surrogate|recursion|trailing|hex", reason.hint)


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b" \r\n", "not_json", "the record is empty or white space: send one JSON object per record"),
        (
            b"hello",
            "not_json",
            "the record begins with “hello”, not with the { of an object: send one JSON object per record",
        ),
        (b"nil", "not_json", "the record begins with “nil”, not with the {"),
        (b"\xef\xbb\xbf{}", "not_json", "the record begins with a byte order mark (EF BB BF): send it without"),
        ('{"a":1}'.encode("utf-16"), "invalid_utf8", "the record seems to be UTF-16: send it as UTF-8"),
        ('{"a":1}'.encode("utf-16-le"), "not_json", "the record seems to be UTF-16: send it as UTF-8"),
        (b"\x1f\x8b\x08\x00", "invalid_utf8", "the record seems to be packed with gzip: send it unpacked"),
        (b"\x28\xb5\x2f\xfd", "invalid_utf8", "the record seems to be packed with zstd: send it unpacked"),
        (b"PK\x03\x04\xff", "invalid_utf8", "the record seems to be a zip archive or an office file"),
        (b"\x00\x00\x00\x00\x07{}", "not_json", "the record begins with a zero byte, as those of Avro"),
        (b" <html>", "not_json", "the record seems to be XML or a web page: send JSON"),
        ('{"a":"Rénée"}'.encode("latin-1"), "invalid_utf8", 'byte 8 (E9) is not UTF-8, behind “{"a":"R”: save and'),
    ],
)
def test_what_is_something_else_altogether_is_called_so(body: bytes, code: str, told: str) -> None:
    _, reason = refused(body)
    assert reason.code == code
    assert told in reason.hint


def test_characters_are_counted_as_an_editor_counts_them() -> None:
    _, reason = refused('{"a":\n"حلب" y}'.encode())
    assert reason.hint.startswith('line 2, character 7, in “{"a":\\u000a"حلب" y}”: ')


def test_a_line_break_in_a_text_is_found_too() -> None:
    _, reason = refused(b'{"a":"x\ny"}')
    assert reason.hint.startswith('line 2, character 1, in “{"a":"x\\u000ay"}”: a text holds a line break')


def test_of_a_long_record_only_what_is_near_the_fault_is_shown() -> None:
    _, reason = refused(b'{"a":"' + b"x" * 9_000 + b'" "' + b"y" * 9_000 + b'"}')
    assert reason.hint.startswith("character 9,009, in “…xxx")
    assert len(reason.hint) < 2 * SHOWN + 150


def test_a_fault_no_one_has_heard_of_still_has_a_place() -> None:
    assert not_json(b"{x", "some new word at line 1 column 2") == (
        "character 2, in “{x”: from here on it cannot be read as JSON"
    )
    assert not_json(b"{x", "something else").startswith("character 1, in “{x”: ")
