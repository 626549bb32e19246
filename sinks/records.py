"""Plain records of a published file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from schemas.agreement import Agreement


@dataclass(frozen=True)
class About:
    """Agreement and age of a published file.

    ``now`` is the ledger's time, not the reader's.
    """

    agreement: Agreement
    published_at: datetime | None
    now: datetime | None


@dataclass(frozen=True)
class Judged:
    """Verdict of a region and truce-day with its figures."""

    region: str
    region_name: str
    truce_day: date
    verdict: str
    state: str
    violence: str
    access: str
    incidents: int
    incidents_out_of_scope: int
    violence_limit: float
    covered_share: float
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    version: int
    rule: str
    contested_by: str | None
    incidents_sure: int
    incidents_possible: int
    refused_pending: int
    incidents_without_toll: int | None
    reasons: list[dict[str, Any]]


@dataclass(frozen=True)
class Cell(Judged):
    """Region and truce-day of the grid.

    ``counted`` is the figure held against the limit: the sure incidents, or a bulletin's count. It is None where
    that bulletin is missing. ``counted_possible`` is the number of possible incidents that may add to it.
    """

    counted: int | None
    counted_possible: int


@dataclass(frozen=True)
class VerdictChange:
    """Version of a verdict, with its changes and causes.

    ``verdict_before`` is None in the first version. Each of ``changed`` holds ``field``, ``old`` and ``new``.
    """

    region: str
    region_name: str
    truce_day: date
    version: int
    recorded_at: datetime
    verdict_before: str | None
    verdict: str
    changed: list[dict[str, Any]]
    evidence_added: list[str]
    evidence_removed: list[str]
    reports: list[str]
    more_reports: int


@dataclass(frozen=True)
class RefusedPending:
    """Refused reports that are pending: on so many judged days of regions, and of so many regions the gate needs."""

    reports: int
    region_days: int
    gate_regions: int


@dataclass(frozen=True)
class PlacesToCheck:
    """Counts of place names that wait for a person.

    Reports in doubt and refused records are counted apart.
    """

    ambiguous: int
    refused: int


@dataclass(frozen=True)
class Window:
    """A region's last seven truce-days and its streak.

    The figures of the trailing 168 hours are None in a window of the past.
    """

    region: str
    region_name: str
    in_gate: bool
    as_of: datetime
    first_day: date
    last_day: date
    days_met: int
    days_broken: int
    days_unknown: int
    incidents: int
    incidents_out_of_scope: int
    deaths_best: int | None
    incidents_168h: int | None
    deaths_best_168h: int | None
    streak_days: int
    streak_ended_day: date | None
    streak_ended_by: str | None


@dataclass(frozen=True)
class SilentFeed:
    """Feed that had told of regions and was silent about them at the last judgement.

    ``silent_since`` is the end of the last time of which it told anything about one of them.
    """

    feed: str
    regions: list[str]
    silent_since: datetime


@dataclass(frozen=True)
class Gate:
    """The gate at a change of what it says."""

    recorded_at: datetime
    is_open: bool
    required_days: int
    shortest_streak: int
    regions_holding: int
    regions_needed: int
    reason: str


@dataclass(frozen=True)
class DeclaredAct:
    """Declared act, with its effect on the party's declared clock.

    ``flag`` names an oddity of the act.
    """

    act: str
    declared_by: str
    effective_at: datetime
    until: datetime | None
    reported_at: datetime
    feed: str
    report_id: str
    effect: str
    flag: str | None


@dataclass(frozen=True)
class DeclaredClock:
    """A party's latest stretch of declared truce.

    Without ``since`` the party never declared a truce of its own. ``truce_days`` are the whole truce-days
    completed within the stretch, ``truce_days_met`` those of them that are MET in every region the gate needs.
    """

    declared_by: str
    in_force: bool
    since: datetime | None
    until: datetime | None
    ended_by: str | None
    held_seconds: int | None
    held: str | None
    held_rounded: str | None
    truce_days: int | None
    truce_days_met: int | None


@dataclass(frozen=True)
class FeedState:
    """Health of one feed."""

    feed: str
    last_reported_at: datetime | None
    last_received_at: datetime | None
    accepted: int
    corrected: int
    retracted: int
    duplicate: int
    superseded: int
    rejected: int
    outside: int


@dataclass(frozen=True)
class WatchedUntil:
    """Latest end of a feed's coverage notices for a region."""

    feed: str
    region: str
    region_name: str
    watched_until: datetime
    notices: int


@dataclass(frozen=True)
class PartyLine:
    """Violations of one accused party, as incidents, by one accuser, or in one bulletin.

    ``party`` is None where nobody is accused. Beside a bulletin stand the incidents counted here for its period.
    """

    party: str | None
    side: str | None
    what: str
    claimant: str | None
    feed: str | None
    report_id: str | None
    since: datetime
    until: datetime | None
    in_scope: bool
    at_least: bool
    incidents_sure: int
    incidents_possible: int
    deaths_sure: int | None
    deaths_possible: int | None
    counted_sure: int | None
    counted_possible: int | None


@dataclass(frozen=True)
class DayFact:
    """Fact about a region's truce-day."""

    fact: str
    value: str | None
    detail: str | None


@dataclass(frozen=True)
class RejectCount:
    """Count of the records rejected with one code, with one hint."""

    code: str
    records: int
    hint: str
    last_received_at: datetime | None


def jsonable(record: Any) -> Any:
    """Return a record, or a list of records, in JSON's types: ISO days, ISO instants in UTC."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {field.name: jsonable(getattr(record, field.name)) for field in dataclasses.fields(record)}
    if isinstance(record, datetime):
        return record.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(record, date):
        return record.isoformat()
    if isinstance(record, list):
        return [jsonable(item) for item in record]
    if isinstance(record, dict):
        return {name: jsonable(item) for name, item in record.items()}
    return record
