"""Full records of what a person says in one line: a withdrawal, a merger, a stretch without incident."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic_core import from_json

from schemas.errors import UsageError
from schemas.receipts import digest_of


def withdrawn(body: bytes, now: datetime, reason: str | None, merged_into: str | None = None) -> bytes:
    """Return the next revision of a report, which withdraws it, in favour of another where one is named.

    Raises:
        UsageError: the report does not stand.
    """
    report: dict[str, Any] = from_json(body)
    status = report.get("status", "active")
    if status != "active":
        raise UsageError(f"{report['feed']}/{report['report_id']} is {status} already: nothing was sent")
    report |= {
        "revision": report.get("revision", 1) + 1,
        "status": "merged" if merged_into else "retracted",
        "reported_at": _written(now),
    }
    if merged_into:
        report["merged_into"] = merged_into
    if reason:
        report["note"] = reason
    return orjson.dumps(report)


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
