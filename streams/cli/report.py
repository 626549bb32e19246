"""Command ``report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UsageError
from streams.cli import options
from streams.cli.output import print_json, reader_gone
from streams.cli.published import published_file
from streams.cli.writing import write_new
from streams.ops.published import opened_copy
from streams.settings import load


def report(
    day: Annotated[str, typer.Option("--day", metavar="DAY", help="The date on which the truce-day starts.")],
    html: Annotated[bool, typer.Option("--html", help="One HTML page, with pictures.")] = False,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="PDF pages, to a file; needs the extra trucewatch\\[pdf].")
    ] = False,
    md: Annotated[bool, typer.Option("--md", help="Markdown, which it is unless told otherwise.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="OUT", help="File to write.")] = None,
    force: options.Force = False,
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    as_of: options.AsOf = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the report of one truce-day: gate, regions, changes, incidents, convoys, silent feeds, method.

    Reads the published copy only. With --as-of it tells what was held then.

    [bold]Examples[/bold]

      trucewatch report --day 2016-09-14

      trucewatch report --day 2016-09-14 --html --out report.html

      trucewatch report --day 2016-09-14 --pdf --out report.pdf
    """
    # Templates would slow every other command.
    from streams.page.report import read_report, report_json, report_pdf, report_text

    if html + pdf + md + as_json > 1:
        raise UsageError("--html, --pdf, --md and --json exclude each other")
    if pdf and out is None:
        raise UsageError("--pdf writes a file", "name it with --out")
    truce_day, instant = options.day_of(day), options.instant_of(as_of)
    path = published_file(file, load({"agreement": agreement, "data": data}))
    with opened_copy(path) as connection:
        found = read_report(connection, truce_day, instant)
    if as_json:
        print_json(report_json(found))
        return
    text = report_pdf(found) if pdf else report_text(found, "html" if html else "md")
    if out is not None:
        write_new(out, text, force=force, check=lambda _: None)
        return
    try:
        sys.stdout.write(str(text))
        sys.stdout.flush()
    except BrokenPipeError:
        reader_gone()
