"""Faults of reports that were tried, and notes on their files, as the command line shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from streams.cli.output import answer, notice
from streams.feeds.dry_run import Fault
from streams.feeds.mapping.read import Notes
from streams.ops.wording import counted

#: Faults printed one by one; the rest are counted.
_MOST_SHOWN = 50
#: Characters of a cell that are printed.
_MOST_CHARACTERS = 80


def show_faults(found: Sequence[Fault]) -> None:
    """Print where each report is wrong: its line, and the cells with their reason and remedy."""
    for fault in found[:_MOST_SHOWN]:
        who = f" ({fault.feed or '?'}/{fault.report_id or '?'})" if fault.feed or fault.report_id else ""
        where = f"{fault.file}, line {fault.line}{who}: {fault.code}"
        if not fault.cells:
            answer(f"{where}\n  {fault.hint}")
            continue
        answer(where)
        for reason, cells in groupby(fault.cells, lambda cell: (cell.reason, cell.remedy)):
            said = ", ".join(f"column {cell.column!r} holds {_shortened(cell.cell)!r}" for cell in cells)
            answer(f"  {said}: {reason[0]}; {reason[1]}")
    if len(found) > _MOST_SHOWN:
        answer(f"... and {len(found) - _MOST_SHOWN:,} more; --json lists them all")


def _shortened(cell: str) -> str:
    return cell if len(cell) <= _MOST_CHARACTERS else f"{cell[:_MOST_CHARACTERS]}…"


def json_of(fault: Fault) -> dict[str, Any]:
    """Return a fault for programs."""
    return {**fault._asdict(), "cells": [cell._asdict() for cell in fault.cells]}


def say_notes(notes: Mapping[str, Notes]) -> None:
    """Say which rows a mapping left out, and what else it found in the files."""
    for file, of in notes.items():
        if of.skipped:
            left_out = ", ".join(f"{count:,} of {what}" for what, count in of.skipped.most_common())
            notice(f"{file}: {counted(of.skipped.total(), 'row')} left out by the mapping: {left_out}")
        say_unread(file, of)


def say_unread(file: str, notes: Notes) -> None:
    """Say what a mapping could not read of a file: formulas without a result, and columns spelt otherwise."""
    if notes.formulas:
        where = ", ".join(f"{count:,} in {column!r}" for column, count in notes.formulas.most_common())
        said = f"{counted(notes.formulas.total(), 'formula')} without a stored result: {where}"
        notice(f"{file}: {said}; open the workbook, let it calculate, and save it")
    if notes.misspelt:
        notice(f"{file}: has no column {', '.join(notes.misspelt)}")
