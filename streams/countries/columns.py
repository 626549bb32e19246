"""Columns of lists of administrative areas: codes and names by level, in every language.

OCHA's common operational data sets have called them ``ADM1_PCODE``, ``admin1Name_en``, ``ADM1ALT1AR`` and
``adm1_name1``. Case and punctuation are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.missing import is_missing

_CODE = re.compile(r"adm(?:in)?(\d)(?:pcode|pcod)")
_NAME = re.compile(r"adm(?:in)?(\d)(?:(ref|alt)?name|(alt))?(\d?)([a-z]{2})?")
#: Columns of a file whose rows are all of one level.
_BARE_NAME = re.compile(r"name(\d?)([a-z]{2})?")
_LONGEST_NAME = 200


class _NameColumn(NamedTuple):
    """A column of names; they sort by how well they serve as the name that is shown."""

    rank: int
    number: str
    column: str


@dataclass(frozen=True)
class Columns:
    """Columns of one file by level.

    Attributes:
        codes: the column of P-codes by level.
        names: the columns of names by level, the English one first.
    """

    codes: Mapping[int, str]
    names: Mapping[int, Sequence[str]]

    def code(self, row: Mapping[str, Any], level: int) -> str | None:
        """Return the code a row states for a level."""
        column = self.codes.get(level)
        return None if column is None else text_of(row.get(column))

    def names_in(self, row: Mapping[str, Any], level: int) -> list[str]:
        """Return the different names a row states for a level, the one to be shown first."""
        said = (text_of(row.get(column)) for column in self.names.get(level, ()))
        return list(dict.fromkeys(name for name in said if name))


@dataclass
class Named:
    """Columns that the user names, where a file's own names say nothing."""

    code: str | None = None
    names: list[str] = field(default_factory=list)


def columns_of(headers: Iterable[str], level: int, named: Named) -> Columns:
    """Return what the columns of a file are; those that are ``named``, or bare, are of ``level``."""
    by_word = {_word(header): header for header in headers}
    codes = {int(match[1]): header for word, header in by_word.items() if (match := _CODE.fullmatch(word))}
    names: dict[int, list[_NameColumn]] = {}
    for word, header in by_word.items():
        if match := _NAME.fullmatch(word):
            rank = _rank(other=bool(match[2] or match[3]), language=match[5])
            names.setdefault(int(match[1]), []).append(_NameColumn(rank, match[4], header))
    if "pcode" in by_word:
        codes.setdefault(level, by_word["pcode"])
    if level not in names:
        names[level] = [
            _NameColumn(_rank(other=False, language=match[2]), match[1], header)
            for word, header in by_word.items()
            if (match := _BARE_NAME.fullmatch(word))
        ]
    ordered = {each: [name.column for name in sorted(found)] for each, found in names.items()}
    if named.code is not None:
        codes[level] = named.code
    if named.names:
        ordered[level] = named.names
    return Columns(codes, ordered)


def text_of(value: Any) -> str | None:
    """Return a cell as text on one line; None where it holds nothing."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    letters = (" " if unicodedata.category(letter) == "Cc" else letter for letter in str(value))
    text = " ".join("".join(letters).split())[:_LONGEST_NAME].strip()
    return None if is_missing(text) else text


def _rank(*, other: bool, language: str | None) -> int:
    """Return how well a column serves as the shown name: English, unmarked, another language, other spellings."""
    if language == "en":
        return 3 if other else 0
    return (4 if other else 2) if language else (3 if other else 1)


def _word(header: str) -> str:
    return "".join(filter(str.isalnum, header)).casefold()
