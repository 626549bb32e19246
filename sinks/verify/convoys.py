"""Convoys folded from their steps, and the access leg: docs/judging.md, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_HOUR, Micros
from sinks.verify.history import NaiveReport

DELIVERIES = frozenset({"offloaded", "distributed"})
CLOSINGS = frozenset({"denied", "turned_back", "attacked"})


class Leg(NamedTuple):
    """One leg's finding on one region and truce-day, and what decides it."""

    finding: str
    evidence: tuple[str, ...] = ()


class NaiveConvoy(NamedTuple):
    """A convoy as its steps, in the order they happened, tell it."""

    feed: str
    convoy_id: str
    steps: tuple[NaiveReport, ...]

    @property
    def name(self) -> str:
        """The convoy as evidence names it."""
        return f"{self.feed}/{self.convoy_id}"

    @property
    def region(self) -> str:
        """The destination, as the latest step has it."""
        return self.steps[-1].regions[0]

    @property
    def first_known(self) -> Micros:
        """When the earliest step began."""
        return self.steps[0].occurred_from

    @property
    def delivered_at(self) -> Micros | None:
        """When the first delivery began, or None."""
        return next((step.occurred_from for step in self.steps if step.kind in DELIVERIES), None)

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be expected of it."""
        return self.steps[-1].kind in CLOSINGS

    @property
    def attacks(self) -> list[Micros]:
        """When each attacked step began."""
        return [step.occurred_from for step in self.steps if step.kind == "attacked"]


def convoys_of(steps: Iterable[NaiveReport]) -> list[NaiveConvoy]:
    """Return the convoys these present, active steps make, in the order of (feed, convoy_id)."""
    by_convoy: dict[tuple[str, str], list[NaiveReport]] = {}
    for step in steps:
        by_convoy.setdefault((step.feed, step.convoy_id), []).append(step)
    return [
        NaiveConvoy(*key, tuple(sorted(told, key=lambda step: (step.occurred_from, step.reported_at, step.report_id))))
        for key, told in sorted(by_convoy.items())
    ]


def judge_access(
    agreement: Agreement, region: str, start: Micros, end: Micros, now: Micros, steps: Iterable[NaiveReport]
) -> Leg:
    """Find whether access to ``region`` held on the truce-day ``[start, end)``, as seen at ``now``.

    Only what had begun before the horizon counts: a day is not broken by what happened after it, nor a running
    one by what a feed announces for tomorrow.
    """
    if region not in agreement.access.regions:
        return Leg("NOT_OWED")
    horizon = min(end, now)
    known = convoys_of(step for step in steps if step.occurred_from < horizon)
    convoys = [convoy for convoy in known if convoy.region == region]

    attacked = [convoy for convoy in convoys if any(start <= moment < end for moment in convoy.attacks)]
    if attacked:
        return Leg("BROKEN", names(attacked))

    tolerance = agreement.access.overdue_after_hours * MICROS_PER_HOUR
    overdue = [
        convoy
        for convoy in convoys
        if convoy.delivered_at is None
        and not convoy.closed
        and horizon - max(convoy.first_known, agreement.effective) >= tolerance
    ]
    if overdue:
        return Leg("BROKEN", names(overdue))

    if not convoys:
        return Leg("UNKNOWN")
    deliveries = [(convoy.delivered_at, convoy) for convoy in convoys if convoy.delivered_at is not None]
    # Of deliveries at the same instant the one whose name sorts last is named.
    last = max(deliveries, key=lambda delivery: (delivery[0], delivery[1].name), default=None)
    since = agreement.effective if last is None else max(last[0], agreement.effective)
    if horizon - since >= agreement.access.max_gap_days * 24 * MICROS_PER_HOUR:
        return Leg("BROKEN", () if last is None else (last[1].name,))
    return Leg("MET")


def names(convoys: Iterable[NaiveConvoy]) -> tuple[str, ...]:
    """Return the convoys as evidence lists them."""
    return tuple(sorted(convoy.name for convoy in convoys))
