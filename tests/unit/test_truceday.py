"""Truce-days: where they begin, how long they are, and to which one an interval belongs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.truceday import MICROS_PER_HOUR, TruceCalendar, from_micros, to_micros
from tests.support.effort import examples

DAMASCUS = ZoneInfo("Asia/Damascus")
HOUR = MICROS_PER_HOUR


def local(day: int, hour: int, minute: int = 0, month: int = 9) -> int:
    return to_micros(datetime(2016, month, day, hour, minute, tzinfo=DAMASCUS))


@pytest.fixture
def calendar() -> TruceCalendar:
    return TruceCalendar("Asia/Damascus", time(19))


def september(day: int) -> date:
    return date(2016, 9, day)


def test_micros_are_exact_both_ways() -> None:
    instant = datetime(2016, 9, 12, 16, 0, 0, 1, tzinfo=UTC)
    assert to_micros(instant) == 1_473_696_000_000_001
    assert from_micros(1_473_696_000_000_001) == instant


def test_a_truce_day_begins_at_the_anchor_and_not_at_midnight(calendar: TruceCalendar) -> None:
    assert from_micros(calendar.start_of(september(12))) == datetime(2016, 9, 12, 16, tzinfo=UTC)
    assert calendar.day_at(local(13, 0)) == september(12)
    assert calendar.day_at(local(13, 18, 59)) == september(12)


def test_a_truce_day_is_half_open(calendar: TruceCalendar) -> None:
    end = calendar.end_of(september(12))
    assert end == calendar.start_of(september(13))
    assert calendar.day_at(end - 1) == september(12)
    assert calendar.day_at(end) == september(13)


def test_the_attack_at_urum_al_kubra_came_just_after_the_seventh_truce_day(calendar: TruceCalendar) -> None:
    assert calendar.day_of(local(19, 19, 12), local(19, 19, 50)) == (september(19), False)
    assert calendar.start_of(september(19)) - calendar.start_of(september(12)) == 7 * 24 * HOUR


class TestChangeOfClocks:
    """Damascus put clocks forward in the night to 25 March 2016 and back in the night to 28 October."""

    def test_the_day_on_which_clocks_go_forward_has_23_hours(self, calendar: TruceCalendar) -> None:
        day = date(2016, 3, 24)
        assert calendar.end_of(day) - calendar.start_of(day) == 23 * HOUR

    def test_the_day_on_which_clocks_go_back_has_25_hours(self, calendar: TruceCalendar) -> None:
        day = date(2016, 10, 27)
        assert calendar.end_of(day) - calendar.start_of(day) == 25 * HOUR

    def test_the_days_around_them_have_24(self, calendar: TruceCalendar) -> None:
        for day in (date(2016, 3, 23), date(2016, 3, 25), date(2016, 10, 26), date(2016, 10, 28)):
            assert calendar.end_of(day) - calendar.start_of(day) == 24 * HOUR

    def test_the_hour_that_comes_twice_belongs_to_one_truce_day(self, calendar: TruceCalendar) -> None:
        first = to_micros(datetime(2016, 10, 27, 23, 30, tzinfo=DAMASCUS))
        again = to_micros(datetime(2016, 10, 27, 23, 30, fold=1, tzinfo=DAMASCUS))
        assert again - first == HOUR
        assert calendar.day_at(first) == calendar.day_at(again) == date(2016, 10, 27)

    def test_an_anchor_the_clock_skips_is_read_with_the_offset_before(self) -> None:
        midnight = TruceCalendar("Asia/Damascus", time(0))
        # 00:00 on 25 March does not exist: clocks went from 24:00 to 01:00.
        assert from_micros(midnight.start_of(date(2016, 3, 25))) == datetime(2016, 3, 24, 22, tzinfo=UTC)


class TestTheDayOfAnInterval:
    """The largest part decides; ties go to the earlier day.

    ::

        day 12            |19:00 ---------------- 19:00| day 13
    """

    def test_an_instant_belongs_to_its_day(self, calendar: TruceCalendar) -> None:
        assert calendar.day_of(local(12, 19), local(12, 19)) == (september(12), False)

    def test_an_interval_that_ends_at_the_anchor_does_not_touch_the_next_day(self, calendar: TruceCalendar) -> None:
        assert calendar.day_of(local(13, 18), local(13, 19)) == (september(12), False)

    def test_the_larger_part_decides(self, calendar: TruceCalendar) -> None:
        assert calendar.day_of(local(13, 18), local(13, 21)) == (september(13), True)
        assert calendar.day_of(local(13, 16), local(13, 20)) == (september(12), True)

    def test_a_tie_goes_to_the_earlier_day(self, calendar: TruceCalendar) -> None:
        assert calendar.day_of(local(13, 18), local(13, 20)) == (september(12), True)
        assert calendar.day_of(local(13, 18), local(13, 20) + 1) == (september(13), True)

    def test_a_calendar_date_belongs_to_the_truce_day_that_began_the_evening_before(
        self, calendar: TruceCalendar
    ) -> None:
        assert calendar.day_of(local(16, 0), local(17, 0)) == (september(15), True)

    def test_a_week_belongs_to_its_first_whole_day(self, calendar: TruceCalendar) -> None:
        assert calendar.day_of(local(12, 20), local(19, 20)) == (september(13), True)

    def test_an_interval_past_the_computed_years_is_found_too(self, calendar: TruceCalendar) -> None:
        calendar.day_at(local(12, 20))
        # The last year that was computed ends in the middle of this interval.
        far = to_micros(datetime(2017, 9, 12, 20, tzinfo=DAMASCUS))
        assert calendar.day_of(far, far + 24 * HOUR * 3)[0] == date(2017, 9, 13)
        assert calendar.day_at(local(1, 0, month=1) - 24 * HOUR * 365 * 40) == date(1976, 1, 10)


def test_days_between_includes_both_ends(calendar: TruceCalendar) -> None:
    assert calendar.days_between(september(12), september(14)) == [september(12), september(13), september(14)]
    assert calendar.days_between(september(12), september(11)) == []


@pytest.mark.property
@settings(max_examples=examples(100), deadline=None)
@given(
    start=st.datetimes(datetime.fromisoformat("2016-01-01"), datetime.fromisoformat("2016-12-31")),
    minutes=st.integers(0, 14 * 24 * 60),
)
def test_no_other_day_holds_a_larger_part(start: datetime, minutes: int) -> None:
    """Against a plain recount over all the days of the year."""
    calendar = TruceCalendar("Asia/Damascus", time(19))
    from_ = to_micros(start.replace(tzinfo=UTC))
    to = from_ + minutes * MICROS_PER_HOUR // 60
    day, spans = calendar.day_of(from_, to)
    parts = {
        other: max(0, min(to, calendar.end_of(other)) - max(from_, calendar.start_of(other)))
        for other in calendar.days_between(start.date() - timedelta(days=2), start.date() + timedelta(days=16))
    }
    touched = [other for other, part in parts.items() if part]
    assert day == (max(parts, key=lambda other: parts[other]) if touched else calendar.day_at(from_))
    assert spans == (len(touched) > 1)
