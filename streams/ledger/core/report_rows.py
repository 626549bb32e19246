"""One record of the facts topic, and the rows it becomes."""

from __future__ import annotations

import json
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import (
    PLACED_FACTS,
    ConvoyFact,
    DeclarationFact,
    Fact,
    IncidentFact,
    Origin,
    PositionFact,
    ReportFact,
    RetractionFact,
)
from schemas.placenames import words_of
from schemas.reports import PlacePrecision
from schemas.rows import Contribution, ConvoyStepRow, ReportRow

#: Precisions of places that are no one place.
_NO_PLACE = frozenset({PlacePrecision.GOVERNORATE, PlacePrecision.COUNTRY})
#: Stands in the rows of facts that came from no topic, as a test or a repair may write them.
NO_ORIGIN = Origin("", -1, -1)


class Entry(NamedTuple):
    """One record of the facts topic: where it stands, what its header says, and its untouched body."""

    offset: int
    fact: Fact
    body: bytes
    key_hash: int = 0


def incident_row(
    entry: Entry,
    fact: IncidentFact,
    digest: int,
    adds: Contribution,
    uncertain: bool,
    parties: tuple[str, ...],
    *,
    present: bool,
) -> ReportRow:
    """Return an incident report as a row; ``adds`` is what it would add to its region and truce-day.

    ``parties`` are those whom it accuses.
    """
    place = fact.place
    origin = fact.origin or NO_ORIGIN
    return ReportRow(
        entry.offset,
        entry.key_hash,
        fact.feed,
        fact.report_id,
        fact.revision,
        present,
        fact.retracted,
        "incident",
        adds.region,
        adds.truce_day,
        uncertain,
        fact.from_,
        fact.to,
        fact.time_precision,
        fact.reported_at,
        fact.stamp,
        fact.kind,
        adds.in_scope,
        bool(fact.sides),
        fact.accused or None,
        fact.claimant,
        fact.confidence,
        fact.deaths_low,
        fact.deaths_best,
        fact.deaths_high,
        place.latitude,
        place.longitude,
        fact.place_precision,
        place.name,
        place.key,
        place.by,
        place.conflict,
        fact.merged_into,
        fact.same_as or None,
        fact.not_same_as or None,
        fact.origins or None,
        origin.topic,
        origin.partition,
        origin.offset,
        digest,
        entry.body.decode(),
        fact.toll_flaw,
        origin.log,
        parties or None,
    )


def other_row(entry: Entry, fact: ReportFact, digest: int, agreement: Agreement, *, present: bool) -> ReportRow:
    """Return any other report as a row; convoys and positions have a day, the others none."""
    origin = fact.origin or NO_ORIGIN
    place, precision = (fact.place, fact.place_precision) if isinstance(fact, PLACED_FACTS) else (None, None)
    when = None if isinstance(fact, DeclarationFact | RetractionFact) else (fact.from_, fact.to)
    stood = fact if isinstance(fact, PositionFact) else None
    day, uncertain = agreement.calendar.day_of(*when) if when and (place or stood) else (None, None)
    return ReportRow(
        fact_offset=entry.offset,
        key_hash=entry.key_hash,
        feed=fact.feed,
        report_id=fact.report_id,
        revision=fact.revision,
        present=present,
        retracted=fact.retracted,
        type=str(type(fact).__struct_config__.tag),
        region=place.region if place else None,
        truce_day=day,
        time_uncertain=uncertain,
        occurred_from=when[0] if when else None,
        occurred_to=when[1] if when else None,
        time_precision=None,
        reported_at=fact.reported_at,
        received_at=fact.stamp,
        kind=_kind(fact),
        in_scope=None,
        names_parties=None,
        accused=None,
        claimant=None,
        confidence=None,
        deaths_low=None,
        deaths_best=None,
        deaths_high=None,
        latitude=stood.latitude if stood else place.latitude if place else None,
        longitude=stood.longitude if stood else place.longitude if place else None,
        place_precision=precision,
        place_name=stood.place_name if stood else place.name if place else None,
        place_key=None,
        located_by=place.by if place else None,
        place_conflict=place.conflict if place else None,
        merged_into=None,
        same_as=None,
        not_same_as=None,
        origins=None,
        source_topic=origin.topic,
        source_partition=origin.partition,
        source_offset=origin.offset,
        body_digest=digest,
        raw=entry.body.decode(),
        toll_flaw=None,
        source_log=origin.log,
        accused_parties=None,
    )


def _kind(fact: ReportFact) -> str | None:
    """Return the one word that says what a report other than an incident's is about."""
    match fact:
        case ConvoyFact():
            return fact.step
        case DeclarationFact():
            return fact.act
        case PositionFact():
            return fact.weapon_class
        case _:
            return None


def step_row(fact: ConvoyFact, agreement: Agreement) -> ConvoyStepRow:
    """Return a convoy report as a row; what it counts for is not known before all steps of its convoy are."""
    return ConvoyStepRow(
        feed=fact.feed,
        report_id=fact.report_id,
        convoy_id=fact.convoy_id,
        convoy=f"{fact.feed}/{fact.convoy_id}",
        region=fact.place.region,
        place=agreement.place_named(fact.place.name, fact.place.region),
        step=fact.step,
        legal=True,
        counts=True,
        flaw=None,
        occurred_from=fact.from_,
        occurred_to=fact.to,
        reported_at=fact.reported_at,
        mode=fact.mode,
        trucks=fact.trucks,
        trucks_hit=fact.trucks_hit,
        people_requested=fact.people_requested,
        people_approved=fact.people_approved,
        people_reached=fact.people_reached,
        items_removed=json.dumps(fact.items_removed, ensure_ascii=False),
        blocker=fact.blocker,
        reason=fact.reason,
        access_constraint=fact.constraint,
        reached_place=fact.reached_place,
        same_convoy_as=fact.same_convoy_as,
        not_same_convoy_as=fact.not_same_convoy_as or None,
        town=_town(fact),
    )


def _town(fact: ConvoyFact) -> str | None:
    """Return the most exact name of a convoy's destination as names are compared; None for a region as a whole."""
    if fact.place.name is None or fact.place_precision in _NO_PLACE:
        return None
    return " ".join(words_of(fact.place.name)) or None
