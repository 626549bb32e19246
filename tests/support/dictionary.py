"""The data dictionary, made from the comments on every object of a store.

``python -m tests.support.dictionary`` writes ``docs/data-dictionary.md`` anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import duckdb

from schemas.agreement_file import load_agreement
from sinks.migrations import migrate
from tests.support.shell import ROOT

PAGE = ROOT / "docs" / "data-dictionary.md"

_HEAD = """\
# Data dictionary

<!-- Made by `make dictionary` from the comments in sinks/schema: change them there. -->

Everything a published file holds, in the words of its own comments: `SELECT * FROM
duckdb_columns()` has the same. [Querying the verdicts](querying.md) shows how it is used,
[the glossary](glossary.md) explains the words. Instants are `TIMESTAMPTZ`, days are the dates on
which truce-days start.
"""


#: The schema beside it is for macros alone.
_OURS = "NOT internal AND schema_name = 'main'"


class Column(NamedTuple):
    """A column of a table or view; ``comment`` is None where it has none."""

    name: str
    type: str
    comment: str | None


class Object(NamedTuple):
    """A table, view or macro; a macro's name is followed by its parameters, and it has no columns."""

    kind: str
    name: str
    comment: str | None
    columns: tuple[Column, ...] = ()


def objects() -> list[Object]:
    """Return all objects of a new store: tables, views, macros, each by name."""
    with duckdb.connect() as connection:
        migrate(connection, 0, load_agreement("syria-2016"))
        columns: dict[str, list[Column]] = {}
        described = connection.execute(
            "SELECT table_name, column_name, replace(data_type, 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ'), comment "
            f"FROM duckdb_columns() WHERE {_OURS} ORDER BY column_index"
        ).fetchall()
        for table, *column in described:
            columns.setdefault(table, []).append(Column(*column))
        found = connection.execute(
            f"SELECT 'Tables', table_name, table_name, comment FROM duckdb_tables() WHERE {_OURS} "
            f"UNION ALL SELECT 'Views', view_name, view_name, comment FROM duckdb_views() WHERE {_OURS} "
            "UNION ALL "
            "SELECT 'Macros', function_name, format('{}({})', function_name, array_to_string(parameters, ', ')), "
            f"comment FROM duckdb_functions() WHERE {_OURS} ORDER BY ALL"
        ).fetchall()
    made = [Object(kind, shown, comment, tuple(columns.get(name, ()))) for kind, name, shown, comment in found]
    return sorted(made, key=lambda each: ("Views", "Tables", "Macros").index(each.kind))


def markdown() -> str:
    """Return the whole page."""
    return "\n".join(_lines(objects())) + "\n"


def _lines(found: list[Object]) -> Iterator[str]:
    yield _HEAD
    kind = ""
    for each in found:
        if each.kind != kind:
            kind = each.kind
            yield f"## {kind}\n"
            links = [f"[{one.name}](#{_anchor(one.name)})" for one in found if one.kind == kind]
            yield textwrap.fill(",\n".join(links) + ".", 100, break_long_words=False, break_on_hyphens=False) + "\n"
        yield f"### {each.name}\n"
        yield textwrap.fill(each.comment or "", 100, break_long_words=False, break_on_hyphens=False) + "\n"
        if each.columns:
            yield "| column | type | meaning |\n| --- | --- | --- |"
            for column in each.columns:
                comment = (column.comment or "").replace("|", "\\|")
                yield f"| `{column.name}` | {column.type} | {comment} |"
            yield ""


def _anchor(name: str) -> str:
    """Return what GitHub makes of a heading."""
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter in "_- ").replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(markdown(), "utf-8")
