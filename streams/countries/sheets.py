"""Rows of a spreadsheet of P-codes, such as OCHA's with one sheet for each level."""

# mypy: disallow-untyped-calls=False
# (openpyxl carries no types)

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from openpyxl.reader.excel import load_workbook

from schemas.errors import GazetteerError

#: Rows above a header, at most: a title, a date, an empty row.
_ROWS_ABOVE = 20


class SheetRow(NamedTuple):
    """A row under the header of a sheet; ``where`` says which."""

    where: str
    cells: dict[str, Any]


def read_sheets(path: Path, is_header: Callable[[Sequence[str]], bool]) -> list[SheetRow]:
    """Read the rows of every sheet that has a header.

    Args:
        path: the spreadsheet.
        is_header: whether the texts of a row are a header.

    Raises:
        GazetteerError: the file is missing, or is no XLSX.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # Drop-down lists and the like, which are read past.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True)
            return [row for sheet in book.worksheets for row in _rows(sheet, is_header)]
    except OSError as error:
        raise GazetteerError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # Of a damaged file openpyxl lets through whatever zip, XML and its own classes raise.
        raise GazetteerError(f"{path}: not an XLSX spreadsheet: {error}", "save it as .xlsx") from error


def _rows(sheet: Any, is_header: Callable[[Sequence[str]], bool]) -> Iterator[SheetRow]:
    # A program that adds rows may leave the sheet's stated extent as it was.
    sheet.reset_dimensions()
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(values_only=True)
    numbered = enumerate(rows, 1)
    for _, row in islice(numbered, _ROWS_ABOVE):
        header = ["" if cell is None else str(cell) for cell in row]
        if is_header(header):
            break
    else:
        return
    for number, row in numbered:
        # An empty row has no cells, and a row of HXL tags under a header nothing but tags.
        if not all(cell is None or str(cell).startswith("#") for cell in row):
            yield SheetRow(f"sheet {sheet.title!r}, row {number}", dict(zip(header, row, strict=False)))
