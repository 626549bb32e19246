"""Claims of different feeds bound for one place at one time: which is the closest to which; docs/judging.md, "Claims".

Claims are found by place and day, so that a step costs as much as there are claims for its place about its time, and
days with a crowd of claims have a bound of their own.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.rows import ConvoyStepRow
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros
from streams.ledger.core.convoy import ConvoyName
from streams.ledger.core.convoy_steps import DELIVERIES, ROAD

#: Roads that touch one place and day at most: more are a crowd, in which nobody can say which is whose, and looking
#: would cost each of ten thousand claims of a day as much as all the others.
CROWD = 50
#: The longest road that is one convoy's: a name used for longer would lie near every convoy to its place.
LONGEST: Micros = 31 * MICROS_PER_DAY
_ON_THE_ROAD = frozenset(map(str, ROAD | DELIVERIES))

#: Where a claim is bound: the region, the listed place or nothing, the town's name or nothing.
Destination = tuple[str, str, str]
Cell = tuple[Destination, int]
Pair = frozenset[ConvoyName]


class Road(NamedTuple):
    """The stretch of time over which a claim tells of the road and of deliveries, and where to."""

    to: Destination
    start: Micros
    end: Micros


class MatchRank(NamedTuple):
    """How close two candidates are; the least is the closest, and no two pairs are equally close."""

    gap: Micros
    between_starts: Micros
    names: tuple[str, str]


class RoadSteps:
    """The steps of one claim that are on its road. To add or take out one costs little however many there are."""

    __slots__ = ("_ends", "_naming", "_starts")

    def __init__(self) -> None:
        self._starts: list[Micros] = []
        self._ends: list[Micros] = []
        self._naming: list[tuple[Micros, Micros, str, Destination]] = []

    def add(self, step: ConvoyStepRow) -> None:
        """Enter a step, if it is one of the road."""
        if step.step in _ON_THE_ROAD:
            insort(self._starts, step.occurred_from)
            insort(self._ends, step.occurred_to)
            naming = _naming(step)
            if naming is not None:
                insort(self._naming, naming)

    def remove(self, step: ConvoyStepRow) -> None:
        """Take a step out again."""
        if step.step in _ON_THE_ROAD:
            del self._starts[bisect_left(self._starts, step.occurred_from)]
            del self._ends[bisect_left(self._ends, step.occurred_to)]
            naming = _naming(step)
            if naming is not None:
                del self._naming[bisect_left(self._naming, naming)]

    def road(self) -> Road | None:
        """Return the road; None when there is none, it leads to no place, or it is too long to be one convoy's."""
        if not self._naming or self._ends[-1] - self._starts[0] > LONGEST:
            return None
        return Road(self._naming[-1][-1], self._starts[0], self._ends[-1])


def _naming(step: ConvoyStepRow) -> tuple[Micros, Micros, str, Destination] | None:
    if step.place is None and step.town is None:
        return None
    to = (step.region, step.place or "", "" if step.place else step.town or "")
    return step.occurred_from, step.reported_at, step.report_id, to


class Moved(NamedTuple):
    """Pairs of claims that are linked no more, and that are linked now; one whose rank changed is in both."""

    parted: set[Pair]
    linked: set[Pair]


