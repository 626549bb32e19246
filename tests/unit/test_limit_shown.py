"""A limit is shown so that no day reads as what it is not."""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas.agreement import Agreement
from sinks.verify.wording import _limit
from streams.ledger.core.legs.violence_finding import limit_text
from streams.ops.grid import number
from tests.support.worlds import agreement

SHOWN = pytest.mark.parametrize(
    ("limit", "count", "shown"),
    [
        (Fraction(2999, 1000), 3, "2.999"),
        (Fraction(299996, 100000), 3, "2.99996"),
        (Fraction(3001, 1000), 3, "3.001"),
        (Fraction(2999, 1000), 4, "3"),
        (Fraction(3), 3, "3"),
        (Fraction(16, 5), 12, "3.2"),
    ],
    ids=["below", "far below the second decimal", "above", "another count", "the count itself", "plainly"],
)


@SHOWN
def test_a_limit_has_as_many_decimals_as_tell_it_from_the_count(limit: Fraction, count: int, shown: str) -> None:
    assert limit_text(limit, [count]) == shown
    assert number(float(limit), count) == shown


def test_without_a_count_a_limit_has_two_decimals() -> None:
    assert number(2.9999, None) == "3"


@SHOWN
def test_the_recount_shows_it_likewise(limit: Fraction, count: int, shown: str) -> None:
    truce: Agreement = agreement(violence={"floor": 1, "reduction_percent": 0})
    assert _limit(truce, limit, [count]).startswith(f"limit {shown} (")
