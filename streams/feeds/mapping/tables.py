"""Tables of any kind as rows of named cells: CSV, workbooks, JSON, GeoJSON points and Parquet.

The first bytes tell the kind. Every cell becomes text, a date in ISO 8601, so that a mapping reads all kinds alike.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import orjson
import pyarrow.parquet as pq

from schemas.errors import InputFileError
from schemas.plain_words import did_you_mean
from streams.feeds.mapping.language import MappingFile
from streams.feeds.mapping.words import canonical
from streams.feeds.recorded import ZIP_MAGIC
from streams.feeds.table import SEPARATOR_LINE, SEPARATORS, Lines, Row, check_first, records_of, split, text_of

_PARQUET_MAGIC = b"PAR1"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: Where blank lines and rows above the names end.
_NAMES_WITHIN = 100


class Table(NamedTuple):
    """The columns of a table, and its rows."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


class _Line(NamedTuple):
    """A row before its columns have names; no cells where its quotes do not match."""

    number: int
    cells: Sequence[str]
    as_written: Sequence[str]


@contextmanager
def table_of(source: BinaryIO, name: str, settings: MappingFile, named: Sequence[str] = ()) -> Iterator[Table]:
    """Give the table in a file.

    Args:
        settings: how a mapping says that the file is to be read.
        named: columns that the file must have, each once.

    Raises:
        InputFileError: there is no table in it, or one without these columns.
    """
    peeked = source if hasattr(source, "peek") else io.BufferedReader(source)  # type: ignore[type-var]
    first = peeked.peek(4)
    kind = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first[:4] == ZIP_MAGIC:
        yield _sheet(_seekable(source, peeked), name, settings, named)
    elif first[:4] == _PARQUET_MAGIC:
        yield _parquet(_seekable(source, peeked), name, named)
    elif kind in (b"{", b"["):
        yield _of_objects(_objects(peeked, name), name, named)
    else:
        encoding = settings.encoding or ("utf-16" if first[:2] in _UTF_16 else "utf-8-sig")
        # With the mark or without: spreadsheets write it, and call both UTF-8.
        encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        try:
            with text_of(peeked, name, encoding) as lines:
                yield _csv(lines, name, settings, named)
        except InputFileError as error:
            if settings.encoding is None and "is not UTF-8" in str(error):
                error.also('or say encoding = "cp1252", or the one it has, in the mapping')
            raise


def text_of_value(value: object) -> str:
    """Return a typed cell as text: a date in ISO 8601, a whole number without a point, and nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(value)


def _csv(lines: Lines, name: str, settings: MappingFile, named: Sequence[str]) -> Table:
    for _ in range(settings.skip_rows):
        next(lines, None)
    first = next((line for line in lines if line.strip()), "")
    delimiter = settings.delimiter
    if (told := SEPARATOR_LINE.fullmatch(first)) is not None:
        delimiter = delimiter or told[1]
    else:
        check_first(first, name)
        delimiter = delimiter or _separator(first, named)
        lines.put_back([first])
    records = records_of(lines, delimiter)
    return _named(
        (_Line(lines.number, cells, as_written) for cells, as_written in records if cells or as_written), name, named
    )


def _separator(first: str, named: Sequence[str]) -> str:
    """Return the separator that makes the named columns of the first line, or else the most columns."""
    made = {separator: split(first, separator) for separator in (",", *SEPARATORS)}
    return max(made, key=lambda each: (len(set(named) & {canonical(c) for c in made[each]}), len(made[each])))


def _sheet(source: BinaryIO, name: str, settings: MappingFile, named: Sequence[str]) -> Table:
    # Loaded with the first workbook: it takes a tenth of a second, and most commands read none.
    from openpyxl.reader.excel import load_workbook

    try:
        book = load_workbook(source, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, SyntaxError) as error:  # the last of its XML
        raise InputFileError(f"{name}: cannot be read as a workbook ({error})") from error
    if settings.sheet is not None and settings.sheet not in book.sheetnames:
        guess = did_you_mean(settings.sheet, book.sheetnames)
        raise InputFileError(f"{name}: has no sheet {settings.sheet!r}{guess or ': ' + ', '.join(book.sheetnames)}")
    sheet = book[settings.sheet] if settings.sheet is not None else book.worksheets[0]
    # A program that adds rows may leave the sheet's stated extent as it was.
    sheet.reset_dimensions()
    rows = enumerate(_sheet_rows(sheet, settings.skip_rows + 1, name), settings.skip_rows + 1)
    lines = (_Line(number, cells, cells) for number, row in rows if any(cells := [text_of_value(v) for v in row]))
    return _named(lines, name, named, ragged=True)


def _sheet_rows(sheet: Any, first: int, name: str) -> Iterator[tuple[Any, ...]]:
    # A sheet is read as it is asked for, long after the workbook was opened.
    try:
        yield from sheet.iter_rows(min_row=first, values_only=True)
    except (KeyError, ValueError, SyntaxError) as error:  # the last of its XML
        raise InputFileError(f"{name}: its sheet {sheet.title!r} is damaged ({error})") from error


def _parquet(source: BinaryIO, name: str, named: Sequence[str]) -> Table:
    file = pq.ParquetFile(source)
    rows = (row for batch in file.iter_batches(1_000) for row in batch.to_pylist())
    return _of_objects(enumerate(rows, 1), name, named)


def _objects(source: BinaryIO, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the objects of JSON Lines, of a list, or the features of GeoJSON, with their numbers."""
    first = source.readline()
    try:
        alone = orjson.loads(first)
    except orjson.JSONDecodeError:
        alone = None
    if isinstance(alone, dict) and alone.get("type") != "FeatureCollection":
        lines = ((number, line) for number, line in enumerate(chain([first], source), 1) if line.strip())
        yield from ((number, _read(line, f"{name}, line {number}")) for number, line in lines)
        return
    whole = _read(first + source.read(), name)
    if isinstance(whole, dict):
        whole = list(map(_feature, whole["features"] or ())) if "features" in whole else [whole]
    yield from enumerate(whole, 1)


