"""The convoys of one region, indexed so that a truce-day asks those that decide it and no others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from schemas.truceday import Micros
from streams.ledger.core.convoy import Timeline
from streams.ledger.core.interval_index import IntervalIndex


class Known(NamedTuple):
    """What a convoy bound for the region was known to be, at the horizons from ``first`` to before ``until``.

    ``closed`` is the state of one that is closed, ``closed_at`` since when it is.
    """

    first: Micros
    until: Micros
    label: str
    place: str | None
    first_known: Micros
    delivered_at: Micros | None
    closed: str | None
    closed_at: Micros | None

    def at(self, horizon: Micros) -> bool:
        """Whether this is what was known by ``horizon``."""
        return self.first <= horizon < self.until


class Attack(NamedTuple):
    """An attack on a convoy that ever named the region; ``first`` is the first horizon that knows of it."""

    first: Micros
    label: str
    names_region: bool


class Docket:
    """What is known of the convoys to one region, at any horizon. Every ``enter`` has its exact ``withdraw``.

    Both only note what moves; ``settle`` does it. A step that leaves a convoy as it was moves nothing.

    Args:
        tolerance: how long after its first known step a convoy is overdue.
        effective: when the truce took effect; nothing is owed from before it.
    """

    def __init__(self, region: str, tolerance: Micros, effective: Micros) -> None:
        self._region = region
        self._tolerance = tolerance
        self._effective = effective
        self._moves: Counter[Known | Attack] = Counter()
        self._of: dict[str, list[Known]] = {}
        self._firsts: list[Micros] = []
        self._untils: list[Micros] = []
        #: Neither delivered nor closed, from when they are overdue.
        self._awaited: IntervalIndex[Known] = IntervalIndex()
        #: Closed, by the place that a delivery must be for to make them good, in the order in which they were closed.
        self._closed: dict[str | None, list[tuple[Micros, Known]]] = {}
        #: Delivered, by place and, under None, all of the region, in the order of delivery.
        self._delivered: defaultdict[str | None, list[tuple[Micros, str, Known]]] = defaultdict(list)
        self._attacks: list[Attack] = []

    def enter(self, timeline: Timeline) -> None:
        """Take in a convoy."""
        self._moves.update(self._parts(timeline))

    def withdraw(self, timeline: Timeline) -> None:
        """Take out a convoy that was entered."""
        self._moves.subtract(self._parts(timeline))

    def settle(self) -> Micros | None:
        """Bring the index up to date; return the first horizon that may look another way, None when none does."""
        moved = [(part, number) for part, number in self._moves.items() if number]
        self._moves.clear()
        for part, number in moved:
            if isinstance(part, Attack):
                _put(self._attacks, part, entered=number > 0)
            else:
                self._put(part, entered=number > 0)
        return min((part.first for part, _ in moved), default=None)

    def attacked(self, start: Micros, horizon: Micros) -> list[str]:
        """Return the convoys that break the day by an attack that began in ``[start, horizon)``."""
        within = self._attacks[bisect_left(self._attacks, (start + 1,)) : bisect_left(self._attacks, (horizon + 1,))]
        here = {attack.label for attack in within if attack.names_region}
        elsewhere = {attack.label for attack in within} - here
        return sorted(
            here | {label for label in elsewhere if any(known.at(horizon) for known in self._of.get(label, ()))}
        )

    def knows_any(self, horizon: Micros) -> bool:
        """Whether a convoy is bound for the region as known by ``horizon``."""
        return bisect_right(self._firsts, horizon) > bisect_right(self._untils, horizon)

    def overdue(self, horizon: Micros) -> list[Known]:
        """Return the convoys that are overdue at ``horizon``, by name."""
        found = list(self._awaited.at(horizon))
        for place, closed in self._closed.items():
            last = self.last_delivery(horizon, place)
            # What was closed up to the last delivery there is made good by it.
            after = bisect_left(closed, (last[0] + 1,)) if last else 0
            for _, known in closed[after : bisect_left(closed, (horizon,))]:
                if known.at(horizon) and self._due(known) <= horizon:
                    found.append(known)
        return sorted(found, key=lambda known: known.label)

    def last_delivery(self, horizon: Micros, place: str | None = None) -> tuple[Micros, str] | None:
        """Return the last delivery to a place, or the region, that counts at ``horizon``: its start, and the convoy.

        Of two at one instant it is that of the convoy whose name sorts last.
        """
        delivered = self._delivered.get(place, [])
        for number in range(bisect_left(delivered, (horizon,)) - 1, -1, -1):
            at, label, known = delivered[number]
            # One that was contradicted since, or is borne out only later, is passed over.
            if known.at(horizon):
                return at, label
        return None

    def _parts(self, timeline: Timeline) -> Iterator[Known | Attack]:
        label = str(timeline.name)
        for at, region in dict.fromkeys(timeline.attacks):
            yield Attack(at + 1, label, region == self._region)
        before: Known | None = None
        for first, until, convoy in timeline.stretches():
            known = None
            if convoy.region == self._region:
                closed_at = convoy.since if convoy.closed else None
                closed = convoy.state if convoy.closed else None
                known = Known(
                    first, until, label, convoy.place, convoy.first_known, convoy.delivered_at, closed, closed_at
                )
            if before is not None and known is not None and before[2:] == known[2:]:
                before = before._replace(until=until)
                continue
            if before is not None:
                yield before
            before = known
        if before is not None:
            yield before

    def _put(self, known: Known, *, entered: bool) -> None:
        """Enter, or take out, what is known of one convoy."""
        _put(self._of.setdefault(known.label, []), known, entered=entered)
        if not self._of[known.label]:
            del self._of[known.label]
        _put(self._firsts, known.first, entered=entered)
        _put(self._untils, known.until, entered=entered)
        if known.delivered_at is not None:
            for place in {known.place, None}:
                _put(self._delivered[place], (known.delivered_at, known.label, known), entered=entered)
        elif known.closed_at is not None:
            _put(self._closed.setdefault(known.place, []), (known.closed_at, known), entered=entered)
        elif (due := max(known.first, self._due(known))) < known.until:
            (self._awaited.add if entered else self._awaited.remove)(due, known.until, known)

    def _due(self, known: Known) -> Micros:
        return max(known.first_known, self._effective) + self._tolerance


def _put(ordered: list[Any], item: Any, *, entered: bool) -> None:
    """Enter an item in a sorted list, or take it out."""
    if entered:
        insort(ordered, item)
    else:
        del ordered[bisect_left(ordered, item)]