class ClaimLinks:
    """Which claims are linked by place and time: each the closest of its feed to the other.

    Args:
        hours: how far apart the roads of two claims may lie.
    """

    def __init__(self, hours: int) -> None:
        self._reach = hours * MICROS_PER_HOUR
        self._roads: dict[ConvoyName, Road] = {}
        self._cells: defaultdict[Cell, set[ConvoyName]] = defaultdict(set)
        self._crowds: set[Cell] = set()
        self._candidates: defaultdict[ConvoyName, dict[str, dict[ConvoyName, MatchRank]]] = defaultdict(dict)
        self._closest: dict[tuple[ConvoyName, str], ConvoyName] = {}
        self._links: defaultdict[ConvoyName, dict[ConvoyName, MatchRank]] = defaultdict(dict)

    def links(self, claim: ConvoyName) -> dict[ConvoyName, MatchRank]:
        """Return the claims that a claim is linked to."""
        return self._links.get(claim, {})

    def move(self, claim: ConvoyName, road: Road | None, denied: Mapping[ConvoyName, Collection[ConvoyName]]) -> Moved:
        """Note the road that a claim has now, and what it denies.

        Args:
            denied: by claim, those that it denies or is denied by.
        """
        moved = {claim}
        old = self._roads.pop(claim, None)
        before, after = set(self._cells_of(old)), set(self._cells_of(road))
        for cell in before - after:
            moved |= self._leave(cell, claim)
        for cell in after - before:
            moved |= self._enter(cell, claim)
        if road is not None:
            self._roads[claim] = road
        touched: dict[Pair, tuple[ConvoyName, ConvoyName]] = {}
        for one in moved:
            touched |= self._meet(one, denied)
        return self._link(touched.values())

    def _cells_of(self, road: Road | None) -> Iterator[Cell]:
        if road is not None:
            # Two roads in reach of each other both touch the day on which the later one starts.
            for day in range(road.start // MICROS_PER_DAY, (road.end + self._reach) // MICROS_PER_DAY + 1):
                yield road.to, day

    def _enter(self, cell: Cell, claim: ConvoyName) -> set[ConvoyName]:
        """Enter a claim; return those that are in a crowd now and were not."""
        here = self._cells[cell]
        here.add(claim)
        if len(here) == CROWD + 1:
            self._crowds.add(cell)
            return here
        return set()

    def _leave(self, cell: Cell, claim: ConvoyName) -> set[ConvoyName]:
        """Take a claim out; return those that were in a crowd and are no more."""
        here = self._cells[cell]
        here.remove(claim)
        if not here:
            del self._cells[cell]
        elif len(here) == CROWD:
            self._crowds.remove(cell)
            return here
        return set()

    def _crowded(self, road: Road) -> bool:
        return bool(self._crowds) and not self._crowds.isdisjoint(self._cells_of(road))

    def _meet(
        self, claim: ConvoyName, denied: Mapping[ConvoyName, Collection[ConvoyName]]
    ) -> dict[Pair, tuple[ConvoyName, ConvoyName]]:
        """Find the candidates of a claim anew; return the pairs that are others than before."""
        found = dict(self._found(claim, denied.get(claim, ())))
        known = {
            other: close for of_feed in self._candidates.get(claim, {}).values() for other, close in of_feed.items()
        }
        touched = {}
        for other in known.keys() | found.keys():
            if known.get(other) != found.get(other):
                touched[frozenset((claim, other))] = (claim, other)
                self._compare(claim, other, found.get(other))
                self._compare(other, claim, found.get(other))
        return touched

    def _compare(self, claim: ConvoyName, other: ConvoyName, close: MatchRank | None) -> None:
        """Note how close one claim is to another, or that it is no candidate."""
        by_feed = self._candidates[claim]
        of_feed = by_feed.setdefault(other.feed, {})
        if close is not None:
            of_feed[other] = close
            return
        del of_feed[other]
        if not of_feed:
            del by_feed[other.feed]
            if not by_feed:
                del self._candidates[claim]

    def _found(self, claim: ConvoyName, denied: Collection[ConvoyName]) -> Iterator[tuple[ConvoyName, MatchRank]]:
        road = self._roads.get(claim)
        if road is None or self._crowded(road):
            return
        for other in set().union(*(self._cells[cell] for cell in self._cells_of(road))):
            theirs = self._roads[other]
            gap = max(0, road.start - theirs.end, theirs.start - road.end)
            if other.feed != claim.feed and gap <= self._reach and other not in denied and not self._crowded(theirs):
                one, another = sorted((str(claim), str(other)))
                yield other, MatchRank(gap, abs(road.start - theirs.start), (one, another))

    def _link(self, touched: Iterable[tuple[ConvoyName, ConvoyName]]) -> Moved:
        """Link and part what the changed candidates make closest, or no more."""
        asking = {(one, other.feed) for pair in touched for one, other in (pair, pair[::-1])}
        suitors: set[tuple[ConvoyName, ConvoyName]] = set()
        for one, feed in asking:
            before = self._closest.pop((one, feed), None)
            of_feed = self._candidates.get(one, {}).get(feed)
            if before is not None:
                suitors.add((one, before))
            if of_feed:
                closest = min(of_feed, key=of_feed.__getitem__)
                self._closest[one, feed] = closest
                suitors.add((one, closest))
        moved = Moved(set(), set())
        for pair in {frozenset(each) for each in suitors}:
            one, other = pair
            before_link = self._links.get(one, {}).get(other)
            after_link = self._mutual(one, other)
            if before_link == after_link:
                continue
            if before_link is not None:
                moved.parted.add(pair)
                self._unlink(one, other)
            if after_link is not None:
                moved.linked.add(pair)
                self._links[one][other] = self._links[other][one] = after_link
        return moved

    def _mutual(self, one: ConvoyName, other: ConvoyName) -> MatchRank | None:
        if self._closest.get((one, other.feed)) != other or self._closest.get((other, one.feed)) != one:
            return None
        return self._candidates[one][other.feed][other]

    def _unlink(self, one: ConvoyName, other: ConvoyName) -> None:
        for claim, partner in ((one, other), (other, one)):
            del self._links[claim][partner]
            if not self._links[claim]:
                del self._links[claim]
