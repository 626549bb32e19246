"""The whole history counted again, by hand as it were: docs/judging.md, rule by rule.

Nothing is kept between two judgements and nothing is updated: every number is a fresh count over plain lists.
That makes it slow and easy to believe, which is the point: the ledger must agree with it to the last row.

``judge`` judges one region and truce-day from reports the caller has already picked out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from heapq import nsmallest
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_HOUR, Micros
from sinks.verify.bulletins import (
    contesting,
    count,
    judge_by_bulletin,
    longer_ones,
    measuring,
    used,
)
from sinks.verify.convoys import AccessLeg, Leg, judge_access
from sinks.verify.days import Days
from sinks.verify.history import NaiveReport
from sinks.verify.incidents import NaiveIncident, toll_sums
from sinks.verify.refused import NONE_REFUSED, NaiveRefused
from sinks.verify.wording import Reason, minute, violence_reason

EVIDENCE = 10
#: Feeds named of a day nobody watched.
WATCHED_BEFORE = 3
WINDOW_DAYS = 7
TRAILING_HOURS = 168


class NaiveVerdict(NamedTuple):
    """What one region and truce-day comes to. ``state`` is what time alone makes of it, so never AMENDED."""

    verdict: str
    state: str
    violence: str
    access: str
    incidents: int
    incidents_out_of_scope: int
    bulletin_incidents: int | None
    limit: Fraction
    share: Fraction
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    #: By leg, as ``reasons`` are in order.
    evidence: dict[str, tuple[str, ...]]
    reasons: tuple[Reason, ...]
    rule: str
    contested_by: str | None
    incidents_sure: int
    incidents_possible: int
    refused_pending: int
    incidents_without_toll: int
    #: How the reason of an UNKNOWN violence leg ends: who stopped watching when, or had watched before. Else None.
    watch_told: str | None


class NaiveStreak(NamedTuple):
    """MET days in a row up to the last completed one, and the latest completed day that is not MET."""

    days: int
    ended_day: date | None
    ended_by: str | None


def judge(
    agreement: Agreement,
    days: Days,
    region: str,
    day: date,
    now: Micros,
    limit: Fraction,
    incidents: Sequence[NaiveIncident],
    notices: Sequence[NaiveReport],
    steps: Sequence[NaiveReport],
    bulletins: Sequence[NaiveReport] = (),
    tellers: Iterable[str] = (),
    long: Iterable[NaiveIncident] = (),
    refused: NaiveRefused = NONE_REFUSED,
    longer: Iterable[NaiveReport] = (),
) -> NaiveVerdict:
    """Judge one region and truce-day.

    ``notices`` and ``bulletins`` may be of other days: who watched before is told of a day nobody watched.

    ``incidents`` are that region and day's, ``notices`` may be any that watch the region, ``steps`` any as long
    as no convoy that ever went to the region lacks one. ``bulletins`` are those that speak of the region,
    ``tellers`` the feeds with an incident report of it and the day. ``long`` are incidents of the region too long to be
    of one day, any that may touch the day. ``refused`` is what is pending on the region and day. ``longer`` may be any
    reports: the monitor's bulletins that cover more than a day are named. Reports must be present and active.
    """
    start, end = days.start(day), days.end(day)
    inside = in_scope(incidents)
    sure = not_long(agreement, inside)
    possible = [each for each in in_scope(long) if _touches(each, start, end)]
    measured_by = measuring(agreement, bulletins)
    known = {*tellers, *(each.feed for each in bulletins if used(days, day, [each]))}
    if agreement.coverage.reports_cover_the_day:
        known |= {feed for incident in inside for feed in incident.content.feeds}
    unexplained = {
        notice.feed
        for notice in notices
        if not notice.nil and max(notice.occurred_from, start) < min(notice.occurred_to, end)
    } - known
    watching = [notice for notice in notices if notice.nil or notice.feed not in unexplained]
    share = covered_share(agreement, start, end, inside, [*watching, *measured_by])
    told = used(days, day, measured_by)
    counted_by_it = None if told is None else count(told, region)
    severe = severe_of(agreement, sure)
    doubts = severe_of(agreement, possible)
    if agreement.violence.bulletins_of:
        named = None if told is None else told.name
        violence = judge_by_bulletin(agreement, limit, share, earliest(severe), named, counted_by_it)
    else:
        violence = judge_violence(agreement, limit, share, sure)
        if not doubts and len(sure) + len(possible) > limit:
            doubts = possible
    against: list[NaiveReport] = []
    if violence.finding != "BROKEN":
        against = contesting(agreement, days, region, day, limit, bulletins)
    if against:
        violence = Leg("UNKNOWN", tuple(each.name for each in against[:EVIDENCE]))
    no_bulletin = bool(agreement.violence.bulletins_of) and told is None
    if violence.finding == "BROKEN" or against or no_bulletin:
        doubts = []
    if doubts:
        violence = Leg("UNKNOWN", earliest(doubts))
    in_doubt = NONE_REFUSED
    met = violence.finding != "BROKEN" and not against and not doubts
    if met and lifted(agreement, limit, len(sure), refused):
        in_doubt, violence = refused, Leg("UNKNOWN", refused.names)
    access = judge_access(agreement, region, start, end, now, steps)
    until = min(end, now)
    told_of = (
        violence.finding != "UNKNOWN"
        or access.finding in {"MET", "BROKEN"}
        or any(incident.content.counted for incident in incidents)
        or bool(_here([*notices, *measured_by], start, until))
        or used(days, day, bulletins) is not None
        or bool(possible or refused.reports)
    )
    watch_told = None
    if violence.finding == "UNKNOWN":
        watch_told = _watch_told(agreement, start, until, inside, [*notices, *measured_by], unexplained)
    why = violence_reason(
        agreement,
        finding=violence.finding,
        incidents=len(sure),
        possible=len(possible),
        severe=len(severe),
        doubtful=len(severe_of(agreement, doubts)) if doubts else None,
        limit=limit,
        share=share,
        told=told,
        counted=counted_by_it,
        against=[(each, count(each, region)) for each in against],
        refused=in_doubt,
        watched=watch_told or "",
        unexplained=sorted(unexplained),
        longer=longer_ones(agreement, region, start, end, longer),
        told_of=told_of,
    )
    low, best, high, without_toll = toll_sums([incident.content for incident in inside])
    legs: dict[str, tuple[Leg | AccessLeg, Reason]] = {"violence": (violence, why), "access": (access, access.reason)}
    findings = [leg.finding for leg, _ in legs.values()]
    verdict = "BROKEN" if "BROKEN" in findings else "UNKNOWN" if "UNKNOWN" in findings else "MET"
    return NaiveVerdict(
        verdict=verdict,
        state=days.state(day, agreement.lateness, now),
        violence=violence.finding,
        access=access.finding,
        incidents=len(inside),
        incidents_out_of_scope=sum(incident.content.counted for incident in incidents) - len(inside),
        bulletin_incidents=counted_by_it,
        limit=limit,
        share=share,
        deaths_low=low,
        deaths_best=best,
        deaths_high=high,
        evidence={name: leg.evidence for name, (leg, _) in legs.items()},
        reasons=tuple(reason for _, reason in legs.values()),
        rule=next(reason["rule"] for leg, reason in legs.values() if leg.finding == verdict),
        contested_by=", ".join(sorted({each.feed for each in against})) if against else None,
        incidents_sure=len(sure),
        incidents_possible=len(possible),
        refused_pending=refused.reports,
        incidents_without_toll=without_toll,
        watch_told=watch_told,
    )


def lifted(agreement: Agreement, limit: Fraction, incidents: int, refused: NaiveRefused) -> bool:
    """Whether incidents and pending rejects together exceed the limit, where the agreement minds that."""
    if agreement.coverage.refused != "unknown" or agreement.violence.bulletins_of:
        return False
    return incidents + refused.incidents > limit


def _watch_told(
    agreement: Agreement,
    start: Micros,
    horizon: Micros,
    inside: Iterable[NaiveIncident],
    notices: list[NaiveReport],
    unexplained: set[str],
) -> str:
    """Say which feeds stopped watching before ``horizon``; of a stretch nobody watched, who had ended by its start.

    Those ``unexplained`` did not watch, and are named for that elsewhere.
    """
    here = _here(notices, start, horizon)
    reported: set[str] = set()
    if agreement.coverage.reports_cover_the_day:
        reported = {feed for incident in inside for feed in incident.content.feeds}
    if here or reported:
        ends = {feed: _ends(here, feed) for feed in sorted({notice.feed for notice in here} - reported - unexplained)}
        return ", ".join(f"{feed} watched until {minute(end)} UTC" for feed, end in ends.items() if end < horizon)
    ended = [each for each in notices if each.occurred_from < each.occurred_to <= start]
    before = sorted((-_ends(ended, feed), feed) for feed in {notice.feed for notice in ended})
    last = ", ".join(f"{feed} until {minute(-end)} UTC" for end, feed in before[:WATCHED_BEFORE])
    return f"no feed watched it, before it {last}" if last else "no feed watched it"


def _here(notices: Iterable[NaiveReport], start: Micros, end: Micros) -> list[NaiveReport]:
    """Return those that watch some of ``[start, end)``; one that lasts no time watches nothing."""
    lasting = [notice for notice in notices if notice.occurred_from < notice.occurred_to]
    return [notice for notice in lasting if notice.occurred_from < end and notice.occurred_to > start]


def _ends(notices: Iterable[NaiveReport], feed: str) -> Micros:
    return max(notice.occurred_to for notice in notices if notice.feed == feed)


def in_scope(incidents: Iterable[NaiveIncident]) -> list[NaiveIncident]:
    """Return the incidents that are the agreement's concern, of those that are in any count."""
    return [incident for incident in incidents if incident.content.counted and incident.content.in_scope]


