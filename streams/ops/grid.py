"""The grid of regions and truce-days, as text. Symbols and words carry the meaning; colour only repeats it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from streams.ops.standing import Cell, Region, Standing

#: Blue, vermilion and grey of the Okabe-Ito palette: told apart by every kind of colour vision, on dark and light.
_STYLES = {"MET": "#0072B2", "BROKEN": "bold #D55E00", "UNKNOWN": "grey50", "OPEN": "grey50"}
_SYMBOLS = {"MET": "✓", "BROKEN": "✕", "UNKNOWN": "?", "OPEN": "◐"}
_MARKS = {"PROVISIONAL": "~", "AMENDED": "*"}
LEGEND = (
    "✓ MET   ✕ BROKEN   ? UNKNOWN: not watched enough to tell   ◐ OPEN: the day still runs\n"
    "12/3.2 = incidents in scope / limit   aid = access decided, both = violence and access did; else violence\n"
    "~ provisional: late reports may change it   * amended: changed after it was final"
)
#: A day's column with its padding; a grid wider than the screen is cut into blocks of days.
_DAY_WIDTH = 13
_MARGIN_WIDTH = 38


def word(cell: Cell) -> str:
    """The one word for a cell: OPEN while the day runs, unless it is BROKEN already and can only stay so."""
    return "OPEN" if cell.state == "OPEN" and cell.verdict != "BROKEN" else cell.verdict


def cell_text(cell: Cell) -> str:
    """Return a cell on one line: ``✕ BROKEN 12/3.2``; ``aid`` where access decided, and a mark for what may change."""
    return " ".join(cell_lines(cell))


def cell_lines(cell: Cell) -> tuple[str, str]:
    """Return a cell on two lines, finding above figures, so that a week fits beside the names."""
    chosen = word(cell)
    figures = f"{cell.incidents}/{number(cell.limit)}"
    return (
        f"{_SYMBOLS.get(chosen, ' ')} {chosen}{_MARKS.get(cell.state, '')}",
        " ".join(filter(None, (figures, _legs(cell)))),
    )


def number(value: float) -> str:
    """A limit with at most one decimal: it is a share of a mean, but compared with whole incidents."""
    return f"{value:.1f}".removesuffix(".0")


def grids(standing: Standing, width: int) -> Iterator[Table]:
    """Yield the grid in as many tables as ``width`` needs, each with whole days; the last one has the streaks."""
    per_block = max(1, (width - _MARGIN_WIDTH) // _DAY_WIDTH)
    cells = {(cell.region, cell.day): cell for cell in standing.cells}
    for start in range(0, len(standing.days), per_block):
        days = standing.days[start : start + per_block]
        with_streaks = start + per_block >= len(standing.days)
        table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
        table.add_column("region", no_wrap=True)
        for day in days:
            table.add_column(f"{day:%a} {day.isoformat()[5:]}", no_wrap=True)
        if with_streaks:
            table.add_column("streak", no_wrap=True)
        for region in standing.regions:
            row = [Text(f"{region.pcode} {region.name}")]
            row.extend(_block(cells.get((region.pcode, day))) for day in days)
            if with_streaks:
                row.append(_streak(region, standing.agreement.clock.required_days))
            table.add_row(*row)
        yield table


def streak_text(region: Region, required: int) -> str:
    """Return ``3 of 7 days`` and what ended the last streak."""
    length = f"{region.streak_days} of {required} days"
    if region.streak_ended_day is None:
        return length
    return f"{length}; ended by {region.streak_ended_by} on {region.streak_ended_day}"


def _block(cell: Cell | None) -> Text:
    if cell is None:
        return Text("·")
    return Text("\n".join(cell_lines(cell)), style=_STYLES.get(word(cell), ""))


def _streak(region: Region, required: int) -> Text:
    if not region.in_gate:
        return Text(f"{region.streak_days} d\nnot in gate", style="grey50")
    held = region.streak_days >= required
    return Text(f"{region.streak_days} of {required}\n{'holds' if held else ''}", style=_STYLES["MET"] if held else "")


def _legs(cell: Cell) -> str:
    if cell.verdict == "MET" or "access" not in cell.deciding:
        return ""
    return "both" if "violence" in cell.deciding else "aid"
