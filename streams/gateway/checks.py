"""Checks of records before they are published, those of ``publish --dry-run``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import tee
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


def checking(records: Sequence[Record], examiners: Sequence[Examiner]) -> Iterator[tuple[Named, Fault | None]]:
    """Check records one by one. One is at fault where each agreement would refuse it.

    Headers are none of theirs: a record from here settles no reject, and is no tick.
    """
    given, compared = tee(Named(_BODY, peek_record(value, number)) for number, value in records)
    for each, fault in zip(given, faults(compared, examiners[0]), strict=True):
        if fault is None or fault.code == RejectCode.CONFLICTING_BODY:
            yield each, fault
        else:
            others = (next(faults([each], other)) for other in examiners[1:])
            yield each, None if any(other is None for other in others) else fault


def parted(found: Sequence[tuple[Named, Fault | None]], feeds: frozenset[str]) -> Checked:
    """Return checked records, those to publish apart from the others.

    Raises:
        Refusal: a record names a feed that is none of ``feeds``; then nothing is to be published.
    """
    sound = [each for each, fault in found if fault is None]
    # Of what intake accepts every reader takes the same feed: no name stands twice.
    foreign = {each.report.feed or "" for each in sound} - feeds
    if foreign:
        raise Refusal(
            Problem.FEED_NOT_ALLOWED,
            f"the token publishes as {_listed(feeds)}, and records name {_listed(foreign)}; none was published",
            records=[each.report.line for each in sound if each.report.feed in foreign],
        )
    return Checked(sound, [fault for _, fault in found if fault is not None])


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
