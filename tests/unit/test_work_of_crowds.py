"""Work of a ledger, counted, where very many reports hang together: twice as many take about twice as much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.facts import Fact
from tests.support.effort import calls
from tests.support.worlds import HOUR, LINKING, World, agreement, at, bulletin, convoy, incident, tick

TRUCE = agreement(linking=LINKING, access={"same_convoy_hours": 12}, violence={"bulletins_of": "monitor"})
MINUTE = HOUR // 60
STEPS = ("requested", "approved", "loaded", "dispatched", "held", "arrived", "offloaded", "distributed")


def strike(number: int, **more: Any) -> Fact:
    return incident(f"r{number}", when=at(1) + number * MINUTE, feed="feed", **more)


def merged(number: int, into: int) -> Fact:
    return strike(number, retracted=True, merged_into=f"r{into}") if number else strike(0)


def paired(number: int) -> Fact:
    """Return a report at one spot and minute; every second is the same as the one before."""
    same = (f"feed-{(number - 1) % 14}/r{number - 1}",) if number % 2 else ()
    there = type(incident().place)("SY01", latitude=36.2, longitude=37.15)
    return incident(
        f"r{number}", when=at(1), feed=f"feed-{number % 14}", place=there, place_precision="exact", same_as=same
    )


def step(number: int, **more: Any) -> Fact:
    begun = at(1) + number * MINUTE
    return convoy(f"s{number}", STEPS[number % len(STEPS)], when=begun, **more)


KINDS: dict[str, Callable[[int], Fact]] = {
    "each same as the one before": lambda n: strike(n, same_as=(f"feed/r{n - 1}",) if n else ()),
    "all same as one": lambda n: strike(n, same_as=("feed/r0",) if n else ()),
    "all retracted and same as one": lambda n: strike(n, same_as=("feed/r0",) if n else (), retracted=n % 2 == 1),
    "pairs at one spot": paired,
    "all same as one, half retracted and denying it as well": lambda n: strike(
        n,
        same_as=("feed/r0", "feed/r2") if n > 2 else (),
        not_same_as=("feed/r2",) if n % 2 else (),
        retracted=n % 2 == 1,
    ),
    "all merged into one": lambda n: merged(n, 0),
    "each merged into the one before": lambda n: merged(n, n - 1),
    "all deny one": lambda n: strike(n, not_same_as=("feed/r0",) if n else ()),
    "revisions": lambda n: incident("r", revision=n + 1, when=at(1) + n * MINUTE),
    "steps of one claim": lambda n: step(n, convoy_id="aid"),
    "steps of as many feeds": lambda n: step(n, feed=f"feed-{n}", same_convoy_as="feed-0/aid-1"),
    "claims, each the one before": lambda n: step(n, convoy_id=f"aid-{n}", same_convoy_as=f"un/aid-{n - 1}"),
    "bulletins of one day": lambda n: bulletin(f"b{n}", low=at(1), high=at(2)),
}


@pytest.mark.parametrize("told", KINDS.values(), ids=KINDS)
def test_as_many_more_take_as_much_more(told: Callable[[int], Fact]) -> None:
    def work(number: int) -> int:
        facts = [told(n) for n in range(number)]
        return calls(lambda: World(TRUCE, flush_every=10_000).tell(*facts, tick(at(3))))

    assert work(400) < 2.6 * work(200)
