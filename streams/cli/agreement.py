"""Commands of ``agreement``."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import Annotated

import typer

from schemas.agreement_file import load_agreement, shipped_agreements
from schemas.errors import UsageError
from schemas.gazetteer_file import gazetteer_bytes, parse_gazetteer, shipped_gazetteers
from schemas.placenames import words_of
from streams.cli import options
from streams.cli.output import answer, print_json
from streams.cli.writing import write_new
from streams.countries.agreement import MARK, Terms, agreement_text, zone_of

app = options.group("Draft the agreement of another truce.")

_LOCAL_TIME = "write local time without an offset, such as 2026-03-01T06:00"


@app.callback()
def _group() -> None:
    """Keep ``init`` a word of its own: a Typer of one command would be that command."""


@app.command("init")
def init(
    gazetteer: Annotated[str, typer.Option("--gazetteer", help="Gazetteer file, or the name of a shipped one.")],
    effective: Annotated[
        str, typer.Option("--effective", metavar="TIME", help="When the truce took effect, e.g. 2026-03-01T06:00.")
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="MET days in a row that open the gate.")],
    out: options.Out,
    ends: Annotated[
        str | None, typer.Option("--ends", metavar="TIME", help="When it ends, at the same time of day.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--time-zone", help="Zone of these times.", show_default="the only one of the country"),
    ] = None,
    agreement_id: Annotated[
        str | None, typer.Option("--id", help="The agreement's id.", show_default="the name of OUT")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="What the agreement is called.")] = "Name of the truce",
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Draft an agreement that check-config accepts, with every choice marked as yours to make.

    [bold]Example[/bold]

      trucewatch agreement init --gazetteer valleys.toml --effective 2026-03-01T06:00 --days 7 -o valleys-truce.toml
    """
    places = parse_gazetteer(gazetteer, gazetteer_bytes(gazetteer))
    terms = Terms(
        agreement_id or "-".join(re.findall(r"[a-z0-9]+", "-".join(words_of(out.stem)))) or "my-truce",
        title,
        gazetteer if gazetteer in shipped_gazetteers() else os.path.relpath(gazetteer, out.parent),
        _local(effective, "--effective"),
        None if ends is None else _local(ends, "--ends"),
        days,
        zone_of(zone, places.country),
    )
    if terms.id in shipped_agreements():
        raise UsageError(f"an agreement called {terms.id} is shipped", "choose another id with --id")
    text = agreement_text(terms, places)
    write_new(out, text, force=force, check=load_agreement)
    choices = text.count(MARK) - 1
    if as_json:
        print_json({"written": str(out), "id": terms.id, "time_zone": terms.time_zone, "choices": choices})
        return
    answer(f"{out}: agreement {terms.id}, {len(places.regions)} regions, {terms.time_zone}")
    answer(f"  {choices} choices are yours: look for '{MARK}' in it")
    answer(f"  then: trucewatch check-config --agreement {out}")


def _local(given: str, option: str) -> datetime:
    """Return a local time.

    Raises:
        UsageError: it is none, or has an offset, which the time zone gives.
    """
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{option}: {given!r} is no time", _LOCAL_TIME) from None
    if instant.tzinfo is not None:
        raise UsageError(f"{option}: {given!r} has an offset", _LOCAL_TIME)
    return instant.replace(microsecond=0)
