"""Command ``verify``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from streams import log
from streams.cli import options
from streams.cli.bars import bars
from streams.cli.output import answer, print_json
from streams.cli.published import published_file
from streams.cli.replay import stoppable
from streams.ops.wording import counted
from streams.settings import load

if TYPE_CHECKING:
    from sinks.verify.difference import Difference
    from sinks.verify.not_rebuilt import NotRebuilt

#: Differences told one by one, to people and to programs. One fault may show in every row there is.
_MOST_SHOWN, _MOST_TOLD = 20, 1_000


def verify_command(
    file: Annotated[
        Path | None, typer.Argument(help="A published copy.", show_default="the one of --data and --agreement")
    ] = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Rebuild a file from its own records and compare every table; then recount every verdict, apart from the ledger.

    Exits with 1 at any difference. It stops after the first step that finds some: what is wrong there shows again in
    all that rests on it. On a terminal it says which step runs. It lists the columns that no rebuild can know. The
    rebuilt file lies in the folder for temporary files (TMPDIR) until it ends.

    [bold]Examples[/bold]

      trucewatch verify

      trucewatch verify trucewatch-demo/syria-2016/compliance.duckdb
    """
    # Every other command starts the faster for not reading it.
    from streams.verify import NOT_REBUILT, STEPS, verify

    settings = load({"agreement": agreement, "data": data})
    file = published_file(file, settings)
    # What the ledger says while it rebuilds the file was said when the file was new.
    log.configure(settings.model_copy(update={"log_level": "error"}))
    step = ""

    def note(done: int, doing: str) -> None:
        nonlocal step
        step = STEPS[done].name if done < len(STEPS) else ""
        show(done, doing)

    with stoppable(), _bar(len(STEPS), shown=not as_json) as show:
        found = verify(file, note, _MOST_TOLD + 1, settings.memory_limit)
    differences, more = found[:_MOST_TOLD], len(found) > _MOST_TOLD
    if as_json:
        fields = [_fields(each) for each in differences]
        unknown = [{"table": each.table, "columns": list(each.columns), "why": each.why} for each in NOT_REBUILT]
        print_json(
            {"file": str(file), "step": step or None, "differences": fields, "more": more, "not_checked": unknown}
        )
    else:
        _tell(file, step, differences, more=more)
        _tell_not_checked(NOT_REBUILT)
    if differences:
        raise typer.Exit(1)


def _tell(file: Path, step: str, differences: list[Difference], *, more: bool) -> None:
    for each in differences[:_MOST_SHOWN]:
        answer(str(each))
    left = len(differences) - _MOST_SHOWN
    if more:
        answer(f"... and at least {left + 1:,} more; --json lists {_MOST_TOLD:,}")
    elif left > 0:
        answer(f"... and {left:,} more; --json lists them too")
    count = f"more than {_MOST_TOLD:,} differences" if more else counted(len(differences), "difference")
    where = f", found in {step}; what comes after that was not looked at" if differences else ""
    answer(
        f"{file}: {count if differences else 'no difference'} between what is stored and what its reports say{where}"
    )


def _tell_not_checked(unknown: Iterable[NotRebuilt]) -> None:
    answer("Not checked, as neither reports nor agreement tell it:")
    for each in unknown:
        answer(f"  {each.table}: {', '.join(each.columns)} ({each.why})")


def _fields(difference: Difference) -> dict[str, str | None]:
    # As text: a sum may have more digits than readers of JSON take.
    return {name: None if value is None else str(value) for name, value in vars(difference).items()}


@contextmanager
def _bar(steps: int, *, shown: bool) -> Iterator[Callable[[int, str], None]]:
    """How many steps are done and which one runs."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with bars(*columns, shown=shown) as progress:
        task = progress.add_task("", total=steps)
        yield lambda done, step: progress.update(task, completed=done, description=step)
