"""Bodies that the gateway is sent: any bytes are refused or cut into records, which keep their bytes."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.gateway.body import records_in, unpacked
from streams.gateway.problems import Refusal
from tests.support.effort import examples

ANY = settings(max_examples=examples(200), deadline=None)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
SPACE = st.text(" \n\t\r", max_size=3)
PIECES = st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"\n", b" ", b"\xff", b"1", b'"a":1']))


@ANY
@given(st.lists(VALUES, min_size=1, max_size=5), SPACE)
def test_an_array_of_any_values_is_cut_between_them(values: list[object], space: str) -> None:
    written = [json.dumps(each, ensure_ascii=False).encode() for each in values]
    around = space.encode()
    body = around + b"[" + around + (around + b"," + around).join(written) + around + b"]" + around
    found = records_in(body, 5, lines=False)
    assert [each.value for each in found] == written
    assert [each.number for each in found] == list(range(1, len(values) + 1))


@ANY
@given(st.lists(VALUES, min_size=1, max_size=5), st.text("\n \r", max_size=3))
def test_lines_of_any_values_keep_their_numbers(values: list[object], blank: str) -> None:
    written = [json.dumps(each).encode() for each in values]
    body = b"".join(f"{blank}\n".encode() + each + b"\r\n" for each in written)
    lines = [line.strip() for line in body.split(b"\n")]
    assert records_in(body, 5, lines=True) == [(number, line) for number, line in enumerate(lines, 1) if line]


@ANY
@given(PIECES.map(b"".join) | st.binary(max_size=60), st.booleans())
def test_any_bytes_are_refused_or_cut_into_pieces_of_themselves(body: bytes, lines: bool) -> None:
    with contextlib.suppress(Refusal):
        unpacked(body, 1_000)
    with contextlib.suppress(Refusal):
        found = records_in(body, 10, lines=lines)
        assert 1 <= len(found) <= 10
        assert all(each.value and each.value in body for each in found)
