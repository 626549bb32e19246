"""The rule of JSON at intake: a document that every reader reads alike.

RFC 8259 leaves open which of two values a name has that stands twice in an object, and how large a number may be.
Readers differ: of two values DuckDB takes the first and others the last; of a number beyond a double some make
infinity, some refuse the document. So neither is accepted, at any depth, nor are NaN and Infinity, which are no JSON.
"""

from __future__ import annotations

import json
from math import isinf
from typing import Any, NoReturn

import orjson

from schemas.plain_words import found


class Breach(ValueError):
    """What of the rule a document breaks."""


def breach(body: bytes) -> str | None:
    """Return how a document breaks the rule and what to do about it; None when it keeps it.

    The body is JSON by a reader that takes more: bytes that are none are for ``schemas.broken_json``.
    """
    if keeps_the_rule(body):
        return None
    try:
        json.loads(
            body,
            object_pairs_hook=object_of,
            parse_int=_within_a_double,
            parse_float=_within_a_double,
            parse_constant=_no_constant,
        )
    except Breach as found_one:
        return str(found_one)
    except RecursionError:
        return "lists and objects stand too deep in one another: nest them less"
    return None


def keeps_the_rule(body: bytes) -> bool:
    """Whether a document surely keeps the rule; False leaves it open. Cheap: asked of every report.

    orjson refuses the numbers. It keeps one of the values of a name said twice, so that a colon is missing from what it
    writes. Colons within texts are as many before and after, unless one was written as an escape.
    """
    try:
        rewritten = orjson.dumps(orjson.loads(body))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False
    # Counting takes a third of all this, and most bodies are written as orjson writes.
    return rewritten == body or (
        rewritten.count(b":") == body.count(b":") and (b"\\" not in body or b"\\u003" not in body)
    )


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs, for a reader of JSON.

    Raises:
        Breach: a name stands twice.
    """
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise Breach(f"the name {found(name)} stands twice in one object, and readers differ in which they take")
        made[name] = value
    return made


def _within_a_double(number: str) -> None:
    if isinf(float(number)):
        raise Breach(f"the number {found(number)} is beyond what a double holds: give it as text, under raw")


def _no_constant(_: str) -> NoReturn:
    raise Breach("NaN and Infinity are no JSON numbers; leave the field out")
