"""Rows of what was counted and judged: tallies, verdicts, windows, the gate."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from schemas.truceday import Micros


class Evidence(NamedTuple):
    """One incident that decides a day; ordered by time, then name, so that arrival order never shows."""

    occurred_from: Micros
    feed: str
    report_id: str


class Hour(NamedTuple):
    """Incidents in scope that began in one region and clock hour."""

    region: str
    hour: Micros
    incidents: int
    deaths_best: int
    incidents_without_toll: int


class DayTallyRow(NamedTuple):
    """Incident counts of one region and truce-day, judged or not."""

    region: str
    truce_day: date
    incidents: int
    incidents_out_of_scope: int
    severe_incidents: int
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    incidents_without_toll: int


class FeedTallyRow(NamedTuple):
    """Incidents in scope of one region and truce-day by one feed: who was watching, and whose baseline counts."""

    region: str
    truce_day: date
    feed: str
    incidents: int


#: Legs of the test, in the order of ``reasons``: each is a column of its findings, and a key of ``evidence``.
LEGS = ("violence", "access")
#: Columns of a verdict that tell which row it is and when it was made. All others are judged.
RECORDED = ("region", "truce_day", "version", "state", "recorded_at", "tick_offset", "cause", "new_version")


class DayVerdict(NamedTuple):
    """A row of ``verdict_log``: the verdict of one region and truce-day. ``reasons`` and ``evidence`` are JSON text.

    A row makes a ``new_version``, or tells what the figures of its version came to: counts, tolls, the share and
    ``reasons`` may move within a version until the day is final. Each row stands until the next of its day.

    ``bulletin_incidents`` is the count held against the limit where the agreement measures by bulletins; None where it
    does not, or where there was none.

    ``recorded_at`` is the ledger's time at the tick that made this row, ``tick_offset`` that tick's place in the facts
    topic: the facts before it are what the row rests on. ``cause`` is JSON text: what changed. ``state`` is that of the
    day at that tick.

    ``rule`` is the rule that decided the verdict. ``contested_by`` names the feeds whose bulletins contest a day that
    is UNKNOWN by them; None of any other day. ``refused_pending`` counts the reports of the day that were refused and
    are pending.

    ``incidents_sure`` of the incidents surely happened that day; ``incidents_possible`` of any day may have.
    Tolls are None where no incident in scope states one; ``incidents_without_toll`` counts those that state none.
    """

    region: str
    truce_day: date
    version: int
    verdict: str
    state: str
    violence: str
    access: str
    incidents: int
    incidents_out_of_scope: int
    bulletin_incidents: int | None
    violence_limit: float
    covered_share: float
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    reasons: str
    evidence: str
    recorded_at: Micros
    tick_offset: int
    cause: str
    rule: str
    contested_by: str | None
    incidents_sure: int
    incidents_possible: int
    refused_pending: int
    incidents_without_toll: int
    new_version: bool


#: Columns of ``day_verdicts``.
VERDICT_COLUMNS = tuple(name for name in DayVerdict._fields if name != "new_version")


class Amendment(NamedTuple):
    """A version of a day that was final, with another verdict or finding: what somebody has to be told of.

    ``before`` is the row it replaced.
    """

    before: DayVerdict
    after: DayVerdict


class WindowRow(NamedTuple):
    """A region's last seven truce-days, the running one included, and its trailing 168 hours."""

    region: str
    as_of: Micros
    first_day: date
    last_day: date
    days_met: int
    days_broken: int
    days_unknown: int
    incidents: int
    incidents_out_of_scope: int
    deaths_best: int | None
    incidents_168h: int
    deaths_best_168h: int | None
    streak_days: int
    streak_ended_day: date | None
    streak_ended_by: str | None


class GateRow(NamedTuple):
    """The gate: open when every gate region's streak has reached ``required_days``."""

    recorded_at: Micros
    tick_offset: int
    is_open: bool
    required_days: int
    shortest_streak: int
    regions_holding: int
    regions_needed: int
    reason: str
