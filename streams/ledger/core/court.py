"""The court: judges the days that are due, versions what changed, and keeps windows, streaks and the gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Protocol

from schemas.agreement import Agreement
from schemas.rows import Amendment, Changes, DayVerdict, Evidence, GateRow, WindowRow
from schemas.truceday import Micros
from streams.ledger.core.access import Access
from streams.ledger.core.books import Books, Bucket
from streams.ledger.core.bulletins import Contesting, Longer, Told
from streams.ledger.core.findings import Finding, State
from streams.ledger.core.pending import Pending
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.refusals import Refusals
from streams.ledger.core.tally import EVIDENCE_KEPT, EVIDENCE_SHOWN, DayTally
from streams.ledger.core.verdict import Judgement, figures_of, is_new_version, rests_on_anything, state_at
from streams.ledger.core.violence import judge_violence, may_be_broken
from streams.ledger.core.window import Streak, gate_of, streak_of, window_of

#: Findings of a verdict whose change in an amendment somebody has to be told of.
FINDINGS = ("verdict", "violence", "access")


class EarliestOf(Protocol):
    """Asks the store for the earliest present, active incidents in scope of a day, of some kinds or of all."""

    def __call__(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Return at most ``limit`` of them."""


class Court:
    """Judges at ticks. Judging again what did not change changes nothing, so it judges no less than what may have."""

    def __init__(self, agreement: Agreement, books: Books, refusals: Refusals, earliest: EarliestOf) -> None:
        self._agreement = agreement
        self._books = books
        self._refusals = refusals
        #: A monitor's count is no number of reports: rejects are not added to it.
        self._refuses = agreement.coverage.refused == "unknown" and agreement.violence.bulletins_of is None
        self._earliest = earliest
        self._present: dict[Bucket, DayVerdict] = {}
        self._judged: dict[Bucket, Judgement] = {}
        self._access = Access(agreement, books.convoys)
        self._severe_kinds = tuple(str(kind) for kind in agreement.violence.severe_kinds)
        self._streaks: dict[str, Streak] = {}
        self._streaks_to: date | None = None
        self._gate: GateRow | None = None
        self._windows: list[WindowRow] = []

    def restore(self, verdicts: Iterable[DayVerdict], gate: GateRow | None) -> None:
        """Take up the present verdicts and the gate where the rows left them."""
        self._present = {(row.region, row.truce_day): row for row in verdicts}
        self._gate = gate
        # A step that goes is held against what the convoys come to now; what moved before is in the pending regions.
        self._access.take_in()

    def judge(self, now: Micros, tick_offset: int, pending: Pending, changes: Changes) -> Pieces[None]:
        """Judge, piece by piece, every region and day that a report or the passing of time may have changed."""
        today = self._agreement.newest_day(now)
        if today < self._agreement.first_day:
            return
        yield from pending.spread(self._books, self._agreement.first_day, today)
        moved: set[str] = set()
        for region, day in self._due(now, today, pending):
            yield
            if self._judge_day(region, day, now, tick_offset, pending, changes):
                moved.add(region)
        self._judge_gate(today, now, tick_offset, moved, changes)
        self._windows = [
            window_of(
                region, today, now, self._agreement, self._verdict_of, self._books.hours(region), self._streaks[region]
            )
            for region in self._agreement.regions
        ]

    def drain(self, changes: Changes) -> None:
        """Hand over the windows that changed since the last call."""
        changes.windows, self._windows = self._windows, []

    def _verdict_of(self, region: str, day: date) -> DayVerdict | None:
        return self._present.get((region, day))

    def _due(self, now: Micros, today: date, pending: Pending) -> list[Bucket]:
        """Return, in a fixed order, the buckets to judge."""
        access = self._access.take_in()
        first, regions = self._agreement.first_day, self._agreement.regions
        known = frozenset(regions)
        due = {(region, day) for day in self._moved_by_time(now, today, pending.judged_to) for region in regions}
        for region, touched in pending.days():
            if touched is None:
                since = first if region in pending.every_day else self._since(access.get(region), now)
                if since is not None:
                    due.update((region, day) for day in self._agreement.calendar.days_between(since, today))
            elif first <= touched <= today:
                due.add((region, touched))
        due.update(pending.watched())
        for region, low, high in pending.spans():
            due.update((region, day) for day in self._agreement.calendar.days_between(low, min(high, today)))
        for region, since in pending.watched_since().items():
            due.update((region, day) for day in self._agreement.calendar.days_between(max(first, since), today))
        return sorted(bucket for bucket in due if bucket[0] in known)

    def _since(self, horizon: Micros | None, now: Micros) -> date | None:
        """Return the first day that is judged by ``horizon`` or a later one: those before it look as they did."""
        if horizon is None or horizon > now:
            return None
        first = self._agreement.first_day
        if horizon <= self._agreement.calendar.start_of(first):
            return first
        return self._agreement.calendar.day_at(horizon - 1)

    def _moved_by_time(self, now: Micros, today: date, judged_to: Micros | None) -> Iterator[date]:
        """Yield the days that ran, ended or became FINAL since the last tick."""
        calendar, lateness = self._agreement.calendar, self._agreement.lateness
        first = self._agreement.first_day
        if judged_to is not None:
            settled = calendar.day_at(judged_to) - lateness - timedelta(days=2)
            first = max(first, settled)
        for day in calendar.days_between(first, today):
            ends = calendar.end_of(day)
            if judged_to is None or ends > judged_to or judged_to < self._final_at(ends) <= now:
                yield day

    def _final_at(self, ends: Micros) -> Micros:
        return ends + self._agreement.clock.lateness_hours * 3_600_000_000

    def _judge_day(
        self, region: str, day: date, now: Micros, tick_offset: int, pending: Pending, changes: Changes
    ) -> bool:
        """Judge one bucket; return whether its verdict moved."""
        bucket = (region, day)
        ends = self._agreement.calendar.end_of(day)
        final_at = self._final_at(ends)
        present = self._present.get(bucket)
        judgement = self._judgement(region, day, min(now, ends))
        if self._judged.get(bucket) == judgement:
            return False
        self._judged[bucket] = judgement
        amended = present is not None and present.state == State.AMENDED
        state = state_at(now, ends, final_at, amended=amended)
        row = self._row(judgement, state, present, now, tick_offset, pending.cause_text(region, day))
        if present is not None:
            if is_new_version(row, present, final=now >= final_at):
                if now >= final_at and (amended or rests_on_anything(present)):
                    row = row._replace(state=State.AMENDED)
                    _note_amendment(present, row, changes)
            elif figures_of(row) != figures_of(present):
                # Else nobody could ever tell what was held between two versions.
                row = row._replace(version=present.version, new_version=False)
            else:
                return False
        changes.verdict_log.append(row)
        self._present[bucket] = row
        return present is None or row.verdict != present.verdict

    def _judgement(self, region: str, day: date, horizon: Micros) -> Judgement:
        agreement, books = self._agreement, self._books
        bucket = (region, day)
        tally = books.tallies.get(bucket) or DayTally()
        limit, baseline = books.limit(region)
        start, ends = agreement.calendar.start_of(day), agreement.calendar.end_of(day)
        watch, all_day = books.watch(region), books.watching_all_day(bucket)
        unexplained = books.unexplained(bucket, all_day)
        instead = (unexplained, books.nil_watch(region)) if unexplained else None
        seen = watch.watched(all_day, start, ends, agreement.coverage.min_feeds, instead)
        covered = seen * 100 >= agreement.coverage.min_share_percent * (ends - start)
        # A day that the zone skipped holds nothing.
        possible, severe_possible = (
            books.possible(region, severe=severe).count(day) if start < ends else 0 for severe in (False, True)
        )
        told = books.bulletins.used(bucket)
        by_incidents = books.bulletins.monitor is None
        counted = tally.in_scope.total if by_incidents else told.incidents if told else None
        uncertain = may_be_broken(counted, possible if by_incidents else 0, severe_possible, limit)
        contesting = books.bulletins.contesting(bucket, limit)
        refused = self._refusals.of(bucket)
        beyond = self._refuses and tally.in_scope.total + refused.incidents > limit
        violence = judge_violence(
            counted,
            tally.severe.total,
            limit,
            covered=covered,
            contested=bool(contesting.bulletins),
            uncertain=uncertain,
            refused=beyond,
        )
        contested = contesting if violence is Finding.UNKNOWN else Contesting()
        uncertain = uncertain and violence is Finding.UNKNOWN and not contested.bulletins
        until = watch.watched_until(all_day, start, horizon) if violence is Finding.UNKNOWN else ()
        low, best, high = tally.tolls
        stopped = until and tuple(each for each in until if each[0] not in unexplained)
        return Judgement(
            region=region,
            truce_day=day,
            violence=violence,
            access=self._access.judge(region, start, horizon),
            incidents=tally.incidents,
            severe=tally.severe.total,
            out_of_scope=tally.out_of_scope,
            limit=limit,
            baseline=baseline,
            covered_share=float(Fraction(seen, ends - start)) if start < ends else 1.0,
            covered=covered,
            watched_until=stopped,
            watched_before=watch.watched_before(start) if until is None else (),
            deaths_low=low,
            deaths_best=best,
            deaths_high=high,
            without_toll=tally.without_toll,
            evidence=self._doubts(bucket) if uncertain else self._evidence(bucket, tally, violence, told, contested),
            told=told,
            contested=contested,
            unexplained=tuple(sorted(unexplained)),
            has_bulletin=bool(books.bulletins.of(bucket)),
            longer=Longer() if told or start >= ends else books.bulletins.longer(bucket),
            sure=tally.in_scope.total,
            possible=possible,
            severe_possible=severe_possible,
            uncertain=uncertain,
            refused_pending=refused.reports,
            refused=refused
            if beyond and violence is Finding.UNKNOWN and not (contested.bulletins or uncertain)
            else None,
        )

    def _doubts(self, bucket: Bucket) -> tuple[Evidence, ...]:
        """Return the incidents of uncertain time that make a day UNKNOWN: of a severe kind where there are any."""
        region, day = bucket
        severe = self._books.possible(region, severe=True).earliest(day, EVIDENCE_SHOWN)
        return severe or self._books.possible(region).earliest(day, EVIDENCE_SHOWN)

    def _evidence(
        self, bucket: Bucket, tally: DayTally, violence: Finding, told: Told | None, contested: Contesting
    ) -> tuple[Evidence, ...]:
        """Return what the leg rests on: the incidents that broke the day, severe ones first, or the bulletins."""
        if contested.bulletins:
            return tuple(each.evidence for each in contested.first)
        if told is not None and not tally.severe.total:
            return (told.evidence,)
        if violence is not Finding.BROKEN:
            return ()
        kinds = self._severe_kinds if tally.severe.total else None
        earliest = tally.severe if tally.severe.total else tally.in_scope
        if earliest.lacks:
            earliest.refill(self._earliest(*bucket, kinds, EVIDENCE_KEPT))
        return tuple(earliest.shown())

    def _row(
        self,
        judgement: Judgement,
        state: State,
        present: DayVerdict | None,
        now: Micros,
        tick_offset: int,
        cause: str,
    ) -> DayVerdict:
        return DayVerdict(
            region=judgement.region,
            truce_day=judgement.truce_day,
            version=present.version + 1 if present else 1,
            verdict=judgement.verdict,
            state=state,
            violence=judgement.violence,
            access=judgement.access.finding,
            incidents=judgement.incidents,
            incidents_out_of_scope=judgement.out_of_scope,
            bulletin_incidents=judgement.told.incidents if judgement.told else None,
            violence_limit=float(judgement.limit),
            covered_share=judgement.covered_share,
            deaths_low=judgement.deaths_low,
            deaths_best=judgement.deaths_best,
            deaths_high=judgement.deaths_high,
            reasons=judgement.reasons_text(self._agreement),
            evidence=judgement.evidence_text(),
            recorded_at=now,
            tick_offset=tick_offset,
            cause=cause,
            rule=judgement.rule(self._agreement),
            contested_by=judgement.contested_by,
            incidents_sure=judgement.sure,
            incidents_possible=judgement.possible,
            refused_pending=judgement.refused_pending,
            incidents_without_toll=judgement.without_toll,
            new_version=True,
        )

    def _judge_gate(self, today: date, now: Micros, tick_offset: int, moved: set[str], changes: Changes) -> None:
        """Recount the streaks that may have moved and note the gate when it says something new."""
        running = now < self._agreement.calendar.end_of(today)
        completed = today - timedelta(days=1) if running else today
        stale = self._agreement.regions if self._streaks_to != completed else sorted(moved)
        for region in stale:
            self._streaks[region] = streak_of(region, self._agreement.first_day, completed, self._verdict_of)
        self._streaks_to = completed
        gate = gate_of(self._agreement, self._streaks, now, tick_offset)
        if self._gate is None or gate[2:] != self._gate[2:]:
            self._gate = gate
            changes.gate_history.append(gate)


def _note_amendment(before: DayVerdict, after: DayVerdict, changes: Changes) -> None:
    """Note a final day whose verdict or finding is another one now; other figures alone call nobody."""
    if any(getattr(before, name) != getattr(after, name) for name in FINDINGS):
        changes.amendments.append(Amendment(before, after))
