"""Reports in a JSON document, as people's tools write it."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InputFileError, UsageError
from streams.feeds import json_document
from streams.feeds.json_document import read_json
from streams.feeds.readers import FORMATS, format_of
from tests.support.effort import examples

ONE = {"type": "incident", "feed": "office", "report_id": "1", "place": {"pcode": "SY02"}, "note": "حلب"}
TWO = {"type": "coverage", "feed": "office", "report_id": "2"}


def told(text: str) -> list[tuple[str | None, str | None, int]]:
    return [(each.report_type, each.report_id, each.line) for each in read_json(BytesIO(text.encode()), "r.json")]


@pytest.mark.parametrize(
    ("text", "lines", "known"),
    [
        (json.dumps([ONE, TWO], indent=2), [2, 11], True),
        (json.dumps([ONE, TWO]), [1, 1], True),
        (f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n", [1, 3], True),
        (f"\ufeff{json.dumps(ONE, indent=1)}\r\n{json.dumps([TWO])}\n", [1, 10], False),
    ],
    ids=["a list over lines", "a list on one line", "one on each line", "one after the other"],
)
def test_reports_are_found_however_they_are_laid_out(tmp_path: Path, text: str, lines: list[int], known: bool) -> None:
    assert told(text) == [("incident", "1", lines[0]), ("coverage", "2", lines[1])]
    (tmp_path / "r.json").write_text(text, "utf-8")
    if known:
        assert format_of(tmp_path / "r.json", None).name == "json"


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.booleans()))))
@settings(max_examples=examples(100), deadline=None)
def test_each_report_passes_byte_for_byte(values: list[dict[str, object]]) -> None:
    for indent in (None, 2):
        written = [json.dumps(each, indent=indent, ensure_ascii=False) for each in values]
        document = f"[{', '.join(written)}]".encode(errors="surrogatepass")
        if "\ud800" <= max("".join(written), default="") <= "\udfff":
            continue
        assert [each.value.decode() for each in read_json(BytesIO(document), "r")] == written


def test_what_is_no_object_passes_for_intake_to_reject() -> None:
    (number,) = read_json(BytesIO(b"[17]"), "r.json")
    assert (number.value, number.report_type) == (b"17", None)
    assert list(read_json(BytesIO(b" [ ] "), "r.json")) == []


@pytest.mark.parametrize("text", [b'[{"type": "incident"}', b"[{} {}]", b"[{},]", b'{"a":', b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_told_in_words(text: bytes) -> None:
    with pytest.raises(InputFileError, match=r"^r\.json: not JSON that can be read"):
        list(read_json(BytesIO(text), "r.json"))


def test_a_report_no_topic_takes_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_document, "MAX_LINE_BYTES", 20)
    with pytest.raises(InputFileError, match=r"^r\.json, line 3: a report longer than 20 bytes"):
        list(read_json(BytesIO(b'[{},\n\n{"note": "a rather long note"}]'), "r.json"))


def test_other_objects_and_tables_are_no_reports_by_their_names(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('[{"type": "shelling", "where": "Aleppo"}]')
    table = tmp_path / "table.csv"
    table.write_text("type,feed,report_id\nincident,office,1\n")
    for path in (other, table):
        with pytest.raises(UsageError, match="the columns do not tell the format"):
            format_of(path, None)
    kobo = tmp_path / "kobo.json"
    kobo.write_text(json.dumps([dict.fromkeys(FORMATS["kobo"].columns, "x")]))
    assert format_of(kobo, None).name == "kobo"
