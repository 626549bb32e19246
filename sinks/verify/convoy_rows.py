"""Convoys and their claims, folded again from the steps that a file holds: docs/judging.md, "Convoys"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.rows import ConvoyStepRow, JoinedClaimRow
from schemas.truceday import MICROS_PER_SECOND
from sinks.verify.claims import group_claims
from sinks.verify.convoys import Standing, convoys_of
from sinks.verify.difference import Difference, Row
from sinks.verify.history import NaiveReport
from sinks.verify.published import Published

#: What a step counts for, and what a convoy comes to; the rest is as its steps state it.
_STEP = ("convoy", "legal", "counts", "flaw")
_CONVOY = (
    *("feed", "convoy_id", "claims", "region", "place", "state", "since", "first_known", "delivered_at", "attacked_at"),
    *("steps", "steps_flagged"),
)


def check_convoys(file: Published) -> Iterator[Difference]:
    """Check every convoy against its steps, and what each of these counts for."""
    told = _events(file)
    recounted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for convoy in convoys_of(file.agreement, [naive_step(event) for event in told.values()]):
        in_order = [told[step.feed, step.report_id] for step in convoy.steps]
        flaws = convoy.flaws()
        for event, *found in zip(in_order, convoy.legal(), convoy.counting(), flaws, strict=True):
            row = Row("convoy_events", f"{event.feed}/{event.report_id}")
            yield from row.compare(_STEP, (getattr(event, name) for name in _STEP), (convoy.name, *found))
        standing = Standing.of(convoy)
        recounted[convoy.feed, convoy.convoy_id] = (
            len({(event.feed, event.convoy_id) for event in in_order}),
            standing.last.regions[0],
            standing.last.place,
            standing.last.kind,
            standing.last.occurred_from,
            convoy.first_known,
            standing.delivered_at,
            convoy.attacks[0].occurred_from if convoy.attacks else None,
            len(in_order),
            sum(flaw is not None for flaw in flaws),
        )
    yield from file.compare("convoys", _CONVOY, 2, recounted)


def check_joined_claims(file: Published) -> Iterator[Difference]:
    """Check why each claim belongs to a convoy of several: by the first of the links that joined it."""
    naive = [naive_step(event) for event in _events(file).values()]
    called = {
        (step.feed, step.convoy_id): convoy.name
        for convoy in convoys_of(file.agreement, naive)
        for step in convoy.steps
    }
    recounted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for link in group_claims(file.agreement, naive).links:
        why: tuple[str, int | None, str] = ("same_convoy_as", None, "asserted")
        if link.gap is not None:
            why = ("same_place_and_time", link.gap // MICROS_PER_SECOND, "doubtful")
        for claim, other in ((link.one, link.other), (link.other, link.one)):
            key = (claim.feed, claim.convoy_id)
            recounted.setdefault(key, (called[key], other.name, *why))
    yield from file.compare("joined_claims", JoinedClaimRow._fields, 2, recounted)


def naive_step(event: ConvoyStepRow) -> NaiveReport:
    """Return a stored step as the report it came of."""
    return NaiveReport(
        offset=0,
        feed=event.feed,
        report_id=event.report_id,
        revision=0,
        active=True,
        type="convoy",
        regions=(event.region,),
        occurred_from=event.occurred_from,
        occurred_to=event.occurred_to,
        reported_at=event.reported_at,
        kind=event.step,
        convoy_id=event.convoy_id,
        same_convoy_as=event.same_convoy_as,
        not_same_convoy_as=tuple(event.not_same_convoy_as or ()),
        destination=_destination(event),
        place=event.place,
    )


def _events(file: Published) -> dict[tuple[str, str], ConvoyStepRow]:
    columns = file.columns("convoy_events", ConvoyStepRow._fields)
    events = (ConvoyStepRow(*row) for row in file.select(f"select {columns} from convoy_events"))  # noqa: S608
    return {(event.feed, event.report_id): event for event in events}


def _destination(event: ConvoyStepRow) -> tuple[str, str, str] | None:
    if event.place is not None:
        return event.region, event.place, ""
    return None if event.town is None else (event.region, "", event.town)
