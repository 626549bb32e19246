"""Command ``status``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
from rich.text import Text

from schemas.errors import UsageError
from streams.cli import options
from streams.cli.options import instant_of
from streams.cli.output import answers, print_json
from streams.cli.published import published_copy
from streams.ops.pullback import show_pullback
from streams.ops.status import gate_sentence, read_status, refused_sentence
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
    first: Annotated[
        datetime | None,
        typer.Option("--from", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help="First truce-day shown."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help="Last truce-day shown.")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Say only whether the test holds; exit with 0 when it does, 1 when not.")
    ] = False,
    as_of: options.AsOf = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how things stand: the grid of regions and truce-days, streaks, the gate, feeds, rejects.

    Reads the published copy, so it works beside a running pipeline and never disturbs it.

    [bold]Examples[/bold]

      trucewatch status --days 14

      trucewatch status --gate && echo "the test holds"

      trucewatch status --from 2016-09-12 --to 2016-09-18 --json

      trucewatch status --as-of 2016-09-16T12:00:00+03:00
    """
    if days is not None and (first or last):
        raise UsageError("give --days, or --from and --to, not both")
    if first and last and first > last:
        raise UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    settings = load({"agreement": agreement, "data": data})
    copy = published_copy(settings)
    if days is None and first is None and last is None:
        days = _DAYS
    held_at = instant_of(as_of)
    found = read_status(copy, days=days, first=_day(first), last=_day(last), as_of=held_at)
    if as_json:
        print_json(status_json(found))
    elif gate:
        reason = f" {found.gate.reason}" if found.gate and not found.gate.is_open else ""
        answers().print(Text(f"{gate_sentence(found.gate)}{reason}"))
        if (refused := refused_sentence(found.refused)) is not None:
            answers().print(Text(refused))
    elif held_at is not None:
        console = answers()
        show_as_of(console, found, held_at)
        show_grid(console, found, (_day(first), _day(last)))
        show_gate(console, found)
        show_amended(console, found)
        show_declared(console, found)
    else:
        console = answers()
        show_outcomes(console, found)
        show_to_check(console, found)
        show_freshness(console, found)
        show_grid(console, found, (_day(first), _day(last)))
        show_windows(console, found)
        show_gate(console, found)
        show_amended(console, found)
        show_declared(console, found)
        show_bulletins(console, found)
        show_longer_bulletins(console, found)
        show_pullback(console, found)
        show_feeds(console, found)
        show_silent(console, found)
    if gate and not (found.gate and found.gate.is_open):
        raise typer.Exit(1)


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None
