"""Bodies of requests, unpacked within bounds and cut into records.

A record keeps the bytes its sender wrote, because the ledger compares reports byte for byte.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pydantic_core

from schemas.broken_json import not_json, not_utf8
from streams.gateway.problems import Problem, Refusal

#: Content types of one report or an array, and of one report to a line.
_WHOLE = ("application/json",)
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
#: Commas of an array. Of an array of small values each is an object in memory, however small the body.
_MOST_COMMAS = 1_000_000
_GZIP = 31
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"\S[^\n]*")
_SPACE = b" \t\r\n\f\v"


class Record(NamedTuple):
    """Record of a body. ``number`` counts from 1, the lines of JSON Lines or the entries of an array."""

    number: int
    value: bytes


def is_lines(content_type: str, charset: str | None, encoding: str) -> bool:
    """Return whether a body of these headers has one report to a line.

    Raises:
        Refusal: such a body is not taken.
    """
    if content_type not in (*_WHOLE, *_LINES):
        raise Refusal(
            Problem.WRONG_CONTENT_TYPE,
            f"Content-Type is {content_type[:100]!r}; send {_WHOLE[0]}, or {_LINES[0]} for JSON Lines",
            headers={"Accept": ", ".join((*_WHOLE, *_LINES))},
        )
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise Refusal(Problem.WRONG_CONTENT_TYPE, f"the charset is {charset[:100]!r}; JSON travels as UTF-8")
    if encoding not in ("", "identity", "gzip"):
        raise Refusal(
            Problem.WRONG_CONTENT_TYPE,
            f"Content-Encoding is {encoding[:100]!r}; send gzip, or the body as it is",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    return content_type in _LINES


def unpacked(body: bytes, most: int) -> bytes:
    """Return what a gzip body unpacks to.

    Raises:
        Refusal: it is damaged, cut short, or unpacks to more than ``most`` bytes.
    """
    found = bytearray()
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            found += member.decompress(body, most + 1 - len(found))
        except zlib.error as error:
            raise Refusal(Problem.BODY_BROKEN, "the body is not the gzip that Content-Encoding names") from error
        if len(found) > most:
            raise too_large(most)
        if not member.eof:
            raise Refusal(Problem.BODY_BROKEN, "the gzip body is cut short: send the whole of it")
        body = member.unused_data
    return bytes(found)


def too_large(most: int) -> Refusal:
    """Return the refusal of a body of more than ``most`` bytes."""
    return Refusal(Problem.TOO_LARGE, f"a body has at most {most:,} bytes, unpacked too: send it in parts")


def records_in(body: bytes, most: int, *, lines: bool) -> list[Record]:
    """Return the records of a body, valid or not.

    Raises:
        Refusal: it holds none, more than ``most``, or an array that is no JSON.
    """
    body = body.removeprefix(_BOM)
    text = body.strip(_SPACE)
    if not text:
        raise Refusal(Problem.NOT_JSON, "the body is empty: send one report at least")
    if lines:
        found = []
        for record in _lines(body):
            found.append(record)
            if len(found) > most:
                raise _too_many(most)
        return found
    if not text.startswith(b"["):
        return [Record(1, text)]
    if text.count(b",") > _MOST_COMMAS:
        raise Refusal(Problem.TOO_LARGE, f"an array has at most {_MOST_COMMAS:,} commas: send it in parts")
    return _entries(text, most)


def _lines(body: bytes) -> Iterator[Record]:
    number, counted = 1, 0
    for line in _LINE.finditer(body):
        number += body.count(b"\n", counted, line.start())
        counted = line.start()
        yield Record(number, line[0].rstrip(_SPACE))


def _entries(text: bytes, most: int) -> list[Record]:
    try:
        entries = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Problem.NOT_JSON, _fault(text)) from error
    if not entries:
        raise Refusal(Problem.NOT_JSON, "the array is empty: send one report at least")
    if len(entries) > most:
        raise _too_many(most)
    return [Record(number, bytes(entry)) for number, entry in enumerate(entries, 1)]


def _fault(text: bytes) -> str:
    """Return what is wrong with an array, in the words of a reject."""
    try:
        text.decode()
    except UnicodeDecodeError as bad:
        return not_utf8(text, bad.start)
    try:
        pydantic_core.from_json(text)
    except ValueError as error:
        return not_json(text, str(error))
    return "lists and objects stand too deep in one another: nest them less"


def _too_many(most: int) -> Refusal:
    return Refusal(Problem.TOO_LARGE, f"a request has at most {most:,} records: send them in parts")
