"""Convoys folded from their steps, and the access leg: docs/judging.md, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros
from sinks.verify.claims import DELIVERIES, ROAD, group_claims
from sinks.verify.history import NaiveReport
from sinks.verify.wording import Reason, access_reason

ANSWERS = ("denied", "approved_in_principle", "approved_in_part", "approved")
SETBACKS = ("denied", "held", "turned_back", "attacked")
CONTRADICTING = ("denied", "held", "turned_back")
CLOSINGS = ("denied", "turned_back", "attacked")

#: The table of docs/judging.md, line by line.
LEGAL = {
    "requested": ("no_response", *ANSWERS, *ROAD),
    "no_response": ("requested", *ANSWERS, *ROAD),
    "denied": ("requested", "no_response", *ANSWERS),
    "approved_in_principle": ("no_response", "denied", "approved_in_part", "approved", *ROAD),
    "approved_in_part": ("denied", "approved", *ROAD),
    "approved": ("denied", "approved_in_part", *ROAD),
    "loaded": ("denied", *ROAD),
    "dispatched": ("held", "turned_back", "attacked", "arrived", *DELIVERIES),
    "held": ("denied", *ROAD, *DELIVERIES),
    "turned_back": ("requested", "no_response", *ANSWERS, "loaded", "dispatched"),
    "attacked": ("held", "turned_back", "dispatched", "arrived", *DELIVERIES),
    "arrived": ("held", "turned_back", "attacked", *DELIVERIES),
    "offloaded": ("turned_back", "attacked", "distributed"),
    "distributed": (),
}


class Leg(NamedTuple):
    """One leg's finding on one region and truce-day, and what decides it."""

    finding: str
    evidence: tuple[str, ...] = ()


class AccessLeg(NamedTuple):
    """The access leg's finding, the convoys that decide it, and what is said of it."""

    finding: str
    evidence: tuple[str, ...]
    reason: Reason


class NaiveConvoy(NamedTuple):
    """A convoy as the steps of all its claims, in the order they happened, tell it."""

    feed: str
    convoy_id: str
    steps: tuple[NaiveReport, ...]

    @property
    def name(self) -> str:
        """The convoy as evidence names it."""
        return f"{self.feed}/{self.convoy_id}"

    @property
    def first_known(self) -> Micros:
        """When the earliest step began."""
        return self.steps[0].occurred_from

    @property
    def attacks(self) -> list[NaiveReport]:
        """Return the attacked steps."""
        return [step for step in self.steps if step.kind == "attacked"]

    def before(self, horizon: Micros) -> NaiveConvoy | None:
        """Return the convoy by the steps that began before ``horizon``; it keeps its name."""
        known = tuple(step for step in self.steps if step.occurred_from < horizon)
        return self._replace(steps=known) if known else None

    def legal(self) -> list[bool]:
        """Return for each step whether it may come after the state before it."""
        found: list[bool] = []
        before = ""
        for step in self.steps:
            found.append(before in ("", step.kind) or step.kind in LEGAL[before])
            if found[-1] or step.kind in SETBACKS:
                before = step.kind
        return found

    def contradicted(self, number: int) -> bool:
        """Whether another feed contradicts the delivery that step ``number`` claims."""
        return self.contradicting(number) is not None

    def contradicting(self, number: int) -> NaiveReport | None:
        """Return the first step of another feed that contradicts the delivery that step ``number`` claims."""
        claim = self.steps[number]
        against = (
            step
            for place, step in enumerate(self.steps)
            if step.feed != claim.feed
            and step.kind in CONTRADICTING
            and (place > number or (step.occurred_to > claim.occurred_from and step.reported_at > claim.reported_at))
        )
        return next(against, None)

    def flaws(self) -> list[str | None]:
        """Return for each step what is said against it."""
        flaws: list[str | None] = []
        uncontradicted = {
            step.feed
            for number, step in enumerate(self.steps)
            if step.kind in DELIVERIES and not self.contradicted(number)
        }
        before = ""
        for number, (step, legal) in enumerate(zip(self.steps, self.legal(), strict=True)):
            said = [] if legal else [f"{step.kind} does not follow {before}"]
            if step.kind in DELIVERIES:
                if not legal and len(uncontradicted) < 2:
                    said.append("no other feed claims a delivery")
                if (other := self.contradicting(number)) is not None:
                    said.append(f"{other.name} says {other.kind}")
            flaws.append("; ".join(said) or None)
            if legal or step.kind in SETBACKS:
                before = step.kind
        return flaws

    def counting(self) -> list[bool]:
        """Return for each step whether it counts."""
        standing = {
            number
            for number, step in enumerate(self.steps)
            if step.kind in DELIVERIES and not self.contradicted(number)
        }
        feeds = {self.steps[number].feed for number in standing}
        return [
            number in standing and (legal or len(feeds) > 1)
            if step.kind in DELIVERIES
            else legal or step.kind in SETBACKS
            for number, (step, legal) in enumerate(zip(self.steps, self.legal(), strict=True))
        ]

    def counted(self) -> list[NaiveReport]:
        """Return the steps that count; never none, as the first is legal and what contradicts it counts."""
        return [step for step, counts in zip(self.steps, self.counting(), strict=True) if counts]


