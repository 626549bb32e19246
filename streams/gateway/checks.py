"""Checks of records before they are published, those of ``publish --dry-run``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.receipts import called_in, digest_of
from schemas.rejects import RejectCode
from streams.feeds.dry_run import Fault, faults, field_in, remedy_of
from streams.feeds.jsonl import peek_record
from streams.feeds.recorded import Named
from streams.gateway.body import Record
from streams.gateway.problems import Problem, Refusal
from streams.intake.examine import Examiner

#: Name of the body where a fault speaks of another record of it.
_BODY = "this request"


class Checked(NamedTuple):
    """Records of one request, those to publish and the faults of the others."""

    sound: list[Named]
    faults: list[Fault]


def checked(records: Sequence[Record], examiners: Sequence[Examiner], feeds: frozenset[str]) -> Checked:
    """Check records. One is at fault where each agreement would refuse it.

    Headers are none of theirs: a record from here settles no reject, and is no tick.

    Raises:
        Refusal: a record names a feed that is none of ``feeds``; then nothing is to be published.
    """
    named = [Named(_BODY, peek_record(value, number)) for number, value in records]
    found = list(faults(named, examiners[0]))
    for number, fault in enumerate(found):
        if fault is not None and fault.code != RejectCode.CONFLICTING_BODY:
            others = (next(faults([named[number]], each)) for each in examiners[1:])
            found[number] = None if any(other is None for other in others) else fault
    sound = [each for each, fault in zip(named, found, strict=True) if fault is None]
    # Of what intake accepts every reader takes the same feed: no name stands twice.
    foreign = {each.report.feed or "" for each in sound} - feeds
    if foreign:
        raise Refusal(
            Problem.FEED_NOT_ALLOWED,
            f"the token publishes as {_listed(feeds)}, and records name {_listed(foreign)}; none was published",
            records=[each.report.line for each in sound if each.report.feed in foreign],
        )
    return Checked(sound, [fault for fault in found if fault is not None])


def told(fault: Fault) -> dict[str, Any]:
    """Return a fault as the answer tells it."""
    return {
        "record": fault.line,
        "feed": fault.feed,
        "report_id": fault.report_id,
        "code": fault.code,
        "field": field_in(fault.code, fault.hint) or None,
        "hint": fault.hint,
        "remedy": remedy_of(fault.code),
    }


def receipt(each: Named, topic: str, partition: int, offset: int) -> dict[str, Any]:
    """Return the receipt of a record that the broker has."""
    feed, report_id, revision = called_in(each.report.value)
    return {
        "record": each.report.line,
        "outcome": "published",
        "feed": feed,
        "report_id": report_id,
        "revision": revision,
        "digest": digest_of(each.report.value),
        "topic": topic,
        "partition": partition,
        "offset": offset,
    }


def _listed(feeds: frozenset[str] | set[str]) -> str:
    named = sorted(feeds)
    return ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
