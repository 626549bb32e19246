"""Where a command's words go: answers to standard output, progress and news to standard error."""

from __future__ import annotations

import sys
from dataclasses import asdict, is_dataclass
from typing import Any

import orjson
from rich.console import Console

#: Tables that are piped somewhere keep their columns; a terminal's own width is respected.
PIPED_WIDTH = 160


def answers() -> Console:
    """The console for what the person asked for."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def news() -> Console:
    """The console for progress and notices."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPED_WIDTH)


def print_json(value: Any) -> None:
    """Print a value as one JSON document: dates and instants in ISO 8601, instants with an offset."""
    sys.stdout.write(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
    sys.stdout.write("\n")


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once: someone may be reading along."""
    sys.stdout.write(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
