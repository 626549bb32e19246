"""Evaluation of a mapping, which makes a report of a row.

A cell that is no value of its field is passed on as written: intake rejects the report and names the field, and
the fault kept here names the cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

from schemas.missing import is_missing
from streams.feeds.mapping.language import ANY_OTHER, Expression
from streams.feeds.mapping.values import PLAIN, NoValue, day, day_at, moment
from streams.feeds.mapping.words import canonical, folded
from streams.feeds.recorded import CellFault, instant_of

#: A constant, an expression, or fields and lists of them.
Node = Any
_BRACES = re.compile(r"\{([^{}]+)\}")
#: Fields of a withdrawal, which names its report and tells no more of it.
_OF_A_RETRACTION = ("feed", "report_id", "revision", "agreement", "reported_at")
_NO_RESULT = NoValue("a formula without a stored result", "open the workbook, let it calculate, and save it")


@dataclass(frozen=True)
class Rules:
    """What a mapping says of rows, ready to be applied.

    Attributes:
        fields: the report as a tree of nodes.
        missing: cells of any column that hold no value, folded.
    """

    fields: Mapping[str, Node]
    missing: frozenset[str]
    skip: Mapping[str, frozenset[str]]
    retract: Mapping[str, frozenset[str]]


class _Missing:
    """Nothing: a field that no cell fills."""


_NOTHING = _Missing()


@dataclass
class Evaluation:
    """The making of one report of one row.

    Attributes:
        faults: cells that are no value of their field.
        days: paths of the times whose cells state a day alone.
    """

    rules: Rules
    row: Mapping[str, str]
    zone: ZoneInfo
    faults: list[CellFault] = field(default_factory=list)
    days: set[str] = field(default_factory=set)

    def skipped(self) -> str | None:
        """Return the column and the cell for which the row is left out."""
        return next(_chosen(self.rules.skip, self.row), None)

    def report(self) -> dict[str, Any]:
        """Return the report; ``raw`` keeps every column as it stands."""
        if any(_chosen(self.rules.retract, self.row)):
            named = {name: node for name, node in self.rules.fields.items() if name in _OF_A_RETRACTION}
            return {"type": "retraction", **self._object(named, ""), "raw": dict(self.row)}
        made = self._object(self.rules.fields, "")
        occurred = made.get("occurred")
        if isinstance(occurred, dict) and "from" in occurred:
            self._span(occurred)
            self._report_later(made, occurred)
        return {**made, "raw": dict(self.row)}

    def _span(self, occurred: dict[str, Any]) -> None:
        """Give an occurrence that states its start alone the end that follows: of its day, or the same instant."""
        if "to" not in occurred:
            occurred["to"] = occurred["from"]
            if "occurred.from" in self.days:
                start: Expression = self.rules.fields["occurred"]["from"]
                (occurred["to"],) = self._values(start.model_copy(update={"at": "end"}), "occurred.to", first=True)
        if not self.days.isdisjoint(("occurred.from", "occurred.to")):
            occurred.setdefault("precision", "day")
        elif isinstance(self.rules.fields["occurred"]["from"], Expression):
            occurred.setdefault("precision", "minute")

    def _report_later(self, made: dict[str, Any], occurred: Mapping[str, Any]) -> None:
        """Let a report that states the day of its telling alone be told after what it tells of.

        The day's end would lie in the future until the day is over, and an instant of the clock's would be another body
        each time the row is published.
        """
        asked = self.rules.fields.get("reported_at")
        if "reported_at" not in self.days or not isinstance(asked, Expression) or "at" in asked.model_fields_set:
            return
        # Nobody watched what has not happened: a notice of coverage is told at its end.
        told_of = occurred["to" if made["type"] == "coverage" else "from"]
        (ends,) = self._values(asked.model_copy(update={"at": "end"}), "reported_at", first=True)
        first, at, last = map(instant_of, (made["reported_at"], told_of, ends))
        if first is not None and at is not None and last is not None and first < at <= last:
            made["reported_at"] = told_of

    def _object(self, fields: Mapping[str, Node], path: str) -> dict[str, Any]:
        made = {name: self._node(node, f"{path}.{name}" if path else name) for name, node in fields.items()}
        return {name: value for name, value in made.items() if value is not _NOTHING}

    def _node(self, node: Node, path: str) -> Any:
        if isinstance(node, Expression):
            values = self._values(node, path, first=node.split is None)
            return values if values and node.split is not None else next(iter(values), _NOTHING)
        if isinstance(node, Mapping):
            made = self._object(node, path)
            # What stands as it is in the mapping, beside cells that are all missing, says nothing.
            return made if _from_cells(node, made) else _NOTHING
        if isinstance(node, list):
            return [each for one in node for each in self._entries(one, path)] or _NOTHING
        return node

    def _entries(self, node: Node, path: str) -> Iterator[Any]:
        """Yield the entries of a list; a table with a field of several values is repeated for each of them."""
        if isinstance(node, Expression):
            yield from self._values(node, path)
            return
        made = self._node(node, path)
        if made is _NOTHING:
            return
        lists = [name for name, one in node.items() if _divides(one)] if isinstance(node, Mapping) else []
        if not lists:
            yield made
            return
        # Where a cell has fewer values than another, the last entries lack that field.
        for values in zip_longest(*(made.get(name, ()) for name in lists), fillvalue=_NOTHING):
            entry = made | dict(zip(lists, values, strict=True))
            yield {name: value for name, value in entry.items() if value is not _NOTHING}

    def _values(self, asked: Expression, path: str, *, first: bool = False) -> list[Any]:
        cells = [cell for cell in self._cells(asked) if self._holds_something(cell[1], asked)]
        if asked.join is not None:
            cells = [("", asked.join.join(text for _, text in cells))] if cells else []
        if asked.split is not None:
            cells = [
                (column, part.strip())
                for column, text in cells
                for part in text.split(asked.split)
                if self._holds_something(part, asked)
            ]
        return [self._converted(asked, path, column, text) for column, text in cells[: 1 if first else None]]

    def _cells(self, asked: Expression) -> Iterator[tuple[str, str]]:
        if asked.template is not None:
            names = _BRACES.findall(asked.template)
            if all(self._holds_something(self.row.get(canonical(name), ""), asked) for name in names):
                yield ", ".join(names), _BRACES.sub(lambda found: self.row[canonical(found[1])].strip(), asked.template)
            return
        for column in asked.columns or [asked.column or ""]:
            yield column, self.row.get(column, "").strip()

    def _holds_something(self, text: str, asked: Expression) -> bool:
        said = folded(text)
        if asked.values is not None and said in asked.values:
            return True
        return not (is_missing(text) or said in self.rules.missing or said in map(folded, asked.missing))

    def _converted(self, asked: Expression, path: str, column: str, text: str) -> Any:
        try:
            value, is_day = converted(asked, text, self.zone)
        except NoValue as error:
            fault = _NO_RESULT if text.startswith("=") else error
            # Of a cell that serves several fields one fault is enough.
            if all((told.column, told.cell, told.reason) != (column, text, str(fault)) for told in self.faults):
                self.faults.append(CellFault(path, column, text, str(fault), fault.remedy))
            return text
        if is_day:
            self.days.add(path)
        return value


def converted(asked: Expression, text: str, zone: ZoneInfo) -> tuple[Any, bool]:
    """Return the value of a cell, and whether it is a day that stands for an instant.

    Raises:
        NoValue: it is none.
    """
    if asked.values is not None:
        known = asked.values
        if (value := known.get(folded(text), known.get(ANY_OTHER))) is None:
            near = get_close_matches(folded(text), list(known), n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise NoValue(f"not among the values of the mapping{guess}", "add the cell to values, or to [skip]")
        if not isinstance(value, str) or asked.as_ == "text":
            return value, False
        text = value
    if asked.as_ == "date":
        return day_at(day(text, asked.formats), asked.at, zone), True
    return moment(text, asked.formats, asked.at, zone) if asked.as_ == "time" else (PLAIN[asked.as_](text), False)


def columns_in(node: Node) -> Iterator[str]:
    """Yield the columns that a node reads."""
    if isinstance(node, Expression):
        yield from node.columns or (
            [node.column] if node.column else map(canonical, _BRACES.findall(node.template or ""))
        )
    elif isinstance(node, Mapping):
        for inner in node.values():
            yield from columns_in(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from columns_in(inner)


def _divides(node: Node) -> bool:
    return isinstance(node, Expression) and node.split is not None


def _from_cells(node: Mapping[str, Node], made: Mapping[str, Any]) -> bool:
    read = [name for name, one in node.items() if any(columns_in(one))]
    return not read or any(name in made for name in read)


def _chosen(rules: Mapping[str, frozenset[str]], row: Mapping[str, str]) -> Iterator[str]:
    return (f"{column} = {row[column]}" for column, cells in rules.items() if folded(row.get(column, "")) in cells)
