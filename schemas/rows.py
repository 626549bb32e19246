"""The rows that cross from the ledger's core to a sink, and back when a ledger resumes.

The core returns these and never meets a sink; a sink writes them and never judges. Instants are microseconds
since the epoch, days are dates, and a field's name is its column's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from schemas.truceday import Micros


class Identity(NamedTuple):
    """Who said it and by what name: what a higher revision replaces."""

    feed: str
    report_id: str


class ReportRow(NamedTuple):
    """One accepted report revision. ``present`` marks the highest revision known of its identity."""

    fact_offset: int
    key_hash: int
    feed: str
    report_id: str
    revision: int
    present: bool
    retracted: bool
    type: str
    region: str | None
    truce_day: date | None
    time_uncertain: bool | None
    occurred_from: Micros | None
    occurred_to: Micros | None
    time_precision: str | None
    reported_at: Micros
    received_at: Micros | None
    kind: str | None
    in_scope: bool | None
    names_parties: bool | None
    accused: str | None
    claimant: str | None
    confidence: str | None
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    latitude: float | None
    longitude: float | None
    place_precision: str | None
    place_name: str | None
    located_by: str | None
    place_conflict: str | None
    merged_into: str | None
    same_as: tuple[str, ...] | None
    not_same_as: tuple[str, ...] | None
    origins: tuple[str, ...] | None
    source_topic: str
    source_partition: int
    source_offset: int
    body_digest: int
    raw: str


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


class Prior(NamedTuple):
    """What the store knows of an identity: every revision with its body's digest, and what the present one adds.

    ``contribution`` is None when the present revision is retracted or is no incident. ``fact_offset`` is the present
    revision's place in the facts topic.
    """

    revision: int
    digests: Mapping[int, int]
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
        return Contribution(
            self.region,
            self.truce_day,
            self.occurred_from,
            self.kind,
            self.in_scope,
            self.deaths_low,
            self.deaths_best,
            self.deaths_high,
        )


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
        return Contribution(
            self.region,
            self.truce_day,
            self.occurred_from,
            self.kind,
            self.in_scope,
            self.deaths_low,
            self.deaths_best,
            self.deaths_high,
        )


class LinkedReport(NamedTuple):
    """One report of a linked incident: of exactly the revision that was linked.

    ``standing`` is active, retracted or merged. ``linked_to`` is the report, as ``feed/report_id``, at the other end of
    the first link by order that the report has in the incident, ``why`` that link's rule: same_as, closest,
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


class DayTallyRow(NamedTuple):
    """Incident counts of one region and truce-day, judged or not."""

    region: str
    truce_day: date
    incidents: int
    incidents_out_of_scope: int
    severe_incidents: int
    deaths_low: int
    deaths_best: int
    deaths_high: int


class FeedTallyRow(NamedTuple):
    """Incidents in scope of one region and truce-day by one feed: who was watching, and whose baseline counts."""

    region: str
    truce_day: date
    feed: str
    incidents: int


class ConvoyStepRow(NamedTuple):
    """One present, active convoy report, and what it counts for among all claims of its convoy.

    ``items_removed`` is a JSON list. ``convoy`` names the convoy, ``flaw`` says in words why a step is not legal or
    does not count; these and the two flags are worked out from all steps of the convoy, the rest is the report's.
    """

    feed: str
    report_id: str
    convoy_id: str
    convoy: str
    region: str
    place: str | None
    step: str
    legal: bool
    counts: bool
    flaw: str | None
    occurred_from: Micros
    occurred_to: Micros
    reported_at: Micros
    mode: str
    trucks: int | None
    trucks_hit: int | None
    people_requested: int | None
    people_approved: int | None
    people_reached: int | None
    items_removed: str
    blocker: str | None
    reason: str | None
    access_constraint: str | None
    reached_place: str | None
    same_convoy_as: str | None


