"""Tolls: the deaths that incidents add to sums.

An estimate that is not stated is taken to be the one beside it. Else low ones would add up to more than best ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.rows import Contribution, Linkable

Estimates = tuple[int | None, int | None, int | None]


def incident_toll(by_telling: Sequence[Linkable]) -> Estimates:
    """Return low, best and high of an incident, from its reports in the order in which they were told."""
    stated = [_filled(report.deaths_low, report.deaths_best, report.deaths_high) for report in by_telling]
    low = min((each for each, _, _ in stated if each is not None), default=None)
    best = [report.deaths_best for report in by_telling if report.deaths_best is not None]
    high = max((each for _, _, each in stated if each is not None), default=None)
    return low, best[-1] if best else low, high


def added_toll(adds: Contribution) -> tuple[int, int, int] | None:
    """Return what an incident adds to the sums of low, best and high deaths; None when it states no toll.

    A high estimate alone adds nothing to the others: it says of no death that it is certain.
    """
    low, best, high = _filled(adds.deaths_low, adds.deaths_best, adds.deaths_high)
    return None if high is None else (low or 0, best or 0, high)


def _filled(low: int | None, best: int | None, high: int | None) -> Estimates:
    known = low if best is None else best
    return known if low is None else low, known, known if high is None else high
