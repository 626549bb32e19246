"""Prose on a terminal and in a pipe."""

from __future__ import annotations

import io

from rich.text import Text

from streams.cli.output import _Prose

LONG = "  rejected: 5 missing_field, such as: occurred: required, but missing; tallies: required, but missing"


def shown(text: str, *, terminal: bool, width: int = 50) -> list[str]:
    written = io.StringIO()
    _Prose(file=written, force_terminal=terminal, color_system=None, width=width, highlight=False).print(Text(text))
    return written.getvalue().splitlines()


def test_a_line_too_long_for_the_terminal_goes_on_under_its_indent() -> None:
    assert shown(LONG, terminal=True) == [
        "  rejected: 5 missing_field, such as: occurred:",
        "    required, but missing; tallies: required, but",
        "    missing",
    ]


def test_a_line_that_is_piped_stays_one_line() -> None:
    assert shown(f"\nrecords\n{LONG}", terminal=False) == ["", "records", LONG]


def test_lines_that_fit_and_blank_ones_are_printed_as_they_are() -> None:
    assert shown("\none\n\n  two", terminal=True) == ["", "one", "", "  two"]


def test_no_indent_leaves_a_line_without_room() -> None:
    assert shown(" " * 48 + "a few words", terminal=True, width=50)[0].endswith("a few words")
