"""Recorded files: formats, and what is said of files that are not what they claim to be."""

from __future__ import annotations

import gzip
import io
import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import InputFileError, UsageError
from schemas.truceday import to_micros
from streams.feeds import jsonl
from streams.feeds.jsonl import read_jsonl
from streams.feeds.readers import FORMATS, format_of, missing_companions, read, read_all
from streams.feeds.recorded import STDIN, Recorded, instant_of

UTC = ZoneInfo("UTC")
LINE = b'{"type": "coverage", "feed": "f", "report_id": "r", "reported_at": "2016-09-13T12:00:00+03:00", "x": 1}'


def lines(content: bytes) -> list[Recorded]:
    return list(read_jsonl(io.BytesIO(content), "x.jsonl"))


def test_a_line_passes_byte_for_byte_with_what_can_be_read_of_it() -> None:
    (report,) = lines(LINE + b"\r\n")
    assert report.value == LINE
    assert (report.report_type, report.feed, report.report_id, report.line) == ("coverage", "f", "r", 1)
    assert report.reported_at == 1_473_757_200_000_000


@pytest.mark.parametrize(
    "broken",
    [b"garbage", b"[1, 2]", b"\xff\xfe\x00", b'{"type": 7, "feed": [], "reported_at": {}}', b'{"reported_at": "soon"}'],
)
def test_a_broken_line_passes_too_for_intake_to_reject(broken: bytes) -> None:
    first, second = lines(broken + b"\n" + LINE)
    assert first == Recorded(broken, None, None, 1)
    assert second.value == LINE


def test_blank_lines_are_no_reports_but_count_as_lines() -> None:
    assert [(report.value, report.line) for report in lines(b"\n" + LINE + b"\n  \n" + LINE)] == [(LINE, 2), (LINE, 4)]


def test_a_byte_order_mark_does_not_break_the_first_line() -> None:
    assert lines(b"\xef\xbb\xbf" + LINE)[0].value == LINE


def test_a_line_no_topic_takes_is_refused_without_reading_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 200)
    assert lines(b"x" * 200)[0].value == b"x" * 200
    with pytest.raises(InputFileError, match="line 2: longer than 200 bytes"):
        lines(LINE + b"\n" + b"x" * 201)


@pytest.mark.parametrize(
    "stated", [None, 7, "soon", "2016-09-13T12:00:00", "1753-01-01T00:00:00Z", "2919-01-01T00:00:00Z"]
)
def test_a_time_that_is_missing_local_or_absurd_orders_nothing(stated: object) -> None:
    assert instant_of(stated) is None


def test_files_are_read_plain_or_gzipped_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINE)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINE))
    (tmp_path / "c.jsonl").write_bytes(gzip.compress(LINE))
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")]
    assert [(named.file, named.report.value) for named in read_all(paths, None, UTC)] == [
        (str(path), LINE) for path in paths
    ]


def test_a_dash_is_standard_input(tmp_path: Path) -> None:
    (tmp_path / "piped").write_bytes(LINE)
    before = os.dup(0)
    try:
        with (tmp_path / "piped").open("rb") as piped:
            os.dup2(piped.fileno(), 0)
        assert [report.value for report in read(STDIN, None, UTC)] == [LINE]
    finally:
        os.dup2(before, 0)
        os.close(before)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, "missing.jsonl: no such file"),
        ("a.jsonl.gz", LINE, "is named .gz but is not gzipped"),
        ("a.jsonl.gz", gzip.compress(LINE * 1_000, mtime=0)[:-20], "damaged or cut short"),
        ("a.jsonl.gz", gzip.compress(LINE, mtime=0)[:10] + b"\xff" * 40, "damaged or cut short"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_fault(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        list(read(tmp_path / name, None, UTC))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="is a folder"):
        list(read(tmp_path, "jsonl", UTC))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jsonl", "jsonl"), ("a.ndjson.gz", "jsonl"), ("-", "jsonl")],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name), None) is FORMATS[expected]


@pytest.mark.parametrize("name", ["ged", "syrian-archive", "compiled-convoys", "compiled-tallies"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_the_columns_of_a_csv_file_tell_the_format(tmp_path: Path, name: str, packed: bool) -> None:
    header = ",".join(["another", *FORMATS[name].columns]).encode()
    file = tmp_path / ("data.csv.gz" if packed else "data.csv")
    file.write_bytes(gzip.compress(header) if packed else header)
    assert format_of(file, None) is FORMATS[name]


def test_a_csv_file_of_other_columns_needs_a_format(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("date,place\n")
    with pytest.raises(
        UsageError, match="the columns do not tell the format; say --format jsonl or --format json or --format ged or"
    ):
        format_of(tmp_path / "data.csv", None)


@pytest.mark.parametrize("content", [b"", b'"\n'])
def test_a_csv_file_without_names_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(InputFileError, match="is empty; a table starts with a line of column names"):
        format_of(tmp_path / "data.csv", None)


def test_a_csv_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such file"):
        format_of(tmp_path / "data.csv", None)


def test_a_name_that_tells_nothing_needs_a_format() -> None:
    with pytest.raises(UsageError, match="say --format jsonl or --format json or --format ged"):
        format_of(Path("reports.txt"), None)
    assert format_of(Path("reports.txt"), "ged").name == "ged"


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no format is called 'xml'; there are jsonl, json, ged"):
        format_of(Path("a.xml"), "xml")


def test_an_instant_is_read_with_its_offset() -> None:
    assert instant_of("2016-09-12T19:00:00+03:00") == to_micros(datetime(2016, 9, 12, 16, tzinfo=UTC))


def test_a_file_whose_list_of_places_lies_elsewhere_is_said(tmp_path: Path) -> None:
    videos = tmp_path / "videos.csv"
    videos.write_text(",".join(FORMATS["syrian-archive"].columns) + "\n", encoding="utf-8")
    (note,) = missing_companions([videos], None)
    assert note.startswith(f"{videos}: no syrian_places.csv beside it: ")
    (tmp_path / "syrian_places.csv").touch()
    assert missing_companions([videos, tmp_path / "reports.jsonl"], None) == []
