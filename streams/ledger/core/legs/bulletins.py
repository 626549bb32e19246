"""Bulletins: monitors' own tallies, those a truce-day is measured by, and those that contest it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from fractions import Fraction
from heapq import nsmallest
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import BulletinFact
from schemas.rows import BulletinRow, Evidence, Identity
from schemas.truceday import LONGEST_BULLETIN, Micros, from_micros
from streams.ledger.core.interval_index import DayIndex, judged_days
from streams.ledger.core.legs.tally import EVIDENCE_SHOWN
from streams.ledger.core.watchers import Days


def bulletin_rows(fact: BulletinFact, agreement: Agreement) -> list[BulletinRow]:
    """Return the lines of a bulletin, numbered from 1, with the truce-day it is of and whether each is in scope."""
    of_one_day = 0 < fact.to - fact.from_ <= LONGEST_BULLETIN
    return [
        BulletinRow(
            feed=fact.feed,
            report_id=fact.report_id,
            line=number,
            truce_day=agreement.calendar.day_of(fact.from_, fact.to)[0] if of_one_day else None,
            region=line.region,
            accused=line.accused or None,
            in_scope=agreement.in_scope((line.accused,)),
            kind_as_given=line.kind_as_given,
            incidents=line.count,
            total=fact.total,
            adds_up=fact.total is None or fact.total == sum(each.count for each in fact.tallies),
            at_least=fact.at_least,
            occurred_from=fact.from_,
            occurred_to=fact.to,
            period_as_given=fact.period_as_given,
            reported_at=fact.reported_at,
            accused_parties=agreement.accused_parties(line.accused) or None,
        )
        for number, line in enumerate(fact.tallies, start=1)
    ]


class Told(NamedTuple):
    """What one bulletin counts of one region; of two for one day the greater was told last."""

    reported_at: Micros
    report_id: str
    feed: str
    incidents: int
    at_least: bool
    adds_up: bool
    occurred_from: Micros
    occurred_to: Micros

    @property
    def evidence(self) -> Evidence:
        """The bulletin as a verdict names it."""
        return Evidence(self.occurred_from, self.feed, self.report_id)

    @property
    def text(self) -> str:
        """What it says and of which period, with what speaks against taking it at its word."""
        period = (
            f"{from_micros(self.occurred_from):%Y-%m-%d %H:%M} to {from_micros(self.occurred_to):%Y-%m-%d %H:%M} UTC"
        )
        least = "at least " if self.at_least else ""
        doubt = "" if self.adds_up else ", though its lines do not add up to its total"
        return f"{self.feed}/{self.report_id} counts {least}{self.incidents} for {period}{doubt}"


class Contesting(NamedTuple):
    """Bulletins that contest a day: the earliest ten, how many there are, and their feeds."""

    first: tuple[Told, ...] = ()
    bulletins: int = 0
    feeds: tuple[str, ...] = ()


class Longer(NamedTuple):
    """Names of the earliest ten bulletins that cover a day and more than it, and how many there are."""

    names: tuple[str, ...] = ()
    bulletins: int = 0


class DayBulletins:
    """Present bulletins by the truce-days they are of, or cover, and by the regions they speak of.

    ``monitor`` is the one feed the agreement measures violence by; None when it measures by incidents. Memory grows
    with the bulletins of single truce-days, and with the monitor's longer ones.
    """

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self.monitor = agreement.violence.bulletins_of
        self._contest = self.monitor is None and agreement.coverage.contested == "unknown"
        self._regions = frozenset(agreement.regions)
        self._told: dict[tuple[str, date], dict[Identity, Told]] = defaultdict(dict)
        self._buckets: dict[Identity, list[tuple[str, date]]] = {}
        #: By region the monitor's bulletins that cover more than a day: they count none, and reasons name them.
        self._longer: dict[str, DayIndex] = defaultdict(DayIndex)
        self._longer_days: dict[Identity, tuple[Days, Evidence]] = {}

    def enter(self, rows: Iterable[BulletinRow]) -> list[tuple[str, date]]:
        """Enter lines of bulletins; return the regions and truce-days they tell of."""
        touched = []
        for row in rows:
            if row.truce_day is None or row.region is None or row.region not in self._regions:
                continue
            bucket, identity = (row.region, row.truce_day), Identity(row.feed, row.report_id)
            told = self._told[bucket].get(identity)
            before = 0
            if told is None:
                self._buckets.setdefault(identity, []).append(bucket)
                touched.append(bucket)
            else:
                before = told.incidents
            self._told[bucket][identity] = Told(
                row.reported_at,
                row.report_id,
                row.feed,
                before + (row.incidents if row.in_scope else 0),
                row.at_least,
                row.adds_up,
                row.occurred_from,
                row.occurred_to,
            )
        return touched

    def remove(self, identity: Identity) -> list[tuple[str, date]]:
        """Take a bulletin out again; return the regions and truce-days it told of."""
        touched = self._buckets.pop(identity, [])
        for bucket in touched:
            del self._told[bucket][identity]
            if not self._told[bucket]:
                del self._told[bucket]
        return touched

    def enter_longer(self, identity: Identity, rows: list[BulletinRow]) -> Days | None:
        """Enter the lines of a bulletin where it is the monitor's and covers more than a day; return which days."""
        if identity.feed != self.monitor:
            return None
        low, high = rows[0].occurred_from, rows[0].occurred_to
        regions = tuple(dict.fromkeys(row.region for row in rows if row.region is not None))
        regions = tuple(region for region in regions if region in self._regions)
        covered = judged_days(self._agreement, low, high) if high - low > LONGEST_BULLETIN else None
        if covered is None:
            return None
        days, evidence = Days(None, regions, *covered), Evidence(low, *identity)
        self._longer_days[identity] = days, evidence
        for region in regions:
            self._longer[region].add(covered, evidence)
        return days

    def remove_longer(self, identity: Identity) -> Days | None:
        """Take such a bulletin out again; return the days it covered."""
        if identity not in self._longer_days:
            return None
        days, evidence = self._longer_days.pop(identity)
        for region in days.regions:
            self._longer[region].remove((days.first, days.last), evidence)
        return days

    def longer(self, bucket: tuple[str, date]) -> Longer:
        """Return the monitor's bulletins that cover a truce-day and more than one."""
        region, day = bucket
        if region not in self._longer:
            return Longer()
        index = self._longer[region]
        named = index.earliest(day, EVIDENCE_SHOWN)
        return Longer(tuple(f"{each.feed}/{each.report_id}" for each in named), index.count(day))

    def of(self, bucket: tuple[str, date]) -> Collection[Told]:
        """Return the bulletins of a region and truce-day."""
        return self._told[bucket].values() if bucket in self._told else ()

    def used(self, bucket: tuple[str, date]) -> Told | None:
        """Return the monitor's bulletin told last of those of a region and truce-day."""
        return max((told for told in self.of(bucket) if told.feed == self.monitor), default=None)

    def contesting(self, bucket: tuple[str, date], limit: Fraction) -> Contesting:
        """Return the bulletins that count more than ``limit``, where these contest a day."""
        if not self._contest:
            return Contesting()
        above = [told for told in self.of(bucket) if told.incidents > limit]
        first = nsmallest(EVIDENCE_SHOWN, above, key=lambda told: told.evidence)
        return Contesting(tuple(first), len(above), tuple(sorted({told.feed for told in above})))

    def counts(self, region: str, days: Iterable[date]) -> list[int]:
        """Return the counts of those of ``days`` that have a bulletin for ``region``."""
        used = (self.used((region, day)) for day in days)
        return [told.incidents for told in used if told is not None]
