"""Pending rejects by region and truce-day; docs/judging.md, "Refused"."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from heapq import nsmallest
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import Origin
from schemas.rows import PendingReject
from streams.ledger.core.legs.tally import EVIDENCE_SHOWN

#: Topic, partition, offset and log of the rejected record.
Source = tuple[str, int, int, str]
Bucket = tuple[str, date]
#: A report by its name, with the source of its reject where that is all that tells it from others.
_Report = tuple[str, Source | tuple[()]]


class Refused(NamedTuple):
    """Pending reports of one region and truce-day: all of them, those that may be incidents, names of some of these."""

    reports: int = 0
    incidents: int = 0
    names: tuple[str, ...] = ()


class _Reject(NamedTuple):
    """One pending reject: the days it is of, and the report it counts as."""

    buckets: tuple[Bucket, ...]
    report: _Report
    identity: tuple[str, str] | None
    may_be_incident: bool


class _Day:
    """Pending reports of one region and truce-day, with how many rejects there are of each."""

    __slots__ = ("incidents", "names", "reports")

    def __init__(self) -> None:
        self.reports: Counter[_Report] = Counter()
        self.incidents: Counter[_Report] = Counter()
        #: Ordered anew only once something changed: a crowd of rejects would be sorted at every tick.
        self.names: tuple[str, ...] | None = None

    def move(self, reject: _Reject, by: int) -> None:
        """Count a reject that came, or no longer count one that was settled."""
        self.names = None
        for counts in (self.reports, self.incidents) if reject.may_be_incident else (self.reports,):
            counts[reject.report] += by
            if not counts[reject.report]:
                del counts[reject.report]


class Refusals:
    """Pending rejects of an agreement.

    Each is known by its source, by which redrives and dismissals name it, and by its identity, if its bytes tell one.
    """

    def __init__(self, agreement: Agreement) -> None:
        self._feeds = frozenset(agreement.violence.feeds)
        self._pending: dict[Source, _Reject] = {}
        self._of: defaultdict[tuple[str, str], set[Source]] = defaultdict(set)
        self._days: defaultdict[Bucket, _Day] = defaultdict(_Day)
        self._settled: set[Source] = set()

    def restore(self, pending: Iterable[PendingReject], settled: Iterable[Source]) -> None:
        """Take up the rows of the last commit."""
        self._settled = set(settled)
        for row in pending:
            self.add(row)

    def add(self, row: PendingReject) -> tuple[Bucket, ...]:
        """Take in a reject whose identity was never accepted; return the days it is pending on."""
        source = _source(row)
        if source in self._settled:
            return ()
        identity = None if row.feed is None or row.report_id is None else (row.feed, row.report_id)
        # Sent and refused many times over, it is one report still.
        report: _Report = (f"{row.source_topic}/{row.source_partition}/{row.source_offset}", source)
        if identity is not None:
            report = (f"{row.feed}/{row.report_id}", ())
            self._of[identity].add(source)
        counts = not self._feeds or row.feed is None or row.feed in self._feeds
        buckets = tuple((region, row.truce_day) for region in row.regions)
        reject = self._pending[source] = _Reject(buckets, report, identity, row.may_be_incident and counts)
        for bucket in buckets:
            self._days[bucket].move(reject, 1)
        return buckets

    def accept(self, identity: tuple[str, str]) -> list[Bucket]:
        """Settle the rejects of an identity of which a report was accepted; return their days."""
        return [bucket for source in sorted(self._of.get(identity, ())) for bucket in self._remove(source)]

    def identities(self) -> Iterable[tuple[str, str]]:
        """Return the identities that have a pending reject."""
        return self._of.keys()

    def settle(self, of: Origin) -> tuple[Bucket, ...]:
        """Settle the reject of a record, now or whenever it comes; return its days."""
        source = (of.topic, of.partition, of.offset, of.log)
        self._settled.add(source)
        return self._remove(source)

    def of(self, bucket: Bucket) -> Refused:
        """Return what is pending on a region and truce-day."""
        day = self._days.get(bucket)
        if day is None:
            return Refused()
        if day.names is None:
            day.names = tuple(name for name, _ in nsmallest(EVIDENCE_SHOWN, day.incidents))
        return Refused(len(day.reports), len(day.incidents), day.names)

    def _remove(self, source: Source) -> tuple[Bucket, ...]:
        reject = self._pending.pop(source, None)
        if reject is None:
            return ()
        if reject.identity is not None:
            self._of[reject.identity].remove(source)
            if not self._of[reject.identity]:
                del self._of[reject.identity]
        for bucket in reject.buckets:
            day = self._days[bucket]
            day.move(reject, -1)
            if not day.reports:
                del self._days[bucket]
        return reject.buckets


def _source(row: PendingReject) -> Source:
    if row.source_topic is None or row.source_partition is None or row.source_offset is None:
        # Of no topic, as a test or a repair may write it.
        return ("", -1, row.fact_offset, "")
    return (row.source_topic, row.source_partition, row.source_offset, row.source_log or "")
