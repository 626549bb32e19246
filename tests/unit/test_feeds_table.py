"""Tables of recorded reports: a file of another kind is named as what it is, and a bad cell costs its row."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import InputFileError, UsageError
from schemas.topics import MAX_REPORT_BYTES
from streams.feeds.cells import decimal_number, given, identity, point_or_none, whole_number
from streams.feeds.ged import REQUIRED
from streams.feeds.readers import format_of, read_all
from streams.feeds.table import rows_of
from tests.unit.test_feeds_ged import a_row

UTC = ZoneInfo("UTC")


def table(*rows: dict[str, str], delimiter: str = ",", columns: list[str] | None = None) -> str:
    """Return rows as CSV with a line of names."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    names = columns or list(rows[0])
    writer.writerow(names)
    writer.writerows([row[name] for name in names] for row in rows)
    return text.getvalue()


THREE = [a_row(id=str(number)) for number in (1, 2, 3)]


def told(tmp_path: Path, content: str | bytes, stated: str | None = None) -> list[dict[str, Any]]:
    """Return what a file's reports say, in the order of its rows."""
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [json.loads(each.report.value) for each in read_all([path], stated, UTC)]


@pytest.mark.parametrize("stated", [None, "ged"], ids=["told by its columns", "stated"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            table(*THREE).replace("a headline", "une ville bombardée").encode("windows-1252"),
            "the byte E9, .* reads as é",
        ),
        (table(*THREE).encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (table(*THREE).encode("utf-16-be"), "seems to be UTF-16: save it as UTF-8"),
        (table(*THREE).encode("utf-16-le"), "seems to be UTF-16: save it as UTF-8"),
        (b"PK\x03\x04\x14\x00\xff\xfe\x00", "is a workbook or a zip archive"),
        (table(*THREE, delimiter=";").encode(), "separated by semicolons: save it with commas"),
        (table(*THREE, delimiter="\t").encode("utf-8-sig"), "separated by tabs"),
        (table(*THREE, delimiter="|").encode(), "separated by vertical bars"),
        (b"sep=;\n" + table(*THREE, delimiter=";").encode(), "its first line, sep=;, is for a spreadsheet"),
        (b"\xef\xbb\xbfsep=,\r\n" + table(*THREE).encode(), "its first line, sep=,, is for a spreadsheet"),
        (b'"sep=\t"\n' + table(*THREE, delimiter="\t").encode(), "is for a spreadsheet"),
        (table(*THREE, columns=[*THREE[0], "best", "low"]).encode(), "names columns twice, .*: low, best|best, low"),
        (table(*[row | {"": ""} for row in THREE], columns=[*THREE[0], "", ""]).encode(), r"twice, .*: \(no name\)"),
    ],
)
def test_a_file_of_another_kind_is_named_as_what_it_is(
    tmp_path: Path, content: bytes, message: str, stated: str | None
) -> None:
    with pytest.raises(UsageError, match=message):
        told(tmp_path, content, stated)


@pytest.mark.parametrize("begins", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["\\n", "\\r\\n", "\\r"])
def test_line_ends_and_marks_of_any_system_are_read(tmp_path: Path, begins: str, end: str) -> None:
    content = begins + table(*THREE).replace("\r\n", end)
    assert [report["report_id"] for report in told(tmp_path, content)] == ["1", "2", "3"]


def lines(change: str) -> str:
    """Return three rows, the second one's headline written as ``change``."""
    before, between, after = table(*[row | {"source_headline": "MARK"} for row in THREE[:2]], THREE[2]).split("MARK")
    return f"{before}x{between}{change}{after}"


@pytest.mark.parametrize(
    "cell",
    ['"an open quote', 'a "quoted" word, "b" c', '"a" b', "one,too many", '"two\nlines", and a cell too many'],
    ids=["open quote", "quotes within", "text behind a quote", "comma", "lines"],
)
def test_a_bad_cell_costs_its_row_and_no_other(tmp_path: Path, cell: str) -> None:
    reports = told(tmp_path, lines(cell))
    assert [report["report_id"] for report in reports if "report_id" in report] == ["1", "3"]
    assert all(report["type"] == "incident" for report in reports)


def test_a_row_beyond_any_report_travels_as_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(lines("x" * 9_000_000))
    sizes = [len(each.report.value) for each in read_all([path], None, UTC)]
    assert [size > MAX_REPORT_BYTES for size in sizes] == [False, True, False]
    assert max(sizes) == MAX_REPORT_BYTES + 1


def test_a_cell_beyond_the_library_s_own_limit_is_read(tmp_path: Path) -> None:
    reports = told(tmp_path, lines("x" * 200_000))
    assert [len(report["raw"]["source_headline"]) for report in reports] == [1, 200_000, 10]


