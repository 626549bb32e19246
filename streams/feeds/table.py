"""CSV tables of recorded reports: a line of column names, then rows. The readers take commas and UTF-8.

A file of another kind is named as what it is, and a bad row costs that row: what a stray quote swallows is read again
from the next line on.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import orjson

from schemas.errors import InputFileError
from schemas.topics import CUT_BYTES, MAX_REPORT_BYTES
from streams.feeds.recorded import Recorded, instant_of

#: Characters of the longest row that is read: a quote that nobody closes must not fill the memory.
_MOST_CHARACTERS = 4 * MAX_REPORT_BYTES
csv.field_size_limit(_MOST_CHARACTERS)

#: Separators other than the comma, by name.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_MOST_NAMED = 5


class Row(NamedTuple):
    """Row of a table.

    ``line`` is its last line in the file. ``cells`` is None for a row with too many cells or
    too few, and ``fault`` says so.
    """

    line: int
    cells: dict[str, str] | None
    as_written: Sequence[str]
    columns: int
    fault: str

    def torn(self, report_type: str, feed: str) -> Recorded:
        """Return a report that intake rejects, with the cells of a row that an unquoted comma tore apart."""
        raw = {"cells": self.as_written, "columns_expected": self.columns}
        value = written({"type": report_type, "feed": feed, "raw": raw})
        return Recorded(cut(value), None, report_type, self.line, feed, torn=self.fault)


def torn_by(cells: Sequence[str], columns: int) -> str:
    """Say what tore a row of other than so many cells apart."""
    if not cells:
        return "the quotes of the row do not match: double those within a quoted cell"
    return f"cells: {len(cells)} in the row, {columns} in the line of names; quote those that hold the separator"


def reports_of(
    rows: Iterator[Row], report_type: str, feed: str, made: Callable[[dict[str, str]], Any]
) -> Iterator[Recorded]:
    """Yield one report per row, as ``made`` turns its cells into one; a torn row is left to intake."""
    for row in rows:
        yield row.torn(report_type, feed) if row.cells is None else recorded(made(row.cells), row.line)


def rows_of(source: BinaryIO, name: str, what: str, required: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a file that has the ``required`` columns; ``what`` names its kind in errors.

    Raises:
        InputFileError: no header, columns missing or named twice, other separators, not UTF-8, or not CSV.
    """
    with text_of(source, name) as lines:
        header = _header(lines, name, what, required)
        for cells, as_written in records_of(lines):
            if cells or as_written:
                whole = dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
                yield Row(lines.number, whole, cells or as_written, len(header), torn_by(cells, len(header)))


def recorded(report: dict[str, Any], line: int) -> Recorded:
    """Return a report made from a row, as it is published; one without a name of its own is left to intake."""
    if report["report_id"] is None:
        report = {field: value for field, value in report.items() if field != "report_id"}
    reported_at = instant_of(report["reported_at"])
    value = cut(written(report))
    return Recorded(value, reported_at, report["type"], line, report["feed"], report.get("report_id"))


def written(report: Mapping[str, Any]) -> bytes:
    """Return a report as JSON; half of a character, which UTF-8 lacks, as an escape that intake rejects."""
    try:
        return orjson.dumps(report)
    except TypeError:
        return json.dumps(report).encode()


def cut(value: bytes) -> bytes:
    """Return a report as it can travel: too long for intake, its beginning is too, and is kept with the reject."""
    return value if len(value) <= MAX_REPORT_BYTES else value[:CUT_BYTES]


