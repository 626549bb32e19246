"""What changed since the last tick and waits to be judged, with the reports that changed it."""

from __future__ import annotations

import json
from datetime import date

from schemas.facts import ReportFact
from schemas.truceday import Micros

CAUSES_SHOWN = 10


class Cause:
    """The reports behind a change: the first few by name, the rest as a number."""

    __slots__ = ("more", "reports")

    def __init__(self, reports: list[str] | None = None, more: int = 0) -> None:
        self.reports = reports or []
        self.more = more

    def add(self, fact: ReportFact) -> None:
        if len(self.reports) < CAUSES_SHOWN:
            self.reports.append(f"{fact.feed}/{fact.report_id}@{fact.revision}")
        else:
            self.more += 1


class Pending:
    """Causes by region and truce-day; a day of None stands for every day of the region.

    Kept as JSON text with each commit, so that a ledger that was killed between two ticks judges as if it had not.
    """

    def __init__(self) -> None:
        self._causes: dict[tuple[str, date | None], Cause] = {}
        #: The ledger's time at the last tick: days that were over by then move only when a report touches them.
        self.judged_to: Micros | None = None

    def touch(self, region: str, day: date | None, fact: ReportFact) -> None:
        """Note that a report changed what ``region`` and ``day`` rest on."""
        cause = self._causes.get((region, day))
        if cause is None:
            cause = self._causes[region, day] = Cause()
        cause.add(fact)

    def days(self) -> list[tuple[str, date | None]]:
        """Return what was touched."""
        return list(self._causes)

    def cause_text(self, region: str, day: date) -> str:
        """Return as JSON text which reports changed this day; none when it was only time."""
        found = [c for c in (self._causes.get((region, day)), self._causes.get((region, None))) if c is not None]
        named = [report for cause in found for report in cause.reports]
        shown = list(dict.fromkeys(named))
        more = sum(cause.more for cause in found) + len(shown[CAUSES_SHOWN:])
        return json.dumps({"reports": shown[:CAUSES_SHOWN], "more": more}, ensure_ascii=False)

    def judged(self, now: Micros) -> None:
        """Forget everything: it was judged, at ``now``."""
        self._causes.clear()
        self.judged_to = now

    def to_text(self) -> str:
        """Return everything as JSON text."""
        causes = [[region, day and day.isoformat(), c.reports, c.more] for (region, day), c in self._causes.items()]
        return json.dumps({"judged_to": self.judged_to, "causes": causes}, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> Pending:
        """Read what ``to_text`` wrote; an empty object is a ledger that has not judged yet."""
        pending = cls()
        stored = json.loads(text)
        pending.judged_to = stored.get("judged_to")
        for region, day, reports, more in stored.get("causes", []):
            pending._causes[region, day and date.fromisoformat(day)] = Cause(reports, more)
        return pending