def _read(text: bytes, where: str) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{where}: not JSON that can be read ({error})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _feature(feature: Any) -> dict[str, Any]:
    """Return the properties of a feature, and the degrees of a point."""
    geometry = (feature.get("geometry") if isinstance(feature, dict) else None) or {}
    point = geometry.get("coordinates") if geometry.get("type") == "Point" else None
    longitude, latitude = (*point, None, None)[:2] if isinstance(point, list) else (None, None)
    own = {"id": feature["id"]} if isinstance(feature, dict) and "id" in feature else {}
    properties = (feature.get("properties") if isinstance(feature, dict) else None) or {}
    return {**own, **properties, "geometry.latitude": latitude, "geometry.longitude": longitude}


def _of_objects(objects: Iterator[tuple[int, Any]], name: str, named: Sequence[str]) -> Table:
    """Return the table of objects; each may lack columns, and those within another are named ``outer.inner``."""
    # JSON has no line of names: the first hundred objects say which columns there are.
    flat = ((number, dict(_flat(each, ""))) for number, each in objects if isinstance(each, dict))
    head = [one for one, _ in zip(flat, range(_NAMES_WITHIN), strict=False)]
    if not head:
        raise InputFileError(f"{name}: holds no object, and so no row")
    columns = tuple(dict.fromkeys(column for _, row in head for column in row))
    _check(columns, name, named, optional=True)
    rows = (Row(number, row, list(row.values()), len(columns)) for number, row in chain(head, flat))
    return Table(columns, rows)


def _flat(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, f"{path}{key}.")
        else:
            yield canonical(f"{path}{key}"), text_of_value(inner)


def _named(lines: Iterator[_Line], name: str, named: Sequence[str], *, ragged: bool = False) -> Table:
    """Return the table of lines, the first of which names the columns; HXL tags below them are better names."""
    head = next(lines, None)
    if head is None or not head.cells:
        raise InputFileError(f"{name}: is empty; a table starts with a line of column names")
    second = next(lines, None)
    tags = second is not None and any(c.strip().startswith("#") for c in second.cells)
    columns = list(map(canonical, head.cells))
    if second is not None and tags and all(not c.strip() or c.strip().startswith("#") for c in second.cells):
        below = [*second.cells, *[""] * len(columns)]
        columns = [canonical(tag) or column for tag, column in zip(below, columns, strict=False)]
    elif second is not None:
        lines = chain([second], lines)
    _check(columns, name, named)
    unique = _unique(columns)

    def rows() -> Iterator[Row]:
        for line in lines:
            cells = line.cells
            if ragged:
                # A sheet ends its rows where it likes.
                cells = [*cells, *[""] * len(unique)][: len(unique)]
            whole = dict(zip(unique, cells, strict=True)) if len(cells) == len(unique) else None
            yield Row(line.number, whole, line.cells or line.as_written, len(unique))

    return Table(tuple(unique), rows())


def _unique(columns: Sequence[str]) -> list[str]:
    """Return names that are given once each: raw keeps columns that no mapping names."""
    seen: Counter[str] = Counter()
    unique = []
    for number, column in enumerate(columns, 1):
        name = column or f"column {number}"
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _check(columns: Sequence[str], name: str, named: Sequence[str], *, optional: bool = False) -> None:
    twice = [column for column, times in Counter(columns).items() if times > 1 and column in named]
    if twice:
        raise InputFileError(f"{name}: names columns twice, and a row could mean either: {', '.join(twice)}")
    lacking = [column for column in named if column not in columns]
    # An object leaves out what it has no value for; one that has no column of the mapping is another file.
    if lacking and (not optional or len(lacking) == len(set(named))):
        said = ", ".join(f"{column!r}{did_you_mean(column, columns)}" for column in lacking)
        raise InputFileError(
            f"{name}: lacks columns that the mapping needs: {said}", f"it has {', '.join(map(repr, columns))}"
        )


def _seekable(source: BinaryIO, peeked: BinaryIO) -> BinaryIO:
    return source if source.seekable() else io.BytesIO(peeked.read())
