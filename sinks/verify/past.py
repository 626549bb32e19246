"""The accepted reports with the stretch of the facts topic over which each one stood: the past at any offset.

Everything is read one region at a time, so memory holds the incidents of one region, and all convoy steps and
coverage notices (which are few beside incidents).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from schemas.reports import ConvoyReport, CoverageNotice
from schemas.truceday import Micros
from sinks.verify.by_type import regions_told
from sinks.verify.history import NaiveReport
from sinks.verify.published import Published
from sinks.verify.recount import NaiveVerdict, baseline_days, judge, violence_limit
from sinks.verify.report_rows import read_raw


class Stood(NamedTuple):
    """A report that was present and active from its own offset until ``replaced_at`` (None: to this day)."""

    report: NaiveReport
    replaced_at: int | None

    def stands(self, before: int) -> bool:
        """Whether it counted, knowing only the facts with an offset below ``before``."""
        return self.report.offset < before and (self.replaced_at is None or self.replaced_at >= before)


_ACTIVE = """
from reports left join replaced using (fact_offset)
where not retracted and (replaced_at is null or replaced_at > fact_offset)
"""
_SPINE = "fact_offset, feed, report_id, revision, not retracted, type"


#: Before the first year a report may name.
_LONG_AGO = -(2**55)


class Past:
    """All a judgement at any earlier tick rests on."""

    def __init__(self, file: Published) -> None:
        self.file = file
        self._steps = _steps(file)
        self._notices = _notices(file)

    def of(self, region: str) -> RegionPast:
        """Return what concerns one region."""
        return RegionPast(self.file, region, incidents_of(self.file, region), self._notices.get(region, []), self._steps)


class RegionPast:
    """The reports of one region, by truce-day."""

    def __init__(
        self, file: Published, region: str, incidents: list[Stood], notices: list[Stood], steps: list[Stood]
    ) -> None:
        self.file = file
        self.region = region
        self.incidents: dict[date, list[Stood]] = defaultdict(list)
        for stood in incidents:
            self.incidents[_day(file, stood)].append(stood)
        self.notices: dict[date, list[Stood]] = defaultdict(list)
        for stood in notices:
            for day in file.days.touched(stood.report.occurred_from, stood.report.occurred_to):
                self.notices[day].append(stood)
        # A convoy counts for the region its latest step names, so all steps of one that ever went there are needed.
        bound = {(stood.report.feed, stood.report.convoy_id) for stood in steps if region in stood.report.regions}
        self.steps = [stood for stood in steps if (stood.report.feed, stood.report.convoy_id) in bound]
        self._baseline = {day: self.incidents.get(day, []) for day in baseline_days(file.agreement, file.days)}
        changes = [change for stood in _all(self._baseline.values()) for change in (stood.report.offset, stood.replaced_at)]
        self._baseline_changes = sorted(change for change in changes if change is not None)
        self._limits: dict[int, Fraction] = {}

    def judge(self, day: date, now: int, before: int) -> NaiveVerdict:
        """Judge ``day`` as a tick at offset ``before`` had to, its time being ``now``."""
        return judge(
            self.file.agreement,
            self.file.days,
            self.region,
            day,
            now,
            self.limit(before),
            standing(self.incidents.get(day, []), before),
            standing(self.notices.get(day, []), before),
            standing(self.steps, before),
        )

    def limit(self, before: int) -> Fraction:
        """Return the limit as of ``before``; it is counted anew only where the baseline changed."""
        changes = bisect_left(self._baseline_changes, before)
        if changes not in self._limits:
            of_baseline = {day: standing(stood, before) for day, stood in self._baseline.items()}
            self._limits[changes] = violence_limit(self.file.agreement, of_baseline)
        return self._limits[changes]

    def changes(self, day: date) -> set[int]:
        """Return the offsets at which an incident or a notice of ``day`` came or went."""
        touching = [*self.incidents.get(day, []), *self.notices.get(day, [])]
        moments = {moment for stood in touching for moment in (stood.report.offset, stood.replaced_at)}
        return {moment for moment in moments if moment is not None}


def _all(groups: Iterable[list[Stood]]) -> list[Stood]:
    return [stood for group in groups for stood in group]


def standing(group: Iterable[Stood], before: int) -> list[NaiveReport]:
    """Return the reports that counted, knowing only the facts with an offset below ``before``."""
    return [stood.report for stood in group if stood.stands(before)]


def _day(file: Published, stood: Stood) -> date:
    return file.days.holding_most(stood.report.occurred_from, stood.report.occurred_to)[0]


def incidents_of(file: Published, region: str, since: Micros | None = None) -> list[Stood]:
    """Return the incident reports of a region that ever stood, all or those whose interval began at ``since`` or later."""
    columns = file.columns("reports", ("occurred_from", "occurred_to", "reported_at", "kind", "in_scope", "deaths_best"))
    sql = f"""select {_SPINE}, {columns}, replaced_at {_ACTIVE} and type = 'incident' and region = ?
        and occurred_from >= make_timestamptz(?) order by fact_offset"""  # noqa: S608
    stood = []
    for row in file.stream(sql, [region, _LONG_AGO if since is None else since]):
        spine, rest, replaced_at = row[:6], row[6:-1], row[-1]
        stood.append(Stood(NaiveReport(*spine, (region,), *rest), replaced_at))
    return stood


def _steps(file: Published) -> list[Stood]:
    columns = file.columns("reports", ("occurred_from", "occurred_to", "reported_at", "kind"))
    sql = f"select {_SPINE}, region, {columns}, raw, replaced_at {_ACTIVE} and type = 'convoy' order by fact_offset"  # noqa: S608
    steps = []
    for *spine, region, from_, to, reported_at, kind, raw, replaced_at in file.stream(sql):
        report = read_raw(raw)
        assert isinstance(report, ConvoyReport)
        step = NaiveReport(*spine, (region,), from_, to, reported_at, kind, convoy_id=report.convoy_id)
        steps.append(Stood(step, replaced_at))
    return steps


def _notices(file: Published) -> dict[str, list[Stood]]:
    """Return by region every notice that ever stood, its regions told by the table ``coverage`` while it still does."""
    located: dict[tuple[str, str], list[str]] = defaultdict(list)
    for feed, report_id, region in file.select("select feed, report_id, region from coverage order by all"):
        located[feed, report_id].append(region)
    columns = file.columns("reports", ("occurred_from", "occurred_to", "reported_at"))
    sql = f"select {_SPINE}, {columns}, raw, present, replaced_at {_ACTIVE} and type = 'coverage' order by fact_offset"  # noqa: S608
    notices: dict[str, list[Stood]] = defaultdict(list)
    for *spine, from_, to, reported_at, raw, present, replaced_at in file.stream(sql):
        report = read_raw(raw)
        assert isinstance(report, CoverageNotice)
        told = located[spine[1], spine[2]] if present else regions_told(report.places)
        for region in {region for region in told if region is not None}:
            notices[region].append(Stood(NaiveReport(*spine, (region,), from_, to, reported_at), replaced_at))
    return notices
