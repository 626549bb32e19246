"""Status in one screen, with one line for each region."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.text import Text

from sinks.records import Cell, Window
from streams.ops.attention import attention
from streams.ops.grid import STYLES, SYMBOLS, mark_signs, word
from streams.ops.outlook import outlook_sentence
from streams.ops.status import Status, freshness, gate_sentence
from streams.ops.status_text import no_days
from streams.ops.wording import counted, local_time, one_line

#: Columns of a day: a symbol with two marks, and a blank.
_DAY = 4
#: Columns of a streak with its blank, and those that a name needs to be known by.
_STREAK, _LEAST_NAME, _MOST_NAME = 9, 12, 24
#: Matters listed; `status --all` and the page have the rest.
_MOST = 8
_LEGEND = (
    "✓ MET  ✕ BROKEN  ? UNKNOWN  ◐ the day runs",
    "! contested  ± uncertain time  + refused reports",
    "~ provisional  * amended",
)


def show_screen(console: Console, status: Status, asked: tuple[date | None, date | None] = (None, None)) -> None:
    """Print the status in one screen of the console's width; ``asked`` are the first and last day asked for."""
    console.print(Text(one_line(status.agreement.title)))
    console.print(Text(gate_sentence(status.gate), style="bold"))
    if (outlook := outlook_sentence(status)) is not None:
        console.print(Text(outlook))
    zone = status.agreement.clock.time_zone
    now = f"data as of {local_time(status.now, zone)}, " if status.now else ""
    console.print(Text(f"{now}{freshness(status.published_at)}"))
    if status.days:
        _show_grid(console, status)
    else:
        console.print(Text(f"\n{no_days(status, asked)}"))
    matters = attention(status)
    console.print(Text("\nWhat needs attention" if matters else "\nNothing needs attention.", style="bold"))
    for matter in matters[:_MOST]:
        console.print(Text(f"  {one_line(matter.text)} ({matter.command})"))
    if len(matters) > _MOST:
        console.print(Text(f"  ... and {len(matters) - _MOST:,} more"))
    console.print(Text("\n`trucewatch status --all` tells more, `explain REGION DAY` why.", style="grey50"))


def _show_grid(console: Console, status: Status) -> None:
    named = max(len(_name(window)) for window in status.windows)
    name = min(named, max(_LEAST_NAME, min(_MOST_NAME, console.width - _STREAK - _DAY * len(status.days))))
    days = status.days[-max(1, (console.width - name - 1 - _STREAK) // _DAY) :]
    left_out = f", {counted(len(status.days) - len(days), 'earlier day')} left out" if days != status.days else ""
    console.print(Text(f"\nTruce-days {days[0]} to {days[-1]}{left_out}"))
    heads = "".join(f"{day.day:02} ".ljust(_DAY) for day in days)
    console.print(Text(f"{'':{name}} {heads} streak"), soft_wrap=True)
    cells = {(cell.region, cell.truce_day): cell for cell in status.cells}
    for window in status.windows:
        console.print(_row(window, days, cells, name, status.agreement.clock.required_days), soft_wrap=True)
    for line in _LEGEND:
        console.print(Text(line, style="grey50"))


def _row(window: Window, days: Sequence[date], cells: dict[tuple[str, date], Cell], name: int, required: int) -> Text:
    shown = _name(window)
    line = Text(f"{shown if len(shown) <= name else shown[: name - 1] + '…':{name}} ")
    for day in days:
        cell = cells.get((window.region, day))
        if cell is None:
            line.append("·".ljust(_DAY))
            continue
        chosen = word(cell)
        # Two marks have room; explain and the page tell all.
        line.append(f"{SYMBOLS[chosen]}{mark_signs(cell)[: _DAY - 2]}".ljust(_DAY), style=STYLES[chosen])
    line.append(f" {window.streak_days} of {required}" if window.in_gate else f" {window.streak_days} d")
    return line


def _name(window: Window) -> str:
    return f"{window.region} {window.region_name}"
