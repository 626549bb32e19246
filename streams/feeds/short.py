"""Full records of what a person says in one line: a withdrawal, a merger, a stretch without incident."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import msgspec
import orjson

from schemas.errors import UsageError
from schemas.receipts import digest_of
from streams.feeds.editing import changed


class _Standing(msgspec.Struct):
    """Name and standing of a report."""

    feed: str
    report_id: str
    type: str
    revision: int = 1
    status: str = "active"


def withdrawn(body: bytes, now: datetime, reason: str | None, merged_into: str | None = None) -> bytes:
    """Return the next revision of a report, which withdraws it, in favour of another where one is named.

    Raises:
        UsageError: the report does not stand.
    """
    stands = msgspec.json.decode(body, type=_Standing)
    if stands.status != "active" or stands.type == "retraction":
        status = "retracted" if stands.type == "retraction" else stands.status
        raise UsageError(f"{stands.feed}/{stands.report_id} is {status} already: nothing was sent")
    changes = {
        "revision": stands.revision + 1,
        "status": "merged" if merged_into else "retracted",
        "reported_at": _written(now),
    }
    if merged_into:
        changes["merged_into"] = merged_into
    if reason:
        changes["note"] = reason
    return changed(body, changes)


def nothing_seen(
    feed: str, regions: Sequence[str], pcodes: Collection[str], stretch: tuple[datetime, datetime], now: datetime
) -> bytes:
    """Return a notice that a feed watched regions, by P-code or name, for a stretch and saw nothing."""
    notice = {
        "type": "coverage",
        "feed": feed,
        "reported_at": _written(now),
        "occurred": {"from": _written(stretch[0]), "to": _written(stretch[1]), "precision": "minute"},
        "places": [{"pcode": region} if region in pcodes else {"names": [region]} for region in regions],
        "nil": True,
    }
    # Of its content: the same line said again an hour later is another notice, and no conflict.
    return orjson.dumps(notice | {"report_id": f"nil-{digest_of(orjson.dumps(notice))}"})


def _written(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds")
