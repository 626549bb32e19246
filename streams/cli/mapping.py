"""``mapping``: drafts of mappings, trials of them, and tables to fill in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from streams.cli import options
from streams.cli.faults import json_of, say_notes, show_faults
from streams.cli.output import answer, answers, notice, print_json
from streams.feeds.dry_run import faults
from streams.feeds.mapping.load import shipped_text
from streams.feeds.mapping.read import Notes
from streams.feeds.mapping.suggest import suggest
from streams.feeds.mapping.template import write_template
from streams.feeds.readers import format_by, notes_on, read_all
from streams.feeds.recorded import Recorded
from streams.intake.examine import examiner_of
from streams.ops.wording import one_line
from streams.settings import load

app = options.group("Draft a mapping of a table's columns, and try it.")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A table, plain, .gz, .zst or .zip.")]


@app.command("suggest")
def suggest_command(file: _File, as_json: options.AsJson = False) -> None:
    """Draft a mapping from a file: its columns, forms of dates, the words in it and the nearest kinds.

    [bold]Example[/bold]

      trucewatch mapping suggest incidents.xlsx > incidents.toml
    """
    draft = suggest(file)
    if as_json:
        print_json({"mapping": draft})
    else:
        typer.echo(draft, nl=False)


@app.command("template")
def template_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write; it ends in .xlsx or .csv.")],
    of: Annotated[str, typer.Option("--of", help="What a row is of: incidents or convoys.")] = "incidents",
    as_json: options.AsJson = False,
) -> None:
    """Write an empty table to fill in, with lists of kinds or steps, and of precisions, to choose from.

    [bold]Examples[/bold]

      trucewatch mapping template incidents.xlsx

      trucewatch mapping template convoys.csv --of convoys
    """
    write_template(file, of)
    if as_json:
        print_json({"written": str(file)})
    else:
        notice(f"{file}: written; `trucewatch publish` knows it by its columns")


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A mapping that comes along.")],
    as_json: options.AsJson = False,
) -> None:
    """Print a mapping that comes along, to be changed into one of your own.

    [bold]Example[/bold]

      trucewatch mapping show template > incidents.toml
    """
    text = shipped_text(name)
    if as_json:
        print_json({"mapping": text})
    else:
        typer.echo(text, nl=False)


@app.command("check")
def check_command(
    mapping: Annotated[str, typer.Argument(metavar="MAP", help="A mapping: a file, or one that comes along.")],
    file: _File,
    rows: Annotated[int, typer.Option("--rows", min=1, max=20, help="How many rows are shown.")] = 3,
    agreement: options.Agreement = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the first rows of a file as reports, side by side, and what intake would say of them.

    Exits with 1 if a cell is no value of its field or a report would be rejected, with 2 if no row becomes a report.

    [bold]Example[/bold]

      trucewatch mapping check incidents.toml incidents.xlsx
    """
    settings = load({"agreement": agreement})
    judged = load_agreement(settings.agreement)
    stated = format_by(mapping)
    found = list(islice(read_all([file], stated, judged.calendar.time_zone), rows))
    examiner = examiner_of(judged, settings.boundaries)
    refused = [fault for fault in faults(found, examiner) if fault is not None]
    # A cell that is no value is passed on as written, and intake may take it.
    told = {fault.line for fault in refused}
    doubtful = [each.report for each in found if each.report.faults and each.report.line not in told]
    if as_json:
        listed = {fault.line: json_of(fault) for fault in refused}
        print_json([{"line": r.line, "report": json.loads(r.value), "fault": listed.get(r.line)} for _, r in found])
    else:
        _show([each.report for each in found], doubtful)
        show_faults(refused)
        _say_lacking(notes_on([file], stated))
    if not found:
        raise UsageError(f"{file}: no row of it becomes a report", "look at [skip], and at the columns it names")
    if refused or doubtful:
        raise typer.Exit(1)


def _say_lacking(notes: Mapping[str, Notes]) -> None:
    say_notes(notes)
    for file, of in notes.items():
        if lacking := [column for column, guess in of.lacking.items() if not guess]:
            notice(f"{file}: lacks columns that the mapping can do without: {', '.join(lacking)}")


def _show(found: list[Recorded], doubtful: list[Recorded]) -> None:
    shown = [dict(_paths({name: v for name, v in json.loads(each.value).items() if name != "raw"})) for each in found]
    table = Table("field", *(f"line {each.line}" for each in found), box=None, pad_edge=False)
    for path in dict.fromkeys(path for fields in shown for path in fields):
        table.add_row(path, *(Text(one_line(fields.get(path, "-"))) for fields in shown))
    console = answers()
    console.print(table)
    for each in doubtful:
        for fault in each.faults:
            said = f"line {each.line}, column {fault.column!r} holds {fault.cell!r}: {fault.reason}; {fault.remedy}"
            answer(one_line(said))


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{number}]")
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
