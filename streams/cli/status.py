"""Command ``status``."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

import typer

from schemas.errors import StoreUnavailable, UsageError
from streams.cli import options
from streams.cli.options import instant_of
from streams.cli.output import answer, answers, print_json
from streams.cli.published import published_copy
from streams.ops.pullback import show_pullback
from streams.ops.screen import show_screen
from streams.ops.status import Status, brief, freshness, gate_sentence, is_stale, read_status, refused_sentence
from streams.ops.status_text import (
    show_amended,
    show_as_of,
    show_bulletins,
    show_declared,
    show_feeds,
    show_freshness,
    show_gate,
    show_grid,
    show_longer_bulletins,
    show_outcomes,
    show_silent,
    show_to_check,
    show_windows,
    status_json,
)
from streams.settings import load

#: A week and the running day, as the window has it.
_DAYS = 8


def status(
    agreement: options.Agreement = None,
    data: options.Data = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3_660, help=f"Show the last N truce-days; {_DAYS} unless told.")
    ] = None,
    first: Annotated[datetime | None, options.day_option("--from", "First truce-day shown.")] = None,
    last: Annotated[datetime | None, options.day_option("--to", "Last truce-day shown.")] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Say only whether the test holds; exit with 0 when it does, 1 when not.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Tell all: figures, reasons, declarations, tallies, feeds, rejects.")
    ] = False,
    in_brief: Annotated[bool, typer.Option("--brief", help="Say it in one line.")] = False,
    max_age: Annotated[
        int | None,
        typer.Option("--max-age", min=1, metavar="SECONDS", help="Exit with 3 when the copy is older than this."),
    ] = None,
    watched: Annotated[
        bool, typer.Option("--watch", help="Follow the copy until Ctrl-C; where no terminal is, a line a change.")
    ] = False,
    as_of: options.AsOf = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how things stand in one screen: the gate, the grid of regions and truce-days, what needs attention.

    Reads the published copy, so it works beside a running pipeline and never disturbs it.

    [bold]Examples[/bold]

      trucewatch status --days 14

      trucewatch status --gate && echo "the test holds"

      trucewatch status --brief --max-age 180

      trucewatch status --all

      trucewatch status --from 2016-09-12 --to 2016-09-18 --json

      trucewatch status --as-of 2016-09-16T12:00:00+03:00

      trucewatch status --watch
    """
    if days is not None and (first or last):
        raise UsageError("give --days, or --from and --to, not both")
    options.check_span(first, last)
    settings = load({"agreement": agreement, "data": data})
    copy = published_copy(settings)
    if days is None and first is None and last is None:
        days = _DAYS
    held_at = instant_of(as_of)
    read = partial(read_status, copy, days=days, first=_day(first), last=_day(last), as_of=held_at)
    if watched:
        if gate or every or in_brief or as_of:
            raise UsageError("--watch goes with --days, --from, --to, --max-age and --json alone")
        from streams.cli.status_watch import watch

        watch(copy, read, max_age, as_json=as_json)
        return
    found = read()
    stale, asked = is_stale(found, max_age), (_day(first), _day(last))
    if not as_json:
        _show(found, asked, gate=gate, in_brief=in_brief, every=every)
    elif not stale:
        print_json(status_json(found))
    if stale:
        raise StoreUnavailable(f"STALE: {copy} is older than {max_age} s", freshness(found.published_at))
    if gate and not (found.gate and found.gate.is_open):
        raise typer.Exit(1)


def _show(found: Status, asked: tuple[date | None, date | None], *, gate: bool, in_brief: bool, every: bool) -> None:
    if gate:
        _show_gate_alone(found)
    elif in_brief:
        answer(brief(found))
    elif found.as_of is not None:
        _show_past(found, found.as_of, asked)
    elif every:
        _show_all(found, asked)
    else:
        show_screen(answers(), found, asked)


def _show_gate_alone(found: Status) -> None:
    reason = f" {found.gate.reason}" if found.gate and not found.gate.is_open else ""
    answer(f"{gate_sentence(found.gate)}{reason}")
    if (refused := refused_sentence(found.refused)) is not None:
        answer(refused)


def _show_past(found: Status, held_at: datetime, asked: tuple[date | None, date | None]) -> None:
    console = answers()
    show_as_of(console, found, held_at)
    show_grid(console, found, asked)
    show_gate(console, found)
    show_amended(console, found)
    show_declared(console, found)


def _show_all(found: Status, asked: tuple[date | None, date | None]) -> None:
    console = answers()
    show_outcomes(console, found)
    show_to_check(console, found)
    show_freshness(console, found)
    show_grid(console, found, asked)
    show_windows(console, found)
    show_gate(console, found)
    show_amended(console, found)
    show_declared(console, found)
    show_bulletins(console, found)
    show_longer_bulletins(console, found)
    show_pullback(console, found)
    show_feeds(console, found)
    show_silent(console, found)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None
