"""TOML files people write: read with the line of every key, so that a fault can be pointed at."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.plain_words import EXPECTED, Loc, did_you_mean, fields_at, path_of, say

#: TOML's own words, and local times, which are written without an offset.
WORDS: Mapping[str, str] = {
    **EXPECTED,
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "datetime_type": "a local date and time, such as 2016-09-12T19:00:00",
    "datetime_parsing": "a local date and time, such as 2016-09-12T19:00:00",
    "datetime_from_date_parsing": "a local date and time, such as 2016-09-12T19:00:00",
}
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with a file. ``line`` counts from 1; 0 when the fault is something that is not there."""

    line: int
    loc: Loc
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        path = path_of(self.loc)
        return f"{where}{path}: {self.text}" if path else f"{where}{self.text}"


class TomlSyntaxError(Exception):
    """A text is not TOML."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True)
class TomlFile:
    """A parsed text: its data, and the line on which each key, table and list entry starts."""

    data: dict[str, Any]
    lines: Mapping[Loc, int]

    def fault(self, loc: Loc, text: str) -> Fault:
        """Return a fault at ``loc``, with the line of the nearest thing around it that the file has."""
        for length in range(len(loc), 0, -1):
            if (line := self.lines.get(loc[:length])) is not None:
                return Fault(line, loc, text)
        return Fault(0, loc, text)

    def faults(self, error: ValidationError, model: type[BaseModel]) -> list[Fault]:
        """Return what validating the data as ``model`` found, in plain words."""
        return [self.fault(one["loc"], _text(one, model)) for one in error.errors(include_url=False)]

    def json_like(self) -> dict[str, Any]:
        """Return the data with dates and times as ISO text: what JSON would carry."""
        plain: dict[str, Any] = _plain(self.data)
        return plain


def parse_toml(body: bytes) -> TomlFile:
    """Parse a TOML file's bytes.

    Raises:
        TomlSyntaxError: the bytes are not UTF-8 or not TOML, or beyond what can be read; carries the line.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise TomlSyntaxError(Fault(line, (), "not UTF-8; save the file as UTF-8")) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        line = int(at[1]) if at and at[1] else text.count("\n") + 1
        raise TomlSyntaxError(Fault(line, (), f"not TOML: {_AT.sub('', str(error))}")) from None
    except (ValueError, RecursionError):
        # TOML sets no such bounds, its reader does.
        why = "a number of thousands of digits, or lists and tables hundreds deep"
        raise TomlSyntaxError(Fault(1, (), f"cannot be read: it holds {why}")) from None
    file = TomlFile(data, line_map(text))
    if (loc := _beyond_64_bits(data)) is not None:
        raise TomlSyntaxError(file.fault(loc, "a whole number has at most 64 bits"))
    return file


def _beyond_64_bits(value: Any, loc: Loc = ()) -> Loc | None:
    """Return where a number is that TOML does not have: Python would write it out only up to so many digits."""
    if isinstance(value, int):
        return loc if value.bit_length() > 63 and value != -(2**63) else None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, one in inner if (found := _beyond_64_bits(one, (*loc, key))) is not None), None)


def line_map(text: str) -> dict[Loc, int]:
    """Return the line on which each key, table and list entry of a valid TOML text starts.

    A quoted key with escapes is kept as it is written.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


def _text(error: ErrorDetails, model: type[BaseModel]) -> str:
    if error["type"] == "missing":
        return "required, but missing"
    if error["type"] == "extra_forbidden":
        key, known = error["loc"][-1], fields_at(model, error["loc"][:-1])
        return f"unknown key{did_you_mean(key, known)}"
    return say(error, WORDS)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


class _Scanner:
    """Walks a text that is known to be valid TOML, so it has no errors of its own."""

    _SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
    _KEY = re.compile(r"""[ \t]*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)""")
    _VALUE = re.compile(
        r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}|\'\'\'(?:[^']|'{1,2}(?!'))*'{3,5}'''
        r"""|"(?:[^"\\]|\\.)*"|'[^']*'|[^,\]}#\n]+""",
        re.DOTALL,
    )

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lines: dict[Loc, int] = {}
        self._entries: dict[Loc, int] = {}

    def scan(self) -> dict[Loc, int]:
        table: Loc = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._lines

    def _header(self) -> Loc:
        line = self._line()
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        table: Loc = ()
        for key in keys[:-1]:
            table = self._entered((*table, key))
        table = (*table, keys[-1])
        if brackets == 2:
            self._entries[table] = self._entries.get(table, -1) + 1
        self._lines.setdefault(table, line)
        table = self._entered(table)
        self._lines.setdefault(table, line)
        return table

    def _entered(self, table: Loc) -> Loc:
        """Return ``table``, or its newest entry when it is an array of tables."""
        return (*table, self._entries[table]) if table in self._entries else table

    def _pair(self, table: Loc) -> None:
        line = self._line()
        for key in self._keys():
            table = (*table, key)
            self._lines.setdefault(table, line)
        self._at += 1  # the equals sign
        self._value(table)

    def _value(self, loc: Loc) -> None:
        self._skip()
        opened = self._text[self._at]
        if opened == "[":
            self._list(loc)
        elif opened == "{":
            self._inline_table(loc)
        else:
            self._take(self._VALUE)

    def _list(self, loc: Loc) -> None:
        self._at += 1
        index = 0
        while self._more("]"):
            self._lines[(*loc, index)] = self._line()
            self._value((*loc, index))
            index += 1

    def _inline_table(self, loc: Loc) -> None:
        self._at += 1
        while self._more("}"):
            self._pair(loc)

    def _more(self, closing: str) -> bool:
        """Skip to the next entry; past the closing bracket when there is none."""
        self._skip()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip()
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False

    def _keys(self) -> list[str]:
        keys: list[str] = []
        more = "."
        while more:
            match = self._take(self._KEY)
            keys.append(next(part for part in match.groups()[:3] if part is not None))
            more = match[4]
        return keys

    def _skip(self) -> None:
        self._take(self._SPACE)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"line {self._line()}: not valid TOML")
        self._at = match.end()
        return match

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)
