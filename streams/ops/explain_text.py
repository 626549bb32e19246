"""Text of an explanation for a terminal, section by section."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from textwrap import fill

from rich.console import Console
from rich.text import Text

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_DAY, from_micros, to_micros
from sinks.day_records import Change, Incident, JoinedClaim, ReportDetail, Step, VerdictVersion
from streams.ops.changes_text import field_text
from streams.ops.counterfactual_text import both_legs, counterfactual_text
from streams.ops.explain import Explanation, PastExplanation
from streams.ops.grid import number
from streams.ops.wording import counted, local_time, span_text

#: Incidents listed with their reports. The rest are counted, and --json has them all.
MOST_LISTED = 20
RULES = {
    "severe_incident": "one severe incident breaks a day",
    "count_above_limit": "more incidents than the limit",
    "within_limit": "within the limit, and watched enough",
    "contested": "within the limit, and a bulletin counts more",
    "uncertain_time": "above the limit only with incidents that may be of other days",
    "refused_pending": "within the limit, and refused reports may lift it above",
    "no_bulletin": "no bulletin to hold against the limit",
    "not_covered": "within the limit, but not watched enough to tell",
    "attacked": "a convoy was attacked",
    "overdue": "a convoy was overdue",
    "gap": "too long without a delivery",
    "no_convoy_known": "no convoy known",
    "in_time": "nothing attacked, overdue or missing",
    "not_owed": "not owed",
}


class _Page:
    """Console with instants in the agreement's own time."""

    def __init__(self, console: Console, agreement: Agreement) -> None:
        self._console = console
        self._zone = agreement.clock.time_zone

    def head(self, text: str) -> None:
        self._console.print(Text(f"\n{text}", style="bold"))

    def line(self, text: str, depth: int = 1, style: str = "") -> None:
        indent = "  " * depth
        wrapped = fill(
            text,
            self._console.width,
            initial_indent=indent,
            subsequent_indent=indent,
            # Names, times and addresses must stay whole, to be copied.
            break_long_words=False,
            break_on_hyphens=False,
        )
        self._console.print(Text(wrapped, style=style), soft_wrap=True)

    def at(self, instant: datetime) -> str:
        return local_time(instant, self._zone)

    def span(self, start: datetime, end: datetime) -> str:
        if start == end:
            return self.at(start)
        return f"{self.at(start)} to {self.at(end)}"


def show_explanation(console: Console, explanation: Explanation) -> None:
    """Print the explanation of a verdict and its counterfactuals."""
    page = _Page(console, explanation.agreement)
    _verdict(page, explanation.detail.judged)
    if explanation.detail.unjudged:
        waiting = _named(explanation.detail.unjudged, explanation.detail.more_unjudged)
        page.line(f"not judged yet: {waiting}", style="bold")
    _legs(page, explanation.detail.judged)
    _limit(page, explanation)
    _watched(page, explanation)
    page.head("What would change it")
    for change in explanation.changes:
        page.line(counterfactual_text(change, explanation.case, explanation.detail.judged.verdict))
    if (both := both_legs(explanation.case)) is not None:
        page.line(both)
    _incidents(page, explanation)
    _refused(page, explanation)
    _convoys(page, explanation)
    _bulletins(page, explanation)
    _versions(page, explanation.detail.versions)


def show_past(console: Console, past: PastExplanation) -> None:
    """Print the verdict held at an instant and its evidence."""
    page = _Page(console, past.agreement)
    page.line(f"as held at {page.at(past.as_of)}, from the verdict version and the figures valid then", 0, "bold")
    _verdict(page, past.judged)
    _legs(page, past.judged)
    page.head("Reports that decided violence, as they were known then")
    for report in past.reports:
        _report(page, report, 1)
    if not past.reports:
        page.line("none")
    _versions(page, past.versions)


def _verdict(page: _Page, version: VerdictVersion) -> None:
    page.line(f"{version.region} {version.region_name}, truce-day {version.truce_day}", 0, "bold")
    since = f"version {version.version}, judged so since {page.at(version.recorded_at)}"
    page.line(f"{version.verdict}, {version.state}; {since}", 0, "bold")
    length = to_micros(version.ends_at) - to_micros(version.starts_at)
    odd = "" if length == MICROS_PER_DAY else f", {span_text(length)} long: the clocks changed"
    utc = f"{version.starts_at.astimezone(UTC):%Y-%m-%d %H:%M} to {version.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    page.line(f"from {page.span(version.starts_at, version.ends_at)} ({utc}{odd})", 0)


def _legs(page: _Page, version: VerdictVersion) -> None:
    page.head("Findings")
    for reason in version.reasons:
        page.line(f"{reason['leg']}: {reason['finding']}, {RULES.get(reason['rule'], reason['rule'])}")
        page.line(reason["text"], 2)
    outside = version.incidents_out_of_scope
    apart = f"; {outside} out of scope, which break nothing" if outside else ""
    page.line(f"{counted(version.incidents, 'incident')} in scope, {_toll(version)}{apart}")
    if version.incidents_possible:
        page.line(f"{version.incidents_sure} of them surely of this day; {version.incidents_possible} possible on it")


