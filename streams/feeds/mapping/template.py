"""Table to fill in, made from the models of the language, with lists of its words to choose from."""

from __future__ import annotations

import csv
from pathlib import Path

from openpyxl.styles.fonts import Font
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation

from schemas.errors import UsageError
from schemas.reports import IncidentKind, PlacePrecision, TimePrecision

#: Columns of the table, as the mapping ``template`` reads them, with the words that one may choose from.
COLUMNS: dict[str, tuple[str, ...]] = {
    "report_id": (),
    "revision": (),
    "reported_at": (),
    "occurred_from": (),
    "occurred_to": (),
    "time_precision": tuple(TimePrecision),
    "pcode": (),
    "region": (),
    "place": (),
    "latitude": (),
    "longitude": (),
    "place_precision": tuple(PlacePrecision),
    "kind": tuple(IncidentKind),
    "kind_as_given": (),
    "parties": (),
    "deaths_best": (),
    "injured_best": (),
    "sources": (),
    "note": (),
}
#: Rows that have lists to choose from.
_ROWS = 5_000


def write_template(path: Path) -> None:
    """Write an empty table of incidents: a workbook or CSV, as the ending of its name says.

    Raises:
        UsageError: the ending is another, or the file exists.
    """
    if path.exists():
        raise UsageError(f"{path}: exists, and may be filled in", "give another name")
    if path.suffix == ".xlsx":
        _workbook().save(path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerow(COLUMNS)
    else:
        raise UsageError(f"{path}: a template is a workbook or CSV", "let its name end in .xlsx or .csv")


def _workbook() -> Workbook:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "incidents"
    sheet.append(list(COLUMNS))
    sheet.freeze_panes = "A2"
    for number, (name, words) in enumerate(COLUMNS.items(), 1):
        head = sheet.cell(1, number)
        head.font = Font(bold=True)
        letter = head.column_letter
        sheet.column_dimensions[letter].width = max(12, len(name) + 2)
        if words:
            chosen = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True)
            chosen.add(f"{letter}2:{letter}{_ROWS}")
            sheet.add_data_validation(chosen)
    return book
