"""Truce-days on which an incident of uncertain time may have happened."""

from __future__ import annotations

from datetime import date

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.ledger.core.interval_index import judged_days


def possible_days(agreement: Agreement, occurred_from: Micros, occurred_to: Micros) -> tuple[date, date] | None:
    """Return the first and the last truce-day judged on which an incident is possible; None when it is sure."""
    if occurred_to - occurred_from <= agreement.violence.surely_within_hours * MICROS_PER_HOUR:
        return None
    return judged_days(agreement, occurred_from, occurred_to)
