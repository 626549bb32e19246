"""Plain records of one region and truce-day of a published file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sinks.records import Judged


@dataclass(frozen=True)
class VerdictVersion(Judged):
    """Version of a verdict, with the bounds of its truce-day.

    ``figures_offset`` is the offset of the tick of its figures. In the present row that is ``tick_offset``.
    """

    starts_at: datetime
    ends_at: datetime
    evidence: dict[str, list[str]]
    recorded_at: datetime
    tick_offset: int
    bulletin_incidents: int | None
    figures_offset: int


@dataclass(frozen=True)
class ReportDetail:
    """Report behind an incident or a verdict.

    ``accused``, ``claimant`` and ``confidence`` are claims of the source.
    """

    feed: str
    report_id: str
    revision: int
    occurred_from: datetime
    occurred_to: datetime
    reported_at: datetime
    kind: str
    place_name: str | None
    located_by: str | None
    place_conflict: str | None
    accused: list[str] | None
    claimant: str | None
    confidence: str | None
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    toll_flaw: str | None
    why: str | None
    sources: list[dict[str, str]]
    note: str | None


@dataclass(frozen=True)
class Incident:
    """Incident of the day, or possible on it. It ``decides`` when the verdict's evidence names it.

    It is ``sure`` unless its interval is too long for one day.
    """

    incident_id: str
    kind: str
    in_scope: bool
    counted: bool
    severe: bool
    decides: bool
    sure: bool
    occurred_from: datetime
    occurred_to: datetime
    reports: list[ReportDetail] = field(default_factory=list)

    @property
    def within_count(self) -> bool:
        """Whether the incident is held against the limit, be it as a possible one."""
        return self.in_scope and self.counted


@dataclass(frozen=True)
class Step:
    """Step of a convoy, with its report.

    The convoy had the region as its destination at some time.
    """

    feed: str
    report_id: str
    convoy_id: str
    convoy: str
    region: str
    place: str | None
    step: str
    counts: bool
    flaw: str | None
    occurred_from: datetime
    occurred_to: datetime
    reported_at: datetime
    trucks: int | None
    people_reached: int | None
    reason: str | None
    sources: list[dict[str, str]]
    note: str | None


@dataclass(frozen=True)
class JoinedClaim:
    """Claim of a convoy of several claims, and its join."""

    convoy: str
    claim: str
    joined_to: str
    why: str
    seconds_apart: int | None
    certainty: str


@dataclass(frozen=True)
class Watch:
    """Coverage notice that touches the day.

    A bulletin stands beside the notices where the agreement measures by bulletins; its ``nil`` is None.
    """

    feed: str
    report_id: str
    occurred_from: datetime
    occurred_to: datetime
    nil: bool | None
    basis: str | None


@dataclass(frozen=True)
class Silence:
    """Silence of a feed at the day's end.

    The feed had watched the region before.
    """

    feed: str
    silent_since: datetime
    silent_until: datetime


@dataclass(frozen=True)
class BulletinLine:
    """Line of a bulletin whose period touches the day.

    It is never added to a count.
    """

    feed: str
    report_id: str
    region: str | None
    accused: list[str] | None
    kind_as_given: str | None
    incidents: int
    at_least: bool
    occurred_from: datetime
    occurred_to: datetime
    in_scope: bool
    of_the_day: bool


@dataclass(frozen=True)
class Change:
    """Version and its changes of the version before.

    Each of ``changed`` holds ``field``, ``old`` and ``new``.
    """

    version: int
    recorded_at: datetime
    verdict: str
    changed: list[dict[str, Any]]
    evidence_added: list[str]
    evidence_removed: list[str]
    reports: list[str]
    more_reports: int


@dataclass(frozen=True)
class RefusedReport:
    """Reject that is pending on the day; ``reject`` is its number, ``source`` where the record was read."""

    reject: int
    code: str
    feed: str | None
    report_id: str | None
    may_be_incident: bool
    occurred_from: datetime
    occurred_to: datetime
    hint: str
    source: str

    @property
    def name(self) -> str:
        """The report as reasons and evidence name it: by its identity, or by where its record was read."""
        if self.feed is None or self.report_id is None:
            return self.source
        return f"{self.feed}/{self.report_id}"


@dataclass(frozen=True)
class DayDetail:
    """Present verdict of a region and truce-day with everything behind it.

    Attributes:
        judged_at: the time of the last judgement.
        tellers: feeds that tell of incidents of the region and day, by reports or by bulletins.
        unjudged: names of the first few reports since then.
        more_unjudged: how many more reports there are.
    """

    judged: VerdictVersion
    judged_at: datetime
    versions: list[Change]
    incidents: list[Incident]
    steps: list[Step]
    joined: list[JoinedClaim]
    watches: list[Watch]
    silent: list[Silence]
    bulletins: list[BulletinLine]
    baseline: list[tuple[date, int]]
    feeds: list[tuple[str, int]]
    tellers: frozenset[str]
    refused: list[RefusedReport]
    unjudged: list[str]
    more_unjudged: int
