"""Command ``whatif``."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from sinks.recorded_facts import RecordedFacts
from streams import log
from streams.cli import options
from streams.cli.bars import bars
from streams.cli.output import answers, print_json
from streams.cli.published import published_file
from streams.cli.replay import stoppable
from streams.ops.status import Status, status_in
from streams.roles import YOUNG_OBJECTS
from streams.settings import load
from streams.whatif.changes import Alternative, alternatives
from streams.whatif.difference import compare
from streams.whatif.judge import Progress as Advance
from streams.whatif.judge import judge
from streams.whatif.report import Outcome, show, whatif_json

#: Of each grid, unless days are asked for; everything judged is compared all the same.
_DAYS = 8


def whatif(
    file: Annotated[
        Path | None, typer.Argument(help="A published copy.", show_default="the one of --data and the settings")
    ] = None,
    other: Annotated[
        str | None, typer.Option("--agreement", "-a", help="The other agreement: an id or a file.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE[,VALUE...]", help="A key of the recorded agreement to change."),
    ] = None,
    data: options.Data = None,
    boundaries: options.Boundaries = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="INSTANT", help="Judge what was known at this instant, by either agreement."),
    ] = None,
    first: Annotated[datetime | None, options.day_option("--from", "First truce-day compared.")] = None,
    last: Annotated[datetime | None, options.day_option("--to", "Last truce-day compared.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Judge the recorded facts by another agreement, or by the recorded one with some keys changed.

    Shows both grids and every difference. The file is only read: nothing recorded changes. Several values of a key
    give one grid each, and one table of them all. Places are where the file says they are; --boundaries matters only
    where the other agreement names another gazetteer.

    [bold]Examples[/bold]

      trucewatch whatif --set violence.reduction_percent=50,75,80,90

      trucewatch whatif --set clock.anchor=00:00:00 --set clock.effective=2016-09-12T00:00:00

      trucewatch whatif backtest/syria-2016/compliance.duckdb --agreement my-truce.toml --json
    """
    if (other is None) == (not changes):
        raise UsageError("say what is to be other: --agreement FILE, or --set KEY=VALUE, and not both")
    options.check_span(first, last)
    settings = load({"data": data, "boundaries": boundaries})
    # The ledger's news are of no concern here; its warnings are.
    quiet = "warning" if settings.log_level == "info" else settings.log_level
    log.configure(settings.model_copy(update={"log_level": quiet}))
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    instant = options.instant_of(as_of)
    path = published_file(file, settings)
    with closing(RecordedFacts(path)) as recorded:
        if other is not None:
            others = [Alternative(other, load_agreement(other))]
        else:
            others = alternatives(recorded.agreement, changes or [])
        moment = recorded.last_judged() if instant is None else recorded.as_of(instant)
        run = partial(judge, recorded, moment=moment, boundaries=settings.boundaries, memory=settings.memory_limit)
        with stoppable(), _bars() as bar:
            judged = [run(each.agreement, progress=bar(each.name)) for each in others]
            if instant is None:
                before = recorded.read(status_in)
            else:
                before = run(recorded.agreement, progress=bar("as recorded")).status
    span = (first.date() if first else date.min, last.date() if last else date.max)
    before = _within(before, span)
    outcomes = []
    for each, found in zip(others, judged, strict=True):
        after = _within(found.status, span)
        outcomes.append(Outcome(each.name, each.agreement, found, after, compare(before, after)))
    if as_json:
        print_json(whatif_json(str(path), moment.now, before, outcomes))
    else:
        show(answers(), moment.now, before, outcomes, None if first or last else _DAYS)


def _within(status: Status, span: tuple[date, date]) -> Status:
    """Return a status with the truce-days from the first to the last of ``span``."""
    cells = [cell for cell in status.cells if span[0] <= cell.truce_day <= span[1]]
    return replace(status, days=sorted({cell.truce_day for cell in cells}), cells=cells)


@contextmanager
def _bars() -> Iterator[Callable[[str], Advance]]:
    """One bar per run over the facts."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with bars(*columns) as progress:

        def bar(name: str) -> Advance:
            task = progress.add_task(escape(name))
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield bar
