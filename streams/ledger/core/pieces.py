"""Work in pieces: a generator that yields wherever its caller may let others run."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Pieces = Generator[None, None, T]


def whole(pieces: Pieces[T]) -> T:
    """Do the work at once; return what it comes to."""
    while True:
        try:
            next(pieces)
        except StopIteration as done:
            result: T = done.value
            return result