def baseline_days(agreement: Agreement, days: Days) -> list[date]:
    """Return the truce-days violence is measured against."""
    return days.from_to(agreement.violence.baseline.first_day, agreement.violence.baseline.last_day)


def violence_limit(agreement: Agreement, of_baseline: Mapping[date, Sequence[NaiveIncident]]) -> Fraction:
    """Return max(floor, (1 - reduction) x baseline); ``of_baseline`` has every baseline day, empty ones too."""
    a_day = [Fraction(len(in_scope(incidents))) for incidents in of_baseline.values()]
    mean = agreement.violence.baseline.measure == "mean"
    baseline = sum(a_day, Fraction(0)) / len(a_day) if mean else median(a_day)
    return max(Fraction(agreement.violence.floor), Fraction(100 - agreement.violence.reduction_percent, 100) * baseline)


def is_long(agreement: Agreement, incident: NaiveIncident) -> bool:
    """Whether the interval of an incident is too long for it to be of one day."""
    return not not_long(agreement, [incident])


def not_long(agreement: Agreement, incidents: Iterable[NaiveIncident]) -> list[NaiveIncident]:
    """Return the incidents that are not too long to be of one day."""
    longest = agreement.violence.surely_within_hours * MICROS_PER_HOUR
    return [each for each in incidents if each.content.occurred_to - each.content.occurred_from <= longest]


