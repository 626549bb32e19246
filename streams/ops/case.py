"""Facts behind one region and truce-day, with the rules that judge them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.rows import ConvoyStepRow, Identity
from schemas.truceday import Micros
from streams.ledger.core.convoy import Convoy
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.findings import Finding
from streams.ledger.core.legs.access import Access, AccessFinding
from streams.ledger.core.legs.coverage import watch_of
from streams.ledger.core.legs.limit import judge_violence, may_be_broken


class CountedIncident(NamedTuple):
    """Incident that counts; a severe one breaks the day alone."""

    name: str
    severe: bool


@dataclass(frozen=True)
class Case:
    """Facts that the verdict of one region and truce-day rests on.

    Attributes:
        horizon: the day's end, or ``now`` while the day runs.
        now: the last judgement.
        incidents: those in scope that count and surely happened that day.
        notices: the stretches that each feed watched.
        nil_notices: those of them by notices that say that nothing was seen.
        all_day: feeds whose incidents count as watching the whole day.
        steps: steps of every convoy that ever had the region as its destination, each with its convoy.
        bulletin: the count held against the limit, where the agreement measures by a monitor's bulletins.
        contesting: bulletins that count more than the limit, where these contest a day.
        possible: incidents in scope that count, too long for one day, that touch this one.
        refused: pending reports that may be incidents, where the agreement minds them.
        others: findings of the legs that nothing here would change, by name.
    """

    agreement: Agreement
    region: str
    start: Micros
    end: Micros
    horizon: Micros
    now: Micros
    incidents: Sequence[CountedIncident]
    limit: Fraction
    notices: Mapping[str, Sequence[tuple[Micros, Micros]]]
    nil_notices: Mapping[str, Sequence[tuple[Micros, Micros]]]
    all_day: frozenset[str]
    steps: Sequence[ConvoyStepRow]
    bulletin: int | None = None
    contesting: tuple[str, ...] = ()
    possible: Sequence[CountedIncident] = ()
    refused: tuple[str, ...] = ()
    others: Mapping[str, Finding] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether the day was not over at the last judgement."""
        return self.horizon < self.end

    @property
    def needed(self) -> Micros:
        """Part of the day that must be watched, in microseconds."""
        return ceil(Fraction(self.agreement.coverage.min_share_percent * (self.end - self.start), 100))

    def seen(self, min_feeds: int, all_day: frozenset[str] | None = None) -> Micros:
        """Return for how long at least ``min_feeds`` feeds watched; none is always reached."""
        everywhere = self.all_day if all_day is None else all_day
        return watch_of(self.notices).watched(everywhere, self.start, self.end, min_feeds)

    def violence(self) -> Finding:
        """Find the violence leg."""
        severe = sum(each.severe for each in self.incidents)
        counted = len(self.incidents) if self.agreement.violence.bulletins_of is None else self.bulletin
        contested, uncertain = bool(self.contesting), self.uncertain(counted)
        return judge_violence(
            counted,
            severe,
            self.limit,
            covered=self.covered(),
            contested=contested,
            uncertain=uncertain,
            refused=self.lifted_by_refused(len(self.incidents)),
        )

    def uncertain(self, counted: int | None) -> bool:
        """Whether the possible incidents may break the day, with so many sure ones or such a bulletin."""
        possible = len(self.possible) if self.agreement.violence.bulletins_of is None else 0
        return may_be_broken(counted, possible, len(self.possibly_severe), self.limit)

    @property
    def possibly_severe(self) -> tuple[str, ...]:
        """Possible incidents one of which would break the day alone."""
        return tuple(each.name for each in self.possible if each.severe)

    def lifted_by_refused(self, incidents: int) -> bool:
        """Whether so many incidents and the refused reports together exceed the limit."""
        return bool(self.refused) and incidents + len(self.refused) > self.limit

    @property
    def may_be_contested(self) -> bool:
        """Whether a bulletin can contest a day under the agreement."""
        rules = self.agreement
        return rules.violence.bulletins_of is None and rules.coverage.contested == "unknown"

    def covered(self, all_day: frozenset[str] | None = None) -> bool:
        """Whether enough of the day was watched."""
        return self.seen(self.agreement.coverage.min_feeds, all_day) >= self.needed

    def convoys(self, *more: ConvoyStepRow) -> list[Convoy]:
        """Return the convoys to the region as known by the horizon, with more steps than are known.

        The claims of a convoy are taken as they are: no further step joins or parts claims here.
        """
        return self._convoys(more).bound_for(self.region, self.horizon)

    def access(self, *more: ConvoyStepRow) -> AccessFinding:
        """Find the access leg, with more steps than are known."""
        access = Access(self.agreement, self._convoys(more))
        access.take_in()
        return access.judge(self.region, self.start, self.horizon)

    def _convoys(self, more: Iterable[ConvoyStepRow]) -> Convoys:
        convoys = Convoys()
        for number, step in enumerate((*self.steps, *more)):
            convoys.add(Identity(step.feed, f"{step.report_id} {number}"), step)
        return convoys
