"""The words a judgement uses."""

from __future__ import annotations

from enum import StrEnum


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


def combine(violence: Finding, access: Finding) -> Finding:
    """Combine the legs: BROKEN if any is, else UNKNOWN if any is, else MET. NOT_OWED does not count."""
    if Finding.BROKEN in (violence, access):
        return Finding.BROKEN
    if Finding.UNKNOWN in (violence, access):
        return Finding.UNKNOWN
    return Finding.MET
