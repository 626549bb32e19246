"""Text and JSON of rejects and of their growth."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from schemas.rejects import RejectCode
from sinks.records import jsonable
from sinks.rejects import Reject, RejectRate, RejectShare
from streams.ops.tables import plain_table
from streams.ops.wording import counted, local_time, one_line, visible

#: Fewer are no growth, whatever they were before: one feed's slip of the pen is no alarm.
LEAST_GROWTH = 10
#: So many times the rate before are a growth.
GROWTH = 2
#: Characters of a record shown; ``export`` writes it whole.
MOST_SHOWN = 20_000


def growth(rates: Sequence[RejectRate]) -> str | None:
    """Return a sentence when rejects grow; None when they do not, or when there is nothing to compare with.

    They grow with 10 or more in the last hour and more than twice the hourly mean of the 24 hours before. The
    same holds of the last day against the seven days before.
    """
    for rate in rates:
        if rate.hours_before <= 0 or rate.rejects < LEAST_GROWTH:
            continue
        usual = rate.rejects_before * rate.hours / rate.hours_before
        if rate.rejects > GROWTH * usual:
            span = "hour" if rate.hours == 1 else f"{rate.hours} hours"
            return f"rejects are growing: {rate.rejects:,} in the last {span}, {usual:,.1f} in as long before"
    return None


def show_rejects(
    console: Console, listed: Sequence[Reject], shares: Sequence[RejectShare], rates: Sequence[RejectRate], zone: str
) -> None:
    """Print the rejects listed, newest first, and all that were chosen by code and feed; times are the zone's."""
    if not shares:
        console.print(Text("No record was rejected."))
        return
    for reject in listed:
        who = (
            f"{reject.feed or '?'}/{reject.report_id or '?'}"
            if reject.feed or reject.report_id
            else "sender unreadable"
        )
        outcome = f", {_redriven(reject, zone)}" if reject.redrives else ""
        outcome += f", {_dismissed(reject, zone)}" if reject.dismissed_by is not None else ""
        outcome += f", pending on {_days(reject)}" if reject.pending else ""
        console.print(Text(one_line(f"{reject.id}  {reject.code}  {who}  {_at(reject.received_at, zone)}{outcome}")))
        console.print(Text(f"    {one_line(reject.hint)}", style="grey50"))
    records = sum(share.records for share in shares)
    shown = f", the newest {len(listed):,} shown" if len(listed) < records else ""
    console.print(Text(f"\n{counted(records, 'record')} rejected{shown}", style="bold"))
    summary = plain_table(("code", "feed"), ("rejected", "not redriven"))
    summary.add_column("last")
    for share in shares:
        summary.add_row(
            Text(one_line(share.code)),
            Text(one_line(share.feed or "(unreadable)")),
            f"{share.records:,}",
            f"{share.not_redriven:,}",
            _at(share.last_received_at, zone),
        )
    console.print(summary)
    if (grows := growth(rates)) is not None:
        console.print(Text(f"\n{grows}", style="bold"))


def show_reject(console: Console, reject: Reject, zone: str) -> None:
    """Print a reject, its bytes without what steers a terminal, and what to do."""
    place = "not known"
    if reject.source_topic is not None:
        place = f"{reject.source_topic}, partition {reject.source_partition}, offset {reject.source_offset}"
    facts = {
        "reject": str(reject.id),
        "code": f"{reject.code}: {_meaning(reject.code)}",
        "hint": reject.hint,
        "feed": reject.feed or "unreadable",
        "report_id": reject.report_id or "unreadable",
        "received": _at(reject.received_at, zone) or "not known",
        "read from": place,
        "redriven": _redriven(reject, zone) if reject.redrives else "never",
        "dismissed": "never" if reject.dismissed_by is None else _dismissed(reject, zone),
        "pending": _days(reject) if reject.pending else _not_pending(reject),
    }
    for name, value in facts.items():
        console.print(Text(f"{name:<10} {one_line(value)}"))
    kept = "" if reject.whole else f", of which the first {len(reject.original):,} are kept"
    console.print(Text(f"\nThe record, {counted(reject.original_bytes, 'byte')}{kept}:", style="bold"))
    text = reject.original.decode(errors="backslashreplace")
    for line in text[:MOST_SHOWN].splitlines():
        console.print(Text(f"  | {visible(line)}"))
    if len(text) > MOST_SHOWN:
        console.print(Text(f"  ... and {len(text) - MOST_SHOWN:,} more characters; `rejects export` writes it whole"))
    console.print(Text(f"\n{_advice(reject)}"))


def reject_json(reject: Reject, *, with_bytes: bool = False) -> dict[str, Any]:
    """Return a reject as values; its bytes as ``original`` where they are text, else as ``original_base64``."""
    fields: dict[str, Any] = jsonable(reject)
    original: bytes = fields.pop("original")
    if with_bytes:
        try:
            fields["original"] = original.decode()
        except UnicodeDecodeError:
            fields["original_base64"] = base64.b64encode(original).decode()
    return fields


def listing_json(
    listed: Sequence[Reject], shares: Sequence[RejectShare], rates: Sequence[RejectRate]
) -> dict[str, Any]:
    """Return everything ``show_rejects`` prints as values."""
    return {
        "rejects": [reject_json(reject) for reject in listed],
        "summary": jsonable(list(shares)),
        "rates": jsonable(list(rates)),
        "growing": growth(rates),
    }


def _redriven(reject: Reject, zone: str) -> str:
    when = f" at {_at(reject.redriven_at, zone)}" if reject.redriven_at else ""
    times = f", for the {reject.redrives}. time" if reject.redrives > 1 else ""
    became = (
        f"rejected again, as {reject.redrive_offset}"
        if reject.redrive_outcome == "rejected"
        else reject.redrive_outcome
    )
    return f"published again{when}{times}: {became}"


def _dismissed(reject: Reject, zone: str) -> str:
    when = f" at {_at(reject.dismissed_at, zone)}" if reject.dismissed_at else ""
    return f"dismissed{when} by {reject.dismissed_by}: {reject.dismissal_reason}"


def _days(reject: Reject) -> str:
    return f"{', '.join(reject.regions or ())}, truce-day {reject.truce_day}"


def _not_pending(reject: Reject) -> str:
    """Say why a reject marks no day."""
    if reject.report_known:
        return "no: a report of this feed and report_id was accepted"
    if not reject.regions:
        return "no: it does not tell both a region of the agreement and a time"
    return "no: settled"


def _meaning(code: str) -> str:
    return next((one.meaning for one in RejectCode if one == code), "") or "a code this version does not know"


def _advice(reject: Reject) -> str:
    if reject.redrive_outcome == "rejected":
        return f"It goes on as reject {reject.redrive_offset}: `trucewatch rejects show {reject.redrive_offset}`."
    if reject.redrive_outcome is not None or reject.dismissed_by is not None:
        return "Nothing is left to do."
    if not reject.whole:
        return "Make it smaller at its source, and publish it from there."
    return (
        f"To mend it: `trucewatch rejects redrive {reject.id} --edit KEY=VALUE`, or `trucewatch rejects export FILE`, "
        "mend the file and `trucewatch publish` it.\n"
        f"When the fault was on this side: `trucewatch rejects redrive {reject.id}`.\n"
        f"When no report is owed: `trucewatch rejects dismiss {reject.id} --reason TEXT --by NAME`."
    )


def _at(instant: datetime | None, zone: str) -> str:
    return "" if instant is None else local_time(instant, zone)
