"""Gazetteer as the text of a TOML file, with comments for whoever goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from schemas.gazetteer_file import GazetteerFile

_WIDTH = 110
_HEAD = """\
# Drafted by `trucewatch gazetteer init`; every line is yours to mend.
#
# Spellings are compared without case, accents, punctuation and articles: list only those that differ in letters. Add
# the spellings your feeds use, and the towns and sites they name. docs/agreements.md explains every key.
"""
_COMMENTS = {
    "sources": "Say who published the file, which edition it is and under which licence.",
    "neutral_words": "Words around names. Add your country's own. A word that tells two names apart must not be here.",
    "regions": "---- Regions. Centres and neighbours come from the file's polygons. `middle` is yours to add:\n"
    "the middle of the town that a region is called like.",
    "places": "---- Places: areas inside the regions. A report that says no more than such a name counts as one of\n"
    "the town that bears it, so remove those that are no town's.",
    "ambiguous": "---- Names of several regions. A report that says no more is refused, and its feed is told why.",
}


def gazetteer_text(file: GazetteerFile) -> str:
    """Return the text of a gazetteer's file."""
    said = file.model_dump(exclude_defaults=True)
    tables = {key: said.pop(key, []) for key in ("regions", "places", "ambiguous")}
    lines = [_HEAD.rstrip()]
    for key, value in said.items():
        lines += [*_comment(key), *_pair(key, value)]
    for key, entries in tables.items():
        if entries:
            lines += ["", *_comment(key), *([] if key == "regions" else [""])]
        for entry in entries:
            lines += ["", f"[[{key}]]"] if key == "regions" else [f"[[{key}]]"]
            lines += [line for name, value in entry.items() for line in _pair(name, value)]
            lines += [] if key == "regions" else [""]
    return "\n".join(lines).rstrip() + "\n"


def toml_value(value: Any) -> str:
    """Return a text, number or list of them as TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # JSON's escapes are TOML's, which allows no bare DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pair(key: str, value: Any) -> Iterable[str]:
    line = f"{key} = {toml_value(value)}"
    if len(line) <= _WIDTH or not isinstance(value, list):
        return [line]
    return [f"{key} = [", *_wrapped(value), "]"]


def _wrapped(values: Sequence[Any]) -> list[str]:
    lines: list[str] = []
    line = " "
    for value in map(toml_value, values):
        if len(line) + len(value) + 2 > _WIDTH and line.strip():
            lines.append(line)
            line = " "
        line += f" {value},"
    return [*lines, line]


def _comment(key: str) -> list[str]:
    return ["", *(f"# {line}" for line in _COMMENTS[key].split("\n"))] if key in _COMMENTS else []
