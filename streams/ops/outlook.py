"""Earliest opening of the gate, from streaks and the calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from schemas.truceday import from_micros, to_micros
from streams.ops.status import Status
from streams.ops.wording import local_time


class Opening(NamedTuple):
    """Last truce-day that must be MET before the gate can open, and its end."""

    day: date
    at: datetime


def earliest_opening(status: Status) -> Opening | None:
    """Return when the gate opens if every day to come is MET.

    None stands for a gate that is open, was never judged, or cannot open before the truce ends. A late report that
    changes a past day may bring the opening forward; no figure can tell that.
    """
    needed = [window for window in status.windows if window.in_gate]
    if status.now is None or status.gate is None or status.gate.is_open or not needed:
        return None
    required, calendar = status.agreement.clock.required_days, status.agreement.calendar
    running = needed[0].last_day
    over = to_micros(status.now) >= calendar.end_of(running)
    completed = running if over else running - timedelta(days=1)
    lost = {
        cell.region for cell in status.newest if not over and cell.truce_day == running and cell.verdict == "BROKEN"
    }
    to_go = max(required + 1 if window.region in lost else required - window.streak_days for window in needed)
    day = completed + timedelta(days=max(to_go, 1))
    last = status.agreement.last_day
    return None if last is not None and day > last else Opening(day, from_micros(calendar.end_of(day)))


def outlook_sentence(status: Status) -> str | None:
    """Say when the gate can open at the earliest; None where it is open or was never judged."""
    if status.gate is None or status.gate.is_open:
        return None
    last, calendar = status.agreement.last_day, status.agreement.calendar
    if last is not None and status.now is not None and to_micros(status.now) >= calendar.end_of(last):
        return "The truce is over: only a late report can open it now."
    found = earliest_opening(status)
    if found is None:
        return "It can open no more by days to come: the truce ends first." if last is not None else None
    at = local_time(found.at, status.agreement.clock.time_zone)
    return f"It can open at {at} at the earliest, if every day up to {found.day} is MET."
