"""Bulletins beside incidents, and the violence leg measured by them: docs/judging.md, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from fractions import Fraction
from statistics import mean, median

from schemas.agreement import Agreement
from schemas.reports import Bulletin
from schemas.truceday import LONGEST_BULLETIN, Micros
from sinks.verify.convoys import Leg
from sinks.verify.days import Days
from sinks.verify.history import NaiveLine, NaiveReport


def day_of(days: Days, from_: Micros, to: Micros) -> date | None:
    """Return the truce-day a bulletin is of; None when its period is empty or too long to be of one."""
    if not 0 < to - from_ <= LONGEST_BULLETIN:
        return None
    return days.holding_most(from_, to)[0]


def accused_in_scope(agreement: Agreement, accused: list[str]) -> bool:
    """Whether a line that holds ``accused`` responsible is the agreement's concern: none named, or one not outside."""
    return not accused or not set(accused) <= set(agreement.scope.outside)


def adds_up(report: Bulletin) -> bool:
    """Whether the lines come to the stated total, if there is one."""
    return report.total is None or sum(tally.count for tally in report.tallies) == report.total


def lines_of(agreement: Agreement, report: Bulletin, regions: Iterable[str | None]) -> tuple[NaiveLine, ...]:
    """Return the lines of a bulletin, given the region of each."""
    return tuple(
        NaiveLine(region, tally.count, accused_in_scope(agreement, tally.accused))
        for tally, region in zip(report.tallies, regions, strict=True)
    )


def of_days(days: Days, region: str, reports: Iterable[NaiveReport]) -> list[NaiveReport]:
    """Return the bulletins among ``reports`` that are of some day and speak of ``region``."""
    return [
        report
        for report in reports
        if report.type == "bulletin"
        and day_of(days, report.occurred_from, report.occurred_to) is not None
        and any(line.region == region for line in report.lines)
    ]


def is_longer(agreement: Agreement, region: str, report: NaiveReport) -> bool:
    """Whether a report is a bulletin of the monitor's that speaks of ``region`` and covers more than a day."""
    return (
        report.type == "bulletin"
        and report.feed == agreement.violence.bulletins_of
        and report.occurred_to - report.occurred_from > LONGEST_BULLETIN
        and any(line.region == region for line in report.lines)
    )


def longer_ones(
    agreement: Agreement, region: str, start: Micros, end: Micros, reports: Iterable[NaiveReport]
) -> list[str]:
    """Return the names of the monitor's bulletins of ``region`` that cover some of the day and more than a day."""
    found = [
        told
        for told in reports
        if is_longer(agreement, region, told) and max(told.occurred_from, start) < min(told.occurred_to, end)
    ]
    return [told.name for told in sorted(found, key=lambda told: (told.occurred_from, told.feed, told.report_id))]


def measuring(agreement: Agreement, bulletins: Iterable[NaiveReport]) -> list[NaiveReport]:
    """Return the bulletins of the monitor that the agreement measures by."""
    return [told for told in bulletins if told.feed == agreement.violence.bulletins_of]


def contesting(
    agreement: Agreement, days: Days, region: str, day: date, limit: Fraction, bulletins: Iterable[NaiveReport]
) -> list[NaiveReport]:
    """Return the bulletins of ``day`` that count more of ``region`` than the limit; by start, feed, report_id."""
    if agreement.violence.bulletins_of or agreement.coverage.contested == "ignore":
        return []
    found = [
        told
        for told in bulletins
        if day_of(days, told.occurred_from, told.occurred_to) == day and count(told, region) > limit
    ]
    return sorted(found, key=lambda told: (told.occurred_from, told.feed, told.report_id))


def used(days: Days, day: date, bulletins: Iterable[NaiveReport]) -> NaiveReport | None:
    """Return the bulletin of ``day`` told last."""
    of_day = [told for told in bulletins if day_of(days, told.occurred_from, told.occurred_to) == day]
    return max(of_day, key=lambda told: (told.reported_at, told.report_id), default=None)


def count(bulletin: NaiveReport, region: str) -> int:
    """Return what a bulletin counts of a region, in scope."""
    return sum(line.incidents for line in bulletin.lines if line.region == region and line.in_scope)


def bulletin_limit(
    agreement: Agreement, days: Days, region: str, baseline: Iterable[date], bulletins: Sequence[NaiveReport]
) -> Fraction:
    """Return max(floor, (1 - reduction) x baseline) over those ``baseline`` days that have a bulletin."""
    told = [found for day in baseline if (found := used(days, day, bulletins)) is not None]
    counts = [Fraction(count(bulletin, region)) for bulletin in told]
    middle = mean if agreement.violence.baseline.measure == "mean" else median
    typical = middle(counts) if counts else Fraction(0)
    return max(Fraction(agreement.violence.floor), Fraction(100 - agreement.violence.reduction_percent, 100) * typical)


def judge_by_bulletin(
    agreement: Agreement,
    limit: Fraction,
    share: Fraction,
    severe: tuple[str, ...],
    named: str | None,
    counted: int | None,
) -> Leg:
    """Find what the bulletin of a day makes of the violence leg; ``severe`` are the incidents that break it alone."""
    if severe:
        return Leg("BROKEN", severe)
    if named is None or counted is None:
        return Leg("UNKNOWN")
    if counted > limit:
        return Leg("BROKEN", (named,))
    watched = share >= Fraction(agreement.coverage.min_share_percent, 100)
    return Leg("MET" if watched else "UNKNOWN", (named,))
