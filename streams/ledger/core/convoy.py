"""Convoys: claims of steps folded into a state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.reports import ConvoyStep
from schemas.rows import ConvoyRow, ConvoyStepRow
from schemas.truceday import Micros

DELIVERED = frozenset({ConvoyStep.OFFLOADED, ConvoyStep.DISTRIBUTED})
CLOSED = frozenset({ConvoyStep.DENIED, ConvoyStep.TURNED_BACK, ConvoyStep.ATTACKED})


class ConvoyName(NamedTuple):
    """What identifies a convoy: one feed's own name for it."""

    feed: str
    convoy_id: str

    def __str__(self) -> str:
        return f"{self.feed}/{self.convoy_id}"


class Convoy(NamedTuple):
    """One convoy as known by some horizon."""

    name: ConvoyName
    region: str
    state: str
    since: Micros
    first_known: Micros
    delivered_at: Micros | None
    attacks: tuple[Micros, ...]
    steps: tuple[ConvoyStepRow, ...]

    @property
    def pending(self) -> bool:
        """Whether it still is to be delivered."""
        return self.delivered_at is None and self.state not in CLOSED


def in_order(step: ConvoyStepRow) -> tuple[Micros, Micros, str]:
    """Order steps as they happened: by stated time, then report time, then report id."""
    return step.occurred_from, step.reported_at, step.report_id


def fold(name: ConvoyName, steps: Iterable[ConvoyStepRow], horizon: Micros | None) -> Convoy | None:
    """Fold the steps that began before ``horizon`` (all, when None); None when there are none."""
    ordered = tuple(sorted((s for s in steps if horizon is None or s.occurred_from < horizon), key=in_order))
    if not ordered:
        return None
    last = ordered[-1]
    return Convoy(
        name=name,
        region=last.region,
        state=last.step,
        since=last.occurred_from,
        first_known=ordered[0].occurred_from,
        delivered_at=next((s.occurred_from for s in ordered if s.step in DELIVERED), None),
        attacks=tuple(s.occurred_from for s in ordered if s.step == ConvoyStep.ATTACKED),
        steps=ordered,
    )


def row_of(convoy: Convoy) -> ConvoyRow:
    """Return the convoy as a row: for each figure, the latest that was stated."""

    def latest(figure: str) -> int | None:
        stated = (getattr(step, figure) for step in reversed(convoy.steps))
        return next((value for value in stated if value is not None), None)

    return ConvoyRow(
        feed=convoy.name.feed,
        convoy_id=convoy.name.convoy_id,
        region=convoy.region,
        state=convoy.state,
        since=convoy.since,
        first_known=convoy.first_known,
        delivered_at=convoy.delivered_at,
        attacked_at=convoy.attacks[0] if convoy.attacks else None,
        trucks=latest("trucks"),
        people_requested=latest("people_requested"),
        people_reached=latest("people_reached"),
        steps=len(convoy.steps),
    )
