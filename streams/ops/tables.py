"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table


def plain_table(words: Iterable[str] = (), figures: Iterable[str] = ()) -> Table:
    """Return a table without lines: columns of words, then columns of figures, by their headings."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for heading in words:
        table.add_column(heading)
    for heading in figures:
        table.add_column(heading, justify="right")
    return table