def _toll(version: VerdictVersion) -> str:
    """Tell the deaths in words, with how many incidents add none because nobody states any."""
    low, best, high = version.deaths_low, version.deaths_best, version.deaths_high
    if best is None:
        return "no toll stated"
    spread = "" if low == best == high else f" (low {low}, high {high})"
    without = version.incidents_without_toll
    return f"{best} killed{spread}" + (f", no toll stated of {without}" if without else "")


def _limit(page: _Page, explanation: Explanation) -> None:
    rules, counts = explanation.agreement.violence, explanation.detail.baseline
    judged = explanation.detail.judged
    held = (judged.incidents_sure, judged.incidents_sure + judged.incidents_possible)
    against = held if rules.bulletins_of is None else (judged.bulletin_incidents,)
    page.head(f"Limit: {number(judged.violence_limit, *against)}; more incidents in scope break the day")
    share = 100 - rules.reduction_percent
    page.line(f"the greater of the floor, {rules.floor}, and {share} % of the {rules.baseline.measure} of the baseline")
    if rules.bulletins_of is not None:
        page.line(
            f"baseline {counts[0][0]} to {counts[-1][0]}: the bulletins of {rules.bulletins_of}, not the incidents"
        )
        return
    days = ", ".join(f"{day:%m-%d} {incidents}" for day, incidents in counts if incidents)
    total = sum(incidents for _, incidents in counts)
    span = f"{counts[0][0]} to {counts[-1][0]}"
    page.line(f"baseline {span}: {counted(total, 'incident')} in {counted(len(counts), 'truce-day')}")
    if days:
        page.line(f"{days}; none on the others", 2)


def _watched(page: _Page, explanation: Explanation) -> None:
    rules, known = explanation.agreement.coverage, explanation.detail
    enough = f"{rules.min_share_percent} % by {counted(rules.min_feeds, 'feed')} needed"
    page.head(f"Watched: {100 * known.judged.covered_share:.0f} % of the day, {enough}")
    for stretch in explanation.watched:
        span = page.span(from_micros(stretch.start), from_micros(stretch.end))
        page.line(f"{span}  {', '.join(stretch.feeds) or 'nobody'}")
    for watch in known.watches:
        nil = ", nothing to report" if watch.nil else ""
        page.line(
            f"{watch.feed}/{watch.report_id}: {page.span(watch.occurred_from, watch.occurred_to)}{nil}", 2, "grey50"
        )
        if watch.basis:
            page.line(watch.basis, 3, "grey50")
    for feed in explanation.unexplained:
        page.line(f"{feed} saw something and did not say what of this day: its notice watches nothing")
    for silent in known.silent:
        page.line(f"{silent.feed} silent since {page.at(silent.silent_since)}")
    if not known.silent and not known.watches:
        page.line("no feed has ever told anything of this region")


def _incidents(page: _Page, explanation: Explanation) -> None:
    counting = [each for each in explanation.detail.incidents if each.within_count]
    deciding = [each for each in counting if each.decides]
    others = [each for each in counting if not each.decides]
    _incident_list(page, "Incidents that decided it", deciding)
    sure, possible = [each for each in others if each.sure], [each for each in others if not each.sure]
    _incident_list(page, "Other incidents in scope" if deciding else "Incidents in scope", sure)
    _incident_list(page, "Possible on this day and on others, their times being too long for one", possible)
    outside = [each for each in explanation.detail.incidents if each.counted and not each.in_scope]
    _incident_list(page, "Out of scope: all of one side, or of all sides, is outside the agreement", outside)
    uncounted = [each for each in explanation.detail.incidents if not each.counted]
    _incident_list(page, "Not counted: the agreement counts other feeds", uncounted)


def _incident_list(page: _Page, heading: str, incidents: Sequence[Incident]) -> None:
    if not incidents:
        return
    page.head(f"{heading}: {len(incidents)}")
    for incident in incidents[:MOST_LISTED]:
        severe = ", severe" if incident.severe else ""
        when = page.span(incident.occurred_from, incident.occurred_to)
        page.line(f"{incident.incident_id}: {incident.kind}{severe}, {when}")
        for report in incident.reports:
            _report(page, report, 2)
    if len(incidents) > MOST_LISTED:
        page.line(f"... and {len(incidents) - MOST_LISTED:,} more; --json tells all")


def _refused(page: _Page, explanation: Explanation) -> None:
    refused = explanation.detail.refused
    if not refused:
        return
    page.head(f"Refused and pending, in no count: {counted(explanation.detail.judged.refused_pending, 'report')}")
    for each in refused[:MOST_LISTED]:
        when = page.span(each.occurred_from, each.occurred_to)
        page.line(f"reject {each.reject}: {each.name}, {each.code}, {when}")
    if len(refused) > MOST_LISTED:
        page.line(f"... and {len(refused) - MOST_LISTED:,} more; --json tells all")
    page.line("`trucewatch rejects show` tells how to mend or to dismiss one")