class Lines:
    """The lines of a text, with those that were read too far put back."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.number = 0
        self._text = text
        self._again: list[str] = []

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(_MOST_CHARACTERS)
        if not line:
            raise StopIteration
        if len(line) == _MOST_CHARACTERS and not line.endswith(("\n", "\r")):
            while (rest := self._text.readline(_MOST_CHARACTERS)) and not rest.endswith(("\n", "\r")):
                pass  # a line that no report could hold: its beginning is enough to tell which it was
        self.number += 1
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """Read these lines again, in their order."""
        self._again.extend(reversed(lines))
        self.number -= len(lines)


@contextmanager
def text_of(source: BinaryIO, name: str, encoding: str = "utf-8-sig") -> Iterator[Lines]:
    """Give the lines of a file.

    Raises:
        InputFileError: it is of another encoding.
    """
    text = io.TextIOWrapper(source, encoding=encoding, newline="")
    lines = Lines(text)
    try:
        yield lines
    except UnicodeDecodeError as error:
        fault = _encoding(error, lines.number) if encoding == "utf-8-sig" else f": is not {encoding} ({error.reason})"
        raise InputFileError(f"{name}{fault}") from error
    finally:
        # The file belongs to whoever opened it: a wrapper closes what it wraps when it is collected.
        text.detach()


def _encoding(error: UnicodeDecodeError, line: int) -> str:
    if line == 0 and error.object.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ": is UTF-16: save it as UTF-8"
    if line == 0 and error.object.startswith(b"PK\x03\x04"):
        return ": is a workbook or a zip archive: save the sheet as CSV in UTF-8"
    byte = error.object[error.start : error.start + 1]
    read = byte.decode("windows-1252", errors="replace")
    return (
        f", near line {line + 1}: is not UTF-8 (the byte {byte.hex().upper()}, which Windows-1252 reads as {read}): "
        "save it as UTF-8"
    )


def check_first(line: str, name: str) -> None:
    """Refuse a first line that shows another encoding, or is for a spreadsheet."""
    if "\0" in line:
        raise InputFileError(f"{name}: seems to be UTF-16: save it as UTF-8")
    if (told := SEPARATOR_LINE.fullmatch(line)) is not None:
        raise InputFileError(f"{name}: its first line, sep={told[1]}, is for a spreadsheet: take it out")


def _header(lines: Lines, name: str, what: str, required: Sequence[str]) -> list[str]:
    # Blank lines before the names are no row, as they are none behind them.
    first = next((record for record in records_of(lines) if record[1]), None)
    if first is None:
        raise InputFileError(f"{name}: is empty; a {what} file starts with a line of column names")
    header, as_written = first
    line = as_written[0]
    check_first(line, name)
    missing = [column for column in required if column not in header]
    for separator in SEPARATORS if missing else ():
        if set(required) <= set(split(line, separator)):
            raise InputFileError(f"{name}: its columns are separated by {SEPARATORS[separator]}: save it with commas")
    if missing:
        raise InputFileError(f"{name}: is no {what} file, it lacks the columns {', '.join(missing)}")
    twice = [column or "(no name)" for column, times in Counter(header).items() if times > 1]
    if twice:
        named = ", ".join(twice[:_MOST_NAMED])
        raise InputFileError(f"{name}: names columns twice, and a row could mean either: {named}")
    return header


def records_of(lines: Lines, delimiter: str = ",") -> Iterator[tuple[list[str], list[str]]]:
    """Yield the cells of each row, with the lines they stand on; no cells where the quotes of a row do not match.

    A row of several lines that has not as many cells as the first row is cut after its first line: a quote that was
    not closed has swallowed the rows behind it.
    """
    columns = None
    while True:
        read: list[str] = []
        try:
            cells = next(csv.reader(_noting(lines, read), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except csv.Error:
            cells = []
        if len(read) > 1 and columns is not None and len(cells) != columns:
            lines.put_back(read[1:])
            cells, read = [], read[:1]
        columns = columns or len(cells)
        yield cells, [] if cells == [] and not read[0].strip() else read


def _noting(lines: Lines, read: list[str]) -> Iterator[str]:
    for line in lines:
        read.append(line)
        yield line


def split(line: str, separator: str) -> list[str]:
    """Return the cells of one line; none where its quotes do not match."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
