"""Tables of any kind as rows of named cells: CSV, workbooks, JSON, GeoJSON points and Parquet.

The first bytes tell the kind. Every cell becomes text, a date in ISO 8601, so that a mapping reads all kinds alike.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import pyarrow.parquet as pq

from schemas.errors import InputFileError
from schemas.plain_words import did_you_mean
from streams.feeds.mapping.language import MappingFile
from streams.feeds.mapping.objects import objects_in, row_of
from streams.feeds.mapping.values import text_of_value
from streams.feeds.mapping.words import canonical
from streams.feeds.mapping.workbook import Formula, sheet_lines
from streams.feeds.recorded import ZIP_MAGIC
from streams.feeds.table import SEPARATOR_LINE, SEPARATORS, Lines, Row, check_first, records_of, split, text_of, torn_by

_PARQUET_MAGIC = b"PAR1"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: First bytes of a compound file, and the name in it of a workbook that a password locks.
_COMPOUND_MAGIC, _LOCKED = b"\xd0\xcf\x11\xe0", "EncryptedPackage".encode("utf-16-le")
#: Where blank lines and rows above the names end.
_NAMES_WITHIN = 100


class Table(NamedTuple):
    """The columns of a table, and its rows.

    ``formulas`` counts, by column, the cells read so far whose formula has no stored result.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row]
    formulas: Counter[str]


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
    if first[:4] == _COMPOUND_MAGIC:
        locked = _LOCKED in peeked.read()
        what = (
            "is locked with a password" if locked else "is a workbook of Excel 97 to 2003 (.xls), or another old file"
        )
        raise InputFileError(f"{name}: {what}", "save it as .xlsx without a password, or as CSV")
    if first[:4] == ZIP_MAGIC:
        rows = sheet_lines(_seekable(source, peeked), name, settings.sheet, settings.skip_rows + 1)
        yield _named((_Line(number, cells, cells) for number, cells in rows if any(cells)), name, named, ragged=True)
    elif first[:4] == _PARQUET_MAGIC:
        yield _parquet(_seekable(source, peeked), name, named)
    elif kind in (b"{", b"["):
        yield _of_objects(objects_in(peeked, name), name, named)
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


def _parquet(source: BinaryIO, name: str, named: Sequence[str]) -> Table:
    file = pq.ParquetFile(source)
    rows = (row for batch in file.iter_batches(1_000) for row in batch.to_pylist())
    return _of_objects(enumerate(rows, 1), name, named)


def _of_objects(objects: Iterator[tuple[int, Any]], name: str, named: Sequence[str]) -> Table:
    """Return the table of objects; each may lack columns, and those within another are named ``outer.inner``.

    What is no object is a row without cells, and so a report that intake rejects.
    """
    # JSON has no line of names: the first hundred objects say which columns there are.
    flat = ((number, row_of(each, f"{name}, row {number}"), each) for number, each in objects)
    head = [one for one, _ in zip(flat, range(_NAMES_WITHIN), strict=False)]
    columns = tuple(dict.fromkeys(column for _, row, _ in head for column in row or ()))
    if all(row is None for _, row, _ in head):
        raise InputFileError(f"{name}: holds no object, and so no row")
    _check(columns, name, named, optional=True)
    rows = (
        Row(number, row, [text_of_value(each)] if row is None else list(row.values()), len(columns), "no JSON object")
        for number, row, each in chain(head, flat)
    )
    return Table(columns, rows, Counter())


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
    formulas = Counter[str]()

    def rows() -> Iterator[Row]:
        for line in lines:
            cells = line.cells
            if ragged:
                # A sheet ends its rows where it likes.
                cells = [*cells, *[""] * len(unique)][: len(unique)]
                formulas.update(column for column, cell in zip(unique, cells, strict=True) if isinstance(cell, Formula))
            whole = dict(zip(unique, cells, strict=True)) if len(cells) == len(unique) else None
            fault = torn_by(line.cells, len(unique))
            yield Row(line.number, whole, line.cells or line.as_written, len(unique), fault)

    return Table(tuple(unique), rows(), formulas)


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
