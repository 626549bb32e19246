"""Whatever bytes come: intake rejects or accepts them, and verify names the same feed and report from them."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.gazetteer import load_gazetteer
from sinks.verify import verify
from sinks.verify.bookkeeping import named
from streams.intake.examine import TICK_HEADER, Examiner
from tests.property.test_any_history import RANDOM
from tests.support.judged import History
from tests.support.valid import INCIDENT
from tests.support.worlds import TRUCE, at, origin

EXAMINER = Examiner([TRUCE], load_gazetteer("syria", None), "clock")

texts = (
    st.text(max_size=4) | st.text(min_size=60, max_size=250) | st.sampled_from(["feed-a", "feed-a\n", "Feed", "\ud800"])
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A report with fields changed or added, in some encoding, with bytes cut out or put in."""
    changes = draw(st.dictionaries(st.sampled_from([*INCIDENT, "raw"]) | texts, values, max_size=3))
    written = json.dumps(INCIDENT | changes, ensure_ascii=draw(st.booleans()))
    body = written.encode(draw(encodings), errors="surrogatepass")
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(body)))
        body = body[:cut] + draw(st.binary(max_size=3)) + body[cut + draw(st.integers(0, 3)) :]
    return body


def reject_of(body: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> tuple[str | None, str | None] | None:
    """Return whom intake names in a reject; None when it accepts."""
    fact = EXAMINER.examine(body, headers, origin(0), at(3)).rejected
    return None if fact is None else (fact.feed, fact.report_id)


@RANDOM
@given(body=st.binary(max_size=60) | mutated())
@example(body=b"\xef\xbb\xbf" + json.dumps(INCIDENT).encode())
@example(body=json.dumps(INCIDENT).encode("utf-16"))
@example(body=json.dumps(INCIDENT | {"raw": {"x": float("nan")}}).encode())
@example(body=json.dumps(INCIDENT | {"kind": "\ud800"}).encode())
@example(body=json.dumps(INCIDENT | {"feed": "Not A Feed"}).encode())
@example(body=json.dumps(INCIDENT | {"feed": "f" * 65}).encode())
@example(body=json.dumps(INCIDENT | {"feed": "feed-a\n"}).encode())
@example(body=json.dumps(INCIDENT | {"report_id": "i" * 300}).encode())
@example(body=b'{"feed": "feed-a", "raw": ' + b"[" * 200_000)
@example(body=b"[" * 200_000)
@example(body=b'{"feed": "feed-a", "raw": ' + b"[" * 2_000 + b"]" * 2_000 + b"}")
@example(body=b'{"feed": "feed-a", "feed": "feed-b", "report_id": 1e999}')
def test_verify_names_whom_intake_names(body: bytes) -> None:
    for headers in ((), ((TICK_HEADER, b"7"),)):
        found = reject_of(body, headers)
        assert found is None or found == named(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps(INCIDENT).encode(),
        json.dumps(INCIDENT).encode("utf-16"),
        json.dumps(INCIDENT | {"raw": {"x": float("nan")}}).encode(),
        json.dumps(INCIDENT | {"kind": "\ud800"}).encode(),
        b"[" * 200_000,
    ],
    ids=["byte order mark", "utf-16", "NaN", "half a character", "deep"],
)
def test_a_file_with_such_a_reject_is_right(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    published = History(TRUCE).tell(body).tick(at(1)).judged(tmp_path_factory.mktemp("rejects"))
    assert verify(published) == []
