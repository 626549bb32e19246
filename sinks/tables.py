"""Tables and views of a published file, read in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import UsageError
from sinks.selecting import Connection

#: Text fetched for one piece of a table at most: a raw report may have megabytes.
_MOST_CHARACTERS = 4_000_000
#: Types whose values have no order that a person would ask for.
_UNORDERED = ("JSON", "BLOB", "STRUCT")

_LISTED = """
SELECT named.name, named.kind, named.comment, column_name, data_type, columns.comment
FROM (
    SELECT view_name AS name, 'view' AS kind, comment FROM duckdb_views()
    WHERE database_name = 'published' AND schema_name = 'main' AND NOT internal
    UNION ALL
    SELECT table_name, 'table', comment FROM duckdb_tables() WHERE database_name = 'published' AND schema_name = 'main'
) named
JOIN (
    SELECT table_name, column_name, data_type, comment, column_index FROM duckdb_columns()
    WHERE database_name = 'published' AND schema_name = 'main'
) columns ON columns.table_name = named.name
ORDER BY named.kind DESC, named.name, column_index
"""


@dataclass(frozen=True)
class Column:
    """Column of a table, with its comment."""

    name: str
    kind: str
    comment: str | None

    @property
    def ordered(self) -> bool:
        """Whether rows can be sorted and filtered by it."""
        return not self.kind.startswith(_UNORDERED) and not self.kind.endswith("]")


@dataclass(frozen=True)
class TableAbout:
    """Table or view of a published file, with its comments."""

    name: str
    kind: str
    comment: str | None
    columns: list[Column] = field(default_factory=list)

    def column(self, name: str) -> Column:
        """Return a column that rows can be sorted and filtered by.

        Raises:
            UsageError: there is no such column, or it has no order.
        """
        for each in self.columns:
            if each.name == name and each.ordered:
                return each
        ordered = ", ".join(each.name for each in self.columns if each.ordered)
        raise UsageError(f"{self.name} is not sorted or filtered by {name!r}", f"there are {ordered}")


@dataclass(frozen=True)
class Asked:
    """Rows asked for.

    Attributes:
        where: values by column, as DuckDB writes them; an empty one stands for NULL.
        sort: the column that orders the rows; the file's own order when None.
        offset: rows left out at the beginning.
        limit: rows returned at most.
        width: characters returned of a text at most; all when None.
    """

    where: Mapping[str, str] = field(default_factory=dict)
    sort: str | None = None
    descending: bool = False
    offset: int = 0
    limit: int = 50
    width: int | None = None


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of a table; ``more`` tells whether others follow."""

    rows: list[tuple[Any, ...]]
    more: bool


def tables(connection: Connection) -> dict[str, TableAbout]:
    """Return every view, then every table, of a published file by name."""
    found: dict[str, TableAbout] = {}
    for name, kind, comment, column, data_type, told in connection.execute(_LISTED).fetchall():
        about = found.setdefault(name, TableAbout(name, kind, comment))
        about.columns.append(Column(column, data_type, told))
    return found


def piece_of(connection: Connection, table: TableAbout, asked: Asked) -> Piece:
    """Return the rows asked for, fewer where their text exceeds 4 million characters.

    Raises:
        UsageError: rows are sorted or filtered by what is no column.
    """
    conditions, values = ["true"], []
    for name, value in asked.where.items():
        column = quoted(table.column(name).name)
        conditions.append(f"{column}::VARCHAR = ?" if value else f"{column} IS NULL")
        values += [value] if value else []
    shown = ", ".join(_shown(each, asked.width) for each in table.columns)
    sql = (
        f"SELECT {shown} FROM main.{quoted(table.name)} AS asked "  # noqa: S608 - names are the catalogue's
        f"WHERE {' AND '.join(conditions)} ORDER BY {_order(table, asked)} LIMIT ? OFFSET ?"
    )
    found = connection.execute(sql, [*values, asked.limit + 1, asked.offset])
    rows: list[tuple[Any, ...]] = []
    characters = 0
    # Row by row: the rest of the result, which may be gigabytes, is never fetched.
    while row := found.fetchone():
        if len(rows) == asked.limit or characters > _MOST_CHARACTERS:
            return Piece(rows, more=True)
        rows.append(row)
        characters += sum(map(_characters, row))
    return Piece(rows, more=False)


def _characters(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return len(value) if isinstance(value, str) else 0


def _order(table: TableAbout, asked: Asked) -> str:
    """Return an order that leaves no two rows to chance: pieces are asked for one by one."""
    first = []
    if asked.sort is not None:
        direction = "DESC NULLS LAST" if asked.descending else "ASC NULLS LAST"
        first.append(f"{quoted(table.column(asked.sort).name)} {direction}")
    rest = ["rowid"] if table.kind == "table" else [quoted(each.name) for each in table.columns if each.ordered]
    return ", ".join([*first, *rest]) or "ALL"


def _shown(column: Column, width: int | None) -> str:
    name = quoted(column.name)
    if column.kind == "BLOB":
        name = f"{name}::VARCHAR"
    elif column.kind not in ("VARCHAR", "JSON"):
        return name
    return f"left({name}, {width + 1})" if width is not None else name


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
