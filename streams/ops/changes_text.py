"""Words for the change that a version of a verdict made."""

from __future__ import annotations

from sinks.records import VerdictChange
from streams.ops.wording import one_line


def turn_text(change: VerdictChange) -> str:
    """Return the verdict before and after, or the one verdict where it stayed."""
    if change.verdict_before in (None, change.verdict):
        return change.verdict
    return f"{change.verdict_before} to {change.verdict}"


def moved_text(change: VerdictChange) -> str:
    """Return the figures and the evidence that changed, or that the reasons did."""
    moved = [
        f"{one['field']} {_value(one['old'])} to {_value(one['new'])}"
        for one in change.changed
        if one["field"] not in ("verdict", "state", "reasons")
    ]
    decides = [*change.evidence_added, *(f"no longer {name}" for name in change.evidence_removed)]
    moved += [f"decides: {', '.join(map(one_line, decides))}"] if decides else []
    return ", ".join(moved) or "its reasons"


def cause_text(change: VerdictChange) -> str:
    """Return the reports that made the version, or that time did."""
    if not change.reports:
        return "by the passing of time"
    more = f" and {change.more_reports:,} more" if change.more_reports else ""
    return f"by {', '.join(map(one_line, change.reports))}{more}"


def _value(value: object) -> object:
    return "none" if value is None else value
