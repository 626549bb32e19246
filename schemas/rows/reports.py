"""Rows of accepted reports, one kind after another."""

from __future__ import annotations

from collections.abc import Sequence
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
    accused: tuple[str, ...] | None
    claimant: str | None
    confidence: str | None
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    latitude: float | None
    longitude: float | None
    place_precision: str | None
    place_name: str | None
    place_key: str | None
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
    toll_flaw: str | None
    source_log: str | None
    accused_parties: tuple[str, ...] | None


class ConvoyStepRow(NamedTuple):
    """One present, active convoy report, and what it counts for among all claims of its convoy.

    ``items_removed`` is a JSON list. ``town`` is the most exact place name, as names are compared, when it is more than
    a region's; ``not_same_convoy_as`` is None when the report names none. ``convoy`` names the convoy, ``flaw`` says in
    words why a step is not legal or does not count; these and the two flags are worked out from all steps of the
    convoy, the rest is the report's.
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
    not_same_convoy_as: Sequence[str] | None
    town: str | None


class JoinedClaimRow(NamedTuple):
    """One claim of a convoy of several, with the first of the joins it is part of.

    ``why`` is ``same_convoy_as`` or ``same_place_and_time``; ``seconds_apart`` lie between the roads of two claims that
    were joined by place and time, 0 when they overlap.
    """

    feed: str
    convoy_id: str
    convoy: str
    joined_to: str
    why: str
    seconds_apart: int | None
    certainty: str


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
    accused: tuple[str, ...] | None
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
    accused_parties: tuple[str, ...] | None


class DeclarationRow(NamedTuple):
    """One revision of a declaration, whether it stands or not: what was declared then is told from all of them."""

    feed: str
    report_id: str
    revision: int
    retracted: bool
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
