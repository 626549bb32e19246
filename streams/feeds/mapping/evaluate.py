"""Evaluation of a mapping, which makes a report of a row.

A cell that is no value of its field is passed on as written: intake rejects the report and names the field, and
the fault kept here names the cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, zip_longest
from typing import Any
from zoneinfo import ZoneInfo

from schemas.missing import is_missing
from streams.feeds.mapping.language import ANY_OTHER, Expression
from streams.feeds.mapping.values import PLAIN, NoValue, day, day_at, moment
from streams.feeds.mapping.words import canonical, folded, remembering
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


class _Row:
    """Row on its way to a report.

    Attributes:
        faults: cells that are no value of their field.
        days: paths of the times whose cells state a day alone.
    """

    __slots__ = ("cells", "days", "faults")

    def __init__(self, cells: Mapping[str, str]) -> None:
        self.cells = cells
        self.faults: list[CellFault] = []
        self.days: set[str] = set()


#: What makes the value of a field from a row, or nothing; what makes all values that its cells hold.
_Maker = Callable[[_Row], Any]
_Values = Callable[[_Row], list[Any]]


class Evaluator:
    """Rules compiled for a time zone: each node of the report is one function of the row.

    The verbs are looked at once for a file, and not once for each cell.
    """

    def __init__(self, rules: Rules, zone: ZoneInfo) -> None:
        self._rules = rules
        self._zone = zone
        fields = rules.fields
        self._fields = self._object(fields, "")
        self._named = self._object({name: node for name, node in fields.items() if name in _OF_A_RETRACTION}, "")
        occurred, told = fields.get("occurred"), fields.get("reported_at")
        start = occurred.get("from") if isinstance(occurred, Mapping) else None
        self._start_is_read = isinstance(start, Expression)
        self._end_of_start = self._end_of_day(start, "occurred.to")
        fixed = not isinstance(told, Expression) or "at" in told.model_fields_set
        self._end_of_told = None if fixed else self._end_of_day(told, "reported_at")

    def skipped(self, cells: Mapping[str, str]) -> str | None:
        """Return the column and the cell for which a row is left out."""
        return next(_chosen(self._rules.skip, cells), None)

    def report(self, cells: Mapping[str, str]) -> tuple[dict[str, Any], list[CellFault]]:
        """Return the report of a row, whose ``raw`` keeps every column as it stands, and the cells at fault."""
        row = _Row(cells)
        if any(_chosen(self._rules.retract, cells)):
            return {"type": "retraction", **self._named(row), "raw": dict(cells)}, row.faults
        made = self._fields(row)
        occurred = made.get("occurred")
        if isinstance(occurred, dict) and "from" in occurred:
            self._span(row, occurred)
            self._report_later(row, made, occurred)
        made["raw"] = dict(cells)
        return made, row.faults

    def _span(self, row: _Row, occurred: dict[str, Any]) -> None:
        """Give an occurrence that states its start alone the end that follows: of its day, or the same instant."""
        if "to" not in occurred:
            occurred["to"] = occurred["from"]
            if "occurred.from" in row.days and self._end_of_start is not None:
                (occurred["to"],) = self._end_of_start(row)
        if not row.days.isdisjoint(("occurred.from", "occurred.to")):
            occurred.setdefault("precision", "day")
        elif self._start_is_read:
            occurred.setdefault("precision", "minute")

    def _report_later(self, row: _Row, made: dict[str, Any], occurred: Mapping[str, Any]) -> None:
        """Move a telling that states its day alone behind the beginning of its occurrence.

        The day's end would lie in the future until the day is over, and an instant of the clock's would be another body
        each time the row is published.
        """
        if "reported_at" not in row.days or self._end_of_told is None:
            return
        # Nobody watched what has not happened: a notice of coverage is told at its end.
        told_of = occurred["to" if made["type"] == "coverage" else "from"]
        (ends,) = self._end_of_told(row)
        first, at, last = map(instant_of, (made["reported_at"], told_of, ends))
        if first is not None and at is not None and last is not None and first < at <= last:
            made["reported_at"] = told_of

    def _end_of_day(self, asked: Node, path: str) -> _Values | None:
        """Return what gives the end of a day that a field states; None of what is no expression."""
        if not isinstance(asked, Expression):
            return None
        return self._values(asked.model_copy(update={"at": "end"}), path, first=True)

    def _object(self, fields: Mapping[str, Node], path: str) -> Callable[[_Row], dict[str, Any]]:
        makers = [(name, self._node(node, f"{path}.{name}" if path else name)) for name, node in fields.items()]
        return lambda row: {name: value for name, make in makers if (value := make(row)) is not _NOTHING}

    def _node(self, node: Node, path: str) -> _Maker:
        if isinstance(node, Expression):
            values = self._values(node, path, first=node.split is None)
            if node.split is not None:
                return lambda row: values(row) or _NOTHING
            return lambda row: found[0] if (found := values(row)) else _NOTHING
        if isinstance(node, Mapping):
            made = self._object(node, path)
            # What stands as it is in the mapping, beside cells that are all missing, says nothing.
            read = [name for name, one in node.items() if any(columns_in(one))]
            if not read:
                return made
            return lambda row: _NOTHING if (found := made(row)).keys().isdisjoint(read) else found
        if isinstance(node, list):
            entries = [self._entries(one, path) for one in node]
            return lambda row: [each for one in entries for each in one(row)] or _NOTHING
        return lambda _: node

    def _entries(self, node: Node, path: str) -> Callable[[_Row], Iterable[Any]]:
        """Return what makes the entries of a list.

        A table with a field of several values is repeated for each of them.
        """
        if isinstance(node, Expression):
            return self._values(node, path)
        make = self._node(node, path)
        lists = [name for name, one in node.items() if _divides(one)] if isinstance(node, Mapping) else []

        def entries(row: _Row) -> Iterator[Any]:
            made = make(row)
            if made is _NOTHING:
                return
            if not lists:
                yield made
                return
            # Where a cell has fewer values than another, the last entries lack that field.
            for values in zip_longest(*(made.get(name, ()) for name in lists), fillvalue=_NOTHING):
                entry = made | dict(zip(lists, values, strict=True))
                yield {name: value for name, value in entry.items() if value is not _NOTHING}

        return entries

    def _values(self, asked: Expression, path: str, *, first: bool = False) -> _Values:
        cells, holds, convert = self._cells(asked), self._holding(asked), self._conversion(asked, path)
        join, split = asked.join, asked.split

        def values(row: _Row) -> list[Any]:
            found = [cell for cell in cells(row.cells) if holds(cell[1])]
            if join is not None and found:
                found = [(", ".join(column for column, _ in found), join.join(text for _, text in found))]
            if split is not None:
                found = [(column, part.strip()) for column, text in found for part in text.split(split) if holds(part)]
            return [convert(row, column, text) for column, text in (found[:1] if first else found)]

        return values

    def _cells(self, asked: Expression) -> Callable[[Mapping[str, str]], list[tuple[str, str]]]:
        """Return what gives the cells of an expression, each with its column."""
        if asked.template is not None:
            return self._filled(asked, asked.template)
        columns = asked.columns or [asked.column or ""]
        return lambda cells: [(column, cells.get(column, "").strip()) for column in columns]

    def _filled(self, asked: Expression, template: str) -> Callable[[Mapping[str, str]], list[tuple[str, str]]]:
        holds = self._holding(asked)
        # What stands between the braces, and the columns in them, in turn.
        parts = _BRACES.split(template)
        between, named, columns = parts[::2], ", ".join(parts[1::2]), list(map(canonical, parts[1::2]))

        def filled(cells: Mapping[str, str]) -> list[tuple[str, str]]:
            texts = [cells.get(column, "") for column in columns]
            if not all(map(holds, texts)):
                return []
            return [(named, "".join(chain.from_iterable(zip(between, [*map(str.strip, texts), ""], strict=True))))]

        return filled

    def _holding(self, asked: Expression) -> Callable[[str], bool]:
        """Return what tells whether a text of an expression is a value."""
        values, missing = asked.values or {}, self._rules.missing.union(map(folded, asked.missing))

        def holds(text: str) -> bool:
            said = folded(text)
            return said in values or not (is_missing(text) or said in missing)

        return holds

    def _conversion(self, asked: Expression, path: str) -> Callable[[_Row, str, str], Any]:
        convert = _converter(asked, self._zone)

        def converted(row: _Row, column: str, text: str) -> Any:
            try:
                value, is_day = convert(text)
            except NoValue as error:
                fault = _NO_RESULT if text.startswith("=") else error
                # Of a cell that serves several fields one fault is enough.
                if all((told.column, told.cell, told.reason) != (column, text, str(fault)) for told in row.faults):
                    row.faults.append(CellFault(path, column, text, str(fault), fault.remedy))
                return text
            if is_day:
                row.days.add(path)
            return value

        return converted


def _converter(asked: Expression, zone: ZoneInfo) -> Callable[[str], tuple[Any, bool]]:
    """Return what converts a cell: to a value, and whether it is a day that stands for an instant."""
    written = _of_a_kind(asked, zone)
    known = asked.values
    if known is None:
        return written

    def meant(text: str) -> tuple[Any, bool]:
        if (value := known.get(folded(text), known.get(ANY_OTHER))) is None:
            near = get_close_matches(folded(text), list(known), n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise NoValue(f"not among the values of the mapping{guess}", "add the cell to values, or to [skip]")
        return (value, False) if not isinstance(value, str) or asked.as_ == "text" else written(value)

    return meant


def _of_a_kind(asked: Expression, zone: ZoneInfo) -> Callable[[str], tuple[Any, bool]]:
    """Return what converts a text as its mapping says it is; the same days come again in row after row."""
    formats, at = asked.formats, asked.at
    if asked.as_ == "date":
        return remembering(lambda text: (day_at(day(text, formats), at, zone), True))
    if asked.as_ == "time":
        return remembering(lambda text: moment(text, formats, at, zone))
    plain = PLAIN[asked.as_]
    return lambda text: (plain(text), False)


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


def _chosen(rules: Mapping[str, frozenset[str]], row: Mapping[str, str]) -> Iterator[str]:
    return (f"{column} = {row[column]}" for column, cells in rules.items() if folded(row.get(column, "")) in cells)
