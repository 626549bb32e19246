"""The words a judgement uses."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from schemas.truceday import Micros, from_micros


class Finding(StrEnum):
    """What one leg of the test, or a whole truce-day, is found to be."""

    MET = "MET"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"
    NOT_OWED = "NOT_OWED"


class State(StrEnum):
    """How settled a verdict is."""

    OPEN = "OPEN"
    PROVISIONAL = "PROVISIONAL"
    FINAL = "FINAL"
    AMENDED = "AMENDED"


def combine(legs: Iterable[Finding]) -> Finding:
    """Combine the legs: BROKEN if any is, else UNKNOWN if any is, else MET. NOT_OWED does not count."""
    findings = set(legs)
    if Finding.BROKEN in findings:
        return Finding.BROKEN
    return Finding.UNKNOWN if Finding.UNKNOWN in findings else Finding.MET


def minute(instant: Micros) -> str:
    """Return an instant as sentences write it."""
    return f"{from_micros(instant):%Y-%m-%d %H:%M} UTC"
