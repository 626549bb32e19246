"""What the ledger keeps at hand for linking: little, and only when its agreement links reports.

Reports and incidents live in the store; what is remembered of them has a bound. Here is what tells whether to look for
partners at all, and what waits until then. A correction changes the aggregates only once the incidents that rest on
the old revision are taken apart, so that every removal from the aggregates finds what it takes out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from schemas.agreement import Agreement, LinkingRules
from schemas.facts import IncidentFact
from schemas.rows import Changes, Contribution, Identity, Prior, Resumed
from streams.ledger.core.cell_reports import cell_of
from streams.ledger.core.dirty_days import DirtyDays
from streams.ledger.core.fresh import Fresh
from streams.ledger.core.legs.aggregates import Aggregates, Bucket
from streams.ledger.core.legs.possible import possible_days
from streams.ledger.core.link_causes import Changed, Told
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.relinking import Relinked, relink
from streams.ledger.core.report_cache import Bounds, LinkingStore, Replaced, ReportCache, linkable_of

#: Intervals of 26 hours up to a day apart, each with its largest part in its own truce-day, begin no further apart. Two
#: days more: a report may make a crowd of others that begin on its day, and have candidates where it has none.
DAYS_APART = 5


class Links:
    """The linking of one agreement's incident reports.

    Args:
        staged: gives every row folded so far to the store, and returns the store.
        bounds: how much may stay in memory.
    """

    def __init__(
        self,
        agreement: Agreement,
        rules: LinkingRules,
        aggregates: Aggregates,
        staged: Callable[[], LinkingStore],
        bounds: Bounds,
    ) -> None:
        self._agreement = agreement
        self._rules = rules
        self._aggregates = aggregates
        self._known = ReportCache(agreement, rules, staged, bounds)
        self._repeating = frozenset(rules.repeating_feeds)
        self._regions = frozenset(agreement.regions)
        self._reporting: dict[Bucket, set[str]] = {}
        self._told: set[Bucket] = set()
        self._fresh: list[Fresh] = []
        self._replaced: list[Replaced] = []
        self._told_again: set[int] = set()
        self._since = 0
        self._corrections: list[tuple[Identity, Contribution | None, Contribution | None]] = []

    def restore(self, resumed: Resumed) -> None:
        """Go on where the store left off."""
        self._known.restore(resumed.cells, resumed.claims, resumed.linked)
        self._since = resumed.next_offset
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

    def tell_fresh(self, fresh: Fresh, reporting: Iterable[tuple[Bucket, str, int]]) -> None:
        """Note incident reports in columns, with the feeds that tell of each region and day."""
        self._fresh.append(fresh)
        for bucket, feed, _ in reporting:
            self._told.add(bucket)
            self._reporting.setdefault(bucket, set()).add(feed)

    def replace(self, identity: Identity, prior: Prior, adds: Contribution | None) -> None:
        """Note a higher revision of a report, and what it adds in the place of ``prior``."""
        had = prior.contribution
        if prior.type == "incident":
            # One that was retracted, or tells of no region here, may still have lent its name: only the store knows.
            cell = None if had is None else cell_of(had.region, had.occurred_from)
            self._replaced.append(Replaced(prior.fact_offset, cell))
            self._told_again.add(prior.fact_offset)
        if had is not None:
            self._told.add((had.region, had.truce_day))
        if had != adds:
            self._corrections.append((identity, had, adds))

    def told_before(self, prior: Prior) -> None:
        """Note that an older revision came after ``prior``: it may have been told before what names the incident."""
        if prior.type == "incident":
            self._told_again.add(prior.fact_offset)
            if prior.contribution is not None:
                self._told.add((prior.contribution.region, prior.contribution.truce_day))

    # -- before anything is judged or written

    def relink(self, next_offset: int, dirty: DirtyDays, changes: Changes) -> Pieces[None]:
        """Bring the incidents up to date with all reports before ``next_offset``, piece by piece.

        Args:
            changes: holds at least the rows of the reports folded since the last call.
        """
        since, self._since = self._since, next_offset
        if self._told or self._told_again:
            # Asked before as well: a claim that is taken back held reports of any feed and region together.
            claimed = self._known.has_claims
            self._known.take_in(_from(changes, since), self._fresh, self._replaced)
            if claimed or self._looks():
                yield from self._look(dirty, changes)
            else:
                self._correct()
        self._told.clear()
        self._fresh = []
        self._told_again.clear()
        self._replaced.clear()

    def _looks(self) -> bool:
        unclear = self._told_again and any(one.cell is None for one in self._replaced)
        return self._known.has_claims or bool(unclear) or any(map(self._has_company, self._told))

    def _has_company(self, bucket: Bucket) -> bool:
        """Whether a region holds, about a day, reports that may be linked at all."""
        region, day = bucket
        feeds: set[str] = set()
        for days in range(-DAYS_APART, DAYS_APART + 1):
            feeds |= self._reporting.get((region, day + timedelta(days=days)), frozenset())
        return len(feeds) > 1 or not feeds.isdisjoint(self._repeating)

    def _look(self, dirty: DirtyDays, changes: Changes) -> Pieces[None]:
        unclear = [one.fact_offset for one in self._replaced if one.cell is None]
        self._known.withdraw(self._known.reports_at(unclear))
        found = yield from relink(self._agreement, self._rules, self._known, self._told_again)
        aggregates = self._aggregates
        for incident in found.dissolved:
            aggregates.remove_linked(incident.content)
            for place in incident.active_places():
                report = found.reports[place]
                aggregates.add_incident(report.feed, report.report_id, report.adds)
        self._correct()
        for incident in found.formed:
            for place in incident.active_places():
                report = found.reports[place]
                aggregates.remove_incident(report.feed, report.report_id, report.adds)
            aggregates.add_linked(incident.content)
        self._move(found, dirty)
        self._known.linked(
            (report.fact_offset for incident in found.dissolved for report in incident.reports),
            (report.fact_offset for incident in found.formed for report in incident.reports),
        )
        changes.dissolved += [incident.name for incident in found.dissolved]
        changes.linked_incidents += [incident.content for incident in found.formed]
        changes.linked_reports += [report for incident in found.formed for report in incident.reports]

    def _move(self, found: Relinked, dirty: DirtyDays) -> None:
        """Have every day judged again that an incident left or came to."""
        for stood, incidents in ((True, found.dissolved), (False, found.formed)):
            for incident in incidents:
                active = [found.reports[place] for place in incident.active_places()]
                own = {report.identity: self._days(report.adds) for report in active}
                adds = [incident.content.adds, *(report.adds for report in active)]
                days = self._days(adds[0]).union(*own.values())
                spans = {
                    (one.region, *span)
                    for one in adds
                    if (span := possible_days(self._agreement, one.occurred_from, one.occurred_to)) is not None
                }
                dirty.move(days, spans)
                reports = {
                    (who := Identity(row.feed, row.report_id)): Told(
                        row.fact_offset, f"{row.feed}/{row.report_id}@{row.revision}", own.get(who, frozenset())
                    )
                    for row in incident.reports
                }
                dirty.linked.move(incident, Changed(stood, days, spans, reports))

    def _days(self, adds: Contribution) -> frozenset[tuple[str, date | None]]:
        own = (adds.region, adds.truce_day)
        # Another baseline is another limit for every day of the region.
        return frozenset((own, (adds.region, None)) if adds.truce_day in self._agreement.baseline_days else (own,))

    def _correct(self) -> None:
        for (feed, report_id), prior, adds in self._corrections:
            if prior is not None and prior.region in self._regions:
                self._aggregates.remove_incident(feed, report_id, prior)
            if adds is not None:
                self._aggregates.add_incident(feed, report_id, adds)
        self._corrections.clear()


def _from(changes: Changes, since: int) -> list[tuple[Any, ...]]:
    """Return the incident reports of facts at ``since`` or later, of those that were folded one by one."""
    # Rows stand in the order of their facts.
    rows = changes.reports[bisect_left(changes.reports, since, key=attrgetter("fact_offset")) :]
    return [linkable_of(row) for row in rows if row.type == "incident"]
