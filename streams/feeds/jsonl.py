"""JSON Lines: one report per line, in the language of ``schemas.reports``.

Lines pass untouched, broken ones too: intake rejects them with a reason, where the rejects are kept and counted.
Of a line that ``trucewatch rejects export`` wrote only the record in it passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from schemas.errors import InputFileError
from schemas.topics import MAX_MESSAGE_BYTES
from streams.feeds.exported import unwrap
from streams.feeds.recorded import Recorded, instant_of

#: What a Kafka record needs beside its value: a value this much below the topic's limit is always taken.
_RECORD_OVERHEAD = 4_096
#: The longest line that can travel; anything longer is a file of another kind.
MAX_LINE_BYTES = MAX_MESSAGE_BYTES - _RECORD_OVERHEAD
#: The longest line of exported rejects: such a record in base64, with the reason beside it.
MAX_EXPORTED_BYTES = MAX_LINE_BYTES * 4 // 3 + 65_536

_BOM = b"\xef\xbb\xbf"


class _Spine(msgspec.Struct):
    """The few fields publishing looks at, of whatever type they turn out to be."""

    type: Any = None
    feed: Any = None
    report_id: Any = None
    reported_at: Any = None
    reject: Any = None


_spine = msgspec.json.Decoder(_Spine)


def peek(value: bytes, line: int, name: str = "") -> Recorded:
    """Return a report with what can be read of its spine; of an exported reject the record in it.

    Raises:
        InputFileError: an exported reject does not hold one record; ``name`` is the file's.
    """
    try:
        spine = _spine.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Recorded(value, None, None, line)
    if isinstance(spine.reject, dict):
        # The record may itself look like an exported one: it is not opened a second time.
        inner, redrive = unwrap(value, f"{name}, line {line}")
        return peek_record(inner, line)._replace(redrive=redrive)
    return _of(spine, value, line)


def peek_record(value: bytes, line: int) -> Recorded:
    """Return a report with what can be read of its spine; an exported reject is a record like any other."""
    try:
        return _of(_spine.decode(value), value, line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Recorded(value, None, None, line)


def _of(spine: _Spine, value: bytes, line: int) -> Recorded:
    return Recorded(
        value, instant_of(spine.reported_at), _text(spine.type), line, _text(spine.feed), _text(spine.report_id)
    )


def read_jsonl(source: BinaryIO, name: str) -> Iterator[Recorded]:
    """Yield every line that is not blank, without its line end.

    Raises:
        InputFileError: a line is longer than any topic takes.
    """
    line = 0
    # Bounded reads: a file without line ends must fail with a message, not fill the memory.
    while text := source.readline(MAX_EXPORTED_BYTES + 2):
        line += 1
        if line == 1:
            text = text.removeprefix(_BOM)
        value = text.rstrip(b"\r\n")
        if not value.strip():
            continue
        report = peek(value, line, name) if len(value) <= MAX_EXPORTED_BYTES else None
        if report is None or len(report.value) > MAX_LINE_BYTES:
            raise InputFileError(
                f"{name}, line {line}: longer than {MAX_LINE_BYTES:,} bytes; JSON Lines has one report per line"
            )
        yield report


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
