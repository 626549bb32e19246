"""Rows of a spreadsheet of P-codes, such as OCHA's with one sheet for each level."""

# mypy: disallow-untyped-calls=False
# (openpyxl carries no types)

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from openpyxl.reader.excel import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

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
        # A read-only workbook keeps its file open until it is closed.
        book = load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise GazetteerError(f"{path}: cannot be read: {error.strerror}") from error
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise GazetteerError(f"{path}: not an XLSX spreadsheet: {error}", "save it as .xlsx") from error
    try:
        # Charts are sheets too, and have no rows.
        return [
            row for sheet in book.worksheets for row in _rows(sheet.title, sheet.iter_rows(values_only=True), is_header)
        ]
    finally:
        book.close()


def _rows(
    title: str, rows: Iterator[tuple[Any, ...]], is_header: Callable[[Sequence[str]], bool]
) -> Iterator[SheetRow]:
    numbered = enumerate(rows, 1)
    for _, row in islice(numbered, _ROWS_ABOVE):
        header = ["" if cell is None else str(cell) for cell in row]
        if is_header(header):
            break
    else:
        return
    for number, row in numbered:
        cells = dict(zip(header, row, strict=False))
        # The row of HXL tags under a header is none of data.
        if any(cell is not None for cell in row) and not str(row[0]).startswith("#"):
            yield SheetRow(f"sheet {title!r}, row {number}", cells)
