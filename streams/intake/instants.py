"""Instants of many reports at once, in microseconds since the epoch.

Arrow reads those that are plainly written: a tenth of a microsecond each, where Python takes one.
Whatever Arrow does not surely read alike is left to the language's own parser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow

from schemas.instants import PLAIN, parse_instant
from schemas.truceday import Micros, to_micros

# pyarrow's own annotations are partial, so a strict type check cannot look into it.
pa: Any = pyarrow

#: Fewer take less time in Python.
_WORTH_ARROW = 64
_PLAIN = rf"\A(?:{PLAIN})\z"


def micros_of(texts: Sequence[str], first: Micros, end: Micros) -> list[Micros | None]:
    """Return each stated instant; None where a text states none, or one outside ``[first, end)``."""
    found = _by_arrow(texts) if len(texts) >= _WORTH_ARROW else None
    if found is None:
        found = list(map(_micros, texts))
    return [at if at is not None and first <= at < end else None for at in found]


def _by_arrow(texts: Sequence[str]) -> list[Micros | None] | None:
    """Return the instants; None where one is of no calendar, which stops Arrow."""
    # Their import would slow every command that reads no batch.
    import pyarrow.compute

    functions: Any = pyarrow.compute
    stated = pa.array(texts, pa.string())
    is_plain = functions.match_substring_regex(stated, _PLAIN)
    if not functions.all(is_plain).as_py():
        stated = functions.if_else(is_plain, stated, None)
    try:
        read = stated.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    found: list[Micros | None] = read.to_pylist()
    if read.null_count:
        found = [_micros(text) if at is None else at for at, text in zip(found, texts, strict=True)]
    return found


def _micros(text: str) -> Micros | None:
    try:
        return to_micros(parse_instant(text))
    except ValueError:
        return None
