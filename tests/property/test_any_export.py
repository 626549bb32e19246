"""Whatever bytes were rejected: exported and read back they are the same."""

from __future__ import annotations

import json
from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.facts import Origin, Redrive
from sinks.rejects import Reject
from streams.feeds.exported import wrap
from streams.feeds.jsonl import read_jsonl
from tests.support.effort import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda part: st.dictionaries(st.text(), part)
)
DOCUMENTS = st.dictionaries(st.text(), JSON).map(lambda value: json.dumps(value, ensure_ascii=False))
BODIES = (
    st.binary()
    | st.text().map(str.encode)
    | DOCUMENTS.map(lambda text: text.encode(errors="surrogatepass"))
    | DOCUMENTS.map(lambda text: f'{{"reject": {{}}, "report": {text}}}'.encode(errors="surrogatepass"))
    | st.sampled_from([b"[" * 2_000, b'{"a":' * 900 + b"1" + b"}" * 900, b'{"a": 1e999}', b'{"reject": {}}', b"{}  "])
)


def reject(body: bytes) -> Reject:
    return Reject(
        7,
        "not_json",
        None,
        None,
        None,
        "\x1b",
        "t",
        1,
        41,
        "log",
        len(body),
        2,
        None,
        None,
        None,
        False,
        None,
        None,
        None,
        False,
        None,
        None,
        False,
        body,
    )


@settings(max_examples=examples(100), deadline=None)
@given(BODIES)
def test_an_exported_record_is_read_back_byte_for_byte(body: bytes) -> None:
    line = wrap(reject(body))
    assert b"\n" not in line
    (read,) = read_jsonl(BytesIO(line + b"\r\n"), "file")
    assert read.value == body.strip() if b'"report": ' in line else read.value == body
    assert read.redrive == Redrive(Origin("t", 1, 41, "log"), 3)


def test_a_document_over_several_lines_becomes_one() -> None:
    line = wrap(reject(b'{"a":\r\n 1}\n'))
    (read,) = read_jsonl(BytesIO(line), "file")
    assert read.value == b'{"a":   1}'
