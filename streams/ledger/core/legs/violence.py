"""The violence leg: incidents in scope, or a monitor's count, against a limit drawn from a baseline."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple, Protocol

from schemas.agreement import Agreement
from schemas.facts import BulletinFact, CoverageFact
from schemas.rows import Changes, Contribution, Evidence, Identity, Prior, Resumed
from schemas.truceday import Micros
from streams.ledger.core.findings import Finding
from streams.ledger.core.legs.aggregates import Aggregates, Bucket, BulletinMoved, Watched
from streams.ledger.core.legs.bulletins import Contesting, Longer, Told
from streams.ledger.core.legs.leg import Moved, OneDay, StandingReport
from streams.ledger.core.legs.limit import judge_violence, may_be_broken
from streams.ledger.core.legs.possible import possible_days
from streams.ledger.core.legs.tally import EVIDENCE_KEPT, EVIDENCE_SHOWN, DayTally
from streams.ledger.core.legs.violence_finding import ViolenceFinding
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.refusals import Refusals
from streams.ledger.core.watchers import Days


class EarliestOf(Protocol):
    """Asks the store for the earliest present, active incidents in scope of a day, of some kinds or of all."""

    def __call__(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Return at most ``limit`` of them."""


class Figures(NamedTuple):
    """Columns of ``day_verdicts`` that the leg fills. A tuple, because one is kept of each region and day."""

    incidents: int
    incidents_out_of_scope: int
    bulletin_incidents: int | None
    violence_limit: float
    covered_share: float
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    contested_by: str | None
    incidents_sure: int
    incidents_possible: int
    refused_pending: int
    incidents_without_toll: int


