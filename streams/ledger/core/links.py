"""What the ledger keeps at hand for linking: little, and only when its agreement links reports.

Reports and incidents live in the store. Here is what tells whether it has to be asked at all, and what waits until
it was: a correction changes the books only once the incidents that rest on the old revision are taken apart, so that
every removal from the books finds what it takes out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from schemas.agreement import Agreement, LinkingRules
from schemas.facts import IncidentFact
from schemas.rows import Changes, Contribution, Identity, Resumed
from streams.ledger.core.books import Books, Bucket
from streams.ledger.core.pending import Pending
from streams.ledger.core.relinking import LinkingStore, relink

#: Intervals of 26 hours up to a day apart, each with its largest part in its own truce-day, begin no further apart.
DAYS_APART = 3


class Links:
    """The linking of one agreement's incident reports.

    Args:
        staged: gives every row folded so far to the store, and returns the store.
    """

    def __init__(
        self, agreement: Agreement, rules: LinkingRules, books: Books, staged: Callable[[], LinkingStore]
    ) -> None:
        self._agreement = agreement
        self._rules = rules
        self._books = books
        self._staged = staged
        self._repeating = frozenset(rules.repeating_feeds)
        self._regions = frozenset(agreement.regions)
        self._reporting: dict[Bucket, set[str]] = {}
        self._told: set[Bucket] = set()
        self._changed: set[Identity] = set()
        self._corrections: list[tuple[Identity, Contribution | None, Contribution | None]] = []
        self._since = 0
        self._claims = False
        self._linked = False
        self._unclear = False

    def restore(self, resumed: Resumed) -> None:
        """Go on where the store left off."""
        self._since = resumed.next_offset
        self._claims, self._linked = resumed.claims, resumed.linked
        for region, day, feed in resumed.reporting:
            self._reporting.setdefault((region, day), set()).add(feed)

    # -- as facts come

    def tell(self, fact: IncidentFact, region: str, day: date) -> None:
        """Note an incident report, whatever becomes of it."""
        bucket = (region, day)
        self._told.add(bucket)
        feeds = self._reporting.get(bucket)
        if feeds is None:
            self._reporting[bucket] = {fact.feed}
        else:
            feeds.add(fact.feed)
        if fact.same_as or fact.merged_into is not None:
            self._claims = True

    def correct(self, identity: Identity, prior: Contribution | None, adds: Contribution | None) -> None:
        """Note another revision of a report: what the present one added until now, and what the present one adds."""
        self._changed.add(identity)
        if prior is None:
            # It was retracted, or tells of nothing any more: where it lent its name only the store knows.
            self._unclear = True
        else:
            self._told.add((prior.region, prior.truce_day))
        if prior != adds:
            self._corrections.append((identity, prior, adds))

    # -- before anything is judged or written

    def relink(self, next_offset: int, pending: Pending, changes: Changes) -> None:
        """Bring the incidents up to date with all reports before ``next_offset``."""
        since, self._since = self._since, next_offset
        if self._asks():
            self._ask(since, pending, changes)
        else:
            self._correct()
        self._told.clear()
        self._changed.clear()
        self._unclear = False

    def _asks(self) -> bool:
        if not (self._told or self._changed):
            return False
        return self._claims or (self._unclear and self._linked) or any(map(self._has_company, self._told))

    def _has_company(self, bucket: Bucket) -> bool:
        """Whether a region holds, about a day, reports that may be linked at all."""
        region, day = bucket
        feeds: set[str] = set()
        for days in range(-DAYS_APART, DAYS_APART + 1):
            feeds |= self._reporting.get((region, day + timedelta(days=days)), frozenset())
        return len(feeds) > 1 or not feeds.isdisjoint(self._repeating)

    def _ask(self, since: int, pending: Pending, changes: Changes) -> None:
        found = relink(self._agreement, self._rules, self._staged(), since, self._changed, claims=self._claims)
        books = self._books
        for incident in found.dissolved:
            books.remove_linked(incident.content)
            for place in incident.active_places():
                report = found.active[place]
                books.add_incident(report.feed, report.report_id, report.adds)
        self._correct()
        for incident in found.formed:
            for place in incident.active_places():
                report = found.active[place]
                books.remove_incident(report.feed, report.report_id, report.adds)
            books.add_linked(incident.content)
        changed = (*found.dissolved, *found.formed)
        self._linked = self._linked or bool(changed)
        for incident in changed:
            adds = [incident.content.adds, *(found.active[place].adds for place in incident.active_places())]
            for region, day in {(one.region, one.truce_day) for one in adds}:
                pending.move(region, day)
                if day in self._agreement.baseline_days:
                    # Another baseline is another limit for every day of the region.
                    pending.move(region, None)
        changes.dissolved = [incident.name for incident in found.dissolved]
        changes.linked_incidents = [incident.content for incident in found.formed]
        changes.linked_reports = [report for incident in found.formed for report in incident.reports]

    def _correct(self) -> None:
        for (feed, report_id), prior, adds in self._corrections:
            if prior is not None and prior.region in self._regions:
                self._books.remove_incident(feed, report_id, prior)
            if adds is not None:
                self._books.add_incident(feed, report_id, adds)
        self._corrections.clear()

    def name_causes(self, last_tick: int, pending: Pending) -> None:
        """Before a tick judges: name the reports that changed, through an incident they are in, a day not their own."""
        if not (self._linked and pending.days()):
            return
        baseline = self._agreement.baseline_days
        for report in self._staged().told_elsewhere(last_tick):
            pending.touch_by_link(
                report.region,
                report.truce_day,
                f"{report.feed}/{report.report_id}@{report.revision}",
                shared=report.own_region == report.region and report.own_day in baseline,
            )
