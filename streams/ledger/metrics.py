"""Prometheus metrics of the ledger, taken from the rows it commits.

The loop notes rows and the thread of the probes reads them. Every change here replaces or adds
whole values, so that a reader sees an earlier value or a later one. The feed is the only label
taken from a report. Feeds are free text, so a bounded number of them have metrics of their own, and
the rest share one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import islice

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.rows import Changes, DayVerdict, FeedRow, GateRow, RejectRow, WindowRow
from streams.ledger.core.feeds import Outcome
from streams.ledger.core.findings import Finding

#: Feeds with metrics of their own: those with most records when the worker starts, then those heard
#: first.
MOST_FEEDS = 100
#: Label of the other feeds.
OTHER_FEEDS = "(other)"
#: Truce-days shown: a window, the running day included.
WINDOW_DAYS = 7

_VERDICTS = (Finding.MET, Finding.BROKEN, Finding.UNKNOWN)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class LedgerMetrics(Collector):
    """Collector of one ledger's commits and publications."""

    def __init__(self) -> None:
        self._feeds: dict[str, FeedRow] = {}
        self._rejects: Counter[str] = Counter()
        self._amended: Counter[tuple[str, str]] = Counter()
        self._windows: dict[str, WindowRow] = {}
        self._verdicts: dict[tuple[str, date], DayVerdict] = {}
        self._gate: GateRow | None = None
        self._published_at: float | None = None
        self._commits = Histogram(
            "trucewatch_sink_commit_duration_seconds",
            "Commits of a flush to DuckDB.",
            buckets=_SECONDS,
            registry=None,
        )
        self._publications = Histogram(
            "trucewatch_publish_duration_seconds", "Published copies.", buckets=_SECONDS, registry=None
        )

    # -- noting

    def resumed(self, feeds: Iterable[FeedRow], verdicts: Iterable[DayVerdict], gate: GateRow | None) -> None:
        """Start from the rows the store holds."""
        by_size = sorted(feeds, key=lambda row: (-sum(row[3:]), row.feed))
        self._feeds = {row.feed: row for row in by_size}
        self._windows, self._gate = {}, gate
        self._verdicts = {(row.region, row.truce_day): row for row in verdicts}
        self._forget_old_days()

    def rejected(self, rejects: Iterable[RejectRow]) -> None:
        """Count rejects that are about to be written."""
        self._rejects.update(row.code for row in rejects)

    def committed(self, changes: Changes, seconds: float) -> None:
        """Note the rows of a commit, and how long it took."""
        self._commits.observe(seconds)
        self._feeds.update((row.feed, row) for row in changes.feeds)
        if changes.windows:
            self._windows = {row.region: row for row in changes.windows}
        moved = (each for each in changes.amendments if each.before.verdict != each.after.verdict)
        self._amended.update((each.after.region, each.before.verdict) for each in moved)
        if changes.gate_history:
            self._gate = changes.gate_history[-1]
        if changes.verdict_log:
            self._verdicts.update(((row.region, row.truce_day), row) for row in changes.verdict_log)
            self._forget_old_days()

    def published(self, at: float, seconds: float) -> None:
        """Note the time of a published copy, in seconds since 1970.

        It took ``seconds``.
        """
        self._publications.observe(seconds)
        self._published_at = at

    def _forget_old_days(self) -> None:
        newest = max((day for _, day in self._verdicts), default=None)
        if newest is not None:
            self._verdicts = {
                (region, day): row for (region, day), row in self._verdicts.items() if (newest - day).days < WINDOW_DAYS
            }

    # -- reading

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of a scrape."""
        yield from self._of_feeds()
        rejects = CounterMetricFamily("trucewatch_rejects_total", "Records rejected, by code.", labels=("code",))
        for code, count in sorted(self._rejects.copy().items()):
            rejects.add_metric((code,), count)
        yield rejects
        amended = CounterMetricFamily(
            "trucewatch_amended_verdicts_total",
            "Versions of final truce-days that have another verdict, by region and the verdict before.",
            labels=("region", "before"),
        )
        # Each region from the start: Prometheus sees no increase in a series that begins with 1.
        counts = self._amended.copy()
        for region in sorted({region for region, _ in [*self._verdicts.copy(), *counts]}):
            for before in _VERDICTS:
                amended.add_metric((region, before), counts[region, before])
        yield amended
        streaks = GaugeMetricFamily(
            "trucewatch_region_streak_days", "Truce-days MET in a row, to the last completed one.", labels=("region",)
        )
        for region, window in sorted(self._windows.items()):
            streaks.add_metric((region,), window.streak_days)
        yield streaks
        yield from self._of_days()
        if self._gate is not None:
            yield GaugeMetricFamily(
                "trucewatch_gate_open", "Whether every region the gate needs holds.", value=self._gate.is_open
            )
        if self._published_at is not None:
            yield GaugeMetricFamily(
                "trucewatch_published_timestamp_seconds", "When a copy was published last.", value=self._published_at
            )
        yield from self._commits.collect()
        yield from self._publications.collect()

    def _of_feeds(self) -> Iterable[Metric]:
        rows = list(self._feeds.values())
        events = CounterMetricFamily(
            "trucewatch_events_total",
            f"Records by what became of them; feeds beyond {MOST_FEEDS} are together {OTHER_FEEDS}.",
            labels=("feed", "outcome"),
        )
        last = GaugeMetricFamily(
            "trucewatch_feed_last_event_timestamp_seconds", "When a feed was last heard.", labels=("feed",)
        )
        for row in islice(rows, MOST_FEEDS):
            for outcome, count in zip(Outcome, row[3:], strict=True):
                events.add_metric((row.feed, outcome), count)
            if row.last_received_at is not None:
                last.add_metric((row.feed,), row.last_received_at / 1_000_000)
        others = [row[3:] for row in rows[MOST_FEEDS:]]
        if others:
            for outcome, *counts in zip(Outcome, *others, strict=True):
                events.add_metric((OTHER_FEEDS, outcome), sum(counts))
        yield events
        yield last

    def _of_days(self) -> Iterable[Metric]:
        days = GaugeMetricFamily(
            "trucewatch_window_day_state",
            "The verdict of a region's truce-day: 1 for the one it is. The running day is 0 days ago.",
            labels=("region", "days_ago", "verdict"),
        )
        overdue = GaugeMetricFamily(
            "trucewatch_convoys_overdue",
            "Convoys for which the region's newest truce-day lacks access, being overdue.",
            labels=("region",),
        )
        rows = self._verdicts
        newest = max((day for _, day in rows), default=None)
        for (region, day), row in sorted(rows.items()):
            if newest is not None:
                for each in _VERDICTS:
                    days.add_metric((region, str((newest - day).days), each), row.verdict == each)
            if day == newest:
                overdue.add_metric((region,), _overdue(row))
        yield days
        yield overdue


def _overdue(row: DayVerdict) -> int:
    """Return how many convoys are overdue by the day's finding on access."""
    rules = {(each["leg"], each["rule"]) for each in json.loads(row.reasons)}
    return len(json.loads(row.evidence)["access"]) if ("access", "overdue") in rules else 0
