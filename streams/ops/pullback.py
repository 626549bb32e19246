"""Text about positions and pull-back lines, shown beside the verdicts."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from schemas.pullback import PullbackLine, PullbackRule
from sinks.pullback import PositionFinding
from streams.ops.status import Status
from streams.ops.tables import plain_table

#: Positions listed one by one under the counts.
MOST_LISTED = 5
_WHY = {
    PullbackRule.BAND: "",
    PullbackRule.LIMIT_IN_DOUBT: "its uncertainty spans the limit",
    PullbackRule.NO_UNCERTAINTY: "it states no uncertainty",
    PullbackRule.SIDE_UNCLEAR: "it may be on either side",
}


def show_pullback(console: Console, status: Status) -> None:
    """Print the counts of each line by truce-day and party, then the worst positions; nothing without lines."""
    for line in status.agreement.pullback:
        days = [day for day in status.pullback_days if day.line == line.id]
        heading = f"\nPull-back from {line.name}, known to ±{line.uncertainty_metres:,} m (beside the verdicts)"
        console.print(Text(heading if days else f"{heading}: no position reported for these days", style="bold"))
        if not days:
            continue
        table = plain_table(
            ("truce-day", "party", "worst"), ("VIOLATION", "INDETERMINATE", "COMPLIANT", "not bound", "not judged")
        )
        for day in days:
            counts = (day.violations, day.indeterminate, day.compliant, day.not_bound, day.not_judged)
            table.add_row(day.truce_day.isoformat(), Text(day.party), day.worst, *(f"{count:,}" for count in counts))
        console.print(table)
        # Of the rules only these leave a question or an accusation; who complies needs no line of their own.
        telling = [each for each in status.positions if each.line == line.id and is_listed(each)]
        for position in telling[:MOST_LISTED]:
            console.print(Text(f"  {position_text(position, line)}"))
        if len(telling) > MOST_LISTED:
            console.print(Text(f"  ... and {len(telling) - MOST_LISTED:,} more; --json lists them all"))


def is_listed(position: PositionFinding) -> bool:
    """Whether a position is worth a line of its own: a violation, or one that may be."""
    return position.finding in ("VIOLATION", "INDETERMINATE")


def position_text(position: PositionFinding, line: PullbackLine) -> str:
    """Return one position in a line: how far, how sure, against which limit; lengths as given and in metres."""
    where = "" if position.distance_metres is None else f"{position.distance_metres:,.0f} m"
    where += f" {position.side}" if position.side else ""
    own = _as_given(position.uncertainty, position.uncertainty_unit, position.uncertainty_metres)
    if position.total_uncertainty_metres is not None:
        where += f" ± {position.total_uncertainty_metres:,.0f} m ({own}, the line {line.uncertainty_metres:,} m)"
    parts = [where, f"at least {position.limit_metres:,} m" if position.limit_metres is not None else ""]
    parts.append(_WHY.get(PullbackRule(position.rule), ""))
    stated = _as_given(position.stated_distance, position.stated_distance_unit, position.stated_distance_metres)
    parts.append(f"the source says {stated}" if stated else "")
    who = f"{position.party}: {position.unit}, {position.weapon_class}"
    return f"{position.finding} {position.truce_day} {who}: {'; '.join(part for part in parts if part)}"


def _as_given(value: float | None, unit: str | None, metres: float | None) -> str:
    """Return a length as its source gives it, and in metres where that is another unit; empty when it gives none.

    Metres have a decimal at most: 1.2 miles were never known to a tenth of a millimetre.
    """
    if value is None or unit is None or metres is None:
        return ""
    given = f"{value:,.10g} {unit}"
    return given if unit == "metres" else f"{given} = {metres:,.1f} m".replace(".0 m", " m")
