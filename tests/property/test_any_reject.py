"""Whatever bytes come: a file with the reject that intake makes of them is right."""

from __future__ import annotations

import json

import pytest

from streams.verify import verify
from tests.support.judged import History
from tests.support.valid import INCIDENT
from tests.support.worlds import TRUCE, at

BODIES = {
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(INCIDENT).encode(),
    "utf-16": json.dumps(INCIDENT).encode("utf-16"),
    "NaN": json.dumps(INCIDENT | {"raw": {"x": float("nan")}}).encode(),
    "half a character": json.dumps(INCIDENT | {"kind": "\ud800"}).encode(),
    "deep": b"[" * 200_000,
    "no feed's name": json.dumps(INCIDENT | {"feed": "Not A Feed"}).encode(),
    "a feed's name with a line's end": json.dumps(INCIDENT | {"feed": "feed-a\n"}).encode(),
    "a long name": json.dumps(INCIDENT | {"report_id": "i" * 300}).encode(),
    "two feeds": b'{"feed": "feed-a", "feed": "feed-b", "report_id": 1e999}',
    "deep and closed": b'{"feed": "feed-a", "raw": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
}


def test_a_file_with_all_sorts_of_rejects_is_right(tmp_path_factory: pytest.TempPathFactory) -> None:
    published = History(TRUCE).tell(*BODIES.values()).tick(at(1)).judged(tmp_path_factory.mktemp("rejects"))
    assert verify(published) == []
