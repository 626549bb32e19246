"""Text and JSON of the recorded judgement and its alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.agreement import Agreement
from schemas.truceday import Micros, from_micros
from sinks.records import jsonable
from streams.ops.changes_text import field_text, value_text
from streams.ops.grid import LEGEND, cell_text, show_grids
from streams.ops.status import Status, gate_sentence
from streams.ops.tables import plain_table
from streams.ops.wording import counted, local_time
from streams.whatif.changes import differing_keys
from streams.whatif.difference import Differences, FieldChange, Totals, totals
from streams.whatif.judge import Rejudgement

#: Differences listed in text; JSON has all.
MOST_SHOWN = 20
_FINDINGS = ("violence", "access", "verdict")


@dataclass(frozen=True)
class Outcome:
    """Alternative, judged and compared.

    ``status`` and ``differences`` are of the truce-days asked for.
    """

    name: str
    agreement: Agreement
    judged: Rejudgement
    status: Status
    differences: Differences


def show(console: Console, judged_at: Micros, recorded: Status, outcomes: Sequence[Outcome], shown: int | None) -> None:
    """Print the recorded grid, each other one with what differs, and all of them in one table.

    Args:
        judged_at: the ledger's time of all of them.
        shown: the most truce-days to show of a grid, the last ones; all when None.
    """
    console.print(Text(f"As recorded: {recorded.agreement.title}", style="bold"))
    at = local_time(from_micros(judged_at), recorded.agreement.clock.time_zone)
    console.print(Text(f"All judged at {at}, on what was known then"))
    _grid(console, recorded, shown)
    for outcome in outcomes:
        console.print(Text(f"\nWhat if: {outcome.name}", style="bold"))
        for key, before, after in differing_keys(recorded.agreement, outcome.agreement):
            console.print(Text(f"  {key}: {_short(before)} → {_short(after)}"))
        _records(console, outcome.judged)
        if not outcome.differences:
            console.print(Text("No difference: its grid is the recorded one."))
            continue
        _grid(console, outcome.status, shown)
        _differences(console, recorded, outcome)
    console.print(Text(f"\n{LEGEND}\n", style="grey50"))
    console.print(_table(recorded, outcomes))
    for outcome in outcomes:
        console.print(Text(f"{outcome.name}: {summary(outcome.differences)}"))
    if shown is None and recorded.days:
        # Else a streak of 18 days beside a longest run of 3 looks like a fault.
        span = f"{recorded.days[0]} to {recorded.days[-1]}"
        console.print(Text(f"Verdicts and runs are those of {span}; streaks and the gate are the last judged."))


def summary(differences: Differences) -> str:
    """Return in one line how much differs."""
    if not differences:
        return f"no difference in {counted(differences.compared, 'verdict')}, any streak or the gate"
    turns = differences.turns()
    listed = ", ".join(f"{count:,} {before} → {after}" for (before, after), count in turns.most_common())
    figures = len(differences.cells) - turns.total()
    parts = [
        f"{turns.total():,} of {counted(differences.compared, 'verdict')} differ{f' ({listed})' if listed else ''}",
        f"{figures:,} more in a leg or figures only" if figures else "",
        f"{counted(len(differences.streaks), 'streak')}" if differences.streaks else "",
        "the gate" if differences.gate else "",
    ]
    return ", ".join(filter(None, parts))


def whatif_json(file: str, judged_at: Micros, recorded: Status, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything the text shows, and every difference, as values."""
    return {
        "file": file,
        "judged_at": jsonable(from_micros(judged_at)),
        "recorded": _status_json(recorded),
        "alternatives": [
            {
                "name": outcome.name,
                "changed": [
                    {"key": key, "before": before, "after": after}
                    for key, before, after in differing_keys(recorded.agreement, outcome.agreement)
                ],
                "records": outcome.judged.records,
                "outside": outcome.judged.outside,
                "refused": outcome.judged.refused,
                "admitted": outcome.judged.admitted,
                **_status_json(outcome.status),
                "differences": {
                    "summary": summary(outcome.differences),
                    "compared": outcome.differences.compared,
                    "verdicts": jsonable(outcome.differences.cells),
                    "streaks": jsonable(outcome.differences.streaks),
                    "gate": jsonable(outcome.differences.gate),
                },
            }
            for outcome in outcomes
        ],
    }


