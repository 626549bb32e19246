"""Matters of a status that a person should look at first."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from schemas.truceday import to_micros
from streams.ops.rejects import growth
from streams.ops.status import AMENDED_LATELY, Status, refused_sentence
from streams.ops.wording import counted


class Matter(NamedTuple):
    """Matter with the command that tells more, and the page that does."""

    text: str
    command: str
    page: str


def attention(status: Status) -> list[Matter]:
    """Return what needs attention, the most urgent first."""
    needed = {window.region for window in status.windows if window.in_gate}
    today = running_day(status)
    found = [
        Matter(
            f"{cell.region} {cell.region_name} is BROKEN on the running day",
            f"explain {cell.region} {cell.truce_day}",
            f"/region/{cell.region}/{cell.truce_day}",
        )
        for cell in status.newest
        if cell.truce_day == today and cell.verdict == "BROKEN" and cell.region in needed
    ]
    if (grows := growth(status.reject_rates)) is not None:
        found.append(Matter(grows, "rejects list", "/rejects"))
    if (refused := refused_sentence(status.refused)) is not None:
        found.append(Matter(refused, "rejects list --pending", "/rejects?pending=yes"))
    found += [
        Matter(f"{each.feed} is silent about {', '.join(each.regions)}", "status --all", "/feeds")
        for each in status.silent
        if needed & set(each.regions)
    ]
    contested = [cell for cell in status.cells if cell.contested_by is not None]
    if contested:
        first = contested[0]
        text = f"{counted(len(contested), 'day')} of those shown contested by a monitor's bulletin"
        found.append(Matter(text, f"explain {first.region} {first.truce_day}", "/tables/contradictions"))
    if status.amended:
        text = f"{counted(len(status.amended), 'version')} of final days in the last {AMENDED_LATELY.days} days"
        found.append(Matter(text, "status --all", "/tables/verdict_changes?state=AMENDED&sort=recorded_at&desc=1"))
    if status.to_check is not None and status.to_check.ambiguous:
        text = f"{counted(status.to_check.ambiguous, 'report')} whose place is in doubt"
        found.append(Matter(text, "status --all", "/tables/ambiguous_places"))
    return found


def running_day(status: Status) -> date | None:
    """Return the truce-day that runs at the ledger's time; None after the truce and before the first judgement."""
    if status.now is None or not status.windows:
        return None
    day = max(window.last_day for window in status.windows)
    return day if to_micros(status.now) < status.agreement.calendar.end_of(day) else None
