"""What a ledger is started again from, kept in plain dictionaries and worked out by scanning them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from schemas.agreement import Agreement
from schemas.rows import (
    Changes,
    Claim,
    Hour,
    LinkedIncident,
    LinkedReport,
    PendingReject,
    ReportRow,
    Resumed,
    UncertainIncident,
)
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, first_trailing_hour

#: Tables of present rows by the number of leading columns that make their key, as the store upserts them.
UPSERTED = {"tallies": 2, "feed_tallies": 3, "windows": 1, "feeds": 1}
#: Tables whose rows belong to one report and are replaced with it.
OF_A_REPORT = ("convoy_steps", "coverage", "bulletins", "positions", "position_findings")
#: Tables that only grow.
APPENDED = ("gate_history", "redrives", "rejects", "dismissals", "verdict_log", "declarations")


class Kept:
    """Every table of a ledger but those of reports and links."""

    def __init__(self, truce: Agreement) -> None:
        self._truce = truce
        self.present: dict[str, dict[tuple[Any, ...], Any]] = {table: {} for table in UPSERTED}
        self.of_a_report: dict[str, list[Any]] = {table: [] for table in OF_A_REPORT}
        self.appended: dict[str, list[Any]] = {table: [] for table in APPENDED}
        self.convoys: list[Any] = []
        self.origins: dict[tuple[str, int, str], int] = {}
        self.last = Changes()

    def write(self, changes: Changes) -> None:
        """Take what one flush writes."""
        for table, key in UPSERTED.items():
            self.present[table] |= {tuple(row[:key]): row for row in getattr(changes, table)}
        self.present["feed_tallies"] = {key: row for key, row in self.present["feed_tallies"].items() if row.incidents}
        self.present["tallies"] = {key: row for key, row in self.present["tallies"].items() if any(row[2:])}
        touched = {tuple(identity) for identity in changes.touched_reports}
        for table in OF_A_REPORT:
            stays = [row for row in self.of_a_report[table] if (row.feed, row.report_id) not in touched]
            self.of_a_report[table] = [*stays, *dict.fromkeys(getattr(changes, table))]
        moved = {tuple(name) for name in changes.touched_convoys}
        stays = [row for row in self.convoys if tuple(row[:2]) not in moved]
        self.convoys = [*stays, *dict.fromkeys(changes.convoys)]
        for table in APPENDED:
            self.appended[table] += getattr(changes, table)
        self.origins |= changes.origins
        self.last = changes

    def tables(self) -> dict[str, list[str]]:
        """Return every table as text, in a fixed order."""
        whole = {name: [*rows.values()] for name, rows in self.present.items()}
        whole |= self.of_a_report | self.appended | {"convoys": self.convoys}
        return {name: sorted(map(str, rows)) for name, rows in whole.items()}

    def resumed(
        self, reports: list[ReportRow], incidents: Iterable[LinkedIncident], members: Iterable[LinkedReport]
    ) -> Resumed:
        """Return what a ledger goes on from."""
        linked = sorted({row.fact_offset for row in members})
        last = self.last
        return Resumed(
            next_offset=last.next_offset,
            origins=dict(self.origins),
            now=last.now,
            last_tick=last.last_tick,
            tallies=[*self.present["tallies"].values()],
            feed_tallies=[*self.present["feed_tallies"].values()],
            hours=self._hours(reports, incidents, frozenset(linked)),
            convoy_steps=self.of_a_report["convoy_steps"],
            coverage=self.of_a_report["coverage"],
            bulletins=self.of_a_report["bulletins"],
            told=_told(reports),
            uncertain=self._uncertain(reports, incidents, frozenset(linked)),
            verdicts=[*{(row.region, row.truce_day): row for row in self.appended["verdict_log"]}.values()],
            gate=next(reversed(self.appended["gate_history"]), None),
            feeds=[*self.present["feeds"].values()],
            redrives=self.appended["redrives"],
            refused=self._refused(reports),
            settled=sorted(self._settled()),
            pending=last.pending,
            last_digest=last.last_digest,
            term=last.term,
            writer=last.writer,
            **(_of_linking(reports, linked) if self._truce.linking else {}),
        )

    def _settled(self) -> set[tuple[str, int, int, str]]:
        rejected = {row.fact_offset: row for row in self.appended["rejects"]}
        settled = {row[1:5] for row in self.appended["dismissals"]}
        for row in self.appended["redrives"]:
            if row.outcome != "rejected" or rejected[row.fact_offset].regions:
                settled.add(row[1:5])
        return settled

    def _refused(self, reports: list[ReportRow]) -> list[PendingReject]:
        known, settled = {(row.feed, row.report_id) for row in reports}, self._settled()
        return [
            PendingReject._make(getattr(row, name) for name in PendingReject._fields)
            for row in self.appended["rejects"]
            if row.regions and (row.feed, row.report_id) not in known
            if (row.source_topic, row.source_partition, row.source_offset, row.source_log) not in settled
        ]

    def _hours(
        self, reports: Iterable[ReportRow], incidents: Iterable[LinkedIncident], linked: frozenset[int]
    ) -> list[Hour]:
        oldest = 0 if self.last.now is None else first_trailing_hour(self.last.now)
        counts: Counter[tuple[str, int]] = Counter()
        deaths: Counter[tuple[str, int]] = Counter()
        without_toll: Counter[tuple[str, int]] = Counter()
        for one in self._counted(reports, incidents, linked):
            begun = one.occurred_from or 0
            where = one.region or "", begun - begun % MICROS_PER_HOUR
            if where[1] >= oldest:
                counts[where] += 1
                deaths[where] += _deaths(one) or 0
                without_toll[where] += _deaths(one) is None
        return [Hour(*where, count, deaths[where], without_toll[where]) for where, count in counts.items()]

    def _uncertain(
        self, reports: Iterable[ReportRow], incidents: Iterable[LinkedIncident], linked: frozenset[int]
    ) -> list[UncertainIncident]:
        longest = self._truce.violence.surely_within_hours * MICROS_PER_HOUR
        return [
            UncertainIncident._make(getattr(one, name) for name in UncertainIncident._fields)
            for one in self._counted(reports, incidents, linked)
            if (one.occurred_to or 0) - (one.occurred_from or 0) > longest and one.region in self._truce.regions
        ]

    def _counted(
        self, reports: Iterable[ReportRow], incidents: Iterable[LinkedIncident], linked: frozenset[int]
    ) -> Iterator[ReportRow | LinkedIncident]:
        feeds = self._truce.violence.feeds
        for row in reports:
            stands = row.type == "incident" and row.present and not row.retracted and row.in_scope
            if stands and row.fact_offset not in linked and (not feeds or row.feed in feeds):
                yield row
        for one in incidents:
            if one.counted and one.in_scope:
                yield one


def _told(reports: Iterable[ReportRow]) -> list[tuple[str, date, str, int]]:
    told = Counter(
        (row.region, row.truce_day, row.feed)
        for row in reports
        if row.type == "incident" and row.present and not row.retracted and row.region and row.truce_day
    )
    return [(region, day, feed, number) for (region, day, feed), number in told.items()]


def _deaths(told: ReportRow | LinkedIncident) -> int | None:
    stated = (told.deaths_best, told.deaths_low, None if told.deaths_high is None else 0)
    return next((number for number in stated if number is not None), None)


def _of_linking(reports: list[ReportRow], linked: list[int]) -> dict[str, Any]:
    told = [row for row in reports if row.type == "incident"]
    standing = [row for row in told if row.present]
    return {
        "reporting": sorted({(row.region, row.truce_day, row.feed) for row in told}),
        "cells": sorted(
            {(row.region, (row.occurred_from or 0) // MICROS_PER_DAY) for row in standing if not row.merged_into}
        ),
        "claims": [
            Claim(row.fact_offset, row.feed, row.merged_into, row.same_as)
            for row in standing
            if row.same_as is not None or row.merged_into is not None
        ],
        "linked": linked,
    }
