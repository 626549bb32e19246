"""JSON document of reports: one object, a list of them, or several after each other, over any number of lines.

Each report passes byte for byte as it is written, its line breaks among them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from schemas.errors import InputFileError
from streams.feeds.jsonl import MAX_LINE_BYTES, peek
from streams.feeds.recorded import Recorded

_BLANK = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()


def read_json(source: BinaryIO, name: str) -> Iterator[Recorded]:
    """Yield the reports of a document; what is no object in a list of reports passes for intake to reject.

    Raises:
        InputFileError: it is not JSON, or a report is longer than any topic takes.
    """
    line = counted = 0
    try:
        text = source.read().decode("utf-8-sig")
        for start, end in _values(text):
            line, counted = line + text.count("\n", counted, start), start
            value = text[start:end].encode()
            if len(value) > MAX_LINE_BYTES:
                raise InputFileError(f"{name}, line {line + 1}: a report longer than {MAX_LINE_BYTES:,} bytes")
            yield peek(value, line + 1, name)
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{name}: not JSON that can be read ({error})") from None


def _values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each value outside of lists, and each item of such a list, begins and ends."""
    at = _after_blank(text, 0)
    while at < len(text):
        if text[at] == "[":
            at = _after_blank(text, at + 1)
            more = text[at : at + 1] != "]"
            while more:
                end = _decoder.raw_decode(text, at)[1]
                yield at, end
                at = _after_blank(text, end)
                more = text[at : at + 1] == ","
                if more:
                    at = _after_blank(text, at + 1)
            if text[at : at + 1] != "]":
                raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
            end = at + 1
        else:
            end = _decoder.raw_decode(text, at)[1]
            yield at, end
        at = _after_blank(text, end)


def _after_blank(text: str, at: int) -> int:
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]
