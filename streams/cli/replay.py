"""Commands ``replay`` and ``demo``."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from sinks.reading import EXAMPLE_QUERY
from streams.cli import options
from streams.cli.backtest import Finished, Plan, Stage, run_backtest
from streams.cli.bars import bars
from streams.cli.faults import say_notes
from streams.cli.output import answer, answers, print_json, say_missing
from streams.cli.serve import serve_file
from streams.feeds.archive import Order
from streams.feeds.readers import missing_companions, notes_on
from streams.ops.status import Status, read_status
from streams.ops.status_text import (
    show_bulletins,
    show_declared,
    show_gate,
    show_grid,
    show_longer_bulletins,
    show_outcomes,
    status_json,
)
from streams.ops.wording import counted
from streams.security import without_security
from streams.settings import load

_DEMO_AGREEMENT = "syria-2016"


def replay(
    files: options.Files,
    file_format: options.FileFormat = None,
    mapping: options.Map = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    order: Annotated[Order, typer.Option("--order", help="By reporting time, or as the files list them.")] = "reported",
    data: options.Data = None,
    broker: options.Broker = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the result the folder holds.")] = False,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=366, help="Show the last N truce-days, not the truce's first.")
    ] = None,
    release: options.ReleaseNumber = None,
    against: options.Against = None,
    withdraw_missing: options.WithdrawMissing = False,
    run: Annotated[str | None, typer.Option("--run", hidden=True, help="Go on with the run of this name.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the whole pipeline over recorded files, then stop: a backtest.

    Uses a broker of its own unless one is given; time is the archive's, so the verdicts are those of then.
    The result is a fresh DuckDB file: it never mixes with another run's.

    [bold]Examples[/bold]

      trucewatch replay ged_syria_2016.csv.gz --format ged --data backtest

      trucewatch replay incidents.jsonl convoys.jsonl --agreement my-truce.toml --replace
    """
    if run is not None and not re.fullmatch(r"[a-z0-9]{1,40}", run):
        raise UsageError("--run takes up to 40 lower-case letters and digits: it becomes part of topic names")
    settings = load({"agreement": agreement, "boundaries": boundaries, "data": data, "broker": broker})
    judged = load_agreement(settings.agreement)
    stated = options.stated(file_format, mapping)
    if not as_json:
        say_missing(missing_companions(files, stated))
    told = options.release_of(release, against, withdraw_missing, files, stated)
    finished = _run(Plan(settings, judged, files, stated, order, replace, run, told))
    if not as_json:
        say_notes(notes_on(files, stated))
    first = last = None
    if days is None:
        first, last = judged.first_day, judged.first_day + timedelta(days=judged.clock.required_days)
    status = read_status(finished.copy, days=days, first=first, last=last)
    if as_json:
        print_json(_document(status, finished))
    else:
        _show(status, finished)


def demo(
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder of the DuckDB file.")] = Path("trucewatch-demo"),
    serve: Annotated[bool, typer.Option("--serve", help="Serve the page of the result, on a free port.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Replay September 2016 in Syria from a bundled file: the test that was declared passed, and was it?

    Always starts afresh, on a broker of its own; takes some seconds.
    """
    settings = without_security(load({"data": data, "agreement": _DEMO_AGREEMENT})).model_copy(
        update={"broker": None, "boundaries": None}
    )
    judged = load_agreement(_DEMO_AGREEMENT)
    scenario = resources.files("streams").joinpath("demo", "september-2016.jsonl")
    with resources.as_file(scenario) as path:
        finished = _run(Plan(settings, judged, [path], "jsonl", replace=True))
    status = read_status(finished.copy)
    if as_json:
        print_json(_document(status, finished))
    else:
        _show_demo(status, finished, data)
    if serve:
        # A result of the past is not stale: nobody goes on with it.
        serve_file(finished.copy, None, "127.0.0.1:0", 1e9, as_json=as_json)


def _show_demo(status: Status, finished: Finished, data: Path) -> None:
    _show(status, finished)
    console = answers()
    command = _own_command()
    show_declared(console, status)
    show_bulletins(console, status)
    answer(
        "\nNext\n"
        f"  {command} status --data {data}\n"
        f"  {command} serve --data {data}\n"
        f"  duckdb -readonly {finished.copy} \\\n"
        f'    "{EXAMPLE_QUERY}"\n'
        f"  {command} verify {finished.copy}"
    )


def _own_command() -> str:
    """Return how the person can run this command again: by the path it was run by where its name is not found."""
    given = Path(sys.argv[0])
    found = shutil.which("trucewatch")
    if given.name != "trucewatch" or (found is not None and Path(found).resolve() == given.resolve()):
        return "trucewatch"
    return shlex.quote(str(given))


def _run(plan: Plan) -> Finished:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stoppable(), bars(*columns) as progress:
        tasks: dict[Stage, TaskID] = {}

        def move(stage: Stage, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(f"{stage:9}", total=total)
            progress.update(tasks[stage], completed=done, total=total)

        return run_backtest(plan, move)


def _show(status: Status, finished: Finished) -> None:
    console = answers()
    show_outcomes(console, status)
    show_grid(console, status)
    show_gate(console, status)
    show_longer_bulletins(console, status)
    answer(
        f"\n{counted(finished.reports, 'report')} and {counted(finished.ticks, 'tick')} "
        f"in {finished.seconds:.1f} s. Result: {finished.copy}"
    )


def _document(status: Status, finished: Finished) -> dict[str, object]:
    return {**status_json(status), "replay": {**asdict(finished), "copy": str(finished.copy)}}


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end what runs the way Ctrl-C does: workers stopped, topics and temporary files deleted."""

    def stop(*_: object) -> None:
        # Not raised here: an exception out of a signal handler lands in whatever coroutine runs, which may swallow it.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
