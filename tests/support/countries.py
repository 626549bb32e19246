"""Made-up countries: boundary files and spreadsheets of P-codes as OCHA lays them out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from tests.support.polygons import features, square

#: Districts of two countries as columns west to east, in degrees: the code, names in two scripts, and those of the
#: region around it. Two districts are called alike, and one like another region.
DISTRICTS = (
    (20.0, "XA0101", "Stone Ford", "مخاضة الحجر", "XA01", "North Valley", "الوادي الشمالي"),
    (21.0, "XA0102", "New Market", "السوق الجديد", "XA01", "North Valley", "الوادي الشمالي"),
    (22.0, "XA0201", "New Market", "سوق الجنوب", "XA02", "South Valley", "الوادي الجنوبي"),
    (23.0, "XA0301", "South Valley", "", "XA03", "Salt Coast", "ساحل الملح"),
    (24.0, "XB0101", "Far Hill", "", "XB01", "Far Side", ""),
)
COUNTRIES = {"XA": ("Highland", "بلاد المرتفعات"), "XB": ("Overthere", "")}


def properties(district: Sequence[Any], style: str = "ADM{level}_{word}") -> dict[str, Any]:
    """Return what a data set says of a district; ``style`` is how it writes its columns."""
    _, code, name, arabic, region, region_name, region_arabic = district
    country, country_arabic = COUNTRIES[code[:2]]
    levels = ((2, code, name, arabic), (1, region, region_name, region_arabic), (0, code[:2], country, country_arabic))
    return {
        style.format(level=level, word=word): value
        for level, *values in levels
        for word, value in zip(("PCODE", "EN", "AR"), values, strict=True)
    }


def boundaries(*countries: str, districts: Sequence[Sequence[Any]] = DISTRICTS) -> dict[str, Any]:
    """Return a GeoJSON of districts of the countries, one square degree each, in a row."""
    chosen = [each for each in districts if each[1][:2] in countries]
    return features(*((properties(each), square(each[0])) for each in chosen))


def geojson(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a GeoJSON file."""
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    """Write an XLSX file of the rows of each sheet."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path