def _touches(incident: NaiveIncident, start: Micros, end: Micros) -> bool:
    return max(incident.content.occurred_from, start) < min(incident.content.occurred_to, end)


def judge_violence(agreement: Agreement, limit: Fraction, share: Fraction, inside: Sequence[NaiveIncident]) -> Leg:
    """Find what ``inside``, the sure incidents in scope of one region and day, make of it.

    What was seen breaks a day however badly it was watched; only a watched day can be met by silence.
    """
    severe = severe_of(agreement, inside)
    if severe:
        return Leg("BROKEN", earliest(severe))
    if len(inside) > limit:
        return Leg("BROKEN", earliest(inside))
    if share >= Fraction(agreement.coverage.min_share_percent, 100):
        return Leg("MET")
    return Leg("UNKNOWN")


def severe_of(agreement: Agreement, inside: Iterable[NaiveIncident]) -> list[NaiveIncident]:
    """Return the incidents one of which breaks a day alone."""
    kinds = agreement.violence.severe_kinds
    return [incident for incident in inside if incident.content.kind in kinds]


def earliest(inside: Iterable[NaiveIncident]) -> tuple[str, ...]:
    """Return the names of the earliest ten: by start, then feed, then report id of the name."""
    first = nsmallest(EVIDENCE, [(each.content.occurred_from, each.feed, each.report_id) for each in inside])
    return tuple(f"{feed}/{report_id}" for _, feed, report_id in first)


def covered_share(
    agreement: Agreement, start: Micros, end: Micros, inside: Iterable[NaiveIncident], notices: Iterable[NaiveReport]
) -> Fraction:
    """Return the part of ``[start, end)`` for which enough feeds watched.

    The day is cut wherever anyone starts or stops watching; each piece then counts wholly or not at all.
    """
    reported = {feed for incident in inside for feed in incident.content.feeds}
    all_day = reported if agreement.coverage.reports_cover_the_day else set()
    near = [notice for notice in notices if notice.occurred_from < end and notice.occurred_to > start]
    bounds = {start, end}
    for notice in near:
        bounds |= {max(start, notice.occurred_from), min(end, notice.occurred_to)}
    covered = 0
    for left, right in pairwise(sorted(bounds)):
        watching = {notice.feed for notice in near if notice.occurred_from <= left and right <= notice.occurred_to}
        if len(watching | all_day) >= agreement.coverage.min_feeds:
            covered += right - left
    # Of a day that the zone skipped there is nothing to watch.
    return Fraction(covered, end - start) if start < end else Fraction(1)


def streak(newest_first: Iterable[tuple[date, str]]) -> NaiveStreak:
    """Count MET days back from the last completed one, given completed days with their verdicts, newest first."""
    run = 0
    for day, verdict in newest_first:
        if verdict != "MET":
            return NaiveStreak(run, day, verdict)
        run += 1
    return NaiveStreak(run, None, None)


def completed(agreement: Agreement, days: Days, now: Micros) -> list[date]:
    """Return the judged truce-days that have ended at ``now``, newest first."""
    return [day for day in reversed(days.judged(agreement, now)) if days.end(day) <= now]


def window(agreement: Agreement, days: Days, now: Micros) -> list[date]:
    """Return the last seven truce-days, the running one included, none before the first judged one."""
    return days.judged(agreement, now)[-WINDOW_DAYS:]


def oldest_trailing(now: Micros) -> Micros:
    """Return the start of the oldest of the 168 clock hours that end with the running one."""
    return (now // MICROS_PER_HOUR - (TRAILING_HOURS - 1)) * MICROS_PER_HOUR


def trailing(incidents: Iterable[NaiveIncident], now: Micros) -> tuple[int, int | None]:
    """Return (incidents in scope, their best deaths) of the 168 clock hours that end with the running one."""
    oldest = oldest_trailing(now)
    end = oldest + TRAILING_HOURS * MICROS_PER_HOUR
    recent = [incident.content for incident in in_scope(incidents)]
    recent = [content for content in recent if oldest <= content.occurred_from < end]
    return len(recent), toll_sums(recent)[1]
