"""The calendar of a file: how long its truce-days are, by the time zones it was judged with.

A release of the IANA database may cut days otherwise, also days of the past. Rows of both calendars in one file would
put one instant into two days, so a file is written and compared only by the calendar that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from schemas.agreement import Agreement
from schemas.errors import UsageError
from schemas.instants import END, FIRST
from schemas.time_zones import RELEASE
from schemas.truceday import MICROS_PER_SECOND, Micros, TruceCalendar

_DAY = timedelta(days=1)
_USUAL_SECONDS = 24 * 3600


class Calendar(NamedTuple):
    """Where the first truce-day starts, in seconds since 1970, and each that is no 24 hours long, in seconds."""

    first: int
    lengths: dict[str, int]

    @classmethod
    def cut_by(cls, start_of: Callable[[date], Micros]) -> Calendar:
        """Return the calendar of all instants a report may state."""
        day, last = FIRST.date(), END.date()
        first = start = start_of(day) // MICROS_PER_SECOND
        lengths: dict[str, int] = {}
        while day < last:
            end = start_of(day + _DAY) // MICROS_PER_SECOND
            if end - start != _USUAL_SECONDS:
                lengths[day.isoformat()] = end - start
            day, start = day + _DAY, end
        return cls(first, lengths)

    def to_json(self) -> str:
        """Return the calendar as text."""
        return json.dumps(self._asdict())

    def difference(self, stored: Calendar) -> str | None:
        """Return the first day that a stored calendar cuts otherwise, in words; None where both are one."""
        days = sorted(dict(self.lengths.items() ^ stored.lengths.items()))
        if not days:
            return None if self.first == stored.first else "no day starts at the same instant"
        here, there = (each.lengths.get(days[0], _USUAL_SECONDS) / 3600 for each in (self, stored))
        return f"{days[0]} has {there:g} hours there and {here:g} here"


def calendar_of(agreement: Agreement) -> Calendar:
    """Return the calendar the present time zones give an agreement."""
    return _calendar(agreement.clock.time_zone, agreement.clock.anchor)


@lru_cache(maxsize=64)
def _calendar(zone: str, anchor: time) -> Calendar:
    return Calendar.cut_by(TruceCalendar(zone, anchor).start_of)


def check_calendar(connection: duckdb.DuckDBPyConnection, agreement: Agreement, path: Path) -> None:
    """Refuse a file judged with time zones that cut its days otherwise than the present ones.

    Raises:
        UsageError: they do.
    """
    release, difference = _held(connection, agreement)
    if difference is not None:
        raise calendar_refused(path, release, difference)


def calendar_refused(path: Path, release: str, difference: str) -> UsageError:
    """Return the error of a file whose calendar is not the present one."""
    return UsageError(
        f"{path} was judged with the time zones of {release}; those of {RELEASE} cut its days otherwise: {difference}",
        f"install the tzdata package of {release}, or judge it anew: give the agreement a data directory of its own, "
        "which is judged from the topic's beginning",
    )


def _held(connection: duckdb.DuckDBPyConnection, agreement: Agreement) -> tuple[str, str | None]:
    """Return the release a file was judged with, and how the days it cuts differ."""
    ((release, text),) = connection.execute("SELECT tzdata, calendar FROM about").fetchall()
    if text is None or release == RELEASE:
        # None where whoever made the tables was ended before it wrote the calendar. One release cuts days in one way:
        # the calendar is worked out only where the releases differ.
        return release, None
    return release, calendar_of(agreement).difference(Calendar(**json.loads(text)))