class Standing(NamedTuple):
    """What the steps that count make of a convoy."""

    convoy: NaiveConvoy
    last: NaiveReport
    delivered_at: Micros | None

    @classmethod
    def of(cls, convoy: NaiveConvoy) -> Standing:
        """Work it out."""
        counted = convoy.counted()
        last = counted[-1]
        # Unloaded elsewhere, on the way or before it was sent on, is not delivered.
        deliveries = (
            step.occurred_from for step in counted if step.kind in DELIVERIES and step.regions == last.regions
        )
        return cls(convoy, last, next(deliveries, None))

    @property
    def closed(self) -> bool:
        """Whether it was stopped for good, as far as is known."""
        return self.delivered_at is None and self.last.kind in CLOSINGS

    def made_good_by(self, other: Standing) -> bool:
        """Whether what ``other`` delivered stands in for this one, which is bound for the same region."""
        if not self.closed or other.delivered_at is None:
            return False
        same_place = self.last.place is None or self.last.place == other.last.place
        return same_place and other.delivered_at >= self.last.occurred_from


def convoys_of(agreement: Agreement, steps: Iterable[NaiveReport]) -> list[NaiveConvoy]:
    """Return the convoys these present, active steps make, in the order of their names."""
    convoys = []
    for group in group_claims(agreement, steps).groups:
        its = [step for claim in group for step in claim.steps]
        _, feed, convoy_id = min((step.reported_at, step.feed, step.convoy_id) for step in its)
        its.sort(key=lambda step: (step.occurred_from, step.reported_at, step.feed, step.report_id))
        convoys.append(NaiveConvoy(feed, convoy_id, tuple(its)))
    return sorted(convoys)


def judge_access(
    agreement: Agreement, region: str, start: Micros, end: Micros, now: Micros, steps: Iterable[NaiveReport]
) -> AccessLeg:
    """Find whether access to ``region`` held on the truce-day ``[start, end)``, as seen at ``now``.

    Only what had begun before the horizon counts: a day is not broken by what happened after it, nor a running
    one by what a feed announces for tomorrow.
    """
    if region not in agreement.access.regions:
        return _leg(agreement, "NOT_OWED", "not_owed")
    horizon = min(end, now)
    known = [convoy.before(horizon) for convoy in convoys_of(agreement, steps)]
    everywhere = [Standing.of(convoy) for convoy in known if convoy is not None]
    states = [state for state in everywhere if state.last.regions[0] == region]

    attacked = [
        state
        for state in everywhere
        for step in state.convoy.attacks
        if start <= step.occurred_from < end and region in (*step.regions, *state.last.regions)
    ]
    if attacked:
        return _leg(agreement, "BROKEN", "attacked", attacked)

    tolerance = agreement.access.overdue_after_hours * MICROS_PER_HOUR
    overdue = [
        state
        for state in states
        if state.delivered_at is None
        and not any(state.made_good_by(other) for other in states)
        and horizon - max(state.convoy.first_known, agreement.effective) >= tolerance
    ]
    if overdue:
        return _leg(agreement, "BROKEN", "overdue", overdue)

    if not states:
        return _leg(agreement, "UNKNOWN", "no_convoy_known")
    # Of deliveries at the same instant the one whose name sorts last is named.
    deliveries = [(state.delivered_at, state.convoy.name, state) for state in states if state.delivered_at is not None]
    last = max(deliveries, default=None, key=lambda delivery: delivery[:2])
    since = agreement.effective if last is None else max(last[0], agreement.effective)
    if horizon - since >= agreement.access.max_gap_days * MICROS_PER_DAY:
        return _leg(agreement, "BROKEN", "gap", () if last is None else (last[2],))
    return _leg(agreement, "MET", "in_time")


def _leg(agreement: Agreement, finding: str, rule: str, states: Iterable[Standing] = ()) -> AccessLeg:
    """Return the leg with the convoys it rests on, by name, and what is said of it."""
    named = {
        state.convoy.name: (state.last.kind, state.last.occurred_from if state.closed else None) for state in states
    }
    convoys = [(name, *named[name]) for name in sorted(named)]
    return AccessLeg(finding, tuple(named for named, _, _ in convoys), access_reason(agreement, finding, rule, convoys))
