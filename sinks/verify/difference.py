"""Difference between a file and its recount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A table's rows by key: the values of its compared columns.
Rows = Mapping[tuple[Any, ...], Sequence[Any]]


@dataclass(frozen=True)
class Difference:
    """One place where the file says something else than its own accepted reports come to.

    ``row`` names the row by its key, ``column`` the column, or is empty when the whole row is at fault.
    ``stored`` and ``recounted`` are what the file says and what it should say; None stands for nothing there.
    """

    table: str
    row: str
    column: str
    stored: object
    recounted: object

    def __str__(self) -> str:
        where = f"{self.table}[{self.row}]" + (f".{self.column}" if self.column else "")
        return f"{where}: the file says {_shown(self.stored)}, the recount {_shown(self.recounted)}"


class Row:
    """Compares one row's values, so that a check reads as a list of claims."""

    def __init__(self, table: str, *key: object) -> None:
        self.table = table
        self.key = ", ".join(str(part) for part in key)

    def differs(self, column: str, stored: object, recounted: object) -> Difference:
        """Return the difference in ``column``."""
        return Difference(self.table, self.key, column, stored, recounted)

    def compare(
        self, columns: Iterable[str], stored: Iterable[object], recounted: Iterable[object]
    ) -> Iterator[Difference]:
        """Yield every column whose two values are not equal."""
        for column, ours, theirs in zip(columns, stored, recounted, strict=True):
            if ours != theirs:
                yield self.differs(column, ours, theirs)

    def claim(self, column: str, stored: object, holds: bool, recounted: object) -> Iterator[Difference]:
        """Yield a difference unless ``holds``; ``recounted`` says what would have been right."""
        if not holds:
            yield self.differs(column, stored, recounted)


def compare_rows(table: str, columns: Sequence[str], stored: Rows, recounted: Rows) -> Iterator[Difference]:
    """Yield rows that are missing, rows too many, and columns that differ, in the order of their keys."""
    for key in sorted({*stored, *recounted}, key=lambda key: tuple(str(part) for part in key)):
        row = Row(table, *key)
        if key not in stored:
            yield row.differs("", None, dict(zip(columns, recounted[key], strict=True)))
        elif key not in recounted:
            yield row.differs("", dict(zip(columns, stored[key], strict=True)), None)
        else:
            yield from row.compare(columns, stored[key], recounted[key])


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value) if isinstance(value, (int, float, bool)) else repr(str(value))
