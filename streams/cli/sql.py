"""Command ``sql``."""

from __future__ import annotations

import csv
import readline
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from schemas.errors import TrucewatchError
from sinks.records import jsonable
from sinks.shell import COLUMNS, MACROS, TABLES, Answer, Session
from streams.cli import options
from streams.cli.output import answers, notice, print_json_line, reader_gone
from streams.cli.published import published_file
from streams.ops.wording import visible
from streams.page.render import text_of
from streams.settings import load

Form = Literal["table", "csv", "json"]

#: A table is read on a screen. The other forms have every row.
_SHOWN = 500
_HISTORY_LINES = 10_000
_HELP = r"""End a query with a semicolon. Ctrl-C ends a query or clears the line, Ctrl-D leaves.
  \d         tables and views, with what they hold
  \d NAME    columns of one
  \m         macros: what was held at an instant, all of one day
  \f FORM    answers as table, csv or json
  \q         leave"""


def sql(
    command: Annotated[
        list[str] | None, typer.Option("--command", "-c", metavar="SQL", help="Query to answer, then leave.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", "-f", help="Form of the answers.")] = "table",
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    as_json: options.AsJson = False,
) -> None:
    r"""Ask the published copy in SQL: a shell that can only read, and follows each new copy.

    Times are UTC. Without -c it asks for queries; \d lists tables and what their columns mean. JSON is a line for
    each row.

    [bold]Examples[/bold]

      trucewatch sql

      trucewatch sql -c "SELECT region, truce_day, verdict FROM day_verdicts" --format csv
    """
    session = Session(published_file(file, load({"agreement": agreement, "data": data})))
    shell = _Shell(session, "json" if as_json else form)
    if command:
        for each in command:
            shell.answer(each)
    elif sys.stdin.isatty():
        shell.talk()
    else:
        shell.answer(sys.stdin.read())


class _Shell:
    """Questions and answers of one session, in the form that was chosen."""

    def __init__(self, session: Session, form: Form) -> None:
        self._session = session
        self._form = form

    def talk(self) -> None:
        """Answer until the person leaves; neither an error nor Ctrl-C ends the talk."""
        notice(r"Read-only; times are UTC. \? is help.")
        history, text = _history(), ""
        while True:
            try:
                text += input("      ...> " if text else "trucewatch> ") + "\n"
                if text.startswith("\\") or text.rstrip().endswith(";") or not text.strip():
                    asked, text = text.strip(), ""
                    if asked == "\\q":
                        break
                    self._heard(asked)
            except EOFError:
                break
            except KeyboardInterrupt:
                notice("stopped")
                text = ""
            except TrucewatchError as error:
                notice(f"{error}; {error.hint}" if error.hint else f"{error}")
        if history is not None:
            readline.set_history_length(_HISTORY_LINES)
            readline.write_history_file(history)

    def answer(self, text: str) -> None:
        """Show the answer to each statement."""
        try:
            for each in self._session.ask(text):
                {"table": _as_table, "csv": _as_csv, "json": _as_json}[self._form](each)
        except BrokenPipeError:
            reader_gone()

    def _heard(self, text: str) -> None:
        if self._session.renew():
            notice("A newer copy is read from here on.")
        match text.split():
            case ["\\d"]:
                self.answer(TABLES)
            case ["\\d", table] if table.isidentifier():
                self.answer(COLUMNS.format(table))
            case ["\\m"]:
                self.answer(MACROS)
            case ["\\f", ("table" | "csv" | "json") as form]:
                self._form = form
            case [word, *_] if word.startswith("\\"):
                notice(_HELP)
            case _:
                self.answer(text)


def _as_table(answer: Answer) -> None:
    rows = [[text_of(value) for value in row] for row in islice(answer.rows, _SHOWN + 1)]
    table = Table(box=box.SQUARE)
    for name in answer.columns:
        table.add_column(Text(name))
    for row in rows[:_SHOWN]:
        table.add_row(*(Text(value) for value in row))
    answers().print(table)
    if len(rows) > _SHOWN:
        notice(f"These are the first {_SHOWN} rows; --format csv or \\f csv has all.")


def _as_csv(answer: Answer) -> None:
    # On a terminal what a feed wrote could command it; a file gets it as it is.
    shown = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(shown, answer.columns))
    writer.writerows([shown(text_of(value)) for value in row] for row in answer.rows)
    sys.stdout.flush()


def _as_json(answer: Answer) -> None:
    for row in answer.rows:
        print_json_line(dict(zip(answer.columns, map(jsonable, row), strict=True)))


def _history() -> Path | None:
    """Return the file of what was asked in earlier talks, once it is read; None where there can be none."""
    file = Path(typer.get_app_dir("trucewatch")) / "sql_history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        readline.read_history_file(file)
    except OSError as error:
        notice(f"No history is kept: {file} cannot be used: {error.strerror}")
        return None
    return file
