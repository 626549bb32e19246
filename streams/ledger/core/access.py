"""The access leg: whether aid came through, by what its convoys did."""

from __future__ import annotations

from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, Micros
from streams.ledger.core.convoy import ConvoyName, Timeline
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.docket import Docket
from streams.ledger.core.findings import Finding


class AccessFinding(NamedTuple):
    """The finding with the rule that decided it and the convoys it rests on, sorted by name.

    ``closed`` are those of overdue convoys that were denied, turned back or attacked: name, state, and since when.
    """

    finding: Finding
    rule: str
    convoys: tuple[str, ...] = ()
    closed: tuple[tuple[str, str, Micros], ...] = ()


NOT_OWED = AccessFinding(Finding.NOT_OWED, "not_owed")


class Access:
    """The access leg in every region that access is owed to, kept as convoys come, change and go.

    A day costs what decides it, and a step what its own convoy costs; neither asks every convoy.
    """

    def __init__(self, agreement: Agreement, convoys: Convoys) -> None:
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
            return NOT_OWED
        if attacked := docket.attacked(start, horizon):
            return AccessFinding(Finding.BROKEN, "attacked", tuple(attacked))
        if not docket.knows_any(horizon):
            return AccessFinding(Finding.UNKNOWN, "no_convoy_known")
        if overdue := docket.overdue(horizon):
            closed = [(one.label, one.closed, one.closed_at) for one in overdue]
            return AccessFinding(
                Finding.BROKEN,
                "overdue",
                tuple(one.label for one in overdue),
                tuple((label, state, at) for label, state, at in closed if state is not None and at is not None),
            )
        last = docket.last_delivery(horizon)
        if horizon - max(last[0] if last else self._effective, self._effective) >= self._longest_gap:
            return AccessFinding(Finding.BROKEN, "gap", (last[1],) if last else ())
        return AccessFinding(Finding.MET, "in_time")

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
