"""Tables to fill in, made from the models of the language, with lists of its words to choose from."""

from __future__ import annotations

import csv
from pathlib import Path

from openpyxl.styles.fonts import Font
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation

from schemas.errors import UsageError
from schemas.reports import ConvoyStep, IncidentKind, PlacePrecision, TimePrecision

_NAMES: dict[str, tuple[str, ...]] = {"report_id": (), "revision": ()}
_WHEN_AND_WHERE: dict[str, tuple[str, ...]] = {
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
}
_EVIDENCE: dict[str, tuple[str, ...]] = {"sources": (), "note": ()}
#: Columns of each table, as its mapping reads them, with the words that one may choose from.
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "incidents": {
        **_NAMES,
        **_WHEN_AND_WHERE,
        "kind": tuple(IncidentKind),
        **dict.fromkeys(("kind_as_given", "parties", "deaths_best", "injured_best"), ()),
        **_EVIDENCE,
    },
    "convoys": {
        **_NAMES,
        "convoy_id": (),
        **_WHEN_AND_WHERE,
        "step": tuple(ConvoyStep),
        **dict.fromkeys(("reached_place", "operator", "trucks", "people_reached", "blocker", "reason"), ()),
        **_EVIDENCE,
    },
}
#: Rows that have lists to choose from.
_ROWS = 5_000


def write_template(path: Path, of: str) -> None:
    """Write an empty table of incidents or convoys: a workbook or CSV, as the ending of its name says.

    Raises:
        UsageError: the ending is another, the file exists, or it cannot be written.
    """
    if of not in COLUMNS:
        raise UsageError(f"no template is called {of!r}; there are {', '.join(COLUMNS)}")
    if path.exists():
        raise UsageError(f"{path}: exists, and may be filled in", "give another name")
    if path.suffix not in (".xlsx", ".csv"):
        raise UsageError(f"{path}: a template is a workbook or CSV", "let its name end in .xlsx or .csv")
    try:
        if path.suffix == ".xlsx":
            _workbook(of).save(path)
            return
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerow(COLUMNS[of])
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _workbook(of: str) -> Workbook:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = of
    sheet.append(list(COLUMNS[of]))
    sheet.freeze_panes = "A2"
    for number, (name, words) in enumerate(COLUMNS[of].items(), 1):
        head = sheet.cell(1, number)
        head.font = Font(bold=True)
        letter = head.column_letter
        sheet.column_dimensions[letter].width = max(12, len(name) + 2)
        if words:
            chosen = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True)
            chosen.add(f"{letter}2:{letter}{_ROWS}")
            sheet.add_data_validation(chosen)
    return book
