"""The ledger: a last-revision-wins map of reports, folded into aggregates and judged at ticks.

Any order and any repetition of the same facts gives the same present rows. Where a batch ends never shows:
judging happens at ticks alone, on the facts before them in topic order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from schemas.agreement import Agreement
from schemas.chunks import Incidents, Numbers
from schemas.facts import (
    BulletinFact,
    CoverageFact,
    DeclarationFact,
    DismissalFact,
    Fact,
    IncidentFact,
    OutsideFact,
    PositionFact,
    RejectFact,
    ReportFact,
    TickFact,
)
from schemas.rejects import RejectCode
from schemas.rows import (
    Changes,
    Contribution,
    CoverageRow,
    DeclarationRow,
    DismissalRow,
    Evidence,
    Identity,
    PendingReject,
    Prior,
    RejectRow,
    ReportRow,
    Resumed,
    Withdrawal,
)
from schemas.truceday import Micros
from streams.ledger.core.dirty_days import Changing, DirtyDays
from streams.ledger.core.feeds import FeedHealth, Outcome
from streams.ledger.core.fresh import Flags, fresh, plain
from streams.ledger.core.identity import body_digest, identity_of
from streams.ledger.core.judge import DayJudge
from streams.ledger.core.legs.aggregates import Aggregates
from streams.ledger.core.legs.bulletins import bulletin_rows
from streams.ledger.core.legs.leg import FromHorizon, Moved, OneDay, StandingReport
from streams.ledger.core.legs.registry import legs_of
from streams.ledger.core.links import Links
from streams.ledger.core.pieces import Pieces, whole
from streams.ledger.core.pullback import Pullback
from streams.ledger.core.redrives import Redrives
from streams.ledger.core.refusals import Bucket, Refusals
from streams.ledger.core.report_cache import Bounds, LinkingStore
from streams.ledger.core.report_rows import NO_ORIGIN, Entry, incident_row, other_row

Sides = tuple[tuple[str, ...], ...]
#: Feeds name the same few parties over and over; free text in their place must not grow the memory.
SIDES_REMEMBERED = 10_000


class Ledger:
    """All state of one agreement's ledger, and what it changed since it was last asked.

    Args:
        agreement: the truce and its test.
        earliest: asks the store for the earliest incidents in scope of a day, optionally of some kinds only.
            It is called from ``fold`` at ticks only, with ``changes`` holding rows the store has not seen.
        staged: gives the store the rows of ``changes`` it has not seen and returns what answers linking. It is called
            at ticks and by ``drain`` only, and never when the agreement links no reports.
        bounds: how much linking may keep in memory.
    """

    def __init__(
        self,
        agreement: Agreement,
        earliest: Callable[..., list[Evidence]],
        staged: Callable[[], LinkingStore],
        bounds: Bounds | None = None,
    ) -> None:
        self.agreement = agreement
        self.now: Micros | None = None
        self.next_offset = 0
        self.last_tick = -1
        #: The number under which the last ledger leads whose tick counted, and which one it is.
        self.term, self.writer = 0, ""
        self._origins: dict[tuple[str, int, str], int] = {}
        self._aggregates = Aggregates(agreement)
        self._dirty = DirtyDays()
        self._refusals = Refusals(agreement)
        self._legs = legs_of(agreement, self._aggregates, self._refusals, earliest)
        self._judge = DayJudge(agreement, self._aggregates, self._legs)
        self._links = None
        if agreement.linking is not None:
            self._links = Links(agreement, agreement.linking, self._aggregates, staged, bounds or Bounds())
        self._feeds = FeedHealth()
        self._redrives = Redrives()
        self._pullback = Pullback(agreement)
        self._fresh: dict[tuple[str, str], Prior] = {}
        self._touched: dict[Identity, ReportFact | None] = {}
        self._scope: dict[Sides, bool] = {}
        self._regions = frozenset(agreement.regions)
        self._day_of = agreement.calendar.day_of
        self.changes = Changes()

    def resume(self, resumed: Resumed) -> None:
        """Go on exactly where the store left off."""
        self.now = resumed.now
        self.next_offset = resumed.next_offset
        self.last_tick = resumed.last_tick
        self.term, self.writer = resumed.term, resumed.writer
        self._origins = dict(resumed.origins)
        self._dirty = DirtyDays.from_text(resumed.pending, resumed.last_tick)
        for leg in self._legs.values():
            leg.restore(resumed)
        self._judge.restore(resumed.verdicts, resumed.gate)
        if self._links is not None:
            self._links.restore(resumed)
        self._feeds.restore(resumed.feeds)
        self._redrives.restore(resumed.redrives)
        self._refusals.restore(resumed.refused, resumed.settled)

    # -- facts

    def unknown(self, entries: Iterable[Entry]) -> dict[Identity, int]:
        """Return the identities of ``entries`` that only the store can tell about, with their key hashes.

        By name: of two identities with one hash both are asked about.
        """
        wanted = {}
        for entry in entries:
            identity = identity_of(entry.fact)
            if identity is not None and identity not in self._fresh:
                wanted[Identity(*identity)] = entry.key_hash
        return wanted

    def fold(self, entry: Entry, priors: Mapping[tuple[str, str], Prior]) -> None:
        """Take in one record, as ``folding`` does."""
        whole(self.folding((entry,), priors))

    def folding(self, entries: Iterable[Entry], priors: Mapping[tuple[str, str], Prior]) -> Pieces[None]:
        """Take in records, piece by piece. Between two pieces nothing else may be asked of the ledger.

        Args:
            entries: the records; offsets never go back.
            priors: what the store knows of the identities it was asked about; an identity that is neither here nor
                among those folded since the last ``drain`` is new.
        """
        for entry in entries:
            fact = entry.fact
            self.next_offset = entry.offset + 1
            self._dirty.tell(entry.offset)
            if not isinstance(fact, TickFact):
                self._fold(entry, fact, priors)
            elif not self._passed(fact) and self._counts(fact):
                yield from self._tick(entry.offset, fact.stamp)
            yield

    def plain(self, incidents: Incidents) -> Flags:
        """Return which incidents may be folded by column, if they are told for the first time."""
        return plain(self.agreement, incidents)

    def fold_fresh(self, incidents: Incidents, numbers: Numbers, key_hashes: Numbers, digests: Numbers) -> None:
        """Take in plain incidents, each of which tells of its identity for the first time.

        Of several facts between two ticks it does not show which are folded before others. The source offsets are the
        caller's to note, and that no pending reject is of an identity.
        """
        told = fresh(self.agreement, incidents, numbers, key_hashes, digests, self._in_scope)
        self.changes.fresh.append(told)
        self.changes.told_fresh.append(told)
        groups = self._aggregates.add_fresh(told)
        for bucket, first, reports in groups.first_told():
            self._dirty.touch_by_many(*bucket, first, reports)
        for feed, reports, reported, received in groups.feeds():
            self._feeds.accept(feed, reports, reported, received)
        if self._links is not None:
            self._links.tell_fresh(told, groups.by_feed(counted=False))

    def high_water(self, source: tuple[str, int, str]) -> int:
        """Return the highest offset of a source that was read."""
        return self._origins.get(source, -1)

    def note_origin(self, source: tuple[str, int, str], offset: int) -> None:
        """Note that a source was read up to an offset."""
        if offset > self.high_water(source):
            self._origins[source] = self.changes.origins[source] = offset

    def refused(self) -> Iterable[tuple[str, str]]:
        """Return the identities of pending rejects."""
        return self._refusals.identities()

    def _fold(
        self,
        entry: Entry,
        fact: ReportFact | RejectFact | DismissalFact | OutsideFact,
        priors: Mapping[tuple[str, str], Prior],
    ) -> None:
        if self._passed(fact):
            return
        self._note_origin(fact)
        if isinstance(fact, DismissalFact):
            self._dismiss(entry, fact)
            return
        if fact.redrive is None:
            self._tell(entry, self._take(entry, fact, priors))
            return
        digest = body_digest(entry.body)
        if self._redrives.came_before(fact.redrive, digest):
            # Else a record rejected once more would be rejected as often as somebody's connection broke.
            self._feeds.count(fact.feed, Outcome.DUPLICATE, fact)
            self._tell(entry, Outcome.DUPLICATE)
            return
        outcome = self._take(entry, fact, priors)
        self._tell(entry, outcome)
        self.changes.redrives.append(
            self._redrives.enter(fact.redrive, digest, entry.offset, outcome.value, fact.stamp)
        )
        # Rejected once more it goes on as the reject it became, where that one tells as much.
        if outcome is not Outcome.REJECTED or (isinstance(fact, RejectFact) and fact.tells and fact.tells.regions):
            self._dirty.tell(entry.offset, settles=True)
            self._touch_refused(self._refusals.settle(fact.redrive.of), fact.redrive)

    def _tell(self, entry: Entry, outcome: Outcome) -> None:
        """Note what became of a record, for its receipt."""
        self.changes.outcomes.append((entry.offset, entry.fact, entry.body, outcome.value))

    def _take(
        self, entry: Entry, fact: ReportFact | RejectFact | OutsideFact, priors: Mapping[tuple[str, str], Prior]
    ) -> Outcome:
        """Take in a record that was not redelivered; return what became of it."""
        if isinstance(fact, OutsideFact):
            self._feeds.count(fact.feed, Outcome.OUTSIDE, fact)
            return Outcome.OUTSIDE
        if isinstance(fact, RejectFact):
            outcome = self._reject(entry, fact, fact.code, fact.hint)
            self._refuse(self.changes.rejects[-1], fact, priors)
            return outcome
        # A plain tuple: it equals an Identity, hashes alike, and costs a tenth.
        identity = (fact.feed, fact.report_id)
        prior = self._fresh.get(identity)
        if prior is None:
            prior = priors.get(identity)
        digest = body_digest(entry.body)
        if prior is not None and fact.revision in prior.digests:
            if prior.digests[fact.revision] == digest:
                self._feeds.count(fact.feed, Outcome.DUPLICATE, fact)
                return Outcome.DUPLICATE
            return self._reject(
                entry,
                fact,
                RejectCode.CONFLICTING_BODY,
                f"revision {fact.revision} of {fact.feed}/{fact.report_id} was already received with another body; "
                "publish the change as a higher revision",
            )
        return self._enter(entry, fact, identity, prior, digest)

    def _passed(self, fact: Fact) -> bool:
        """Whether this source record, or a later one, was read before: intake was stopped before it could commit.

        Ticks are not noted: one that is written twice with nothing between judges twice, which never shows.
        """
        origin = fact.origin
        if origin is None:
            return False
        return origin.offset <= self.high_water((origin.topic, origin.partition, origin.log))

    def _note_origin(self, fact: Fact) -> None:
        origin = fact.origin
        if origin is not None:
            self.note_origin((origin.topic, origin.partition, origin.log), origin.offset)

    def _enter(
        self, entry: Entry, fact: ReportFact, identity: tuple[str, str], prior: Prior | None, digest: int
    ) -> Outcome:
        superseded = prior is not None and fact.revision < prior.revision
        row, adds = self._row_of(entry, fact, digest, present=not superseded)
        self.changes.reports.append(row)
        if isinstance(fact, DeclarationFact):
            self.changes.declarations.append(_declaration_row(fact))
        # In place: to copy them for each of thousands of revisions takes the square of their number.
        digests = {} if prior is None else prior.digests
        digests[fact.revision] = digest
        if prior is not None and superseded:
            self._fresh[identity] = prior
            if self._links is not None:
                # It may have been told before what names the incident.
                self._links.told_before(prior)
                if prior.type == "incident":
                    self._dirty.tell_again(fact)
            outcome = Outcome.SUPERSEDED
        else:
            self._fresh[identity] = Prior(fact.revision, digests, row.type, adds, entry.offset)
            if prior is None:
                self._touch_refused(self._refusals.accept(identity), fact)
            self._replace(entry, fact, identity, prior, adds)
            outcome = Outcome.ACCEPTED if prior is None else Outcome.CORRECTED
            if fact.retracted:
                outcome = Outcome.RETRACTED
        self._feeds.count(fact.feed, outcome, fact)
        return outcome

    def _row_of(
        self, entry: Entry, fact: ReportFact, digest: int, *, present: bool
    ) -> tuple[ReportRow, Contribution | None]:
        """Return the row of a revision, and its contribution to a day if it has one."""
        if isinstance(fact, IncidentFact):
            day, uncertain = self._day_of(fact.from_, fact.to)
            in_scope = self._in_scope(fact.sides)
            adds = Contribution(
                fact.place.region,
                day,
                fact.from_,
                fact.kind,
                in_scope,
                fact.deaths_low,
                fact.deaths_best,
                fact.deaths_high,
                fact.to,
            )
            parties = self.agreement.accused_parties(fact.accused)
            row = incident_row(entry, fact, digest, adds, uncertain, parties, present=present)
            if self._links is not None:
                self._links.tell(fact, adds.region, day)
        else:
            adds = None
            row = other_row(entry, fact, digest, self.agreement, present=present)
        if fact.retracted or (adds is not None and adds.region not in self._regions):
            # Withdrawn, or moved out of the agreement by a correction: known, and counted nowhere.
            adds = None
        return row, adds

    def _replace(
        self,
        entry: Entry,
        fact: ReportFact,
        identity: tuple[str, str],
        prior: Prior | None,
        adds: Contribution | None,
    ) -> None:
        """Withdraw the prior revision's contribution and add this one's."""
        if prior is not None:
            self._withdraw(entry.key_hash, Identity(*identity), prior, fact)
            if self._links is not None:
                self._links.replace(Identity(*identity), prior, adds)
                if prior.type == "incident" or isinstance(fact, IncidentFact):
                    self._dirty.tell_again(fact)
        if not isinstance(fact, IncidentFact):
            self._touched[Identity(*identity)] = None if fact.retracted else fact
        if not fact.retracted:
            told = StandingReport(Identity(*identity), fact, adds, corrects=prior is not None)
            for leg in self._legs.values():
                self._touch(leg.apply(told), fact)

    def _in_scope(self, sides: Sides) -> bool:
        known = self._scope.get(sides)
        if known is None:
            if len(self._scope) >= SIDES_REMEMBERED:
                self._scope.clear()
            known = self._scope[sides] = self.agreement.in_scope(sides)
        return known

    def _withdraw(self, key: int, identity: Identity, prior: Prior, fact: ReportFact) -> None:
        """Undo what the revision that was present until now added."""
        self.changes.withdrawn.append(Withdrawal(key, identity.feed, identity.report_id, prior.revision))
        if prior.type != "incident":
            self._touched[identity] = None
        for leg in self._legs.values():
            self._touch(leg.withdraw(identity, prior), fact)

    def _touch(self, moved: Iterable[Moved], fact: ReportFact) -> None:
        """Note the buckets that a report may change."""
        for each in moved:
            match each:
                case OneDay():
                    self._dirty.touch(each.region, each.day, fact)
                case FromHorizon():
                    self._dirty.touch_access(each.region, fact)
                case _:
                    self._dirty.touch_watched(each, fact)

    def _refuse(self, row: RejectRow, fact: RejectFact, priors: Mapping[tuple[str, str], Prior]) -> None:
        """Count a reject as pending, unless a report of its identity was accepted."""
        identity = identity_of(fact)
        if row.truce_day is None or identity in self._fresh or identity in priors:
            return
        fields = {name: getattr(row, name) for name in PendingReject._fields}
        self._touch_refused(self._refusals.add(PendingReject(**fields)), fact)

    def _dismiss(self, entry: Entry, fact: DismissalFact) -> None:
        of, origin = fact.of, fact.origin or NO_ORIGIN
        self.changes.dismissals.append(
            DismissalRow(
                entry.offset,
                of.topic,
                of.partition,
                of.offset,
                of.log,
                fact.reason,
                fact.by,
                fact.stamp,
                origin.topic,
                origin.partition,
                origin.offset,
                origin.log,
            )
        )
        self._touch_refused(self._refusals.settle(of), fact)

    def _touch_refused(self, buckets: Iterable[Bucket], fact: Changing) -> None:
        for region, day in buckets:
            self._dirty.touch(region, day, fact)

    def _reject(self, entry: Entry, fact: ReportFact | RejectFact, code: str, hint: str) -> Outcome:
        origin = fact.origin
        cut, tells = (fact.size, fact.tells) if isinstance(fact, RejectFact) else (None, None)
        told = tells if tells is not None and tells.regions else None
        self.changes.rejects.append(
            RejectRow(
                fact_offset=entry.offset,
                code=code,
                hint=hint,
                feed=fact.feed,
                report_id=fact.report_id,
                received_at=fact.stamp,
                source_topic=origin.topic if origin else None,
                source_partition=origin.partition if origin else None,
                source_offset=origin.offset if origin else None,
                source_log=origin.log if origin else None,
                original=entry.body,
                original_bytes=len(entry.body) if cut is None else cut,
                regions=None if tells is None else tells.regions,
                occurred_from=told.from_ if told else None,
                occurred_to=told.to if told else None,
                truce_day=self._day_of(told.from_, told.to)[0] if told else None,
                may_be_incident=told.incident if told else None,
            )
        )
        self._feeds.count(fact.feed, Outcome.REJECTED, fact)
        return Outcome.REJECTED

    # -- judging

    def _counts(self, tick: TickFact) -> bool:
        """Whether a tick was written by the ledger that leads, by all that was read before it.

        The first to use a number owns it, and a higher one ends all lower: what a ledger sent off before it lost the
        partition may arrive at any time after, with any clock's stamp, and time does not go back. Ticks that name no
        writer are an archive's.
        """
        if not tick.writer:
            return True
        if tick.term > self.term:
            self.term, self.writer = tick.term, tick.writer
        return (tick.term, tick.writer) == (self.term, self.writer)

    def _tick(self, offset: int, stamp: Micros | None) -> Pieces[None]:
        """Judge everything that time or a report may have changed since the last tick."""
        before, self.last_tick = self.last_tick, offset
        # Ticks alone move time: a host of intake whose clock is years ahead would settle every day.
        if stamp is not None and (self.now is None or stamp > self.now):
            self.now = stamp
        if self.now is None:
            return
        if self._links is not None:
            yield from self._links.relink(self.next_offset, self._dirty, self.changes)
            for cause in self._dirty.linked.causes(before):
                yield
                self._dirty.touch_by_link(*cause)
        self._aggregates.forget_hours(self.now)
        yield from self._judge.judge(self.now, offset, self._dirty, self.changes)
        self._dirty.judged(self.now)

    # -- rows

    def drain(self) -> Changes:
        """Return everything that changed since the last call, as ``draining`` does."""
        return whole(self.draining())

    def draining(self) -> Pieces[Changes]:
        """Return, after some pieces, everything that changed since the last call and the offset it goes up to."""
        if self._links is not None:
            yield from self._links.relink(self.next_offset, self._dirty, self.changes)
        changes, self.changes = self.changes, Changes()
        changes.next_offset = self.next_offset
        changes.now = self.now
        changes.last_tick = self.last_tick
        changes.term, changes.writer = self.term, self.writer
        changes.pending = self._dirty.to_text(self.last_tick)
        changes.feeds = self._feeds.changed_rows()
        self._judge.drain(changes)
        yield from self._drain_touched(changes)
        for leg in self._legs.values():
            yield from leg.drain(changes)
        self._fresh.clear()
        return changes

    def _drain_touched(self, changes: Changes) -> Pieces[None]:
        changes.touched_reports = set(self._touched)
        for fact in self._touched.values():
            yield
            match fact:
                case CoverageFact():
                    changes.coverage.extend(
                        CoverageRow(fact.feed, fact.report_id, region, fact.from_, fact.to, fact.nil)
                        for region in dict.fromkeys(fact.regions)
                    )
                case BulletinFact():
                    changes.bulletins.extend(bulletin_rows(fact, self.agreement))
                case PositionFact():
                    changes.positions.append(self._pullback.position_row(fact))
                    changes.position_findings.extend(self._pullback.finding_rows(fact))
                case _:
                    pass
        self._touched.clear()


def _declaration_row(fact: DeclarationFact) -> DeclarationRow:
    return DeclarationRow(
        fact.feed,
        fact.report_id,
        fact.revision,
        fact.retracted,
        fact.act,
        fact.declared_by,
        fact.effective_at,
        fact.until,
        fact.reported_at,
    )
