"""Progress bars, on standard error, on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress, ProgressColumn

from streams.cli.output import news


@contextmanager
def bars(*columns: ProgressColumn, shown: bool = True) -> Iterator[Progress]:
    """Show bars of these columns for the length of a block."""
    console = news()
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        yield progress
