"""The books of one agreement: everything the present reports add up to, kept as they come and go."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby

from schemas.agreement import Agreement
from schemas.facts import BulletinFact, CoverageFact
from schemas.rows import (
    BulletinRow,
    Contribution,
    ConvoyStepRow,
    CoverageRow,
    DayTallyRow,
    FeedTallyRow,
    Hour,
    Identity,
    LinkedIncident,
)
from schemas.truceday import MICROS_PER_HOUR, Micros, first_trailing_hour
from streams.ledger.core.bulletins import Monitor, bulletin_rows
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.tally import DayTally
from streams.ledger.core.violence import baseline_of, limit_of

Bucket = tuple[str, date]


class Books:
    """Tallies, hours, coverage and convoys of one agreement. Every ``add`` has its exact ``remove``.

    Memory grows with regions, days, notices and convoys; not with incident reports.
    """

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.tallies: dict[Bucket, DayTally] = {}
        self.changed: set[Bucket] = set()
        self.monitor = Monitor(agreement)
        self._severe = frozenset(str(kind) for kind in agreement.violence.severe_kinds)
        self._feeds = frozenset(agreement.violence.feeds)
        self._limits: dict[str, tuple[Fraction, Fraction]] = {}
        self._hours: dict[str, dict[Micros, tuple[int, int]]] = defaultdict(dict)
        self._oldest_hour: Micros = 0
        self._notices: dict[Identity, list[Bucket]] = {}
        self._watches: dict[Bucket, dict[Identity, tuple[Micros, Micros]]] = defaultdict(dict)
        #: By region and feed, in order, the ends of what it watched.
        self._watch_ends: dict[str, dict[str, list[Micros]]] = defaultdict(dict)
        self.convoys = Convoys(agreement.access.same_convoy_hours)

    # -- incidents

    def add_incident(self, feed: str, report_id: str, adds: Contribution) -> None:
        """Count a present, active incident report in."""
        if self._feeds and feed not in self._feeds:
            return
        bucket = (adds.region, adds.truce_day)
        tally = self.tallies.get(bucket)
        if tally is None:
            tally = self.tallies[bucket] = DayTally()
        tally.add(feed, report_id, adds, (feed,), severe=adds.kind in self._severe)
        self._note(bucket, adds, 1)

    def remove_incident(self, feed: str, report_id: str, adds: Contribution) -> None:
        """Take an incident report that no longer stands out again."""
        if self._feeds and feed not in self._feeds:
            return
        bucket = (adds.region, adds.truce_day)
        self.tallies[bucket].remove(feed, report_id, adds, (feed,), severe=adds.kind in self._severe)
        self._note(bucket, adds, -1)

    def add_linked(self, incident: LinkedIncident) -> None:
        """Count an incident of several reports in; those must not be counted on their own."""
        if incident.counted:
            adds = incident.adds
            bucket = (adds.region, adds.truce_day)
            tally = self.tallies.setdefault(bucket, DayTally())
            severe = adds.kind in self._severe
            tally.add(incident.feed, incident.report_id, adds, self._counting(incident), severe=severe)
            self._note(bucket, adds, 1)

    def remove_linked(self, incident: LinkedIncident) -> None:
        """Take an incident of several reports out again."""
        if incident.counted:
            adds = incident.adds
            bucket = (adds.region, adds.truce_day)
            severe = adds.kind in self._severe
            tally = self.tallies[bucket]
            tally.remove(incident.feed, incident.report_id, adds, self._counting(incident), severe=severe)
            self._note(bucket, adds, -1)

    def _counting(self, incident: LinkedIncident) -> tuple[str, ...]:
        return tuple(feed for feed in incident.feeds if not self._feeds or feed in self._feeds)

    def _note(self, bucket: Bucket, adds: Contribution, sign: int) -> None:
        self.changed.add(bucket)
        if bucket[1] in self.agreement.baseline_days:
            self._limits.pop(bucket[0], None)
        if adds.in_scope:
            hour = adds.occurred_from - adds.occurred_from % MICROS_PER_HOUR
            # Hours before the trailing window are never asked for again: now only moves on.
            if hour >= self._oldest_hour:
                hours = self._hours[bucket[0]]
                incidents, deaths = hours.get(hour, (0, 0))
                hours[hour] = (incidents + sign, deaths + sign * (adds.deaths_best or 0))

    def limit(self, region: str) -> tuple[Fraction, Fraction]:
        """Return the region's limit and the baseline it comes from, in incidents a day."""
        found = self._limits.get(region)
        if found is None:
            days = sorted(self.agreement.baseline_days)
            if self.monitor.feed is None:
                counts = [self._incidents(region, day) for day in days]
            else:
                counts = self.monitor.counts(region, days)
            baseline = baseline_of(counts, self.agreement.violence.baseline.measure)
            found = self._limits[region] = (limit_of(self.agreement, baseline), baseline)
        return found

    def _incidents(self, region: str, day: date) -> int:
        tally = self.tallies.get((region, day))
        return tally.in_scope.total if tally else 0

    def hours(self, region: str) -> dict[Micros, tuple[int, int]]:
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

    def add_coverage(self, identity: Identity, fact: CoverageFact) -> list[Bucket]:
        """Enter a coverage notice; return the regions and days it watches."""
        return self._watch(identity, fact.regions, fact.from_, fact.to)

    def remove_coverage(self, identity: Identity) -> list[Bucket]:
        """Take a coverage notice out again; return the regions and days it watched."""
        touched = self._notices.pop(identity, [])
        stretches = {bucket[0]: self._watches[bucket].pop(identity) for bucket in touched}
        for region, (low, high) in stretches.items():
            if low < high:
                ends = self._watch_ends[region][identity.feed]
                del ends[bisect_left(ends, high)]
        return touched

    def _watch(self, identity: Identity, regions: tuple[str, ...], low: Micros, high: Micros) -> list[Bucket]:
        calendar = self.agreement.calendar
        days = calendar.days_between(calendar.day_at(low), calendar.day_at(max(low, high - 1)))
        touched = [(region, day) for region in dict.fromkeys(regions) for day in days]
        for bucket in touched:
            self._watches[bucket][identity] = (low, high)
        self._notices.setdefault(identity, []).extend(touched)
        if low < high:
            # What lasts no time watches nothing, so nothing ends with it.
            for region in dict.fromkeys(regions):
                insort(self._watch_ends[region].setdefault(identity.feed, []), high)
        return touched

    def watch_ends(self, region: str) -> Mapping[str, list[Micros]]:
        """Return, by feed and in order, the ends of all its notices, and bulletins that measure, of a region."""
        return self._watch_ends[region]

    def unwatched_after(self, feed: str, buckets: Iterable[Bucket], last: date) -> Iterator[Bucket]:
        """Yield the days up to ``last`` whose reason may tell that ``feed`` had watched before, in ``buckets``.

        They are those that nobody watches, up to the next that the feed watches once more.
        """
        last_watched: dict[str, date] = {}
        for region, day in buckets:
            last_watched[region] = max(day, last_watched.get(region, day))
        for region, day in last_watched.items():
            following = day + timedelta(days=1)
            while following <= last:
                feeds = {
                    identity.feed
                    for identity, (low, high) in self._watches.get((region, following), {}).items()
                    if low < high
                }
                if feed in feeds:
                    break
                if not feeds:
                    yield region, following
                following += timedelta(days=1)

    def watches(self, bucket: Bucket) -> dict[str, list[tuple[Micros, Micros]]]:
        """Return the stretches each feed says it watched of a region and day."""
        by_feed: dict[str, list[tuple[Micros, Micros]]] = {}
        for identity, stretch in self._watches.get(bucket, {}).items():
            by_feed.setdefault(identity.feed, []).append(stretch)
        return by_feed

    def watching_all_day(self, bucket: Bucket) -> list[str]:
        """Return the feeds whose incident reports count as watching the whole day."""
        tally = self.tallies.get(bucket)
        if tally is None or not self.agreement.coverage.reports_cover_the_day:
            return []
        return [feed for feed, incidents in tally.feeds.items() if incidents]

    # -- bulletins

    def add_bulletin(
        self, identity: Identity, fact: BulletinFact
    ) -> tuple[list[Bucket], list[tuple[str, date | None]]]:
        """Enter a bulletin; return the regions and days it watches, and those whose count it changes.

        Of the latter a day of None stands for every day of the region.
        """
        if fact.feed != self.monitor.feed:
            return [], []
        return self._measure(identity, bulletin_rows(fact, self.agreement))

    def remove_bulletin(self, identity: Identity) -> list[tuple[str, date | None]]:
        """Take a bulletin's counts out again; return as ``add_bulletin`` does. Its watch goes as a notice's does."""
        return self._moved(self.monitor.remove(identity))

    def _measure(
        self, identity: Identity, rows: list[BulletinRow]
    ) -> tuple[list[Bucket], list[tuple[str, date | None]]]:
        told_of = self.monitor.enter(rows)
        regions = tuple(region for region, _ in told_of)
        watched = self._watch(identity, regions, rows[0].occurred_from, rows[0].occurred_to) if told_of else []
        return watched, self._moved(told_of)

    def _moved(self, buckets: list[Bucket]) -> list[tuple[str, date | None]]:
        moved: list[tuple[str, date | None]] = list(buckets)
        for region, day in buckets:
            if day in self.agreement.baseline_days:
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
            days.append(
                DayTallyRow(
                    *bucket,
                    incidents=tally.in_scope.total,
                    incidents_out_of_scope=tally.out_of_scope,
                    severe_incidents=tally.severe.total,
                    deaths_low=tally.deaths_low,
                    deaths_best=tally.deaths_best,
                    deaths_high=tally.deaths_high,
                )
            )
            feeds.extend(FeedTallyRow(*bucket, feed, incidents) for feed, incidents in tally.feeds.items())
        self.changed.clear()
        return days, feeds

    def restore(
        self,
        tallies: list[DayTallyRow],
        feeds: list[FeedTallyRow],
        hours: list[Hour],
        steps: list[ConvoyStepRow],
        coverage: list[CoverageRow],
        bulletins: list[BulletinRow],
    ) -> None:
        """Take up the books where the rows left them."""
        for row in tallies:
            tally = self.tallies[row.region, row.truce_day] = DayTally()
            tally.in_scope.total = row.incidents
            tally.severe.total = row.severe_incidents
            tally.out_of_scope = row.incidents_out_of_scope
            tally.deaths_low, tally.deaths_best, tally.deaths_high = row.deaths_low, row.deaths_best, row.deaths_high
        for line in feeds:
            self.tallies[line.region, line.truce_day].feeds[line.feed] = line.incidents
        for hour in hours:
            self._hours[hour.region][hour.hour] = (hour.incidents, hour.deaths_best)
        for step in steps:
            self.convoys.add(Identity(step.feed, step.report_id), step)
        for notice in coverage:
            identity = Identity(notice.feed, notice.report_id)
            self._watch(identity, (notice.region,), notice.occurred_from, notice.occurred_to)
        for name, lines in groupby(sorted(bulletins), key=lambda row: row[:2]):
            self._measure(Identity(*name), list(lines))
