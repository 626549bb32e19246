"""What an agreement says of its days, its limit and its scope, and what it refuses to be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.truceday import from_micros
from tests.support.worlds import agreement

GOVERNMENT, OPPOSITION, ISIL, NUSRA = "Government of Syria", "Syrian insurgents", "IS", "Jabhat Fateh al-Sham"


@pytest.fixture(scope="module")
def syria() -> Agreement:
    return load_agreement("syria-2016")


def changed(agreement: Agreement, *path: str, to: Any) -> Agreement:
    data = agreement.model_dump()
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return Agreement.model_validate(data)


class TestScope:
    def test_between_parties_bound_it_is_in(self, syria: Agreement) -> None:
        assert syria.in_scope(((GOVERNMENT,), (OPPOSITION,)))

    def test_against_a_group_outside_it_is_out(self, syria: Agreement) -> None:
        assert not syria.in_scope(((GOVERNMENT,), (ISIL,)))
        assert not syria.in_scope(((NUSRA,), (OPPOSITION,)))

    def test_a_side_with_one_member_bound_counts_as_bound(self, syria: Agreement) -> None:
        assert syria.in_scope(((GOVERNMENT,), ("Ahrar al-Sham", NUSRA)))

    def test_where_nobody_is_named_it_is_in(self, syria: Agreement) -> None:
        assert syria.in_scope(())
        assert syria.in_scope(((), ()))

    def test_an_empty_side_says_nothing(self, syria: Agreement) -> None:
        assert not syria.in_scope(((), (ISIL,)))
        assert syria.in_scope(((), (GOVERNMENT,)))

    def test_an_agreement_may_ask_for_all_sides_outside(self, syria: Agreement) -> None:
        strict = changed(syria, "scope", "excluded_when", to="all_outside")
        assert strict.in_scope(((GOVERNMENT,), (ISIL,)))
        assert not strict.in_scope(((NUSRA,), (ISIL,)))

    def test_every_name_ucdp_gives_the_groups_outside_is_known(self, syria: Agreement) -> None:
        assert {"IS", "HTS", "Jabhat Fateh al-Sham", "al-Qaida", "ETIM"} <= set(syria.scope.outside)


def test_it_took_effect_at_seven_in_the_evening(syria: Agreement) -> None:
    assert from_micros(syria.effective) == datetime(2016, 9, 12, 16, tzinfo=UTC)
    assert syria.first_day == date(2016, 9, 12)
    assert syria.lateness == timedelta(hours=72)


def test_the_baseline_is_the_28_days_before(syria: Agreement) -> None:
    days = sorted(syria.baseline_days)
    assert (days[0], days[-1], len(days)) == (date(2016, 8, 15), date(2016, 9, 11), 28)


def test_a_fifth_of_the_baseline_is_allowed_exactly(syria: Agreement) -> None:
    assert syria.allowed_share == Fraction(1, 5)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("gate_regions",), ["SY02", "SY99"], "gate_regions names SY99"),
        (("access", "regions"), ["SY98", "SY99"], "access.regions names SY98, SY99"),
        (("clock", "effective"), datetime(2016, 9, 12, 19, tzinfo=UTC), "without an offset"),
        (("clock", "effective"), datetime.fromisoformat("2016-09-12T18:00:00"), "must fall on clock.anchor"),
        (("clock", "ends"), datetime(2016, 9, 19, 19, tzinfo=UTC), "clock.ends is local time"),
        (("clock", "ends"), datetime.fromisoformat("2016-09-19T18:00:00"), "clock.ends must fall on clock.anchor"),
        (("clock", "ends"), datetime.fromisoformat("2016-09-12T19:00:00"), "must lie after clock.effective"),
        (("violence", "baseline", "last_day"), date(2016, 9, 12), "must end before clock.effective"),
        (("violence", "baseline", "last_day"), date(2016, 8, 14), "before first_day"),
    ],
)
def test_it_refuses_what_does_not_hold_together(
    syria: Agreement, path: tuple[str, ...], value: object, said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        changed(syria, *path, to=value)


def test_a_name_that_two_listed_places_of_a_region_bear_is_neither() -> None:
    def listed(name: str, region: str = "SY02") -> dict[str, object]:
        return {"name": name, "names": ["The Hill"], "region": region, "status": "besieged", "source": "none"}

    truce = agreement(access={"places": [listed("Upper Town"), listed("New Town"), listed("Old Town", "SY01")]})
    assert truce.place_named("upper town", "SY02") == "Upper Town"
    assert truce.place_named("Old Town (the Hill)", "SY01") == "Old Town"
    assert truce.place_named("the Hill", "SY02") is None
    assert truce.place_named("Upper Town", "SY01") is None
    assert truce.place_named(None, "SY01") is None


def test_a_listed_place_is_in_a_region_of_the_agreement_and_ends_after_it_began() -> None:
    place = {"name": "Old Town", "region": "SY02", "status": "besieged", "source": "none"}
    with pytest.raises(ValidationError, match=r"access\.places names SY09"):
        agreement(access={"places": [{**place, "region": "SY09"}]})
    with pytest.raises(ValidationError, match="last_day lies before first_day"):
        agreement(access={"places": [{**place, "first_day": date(2016, 9, 2), "last_day": date(2016, 9, 1)}]})
