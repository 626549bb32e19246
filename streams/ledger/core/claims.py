"""Claims of convoys and which of them are one convoy: docs/judging.md, "Claims".

Claims *hang together* by assertions and by links of place and time, whether these join them or not. What hangs
together is kept up to date with every step; what of it is one convoy is worked out when somebody asks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import NamedTuple, TypeVar

from schemas.rows import ConvoyStepRow
from streams.ledger.core.claim_links import ClaimLinks, MatchRank, Moved, Pair, RoadSteps
from streams.ledger.core.convoy import ConvoyName, Timeline

_A = TypeVar("_A")
_B = TypeVar("_B")


class Join(NamedTuple):
    """What joined a claim to another one first; ``match_rank`` is None when a report asserts it."""

    other: ConvoyName
    match_rank: MatchRank | None


class Joined(NamedTuple):
    """The convoys that claims which hang together come to, and by claim the first join that it is part of."""

    convoys: list[set[ConvoyName]]
    firsts: dict[ConvoyName, Join]


class Cluster:
    """Claims that hang together, and how many of their steps name each region.

    ``joined`` and ``timelines``, these by claim, are there once somebody has asked for them.
    """

    __slots__ = ("claims", "joined", "regions", "timelines")

    def __init__(self, claims: set[ConvoyName], regions: Counter[str]) -> None:
        self.claims = claims
        self.regions = regions
        self.joined: Joined | None = None
        self.timelines: dict[ConvoyName, Timeline] = {}

    def forget(self) -> None:
        """Forget what was worked out."""
        self.joined = None
        self.timelines = {}


class Changed(NamedTuple):
    """What a step may have changed: every region a step of theirs names, and one claim at least of each cluster."""

    claims: set[ConvoyName]
    regions: set[str]


class Claims:
    """Which claims hang together, and which of them are one convoy. Every ``add`` has its exact ``remove``.

    To add a step costs as much as there are claims for its place near it in time, however many claims its convoy has;
    to part claims costs as much as hang together.

    Args:
        hours: how far apart claims to one place may lie and be joined; None when they never are.
    """

    def __init__(self, hours: int | None) -> None:
        self._links = None if hours is None else ClaimLinks(hours)
        self._roads: defaultdict[ConvoyName, RoadSteps] = defaultdict(RoadSteps)
        #: How many standing steps say that two claims are one convoy, or are not, by either of them. A claim nobody
        #: has made yet may be named: it is joined, or kept apart, once it is there.
        self._same: defaultdict[ConvoyName, Counter[ConvoyName]] = defaultdict(Counter)
        self._denied: defaultdict[ConvoyName, Counter[ConvoyName]] = defaultdict(Counter)
        self._regions: defaultdict[ConvoyName, Counter[str]] = defaultdict(Counter)
        self._clusters: dict[ConvoyName, Cluster] = {}

    def __contains__(self, claim: ConvoyName) -> bool:
        return claim in self._clusters

    def cluster(self, claim: ConvoyName) -> Cluster:
        """Return what a claim hangs together with; it must be there."""
        return self._clusters[claim]

    def joined(self, cluster: Cluster) -> Joined:
        """Return which claims of a cluster are one convoy."""
        if cluster.joined is None:
            links = {} if self._links is None else {one: self._links.links(one) for one in cluster.claims}
            cluster.joined = join(cluster.claims, self._same, self._denied, links)
        return cluster.joined

    def add(self, claim: ConvoyName, step: ConvoyStepRow) -> Changed:
        """Enter one step of a claim."""
        if claim in self._clusters:
            named = [step.same_convoy_as]
        else:
            self._clusters[claim] = Cluster({claim}, Counter())
            named = [step.same_convoy_as, *map(str, self._same.get(claim, ()))]
        self._count(claim, step, 1)
        self._clusters[claim].regions[step.region] += 1
        others = [ConvoyName.parse(name) for name in named if name is not None]
        return self._settle(claim, {claim}, (), ((claim, other) for other in others if other in self._clusters))

    def remove(self, claim: ConvoyName, step: ConvoyStepRow) -> Changed:
        """Take one step of a claim out again."""
        cluster = self._clusters[claim]
        named = {step.region}
        self._count(claim, step, -1)
        cluster.regions -= Counter((step.region,))
        parted: set[ConvoyName] = set()
        if claim not in self._regions:
            # Only now: who hung together with it by an assertion of theirs may be apart without it.
            parted = {claim, *(one for one in self._same.get(claim, ()) if one in self._clusters)}
        if step.same_convoy_as is not None:
            other = ConvoyName.parse(step.same_convoy_as)
            if other in self._clusters and other not in self._same.get(claim, ()):
                parted |= {claim, other}
        changed = self._settle(claim, {claim} | parted, parted, ())
        return changed._replace(regions=changed.regions | named)

    def _count(self, claim: ConvoyName, step: ConvoyStepRow, sign: int) -> None:
        _count(self._regions, claim, step.region, sign)
        for counts, names in ((self._same, [step.same_convoy_as]), (self._denied, step.not_same_convoy_as or ())):
            for name in names:
                if name is not None:
                    other = ConvoyName.parse(name)
                    _count(counts, claim, other, sign)
                    _count(counts, other, claim, sign)
        if self._links is not None:
            (self._roads[claim].add if sign > 0 else self._roads[claim].remove)(step)

    def _settle(
        self,
        claim: ConvoyName,
        changed: set[ConvoyName],
        parted: Iterable[ConvoyName],
        joining: Iterable[tuple[ConvoyName, ConvoyName]],
    ) -> Changed:
        """Bring the clusters up to date after a step of ``claim`` came or went.

        Args:
            changed: claims to which something happened already.
            parted: claims that may no longer hang together by assertions.
            joining: pairs of claims that hang together from now on.
        """
        moved = self._move(claim)
        changed = changed.union(*moved.parted, *moved.linked)
        regions = {region for one in changed for region in self._clusters[one].regions}
        for one in changed:
            self._clusters[one].forget()
        for cluster in {id(it): it for it in map(self._clusters.__getitem__, {*parted}.union(*_gone(moved)))}.values():
            self._split(cluster)
        for one, other in (*joining, *map(tuple, moved.linked)):
            self._unite(self._clusters[one], self._clusters[other])
        for one in changed & self._clusters.keys():
            self._clusters[one].forget()
            regions.update(self._clusters[one].regions)
        return Changed(changed, regions)

    def _move(self, claim: ConvoyName) -> Moved:
        if self._links is None:
            return Moved(set(), set())
        road = self._roads[claim].road()
        if claim not in self._regions:
            del self._roads[claim]
        return self._links.move(claim, road, self._denied)

    def _split(self, cluster: Cluster) -> None:
        """Find anew what of a cluster still hangs together, without the claims that are no more."""
        for one in cluster.claims:
            del self._clusters[one]
        for one in cluster.claims & self._regions.keys():
            if one not in self._clusters:
                whole = Cluster(self._reached(one), Counter())
                for each in whole.claims:
                    whole.regions.update(self._regions[each])
                    self._clusters[each] = whole

    def _reached(self, claim: ConvoyName) -> set[ConvoyName]:
        reached, todo = {claim}, [claim]
        while todo:
            one = todo.pop()
            linked = () if self._links is None else self._links.links(one)
            for other in (*self._same.get(one, ()), *linked):
                if other in self._regions and other not in reached:
                    reached.add(other)
                    todo.append(other)
        return reached

    def _unite(self, one: Cluster, other: Cluster) -> None:
        """Make one of two; claims move from the smaller, so that a claim moves few times."""
        if one is other:
            return
        smaller, larger = sorted((one, other), key=lambda cluster: len(cluster.claims))
        larger.claims |= smaller.claims
        larger.regions.update(smaller.regions)
        larger.forget()
        self._clusters.update(dict.fromkeys(smaller.claims, larger))


class _Group:
    """Claims that are one convoy so far."""

    __slots__ = ("claims", "denied", "feeds")

    def __init__(self, claim: ConvoyName, denied: Iterable[ConvoyName]) -> None:
        self.claims = {claim}
        self.denied = set(denied)
        self.feeds = {claim.feed}


def join(
    claims: Collection[ConvoyName],
    same: Mapping[ConvoyName, Collection[ConvoyName]],
    denied: Mapping[ConvoyName, Collection[ConvoyName]],
    links: Mapping[ConvoyName, Mapping[ConvoyName, MatchRank]],
) -> Joined:
    """Take assertions and then links, the closest first, each as far as it may join.

    Args:
        claims: every claim that hangs together with any of them.
        same: by claim, those it asserts, or that assert of it, to be the same convoy; claims not here as well.
        denied: likewise, those that are said not to be.
        links: by claim, those it is linked to by place and time.
    """
    groups = {claim: _Group(claim, denied.get(claim, ())) for claim in claims}
    firsts: dict[ConvoyName, Join] = {}
    asserted = {_ordered(one, other) for one in claims for other in same.get(one, ()) if other in groups}
    by_place = {_ordered(one, other): close for one in claims for other, close in links.get(one, {}).items()}
    by_name = sorted(asserted, key=lambda pair: tuple(map(str, pair)))
    closest = sorted(by_place, key=by_place.__getitem__)
    for (one, other), close in chain(((pair, None) for pair in by_name), ((pair, by_place[pair]) for pair in closest)):
        smaller, larger = sorted((groups[one], groups[other]), key=lambda group: len(group.claims))
        if smaller is larger or not smaller.claims.isdisjoint(larger.denied):
            continue
        if close is not None and not smaller.feeds.isdisjoint(larger.feeds):
            continue
        larger.claims |= smaller.claims
        larger.denied |= smaller.denied
        larger.feeds |= smaller.feeds
        groups.update(dict.fromkeys(smaller.claims, larger))
        firsts.setdefault(one, Join(other, close))
        firsts.setdefault(other, Join(one, close))
    return Joined([group.claims for group in {id(group): group for group in groups.values()}.values()], firsts)


def _ordered(one: ConvoyName, other: ConvoyName) -> tuple[ConvoyName, ConvoyName]:
    return (one, other) if str(one) < str(other) else (other, one)


def _gone(moved: Moved) -> set[Pair]:
    return moved.parted - moved.linked


def _count(counts: defaultdict[_A, Counter[_B]], key: _A, value: _B, sign: int) -> None:
    counts[key][value] += sign
    if not counts[key][value]:
        del counts[key][value]
        if not counts[key]:
            del counts[key]
