"""What pydantic found, in words a person who does not know pydantic can act on.

One vocabulary for both readers of it: a feed whose report was rejected, and whoever writes an agreement file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

Loc = tuple[int | str, ...]

FOUND_LENGTH = 80
#: A name in a path, likewise: a document's author chooses it, and it may be a megabyte long.
NAME_LENGTH = 80

_WORD = re.compile(r"[\w-]+")

#: What was expected, by pydantic's error type; filled from the error's context.
EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "string_too_short": "text of {min_length} or more characters",
    "string_too_long": "text of at most {max_length} characters",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "enum": "one of {expected}",
    "literal_error": "one of {expected}",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "finite_number": "a finite number",
    "timezone_aware": "a time with its offset, such as 2016-09-12T19:00:00+03:00",
    "datetime_type": "a time with its offset, such as 2016-09-12T19:00:00+03:00",
    "datetime_parsing": "a time with its offset, such as 2016-09-12T19:00:00+03:00",
    "datetime_from_date_parsing": "a time with its offset, such as 2016-09-12T19:00:00+03:00",
    "date_type": "a date, such as 2016-08-15",
    "date_parsing": "a date, such as 2016-08-15",
    "date_from_datetime_parsing": "a date, such as 2016-08-15",
    "time_type": "a time of day, such as 19:00:00",
    "time_parsing": "a time of day, such as 19:00:00",
}

#: Patterns of the language, in words.
PATTERNS: Mapping[str, str] = {
    r"^[A-Z]{2,3}[0-9]{0,18}([A-Z][0-9]{1,10}){0,3}$": "an OCHA P-code, such as SY02",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "1 to 64 lower-case letters, digits, '.', '_' or '-', the first a letter or digit",
    r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?$": (
        "1 to 200 visible characters without white space at the ends"
    ),
    r"^[a-z0-9][a-z0-9._-]{0,63}/[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?$": (
        "a report as feed/report_id, such as field-office/FO-17"
    ),
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "lower-case words and numbers joined by '-', such as syria-2016",
    r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$": "a time zone, such as Asia/Damascus",
}


def path_of(loc: Loc) -> str:
    """Return a location as a path through the document: ``sources[0].name``; empty for all of it."""
    path = ""
    for part in loc:
        if part == "[key]":
            continue
        if isinstance(part, str) and len(part) > NAME_LENGTH:
            part = part[: NAME_LENGTH - 1] + "…"
        if isinstance(part, str) and _WORD.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{json.dumps(part, ensure_ascii=False)}]"
    return path


def found(value: object) -> str:
    """Return what was found as JSON text, cut to 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= FOUND_LENGTH else text[: FOUND_LENGTH - 1] + "…"


def say(error: ErrorDetails, words: Mapping[str, str] = EXPECTED) -> str:
    """Return one fault as ``expected ..., found ...``, or in the language's own words where it has some."""
    kind, context, got = error["type"], error.get("ctx", {}), found(error["input"])
    if kind == "string_pattern_mismatch":
        return f"expected {PATTERNS.get(context['pattern'], 'text of the form ' + context['pattern'])}, found {got}"
    template = words.get(kind)
    if template is None:
        return f"{error['msg']}, found {got}"
    if any(isinstance(context.get(bound), str) for bound in ("ge", "lt")):
        template = "a time in the years 1971 to 2199, with its offset"
    # A bound written as 90.0 reads as if the decimals mattered.
    bounds = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    return f"expected {template.format(**bounds)}, found {got}"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known word, or nothing."""
    close = get_close_matches(str(word)[:NAME_LENGTH], list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the names a document may use at the object ``loc`` leads to, as written there; empty when unknown."""
    for part in loc:
        if isinstance(part, int):
            continue
        annotation = next((f.annotation for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        inner = _model_in(annotation)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for arg in get_args(annotation) if (model := _model_in(arg)) is not None), None)
