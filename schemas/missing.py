"""Words that sources write where a value is missing: they name nothing, and two of them are not the same."""

from __future__ import annotations

_WORDS = frozenset(
    ["", "na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "nil", "unknown", "-", "--", "–", "—", "?", "."]
)


def is_missing(text: str) -> bool:
    """Whether a text says that there is no value, letter case and white space around it aside."""
    return text.strip().casefold() in _WORDS
