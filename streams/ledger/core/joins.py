"""Joins of one incident in their order: who was in one group with whom before any of them."""

from __future__ import annotations

from collections.abc import Iterable

from streams.ledger.core.linking import Link, MatchRank

#: Where a link stands in the order in which links are taken.
Turn = tuple[int, MatchRank]


def turn_of(link: Link) -> Turn:
    """Return where a link stands among all."""
    return link.asserted_last, link.order


class Joins:
    """Forest of the joins of one incident: a group's smaller half points to the other, with the turn of the link.

    Args:
        links: those that joined, in their order.
    """

    def __init__(self, links: Iterable[Link]) -> None:
        self._above: dict[str, tuple[Turn, str]] = {}
        size: dict[str, int] = {}
        for link in links:
            turn = turn_of(link)
            one, other = (self.group_of(end.name, turn) for end in (link.one, link.other))
            if size.get(one, 1) < size.get(other, 1):
                one, other = other, one
            size[one] = size.get(one, 1) + size.get(other, 1)
            self._above[other] = turn, one

    def group_of(self, name: str, turn: Turn) -> str:
        """Return what stands for the group of a report before ``turn``."""
        while name in self._above and self._above[name][0] < turn:
            name = self._above[name][1]
        return name
