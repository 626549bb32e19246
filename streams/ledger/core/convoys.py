"""All convoys of one agreement, each folded once until one of its steps changes."""

from __future__ import annotations

from collections import Counter, defaultdict

from schemas.rows import ConvoyStepRow, Identity, JoinedClaimRow
from schemas.truceday import MICROS_PER_SECOND, Micros
from streams.ledger.core.claims import Changed, Claims
from streams.ledger.core.convoy import Convoy, ConvoyName, Timeline


class Convoys:
    """Steps by claim, claims joined to convoys. Every ``add`` has its exact ``remove``.

    Args:
        same_convoy_hours: the agreement's; None when claims are joined by what reports say alone.
    """

    def __init__(self, same_convoy_hours: int | None = None) -> None:
        self._claims = Claims(same_convoy_hours)
        self._steps: dict[ConvoyName, dict[Identity, ConvoyStepRow]] = {}
        self._claim_of: dict[Identity, ConvoyName] = {}
        self._bound: defaultdict[str, Counter[ConvoyName]] = defaultdict(Counter)
        #: Claims whose convoys were entered, changed, joined or parted since they were last taken.
        self._moved: set[ConvoyName] = set()

    def add(self, identity: Identity, step: ConvoyStepRow) -> Changed:
        """Enter one step; return what it may have changed."""
        claim = ConvoyName(step.feed, step.convoy_id)
        self._steps.setdefault(claim, {})[identity] = step
        self._claim_of[identity] = claim
        self._bound[step.region][claim] += 1
        return self._note(claim, self._claims.add(claim, step))

    def remove(self, identity: Identity) -> Changed:
        """Take one step out again; return what that may have changed."""
        claim = self._claim_of.pop(identity)
        step = self._steps[claim].pop(identity)
        if not self._steps[claim]:
            del self._steps[claim]
        bound = self._bound[step.region]
        bound[claim] -= 1
        if not bound[claim]:
            del bound[claim]
        return self._note(claim, self._claims.remove(claim, step))

    def claim_of(self, identity: Identity) -> ConvoyName | None:
        """Return the claim a report tells a step of, if it does."""
        return self._claim_of.get(identity)

    def hanging_together(self, claim: ConvoyName) -> set[ConvoyName]:
        """Return every claim that ``claim`` hangs together with, itself included; none when no step of it stands."""
        return self._claims.cluster(claim).claims if claim in self._claims else set()

    def timeline(self, claim: ConvoyName) -> Timeline | None:
        """Return the convoy a claim is of; None when no step of the claim stands."""
        return self.standing(claim) if claim in self._claims else None

    def standing(self, claim: ConvoyName) -> Timeline:
        """Return the convoy a claim is of; a step of the claim must stand."""
        cluster = self._claims.cluster(claim)
        if not cluster.timelines:
            for claims in self._claims.joined(cluster).convoys:
                whole = Timeline(step for one in claims for step in self._steps[one].values())
                cluster.timelines.update(dict.fromkeys(claims, whole))
        return cluster.timelines[claim]

    def joined_rows(self, timeline: Timeline) -> list[JoinedClaimRow]:
        """Return what joined each claim of a convoy of several."""
        rows = []
        firsts = self._claims.joined(self._claims.cluster(timeline.name)).firsts
        for claim in sorted(timeline.claims) if len(timeline.claims) > 1 else ():
            other, close = firsts[claim]
            names = (*claim, str(timeline.name), str(other))
            if close is None:
                rows.append(JoinedClaimRow(*names, "same_convoy_as", None, "asserted"))
            else:
                apart = close.gap // MICROS_PER_SECOND
                rows.append(JoinedClaimRow(*names, "same_place_and_time", apart, "doubtful"))
        return rows

    def bound_for(self, region: str, horizon: Micros) -> list[Convoy]:
        """Return the convoys whose destination is ``region`` as known by ``horizon``."""
        found = (self.timeline(claim) for claim in self._bound.get(region, ()))
        timelines = {one.name: one for one in found if one is not None}
        # A convoy may have been re-routed since: what is known by the horizon decides.
        known = (timeline.at(horizon) for timeline in timelines.values())
        return [convoy for convoy in known if convoy is not None and convoy.region == region]

    def take_moved(self) -> set[ConvoyName]:
        """Return claims of every convoy that is another one since the last call, gone ones and parted ones included.

        All that hangs together with a changed claim is named: one step may join and part others of it.
        """
        moved, self._moved = self._moved, set()
        named: set[ConvoyName] = set()
        for claim in moved:
            if claim not in named:
                # Once for all of a cluster, which may be of thousands.
                named |= {claim, *self.hanging_together(claim)}
        return named

    def _note(self, claim: ConvoyName, changed: Changed) -> Changed:
        self._moved |= {claim, *changed.claims}
        return changed
