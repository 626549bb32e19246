"""Overview, made of fragments that are sent anew one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sinks.records import Cell, VerdictChange, jsonable
from sinks.rolling import RollingDay
from streams.ops.attention import attention, running_day
from streams.ops.grid import figures, mark_words, word
from streams.ops.outlook import outlook_sentence
from streams.ops.status import Status, gate_sentence
from streams.ops.status_text import status_json
from streams.page.answers import Answer, Head, Section
from streams.page.outlines import WIDTH as MAP_WIDTH
from streams.page.outlines import Outlines
from streams.page.render import address, fragment
from streams.page.svg import HEIGHT, WIDTH, pictures

#: A week and the running day, as the window has it.
DAYS = 8
#: Feeds named in a row's head; the page of feeds has all.
_MOST_SILENT = 2

Parts = Mapping[str, str]


def parts_of(
    status: Status,
    rolling: Sequence[RollingDay],
    changes: Sequence[VerdictChange],
    outlines: Outlines | None = None,
) -> Parts:
    """Return the fragments of the overview by the id of their element."""
    zone, required = status.agreement.clock.time_zone, status.agreement.clock.required_days
    query = "" if status.as_of is None else address("", {"as_of": jsonable(status.as_of)})
    gate = status.gate
    reason = gate.reason if gate is not None and not gate.is_open else None
    parts: dict[str, str] = {
        "gate": fragment("gate", gate_sentence(gate), outlook_sentence(status), reason, gate),
        "attention": fragment("attention", [(each.text, each.page) for each in attention(status)]),
        "changes": fragment("changes", changes, zone),
        "health": fragment("health", status.outcomes, status.rejects, len(status.amended), status.to_check),
    }
    cells = {(cell.region, cell.truce_day): cell for cell in status.cells}
    drawn = pictures(rolling)
    today = running_day(status)
    silent = _silent_feeds(status)
    for window in status.windows:
        region = window.region
        parts[f"h-{region}"] = fragment("row_head", f"h-{region}", window, silent.get(region, ""))
        for day in status.days:
            name = f"c-{region}-{day}"
            parts[name] = fragment("cell", name, cells.get((region, day)), day == today, query)
        parts[f"k-{region}"] = fragment("streak", f"k-{region}", window, required)
        if outlines is not None:
            shown = _of_map([cells[region, day] for day in status.days if (region, day) in cells])
            parts[f"m-{region}"] = fragment("area", f"m-{region}", window, shown, outlines.regions[region])
        if region in drawn:
            parts[f"w-{region}"] = fragment("series", f"w-{region}", window, drawn[region], WIDTH, HEIGHT)
    return parts


def overview(
    status: Status,
    rolling: Sequence[RollingDay],
    changes: Sequence[VerdictChange],
    parts: Parts,
    live: str,
    map_height: int = 0,
) -> Answer:
    """Return the overview of a status, made of its parts."""
    clock = status.agreement.clock
    ends = f"; the last ends {clock.ends:%Y-%m-%d %H:%M}" if clock.ends else ""
    context = {
        "parts": parts,
        "days": status.days,
        "today": running_day(status),
        "regions": [window.region for window in status.windows],
        "series": [window.region for window in status.windows if f"w-{window.region}" in parts],
        "map_width": MAP_WIDTH,
        "map_height": map_height,
        "caption": f"Truce-days from {clock.anchor:%H:%M} {clock.time_zone}, named by the day they start{ends}.",
        "earlier": _earlier(status),
        "empty": f"No truce-day judged here; the agreement's first is {status.agreement.first_day}.",
    }
    document = status_json(status) | {"series": jsonable(list(rolling)), "changes": jsonable(list(changes))}
    return Answer(status.agreement.title, "overview.html", context, document, [_grid(status)], live)


def _of_map(days: Sequence[Cell]) -> Cell | None:
    """Return the day that the map shows: the last that has ended, or the running one where it is BROKEN."""
    told = [cell for cell in days if word(cell) != "OPEN"]
    return told[-1] if told else None


def _silent_feeds(status: Status) -> dict[str, str]:
    by_region: dict[str, list[str]] = {}
    for each in status.silent:
        for region in each.regions:
            by_region.setdefault(region, []).append(each.feed)
    return {
        region: ", ".join(feeds[:_MOST_SILENT])
        + (f" and {len(feeds) - _MOST_SILENT} more" if len(feeds) > _MOST_SILENT else "")
        for region, feeds in by_region.items()
    }


def _earlier(status: Status) -> Any:
    """Return the address of the week before the days shown; None where none was judged."""
    if not status.days or status.judged is None or status.days[0] <= status.judged[0]:
        return None
    last = status.days[0] - timedelta(days=1)
    query = {"from": last - timedelta(days=DAYS - 1), "to": last, "as_of": jsonable(status.as_of)}
    return address("/", query)


def _grid(status: Status) -> Section:
    """Return the cells shown as a table."""
    names = ("region", "region_name", "truce_day", "verdict", "state", "violence", "access", "incidents")
    more = (
        "incidents_sure",
        "incidents_possible",
        "violence_limit",
        "covered_share",
        "refused_pending",
        "contested_by",
    )

    def row(cell: Cell) -> list[Any]:
        values = [getattr(cell, name) for name in (*names, *more)]
        return [*values, word(cell), figures(cell), "; ".join(mark_words(cell))]

    columns = [Head(name) for name in (*names, *more, "shown", "figures", "marks")]
    return Section("grid", "grid", columns, [row(cell) for cell in status.cells])
