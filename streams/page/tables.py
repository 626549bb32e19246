"""Pages of the file's own views and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.errors import UsageError
from sinks.tables import Asked, TableAbout, piece_of, tables
from streams.page.answers import WIDTH, Answer, Field, Following, Form, Head, Section, rows_note
from streams.page.copies import Copy
from streams.page.questions import Query, number_of, without
from streams.page.render import address

#: Rows of a table on one page, where it is one of several, and in one answer for programs.
_ROWS, _FIRST_ROWS, MOST_ROWS = 50, 200, 5_000


def catalogue(copy: Copy, query: Query, form: Form) -> Answer:
    """Return every view and table of the file with its comment."""
    listed = tables(copy.connection)
    rows = [[each.name, each.kind, len(each.columns), each.comment] for each in listed.values()]
    columns = [Head(name) for name in ("name", "kind", "columns", "comment")]
    return of_sections("Tables", [Section("tables", "Views and tables", columns, rows, named="/tables/")])


def table(copy: Copy, query: Query, form: Form, name: str) -> Answer:
    """Return rows of one view or table, sorted and filtered."""
    about = tables(copy.connection).get(name)
    if about is None:
        raise UsageError(f"there is no table {name!r} in the file", "/tables lists all")
    where = {column: value for column, value in query.items() if column not in ("sort", "desc", "offset")}
    offset = number_of(query, "offset")
    asked = Asked(
        where,
        query.get("sort"),
        query.get("desc") == "1",
        offset,
        _ROWS if form == "html" else MOST_ROWS,
        WIDTH if form == "html" else None,
    )
    piece = piece_of(copy.connection, about, asked)
    path = f"/tables/{name}"
    links = []
    if offset:
        links.append(("the rows before", address(path, {**query, "offset": max(0, offset - _ROWS)})))
    following = Following(path, {**query, "offset": offset + len(piece.rows)}) if piece.more else None
    links += [("the next rows", following.as_("html"))] if following else []
    links += [
        (f"without {column} = {value or 'NULL'}", address(path, without(query, column, "offset")))
        for column, value in where.items()
    ]
    note = rows_note(offset, len(piece.rows), piece.more)
    heads = _heads(about, path, query)
    section = Section("rows", about.kind, heads, piece.rows, note, links, following=following)
    form_ = [
        Field("column", "where", "", [(each.name, each.name) for each in about.columns if each.ordered]),
        Field("is", "is (nothing stands for NULL)", ""),
        *(Field(kept, None, value) for kept, value in query.items() if kept != "offset"),
    ]
    document: dict[str, Any] = {
        "name": name,
        "kind": about.kind,
        "comment": about.comment,
        "offset": offset,
        "next": following.as_("json") if following else None,
    }
    document["columns"] = [{"name": each.name, "type": each.kind, "comment": each.comment} for each in about.columns]
    document["rows"] = section.objects()
    context = {"sections": [section], "note": about.comment, "form": form_}
    return Answer(name, "sections.html", context, document, [section])


def of_sections(
    title: str,
    sections: list[Section],
    note: str | None = None,
    form: list[Field] | None = None,
    *,
    live: str = "page",
) -> Answer:
    """Return a page of tables."""
    context = {"sections": sections, "note": note, "form": form or []}
    document: dict[str, Any] = {section.key: section.objects() for section in sections}
    document["next"] = {each.key: each.following.as_("json") for each in sections if each.following}
    return Answer(title, "sections.html", context, document, sections, live)


def view_section(
    copy: Copy,
    form: Form,
    about: TableAbout,
    where: Mapping[str, str],
    sort: str,
    title: str,
    *,
    descending: bool = False,
) -> Section:
    """Return the first rows of a view, with the addresses of those that follow and of all of it."""
    limit, width = (_FIRST_ROWS, WIDTH) if form == "html" else (MOST_ROWS, None)
    piece = piece_of(copy.connection, about, Asked(where, sort, descending, limit=limit, width=width))
    path, query = f"/tables/{about.name}", {**where, "sort": sort, "desc": "1" if descending else None}
    following = Following(path, {**query, "offset": len(piece.rows)}) if piece.more else None
    links = [(f"the view {about.name}", address(path, query))]
    links += [("the next rows", following.as_("html"))] if following else []
    heads = [Head(each.name, each.comment) for each in about.columns]
    return Section(about.name, title, heads, piece.rows, about.comment, links, following=following)


def _heads(about: TableAbout, path: str, query: Query) -> list[Head]:
    sort, descending = query.get("sort"), query.get("desc") == "1"
    kept = without(query, "sort", "desc", "offset")

    def head(name: str) -> str:
        turned = "1" if sort == name and not descending else None
        return address(path, {**kept, "sort": name, "desc": turned})

    return [
        Head(
            each.name,
            each.comment,
            head(each.name) if each.ordered else None,
            (" ▼" if descending else " ▲") if sort == each.name else "",
        )
        for each in about.columns
    ]
