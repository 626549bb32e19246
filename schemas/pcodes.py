"""Regions by P-code."""

from __future__ import annotations

from collections.abc import Container


def region_of(pcode: str, regions: Container[str]) -> str | None:
    """Return the longest listed code that begins a P-code; None where none does.

    Countries differ in the length of a region's code: SY02, NG001, MMR001. Only the list knows it.
    """
    return next((pcode[:end] for end in range(len(pcode), 0, -1) if pcode[:end] in regions), None)
