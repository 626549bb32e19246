"""What is wrong with bytes that are no JSON, in words a person can act on.

The parser names a fault and a place in words of its own; a feed reads what stands there and what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Characters shown on each side of a fault.
SHOWN = 24
#: Bytes looked at for it: a character has at most four.
_SHOWN_BYTES = 4 * SHOWN

_CUT_SHORT = "it was cut short, so send the whole of it"
_PAIR = "a \\u escape is half of a pair: write the character itself, or both halves"
_VALUE = "this is no value of JSON: text stands in double quotes, and the only words are true, false and null"
_UNPACKED = "send it unpacked, or let Kafka's compression.type pack it"
_UNHEARD_OF = "from here on it cannot be read as JSON"

#: What the parser says, in our words. Faults at the end of the record have no place: nothing stands there.
_ENDS: Mapping[str, str] = {
    "EOF while parsing a list": f"the record ends within a list: {_CUT_SHORT}",
    "EOF while parsing an object": f"the record ends within an object: {_CUT_SHORT}",
    "EOF while parsing a string": f"the record ends within a text: {_CUT_SHORT}",
    "EOF while parsing a value": f"the record ends where a value is expected: {_CUT_SHORT}",
}
_FAULTS: Mapping[str, str] = {
    "expected `:`": "between a field's name and its value belongs a colon",
    "expected `,` or `]`": "behind an entry of a list belongs a comma, or the ] that ends the list",
    "expected `,` or `}`": "behind a field belongs a comma, or the } that ends the object",
    "expected ident": _VALUE,
    "expected value": _VALUE,
    "invalid escape": "a backslash with this behind it means nothing in JSON: write \\\\ for a backslash itself",
    "invalid number": "this is no number as JSON writes it: no zeros in front, digits before and after the point",
    "number out of range": "the number has too many digits: give it as text, under raw",
    "control character (\\u0000-\\u001F) found while parsing a string": (
        "a text holds a line break, a tab or another control character: write it as \\n, \\t or \\u0000"
    ),
    "key must be a string": "a field's name must stand in double quotes",
    "lone leading surrogate in hex escape": _PAIR,
    "unexpected end of hex escape": _PAIR,
    "trailing comma": "no comma may stand before a closing bracket: take it out",
    "trailing characters": "something follows the end of the JSON: publish each object as a record of its own",
    "recursion limit exceeded": "lists and objects stand some 200 deep in one another: nest them less",
}

#: How bytes begin that are something else altogether, and what to do then.
_OTHER_FORMATS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b"\xef\xbb\xbf",), "the record begins with a byte order mark (EF BB BF): send it without"),
    ((b"\xff\xfe", b"\xfe\xff", b"{\x00", b"[\x00"), "the record seems to be UTF-16: send it as UTF-8"),
    ((b"\x1f\x8b",), f"the record seems to be packed with gzip: {_UNPACKED}"),
    ((b"\x28\xb5\x2f\xfd",), f"the record seems to be packed with zstd: {_UNPACKED}"),
    ((b"PK\x03\x04",), "the record seems to be a zip archive or an office file: publish the reports in it as JSON"),
    ((b"\x00",), "the record begins with a zero byte, as those of Avro and schema registries do: send plain JSON"),
    ((b"<",), "the record seems to be XML or a web page: send JSON"),
)
_PLACE = re.compile(r"(.*) at line ([0-9]+) column ([0-9]+)", re.DOTALL)


def other_format(body: bytes) -> str | None:
    """Return what bytes seem to be that begin as no JSON does, and what to do; None where that is not plain."""
    return next((said for begins, said in _OTHER_FORMATS if body.startswith(begins)), None)


def not_utf8(body: bytes, at: int) -> str:
    """Return what is wrong with bytes of which that at index ``at`` is the first that is not UTF-8."""
    behind = f", behind {_quoted(body[:at], b'')}" if at else ""
    return other_format(body) or f"byte {at + 1:,} ({body[at]:02X}) is not UTF-8{behind}: save and send it as UTF-8"


def not_json(body: bytes, parser_says: str) -> str:
    """Return what is wrong with a body of UTF-8 which the parser refused with these words.

    Its place counts lines from 1, and the bytes in one from 1; a line break within a text is byte 0 of the next line.
    """
    text = body.lstrip()
    if not text:
        return "the record is empty or white space: send one JSON object per record"
    if (said := other_format(text)) is not None:
        return said
    if not text.startswith((b"{", b"[")):
        begins = _quoted(b"", text)
        return f"the record begins with {begins}, not with the {{ of an object: send one JSON object per record"
    placed = _PLACE.fullmatch(parser_says)
    fault, line, column = (placed[1], int(placed[2]), int(placed[3])) if placed else (parser_says, 1, 1)
    if fault in _ENDS:
        return f"{_ENDS[fault]}; its end is {_quoted(body, b'')}"
    start = _start_of(body, line)
    at = start + column - 1
    # In characters, as an editor counts: an Arabic letter has two bytes.
    where = f"character {len(body[start:at].decode(errors='replace')) + 1:,}"
    if b"\n" in body.strip():
        where = f"line {line:,}, {where}"
    return f"{where}, in {_quoted(body[:at], body[at:])}: {_FAULTS.get(fault, _UNHEARD_OF)}"


def _start_of(body: bytes, line: int) -> int:
    """Return the index at which a line starts, counted from 1."""
    start = 0
    for _ in range(line - 1):
        start = body.index(b"\n", start) + 1
    return start


def _quoted(before: bytes, behind: bytes) -> str:
    """Return what stands on both sides of a place, cut short, as one quotation without control characters."""
    left, right = before[-_SHOWN_BYTES:].decode(errors="ignore"), behind[:_SHOWN_BYTES].decode(errors="ignore")
    left = left if len(left) <= SHOWN else f"…{left[1 - SHOWN :]}"
    right = right if len(right) <= SHOWN else f"{right[: SHOWN - 1]}…"
    return f"“{''.join(each if each.isprintable() else _numbered(each) for each in left + right)}”"


def _numbered(character: str) -> str:
    return f"\\u{ord(character):04x}"
