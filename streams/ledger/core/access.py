"""The access leg: whether aid came through, by what its convoys did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.agreement import AccessRules
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.ledger.core.convoy import Convoy
from streams.ledger.core.findings import Finding


class AccessFinding(NamedTuple):
    """The finding with the rule that decided it and the convoys it rests on, sorted by name."""

    finding: Finding
    rule: str
    convoys: tuple[str, ...] = ()


NOT_OWED = AccessFinding(Finding.NOT_OWED, "not_owed")


def judge_access(
    convoys: Sequence[Convoy], rules: AccessRules, *, start: Micros, horizon: Micros, effective: Micros
) -> AccessFinding:
    """Find whether access held in one region on the truce-day that starts at ``start``.

    Args:
        convoys: every convoy whose destination is the region, folded up to ``horizon``.
        horizon: the end of the day, or now while it runs.
        effective: when the truce took effect; nothing is overdue from before it.

    Approval, departure and arrival are no delivery. What is merely not known is UNKNOWN, and a known convoy that is
    neither late nor attacked leaves the leg MET.
    """
    attacked = _names(c for c in convoys if c.attacks and c.attacked_within(start, horizon))
    if attacked:
        return AccessFinding(Finding.BROKEN, "attacked", attacked)
    if not convoys:
        return AccessFinding(Finding.UNKNOWN, "no_convoy_known")
    tolerance = rules.overdue_after_hours * MICROS_PER_HOUR
    overdue = _names(c for c in convoys if c.pending and horizon - max(c.first_known, effective) >= tolerance)
    if overdue:
        return AccessFinding(Finding.BROKEN, "overdue", overdue)
    deliveries = [(c.delivered_at, c.label) for c in convoys if c.delivered_at is not None]
    last, last_name = max(deliveries, default=(effective, ""))
    if horizon - max(last, effective) >= rules.max_gap_days * 24 * MICROS_PER_HOUR:
        return AccessFinding(Finding.BROKEN, "gap", (last_name,) if last_name else ())
    return AccessFinding(Finding.MET, "in_time")


def _names(convoys: Iterable[Convoy]) -> tuple[str, ...]:
    return tuple(sorted(convoy.label for convoy in convoys))
