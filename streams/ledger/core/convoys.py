"""All convoys of one agreement: which claims are one convoy, each folded once until one of its steps changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Set
from typing import TypeVar

from schemas.rows import ConvoyStepRow, Identity
from schemas.truceday import Micros
from streams.ledger.core.convoy import Convoy, ConvoyName, Timeline

_A = TypeVar("_A")
_B = TypeVar("_B")


class _Whole:
    """The claims of one convoy, how many of their steps name each region, and, once asked for, what they amount to."""

    __slots__ = ("claims", "regions", "timeline")

    def __init__(self, claims: set[ConvoyName], regions: Counter[str]) -> None:
        self.claims = claims
        self.regions = regions
        self.timeline: Timeline | None = None


class Convoys:
    """Steps by claim, claims joined to convoys. Every ``add`` has its exact ``remove``.

    To add a step costs the same however many claims its convoy has; to part claims costs as much as there are.
    """

    def __init__(self) -> None:
        self._steps: dict[ConvoyName, dict[Identity, ConvoyStepRow]] = {}
        self._claim_of: dict[Identity, ConvoyName] = {}
        #: How many standing steps say that two claims are one convoy, by either of them. A claim nobody has made yet
        #: may be named: it joins once it is there.
        self._same: defaultdict[ConvoyName, Counter[ConvoyName]] = defaultdict(Counter)
        self._regions: defaultdict[ConvoyName, Counter[str]] = defaultdict(Counter)
        self._bound: defaultdict[str, Counter[ConvoyName]] = defaultdict(Counter)
        #: By claim; those that were parted are missing until they are asked for.
        self._wholes: dict[ConvoyName, _Whole] = {}
        #: Claims whose convoys were entered, changed, joined or parted since they were last taken.
        self._moved: set[ConvoyName] = set()

    def add(self, identity: Identity, step: ConvoyStepRow) -> ConvoyName:
        """Enter one step; return its claim."""
        claim = ConvoyName(step.feed, step.convoy_id)
        joins: list[ConvoyName] = []
        if claim in self._steps:
            whole = self._whole(claim)
        else:
            whole = self._wholes[claim] = _Whole({claim}, Counter())
            joins += self._same.get(claim, ())
        self._steps.setdefault(claim, {})[identity] = step
        self._claim_of[identity] = claim
        self._count_in(claim, step, 1)
        whole.regions[step.region] += 1
        if step.same_convoy_as is not None:
            joins.append(ConvoyName.parse(step.same_convoy_as))
        for other in joins:
            if other in self._steps:
                # To find what hangs together with the other may find this claim as well.
                theirs = self._whole(other)
                self._join(self._wholes[claim], theirs)
        self._wholes[claim].timeline = None
        self._moved.add(claim)
        return claim

    def remove(self, identity: Identity) -> None:
        """Take one step out again."""
        claim = self._claim_of.pop(identity)
        whole = self._whole(claim)
        whole.timeline = None
        self._moved.add(claim)
        step = self._steps[claim].pop(identity)
        self._count_in(claim, step, -1)
        parted = step.same_convoy_as is not None and ConvoyName.parse(step.same_convoy_as) not in self._same.get(
            claim, ()
        )
        if not self._steps[claim]:
            del self._steps[claim]
            parted = True
        if parted:
            self._moved |= whole.claims
            for one in whole.claims:
                del self._wholes[one]
        else:
            whole.regions -= Counter((step.region,))

    def claim_of(self, identity: Identity) -> ConvoyName | None:
        """Return the claim a report tells a step of, if it does."""
        return self._claim_of.get(identity)

    def claims(self, claim: ConvoyName) -> Set[ConvoyName]:
        """Return every claim of the convoy that ``claim`` is of; none when no step of it stands."""
        return self._whole(claim).claims if claim in self._steps else frozenset()

    def regions(self, claim: ConvoyName) -> list[str]:
        """Return, sorted, every region that a step of the convoy names that ``claim`` is of."""
        return sorted(self._whole(claim).regions) if claim in self._steps else []

    def timeline(self, claim: ConvoyName) -> Timeline | None:
        """Return the convoy a claim is of; None when no step of the claim stands."""
        if claim not in self._steps:
            return None
        whole = self._whole(claim)
        if whole.timeline is None:
            whole.timeline = Timeline(step for one in whole.claims for step in self._steps[one].values())
        return whole.timeline

    def bound_for(self, region: str, horizon: Micros) -> list[Convoy]:
        """Return the convoys whose destination is ``region`` as known by ``horizon``."""
        found = (self.timeline(claim) for claim in self._bound.get(region, ()))
        timelines = {one.name: one for one in found if one is not None}
        # A convoy may have been re-routed since: what is known by the horizon decides.
        known = (timeline.at(horizon) for timeline in timelines.values())
        return [convoy for convoy in known if convoy is not None and convoy.region == region]

    def take_moved(self) -> set[ConvoyName]:
        """Return claims of every convoy that is another one since the last call, gone ones and parted ones included.

        Of claims that were joined it names one at least: who knows the earlier convoys finds the others.
        """
        moved, self._moved = self._moved, set()
        return moved

    def _count_in(self, claim: ConvoyName, step: ConvoyStepRow, sign: int) -> None:
        _count(self._bound, step.region, claim, sign)
        _count(self._regions, claim, step.region, sign)
        if step.same_convoy_as is not None:
            other = ConvoyName.parse(step.same_convoy_as)
            _count(self._same, claim, other, sign)
            _count(self._same, other, claim, sign)

    def _whole(self, claim: ConvoyName) -> _Whole:
        found = self._wholes.get(claim)
        if found is None:
            found = _Whole(self._joined(claim), Counter())
            for one in found.claims:
                found.regions.update(self._regions[one])
                self._wholes[one] = found
        return found

    def _joined(self, claim: ConvoyName) -> set[ConvoyName]:
        joined, todo = {claim}, [claim]
        while todo:
            for other in self._same.get(todo.pop(), ()):
                if other in self._steps and other not in joined:
                    joined.add(other)
                    todo.append(other)
        return joined

    def _join(self, one: _Whole, other: _Whole) -> None:
        """Make one of two; claims move from the smaller, so that a claim moves few times."""
        if one is other:
            return
        smaller, larger = sorted((one, other), key=lambda whole: len(whole.claims))
        larger.claims |= smaller.claims
        larger.regions.update(smaller.regions)
        self._wholes.update(dict.fromkeys(smaller.claims, larger))


def _count(counts: defaultdict[_A, Counter[_B]], key: _A, value: _B, sign: int) -> None:
    counts[key][value] += sign
    if not counts[key][value]:
        del counts[key][value]
        if not counts[key]:
            del counts[key]
