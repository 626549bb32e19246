"""What a report adds to the counts, and which reports are one incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from schemas.rows.reports import Identity
from schemas.truceday import Micros


class Contribution(NamedTuple):
    """What one present, active incident report adds to its region and truce-day."""

    region: str
    truce_day: date
    occurred_from: Micros
    kind: str
    in_scope: bool
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    occurred_to: Micros


class UncertainIncident(NamedTuple):
    """An incident in scope whose interval is too long for it to have surely happened on its truce-day."""

    region: str
    truce_day: date
    occurred_from: Micros
    occurred_to: Micros
    feed: str
    report_id: str
    kind: str


class Prior(NamedTuple):
    """What the store knows of an identity: revisions with their bodies' digests, and what the present one adds.

    ``digests`` holds those that were asked about, and grows as revisions come.

    ``contribution`` is None when the present revision is retracted or is no incident. ``fact_offset`` is the present
    revision's place in the facts topic.
    """

    revision: int
    digests: dict[int, int]
    type: str
    contribution: Contribution | None
    fact_offset: int


class Placed(NamedTuple):
    """When, where and what one revision tells, under the names that ``ReportRow`` and ``Linkable`` have for it."""

    fact_offset: int
    feed: str
    region: str
    occurred_from: Micros
    occurred_to: Micros
    time_precision: str
    place_precision: str
    latitude: float | None
    longitude: float | None
    place_key: str | None
    kind: str


class Linkable(NamedTuple):
    """One revision of an incident report, as linking sees it."""

    fact_offset: int
    feed: str
    report_id: str
    revision: int
    present: bool
    retracted: bool
    merged_into: str | None
    region: str
    truce_day: date
    occurred_from: Micros
    occurred_to: Micros
    time_precision: str
    place_precision: str
    latitude: float | None
    longitude: float | None
    place_key: str | None
    kind: str
    in_scope: bool
    names_parties: bool
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    reported_at: Micros
    same_as: list[str] | None
    not_same_as: list[str] | None
    origins: list[str] | None

    @property
    def name(self) -> str:
        """What other reports call it by."""
        return f"{self.feed}/{self.report_id}"

    @property
    def identity(self) -> Identity:
        """Who said it and by what name."""
        return Identity(self.feed, self.report_id)

    @property
    def adds(self) -> Contribution:
        """What it adds to its region and truce-day as an incident of its own."""
        return _adds(self)


class Claim(NamedTuple):
    """A present incident report that names others: the same occurrence, or the one it was merged into."""

    fact_offset: int
    feed: str
    merged_into: str | None
    same_as: Sequence[str] | None


class LinkedIncident(NamedTuple):
    """An incident that several reports belong to, retracted and merged ones included, under its name.

    ``reports`` counts the active ones, ``feeds`` names theirs, sorted. ``counted`` tells whether one of them is of a
    feed the agreement counts. ``certainty`` is None when only one is active.
    """

    feed: str
    report_id: str
    region: str
    truce_day: date
    occurred_from: Micros
    occurred_to: Micros
    kind: str
    in_scope: bool
    counted: bool
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    reports: int
    feeds: tuple[str, ...]
    independent_origins: int
    certainty: str | None

    @property
    def adds(self) -> Contribution:
        """What it adds to its region and truce-day, if it is counted."""
        return _adds(self)


class LinkedReport(NamedTuple):
    """One report of a linked incident: of exactly the revision that was linked.

    ``standing`` is active, retracted or merged. ``linked_to`` is the report, as ``feed/report_id``, at the other end of
    the first link by order that the report has in the incident, ``why`` that link's rule: same_as, closest, same_name,
    repeating_feed; merged_into for a merged report, alone for the only active one. ``seconds`` lie between the two
    intervals, ``metres`` between the points; None when one has none that locates it within its district.
    """

    incident_feed: str
    incident_report_id: str
    feed: str
    report_id: str
    revision: int
    fact_offset: int
    standing: str
    linked_to: str | None
    why: str
    seconds: int | None
    metres: int | None
    certainty: str | None


def _adds(incident: Linkable | LinkedIncident) -> Contribution:
    return Contribution(
        incident.region,
        incident.truce_day,
        incident.occurred_from,
        incident.kind,
        incident.in_scope,
        incident.deaths_low,
        incident.deaths_best,
        incident.deaths_high,
        incident.occurred_to,
    )
