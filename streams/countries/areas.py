"""Administrative areas of one country, gathered from the features or rows of a file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from schemas.boundary_file import read_features, some_of
from schemas.errors import GazetteerError
from schemas.placenames import words_of
from schemas.plain_words import PATTERNS, did_you_mean, found
from streams.countries.columns import Columns, Named, columns_of
from streams.countries.sheets import read_sheets

_PCODE = re.compile(next(pattern for pattern, words in PATTERNS.items() if words.startswith("an OCHA P-code")))
_COUNTRY = re.compile(r"[A-Z]{2,3}")


@dataclass
class AreaNames:
    """One area with every name the file has for it, the one to be shown first."""

    code: str
    names: list[str] = field(default_factory=list)
    #: Of an area inside a region, the region.
    region: str = ""
    polygons: list[Any] = field(default_factory=list)


@dataclass
class Areas:
    """Areas of one country.

    Attributes:
        country: its code, and names.
        regions: by code.
        places: areas inside the regions, by code.
        notes: what of the file was left out, and why.
    """

    country: AreaNames
    regions: dict[str, AreaNames]
    places: dict[str, AreaNames]
    notes: list[str]


class _Row(NamedTuple):
    where: str
    cells: Mapping[str, Any]
    columns: Columns
    polygons: Any = None


class Wanted(NamedTuple):
    """Choices of the user.

    Attributes:
        country: the code or a name of the country, where a file holds several.
        level: level of the regions.
        places: level of the areas whose names are taken as places; 0 for none.
        named: columns the user names.
    """

    country: str | None
    level: int
    places: int
    named: Named


def read_country(path: Path, wanted: Wanted) -> Areas:
    """Read the areas of one country from a GeoJSON of boundaries or a spreadsheet of P-codes.

    Raises:
        GazetteerError: the file cannot be read, says too little, or holds several countries and none was chosen.
    """
    rows = _sheet_rows(path, wanted) if path.suffix.lower() in (".xlsx", ".xlsm") else _features(path, wanted)
    level = wanted.level
    coded, without = _coded(path, rows, level)
    notes = [f"left out, without a P-code of level {level}: {some_of(without)}"] if without else []
    country, others = _choice(path, [row for _, row in coded], wanted)
    if others:
        notes.append(f"left out, being of another country: {some_of(others)}")
    areas = Areas(AreaNames(country), {}, {}, notes)
    for code, row in coded:
        if _country_of(row, level) == country:
            _add(areas, code, row, wanted)
    nameless = [region.code for region in areas.regions.values() if not region.names]
    if nameless:
        raise GazetteerError(
            f"{path}: no name for {some_of(nameless)}",
            f"a name stands in a column such as ADM{level}_EN; name another one with --name-column",
        )
    return areas


def _features(path: Path, wanted: Wanted) -> list[_Row]:
    rows = []
    for feature in read_features(path):
        columns = columns_of(feature.properties, wanted.level, wanted.named)
        rows.append(_Row(str(feature), feature.properties, columns, feature.geometry))
    return rows


def _sheet_rows(path: Path, wanted: Wanted) -> list[_Row]:
    def is_header(cells: Sequence[str]) -> bool:
        return columns_of(cells, wanted.level, wanted.named).codes.get(wanted.level) in cells

    rows = read_sheets(path, is_header)
    if not rows:
        raise GazetteerError(f"{path}: no sheet has a column of P-codes of level {wanted.level}", _remedy(wanted.level))
    return [_Row(row.where, row.cells, columns_of(row.cells, wanted.level, wanted.named)) for row in rows]


def _remedy(level: int) -> str:
    return f"P-codes stand in a column such as ADM{level}_PCODE; name another one with --code-column"


def _coded(path: Path, rows: Sequence[_Row], level: int) -> tuple[list[tuple[str, _Row]], list[str]]:
    """Return the rows with their region's code, and the names of those without one."""
    coded: list[tuple[str, _Row]] = []
    without: list[str] = []
    for row in rows:
        code = row.columns.code(row.cells, level)
        if code is None:
            without.append(row.where)
        elif _PCODE.fullmatch(code) is None:
            column = row.columns.codes[level]
            raise GazetteerError(
                f"{path}: {row.where}: {column}: expected an OCHA P-code, such as SY02, found {found(code)}",
                "mend the file, or name another column with --code-column",
            )
        else:
            coded.append((code, row))
    if not coded:
        known = list(dict.fromkeys(header for row in rows[:1] for header in row.cells))
        raise GazetteerError(
            f"{path}: no P-code of level {level}; it has {some_of(known) or 'no columns'}", _remedy(level)
        )
    return coded, without


def _country_of(row: _Row, level: int) -> str:
    """Return the country of a row as it states it, or else the letters its region's code begins with."""
    stated = row.columns.code(row.cells, 0)
    if stated is not None:
        return stated
    letters = _COUNTRY.match(row.columns.code(row.cells, level) or "")
    return letters[0] if letters else ""


def _choice(path: Path, rows: Sequence[_Row], wanted: Wanted) -> tuple[str, list[str]]:
    """Return the country that is meant, and what is of others."""
    names: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        names[_country_of(row, wanted.level)].update(dict.fromkeys(row.columns.names_in(row.cells, 0)))
    listed = some_of([f"{code} {next(iter(said), '')}".rstrip() for code, said in names.items()])
    if wanted.country is None:
        if len(names) > 1:
            raise GazetteerError(f"{path}: areas of several countries: {listed}", "choose one with --country")
        chosen = next(iter(names))
    else:
        asked = words_of(wanted.country)
        fitting = [code for code, said in names.items() if asked in map(words_of, (code, *said))]
        if len(fitting) != 1:
            guess = did_you_mean(wanted.country, [word for code, said in names.items() for word in (code, *said)])
            raise GazetteerError(f"{path}: no area of {wanted.country}, but of {listed}{guess}")
        chosen = fitting[0]
    if _PCODE.fullmatch(chosen) is None:
        raise GazetteerError(f"{path}: the country's code {found(chosen)} is no P-code", "mend it in the file")
    return chosen, [row.where for row in rows if _country_of(row, wanted.level) != chosen]


def _add(areas: Areas, code: str, row: _Row, wanted: Wanted) -> None:
    _take(areas.country.names, row.columns.names_in(row.cells, 0))
    region = areas.regions.setdefault(code, AreaNames(code))
    _take(region.names, row.columns.names_in(row.cells, wanted.level))
    if row.polygons is not None:
        region.polygons.append(row.polygons)
    inside = row.columns.code(row.cells, wanted.places) if wanted.places > wanted.level else None
    if inside is not None:
        place = areas.places.setdefault(inside, AreaNames(inside, region=code))
        _take(place.names, row.columns.names_in(row.cells, wanted.places))


def _take(names: list[str], more: Iterable[str]) -> None:
    """Add names that are compared differently from those that are there; one without letters is compared with none."""
    known = {words_of(name) for name in names}
    for name in more:
        if (words := words_of(name)) and words not in known:
            known.add(words)
            names.append(name)
