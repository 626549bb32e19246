"""The access leg: whether aid came through, by what its convoys did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from schemas.agreement import AccessRules, Agreement
from schemas.facts import ConvoyFact
from schemas.rows import Changes, Identity, Prior, Resumed
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros
from streams.ledger.core.claims import Changed
from streams.ledger.core.convoy import ConvoyName, Timeline
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.findings import Finding, minute
from streams.ledger.core.legs.docket import Docket
from streams.ledger.core.legs.leg import FromHorizon, Moved, StandingReport
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.report_rows import step_row


class AccessFinding(NamedTuple):
    """The finding with the rule that decided it and the convoys it rests on, sorted by name.

    ``closed`` are those of overdue convoys that were denied, turned back or attacked: name, state, and since when.
    """

    rules: AccessRules
    finding: Finding
    rule: str
    evidence: tuple[str, ...] = ()
    closed: tuple[tuple[str, str, Micros], ...] = ()

    @property
    def figures(self) -> Mapping[str, Any]:
        """No columns."""
        return {}

    @property
    def told_of(self) -> bool:
        """Whether a convoy to the region is known, or was owed for too long."""
        return self.finding not in (Finding.UNKNOWN, Finding.NOT_OWED)

    @property
    def text(self) -> str:
        """The sentence that says why."""
        named = ", ".join(self.evidence)
        match self.rule:
            case "attacked":
                return f"convoy attacked: {named}"
            case "overdue":
                hours = self.rules.overdue_after_hours
                return f"not delivered {hours} h or more after its first known step: {self._late()}"
            case "gap":
                since = f"the last delivery ({named})" if named else "the truce took effect"
                return f"{self.rules.max_gap_days} days or more since {since}"
            case "no_convoy_known":
                return "no convoy to this region is known"
            case "not_owed":
                return "the agreement owes this region no access"
            case _:
                return "no convoy attacked or overdue, no gap too long"

    def _late(self) -> str:
        """Name the overdue convoys, with what closed those that are no longer on their way."""
        closed = {
            label: f"{label} ({state.replace('_', ' ')} {minute(since)}, not made good since)"
            for label, state, since in self.closed
        }
        return ", ".join(closed.get(label, label) for label in self.evidence)


class AccessLeg:
    """The access leg, kept as the steps of convoys come and go."""

    name = "access"

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._convoys = Convoys(agreement.access.same_convoy_hours)
        self._access = Access(agreement, self._convoys)
        #: Claims whose convoys have other rows than at the last ``drain``.
        self._undrained: set[ConvoyName] = set()

    def apply(self, told: StandingReport) -> list[Moved]:
        """Enter a step of a convoy."""
        if not isinstance(told.fact, ConvoyFact):
            return []
        return self._moved(self._convoys.add(told.identity, step_row(told.fact, self._agreement)))

    def withdraw(self, identity: Identity, prior: Prior) -> list[Moved]:
        """Take a step out again."""
        if prior.type == "incident" or self._convoys.claim_of(identity) is None:
            return []
        return self._moved(self._convoys.remove(identity))

    def _moved(self, changed: Changed) -> list[Moved]:
        self._undrained |= changed.claims
        # Every region that a step of these convoys names may look another way.
        return [FromHorizon(region) for region in sorted(changed.regions)]

    def settle(self) -> dict[str, Micros]:
        """Take in what changed of the convoys."""
        return self._access.take_in()

    def judge(self, region: str, day: date, horizon: Micros) -> AccessFinding:
        """Judge one region and truce-day."""
        return self._access.judge(region, self._agreement.calendar.start_of(day), horizon)

    def restore(self, resumed: Resumed) -> None:
        """Take up the steps of all convoys."""
        for step in resumed.convoy_steps:
            self._convoys.add(Identity(step.feed, step.report_id), step)
        # A step that goes is held against what the convoys come to now; what moved before is in the pending regions.
        self._access.take_in()

    def drain(self, changes: Changes) -> Pieces[None]:
        """Hand over every convoy a step moved, with all its steps: one step may change what the others count for."""
        convoys, standing = self._convoys, set[ConvoyName]()
        for claim in self._undrained:
            if claim not in standing:
                standing |= convoys.hanging_together(claim)
        changes.touched_convoys = {*self._undrained, *standing}
        timelines = {}
        for claim in sorted(standing):
            yield
            timeline = convoys.standing(claim)
            timelines[timeline.name] = timeline
        for timeline in timelines.values():
            yield
            changes.convoys.append(timeline.row())
            changes.convoy_steps += timeline.step_rows()
            changes.joined_claims += convoys.joined_rows(timeline)
        changes.touched_reports |= {Identity(step.feed, step.report_id) for step in changes.convoy_steps}
        self._undrained.clear()


class Access:
    """Dockets of every region that access is owed to, kept as convoys come, change and go.

    A day costs what decides it, and a step what its own convoy costs; neither asks every convoy.
    """

    def __init__(self, agreement: Agreement, convoys: Convoys) -> None:
        self._rules = agreement.access
        self._convoys = convoys
        self._effective = agreement.effective
        self._longest_gap = agreement.access.max_gap_days * MICROS_PER_DAY
        tolerance = agreement.access.overdue_after_hours * MICROS_PER_HOUR
        self._dockets = {region: Docket(region, tolerance, self._effective) for region in agreement.access.regions}
        #: The convoys as they stand in the dockets, by each of their claims.
        self._entered: dict[ConvoyName, Timeline] = {}

    def take_in(self) -> dict[str, Micros]:
        """Take in what changed of the convoys; return by region the first horizon that may look another way.

        Regions in which nothing may are left out. A convoy that is told anew as it was moves no day, and a step moves
        none that ended before it began, unless it gives the convoy another name.
        """
        todo = list(self._convoys.take_moved())
        while todo:
            claim = todo.pop()
            told = self._convoys.timeline(claim)
            if self._entered.get(claim) is told:
                continue
            for one in {claim} if told is None else {claim, *told.claims}:
                todo += self._withdraw(one)
            if told is not None:
                self._enter(told)
        settled = {region: docket.settle() for region, docket in self._dockets.items()}
        return {region: first for region, first in settled.items() if first is not None}

    def judge(self, region: str, start: Micros, horizon: Micros) -> AccessFinding:
        """Find whether access held in one region on the truce-day that starts at ``start``, by what was taken in.

        ``horizon`` is the end of the day, or now while it runs. Approval, departure and arrival are no delivery; what
        is merely not known is UNKNOWN, and a known convoy that is neither late nor attacked leaves the leg MET.
        """
        docket = self._dockets.get(region)
        if docket is None:
            return AccessFinding(self._rules, Finding.NOT_OWED, "not_owed")
        if attacked := docket.attacked(start, horizon):
            return AccessFinding(self._rules, Finding.BROKEN, "attacked", tuple(attacked))
        if not docket.knows_any(horizon):
            return AccessFinding(self._rules, Finding.UNKNOWN, "no_convoy_known")
        if overdue := docket.overdue(horizon):
            closed = [(one.label, one.closed, one.closed_at) for one in overdue]
            return AccessFinding(
                self._rules,
                Finding.BROKEN,
                "overdue",
                tuple(one.label for one in overdue),
                tuple((label, state, at) for label, state, at in closed if state is not None and at is not None),
            )
        last = docket.last_delivery(horizon)
        if horizon - max(last[0] if last else self._effective, self._effective) >= self._longest_gap:
            return AccessFinding(self._rules, Finding.BROKEN, "gap", (last[1],) if last else ())
        return AccessFinding(self._rules, Finding.MET, "in_time")

    def _enter(self, timeline: Timeline) -> None:
        self._entered.update(dict.fromkeys(timeline.claims, timeline))
        for region in timeline.regions:
            if region in self._dockets:
                self._dockets[region].enter(timeline)

    def _withdraw(self, claim: ConvoyName) -> frozenset[ConvoyName]:
        """Take out the convoy a claim was entered with; return its claims, which now are of no convoy or of others."""
        timeline = self._entered.get(claim)
        if timeline is None:
            return frozenset()
        for one in timeline.claims:
            del self._entered[one]
        for region in timeline.regions:
            if region in self._dockets:
                self._dockets[region].withdraw(timeline)
        return timeline.claims