class ViolenceLeg:
    """The violence leg, judged by the aggregates."""

    name = "violence"

    def __init__(self, agreement: Agreement, aggregates: Aggregates, refusals: Refusals, earliest: EarliestOf) -> None:
        self._agreement = agreement
        self._aggregates = aggregates
        self._refusals = refusals
        self._earliest = earliest
        self._regions = frozenset(agreement.regions)
        #: A monitor's count is no number of reports: rejects are not added to it.
        self._refuses = agreement.coverage.refused == "unknown" and agreement.violence.bulletins_of is None
        self._severe_kinds = tuple(str(kind) for kind in agreement.violence.severe_kinds)

    # -- reports

    def apply(self, told: StandingReport) -> list[Moved]:
        """Count an incident, notice or bulletin in. Linking counts the corrections of incidents, where there is any."""
        identity, fact, adds, corrects = told
        if adds is not None:
            if not corrects or self._agreement.linking is None:
                self._aggregates.add_incident(fact.feed, fact.report_id, adds)
            self._aggregates.tell(fact.feed, adds, 1)
            return self._days_of(adds)
        if isinstance(fact, CoverageFact):
            return _watched(fact.feed, self._aggregates.add_coverage(identity, fact))
        if isinstance(fact, BulletinFact):
            return _bulletin(fact.feed, self._aggregates.add_bulletin(identity, fact))
        return []

    def withdraw(self, identity: Identity, prior: Prior) -> list[Moved]:
        """Take an incident, notice or bulletin out again."""
        feed, adds = identity.feed, prior.contribution
        if prior.type == "incident":
            if adds is None or adds.region not in self._regions:
                return []
            if self._agreement.linking is None:
                self._aggregates.remove_incident(feed, identity.report_id, adds)
            self._aggregates.tell(feed, adds, -1)
            return self._days_of(adds)
        watched = _watched(feed, self._aggregates.remove_coverage(identity))
        return watched + _bulletin(feed, self._aggregates.remove_bulletin(identity))

    def _days_of(self, adds: Contribution) -> list[Moved]:
        moved: list[Moved] = [OneDay(adds.region, adds.truce_day)]
        days = possible_days(self._agreement, adds.occurred_from, adds.occurred_to)
        if days is not None:
            moved.append(Days(None, (adds.region,), *days))
        if adds.truce_day in self._agreement.baseline_days:
            # Another baseline is another limit for every day of the region.
            moved.append(OneDay(adds.region, None))
        return moved

    def restore(self, resumed: Resumed) -> None:
        """Take up the aggregates."""
        self._aggregates.restore(
            resumed.tallies,
            resumed.feed_tallies,
            resumed.hours,
            resumed.coverage,
            resumed.bulletins,
            resumed.told,
            resumed.uncertain,
        )

    def drain(self, changes: Changes) -> Pieces[None]:
        """Hand over the tallies."""
        yield
        changes.tallies, changes.feed_tallies = self._aggregates.tally_rows()

    # -- judging

    def settle(self) -> dict[str, Micros]:
        """Return nothing: each report names its days."""
        return {}

    def judge(self, region: str, day: date, horizon: Micros) -> ViolenceFinding:
        """Judge one region and truce-day."""
        agreement, aggregates, bucket = self._agreement, self._aggregates, (region, day)
        tally = aggregates.tallies.get(bucket) or DayTally()
        limit, baseline = aggregates.limit(region)
        start, ends = agreement.calendar.start_of(day), agreement.calendar.end_of(day)
        watch, all_day = aggregates.watch(region), aggregates.watching_all_day(bucket)
        unexplained = aggregates.unexplained(bucket, all_day)
        instead = (unexplained, aggregates.nil_watch(region)) if unexplained else None
        seen = watch.watched(all_day, start, ends, agreement.coverage.min_feeds, instead)
        covered = seen * 100 >= agreement.coverage.min_share_percent * (ends - start)
        covered_share = float(Fraction(seen, ends - start)) if start < ends else 1.0
        # A day that the zone skipped holds nothing.
        possible, severe_possible = (
            aggregates.possible(region, severe=severe).count(day) if start < ends else 0 for severe in (False, True)
        )
        told = aggregates.bulletins.used(bucket)
        by_incidents = aggregates.bulletins.monitor is None
        counted = tally.in_scope.total if by_incidents else told.incidents if told else None
        uncertain = may_be_broken(counted, possible if by_incidents else 0, severe_possible, limit)
        contesting = aggregates.bulletins.contesting(bucket, limit)
        refused = self._refusals.of(bucket)
        beyond = self._refuses and tally.in_scope.total + refused.incidents > limit
        finding = judge_violence(
            counted,
            tally.severe.total,
            limit,
            covered=covered,
            contested=bool(contesting.bulletins),
            uncertain=uncertain,
            refused=beyond,
        )
        unknown = finding is Finding.UNKNOWN
        contested = contesting if unknown else Contesting()
        uncertain = uncertain and unknown and not contested.bulletins
        until = watch.watched_until(all_day, start, horizon) if unknown else ()
        low, best, high = tally.tolls
        figures = Figures(
            incidents=tally.incidents,
            incidents_out_of_scope=tally.out_of_scope,
            bulletin_incidents=told.incidents if told else None,
            violence_limit=float(limit),
            covered_share=covered_share,
            deaths_low=low,
            deaths_best=best,
            deaths_high=high,
            contested_by=", ".join(contested.feeds) or None,
            incidents_sure=tally.in_scope.total,
            incidents_possible=possible,
            refused_pending=refused.reports,
            incidents_without_toll=tally.without_toll,
        )
        counts = tally.incidents or tally.out_of_scope or possible or refused.reports
        return ViolenceFinding(
            agreement=agreement,
            finding=finding,
            columns=figures,
            told_of=not unknown or bool(counts or aggregates.bulletins.of(bucket)) or until is not None,
            severe=tally.severe.total,
            limit=limit,
            baseline=baseline,
            covered_share=covered_share,
            watched_until=until and tuple(each for each in until if each[0] not in unexplained),
            watched_before=watch.watched_before(start) if until is None else (),
            deciding=self._doubts(bucket) if uncertain else self._evidence(bucket, tally, finding, told, contested),
            told=told,
            contested=contested,
            unexplained=tuple(sorted(unexplained)),
            sure=tally.in_scope.total,
            possible=possible,
            severe_possible=severe_possible,
            uncertain=uncertain,
            refused=refused if beyond and unknown and not (contested.bulletins or uncertain) else None,
            longer=Longer() if told or start >= ends else aggregates.bulletins.longer(bucket),
        )

    def _doubts(self, bucket: Bucket) -> tuple[Evidence, ...]:
        """Return the incidents of uncertain time that make a day UNKNOWN: of a severe kind where there are any."""
        region, day = bucket
        severe = self._aggregates.possible(region, severe=True).earliest(day, EVIDENCE_SHOWN)
        return severe or self._aggregates.possible(region).earliest(day, EVIDENCE_SHOWN)

    def _evidence(
        self, bucket: Bucket, tally: DayTally, finding: Finding, told: Told | None, contested: Contesting
    ) -> tuple[Evidence, ...]:
        """Return what the leg rests on: the incidents that broke the day, severe ones first, or the bulletins."""
        if contested.bulletins:
            return tuple(each.evidence for each in contested.first)
        if told is not None and not tally.severe.total:
            return (told.evidence,)
        if finding is not Finding.BROKEN:
            return ()
        kinds = self._severe_kinds if tally.severe.total else None
        earliest = tally.severe if tally.severe.total else tally.in_scope
        if earliest.lacks:
            earliest.refill(self._earliest(*bucket, kinds, EVIDENCE_KEPT))
        return tuple(earliest.shown())


def _watched(feed: str, watched: Watched | None) -> list[Moved]:
    """Return the days that a feed watches by another report than before, or no longer."""
    return [] if watched is None else [Days(feed, *watched)]


def _bulletin(feed: str, moved: BulletinMoved) -> list[Moved]:
    longer: list[Moved] = [] if moved.longer is None else [moved.longer]
    return [*_watched(feed, moved.watched), *longer, *(OneDay(*told_of) for told_of in moved.days)]
