"""Small words about figures."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Say how many of something there are: ``1 report``, ``1,200 reports``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