def _report(page: _Page, report: ReportDetail, depth: int) -> None:
    why = f" ({report.why})" if report.why else ""
    page.line(f"{report.feed}/{report.report_id}, revision {report.revision}{why}", depth)
    place = f" at {report.place_name}" if report.place_name else ""
    when = page.span(report.occurred_from, report.occurred_to)
    page.line(f"{report.kind}{place}, {when}, reported {page.at(report.reported_at)}", depth + 1)
    if report.place_conflict:
        page.line(f"place: {report.place_conflict}", depth + 1)
    if report.accused:
        claimant = f" by {report.claimant}" if report.claimant else ""
        sure = f" ({report.confidence})" if report.confidence and report.confidence != "unstated" else ""
        page.line(f"accused{claimant}: {'; '.join(report.accused)}{sure}", depth + 1)
    low, best, high = (
        "?" if toll is None else toll for toll in (report.deaths_low, report.deaths_best, report.deaths_high)
    )
    if (low, best, high) != ("?", "?", "?"):
        page.line(f"killed: low {low}, best {best}, high {high}", depth + 1)
    if report.toll_flaw:
        page.line(f"killed: {report.toll_flaw}, so that the toll counts nothing", depth + 1)
    _sources(page, report.sources, report.note, depth + 1)


def _sources(page: _Page, sources: Iterable[dict[str, str]], note: str | None, depth: int) -> None:
    for source in sources:
        cited = ", ".join(source[key] for key in ("name", "published", "title") if key in source)
        origin = f", first told by {source['origin']}" if "origin" in source else ""
        page.line(f"source: {cited}{origin}", depth, "grey50")
        if "url" in source:
            page.line(source["url"], depth + 1, "grey50")
    if note:
        page.line(f"note: {note}", depth, "grey50")


def _convoys(page: _Page, explanation: Explanation) -> None:
    if not explanation.convoys:
        return
    steps: dict[str, list[Step]] = {}
    for step in explanation.detail.steps:
        steps.setdefault(step.convoy, []).append(step)
    deciding = explanation.detail.judged.evidence["access"]
    page.head(f"Convoys to the region known by then: {len(explanation.convoys)}")
    for convoy in sorted(explanation.convoys, key=lambda each: (each.label not in deciding, each.first_known)):
        decides = ", decided it" if convoy.label in deciding else ""
        page.line(f"{convoy.label}: {convoy.state} since {page.at(from_micros(convoy.since))}{decides}")
        for joined in explanation.detail.joined:
            if joined.convoy == convoy.label:
                page.line(_joined(joined), 2)
        for step in steps[convoy.label]:
            if to_micros(step.occurred_from) < explanation.case.horizon:
                _convoy_step(page, step)


def _joined(joined: JoinedClaim) -> str:
    if joined.seconds_apart is None:
        return f"{joined.claim} is the same as {joined.joined_to}: a report says so"
    apart = f"{joined.seconds_apart / 3600:.1f} h apart" if joined.seconds_apart else "at the same time"
    return f"{joined.claim} is taken for the same as {joined.joined_to}: bound for one place, {apart}; doubtful"


def _convoy_step(page: _Page, step: Step) -> None:
    trucks = f", {counted(step.trucks, 'truck')}" if step.trucks is not None else ""
    reached = f", {step.people_reached:,} people reached" if step.people_reached is not None else ""
    reason = f": {step.reason}" if step.reason else ""
    page.line(f"{page.at(step.occurred_from)}  {step.step}{trucks}{reached}{reason}  ({step.feed}/{step.report_id})", 2)
    if step.flaw:
        page.line(f"{'flagged' if step.counts else 'does not count'}: {step.flaw}", 3)
    _sources(page, step.sources, step.note, 3)


def _bulletins(page: _Page, explanation: Explanation) -> None:
    if not explanation.detail.bulletins:
        return
    page.head("Monitors' own tallies for periods that touch the day; never added to anything")
    for line in explanation.detail.bulletins:
        where = "" if line.region else ", whole country"
        what = f" {line.kind_as_given}" if line.kind_as_given else ""
        accused = f", accused: {'; '.join(line.accused)}" if line.accused else ""
        figure = f"{'at least ' if line.at_least else ''}{line.incidents:,}{what}{accused}{where}"
        page.line(f"{line.feed}/{line.report_id}: {figure}; {page.span(line.occurred_from, line.occurred_to)}")


def _named(reports: Sequence[str], more: int) -> str:
    return f"{', '.join(reports)} and {more:,} more" if more else ", ".join(reports)


def _versions(page: _Page, versions: Sequence[Change]) -> None:
    page.head("Versions")
    for version in versions:
        page.line(f"{version.version}  {page.at(version.recorded_at)}  {version.verdict}")
        for each in version.changed:
            page.line(field_text(each["field"], each["old"], each["new"]), 3)
        if version.evidence_added:
            page.line(f"decides now: {', '.join(version.evidence_added)}", 3)
        if version.evidence_removed:
            page.line(f"no longer decides: {', '.join(version.evidence_removed)}", 3)
        caused = _named(version.reports, version.more_reports) if version.reports else "the passing of time"
        page.line(f"came of: {caused}", 3, "grey50")
