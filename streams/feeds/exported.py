"""Rejects as a file to mend: one line each, the reason beside the record, and ``publish`` reads it back.

A line is an object with ``reject``, which says what is wrong and where the record came from, and the record itself as
the first of these that can hold it: ``report``, the record's own JSON; ``text``, for what is UTF-8 and no JSON object;
``base64``. Publishing sends the record alone, with headers that name the reject.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
import orjson

from schemas.errors import InputFileError
from schemas.facts import Origin, Redrive
from sinks.rejects import Reject


class _From(msgspec.Struct):
    """What is read back of ``reject``; the rest is for the person."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    log: str | None = None
    redrive: int = 1


class _Line(msgspec.Struct):
    reject: _From
    report: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    base64: str | msgspec.UnsetType = msgspec.UNSET


_line = msgspec.json.Decoder(_Line)
_FORMS = ("report", "text", "base64")


def wrap(reject: Reject) -> bytes:
    """Return a reject as one line without its end.

    Line breaks between the parts of a JSON document become blanks; every other byte of a record survives.
    """
    told = orjson.dumps(
        {
            "id": reject.id,
            "code": reject.code,
            "hint": reject.hint,
            "feed": reject.feed,
            "report_id": reject.report_id,
            "received_at": reject.received_at,
            "topic": reject.source_topic,
            "partition": reject.source_partition,
            "offset": reject.source_offset,
            "log": reject.source_log,
            "redrive": reject.redrives + 1,
        }
    )
    return b'{"reject": ' + told + b", " + _form(reject.original) + b"}"


def _form(original: bytes) -> bytes:
    try:
        if isinstance(orjson.loads(original), dict):
            report = original.replace(b"\r", b" ").replace(b"\n", b" ").strip()
            # What this reader of JSON takes the other may not: deep nesting.
            if bytes(msgspec.json.decode(report, type=msgspec.Raw)) == report:
                return b'"report": ' + report
    except (orjson.JSONDecodeError, msgspec.DecodeError, RecursionError):
        pass  # no JSON object: one of the other forms
    packed = b'"base64": ' + orjson.dumps(base64.b64encode(original).decode())
    try:
        text = b'"text": ' + orjson.dumps(original.decode())
    except UnicodeDecodeError:
        return packed
    return text if len(text) <= len(packed) else packed


def unwrap(line: bytes, where: str) -> tuple[bytes, Redrive | None]:
    """Return the record of an exported line, and of which reject it is a redrive, if the line still tells.

    Raises:
        InputFileError: it holds no record, or several; ``where`` names the line.
    """
    try:
        read = _line.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{where}: an exported reject that cannot be read ({error})") from None
    given = {name: value for name in _FORMS if (value := getattr(read, name)) is not msgspec.UNSET}
    if len(given) != 1:
        raise InputFileError(f"{where}: an exported reject has one of {', '.join(_FORMS)}, not {len(given)}")
    ((form, value),) = given.items()
    return _bytes(form, value, where), _redrive(read.reject)


def _bytes(form: str, value: msgspec.Raw | str, where: str) -> bytes:
    if not isinstance(value, str):
        return bytes(value)
    if form == "text":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputFileError(f"{where}: base64 that cannot be read ({error})") from None


def _redrive(said: _From) -> Redrive | None:
    if said.topic is None or said.partition is None or said.offset is None:
        return None
    return Redrive(Origin(said.topic, said.partition, said.offset, said.log or ""), said.redrive)
