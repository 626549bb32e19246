"""Answer to one address, as a page, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

import orjson

from sinks.records import jsonable
from streams.page.render import address, text_of

Form = Literal["html", "json", "csv"]
#: Characters of a value that a page shows; JSON and CSV have all.
WIDTH = 300
#: Decimals that a page shows, of coordinates some ten metres; JSON and CSV have all.
_DECIMALS = 4
#: What a spreadsheet takes for a formula at the beginning of a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Head(NamedTuple):
    """Head of a column of a page's table."""

    name: str
    note: str | None = None
    link: str | None = None
    sorted: str = ""


class Shown(NamedTuple):
    """Value of a page's table."""

    text: str
    link: str | None
    number: bool


class Following(NamedTuple):
    """Rows that follow those of a table, by their address."""

    path: str
    query: Mapping[str, object]

    def as_(self, form: Form) -> str:
        """Return their address in a form."""
        return address(self.path, {**self.query, "format": None if form == "html" else form})


class Field(NamedTuple):
    """Field of a page's form.

    It is a free text where there are no choices, and hidden where there is no label.
    """

    name: str
    label: str | None
    value: str
    choices: list[tuple[str, str]] | None = None


@dataclass(frozen=True)
class Section:
    """Table of a page.

    ``named`` is the path below which each row has a page of its name. ``following`` are the rows left out at the end.
    """

    key: str
    title: str
    columns: list[Head]
    rows: Sequence[Sequence[Any]]
    note: str | None = None
    links: list[tuple[str, str]] = field(default_factory=list)
    named: str | None = None
    following: Following | None = None

    def shown(self) -> Iterator[list[Shown]]:
        """Yield the rows as a page shows them, with links to the regions and days they name."""
        names = [column.name for column in self.columns]
        for row in self.rows:
            values = dict(zip(names, row, strict=True))
            yield [
                Shown(
                    _cut(text_of(round(value, _DECIMALS) if isinstance(value, float) else value)),
                    self._link(name, values),
                    isinstance(value, (int, float)) and not isinstance(value, bool),
                )
                for name, value in values.items()
            ]

    def _link(self, name: str, row: Mapping[str, Any]) -> str | None:
        if name == "name" and self.named is not None:
            return address(f"{self.named}{row[name]}")
        region, day = row.get("region"), row.get("truce_day")
        if not region or name not in ("region", "truce_day"):
            return None
        return address(f"/region/{region}/{day}" if name == "truce_day" and day else f"/region/{region}")

    def objects(self) -> list[dict[str, Any]]:
        """Return the rows as JSON objects."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, map(jsonable, row), strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Answer:
    """What stands at an address.

    Attributes:
        title: the page's title.
        template: the page's template.
        context: what the template is filled with.
        data: the same as JSON.
        sections: the same as tables, of which the first is the CSV unless another is asked for.
        live: "fragments" or "page" where the page follows new copies, "" where it is of the past.
    """

    title: str
    template: str
    context: Mapping[str, Any]
    data: Any
    sections: list[Section]
    live: str = "page"


def records_section(
    key: str,
    title: str,
    kind: type[Any],
    records: Sequence[Any],
    note: str | None = None,
    *,
    leave_out: Sequence[str] = (),
    **more: Any,
) -> Section:
    """Return records of one dataclass as a table."""
    names = [each.name for each in fields(kind) if each.name not in leave_out]
    rows = [[getattr(record, name) for name in names] for record in records]
    return Section(key, title, [Head(name) for name in names], rows, note, **more)


def json_of(answer: Answer) -> bytes:
    """Return an answer as JSON."""
    return orjson.dumps(answer.data, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def csv_of(section: Section) -> bytes:
    """Return a table as CSV; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in section.columns])
    writer.writerows([[_no_formula(value) for value in row] for row in section.rows])
    return out.getvalue().encode("utf-8", "backslashreplace")


def forms_of(path: str, query: Mapping[str, str], answer: Answer) -> list[tuple[str, str]]:
    """Return the addresses of an answer's other forms."""
    found = [("as JSON", address(path, {**query, "format": "json"}))]
    several = len(answer.sections) > 1
    for place, section in enumerate(answer.sections):
        extra = {"section": section.key} if place else {}
        name = f"{section.title} as CSV" if several else "as CSV"
        found.append((name, address(path, {**query, "format": "csv", **extra})))
    return found


def following_of(sections: Sequence[Section], form: Form) -> tuple[str, ...]:
    """Return the addresses, in a form, of the rows that tables leave out at their ends."""
    return tuple(each.following.as_(form) for each in sections if each.following)


def rows_note(first: int, rows: int, more: bool) -> str:
    """Say which rows of a table are shown."""
    if not rows:
        return "No row."
    return f"Rows {first + 1:,} to {first + rows:,}{'; more follow' if more else ', the last'}."


def _no_formula(value: Any) -> str:
    text = text_of(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
