"""Loading of a mapping from its TOML file; every fault in it is found at once, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schemas.errors import MappingError, UsageError
from schemas.plain_words import Loc, did_you_mean, fields_at
from schemas.reports import REPORT_TYPES, Report
from schemas.toml_file import Fault, TomlFile, TomlSyntaxError, parse_toml
from streams.feeds.mapping.evaluate import Node, Rules, columns_in
from streams.feeds.mapping.language import VERBS, Expression, MappingFile
from streams.feeds.mapping.words import folded

BY_TYPE: dict[str, type[Report]] = {get_args(model.model_fields["type"].annotation)[0]: model for model in REPORT_TYPES}


@dataclass(frozen=True)
class Mapped:
    """A mapping that was read and found right.

    Attributes:
        columns: the columns a file must have.
        named: all columns that it names.
        paths: the columns that fill each field.
    """

    name: str
    file: MappingFile
    rules: Rules
    report_type: str
    feed: str
    columns: tuple[str, ...]
    named: tuple[str, ...]
    paths: Mapping[str, tuple[str, ...]]


@cache
def shipped_mappings() -> dict[str, Mapped]:
    """Return the mappings that come with the package, by name."""
    return {name: _load(file, name) for name, file in _shipped_files().items()}


def shipped_text(name: str) -> str:
    """Return a mapping that comes with the package as its file has it.

    Raises:
        UsageError: there is none of this name.
    """
    files = _shipped_files()
    if name not in files:
        raise UsageError(f"no mapping is called {name!r}{did_you_mean(name, files)}; there are {', '.join(files)}")
    return files[name].read_text("utf-8")


def _shipped_files() -> dict[str, Traversable]:
    files = (resources.files("streams.feeds.mapping") / "maps").iterdir()
    toml = {file.name.removesuffix(".toml"): file for file in files if file.name.endswith(".toml")}
    return dict(sorted(toml.items()))


def load_mapping(path: Path) -> Mapped:
    """Load a mapping from a file.

    Raises:
        MappingError: the file cannot be read, or it is wrong; every fault is listed.
    """
    try:
        return _load(path, str(path))
    except OSError as error:
        raise MappingError(str(path), [f"cannot be read: {error.strerror or error}"]) from None


def _load(path: Traversable, name: str) -> Mapped:
    try:
        toml = parse_toml(path.read_bytes())
        file = MappingFile.model_validate(toml.data)
    except TomlSyntaxError as error:
        raise MappingError(name, [str(error.fault)]) from None
    except ValidationError as error:
        raise MappingError(name, [str(fault) for fault in toml.faults(error, MappingFile)]) from None
    reading = _Reading(toml, file)
    fields = reading.fields()
    if reading.faults:
        raise MappingError(name, [str(fault) for fault in sorted(reading.faults, key=lambda fault: fault.line)])
    rules = Rules(
        fields,
        frozenset(map(folded, file.missing)),
        {column: frozenset(map(folded, cells)) for column, cells in file.skip.items()},
        {column: frozenset(map(folded, cells)) for column, cells in file.retract.items()},
    )
    named = tuple(dict.fromkeys([*columns_in(fields), *file.skip, *file.retract]))
    columns, paths = tuple(file.requires) or named, dict(_paths(fields, ""))
    return Mapped(name, file, rules, fields["type"], str(fields["feed"]), columns, named, paths)


class _Reading:
    """The reading of ``[report]`` against the models of the language."""

    def __init__(self, toml: TomlFile, file: MappingFile) -> None:
        self.faults: list[Fault] = []
        self._toml = toml
        self._file = file
        self._model: type[BaseModel] = Report

    def fields(self) -> dict[str, Node]:
        """Return the report as a tree; what is wrong with it stands in ``faults``."""
        given = self._file.report
        kind = given.get("type")
        if kind not in BY_TYPE:
            guess = did_you_mean(kind, BY_TYPE) if isinstance(kind, str) else ""
            self._fault(("report", "type"), f"expected one of {', '.join(BY_TYPE)}{guess}")
            return {}
        self._model = BY_TYPE[kind]
        if not isinstance(given.get("feed"), str):
            self._fault(("report", "feed"), "required: the name of the feed, as text")
        fields = self._table(given, ("report",), ())
        self._check_required(fields)
        return fields

    def _check_required(self, fields: Mapping[str, Node]) -> None:
        if fields.get("status") == "retracted":
            required = ["report_id", "reported_at"]
        else:
            required = [name for name, field in self._model.model_fields.items() if field.is_required()]
        for name in required:
            if name not in fields:
                self._fault(("report", name), "required, but not mapped")
        occurred = fields.get("occurred")
        if "occurred" in required and isinstance(occurred, dict) and "from" not in occurred:
            self._fault(("report", "occurred", "from"), "required, but not mapped")

    def _table(self, given: Mapping[str, Any], loc: Loc, at: Loc) -> dict[str, Node]:
        """Return a table's fields; a key such as "place.names" leads into tables within."""
        made: dict[str, Node] = {}
        for key, value in given.items():
            parts = tuple(key.split("."))
            inner: Node = made
            for part in parts[:-1]:
                inner = inner.setdefault(part, {})
                if not isinstance(inner, dict):
                    self._fault((*loc, key), "mapped twice")
                    break
            else:
                if self._is_field((*loc, key), (*at, *parts)):
                    node = self._node(value, (*loc, key), (*at, *parts))
                    known = inner.get(parts[-1], {})
                    # "place.names" and [report.place] fill one table.
                    both = isinstance(known, dict) and isinstance(node, dict)
                    if parts[-1] in inner and not (both and known.keys().isdisjoint(node)):
                        self._fault((*loc, key), "mapped twice")
                    inner[parts[-1]] = {**known, **node} if both else node
        return made

    def _is_field(self, loc: Loc, at: Loc) -> bool:
        if at[0] == "raw":
            self._fault(loc, "raw holds the whole row by itself; leave the key out")
            return False
        for length in range(1, len(at) + 1):
            if isinstance(at[length - 1], int):
                continue
            known = fields_at(self._model, at[: length - 1])
            if not known and length > 1 and at[length - 2] == "by_side":
                return True
            if at[length - 1] not in known:
                guess = did_you_mean(at[length - 1], known)
                self._fault(loc, f"no field of a report of type {self._file.report['type']!r}{guess}")
                return False
        return True

    def _node(self, value: Any, loc: Loc, at: Loc) -> Node:
        listed = _is_listed(self._model, at)
        if isinstance(value, list):
            if not listed:
                self._fault(loc, "takes one value, not a list")
            return [self._node(each, (*loc, number), (*at, number)) for number, each in enumerate(value)]
        if not isinstance(value, dict):
            return [value] if listed else value
        if VERBS.isdisjoint(value):
            return self._table(value, loc, at)
        try:
            asked = Expression.model_validate(value)
        except ValidationError as error:
            for fault in self._toml.faults(error, Expression):
                self.faults.append(self._toml.fault((*loc, *fault.loc), fault.text))
            return value
        if asked.split is not None and not listed and not isinstance(at[-2] if len(at) > 1 else None, int):
            self._fault(loc, "takes one value: leave split out")
        if at == ("occurred", "to") and "at" not in asked.model_fields_set:
            # A last day is part of its stretch.
            asked = asked.model_copy(update={"at": "end"})
        return [asked] if listed else asked

    def _fault(self, loc: Loc, text: str) -> None:
        self.faults.append(self._toml.fault(loc, text))


def _is_listed(model: type[BaseModel], at: Loc) -> bool:
    """Whether the field at a path takes a list."""
    if isinstance(at[-1], int):
        return False
    annotation: Any = model
    for part in at:
        if isinstance(part, int):
            continue
        inner = next((each for each in _models(annotation)), None)
        if inner is None:
            return False
        annotation = next((f.annotation for n, f in inner.model_fields.items() if part in (n, f.alias)), None)
    return any(get_origin(each) is list or each is list for each in _flat(annotation))


def _flat(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of an annotation."""
    if get_origin(annotation) is list or not get_args(annotation):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _flat(part)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _paths(node: Node, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(node, Mapping):
        for name, inner in node.items():
            yield from _paths(inner, f"{path}.{name}" if path else name)
    elif columns := tuple(dict.fromkeys(columns_in(node))):
        yield path, columns
