"""Sheets of workbooks as rows of text: days without their midnight, and formulas that have no stored result."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any, BinaryIO

from schemas.errors import InputFileError
from schemas.plain_words import did_you_mean
from streams.feeds.mapping.values import text_of_value

_FORMULA_TAG = re.compile(rb"<(?:\w+:)?f[ />]").search
_CHUNK_BYTES = 1_048_576


class Formula(str):
    """Formula of a workbook that has no stored result, as it is written."""

    __slots__ = ()


def sheet_lines(source: BinaryIO, name: str, wanted: str | None, first: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the texts of the rows of a sheet, the first one where none is named, with their numbers from ``first``.

    Raises:
        InputFileError: it is no workbook, or a damaged one, or has no such sheet.
    """
    # Loaded with the first workbook: it takes a tenth of a second, and most commands read none.
    from openpyxl.reader.excel import load_workbook

    try:
        book = load_workbook(source, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, SyntaxError) as error:  # the last of its XML
        raise InputFileError(f"{name}: cannot be read as a workbook ({error})") from error
    if wanted is not None and wanted not in book.sheetnames:
        guess = did_you_mean(wanted, book.sheetnames)
        raise InputFileError(f"{name}: has no sheet {wanted!r}{guess or ': ' + ', '.join(book.sheetnames)}")
    sheet = book[wanted] if wanted is not None else book.worksheets[0]
    # A program that adds rows may leave the sheet's stated extent as it was.
    sheet.reset_dimensions()
    formulas = None
    if _has_formulas(source):
        # A workbook is read with the results of its formulas, or with the formulas.
        formulas = load_workbook(source, read_only=True)[sheet.title]
        formulas.reset_dimensions()
    yield from enumerate(_rows(sheet, formulas, first, name), first)


def _rows(sheet: Any, formulas: Any, first: int, name: str) -> Iterator[list[str]]:
    """Yield the texts of each row; a formula without a stored result is its own text."""
    # A sheet is read as it is asked for, long after the workbook was opened.
    try:
        if formulas is None:
            yield from (list(map(_text_of_cell, row)) for row in sheet.iter_rows(min_row=first))
            return
        both = zip(sheet.iter_rows(min_row=first), formulas.iter_rows(min_row=first), strict=True)
        for row, beside in both:
            yield [_unstored(cell, by) or _text_of_cell(cell) for cell, by in zip(row, beside, strict=True)]
    except (KeyError, ValueError, SyntaxError) as error:  # the last of its XML
        raise InputFileError(f"{name}: its sheet {sheet.title!r} is damaged ({error})") from error


def _text_of_cell(cell: Any) -> str:
    value = cell.value
    if isinstance(value, datetime) and value.time() == time.min:
        from openpyxl.styles.numbers import is_datetime

        if is_datetime(cell.number_format) == "date":
            # A workbook stores a day as its midnight.
            return value.date().isoformat()
    return text_of_value(value)


def _unstored(cell: Any, formula: Any) -> Formula | None:
    """Return the formula of a cell without a result. An empty text is one: it has its type."""
    if formula.data_type != "f" or cell.value is not None or cell.data_type == "str":
        return None
    return Formula(getattr(formula.value, "text", formula.value) or "=")


def _has_formulas(source: BinaryIO) -> bool:
    """Whether a sheet of a workbook has one. To look is far cheaper than to read every sheet twice."""
    with zipfile.ZipFile(source) as book:
        for sheet in book.namelist():
            if not sheet.startswith("xl/worksheets/"):
                continue
            with book.open(sheet) as xml:
                before = b""
                while chunk := xml.read(_CHUNK_BYTES):
                    if _FORMULA_TAG(before + chunk):
                        return True
                    before = chunk[-20:]  # a tag may be cut in two
    return False
