"""Judge of days: it judges those that are due, versions what changed, and keeps windows, streaks and the gate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from schemas.agreement import Agreement
from schemas.rows import LEGS, Amendment, Changes, DayVerdict, GateRow, WindowRow
from schemas.truceday import Micros
from streams.ledger.core.dirty_days import DirtyDays
from streams.ledger.core.findings import State
from streams.ledger.core.legs.aggregates import Aggregates, Bucket
from streams.ledger.core.legs.leg import Leg
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.verdict import Judgement, figures_of, is_new_version, rests_on_anything, state_at
from streams.ledger.core.window import Streak, gate_of, streak_of, window_of

#: Findings of a verdict whose change in an amendment somebody has to be told of.
FINDINGS = ("verdict", *LEGS)


class DayJudge:
    """Judges at ticks. Judging again what did not change changes nothing, so it judges no less than what may have."""

    def __init__(self, agreement: Agreement, aggregates: Aggregates, legs: Mapping[str, Leg]) -> None:
        self._agreement = agreement
        self._aggregates = aggregates
        self._legs = legs
        self._present: dict[Bucket, DayVerdict] = {}
        self._judged: dict[Bucket, Judgement] = {}
        self._streaks: dict[str, Streak] = {}
        self._streaks_to: date | None = None
        self._gate: GateRow | None = None
        self._windows: list[WindowRow] = []

    def restore(self, verdicts: Iterable[DayVerdict], gate: GateRow | None) -> None:
        """Take up the present verdicts and the gate where the rows left them."""
        self._present = {(row.region, row.truce_day): row for row in verdicts}
        self._gate = gate

    def judge(self, now: Micros, tick_offset: int, dirty: DirtyDays, changes: Changes) -> Pieces[None]:
        """Judge, piece by piece, every region and day that a report or the passing of time may have changed."""
        today = self._agreement.newest_day(now)
        if today < self._agreement.first_day:
            return
        yield from dirty.spread(self._aggregates, self._agreement.first_day, today)
        moved: set[str] = set()
        for region, day in self._due(now, today, dirty):
            yield
            if self._judge_day(region, day, now, tick_offset, dirty, changes):
                moved.add(region)
        self._judge_gate(today, now, tick_offset, moved, changes)
        self._windows = [
            window_of(
                region,
                today,
                now,
                self._agreement,
                self._verdict_of,
                self._aggregates.hours(region),
                self._streaks[region],
            )
            for region in self._agreement.regions
        ]

    def drain(self, changes: Changes) -> None:
        """Hand over the windows that changed since the last call."""
        changes.windows, self._windows = self._windows, []

    def _verdict_of(self, region: str, day: date) -> DayVerdict | None:
        return self._present.get((region, day))

    def _due(self, now: Micros, today: date, dirty: DirtyDays) -> list[Bucket]:
        """Return, in a fixed order, the buckets to judge."""
        horizons = self._horizons()
        first, regions = self._agreement.first_day, self._agreement.regions
        known = frozenset(regions)
        due = {(region, day) for day in self._moved_by_time(now, today, dirty.judged_to) for region in regions}
        for region, touched in dirty.days():
            if touched is None:
                since = first if region in dirty.every_day else self._since(horizons.get(region), now)
                if since is not None:
                    due.update((region, day) for day in self._agreement.calendar.days_between(since, today))
            elif first <= touched <= today:
                due.add((region, touched))
        due.update(dirty.watched())
        for region, low, high in dirty.spans():
            due.update((region, day) for day in self._agreement.calendar.days_between(low, min(high, today)))
        for region, since in dirty.watched_since().items():
            due.update((region, day) for day in self._agreement.calendar.days_between(max(first, since), today))
        return sorted(bucket for bucket in due if bucket[0] in known)

    def _horizons(self) -> dict[str, Micros]:
        """Return by region the first horizon that may look another way to any leg."""
        horizons: dict[str, Micros] = {}
        for leg in self._legs.values():
            for region, horizon in leg.settle().items():
                horizons[region] = min(horizon, horizons.get(region, horizon))
        return horizons

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
        self, region: str, day: date, now: Micros, tick_offset: int, dirty: DirtyDays, changes: Changes
    ) -> bool:
        """Judge one bucket; return whether its verdict moved."""
        bucket = (region, day)
        ends = self._agreement.calendar.end_of(day)
        final_at = self._final_at(ends)
        present = self._present.get(bucket)
        horizon = min(now, ends)
        legs = self._legs.values()
        judgement = Judgement(region, day, tuple([leg.judge(region, day, horizon) for leg in legs]))
        if self._judged.get(bucket) == judgement:
            return False
        self._judged[bucket] = judgement
        amended = present is not None and present.state == State.AMENDED
        state = state_at(now, ends, final_at, amended=amended)
        row = self._row(judgement, state, present, now, tick_offset, dirty.cause_text(region, day))
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
            **judgement.columns(),
            reasons=judgement.reasons_text(),
            evidence=judgement.evidence_text(),
            recorded_at=now,
            tick_offset=tick_offset,
            cause=cause,
            rule=judgement.rule,
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
