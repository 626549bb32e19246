"""Why a record was rejected: the codes, the explanation, and the headers a dead letter carries.

A reject is for the feed that sent the record: its code says what kind of fault it is and never changes meaning;
its hint names the place in the record, what was expected there and what was found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from schemas.broken_json import not_json, not_utf8
from schemas.errors import ReportRejected
from schemas.facts import Origin, Redrive, RejectFact
from schemas.plain_words import did_you_mean, fields_at, found, path_of, say
from schemas.reports import REPORT_TYPES, Report
from schemas.topics import MAX_MESSAGE_BYTES

MOST_FAULTS = 5
#: Characters of a hint: it travels in headers, and is read by people.
MOST_HINT = 2_000

#: Report models by their ``type``, which is also what a location in a pydantic error starts with.
REPORTS_BY_TYPE: dict[str, type[Report]] = {
    model.model_fields["type"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in REPORT_TYPES
}


class RejectCode(StrEnum):
    """Why a record was rejected. ``meaning`` is one line; ``hint`` is what to do when nothing more is known."""

    meaning: str
    hint: str

    def __new__(cls, value: str, meaning: str, hint: str) -> RejectCode:
        """Make a member of its code, meaning and hint."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.hint = hint
        return member

    NOT_JSON = ("not_json", "The value is not JSON that every reader reads alike.", "send one JSON object per record")
    INVALID_UTF8 = ("invalid_utf8", "The value is not UTF-8.", "send JSON in UTF-8")
    TOO_LARGE = ("too_large", "The value is longer than any report may be.", "shorten raw or the texts")
    EMPTY_VALUE = (
        "empty_value",
        "The record has no value.",
        "to withdraw a report publish it again with status 'retracted'",
    )
    UNKNOWN_TYPE = (
        "unknown_type",
        "The field type names no kind of report.",
        f"type is one of {', '.join(REPORTS_BY_TYPE)}",
    )
    UNKNOWN_FIELD = ("unknown_field", "A field is not part of the language.", "put the source's own columns under raw")
    WRONG_TYPE = ("wrong_type", "A field holds another type of value.", "compare the record with the published schema")
    MISSING_FIELD = ("missing_field", "A required field is missing.", "compare the record with the published schema")
    BAD_VALUE = ("bad_value", "A field's value is not allowed.", "compare the record with the published schema")
    TIME_WITHOUT_OFFSET = (
        "time_without_offset",
        "A time does not state its offset from UTC.",
        "write times as 2016-09-12T19:00:00+03:00",
    )
    TIME_IN_FUTURE = ("time_in_future", "A time lies in the future.", "check the clock and the offset of the sender")
    BAD_COORDINATES = (
        "bad_coordinates",
        "Coordinates do not lie on the globe.",
        "give WGS 84 degrees; latitude and longitude may be swapped",
    )
    INTERVAL_BACKWARDS = ("interval_backwards", "A stretch of time ends before it starts.", "swap from and to")
    PLACE_EMPTY = ("place_empty", "A place says nothing.", "give at least one of pcode, names and point")
    MERGE_UNCLEAR = (
        "merge_unclear",
        "Status and merged_into do not go together.",
        "with status 'merged', and only then, name another report of the feed in merged_into",
    )
    UNKNOWN_PLACE = (
        "unknown_place",
        "No region was found for a place.",
        "give an OCHA P-code or the governorate's name",
    )
    AMBIGUOUS_PLACE = (
        "ambiguous_place",
        "A place's name fits several regions.",
        "add the governorate's name or P-code",
    )
    OUTSIDE_AGREEMENTS = (
        "outside_agreements",
        "The report names an agreement and concerns no region of it.",
        "check the region, or leave the agreement out",
    )
    CONFLICTING_BODY = (
        "conflicting_body",
        "The same feed, report_id and revision came before with other content.",
        "count revision up when a report changes",
    )
    UNREADABLE = (
        "unreadable",
        "The record cannot be taken apart: its header names, lengths, checksum or compression are wrong.",
        "publish it again; header names are UTF-8",
    )
    DISMISSAL_UNCLEAR = (
        "dismissal_unclear",
        "A dismissal does not say which reject it is of, why, and who says so.",
        "dismiss it with `trucewatch rejects dismiss`",
    )
    TICK_NOT_ALLOWED = ("tick_not_allowed", "A tick came from outside a replay.", "remove the tick header")


