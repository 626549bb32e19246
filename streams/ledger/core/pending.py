"""What changed since the last tick and waits to be judged, with the reports that changed it."""

from __future__ import annotations

import json
from datetime import date

from schemas.facts import ReportFact
from schemas.truceday import Micros
from streams.ledger.core.link_causes import ByLink, LinkedSince

CAUSES_SHOWN = 10


class Cause:
    """The reports behind a change: the first few by name, the rest as a number.

    ``shared`` is how many of all of them changed every day of the region as well.
    """

    __slots__ = ("more", "reports", "shared")

    def __init__(self, reports: list[str] | None = None, more: int = 0, shared: int = 0) -> None:
        self.reports = reports or []
        self.more = more
        self.shared = shared

    def add(self, report: str) -> None:
        """Add a report, by name while few are known."""
        if len(self.reports) < CAUSES_SHOWN:
            self.reports.append(report)
        else:
            self.more += 1


class Pending:
    """Causes by region and truce-day; a day of None stands for every day of the region.

    Kept as JSON text with each commit, so that a ledger that was killed between two ticks judges as if it had not.
    """

    def __init__(self) -> None:
        self._causes: dict[tuple[str, date | None], Cause] = {}
        #: Regions of which something moved that every day rests on, and not only their convoys.
        self.every_day: set[str] = set()
        self._by: ReportFact | None = None
        self._touched_by_it: set[tuple[str, date | None]] = set()
        self.linked = LinkedSince()
        #: The ledger's time at the last tick: days that were over by then move only when a report touches them.
        self.judged_to: Micros | None = None

    def touch(self, region: str, day: date | None, fact: ReportFact) -> None:
        """Note that a report changed what ``region`` and ``day`` rest on; one report's touches follow each other."""
        if day is None:
            self.every_day.add(region)
        self._name(region, day, fact)

    def touch_access(self, region: str, fact: ReportFact) -> None:
        """Note that a step of a convoy to ``region`` came or went: it is named on every day of the region.

        Which of these it may have moved the convoys tell themselves, at the tick.
        """
        self._name(region, None, fact)

    def _name(self, region: str, day: date | None, fact: ReportFact) -> None:
        bucket = (region, day)
        if fact is not self._by:
            self._by, self._touched_by_it = fact, set()
        elif bucket in self._touched_by_it:
            # A correction takes out what was there and puts in what is: that is one report, not two.
            return
        self._touched_by_it.add(bucket)
        cause = self._causes.get(bucket)
        if cause is None:
            cause = self._causes[bucket] = Cause()
        cause.add(f"{fact.feed}/{fact.report_id}@{fact.revision}")
        if day is not None:
            cause.shared += (region, None) in self._touched_by_it
            return
        for other, narrower in self._touched_by_it:
            if other == region and narrower is not None:
                self._causes[other, narrower].shared += 1

    def touch_by_link(self, by: ByLink) -> None:
        """Note that a report changed days through linking, beside those it has touched by itself."""
        touched = by.own | by.days
        for region, day in by.days:
            self._causes.setdefault((region, day), Cause()).add(by.report)
            if day is None:
                self.every_day.add(region)
        for region, day in touched:
            every = (region, None)
            if day is not None and every in touched and not {(region, day), every} <= by.own:
                self._causes.setdefault((region, day), Cause()).shared += 1

    def move(self, region: str, day: date | None) -> None:
        """Note that what ``region`` and ``day`` rest on may have changed, whoever did it."""
        self._causes.setdefault((region, day), Cause())
        if day is None:
            self.every_day.add(region)

    def days(self) -> list[tuple[str, date | None]]:
        """Return what was touched."""
        return list(self._causes)

    def cause_text(self, region: str, day: date) -> str:
        """Return as JSON text which reports changed this day; none when it was only time."""
        found = [c for c in (self._causes.get((region, day)), self._causes.get((region, None))) if c is not None]
        shown = list(dict.fromkeys(report for cause in found for report in cause.reports))[:CAUSES_SHOWN]
        reports = sum(len(cause.reports) + cause.more for cause in found) - found[0].shared if found else 0
        return json.dumps({"reports": shown, "more": reports - len(shown)}, ensure_ascii=False)

    def judged(self, now: Micros) -> None:
        """Forget everything: it was judged, at ``now``."""
        self._causes.clear()
        self.every_day.clear()
        self.linked.clear()
        self._by = None
        self.judged_to = now

    def to_text(self, last_tick: int) -> str:
        """Return everything as JSON text, given where in the facts topic the last tick lies."""
        causes = [
            [region, day and day.isoformat(), cause.reports, cause.more, cause.shared]
            for (region, day), cause in self._causes.items()
        ]
        pending = {
            "judged_to": self.judged_to,
            "causes": causes,
            "linked": self.linked.to_values(last_tick),
        }
        return json.dumps(pending, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str, last_tick: int) -> Pending:
        """Read what ``to_text`` wrote; an empty object is a ledger that has not judged yet."""
        pending = cls()
        stored = json.loads(text)
        pending.judged_to = stored.get("judged_to")
        for region, day, reports, more, shared in stored.get("causes", []):
            pending._causes[region, day and date.fromisoformat(day)] = Cause(reports, more, shared)
        # Which days a step moved that came or went before the restart, nobody can tell any more.
        pending.every_day = {region for region, day in pending._causes if day is None}
        if "linked" in stored:
            pending.linked = LinkedSince.from_values(stored["linked"], last_tick)
        return pending
