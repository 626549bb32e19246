"""Things that hold over stretches of time, found by an instant without asking those that do not hold then."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from schemas.truceday import Micros

T = TypeVar("T", bound=Hashable)

#: No instant is this late: the end of what does not end.
FOREVER: Micros = 1 << 62
#: The shortest block is of 2**32 microseconds, a good hour; every longer one is two of the next shorter.
_FINEST = 32
_COARSEST = 62


class Stretches(Generic[T]):
    """A set of stretches, half-open, each with what holds over it.

    A stretch is cut into the few blocks of time that cover it, at most two of each length, and kept under each. So one
    that lasts for years costs no more than some tens of places, and an instant looks into one block of each length.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], set[tuple[Micros, Micros, T]]] = {}

    def add(self, low: Micros, high: Micros, item: T) -> None:
        """Enter what holds over ``[low, high)``."""
        for block in cover(low, high, _FINEST):
            self._blocks.setdefault(block, set()).add((low, high, item))

    def remove(self, low: Micros, high: Micros, item: T) -> None:
        """Take out again what was entered with the same stretch."""
        for block in cover(low, high, _FINEST):
            within = self._blocks[block]
            within.remove((low, high, item))
            if not within:
                del self._blocks[block]

    def at(self, instant: Micros) -> Iterator[T]:
        """Yield what holds at ``instant``, in no order, each once."""
        for size in range(_FINEST, _COARSEST + 1):
            for low, high, item in self._blocks.get((size, instant >> size), ()):
                # The first and the last block reach beyond the stretch.
                if low <= instant < high:
                    yield item


def cover(low: int, high: int, finest: int) -> Iterator[tuple[int, int]]:
    """Yield the blocks that hold all of ``[low, high)`` once, each by its power of two and its number.

    ``finest`` is the power of the shortest block.
    """
    first, beyond, size = low >> finest, ((high - 1) >> finest) + 1, finest
    while first < beyond:
        if first & 1:
            yield size, first
            first += 1
        if beyond & 1:
            beyond -= 1
            yield size, beyond
        first, beyond, size = first >> 1, beyond >> 1, size + 1
