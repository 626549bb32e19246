"""Running aggregates of one agreement, updated as reports arrive and are withdrawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from datetime import date
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import BulletinFact, CoverageFact
from schemas.rows import (
    BulletinRow,
    Contribution,
    CoverageRow,
    DayTallyRow,
    Evidence,
    FeedTallyRow,
    Hour,
    Identity,
    LinkedIncident,
    UncertainIncident,
)
from schemas.truceday import MICROS_PER_HOUR, Micros, first_trailing_hour
from streams.ledger.core.fresh import Fresh, Groups
from streams.ledger.core.interval_index import DayIndex
from streams.ledger.core.legs.bulletins import DayBulletins, bulletin_rows
from streams.ledger.core.legs.coverage import Watch
from streams.ledger.core.legs.limit import baseline_of, limit_of
from streams.ledger.core.legs.possible import possible_days
from streams.ledger.core.legs.tally import DayTally
from streams.ledger.core.legs.tolls import added_toll
from streams.ledger.core.watchers import Days
from streams.ledger.core.window import HourFigures

Bucket = tuple[str, date]


class Watched(NamedTuple):
    """The regions and truce-days, first and last included, that a report says it watched."""

    regions: tuple[str, ...]
    first: date
    last: date


class BulletinMoved(NamedTuple):
    """What a bulletin moves by coming or going.

    Attributes:
        days: the regions and truce-days it tells of; a day of None stands for every day of the region.
        watched: what it watches, as the monitor's.
        longer: the days that name it, as it covers more than one.
    """

    days: list[tuple[str, date | None]]
    watched: Watched | None
    longer: Days | None


class _Notice(NamedTuple):
    """The regions and the stretch that a report says it watched; ``nil`` where it says that it saw nothing."""

    regions: tuple[str, ...]
    low: Micros
    high: Micros
    nil: bool


class Aggregates:
    """Tallies, hours and coverage of one agreement. Every ``add`` has its exact ``remove``.

    Memory grows with regions, days, notices and incidents of uncertain time; not with other incident reports.
    """

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.tallies: dict[Bucket, DayTally] = {}
        self.changed: set[Bucket] = set()
        self.bulletins = DayBulletins(agreement)
        self._severe = frozenset(str(kind) for kind in agreement.violence.severe_kinds)
        self._feeds = frozenset(agreement.violence.feeds)
        self._surely_within = agreement.violence.surely_within_hours * MICROS_PER_HOUR
        #: By region, the incidents possible on its days, and those of a severe kind among them.
        self._possible: dict[str, DayIndex] = defaultdict(DayIndex)
        self._possibly_severe: dict[str, DayIndex] = defaultdict(DayIndex)
        self._limits: dict[str, tuple[Fraction, Fraction]] = {}
        self._hours: dict[str, dict[Micros, HourFigures]] = defaultdict(dict)
        self._oldest_hour: Micros = 0
        self._notices: dict[Identity, _Notice] = {}
        self._watches: dict[str, Watch] = defaultdict(Watch)
        #: Notices that say that something was seen, apart. The others only of regions in which they were asked for.
        self._saw: dict[str, Watch] = {}
        self._nil: dict[str, Watch] = {}
        #: Present, active incident reports by region, truce-day and feed, whether they count or not.
        self._told: dict[Bucket, dict[str, int]] = defaultdict(dict)

    # -- incidents

    def tell(self, feed: str, adds: Contribution, sign: int) -> None:
        """Note that a feed tells of an incident of a region and day (1), or does no longer (-1)."""
        told = self._told[adds.region, adds.truce_day]
        told[feed] = told.get(feed, 0) + sign
        if not told[feed]:
            del told[feed]

    def add_incident(self, feed: str, report_id: str, adds: Contribution) -> None:
        """Count a present, active incident report in."""
        if self._feeds and feed not in self._feeds:
            return
        bucket = (adds.region, adds.truce_day)
        tally = self.tallies.get(bucket)
        if tally is None:
            tally = self.tallies[bucket] = DayTally()
        tally.add(feed, report_id, adds, (feed,), severe=adds.kind in self._severe, sure=self._is_sure(adds))
        self._note(bucket, feed, report_id, adds, 1)

    def add_fresh(self, told: Fresh) -> Groups:
        """Count incidents in that were told for the first time; return them by what they have in common."""
        groups = Groups(told, self._severe, self._feeds)
        for bucket, incidents in groups.out_of_scope():
            self._tally(bucket).out_of_scope += incidents
        for bucket, sums in groups.in_scope():
            self._tally(bucket).add_many(sums)
        for bucket, feed, incidents in groups.by_feed(counted=True):
            self.tallies[bucket].tell(feed, incidents)
        for bucket, feed, incidents in groups.by_feed(counted=False):
            told_of = self._told[bucket]
            told_of[feed] = told_of.get(feed, 0) + incidents
        for region, hour, incidents, deaths, without_toll in groups.by_hour():
            if hour >= self._oldest_hour:
                known = self._hours[region].get(hour, HourFigures(0, 0, 0))
                more = (incidents, deaths, without_toll)
                self._hours[region][hour] = HourFigures(*(a + b for a, b in zip(known, more, strict=True)))
        return groups

    def _tally(self, bucket: Bucket) -> DayTally:
        """Return the tally of a region and day that is about to change."""
        self.changed.add(bucket)
        return self.tallies.setdefault(bucket, DayTally())

    def remove_incident(self, feed: str, report_id: str, adds: Contribution) -> None:
        """Take an incident report that no longer stands out again."""
        if self._feeds and feed not in self._feeds:
            return
        bucket = (adds.region, adds.truce_day)
        severe, sure = adds.kind in self._severe, self._is_sure(adds)
        self.tallies[bucket].remove(feed, report_id, adds, (feed,), severe=severe, sure=sure)
        self._note(bucket, feed, report_id, adds, -1)

    def add_linked(self, incident: LinkedIncident) -> None:
        """Count an incident of several reports in; those must not be counted on their own."""
        if incident.counted:
            adds = incident.adds
            bucket = (adds.region, adds.truce_day)
            tally = self.tallies.setdefault(bucket, DayTally())
            name, severe, sure = incident[:2], adds.kind in self._severe, self._is_sure(adds)
            tally.add(*name, adds, self._counting(incident), severe=severe, sure=sure)
            self._note(bucket, *name, adds, 1)

    def remove_linked(self, incident: LinkedIncident) -> None:
        """Take an incident of several reports out again."""
        if incident.counted:
            adds = incident.adds
            bucket = (adds.region, adds.truce_day)
            name, severe, sure = incident[:2], adds.kind in self._severe, self._is_sure(adds)
            self.tallies[bucket].remove(*name, adds, self._counting(incident), severe=severe, sure=sure)
            self._note(bucket, *name, adds, -1)

    def _counting(self, incident: LinkedIncident) -> tuple[str, ...]:
        return tuple(feed for feed in incident.feeds if not self._feeds or feed in self._feeds)

    def _is_sure(self, adds: Contribution) -> bool:
        return adds.occurred_to - adds.occurred_from <= self._surely_within

    def _note(self, bucket: Bucket, feed: str, report_id: str, adds: Contribution, sign: int) -> None:
        self.changed.add(bucket)
        if bucket[1] in self.agreement.baseline_days:
            self._limits.pop(bucket[0], None)
        if adds.in_scope:
            hour = adds.occurred_from - adds.occurred_from % MICROS_PER_HOUR
            # Hours before the trailing window are never asked for again: now only moves on.
            if hour >= self._oldest_hour:
                hours = self._hours[bucket[0]]
                incidents, deaths, without_toll = hours.get(hour, HourFigures(0, 0, 0))
                toll = added_toll(adds)
                hours[hour] = (
                    HourFigures(incidents + sign, deaths, without_toll + sign)
                    if toll is None
                    else HourFigures(incidents + sign, deaths + sign * toll[1], without_toll)
                )
            if not self._is_sure(adds):
                self._move_possible(
                    UncertainIncident(*bucket, adds.occurred_from, adds.occurred_to, feed, report_id, adds.kind), sign
                )

    def _move_possible(self, incident: UncertainIncident, sign: int) -> None:
        days = possible_days(self.agreement, incident.occurred_from, incident.occurred_to)
        if days is None:
            return
        evidence = Evidence(incident.occurred_from, incident.feed, incident.report_id)
        by_region = [self._possible, self._possibly_severe] if incident.kind in self._severe else [self._possible]
        for index in (each[incident.region] for each in by_region):
            (index.add if sign > 0 else index.remove)(days, evidence)

    def possible(self, region: str, *, severe: bool = False) -> DayIndex:
        """Return the incidents in scope of uncertain time that a region's days may hold, or the severe ones of them."""
        return (self._possibly_severe if severe else self._possible)[region]

    def limit(self, region: str) -> tuple[Fraction, Fraction]:
        """Return the region's limit and the baseline it comes from, in incidents a day."""
        found = self._limits.get(region)
        if found is None:
            days = sorted(self.agreement.baseline_days)
            if self.bulletins.monitor is None:
                counts = [self._incidents(region, day) for day in days]
            else:
                counts = self.bulletins.counts(region, days)
            baseline = baseline_of(counts, self.agreement.violence.baseline.measure)
            found = self._limits[region] = (limit_of(self.agreement, baseline), baseline)
        return found

    def _incidents(self, region: str, day: date) -> int:
        tally = self.tallies.get((region, day))
        return tally.incidents if tally else 0

    def hours(self, region: str) -> dict[Micros, HourFigures]:
        """Return incidents in scope and their best deaths by the clock hour they began in."""
        return self._hours[region]

    def forget_hours(self, now: Micros) -> None:
        """Drop the hours that have left the trailing window."""
        oldest = first_trailing_hour(now)
        if oldest <= self._oldest_hour:
            return
        self._oldest_hour = oldest
        for hours in self._hours.values():
            for hour in [hour for hour in hours if hour < oldest]:
                del hours[hour]

    # -- coverage

    def add_coverage(self, identity: Identity, fact: CoverageFact) -> Watched:
        """Enter a coverage notice; return what it watches."""
        return self._enter_watch(identity, _Notice(fact.regions, fact.from_, fact.to, fact.nil))

    def remove_coverage(self, identity: Identity) -> Watched | None:
        """Take a coverage notice out again; return what it watched, None when there was none."""
        notice = self._notices.pop(identity, None)
        if notice is None:
            return None
        for region in notice.regions:
            self._watches[region].remove(identity.feed, notice.low, notice.high)
            if (apart := self._apart(region, notice)) is not None:
                apart.remove(identity.feed, notice.low, notice.high)
        return self._watched(notice)

    def _enter_watch(self, identity: Identity, told: _Notice) -> Watched:
        known = self._notices.get(identity)
        notice = told._replace(regions=tuple(dict.fromkeys(told.regions)))
        for region in notice.regions:
            self._watches[region].add(identity.feed, notice.low, notice.high)
            if (apart := self._apart(region, notice)) is not None:
                apart.add(identity.feed, notice.low, notice.high)
        # Rows tell of a notice region by region.
        self._notices[identity] = notice if known is None else known._replace(regions=known.regions + notice.regions)
        return self._watched(notice)

    def _watched(self, notice: _Notice) -> Watched:
        calendar = self.agreement.calendar
        last = calendar.day_at(max(notice.low, notice.high - 1))
        return Watched(notice.regions, calendar.day_at(notice.low), last)

    def watch(self, region: str) -> Watch:
        """Return who watched a region when, by all notices."""
        return self._watches[region]

    def nil_watch(self, region: str) -> Watch:
        """Return who watched a region when, by the notices that say that nothing was seen."""
        watch = self._nil.get(region)
        if watch is None:
            watch = self._nil[region] = Watch()
            for identity, notice in self._notices.items():
                if notice.nil and region in notice.regions:
                    watch.add(identity.feed, notice.low, notice.high)
        return watch

    def _apart(self, region: str, notice: _Notice) -> Watch | None:
        return self._nil.get(region) if notice.nil else self._saw.setdefault(region, Watch())

    def unexplained(self, bucket: Bucket, all_day: AbstractSet[str]) -> frozenset[str]:
        """Return the feeds that say they saw something in a region and truce-day, and do not tell what."""
        region, day = bucket
        if region not in self._saw:
            return frozenset()
        calendar = self.agreement.calendar
        saw = self._saw[region].feeds(calendar.start_of(day), calendar.end_of(day))
        explained = {*all_day, *self._told.get(bucket, ()), *(told.feed for told in self.bulletins.of(bucket))}
        return saw - explained

    def next_watched(self, region: str, feed: str, after: date) -> date | None:
        """Return the first truce-day after another one that a feed watches."""
        following = self._watches[region].next_of(feed, self.agreement.calendar.end_of(after))
        return None if following is None else self.agreement.calendar.day_at(following)

    def anybody_watches(self, region: str, day: date) -> bool:
        """Whether any feed watches some of a truce-day."""
        return self._watches[region].anybody(self.agreement.calendar.start_of(day), self.agreement.calendar.end_of(day))

    def watching_all_day(self, bucket: Bucket) -> set[str]:
        """Return the feeds whose incident reports count as watching the whole day."""
        tally = self.tallies.get(bucket)
        if tally is None or not self.agreement.coverage.reports_cover_the_day:
            return set()
        return {feed for feed, incidents in tally.feeds.items() if incidents}

    # -- bulletins

    def add_bulletin(self, identity: Identity, fact: BulletinFact) -> BulletinMoved:
        """Enter a bulletin."""
        return self._measure(identity, bulletin_rows(fact, self.agreement))

    def remove_bulletin(self, identity: Identity) -> BulletinMoved:
        """Take a bulletin's counts out again. Its watch goes as a notice's does."""
        days = self._moved(identity.feed, self.bulletins.remove(identity))
        return BulletinMoved(days, None, self.bulletins.remove_longer(identity))

    def _measure(self, identity: Identity, rows: list[BulletinRow]) -> BulletinMoved:
        told_of = self.bulletins.enter(rows)
        regions = [region for region, _ in told_of]
        watched = None
        if told_of and identity.feed == self.bulletins.monitor:
            low, high = rows[0].occurred_from, rows[0].occurred_to
            watched = self._enter_watch(identity, _Notice(tuple(regions), low, high, nil=True))
        longer = self.bulletins.enter_longer(identity, rows)
        return BulletinMoved(self._moved(identity.feed, told_of), watched, longer)

    def _moved(self, feed: str, buckets: list[Bucket]) -> list[tuple[str, date | None]]:
        moved: list[tuple[str, date | None]] = list(buckets)
        for region, day in buckets:
            if feed == self.bulletins.monitor and day in self.agreement.baseline_days:
                # Another baseline is another limit for every day of the region.
                self._limits.pop(region, None)
                moved.append((region, None))
        return moved

    # -- to and from rows

    def tally_rows(self) -> tuple[list[DayTallyRow], list[FeedTallyRow]]:
        """Return the rows of every region and day that changed since the last call."""
        days: list[DayTallyRow] = []
        feeds: list[FeedTallyRow] = []
        for bucket in sorted(self.changed):
            tally = self.tallies[bucket]
            low, best, high = tally.tolls
            days.append(
                DayTallyRow(
                    *bucket,
                    incidents=tally.incidents,
                    incidents_out_of_scope=tally.out_of_scope,
                    severe_incidents=tally.severe.total + tally.uncertain_severe,
                    deaths_low=low,
                    deaths_best=best,
                    deaths_high=high,
                    incidents_without_toll=tally.without_toll,
                )
            )
            feeds.extend(FeedTallyRow(*bucket, feed, incidents) for feed, incidents in tally.moved_feeds())
        self.changed.clear()
        return days, feeds

    def restore(
        self,
        tallies: list[DayTallyRow],
        feeds: list[FeedTallyRow],
        hours: list[Hour],
        coverage: list[CoverageRow],
        bulletins: list[BulletinRow],
        told: list[tuple[str, date, str, int]],
        uncertain: list[UncertainIncident],
    ) -> None:
        """Take up the aggregates where the rows left them."""
        for row in tallies:
            tally = self.tallies[row.region, row.truce_day] = DayTally()
            tally.in_scope.total = row.incidents
            tally.severe.total = row.severe_incidents
            tally.out_of_scope = row.incidents_out_of_scope
            tally.restore_tolls(row.deaths_low, row.deaths_best, row.deaths_high, row.incidents_without_toll)
        for incident in uncertain:
            tally, severe = self.tallies[incident[:2]], incident.kind in self._severe
            tally.in_scope.total -= 1
            tally.uncertain += 1
            tally.severe.total -= severe
            tally.uncertain_severe += severe
            self._move_possible(incident, 1)
        for line in feeds:
            self.tallies[line.region, line.truce_day].feeds[line.feed] = line.incidents
        for hour in hours:
            self._hours[hour.region][hour.hour] = HourFigures(*hour[2:])
        for notice in coverage:
            identity = Identity(notice.feed, notice.report_id)
            span = (notice.occurred_from, notice.occurred_to)
            self._enter_watch(identity, _Notice((notice.region,), *span, notice.nil))
        for name, lines in groupby(sorted(bulletins), key=lambda row: row[:2]):
            self._measure(Identity(*name), list(lines))
        for region, day, feed, reports in told:
            self._told[region, day][feed] = reports
