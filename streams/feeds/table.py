"""Tables of recorded reports: CSV with a line of column names, read row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import orjson

from schemas.errors import InputFileError
from streams.feeds.recorded import Recorded, instant_of

#: What JSON's writer and the store's columns hold.
_MOST_BITS = 63


class Row(NamedTuple):
    """One row; ``line`` is its last line in the file. ``cells`` is None for a row with too many cells or too few."""

    line: int
    cells: dict[str, str] | None
    as_written: Sequence[str]
    columns: int

    def torn(self, report_type: str, feed: str) -> Recorded:
        """Return a report for intake to reject, with the cells of a row that an unquoted comma tore apart."""
        raw = {"cells": self.as_written, "columns_expected": self.columns}
        value = orjson.dumps({"type": report_type, "feed": feed, "raw": raw})
        return Recorded(value, None, report_type, self.line, feed)


def rows_of(source: BinaryIO, name: str, what: str, required: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a file that has the ``required`` columns; ``what`` names its kind in errors.

    Raises:
        InputFileError: no header, columns missing, not UTF-8, or not CSV.
    """
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, None)
        if header is None:
            raise InputFileError(f"{name}: is empty; a {what} file starts with a line of column names")
        missing = [column for column in required if column not in header]
        if missing:
            raise InputFileError(f"{name}: is no {what} file, it lacks the columns {', '.join(missing)}")
        for cells in rows:
            if cells:
                whole = dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None
                yield Row(rows.line_num, whole, cells, len(header))
    except UnicodeDecodeError as error:
        raise InputFileError(f"{name}, near line {rows.line_num + 1}: is not UTF-8 ({error.reason})") from error
    except csv.Error as error:
        raise InputFileError(f"{name}, line {rows.line_num}: is not CSV ({error})") from error
    finally:
        # The file belongs to whoever opened it: a wrapper closes what it wraps when it is collected.
        text.detach()


def columns_of(source: BinaryIO) -> list[str]:
    """Return the names in the first line, none when it is no CSV."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        return next(csv.reader(text), [])
    except (UnicodeDecodeError, csv.Error):
        return []
    finally:
        text.detach()


def whole_number(cell: str) -> int | str | None:
    """Return the number in a cell, None for an empty one; what has more than 64 bits stays as written."""
    try:
        number = int(cell) if cell else None
    except ValueError:
        return cell
    return cell if number is not None and number.bit_length() > _MOST_BITS else number


def recorded(report: dict[str, Any], line: int) -> Recorded:
    """Return a report made from a row, as it is published."""
    told = instant_of(report["reported_at"])
    return Recorded(orjson.dumps(report), told, report["type"], line, report["feed"], report["report_id"])
