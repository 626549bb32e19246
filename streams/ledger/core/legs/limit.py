"""Rules of the violence leg: a limit drawn from a baseline, and the finding of a count."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.agreement import Agreement
from streams.ledger.core.findings import Finding


def baseline_of(daily_counts: Sequence[int], measure: str) -> Fraction:
    """Return the mean or median of what was counted a day, exactly; 0 without any day.

    Of incidents ``daily_counts`` holds every baseline day, zeros too; of bulletins the days that have one.
    """
    if not daily_counts:
        return Fraction(0)
    if measure == "mean":
        return Fraction(sum(daily_counts), len(daily_counts))
    ordered = sorted(daily_counts)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return Fraction(ordered[middle])
    return Fraction(ordered[middle - 1] + ordered[middle], 2)


def limit_of(agreement: Agreement, baseline: Fraction) -> Fraction:
    """Return max(floor, (1 - reduction) x baseline), exactly: 20 % of 5 is 1, not 0.99."""
    return max(Fraction(agreement.violence.floor), agreement.allowed_share * baseline)


def judge_violence(
    counted: int | None,
    severe: int,
    limit: Fraction,
    *,
    covered: bool,
    contested: bool = False,
    uncertain: bool = False,
    refused: bool = False,
) -> Finding:
    """Find whether violence on one truce-day stayed within its limit; ``counted`` is None when no bulletin tells.

    A count above the limit, or one severe incident, is BROKEN even on a poorly covered day: what was seen is
    enough. A count within it is MET only when the day was covered; silence is not peace. Nor is it MET when the day is
    ``contested``: a bulletin counts more than the limit; nor when it is ``uncertain``: see ``may_be_broken``;
    nor when it is ``refused``: with the pending rejects it would.
    """
    if severe or (counted is not None and counted > limit):
        return Finding.BROKEN
    in_doubt = contested or uncertain or refused
    return Finding.MET if covered and counted is not None and not in_doubt else Finding.UNKNOWN


def may_be_broken(counted: int | None, possible: int, severe: int, limit: Fraction) -> bool:
    """Whether incidents of uncertain time, if they happened on a day, would break it.

    ``possible`` of them add to the count, ``severe`` are of a severe kind. Without a count nothing is known to add to.
    """
    return counted is not None and (severe > 0 or counted + possible > limit)