def test_a_quote_closed_over_several_lines_is_one_cell(tmp_path: Path) -> None:
    reports = told(tmp_path, lines('"two\nlines, one cell"'))
    assert [report["raw"]["source_headline"] for report in reports] == ["x", "two\nlines, one cell", "a headline"]


def test_rows_know_their_line_after_a_bad_one() -> None:
    text = 'a,b\n1,2\n3,"open\n4,5\n\n"6\n6",7\n'
    rows = list(rows_of(io.BytesIO(text.encode()), "f", "table", ["a", "b"]))
    assert [(row.line, row.cells and tuple(row.cells.values())) for row in rows] == [
        (2, ("1", "2")),
        (3, None),
        (4, ("4", "5")),
        (7, ("6\n6", "7")),
    ]


def test_an_empty_file_has_no_header() -> None:
    with pytest.raises(InputFileError, match="is empty"):
        list(rows_of(io.BytesIO(b""), "f", "table", REQUIRED))


@pytest.mark.parametrize(
    "name", ["", "NA", "n/a", "-99", "-9", "-999", "0", "0000", "unknown", "Unknown ", "NULL", "nan", "?"]
)
def test_a_code_for_missing_is_no_identity(tmp_path: Path, name: str) -> None:
    assert identity(name) is None
    rows = [a_row(id=name), a_row(id=name, best="7", side_a=name, side_a_new_id=name, source_office=name), THREE[0]]
    reports = told(tmp_path, table(*rows))
    assert ["report_id" in report for report in reports] == [False, False, True]
    assert [party.get("party_id") for party in reports[1]["parties"] if party["slot"] == "a"] in ([], [None])


@pytest.mark.parametrize("name", ["230048", "-98", "99", "N-1", "Nawa", "007", "1.0"])
def test_a_code_that_names_something_is_one(name: str) -> None:
    assert identity(name) == name
    assert given(name) == name


@pytest.mark.parametrize("cell", ["", " ", "NA", "-9", "-99", "-999.0", "unknown", "nan"])
def test_a_toll_without_a_count_is_left_out_and_its_event_kept(tmp_path: Path, cell: str) -> None:
    (report,) = told(tmp_path, table(a_row(best=cell, deaths_civilians=cell)))
    assert report["deaths"] == {"low": 5, "high": 7, "by_side": {"a": 0, "b": 0, "unknown": 0}}
    assert report["raw"]["best"] == cell


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *(("3", 3), (" 3 ", 3), ("3.0", 3), ("-4", -4), ("", None), ("NA", None)),
        *(("3,0", "3,0"), ("1_0", "1_0"), ("٣", "٣"), ("six", "six"), ("9" * 30, "9" * 30), ("9" * 400, "9" * 400)),
    ],
)
def test_whole_numbers_are_those_of_any_program(cell: str, number: object) -> None:
    assert whole_number(cell) == number


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-Infinity", "1e400", "1_0.5", "36,2", "٣٦", "north", ""])
def test_what_is_no_finite_number_is_passed_on_as_written(cell: str) -> None:
    assert decimal_number(cell) == cell


def test_a_point_that_is_missing_is_none_and_one_that_is_wrong_is_told() -> None:
    assert point_or_none("36.2", "37.1") == {"latitude": 36.2, "longitude": 37.1}
    assert point_or_none("36.2", "0") == {"latitude": 36.2, "longitude": 0.0}
    for latitude, longitude in [("", "37.1"), ("NA", "NA"), ("-99", "-99"), ("0", "0.0"), ("-999.0", "-999.0")]:
        assert point_or_none(latitude, longitude) is None
    assert point_or_none("nan", "37.1") == {"latitude": "nan", "longitude": 37.1}
    assert point_or_none("95", "37.1") == {"latitude": 95.0, "longitude": 37.1}


def test_a_format_is_told_by_the_columns_of_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(table(*THREE))
    assert format_of(tmp_path / "data.csv", None).name == "ged"


@pytest.mark.parametrize("blank", ["\n", "\r\n", "\r", "\r\r\n\n"])
@pytest.mark.parametrize("stated", [None, "ged"], ids=["told by its columns", "stated"])
def test_blank_lines_before_the_names_are_no_row(tmp_path: Path, blank: str, stated: str | None) -> None:
    assert told(tmp_path, blank + table(*THREE), stated) == told(tmp_path, table(*THREE), stated)


@pytest.mark.parametrize("blank", ["", "\n", "\r", "\r\r\n"])
def test_a_table_of_blank_lines_is_empty(tmp_path: Path, blank: str) -> None:
    with pytest.raises(InputFileError, match="is empty; a"):
        told(tmp_path, blank, "ged")
