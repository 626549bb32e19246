"""Differences between two judgements of the same facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from sinks.records import Cell, Gate, Window
from streams.ops.status import Status

_T = TypeVar("_T")

#: Compared fields of a verdict, a streak and the gate. Versions and recording times are not compared, because all is
#: judged at one tick here.
CELL_FIELDS = (
    "violence",
    "access",
    "verdict",
    "rule",
    "contested_by",
    "incidents",
    "incidents_sure",
    "incidents_possible",
    "incidents_out_of_scope",
    "refused_pending",
    "violence_limit",
    "covered_share",
    "deaths_low",
    "deaths_best",
    "deaths_high",
    "incidents_without_toll",
    "state",
)
STREAK_FIELDS = ("in_gate", "streak_days", "streak_ended_day", "streak_ended_by")
GATE_FIELDS = ("is_open", "required_days", "shortest_streak", "regions_holding", "regions_needed")


@dataclass(frozen=True)
class FieldChange:
    """Value of a row, before and after.

    A side without such a row has None.
    """

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class CellDifference:
    """Region and truce-day judged differently."""

    region: str
    truce_day: date
    changed: list[FieldChange]
    before: Cell | None
    after: Cell | None


@dataclass(frozen=True)
class StreakDifference:
    """Region whose streak, or whose part in the gate, differs."""

    region: str
    changed: list[FieldChange]


@dataclass(frozen=True)
class Differences:
    """Differences of two statuses.

    ``compared`` is the number of regions and days on either side.
    """

    cells: list[CellDifference]
    streaks: list[StreakDifference]
    gate: list[FieldChange]
    compared: int

    def __bool__(self) -> bool:
        return bool(self.cells or self.streaks or self.gate)

    def turns(self) -> Counter[tuple[str, str]]:
        """Return how many verdicts turned from which to which; ``none`` where a side has no such region and day."""
        pairs = ((_verdict(each.before), _verdict(each.after)) for each in self.cells)
        return Counter(pair for pair in pairs if pair[0] != pair[1])


@dataclass(frozen=True)
class Totals:
    """Judgement in a few figures, for a table of many.

    ``longest_run`` is the most MET truce-days in a row in one region of the gate, ``longest_joint_run`` the most in
    all of them at once, the running day left out.
    """

    met: int
    broken: int
    unknown: int
    longest_run: int
    longest_joint_run: int
    regions_holding: int
    regions_needed: int
    gate_open: bool


def compare(before: Status, after: Status) -> Differences:
    """Return how ``after`` differs from ``before``, by region and truce-day, by region, and in the gate."""
    cells = _paired(before.cells, after.cells, lambda cell: (cell.region, cell.truce_day))
    by_bulletins = any(side.agreement.violence.bulletins_of for side in (before, after))
    # Where incidents are held against the limit on both sides, saying so again would be noise.
    fields = (*CELL_FIELDS, "counted") if by_bulletins else CELL_FIELDS
    windows = _paired(before.windows, after.windows, lambda window: (window.region,))
    return Differences(
        cells=[
            CellDifference(region, day, changed, old, new)
            for (region, day), old, new in cells
            if (changed := _changed(fields, old, new))
        ],
        streaks=[
            StreakDifference(region, changed)
            for (region,), old, new in windows
            if (changed := _changed(STREAK_FIELDS, old, new))
        ],
        gate=_changed(GATE_FIELDS, before.gate, after.gate),
        compared=len(cells),
    )


def totals(status: Status) -> Totals:
    """Sum a status up over the truce-days it shows."""
    verdicts = Counter(cell.verdict for cell in status.cells)
    needed = [window.region for window in status.windows if window.in_gate]
    ended = [cell for cell in status.cells if cell.state != "OPEN" and cell.region in needed]
    days = sorted({cell.truce_day for cell in ended})
    met = {(cell.region, cell.truce_day) for cell in ended if cell.verdict == "MET"}
    gate = status.gate
    return Totals(
        met=verdicts["MET"],
        broken=verdicts["BROKEN"],
        unknown=verdicts["UNKNOWN"],
        longest_run=max((_longest((region, day) in met for day in days) for region in needed), default=0),
        longest_joint_run=_longest(all((region, day) in met for region in needed) for day in days),
        regions_holding=gate.regions_holding if gate else 0,
        regions_needed=gate.regions_needed if gate else len(needed),
        gate_open=gate is not None and gate.is_open,
    )


def _longest(held: Iterable[bool]) -> int:
    return max((sum(1 for _ in run) for holds, run in groupby(held) if holds), default=0)


def _paired(
    before: Sequence[_T], after: Sequence[_T], key: Callable[[_T], tuple[Any, ...]]
) -> list[tuple[tuple[Any, ...], _T | None, _T | None]]:
    old, new = {key(each): each for each in before}, {key(each): each for each in after}
    return [(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]


def _changed(
    fields: Iterable[str], before: Cell | Window | Gate | None, after: Cell | Window | Gate | None
) -> list[FieldChange]:
    pairs = ((field, _value(before, field), _value(after, field)) for field in fields)
    return [FieldChange(field, old, new) for field, old, new in pairs if old != new]


def _value(row: Cell | Window | Gate | None, field: str) -> Any:
    value = None if row is None else getattr(row, field)
    # That a day was amended says that it was judged before; judged once, it is final.
    return "FINAL" if field == "state" and value == "AMENDED" else value


def _verdict(cell: Cell | None) -> str:
    return "none" if cell is None else cell.verdict
