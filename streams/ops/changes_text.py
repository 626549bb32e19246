"""Words for what a version of a verdict, or other rules, changed."""

from __future__ import annotations

from typing import Any

from sinks.records import VerdictChange
from streams.ops.wording import one_line

#: Columns as people say them.
_WORDS = {
    "contested_by": "contested by",
    "incidents_sure": "sure incidents",
    "incidents_possible": "possible incidents",
    "refused_pending": "refused and pending",
    "incidents_out_of_scope": "out of scope",
    "counted": "held against the limit",
    "violence_limit": "limit",
    "covered_share": "covered",
    "deaths_low": "deaths (low)",
    "deaths_best": "deaths",
    "deaths_high": "deaths (high)",
    "incidents_without_toll": "without a toll",
    "in_gate": "needed by the gate",
    "streak_days": "days",
    "streak_ended_day": "ended on",
    "streak_ended_by": "ended by",
    "is_open": "open",
    "required_days": "required days",
    "shortest_streak": "shortest streak",
    "regions_holding": "regions holding",
    "regions_needed": "regions needed",
}
#: A double has no more than these after the point that tell it from another, of the size of a limit.
_MOST_DECIMALS = 17


def turn_text(change: VerdictChange) -> str:
    """Return the verdict before and after, or the one verdict where it stayed."""
    if change.verdict_before in (None, change.verdict):
        return change.verdict
    return f"{change.verdict_before} to {change.verdict}"


def moved_text(change: VerdictChange) -> str:
    """Return the figures and the evidence that changed, or that the reasons did."""
    moved = [
        field_text(one["field"], one["old"], one["new"])
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


def field_text(field: str, old: Any, new: Any, joint: str = "to") -> str:
    """Return a column before and after: ``limit 2.48 to 2.49``, ``covered 0 % to 92 %``.

    Numbers that differ are told with as many decimals as it takes to see it.
    """
    unit, decimals = "", 2
    if field == "covered_share":
        unit, decimals = " %", 0
        old, new = (None if value is None else 100.0 * value for value in (old, new))
    while decimals < _MOST_DECIMALS and old != new and value_text(old, decimals) == value_text(new, decimals):
        decimals += 1
    told = [value_text(value, decimals) + (unit if value is not None else "") for value in (old, new)]
    return f"{_WORDS.get(field, field)} {f' {joint} '.join(told)}"


def value_text(value: Any, decimals: int = 2) -> str:
    """Return a value of a column, a fraction rounded."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        rounded = f"{value:.{decimals}f}"
        return rounded.rstrip("0").rstrip(".") if decimals else rounded
    return str(value)
