"""``status``: how things stand."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from streams.cli import options
from streams.cli.options import instant_of
from streams.cli.output import answers, print_json
from streams.ops.pullback import show_pullback
from streams.ops.report import (
    show_amended,
    show_as_of,
    show_declared,
    show_feeds,
    show_freshness,
    show_gate,
    show_grid,
    show_outcomes,
    show_to_check,
    show_told,
    show_windows,
    standing_json,
)
from streams.ops.standing import check_published, copy_path, gate_sentence, read_standing
from streams.settings import Settings, load

#: A week and the running day, as the window has it.
_DAYS = 8
#: What DuckDB writes behind the checksum of a file's first block.
_MAGIC, _MAGIC_AT = b"DUCK", 8


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

      trucewatch status --from 2016-09-12 --to 2016-09-20 --json

      trucewatch status --as-of 2016-09-16T12:00:00+03:00
    """
    if days is not None and (first or last):
        raise UsageError("give --days, or --from and --to, not both")
    if first and last and first > last:
        raise UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
    settings = load({"agreement": agreement, "data": data})
    copy = copy_path(settings.data, load_agreement(settings.agreement).id)
    if days is None and first is None and last is None:
        days = _DAYS
    held_at = instant_of(as_of)
    standing = read_standing(copy, days=days, first=_day(first), last=_day(last), as_of=held_at)
    if as_json:
        print_json(standing_json(standing))
    elif gate:
        reason = f" {standing.gate.reason}" if standing.gate and not standing.gate.is_open else ""
        answers().print(Text(f"{gate_sentence(standing.gate)}{reason}"))
    elif held_at is not None:
        console = answers()
        show_as_of(console, standing, held_at)
        show_grid(console, standing, (_day(first), _day(last)))
        show_gate(console, standing)
        show_amended(console, standing)
        show_declared(console, standing)
    else:
        console = answers()
        show_outcomes(console, standing)
        show_to_check(console, standing)
        show_freshness(console, standing)
        show_grid(console, standing, (_day(first), _day(last)))
        show_windows(console, standing)
        show_gate(console, standing)
        show_amended(console, standing)
        show_declared(console, standing)
        show_told(console, standing)
        show_pullback(console, standing)
        show_feeds(console, standing)
    if gate and not (standing.gate and standing.gate.is_open):
        raise typer.Exit(1)


def published_file(file: Path | None, settings: Settings) -> Path:
    """Return the published copy a person named, or else the one the settings lead to.

    Raises:
        UsageError: there is no such file, or it is none of ours.
        StoreUnavailable: nothing has been published there yet.
    """
    if file is None:
        file = copy_path(settings.data, load_agreement(settings.agreement).id)
        check_published(file)
    elif not file.is_file():
        raise UsageError(f"{file}: {'this is a folder, not a file' if file.is_dir() else 'there is no such file'}")
    if not _is_database(file):
        raise UsageError(f"{file}: not a file trucewatch wrote")
    return file


def _is_database(file: Path) -> bool:
    """Return whether a file begins as those of DuckDB do, so that a damaged one is still told apart from another."""
    with file.open("rb") as opened:
        return opened.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None
