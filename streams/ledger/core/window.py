"""Windows, streaks and the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.rows import DayVerdict, GateRow, WindowRow
from schemas.truceday import Micros, first_trailing_hour
from streams.ledger.core.findings import Finding

WINDOW_DAYS = 7

VerdictOf = Callable[[str, date], DayVerdict | None]


class HourFigures(NamedTuple):
    """Incidents in scope of one region and clock hour, their best deaths, and how many of them state no toll."""

    incidents: int
    deaths_best: int
    without_toll: int


class Streak(NamedTuple):
    """MET truce-days in a row, ending with the last completed one, and what ended the one before."""

    days: int
    ended_day: date | None
    ended_by: str | None


def streak_of(region: str, first_day: date, last_completed: date, verdict_of: VerdictOf) -> Streak:
    """Count back from the last completed truce-day. UNKNOWN and BROKEN both end a streak."""
    day, days = last_completed, 0
    while day >= first_day:
        row = verdict_of(region, day)
        if row is None or row.verdict != Finding.MET:
            return Streak(days, day, row.verdict if row else None)
        days += 1
        day -= timedelta(days=1)
    return Streak(days, None, None)


def window_of(
    region: str,
    today: date,
    now: Micros,
    agreement: Agreement,
    verdict_of: VerdictOf,
    hours: Mapping[Micros, HourFigures],
    streak: Streak,
) -> WindowRow:
    """Return a region's last seven truce-days, the running one included, and its trailing 168 hours.

    ``hours`` holds the figures of the incidents in scope by the clock hour they began in.
    """
    first = max(agreement.first_day, today - timedelta(days=WINDOW_DAYS - 1))
    rows = [row for day in agreement.calendar.days_between(first, today) if (row := verdict_of(region, day))]
    oldest = first_trailing_hour(now)
    trailing = [figures for hour, figures in hours.items() if oldest <= hour <= now]
    return WindowRow(
        region=region,
        as_of=now,
        first_day=first,
        last_day=today,
        days_met=sum(row.verdict == Finding.MET for row in rows),
        days_broken=sum(row.verdict == Finding.BROKEN for row in rows),
        days_unknown=sum(row.verdict == Finding.UNKNOWN for row in rows),
        incidents=sum(row.incidents for row in rows),
        incidents_out_of_scope=sum(row.incidents_out_of_scope for row in rows),
        deaths_best=sum(tolls) if (tolls := [row.deaths_best for row in rows if row.deaths_best is not None]) else None,
        incidents_168h=sum(figures.incidents for figures in trailing),
        deaths_best_168h=sum(figures.deaths_best for figures in trailing) if any(map(_has_toll, trailing)) else None,
        streak_days=streak.days,
        streak_ended_day=streak.ended_day,
        streak_ended_by=streak.ended_by,
    )


def _has_toll(figures: HourFigures) -> bool:
    return figures.without_toll < figures.incidents


def gate_of(agreement: Agreement, streaks: Mapping[str, Streak], now: Micros, tick_offset: int) -> GateRow:
    """Open when every region the gate needs has a streak of at least ``required_days``."""
    required = agreement.clock.required_days
    needed = {region: streaks[region] for region in agreement.gate_regions}
    holding = [region for region, streak in needed.items() if streak.days >= required]
    shortest = min(streak.days for streak in needed.values())
    if len(holding) == len(needed):
        reason = f"every region the gate needs has held for {required} days"
    else:
        missing = [_why(region, streak, required) for region, streak in needed.items() if streak.days < required]
        reason = "; ".join(missing)
    return GateRow(
        recorded_at=now,
        tick_offset=tick_offset,
        is_open=len(holding) == len(needed),
        required_days=required,
        shortest_streak=shortest,
        regions_holding=len(holding),
        regions_needed=len(needed),
        reason=reason,
    )


def _why(region: str, streak: Streak, required: int) -> str:
    held = f"{region} {streak.days} of {required}"
    return f"{held} ({streak.ended_by} on {streak.ended_day})" if streak.ended_day else held
