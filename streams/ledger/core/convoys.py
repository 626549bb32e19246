"""All convoys of one agreement: which claims are one convoy, each folded once until one of its steps changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TypeVar

from schemas.rows import ConvoyStepRow, Identity
from schemas.truceday import Micros
from streams.ledger.core.convoy import Convoy, ConvoyName, Timeline

_A = TypeVar("_A")
_B = TypeVar("_B")


class Convoys:
    """Steps by claim, claims joined to convoys. Every ``add`` has its exact ``remove``."""

    def __init__(self) -> None:
        self._steps: dict[ConvoyName, dict[Identity, ConvoyStepRow]] = {}
        self._claim_of: dict[Identity, ConvoyName] = {}
        #: How many standing steps say that two claims are one convoy, by either of them. A claim nobody has made yet
        #: may be named: it joins once it is there.
        self._same: defaultdict[ConvoyName, Counter[ConvoyName]] = defaultdict(Counter)
        self._regions: defaultdict[ConvoyName, Counter[str]] = defaultdict(Counter)
        self._bound: defaultdict[str, Counter[ConvoyName]] = defaultdict(Counter)
        self._timelines: dict[ConvoyName, Timeline] = {}
        self._to: dict[str, list[Timeline]] = {}

    def add(self, identity: Identity, step: ConvoyStepRow) -> ConvoyName:
        """Enter one step; return its claim."""
        claim = ConvoyName(step.feed, step.convoy_id)
        self._steps.setdefault(claim, {})[identity] = step
        self._claim_of[identity] = claim
        self._count_in(claim, step, 1)
        self._forget(claim)
        return claim

    def remove(self, identity: Identity) -> None:
        """Take one step out again."""
        claim = self._claim_of.pop(identity)
        self._forget(claim)
        step = self._steps[claim].pop(identity)
        if not self._steps[claim]:
            del self._steps[claim]
        self._count_in(claim, step, -1)

    def claim_of(self, identity: Identity) -> ConvoyName | None:
        """Return the claim a report tells a step of, if it does."""
        return self._claim_of.get(identity)

    def reach(self, claim: ConvoyName) -> tuple[set[ConvoyName], set[str]]:
        """Return every claim of the convoy that ``claim`` is of, and every region any of their steps names."""
        claims = self._joined(claim)
        return claims, {region for one in claims for region in self._regions[one]}

    def timeline(self, claim: ConvoyName) -> Timeline | None:
        """Return the convoy a claim is of; None when no step of the claim stands."""
        found = self._timelines.get(claim)
        if found is None and claim in self._steps:
            found = Timeline(step for one in self._joined(claim) for step in self._steps[one].values())
            self._timelines.update(dict.fromkeys(found.claims, found))
        return found

    def bound_for(self, region: str, horizon: Micros) -> list[Convoy]:
        """Return the convoys whose destination is ``region`` as known by ``horizon``."""
        timelines = self._to.get(region)
        if timelines is None:
            found = (self.timeline(claim) for claim in self._bound.get(region, ()))
            timelines = self._to[region] = list({one.name: one for one in found if one is not None}.values())
        # A convoy may have been re-routed since: what is known by the horizon decides.
        known = (timeline.at(horizon) for timeline in timelines)
        return [convoy for convoy in known if convoy is not None and convoy.region == region]

    def _count_in(self, claim: ConvoyName, step: ConvoyStepRow, sign: int) -> None:
        _count(self._bound, step.region, claim, sign)
        _count(self._regions, claim, step.region, sign)
        if step.same_convoy_as is not None:
            other = ConvoyName.parse(step.same_convoy_as)
            _count(self._same, claim, other, sign)
            _count(self._same, other, claim, sign)

    def _joined(self, claim: ConvoyName) -> set[ConvoyName]:
        joined, todo = {claim}, [claim]
        while todo:
            for other in self._same.get(todo.pop(), ()):
                if other in self._steps and other not in joined:
                    joined.add(other)
                    todo.append(other)
        return joined

    def _forget(self, claim: ConvoyName) -> None:
        """Forget what was folded of a convoy, which is the larger one: after a step came, before one goes."""
        claims, regions = self.reach(claim)
        for one in claims:
            self._timelines.pop(one, None)
        for region in regions:
            self._to.pop(region, None)


def _count(counts: defaultdict[_A, Counter[_B]], key: _A, value: _B, sign: int) -> None:
    counts[key][value] += sign
    if not counts[key][value]:
        del counts[key][value]
        if not counts[key]:
            del counts[key]