class ConvoyRow(NamedTuple):
    """One convoy with its present state, folded from the steps of all its claims in the order they happened.

    It bears the name of one of its claims. Each figure is the latest stated, with the least and the greatest beside it.
    """

    feed: str
    convoy_id: str
    claims: int
    region: str
    place: str | None
    state: str
    since: Micros
    first_known: Micros
    delivered_at: Micros | None
    attacked_at: Micros | None
    trucks: int | None
    trucks_least: int | None
    trucks_most: int | None
    trucks_hit: int | None
    trucks_hit_least: int | None
    trucks_hit_most: int | None
    people_requested: int | None
    people_requested_least: int | None
    people_requested_most: int | None
    people_approved: int | None
    people_approved_least: int | None
    people_approved_most: int | None
    people_reached: int | None
    people_reached_least: int | None
    people_reached_most: int | None
    items_removed: str
    steps: int
    steps_flagged: int


class CoverageRow(NamedTuple):
    """One present, active coverage notice for one region."""

    feed: str
    report_id: str
    region: str
    occurred_from: Micros
    occurred_to: Micros
    nil: bool


class BulletinRow(NamedTuple):
    """One line of one present, active bulletin; ``region`` is None for the whole country.

    ``truce_day`` is None when the period is of no one day. ``adds_up`` says whether all lines of the bulletin come to
    ``total``; it is true when there is none.
    """

    feed: str
    report_id: str
    line: int
    truce_day: date | None
    region: str | None
    accused: str | None
    in_scope: bool
    kind_as_given: str | None
    incidents: int
    total: int | None
    adds_up: bool
    at_least: bool
    occurred_from: Micros
    occurred_to: Micros
    period_as_given: str | None
    reported_at: Micros


class DeclarationRow(NamedTuple):
    """One present, active declaration."""

    feed: str
    report_id: str
    act: str
    declared_by: str
    effective_at: Micros
    until: Micros | None
    reported_at: Micros


class PositionRow(NamedTuple):
    """One present, active position report. Lengths as given, and in metres."""

    feed: str
    report_id: str
    unit: str
    party: str
    weapon_class: str
    truce_day: date
    occurred_from: Micros
    occurred_to: Micros
    reported_at: Micros
    latitude: float
    longitude: float
    place_name: str | None
    uncertainty: float | None
    uncertainty_unit: str | None
    uncertainty_metres: float | None
    stated_distance: float | None
    stated_distance_unit: str | None
    stated_distance_metres: float | None


class PositionFindingRow(NamedTuple):
    """What is found of one position and one line of the agreement.

    ``side`` is None when it is not clear, ``distance_metres`` beyond the reach, ``uncertainty_metres`` (position
    and line together) when the report states none, ``limit_metres`` when no band, or more than one, decided.
    """

    feed: str
    report_id: str
    line: str
    finding: str
    rule: str
    side: str | None
    distance_metres: float | None
    uncertainty_metres: float | None
    limit_metres: int | None


