"""Command ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from streams.cli import options
from streams.cli.output import answers, print_json
from streams.cli.published import published_file
from streams.ops.published import opened_copy
from streams.ops.wording import counted
from streams.settings import load


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; one that is there must be empty.")],
    chosen: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME", help="A table or view; all unless given.")
    ] = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    as_json: options.AsJson = False,
) -> None:
    """Write every table and view as Parquet and CSV, with a datapackage.json that says what each column means.

    All come from one published copy. The folder appears when it is whole.

    [bold]Examples[/bold]

      trucewatch export september

      trucewatch export verdicts --table day_verdicts --table gate_history
    """
    # Arrow's writers would slow every other command.
    from sinks.exporting import export as write

    path = published_file(file, load({"agreement": agreement, "data": data}))
    with opened_copy(path) as connection:
        found = write(connection, folder, chosen or ())
    if as_json:
        print_json({"folder": str(folder), "exported": found})
    else:
        rows = counted(sum(each.rows for each in found), "row")
        answers().print(Text(f"{counted(len(found), 'table')} and views with {rows} in {folder}"))