_BY_TYPE: dict[str, RejectCode] = {
    "json_invalid": RejectCode.NOT_JSON,
    "union_tag_invalid": RejectCode.UNKNOWN_TYPE,
    "union_tag_not_found": RejectCode.MISSING_FIELD,
    "extra_forbidden": RejectCode.UNKNOWN_FIELD,
    "missing": RejectCode.MISSING_FIELD,
    "timezone_aware": RejectCode.TIME_WITHOUT_OFFSET,
    "interval_backwards": RejectCode.INTERVAL_BACKWARDS,
    "place_empty": RejectCode.PLACE_EMPTY,
    "merged_into_nothing": RejectCode.MERGE_UNCLEAR,
    "merged_into_unmerged": RejectCode.MERGE_UNCLEAR,
    "merged_into_itself": RejectCode.MERGE_UNCLEAR,
    "int_from_float": RejectCode.WRONG_TYPE,
}
#: Where these are out of range, the coordinates are.
_COORDINATES = ("latitude", "longitude")
_RANGE = ("greater_than_equal", "less_than_equal", "finite_number")


def explain(error: ValidationError) -> ReportRejected:
    """Return the rejection for what validating with ``schemas.reports.ANY_REPORT`` found.

    The code is the first fault's. The hint lists up to five faults as ``path: expected ..., found ...``.
    """
    tagged = error.title.startswith("tagged-union")
    faults = error.errors(include_url=False)
    said = [_say(fault, tagged) for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        said.append((said[0][0], f"and {len(faults) - MOST_FAULTS} more"))
    return ReportRejected(said[0][0], "; ".join(hint for _, hint in said))


def _say(fault: ErrorDetails, tagged: bool) -> tuple[RejectCode, str]:
    kind, loc, value = fault["type"], fault["loc"], fault["input"]
    if kind == "json_invalid":
        return _not_json(fault)
    model: type[BaseModel] = Report
    if tagged and loc:
        model, loc = REPORTS_BY_TYPE[str(loc[0])], loc[1:]
    path = path_of(loc)
    code = _code(kind, loc)
    if kind == "union_tag_not_found":
        return code, f"type: required, but missing; {RejectCode.UNKNOWN_TYPE.hint}"
    if kind == "union_tag_invalid":
        tag = value["type"]
        return code, f"type: {RejectCode.UNKNOWN_TYPE.hint}, found {found(tag)}{did_you_mean(tag, REPORTS_BY_TYPE)}"
    if kind == "missing":
        return code, f"{path}: required, but missing"
    if kind == "extra_forbidden":
        guess = did_you_mean(loc[-1], fields_at(model, loc[:-1]))
        return code, f"{path}: unknown field{guess or '; put the source’s own columns under raw'}"
    return code, f"{path or 'the record'}: {say(fault)}"


def _code(kind: str, loc: tuple[int | str, ...]) -> RejectCode:
    if kind in _RANGE and loc and loc[-1] in _COORDINATES:
        return RejectCode.BAD_COORDINATES
    if (code := _BY_TYPE.get(kind)) is not None:
        return code
    return RejectCode.WRONG_TYPE if kind.endswith("_type") else RejectCode.BAD_VALUE


def _not_json(fault: ErrorDetails) -> tuple[RejectCode, str]:
    value = fault["input"]
    body = value if isinstance(value, bytes) else str(value).encode()
    try:
        body.decode()
    except UnicodeDecodeError as bad:
        return RejectCode.INVALID_UTF8, not_utf8(body, bad.start)
    return RejectCode.NOT_JSON, not_json(body, fault["ctx"]["error"])


class DeadLetter(BaseModel):
    """The Kafka headers of a record on the rejects topic, all of them text.

    Key and value are the rejected record's own, byte for byte, and so are any further headers. The names beginning
    with ``__streams.errors`` are Apache Kafka's (KIP-1034).
    """

    model_config = ConfigDict(extra="allow")

    exception: str = Field(alias="__streams.errors.exception", description="Name of the error; always ReportRejected.")
    message: str = Field(alias="__streams.errors.message", description="Code and hint in one line.")
    topic: str | None = Field(None, alias="__streams.errors.topic", description="Topic the record was read from.")
    partition: str | None = Field(None, alias="__streams.errors.partition", description="Partition it was read from.")
    offset: str | None = Field(None, alias="__streams.errors.offset", description="Offset it was read at.")
    log: str | None = Field(
        None, alias="source-log", description="Which log the offset belongs to; a topic created anew has another."
    )
    original_topic: str | None = Field(
        None, alias="x-original-topic", description="The topic again, where tools that redrive look for it."
    )
    reason_code: RejectCode = Field(alias="reason-code", description="Why it was rejected.")
    hint: str = Field(description="What to mend, and where in the record.")
    attempt: str = Field(pattern=r"^[1-9][0-9]*$", description="How often this record has been rejected.")


#: What Kafka puts around a header, at most, in bytes.
_HEADER_FRAME = 10
#: Headers of a record published again: which reject it is, as ``topic/partition/offset/log``, and for which time.
REDRIVE_OF, REDRIVE_NUMBER = "redrive-of", "redrive-number"

#: Header of a dismissal: which reject it is of, written like ``redrive-of``.
DISMISSAL_OF = "dismissal-of"
#: Characters of a dismissal's reason, and of the name of who dismisses.
MOST_REASON, MOST_NAME = 1_000, 200

_OURS = frozenset(
    ("reason-code", "hint", "source-log", "x-original-topic", "traceparent", "tracestate", REDRIVE_OF, REDRIVE_NUMBER),
)
_POSITION = ("topic", "partition", "offset")
_NUMBER = re.compile(rb"[1-9][0-9]{0,5}")
#: A topic's name as Kafka allows it, and numbers that fit their columns.
_PLACE = re.compile(rb"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,18})/([A-Za-z0-9_.=+-]{0,40})")


def redrive_headers(headers: Sequence[tuple[str, bytes | None]], redrive: Redrive) -> list[tuple[str, bytes | None]]:
    """Return the headers a dead letter is published with again.

    They are its own, ``attempt``, so that counting goes on, and those that name the reject, by which the ledger knows
    a redrive that comes twice. The reasons and the trace of its first journey are left behind.
    """
    kept = [(name, value) for name, value in headers if not (name in _OURS or name.startswith("__streams."))]
    return kept + [(name, value.encode()) for name, value in naming(redrive).items()]


def naming(redrive: Redrive) -> dict[str, str]:
    """Return the headers that name the reject a record is a redrive of."""
    return {REDRIVE_OF: _written(redrive.of), REDRIVE_NUMBER: str(redrive.number)}


def _written(origin: Origin) -> str:
    return f"{origin.topic}/{origin.partition}/{origin.offset}/{origin.log}"


class Dismissal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Value of a dismissal's record: why a reject needs no accepted report, and who says so."""

    reason: Annotated[str, msgspec.Meta(max_length=MOST_REASON, pattern=r"\S")]
    by: Annotated[str, msgspec.Meta(max_length=MOST_NAME, pattern=r"\S")]


def dismissal_record(of: Origin, dismissal: Dismissal) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Return the value and headers that dismiss a reject."""
    return msgspec.json.encode(dismissal), [(DISMISSAL_OF, _written(of).encode())]


def dismissal_in(of: bytes | None, value: bytes) -> tuple[Origin, Dismissal]:
    """Return which reject a record dismisses, why, and who says so, given its header and value.

    Raises:
        ReportRejected: it does not say all three in our words.
    """
    origin = _origin_in(of)
    if origin is None:
        raise ReportRejected(
            RejectCode.DISMISSAL_UNCLEAR,
            f"the header {DISMISSAL_OF} names no rejected record; {RejectCode.DISMISSAL_UNCLEAR.hint}",
        )
    try:
        return origin, msgspec.json.decode(value, type=Dismissal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ReportRejected(
            RejectCode.DISMISSAL_UNCLEAR,
            "the value of a dismissal is one JSON object with a reason, of at most "
            f"{MOST_REASON:,} characters, and a name under by, of at most {MOST_NAME}; "
            f"{RejectCode.DISMISSAL_UNCLEAR.hint}",
        ) from None


def _origin_in(written: bytes | None) -> Origin | None:
    place = _PLACE.fullmatch(written or b"")
    if place is None:
        return None
    topic, partition, offset, log = (part.decode() for part in place.groups())
    return Origin(topic, int(partition), int(offset), log)


def redrive_in(headers: Sequence[tuple[str, bytes | None]]) -> Redrive | None:
    """Return which reject a record is a redrive of; None for one that does not say so in our words."""
    said = {name: value for name, value in headers if name in (REDRIVE_OF, REDRIVE_NUMBER)}
    of, number = _origin_in(said.get(REDRIVE_OF)), _NUMBER.fullmatch(said.get(REDRIVE_NUMBER) or b"")
    return None if of is None or number is None else Redrive(of, int(number[0]))


def fitting(
    key: bytes | None, headers: Sequence[tuple[str, bytes | None]], value_bytes: int
) -> tuple[bytes | None, Sequence[tuple[str, bytes | None]]]:
    """Return the key and headers a record is passed on with: its own, or none where it could not be written again.

    A compressed record may unpack to any size: a topic's limit is one on what is sent.
    """
    room = MAX_MESSAGE_BYTES - value_bytes - len(key or b"")
    if room < 0:
        return fitting(None, headers, value_bytes) if key else (None, ())
    carried = sum(len(name.encode()) + len(value or b"") + _HEADER_FRAME for name, value in headers)
    return key, headers if carried <= room else ()


def dead_letter_headers(
    rejected: RejectFact, headers: Sequence[tuple[str, bytes | None]] = ()
) -> list[tuple[str, bytes | None]]:
    """Return the headers of a dead letter: those the record came with, then why it was rejected.

    A record that was rejected before and published again keeps one set of reasons, the newest, and its ``attempt``
    counts up.
    """
    before = next((value for name, value in headers if name == "attempt"), None)
    attempt = int(before) + 1 if before is not None and _NUMBER.fullmatch(before) else 1
    reasons = {
        "__streams.errors.exception": ReportRejected.__name__,
        "__streams.errors.message": f"{rejected.code}: {rejected.hint}",
    }
    if rejected.origin is not None:
        reasons |= {
            "__streams.errors.topic": rejected.origin.topic,
            "__streams.errors.partition": str(rejected.origin.partition),
            "__streams.errors.offset": str(rejected.origin.offset),
            "x-original-topic": rejected.origin.topic,
        }
        if rejected.origin.log:
            reasons["source-log"] = rejected.origin.log
    reasons |= {"reason-code": str(rejected.code), "hint": rejected.hint, "attempt": str(attempt)}
    kept = [(name, value) for name, value in headers if name not in reasons]
    return kept + [(name, value.encode()) for name, value in reasons.items()]


def source_of(headers: Sequence[tuple[str, bytes | None]]) -> Origin | None:
    """Return which record a dead letter is of; None for one that does not say so in our words."""
    said = dict(headers)
    topic, partition, offset, log = (
        said.get(name) or b"" for name in (*(f"__streams.errors.{name}" for name in _POSITION), "source-log")
    )
    place = _PLACE.fullmatch(b"/".join((topic, partition, offset, log)))
    if place is None:
        return None
    return Origin(topic.decode(), int(partition), int(offset), log.decode())
