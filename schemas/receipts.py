"""Receipts, which tell whoever sent a report what became of it.

A record of the receipts topic holds receipts of one feed, one to a line, and its key is the feed's
name. Receipts are delivered at least once: one that comes again says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Annotated

import msgspec

#: Receipts of one record, at most.
MOST_RECEIPTS = 2_000
#: Outcome of a report that was refused.
REJECTED = "rejected"
#: Outcomes of a report that stands, or stood until a later revision.
KEPT = frozenset({"accepted", "corrected", "retracted", "superseded"})

#: Key, value and headers of a record.
Record = tuple[bytes | None, bytes, list[tuple[str, bytes | None]]]


def _told(words: str) -> msgspec.Meta:
    return msgspec.Meta(description=words)


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """Receipt of one report from one agreement."""

    agreement: Annotated[str, _told("Id of the agreement.")]
    outcome: Annotated[
        str,
        _told("accepted, corrected, retracted, duplicate, superseded, rejected or outside; later versions add to it."),
    ]
    digest: Annotated[str, _told("BLAKE2b of the record's value, 8 bytes as hexadecimal digits.")]
    feed: Annotated[str | None, _told("Name of the feed, unless the record is too broken to tell.")] = None
    report_id: Annotated[str | None, _told("The feed's own name for the report.")] = None
    revision: Annotated[int | None, _told("Its revision.")] = None
    code: Annotated[str | None, _told("Why it was rejected, by the published codes.")] = None
    hint: Annotated[str | None, _told("What to mend.")] = None
    region: Annotated[str | None, _told("P-code of the region of an incident or a convoy.")] = None
    truce_day: Annotated[str | None, _told("Its truce-day, as the date on which it starts.")] = None
    counted: Annotated[bool | None, _told("Whether an incident counts for that day; not stated of anything else.")] = (
        None
    )


class _Named(msgspec.Struct):
    """Fields by which a refused report is called, as far as they can be read."""

    feed: object = None
    report_id: object = None
    revision: object = 1


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Receipt)
_named = msgspec.json.Decoder(_Named)


def digest_of(body: bytes) -> str:
    """Return the fingerprint by which a sender knows its report again."""
    return blake2b(body, digest_size=8).hexdigest()


def refusal(agreement: str, outcome: str, body: bytes, code: str | None = None, hint: str | None = None) -> Receipt:
    """Return the receipt of a report that no ledger takes in, called as its bytes call it."""
    return Receipt(agreement, outcome, digest_of(body), *called_in(body), code, hint)


def called_in(body: bytes) -> tuple[str | None, str | None, int | None]:
    """Return feed, report id and revision of a report, each None where its bytes do not tell."""
    try:
        named = _named.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, None, None
    feed, report_id, revision = named.feed, named.report_id, named.revision
    return (
        feed if isinstance(feed, str) else None,
        report_id if isinstance(report_id, str) else None,
        revision if type(revision) is int else None,
    )


def records_of(receipts: Iterable[Receipt]) -> Iterator[Record]:
    """Yield the records of receipts, each of one feed; those of one feed keep their order."""
    by_feed: dict[str | None, list[Receipt]] = {}
    for each in receipts:
        by_feed.setdefault(each.feed, []).append(each)
    for feed, of_feed in by_feed.items():
        key = None if feed is None else feed.encode()
        for first in range(0, len(of_feed), MOST_RECEIPTS):
            yield key, lines_of(of_feed[first : first + MOST_RECEIPTS]), []


def lines_of(receipts: Sequence[Receipt]) -> bytes:
    """Return receipts as lines of JSON."""
    return _encoder.encode_lines(receipts)


def read(value: bytes | None) -> list[Receipt]:
    """Return the receipts of a record.

    Raises:
        msgspec.DecodeError: the value holds no receipts.
    """
    return [_decoder.decode(line) for line in (value or b"").splitlines()]
