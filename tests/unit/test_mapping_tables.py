"""Tables of every kind: the first bytes tell which, and all of them give the same rows of text."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from openpyxl.worksheet.formula import ArrayFormula

from schemas.errors import InputFileError
from streams.feeds.mapping.language import MappingFile
from streams.feeds.mapping.tables import table_of
from streams.feeds.recorded import opened

#: Local times, as a cell of a workbook is.
ROWS: list[dict[str, Any]] = [
    {"الرقم": 7, "when": datetime.fromisoformat("2016-09-13T14:30"), "where": "حماة", "dead": 2.0, "hit": True},
    {"الرقم": 8, "when": datetime.fromisoformat("2016-09-14"), "where": None, "dead": 1.5, "hit": False},
]
AS_TEXT = [
    {"الرقم": "7", "when": "2016-09-13 14:30:00", "where": "حماة", "dead": "2", "hit": "true"},
    {"الرقم": "8", "when": "2016-09-14 00:00:00", "where": "", "dead": "1.5", "hit": "false"},
]


def read(path: Path, *named: str, **settings: Any) -> list[dict[str, str] | None]:
    """Return the rows of a file."""
    how = MappingFile.model_validate({"report": {}, **settings})
    with opened(path) as source, table_of(source, str(path), how, named) as table:
        return [row.cells for row in table.rows]


def text(separator: str = ",", head: str = "") -> bytes:
    lines = [separator.join(AS_TEXT[0]), *(separator.join(row.values()) for row in AS_TEXT)]
    return (head + "\n".join(lines) + "\n").encode()


def workbook(head: int = 0) -> bytes:
    book, out = Workbook(), io.BytesIO()
    book.create_sheet("notes").append(["nothing"])
    sheet = book.worksheets[0]
    sheet.title = "الحوادث"
    for _ in range(head):
        sheet.append(["a title"])
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append(list(row.values()))
    sheet.append([None])
    book.save(out)
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


SHEET_CUT_SHORT = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:A2"/>'
    b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c'
)


def workbook_with(sheet: bytes) -> bytes:
    """Return a workbook whose first sheet is other bytes."""
    whole, out = zipfile.ZipFile(io.BytesIO(workbook())), io.BytesIO()
    with zipfile.ZipFile(out, "w") as other:
        for name in whole.namelist():
            other.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else whole.read(name))
    return out.getvalue()


def marked(archive: bytes, place: int, value: int) -> bytes:
    """Return an archive of one file with a byte of its two headers set; the second has it two further on."""
    made, central = bytearray(archive), archive.index(b"PK\x01\x02")
    made[place] = made[central + place + 2] = value
    return bytes(made)


#: How a workbook of Excel 97 begins, and one that a password locks.
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def zipped(content: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names or ("inner.csv",):
            archive.writestr(name, content)
    return out.getvalue()


KINDS: dict[str, Callable[[], bytes]] = {
    "commas": text,
    "semicolons": lambda: text(";"),
    "tabs": lambda: text("\t"),
    "a line for a spreadsheet": lambda: text(";", "sep=;\n"),
    "a byte order mark": lambda: b"\xef\xbb\xbf" + text(";"),
    "UTF-16": lambda: text(";").decode().encode("utf-16"),
    "a workbook": workbook,
    "Parquet": parquet,
    "JSON Lines": lambda: "\n".join(map(json.dumps, AS_TEXT)).encode(),
    "a JSON list": lambda: json.dumps(AS_TEXT, indent=1).encode(),
    "gzip": lambda: gzip.compress(text()),
    "zstd": lambda: pa.compress(text(), codec="zstd", asbytes=True),
    "zip": lambda: zipped(text()),
    "a workbook in gzip": lambda: gzip.compress(workbook()),
    "Parquet in zip": lambda: zipped(parquet()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    (tmp_path / "data").write_bytes(KINDS[kind]())
    assert read(tmp_path / "data", *ROWS[0]) == AS_TEXT


@pytest.mark.parametrize("encoding", ["cp1256", "cp1252"])
def test_a_stated_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    word = "حماة" if encoding == "cp1256" else "Alépo"
    (tmp_path / "data").write_bytes(f"where;n\n{word};1\n".encode(encoding))
    assert read(tmp_path / "data", encoding=encoding) == [{"where": word, "n": "1"}]
    with pytest.raises(InputFileError, match="is not UTF-8") as raised:
        read(tmp_path / "data")
    assert 'encoding = "cp1252"' in (raised.value.hint or "")
    (tmp_path / "data").write_bytes(b"where\n\x81\n")
    with pytest.raises(InputFileError, match="is not ascii"):
        read(tmp_path / "data", encoding="ascii")


def test_rows_above_the_names_are_passed_over(tmp_path: Path) -> None:
    for content in (b"a title\n\n" + text(), workbook(head=2)):
        (tmp_path / "data").write_bytes(content)
        assert read(tmp_path / "data", skip_rows=2) == AS_TEXT


def test_a_sheet_is_named_or_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(workbook())
    assert read(tmp_path / "data", sheet="notes") == []
    with pytest.raises(InputFileError, match="has no sheet 'note'; did you mean 'notes'"):
        read(tmp_path / "data", sheet="note")


def test_a_feature_gives_its_properties_and_its_point(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "id": 5, "geometry": {"type": "Point", "coordinates": [36.6, 35.4, 90]},
         "properties": {"what": "raid", "dead": {"best": 2}}},
        {"type": "Feature", "geometry": None, "properties": {"what": "raid"}},
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": []}, "properties": None},
    ]  # fmt: skip
    for indent in (None, 2):
        (tmp_path / "data").write_text(json.dumps({"type": "FeatureCollection", "features": features}, indent=indent))
        first, second, third = read(tmp_path / "data")
        assert first == {
            "id": "5", "what": "raid", "dead.best": "2", "geometry.latitude": "35.4", "geometry.longitude": "36.6"
        }  # fmt: skip
        assert second == {"what": "raid", "geometry.latitude": "", "geometry.longitude": ""}
        assert third == {"geometry.latitude": "", "geometry.longitude": ""}


def test_an_item_that_is_no_object_is_a_row_without_cells(tmp_path: Path) -> None:
    for content in ('{"a": 1}\n[2]\n"three"\n{"a": 4}\n', '[{"a": 1}, [2], "three", {"a": 4}]'):
        (tmp_path / "data").write_text(content)
        assert read(tmp_path / "data") == [{"a": "1"}, None, None, {"a": "4"}]
    odd = [{"properties": {"a": 1}}, None, {"geometry": "POINT"}, {"properties": [2]}]
    (tmp_path / "data").write_text(json.dumps({"type": "FeatureCollection", "features": odd}))
    first, *others = read(tmp_path / "data", "a")
    assert first == {"a": "1", "geometry.latitude": "", "geometry.longitude": ""}
    assert others == [None] * 3


def test_days_and_formulas_of_a_workbook_are_told_from_times_and_from_results(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["day", "time", "sum", "array", "text"])
    midnight = datetime.fromisoformat("2016-09-13")
    sheet.append([midnight.date(), midnight, "=1+1", ArrayFormula("D2", "=SUM(1,2)"), "=1"])
    sheet["E2"].data_type = "s"
    sheet.append([None, None, None, None, "end"])
    book.save(tmp_path / "data.xlsx")
    how = MappingFile.model_validate({"report": {}})
    with opened(tmp_path / "data.xlsx") as source, table_of(source, "data.xlsx", how) as table:
        first, _ = [row.cells for row in table.rows]
        assert table.formulas == {"sum": 1, "array": 1}
    assert first == {
        "day": "2016-09-13", "time": "2016-09-13 00:00:00", "sum": "=1+1", "array": "=SUM(1,2)", "text": "=1"
    }  # fmt: skip


def test_stored_results_of_formulas_are_read_also_empty_ones(tmp_path: Path) -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'
        '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
        "</sheetData></worksheet>"
    )
    (tmp_path / "data").write_bytes(workbook_with(sheet.encode()))
    assert read(tmp_path / "data", "a", "b") == [{"a": "2", "b": ""}]


def test_an_object_may_lack_columns_and_not_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "data").write_text('{"a": 1}\n\n{"b": [1, 2]}\n')
    assert read(tmp_path / "data", "a", "c") == [{"a": "1"}, {"b": "[1,2]"}]
    with pytest.raises(InputFileError, match="lacks columns that the mapping needs: 'c'"):
        read(tmp_path / "data", "c")


def test_columns_without_a_name_or_with_the_same_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a,,a\n1,2,3\n")
    assert read(tmp_path / "data") == [{"a": "1", "column 2": "2", "a (2)": "3"}]
    with pytest.raises(InputFileError, match="names columns twice, and a row could mean either: a"):
        read(tmp_path / "data", "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a\0b\n", "seems to be UTF-16"),
        (b"{}", "holds no column|lacks columns"),
        (b"[1, 2]", "holds no object"),
        (b'{"type": "FeatureCollection", "features": {"a": 1}}', "its features are no list"),
        (b'{"x.y": 1, "x": {"y": 2}}', r"row 1: gives the column 'x\.y' twice"),
        (b'[{"a": 1}, {" a": 1, "a": 2}]', "row 2: gives the column 'a' twice"),
        (OLD_WORKBOOK, r"Excel 97 to 2003 \(\.xls\)"),
        (OLD_WORKBOOK + "EncryptedPackage".encode("utf-16-le"), "is locked with a password"),
        (b'{"a": 1}\n{"a": \n', "line 2: not JSON"),
        (b'[{"a": 1}\n', "not JSON that can be read"),
        (zipped(b"x", "one.csv", "two.csv"), r"an archive of 2 files \(one.csv, two.csv\); unpack it"),
        (zipped(b"x", "mimetype", "content.xml", "meta.xml"), "is an OpenDocument sheet: save it as .xlsx or CSV"),
        (zipped(b"x", "[Content_Types].xml"), "cannot be read as a workbook"),
        (marked(zipped(b"x", "one.csv"), 6, 1), "cannot be unpacked here .*password.*; unpack it first"),
        (marked(zipped(b"x", "one.csv"), 8, 9), "cannot be unpacked here .*; unpack it first"),
        (workbook_with(SHEET_CUT_SHORT), "its sheet 'الحوادث' is damaged"),
        (b"PK\x03\x04 and no more", "a workbook or a zip archive, and damaged"),
        (b"PAR1 and no more", "damaged or cut short"),
        (pa.compress(text() * 100, codec="zstd", asbytes=True)[:30], "damaged or cut short"),
    ],
)
def test_a_file_that_holds_no_table_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        read(tmp_path / "data", "a")


def test_a_file_is_what_its_ending_says(tmp_path: Path) -> None:
    for ending, how in ((".gz", "gzipped"), (".zst", "packed with zstd"), (".zip", "a zip archive")):
        (tmp_path / f"data{ending}").write_bytes(text())
        with pytest.raises(InputFileError, match=f"is named {ending} but is not {how}"):
            read(tmp_path / f"data{ending}")


def test_rows_and_columns_beyond_the_extent_that_a_sheet_states_are_read(tmp_path: Path) -> None:
    sheet = zipfile.ZipFile(io.BytesIO(workbook())).read("xl/worksheets/sheet1.xml")
    stale = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:B2"', sheet)
    assert stale != sheet
    (tmp_path / "stale.xlsx").write_bytes(workbook_with(stale))
    assert read(tmp_path / "stale.xlsx") == AS_TEXT


def test_numbers_of_any_length_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text('[{"id": 123456789012345678901, "tags": [123456789012345678902]}]')
    (row,) = read(tmp_path / "long.json")
    assert row == {"id": "123456789012345678901", "tags": "[123456789012345678902]"}


def test_a_name_that_an_object_gives_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "twice.jsonl").write_text('{"id": "1"}\n{"id": "2", "id": "3"}\n')
    with pytest.raises(InputFileError, match=r"line 2: .*'id' is given twice"):
        read(tmp_path / "twice.jsonl")


def test_utf_8_is_read_with_its_mark_also_where_the_encoding_is_stated(tmp_path: Path) -> None:
    (tmp_path / "marked.csv").write_bytes(b"\xef\xbb\xbfid\n1\n")
    assert read(tmp_path / "marked.csv", "id", encoding="UTF-8") == [{"id": "1"}]
