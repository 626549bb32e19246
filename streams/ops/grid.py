"""Grid of regions and truce-days, as text.

Symbols and words carry the meaning; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sinks.records import Cell, Window
from streams.ops.status import Status
from streams.ops.tables import plain_table

#: Blue, vermilion and grey of the Okabe-Ito palette: told apart by every kind of colour vision, on dark and light.
STYLES = {"MET": "#0072B2", "BROKEN": "bold #D55E00", "UNKNOWN": "grey50", "OPEN": "grey50"}
SYMBOLS = {"MET": "✓", "BROKEN": "✕", "UNKNOWN": "?", "OPEN": "◐"}
_MARKS = {"PROVISIONAL": "~", "AMENDED": "*"}
#: Marks as words, where there is room for them.
_MARK_WORDS = {
    "!": "contested",
    "±": "uncertain time",
    "+": "refused reports pending",
    "~": "provisional",
    "*": "amended",
}
LEGEND = (
    "✓ MET   ✕ BROKEN   ? UNKNOWN: not watched enough to tell   ◐ OPEN: the day still runs\n"
    "! contested: a monitor's bulletin of the day counts more than the limit\n"
    "+ refused: reports of the day were refused, and neither accepted nor dismissed since\n"
    "± uncertain time: with those that are possible on several days, more incidents than the limit\n"
    "12/3.2 = incidents in scope / limit (12+5: 5 more are possible),\n"
    "or a monitor's count where the agreement goes by bulletins (– without one)\n"
    "aid = access decided, both = violence and access did; else violence\n"
    "~ provisional: late reports may change it   * amended: changed after it was final"
)
#: Legs as cells write them; one that is not listed is written out.
_SHORT = {"access": "aid"}
#: A day's column with its padding; a grid wider than the screen is cut into blocks of days.
_DAY_WIDTH = 13
_MARGIN_WIDTH = 38


def word(cell: Cell) -> str:
    """The one word for a cell: OPEN while the day runs, unless it is BROKEN already, which must not be hidden."""
    return "OPEN" if cell.state == "OPEN" and cell.verdict != "BROKEN" else cell.verdict


def cell_text(cell: Cell) -> str:
    """Return a cell on one line: ``✕ BROKEN 12/3.2``; ``aid`` where access decided, and a mark for what may change."""
    return " ".join(cell_lines(cell))


def cell_lines(cell: Cell) -> tuple[str, str]:
    """Return a cell on two lines, finding above figures, so that a week fits beside the names."""
    chosen = word(cell)
    return f"{SYMBOLS.get(chosen, ' ')} {chosen}{mark_signs(cell)}", figures(cell)


def figures(cell: Cell) -> str:
    """Return the count held against the limit, the limit, and the legs decided by: ``12+5/3.2 both``."""
    counted = "–" if cell.counted is None else cell.counted
    possible = f"+{cell.counted_possible}" if cell.counted_possible else ""
    against = f"{counted}{possible}/{number(cell.violence_limit, cell.counted, _with_possible(cell))}"
    return " ".join(filter(None, (against, _legs(cell))))


def mark_words(cell: Cell) -> list[str]:
    """Return what is doubtful or may change about a cell, in words."""
    return [_MARK_WORDS[mark] for mark in mark_signs(cell)]


def _with_possible(cell: Cell) -> int | None:
    return None if cell.counted is None else cell.counted + cell.counted_possible


def mark_signs(cell: Cell) -> str:
    """Return the marks of what is doubtful or may change about a cell."""
    doubts = {"!": cell.contested_by, "±": cell.reasons[0]["rule"] == "uncertain_time", "+": cell.refused_pending}
    return "".join(mark for mark, holds in doubts.items() if holds) + _MARKS.get(cell.state, "")


def number(value: float, *against: int | None) -> str:
    """A limit with at most two decimals, or as many more as tell it from the counts ``against`` it.

    Rounded to 4, a limit of 3.96 would seem to allow four incidents. A BROKEN day never reads ``3/3``.
    """
    decimals = 2
    while float(f"{value:.{decimals}f}") in {count for count in against if count != value}:
        decimals += 1
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def show_grids(console: Console, status: Status) -> None:
    """Print the grid with how its truce-days are cut."""
    clock = status.agreement.clock
    last = f"; the last ends {clock.ends:%Y-%m-%d %H:%M}" if clock.ends else ""
    console.print(Text(f"Truce-days from {clock.anchor:%H:%M} {clock.time_zone}, named by the day they start{last}"))
    for table in grids(status, console.width):
        console.print()
        console.print(table)


def grids(status: Status, width: int) -> Iterator[Table]:
    """Yield the grid in as many tables as ``width`` needs, each with whole days; the last one has the streaks."""
    per_block = max(1, (width - _MARGIN_WIDTH) // _DAY_WIDTH)
    cells = {(cell.region, cell.truce_day): cell for cell in status.cells}
    for start in range(0, len(status.days), per_block):
        days = status.days[start : start + per_block]
        with_streaks = start + per_block >= len(status.days)
        table = plain_table()
        table.add_column("region", no_wrap=True)
        for day in days:
            table.add_column(f"{day:%a} {day.isoformat()[5:]}", no_wrap=True)
        if with_streaks:
            table.add_column("streak", no_wrap=True)
        for region in status.windows:
            row = [Text(f"{region.region} {region.region_name}")]
            row.extend(_block(cells.get((region.region, day))) for day in days)
            if with_streaks:
                row.append(_streak(region, status.agreement.clock.required_days))
            table.add_row(*row)
        yield table


def streak_text(region: Window, required: int) -> str:
    """Return ``3 of 7 days`` and what ended the last streak."""
    length = f"{region.streak_days} of {required} days"
    if region.streak_ended_day is None:
        return length
    return f"{length}; ended by {region.streak_ended_by} on {region.streak_ended_day}"


def worst_day(cells: Sequence[Cell], region: str) -> Cell | None:
    """Return the first BROKEN day of a region, else its first UNKNOWN one; None when all are MET."""
    of_region = [cell for cell in cells if cell.region == region]
    ranked = [cell for verdict in ("BROKEN", "UNKNOWN") for cell in of_region if cell.verdict == verdict]
    return ranked[0] if ranked else None


def reason_text(cell: Cell) -> str:
    """Return why a day was found so, in the words of the legs its verdict rests on."""
    return "; ".join(reason["text"] for reason in cell.reasons if reason["finding"] == cell.verdict)


def _block(cell: Cell | None) -> Text:
    if cell is None:
        return Text("·")
    return Text("\n".join(cell_lines(cell)), style=STYLES.get(word(cell), ""))


def _streak(region: Window, required: int) -> Text:
    if not region.in_gate:
        return Text(f"{region.streak_days} d\nnot in gate", style="grey50")
    held = region.streak_days >= required
    return Text(f"{region.streak_days} of {required}\n{'holds' if held else ''}", style=STYLES["MET"] if held else "")


def _legs(cell: Cell) -> str:
    """Which legs the verdict rests on, where that is not violence alone."""
    decided = [reason["leg"] for reason in cell.reasons if reason["finding"] == cell.verdict]
    if cell.verdict == "MET" or decided == ["violence"]:
        return ""
    return "both" if decided == ["violence", "access"] else " ".join(_SHORT.get(leg, leg) for leg in decided)