class VerdictRow(NamedTuple):
    """The verdict of one region and truce-day. ``reasons`` and ``evidence`` are JSON text.

    ``bulletin_incidents`` is the count held against the limit where the agreement measures by bulletins; None where it
    does not, or where there was none.

    ``recorded_at`` is the ledger's time at the tick that made this version, ``tick_offset`` that tick's place
    in the facts topic: the facts before it are what the version rests on. ``cause`` is JSON text: what changed.
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
    deaths_best: int
    reasons: str
    evidence: str
    recorded_at: Micros
    tick_offset: int
    cause: str


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
    deaths_best: int
    incidents_168h: int
    deaths_best_168h: int
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


class RejectRow(NamedTuple):
    """One rejected record with its original bytes."""

    fact_offset: int
    code: str
    hint: str
    feed: str | None
    report_id: str | None
    received_at: Micros | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_log: str | None
    original: bytes
    original_bytes: int


class RedriveRow(NamedTuple):
    """One rejected record that was published again: which reject, for which time, and what became of it."""

    fact_offset: int
    reject_topic: str
    reject_partition: int
    reject_offset: int
    reject_log: str
    number: int
    body_digest: int
    outcome: str
    received_at: Micros | None


class FeedRow(NamedTuple):
    """Health of one feed: when it last spoke, and what became of its records."""

    feed: str
    last_reported_at: Micros | None
    last_received_at: Micros | None
    accepted: int
    corrected: int
    retracted: int
    duplicate: int
    superseded: int
    rejected: int


class Withdrawal(NamedTuple):
    """A revision that is no longer the present one of its identity."""

    key_hash: int
    feed: str
    report_id: str
    revision: int


@dataclass
class Changes:
    """Everything one flush writes, in one transaction with the offsets it was read up to.

    Rows of ``tallies`` and ``feed_tallies`` with only zeros are deleted. ``touched_reports`` names the
    identities whose rows in the tables of one kind of report are replaced by the ones given here, which are all steps
    of a convoy when one of them changed; ``touched_convoys`` likewise for ``convoys``. ``verdicts`` holds
    present rows (the last one of a region and day counts), ``versions`` new versions, which are only ever added.
    ``pending`` is JSON text: what changed since the last tick and has not been judged yet. ``dissolved`` names linked
    incidents that are no more, or are replaced by those of ``linked_incidents`` and ``linked_reports``. ``origins``
    holds the highest source offset counted, by topic, partition and log, where it has risen.
    """

    next_offset: int = 0
    origins: dict[tuple[str, int, str], int] = field(default_factory=dict)
    now: Micros | None = None
    last_tick: int = -1
    pending: str = "{}"
    reports: list[ReportRow] = field(default_factory=list)
    withdrawn: list[Withdrawal] = field(default_factory=list)
    rejects: list[RejectRow] = field(default_factory=list)
    redrives: list[RedriveRow] = field(default_factory=list)
    dissolved: list[Identity] = field(default_factory=list)
    linked_incidents: list[LinkedIncident] = field(default_factory=list)
    linked_reports: list[LinkedReport] = field(default_factory=list)
    tallies: list[DayTallyRow] = field(default_factory=list)
    feed_tallies: list[FeedTallyRow] = field(default_factory=list)
    touched_reports: set[Identity] = field(default_factory=set)
    convoy_steps: list[ConvoyStepRow] = field(default_factory=list)
    coverage: list[CoverageRow] = field(default_factory=list)
    bulletins: list[BulletinRow] = field(default_factory=list)
    declarations: list[DeclarationRow] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    position_findings: list[PositionFindingRow] = field(default_factory=list)
    touched_convoys: set[tuple[str, str]] = field(default_factory=set)
    convoys: list[ConvoyRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    versions: list[VerdictRow] = field(default_factory=list)
    windows: list[WindowRow] = field(default_factory=list)
    gate: GateRow | None = None
    gate_history: list[GateRow] = field(default_factory=list)
    feeds: list[FeedRow] = field(default_factory=list)


@dataclass(frozen=True)
class Resumed:
    """What a ledger needs to go on exactly where its last commit left off.

    ``hours`` holds, per region and hour, incidents in scope and their best deaths, for the hours of the
    trailing window only. ``reporting`` tells which feeds reported incidents of a region and day, ``cells`` the regions
    and days since 1970, by UTC, that incident reports begin on, ``claims`` which reports name others, ``linked`` the
    places in the facts topic of reports in linked incidents: all only when the agreement links.
    ``bulletins`` is empty unless the agreement measures by them.
    """

    next_offset: int
    origins: dict[tuple[str, int, str], int]
    now: Micros | None
    last_tick: int
    tallies: list[DayTallyRow]
    feed_tallies: list[FeedTallyRow]
    hours: list[Hour]
    convoy_steps: list[ConvoyStepRow]
    coverage: list[CoverageRow]
    bulletins: list[BulletinRow]
    verdicts: list[VerdictRow]
    gate: GateRow | None
    feeds: list[FeedRow]
    redrives: list[RedriveRow]
    pending: str
    reporting: list[tuple[str, date, str]] = field(default_factory=list)
    cells: list[tuple[str, int]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    linked: list[int] = field(default_factory=list)
