"""CSV tables of recorded reports, and the values of their cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from schemas.errors import InputFileError
from schemas.instants import parse_day
from streams.feeds.recorded import Recorded, instant_of

#: What JSON's writer and the store's columns hold.
_MOST_BITS = 63


class Row(NamedTuple):
    """Row of a table.

    ``line`` is its last line in the file. ``cells`` is None for a row with too many cells or
    too few.
    """

    line: int
    cells: dict[str, str] | None
    as_written: Sequence[str]
    columns: int

    def torn(self, report_type: str, feed: str) -> Recorded:
        """Return a report that intake rejects, with the cells of a row that an unquoted comma tore apart."""
        raw = {"cells": self.as_written, "columns_expected": self.columns}
        value = orjson.dumps({"type": report_type, "feed": feed, "raw": raw})
        return Recorded(value, None, report_type, self.line, feed)


def reports_of(
    rows: Iterator[Row], report_type: str, feed: str, made: Callable[[dict[str, str]], Any]
) -> Iterator[Recorded]:
    """Yield one report per row, as ``made`` turns its cells into one; a torn row is left to intake."""
    for row in rows:
        yield row.torn(report_type, feed) if row.cells is None else recorded(made(row.cells), row.line)


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


def decimal_number(cell: str) -> float | str:
    """Return the number in a cell, or the cell as written."""
    try:
        return float(cell)
    except ValueError:
        return cell


def day_or_none(cell: str) -> date | None:
    """Return the calendar day in a cell, with or without a time of day behind it."""
    try:
        return parse_day(cell)
    except ValueError:
        return None


def midnight(day: date, time_zone: ZoneInfo) -> str:
    """Return the instant at which a calendar day begins, in ISO 8601."""
    return datetime.combine(day, time.min, time_zone).isoformat()


def midnight_after(day: date, time_zone: ZoneInfo) -> str:
    """Return the instant at which a calendar day ends, in ISO 8601."""
    return midnight(day + timedelta(days=1), time_zone)


def recorded(report: dict[str, Any], line: int) -> Recorded:
    """Return a report made from a row, as it is published."""
    reported_at = instant_of(report["reported_at"])
    return Recorded(orjson.dumps(report), reported_at, report["type"], line, report["feed"], report["report_id"])