def _status_json(status: Status) -> dict[str, Any]:
    return {
        "agreement": status.agreement.model_dump(mode="json"),
        "totals": jsonable(totals(status)),
        "truce_days": jsonable(status.days),
        "verdicts": [{**jsonable(cell), "text": cell_text(cell)} for cell in status.cells],
        "windows": jsonable(status.windows),
        "gate": jsonable(status.gate),
    }


def _grid(console: Console, status: Status, shown: int | None) -> None:
    if not status.days:
        console.print(Text(f"No truce-day is judged; the agreement's first is {status.agreement.first_day}."))
        return
    days = status.days if shown is None else status.days[-shown:]
    show_grids(console, replace(status, days=days))
    console.print(Text(f"\n{gate_sentence(status.gate)}"))


def _records(console: Console, judged: Rejudgement) -> None:
    """Print the records whose outcome in this agreement's intake differs from the recorded one."""
    if judged.outside:
        console.print(Text(f"  {counted(judged.outside, 'report')} of no region of it"))
    for code, records in sorted(judged.refused.items()):
        console.print(Text(f"  {counted(records, 'report')} refused: {code}"))
    if judged.admitted:
        console.print(Text(f"  {counted(judged.admitted, 'rejected record')} admitted"))


def _differences(console: Console, recorded: Status, outcome: Outcome) -> None:
    differences = outcome.differences
    if (recorded.agreement.clock.anchor, recorded.agreement.clock.time_zone) != (
        outcome.agreement.clock.anchor,
        outcome.agreement.clock.time_zone,
    ):
        console.print(Text("Truce-days are cut otherwise here: days of one name are not the same hours."))
    console.print(Text("\nDifferences"))
    findings = [each for each in differences.cells if any(one.field in _FINDINGS for one in each.changed)]
    for each in findings[:MOST_SHOWN]:
        console.print(Text(f"  {each.region} {each.truce_day}: {_change_text(each.changed, each.before, each.after)}"))
    if len(findings) > MOST_SHOWN:
        console.print(Text(f"  ... and {len(findings) - MOST_SHOWN:,} more findings; --json lists them all"))
    if figures := len(differences.cells) - len(findings):
        console.print(Text(f"  {counted(figures, 'day')} of a region in figures only; --json lists them"))
    for streak in differences.streaks:
        console.print(Text(f"  streak of {streak.region}: {_change_text(streak.changed)}"))
    if differences.gate:
        console.print(Text(f"  gate: {_change_text(differences.gate)}"))


def _change_text(changed: Sequence[FieldChange], before: object = "", after: object = "") -> str:
    if before is None:
        return "not judged → judged"
    if after is None:
        return "judged → not judged"
    return "; ".join(field_text(one.field, one.before, one.after, "→") for one in changed)


def _short(value: Any) -> str:
    text = value_text(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _table(recorded: Status, outcomes: Sequence[Outcome]) -> Table:
    table = plain_table()
    table.add_column("", no_wrap=True)
    for heading in ("MET", "BROKEN", "UNKNOWN", "differ", "longest run", "in all at once", "gate"):
        table.add_column(heading, justify="right")
    _line(table, "as recorded", totals(recorded), "")
    for outcome in outcomes:
        _line(table, outcome.name, totals(outcome.status), f"{outcome.differences.turns().total():,}")
    return table


def _line(table: Table, name: str, sums: Totals, differ: str) -> None:
    table.add_row(
        Text(name),
        f"{sums.met:,}",
        f"{sums.broken:,}",
        f"{sums.unknown:,}",
        differ,
        f"{sums.longest_run} d",
        f"{sums.longest_joint_run} d",
        f"{'open' if sums.gate_open else 'closed'}, {sums.regions_holding} of {sums.regions_needed}",
    )
