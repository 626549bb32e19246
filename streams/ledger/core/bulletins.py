"""Bulletins: monitors' own tallies, those a truce-day is measured by, and those that contest it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import BulletinFact
from schemas.rows import BulletinRow, Evidence, Identity
from schemas.truceday import LONGEST_BULLETIN, Micros, from_micros


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
            accused=line.accused_names or None,
            in_scope=agreement.in_scope((line.accused_names,)),
            kind_as_given=line.kind_as_given,
            incidents=line.count,
            total=fact.total,
            adds_up=fact.total is None or fact.total == sum(each.count for each in fact.tallies),
            at_least=fact.at_least,
            occurred_from=fact.from_,
            occurred_to=fact.to,
            period_as_given=fact.period_as_given,
            reported_at=fact.reported_at,
            accused_parties=agreement.accused_parties(line.accused_names) or None,
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


class DayBulletins:
    """Present bulletins of single truce-days, by the regions they speak of.

    ``monitor`` is the one feed the agreement measures violence by; None when it measures by incidents. Memory grows
    with the bulletins of single truce-days.
    """

    def __init__(self, agreement: Agreement) -> None:
        self.monitor = agreement.violence.bulletins_of
        self._contest = self.monitor is None and agreement.coverage.contested == "unknown"
        self._regions = frozenset(agreement.regions)
        self._told: dict[tuple[str, date], dict[Identity, Told]] = defaultdict(dict)
        self._buckets: dict[Identity, list[tuple[str, date]]] = {}
        #: By region the monitor's bulletins that cover more than a day: they count none, and reasons name them.
        self._longer: dict[str, dict[Identity, tuple[Micros, Micros]]] = defaultdict(dict)

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

    def enter_longer(self, rows: Iterable[BulletinRow]) -> list[tuple[str, date | None]]:
        """Enter the monitor's bulletins that cover more than a day; return the regions whose days may name them."""
        touched: set[str] = set()
        for row in rows:
            span = (row.occurred_from, row.occurred_to)
            if row.feed == self.monitor and row.region in self._regions and span[1] - span[0] > LONGEST_BULLETIN:
                self._longer[row.region][Identity(row.feed, row.report_id)] = span
                touched.add(row.region)
        return [(region, None) for region in sorted(touched)]

    def remove_longer(self, identity: Identity) -> list[tuple[str, date | None]]:
        """Take such a bulletin out again; return the regions it spoke of."""
        return [(region, None) for region, told in self._longer.items() if told.pop(identity, None)]

    def longer(self, region: str, start: Micros, end: Micros) -> list[str]:
        """Return the names of the monitor's bulletins that cover some of ``[start, end)`` and more than a day."""
        touching = [
            (low, *identity) for identity, (low, high) in self._longer[region].items() if low < end and high > start
        ]
        return [f"{feed}/{report_id}" for _, feed, report_id in sorted(touching)]

    def of(self, bucket: tuple[str, date]) -> Iterable[Told]:
        """Return the bulletins of a region and truce-day."""
        return self._told[bucket].values() if bucket in self._told else ()

    def used(self, bucket: tuple[str, date]) -> Told | None:
        """Return the monitor's bulletin told last of those of a region and truce-day."""
        return max((told for told in self.of(bucket) if told.feed == self.monitor), default=None)

    def contesting(self, bucket: tuple[str, date], limit: Fraction) -> tuple[Told, ...]:
        """Return the bulletins that count more than ``limit``, the earliest first, where these contest a day."""
        if not self._contest:
            return ()
        above = [told for told in self.of(bucket) if told.incidents > limit]
        return tuple(sorted(above, key=lambda told: told.evidence))

    def counts(self, region: str, days: Iterable[date]) -> list[int]:
        """Return the counts of those of ``days`` that have a bulletin for ``region``."""
        used = (self.used((region, day)) for day in days)
        return [told.incidents for told in used if told is not None]
