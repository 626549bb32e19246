"""Where a command's words go: answers to standard output, progress and news to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, NoReturn

import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from streams.ops.wording import escaped_json, visible

#: The exit code of a program that SIGPIPE ended, as shells tell it.
READER_GONE = 141
#: Tables that are piped somewhere keep their columns; a terminal's own width is respected.
PIPED_WIDTH = 160
#: How much further than its line's own indent what does not fit is continued.
_HANG = 2
#: A line is broken no narrower than this, however deep its indent.
_NARROWEST = 20


class _Prose(Console):
    """A console that continues a line too long for the terminal under its indent, and leaves it whole in a pipe.

    Continued at the margin it would look like another entry; broken in a file, grep and diff would miss it.
    """

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as rich does; one Text alone as prose, line by line."""
        if len(objects) != 1 or not isinstance(objects[0], Text) or how:
            super().print(*objects, **how)
            return
        for line in objects[0].split("\n", allow_blank=True):
            if not self.is_terminal:
                super().print(line, soft_wrap=True)
            elif line.cell_len <= self.width:
                super().print(line)
            else:
                self._print_continued(line)

    def _print_continued(self, line: Text) -> None:
        indent = len(line.plain) - len(line.plain.lstrip(" "))
        pieces = line[indent:].wrap(self, max(_NARROWEST, self.width - indent - _HANG))
        for at, piece in enumerate(pieces):
            piece.rstrip()
            super().print(Text(" " * (indent + (_HANG if at else 0))).append_text(piece), soft_wrap=True)


class SafeConsole(_Prose):
    """A console on which nothing that is shown can command the terminal, wherever it came from.

    Markup in square brackets is text as any other, and what steers a terminal or turns the order of letters is shown
    by its number. This is the one place: a line may be put together anywhere.
    """

    def __init__(self, *, to_stderr: bool, width: int | None) -> None:
        super().__init__(stderr=to_stderr, width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Leave when nobody reads any more; rich's own exit code for it would say that the answer is no."""
        reader_gone()

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render to segments, those of text made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def answers() -> SafeConsole:
    """The console for what the person asked for."""
    return SafeConsole(to_stderr=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def news() -> SafeConsole:
    """The console for progress and notices."""
    return SafeConsole(to_stderr=True, width=None if sys.stderr.isatty() else PIPED_WIDTH)


def answer(text: str, style: str = "") -> None:
    """Print a line of what the person asked for."""
    answers().print(Text(text, style))


def notice(text: str) -> None:
    """Print a line of news."""
    news().print(Text(text))


def say_missing(notes: Iterable[str]) -> None:
    """Say which files of a format's lie not where they would be read; the command goes on without them."""
    for note in notes:
        notice(f"trucewatch: {note}")


def print_json(value: Any) -> None:
    """Print a value as one JSON document: dates and instants in ISO 8601, instants with an offset."""
    _write(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def print_json_line(value: Any) -> None:
    """Print a value as one line of JSON, at once: someone may be reading along."""
    _write(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS))


def _write(document: bytes) -> None:
    try:
        sys.stdout.write(f"{escaped_json(document.decode())}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        reader_gone()


def reader_gone() -> NoReturn:
    """Leave without a word, as programs do whose output nobody reads any more: ``| head`` has seen enough."""
    # What is held back would be written when the interpreter ends, and fail once more.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    sys.exit(READER_GONE)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)
