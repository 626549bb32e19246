"""The naive recount, rule by rule of docs/judging.md. Property tests and verify both stand on it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import pytest

from schemas.agreement import Agreement
from schemas.reports import Party
from schemas.truceday import Micros, to_micros
from sinks.verify.convoys import convoys_of
from sinks.verify.days import Days
from sinks.verify.history import NaiveReport, present
from sinks.verify.incident_rows import in_scope
from sinks.verify.linking import Linking
from sinks.verify.recount import NaiveVerdict, completed, streak, trailing, window
from tests.support.recounting import recount
from tests.support.worlds import HOUR, TRUCE, agreement, at, day

DAYS = Days.of(TRUCE)


def incident(report_id: str = "i1", *, when: Micros | None = None, region: str = "SY01", **changes: Any) -> NaiveReport:
    start = at(0, 12) if when is None else when
    spine: dict[str, Any] = {"feed": "feed-a", "revision": 1, "active": True, "kind": "shelling", "offset": 0}
    stretch = {"occurred_from": start, "occurred_to": start + HOUR}
    return NaiveReport(
        **{**spine, **stretch, "report_id": report_id, "type": "incident", "regions": (region,), **changes}
    )


def several(number: int, **changes: Any) -> list[NaiveReport]:
    return [incident(f"i{n:02}", **changes) for n in range(number)]


def watch(low: Micros, high: Micros, *, feed: str = "feed-a", **changes: Any) -> NaiveReport:
    spine: dict[str, Any] = {"offset": 0, "report_id": "c1", "revision": 1, "active": True, "type": "coverage"}
    return NaiveReport(
        **{**spine, "feed": feed, "regions": ("SY01",), "occurred_from": low, "occurred_to": high, **changes}
    )


def step(kind: str, when: Micros, *, convoy_id: str = "aid-1", region: str = "SY02", **changes: Any) -> NaiveReport:
    spine: dict[str, Any] = {"offset": 0, "feed": "un", "revision": 1, "active": True, "type": "convoy"}
    told = {"report_id": f"{convoy_id}-{kind}-{when}", "occurred_from": when, "occurred_to": when, "reported_at": when}
    return NaiveReport(**{**spine, **told, "regions": (region,), "kind": kind, "convoy_id": convoy_id, **changes})


def judged(
    *reports: NaiveReport, region: str = "SY01", number: int = 0, now: Micros | None = None, truce: Agreement = TRUCE
) -> NaiveVerdict:
    return recount(truce, reports, at(1) if now is None else now)[region, day(number)]


# -- time


def test_every_region_and_day_up_to_now_is_judged_and_none_before_the_truce() -> None:
    assert sorted(recount(TRUCE, [], at(1))) == [(region, day(n)) for region in ("SY01", "SY02") for n in (0, 1)]
    assert recount(TRUCE, [], at(0) - 1) == {}
    assert sorted(recount(TRUCE, [], at(0))) == [("SY01", day(0)), ("SY02", day(0))]


def test_an_incident_belongs_to_the_day_with_its_largest_part_and_of_equals_to_the_earlier() -> None:
    assert DAYS.holding_most(at(0, 23), at(1, 2)) == (day(1), True)
    assert DAYS.holding_most(at(0, 23), at(1, 1)) == (day(0), True)
    assert DAYS.holding_most(at(0, 12), at(3, 12)) == (day(1), True)
    assert DAYS.holding_most(at(0, 23), at(1)) == (day(0), False)


def test_an_instant_on_the_anchor_belongs_to_the_day_it_starts() -> None:
    assert DAYS.holding_most(at(1), at(1)) == (day(1), False)
    assert DAYS.holding_most(at(1) - 1, at(1) - 1) == (day(0), False)


@pytest.mark.parametrize(("named", "hours"), [("2019-10-26", 25), ("2019-03-30", 23), ("2019-06-01", 24)])
def test_a_day_on_which_clocks_change_is_an_hour_longer_or_shorter(named: str, hours: int) -> None:
    days = Days("Europe/Kyiv", time(19))
    changing = date.fromisoformat(named)
    assert days.end(changing) - days.start(changing) == hours * HOUR


def test_the_naive_days_are_those_the_ledger_lives_by() -> None:
    """Two roads to one calendar: a year of odd intervals in a zone that changes its clocks."""
    truce = agreement(clock={"time_zone": "Europe/Kyiv"})
    days, start = Days.of(truce), to_micros(datetime.fromisoformat("2019-01-01T00:00:00+00:00"))
    for n in range(0, 366 * 24, 7):
        from_ = start + n * HOUR
        for length in (0, HOUR, 11 * HOUR, 24 * HOUR, 49 * HOUR):
            assert days.holding_most(from_, from_ + length) == truce.calendar.day_of(from_, from_ + length)


def test_a_day_is_open_then_provisional_then_final() -> None:
    late = timedelta(hours=48)
    told = [DAYS.state(day(0), late, now) for now in (at(1) - 1, at(1), at(3) - 1, at(3))]
    assert told == ["OPEN", "PROVISIONAL", "PROVISIONAL", "FINAL"]


# -- what counts


def test_only_the_highest_revision_counts_whatever_the_order() -> None:
    first, second = incident(offset=0), incident(offset=1, revision=2, region="SY02")
    assert present([first, second]) == present([second, first]) == [second]


def test_a_retracted_report_counts_nothing_even_when_the_retraction_came_first() -> None:
    assert present([incident(revision=2, active=False, offset=0), incident(offset=1)]) == []


def test_a_judgement_knows_only_the_facts_before_its_tick() -> None:
    told = [incident(offset=3), incident(offset=5, revision=2, active=False)]
    assert [len(present(told, before)) for before in (3, 4, 5, 6)] == [0, 1, 1, 0]


def test_tolls_add_up_over_incidents_in_scope_and_an_unstated_one_adds_nothing() -> None:
    told = [incident("a", deaths_best=3), incident("b"), incident("c", deaths_best=9, in_scope=False)]
    verdict = judged(*told)
    assert (verdict.incidents, verdict.incidents_out_of_scope, verdict.deaths_best) == (2, 1, 3)


def test_an_incident_of_a_feed_the_agreement_does_not_go_by_is_in_no_count() -> None:
    truce = agreement(violence={"feeds": ["feed-b"]}, coverage={"reports_cover_the_day": True})
    verdict = judged(*several(5), incident("x", in_scope=False), truce=truce)
    assert (verdict.incidents, verdict.incidents_out_of_scope, verdict.share) == (0, 0, Fraction(0))


def parties(*named: tuple[str, str | None]) -> list[Party]:
    return [Party.model_validate({"name": name, "slot": slot}) for name, slot in named]


@pytest.mark.parametrize(
    ("between", "all_outside", "a_side_outside"),
    [
        (parties(), True, True),
        (parties(("Government", "1"), ("Opposition", "2")), True, True),
        (parties(("Government", "1"), ("ISIL", "2")), True, False),
        (parties(("Government", "1"), ("Opposition", "2"), ("ISIL", "2")), True, True),
        (parties(("Nusra", "1"), ("ISIL", "2")), False, False),
        (parties(("ISIL", None), ("Government", None)), True, True),
        (parties(("ISIL", None), ("Government", "1")), True, False),
    ],
)
def test_scope_looks_at_whole_sides(between: list[Party], all_outside: bool, a_side_outside: bool) -> None:
    loose = agreement(scope={"excluded_when": "all_outside"})
    strict = agreement(scope={"excluded_when": "a_side_outside"})
    assert (in_scope(loose, between), in_scope(strict, between)) == (all_outside, a_side_outside)


# -- the violence leg


def test_a_severe_incident_breaks_a_day_alone_and_is_the_evidence_even_above_the_limit() -> None:
    verdict = judged(*several(3), incident("z", kind="attack_on_aid", when=at(0, 20)))
    assert (verdict.violence, verdict.evidence["violence"]) == ("BROKEN", ("feed-a/z",))


def test_a_severe_incident_out_of_scope_breaks_nothing() -> None:
    assert judged(incident(kind="attack_on_aid", in_scope=False)).violence == "UNKNOWN"


def test_more_than_the_limit_breaks_a_day_however_it_was_watched() -> None:
    assert judged(*several(2)).violence == "BROKEN"
    assert judged(*several(2), watch(at(0), at(1))).violence == "BROKEN"
    assert judged(*several(1), watch(at(0), at(1))).violence == "MET"


def test_the_earliest_ten_are_the_evidence_by_start_then_feed_then_report() -> None:
    same = [incident(f"i{n:02}", when=at(0, 5), feed=feed) for n in range(6) for feed in ("feed-b", "feed-a")]
    verdict = judged(*same, incident("last", when=at(0, 6)), incident("first", when=at(0, 4)))
    told = ["feed-a/first", *(f"feed-a/i{n:02}" for n in range(6)), *(f"feed-b/i{n:02}" for n in range(3))]
    assert verdict.evidence["violence"] == tuple(told)


def test_silence_is_unknown_and_watched_silence_is_met() -> None:
    assert judged().violence == "UNKNOWN"
    assert judged(watch(at(0), at(1))).violence == "MET"


def test_the_limit_is_an_exact_fraction_of_the_mean_of_all_baseline_days() -> None:
    verdict = judged(*several(33, when=at(-1)))
    assert verdict.limit == max(1, Fraction(20, 100) * Fraction(33, 10)) == 1
    assert judged(*several(57, when=at(-1))).limit == Fraction(57, 50)


def test_the_median_counts_empty_baseline_days_as_zero() -> None:
    truce = agreement(violence={"floor": 0, "baseline": {**_baseline(), "measure": "median"}})
    told = [incident(f"{d}-{n}", when=at(-d, 1)) for d in range(1, 6) for n in range(3)]
    assert judged(*told, truce=truce).limit == Fraction(20, 100) * Fraction(3, 2)


def test_the_baseline_ignores_other_regions_and_what_is_out_of_scope() -> None:
    told = [*several(90, when=at(-1), region="SY02"), incident("x", when=at(-1), in_scope=False)]
    assert judged(*told).limit == 1
    assert judged(*told, region="SY02").limit == Fraction(9, 5)


def _baseline() -> dict[str, date]:
    return {"first_day": date(2016, 9, 2), "last_day": date(2016, 9, 11)}


# -- coverage


def test_a_running_day_is_measured_against_its_full_length() -> None:
    verdict = judged(watch(at(0), at(0, 12)), now=at(0, 12))
    assert (verdict.share, verdict.violence) == (Fraction(1, 2), "UNKNOWN")
    assert judged(watch(at(0), at(0, 18)), now=at(0, 18)).violence == "MET"


def test_a_share_counts_only_where_enough_feeds_watched_at_once() -> None:
    truce = agreement(coverage={"min_feeds": 2})
    told = [
        watch(at(0), at(0, 12)),
        watch(at(0, 6), at(0, 12), report_id="c2"),
        watch(at(0, 9), at(2), feed="feed-b"),
    ]
    assert judged(*told, truce=truce).share == Fraction(3, 24)
    assert judged(*told).share == 1


def test_a_notice_covers_no_more_of_the_day_than_it_says() -> None:
    assert judged(watch(at(-3), at(0, 6)), watch(at(0, 18), at(5), report_id="c2")).share == Fraction(1, 2)
    assert judged(watch(at(0), at(1), regions=("SY02",))).share == 0


def test_a_report_covers_its_day_only_where_the_agreement_says_so() -> None:
    truce = agreement(coverage={"reports_cover_the_day": True})
    assert judged(incident(), truce=truce).violence == "MET"
    assert judged(incident()).violence == "UNKNOWN"
    assert judged(incident(in_scope=False), truce=truce).share == 0


# -- the access leg


def access(
    *steps: NaiveReport, number: int = 0, now: Micros | None = None, truce: Agreement = TRUCE
) -> tuple[str, tuple[str, ...]]:
    verdict = judged(*steps, region="SY02", number=number, now=at(number + 1) if now is None else now, truce=truce)
    return verdict.access, verdict.evidence["access"]


def test_a_region_that_access_is_not_owed_to_is_not_judged_by_it() -> None:
    assert judged(step("attacked", at(0, 1), region="SY01")).access == "NOT_OWED"


def test_an_attack_breaks_the_day_it_began_in_and_no_other() -> None:
    attack = step("attacked", at(1, 1))
    assert access(attack, number=1) == ("BROKEN", ("un/aid-1",))
    assert access(attack, number=0, now=at(3))[0] == "UNKNOWN"
    assert access(attack, number=2)[0] == "MET"


def test_an_attack_breaks_the_day_of_the_region_it_names_and_of_the_one_the_trucks_are_bound_for() -> None:
    truce = agreement(access={"regions": ["SY01", "SY02"]})
    told = [step("attacked", at(0, 1)), step("dispatched", at(0, 5), region="SY01")]
    for region in ("SY01", "SY02"):
        verdict = judged(*told, region=region, number=0, now=at(1), truce=truce)
        assert (verdict.access, verdict.evidence["access"]) == ("BROKEN", ("un/aid-1",))


def test_an_attack_before_a_convoy_was_sent_on_still_breaks_the_day_of_its_destination_then() -> None:
    told = [step("attacked", at(0, 1)), step("dispatched", at(1, 1), region="SY01")]
    assert access(*told, number=0, now=at(4)) == ("BROKEN", ("un/aid-1",))
    assert access(*told, number=1, now=at(4)) == ("UNKNOWN", ())


def test_a_convoy_is_overdue_from_the_very_hour() -> None:
    told = step("requested", at(0, 1))
    assert access(told, number=3, now=at(3, 1) - 1) == ("MET", ())
    assert access(told, number=3, now=at(3, 1)) == ("BROKEN", ("un/aid-1",))


def test_a_convoy_known_before_the_truce_is_overdue_only_from_its_start() -> None:
    told = step("requested", at(-9))
    assert access(told, number=1)[0] == "MET"
    assert access(told, number=2)[0] == "BROKEN"


@pytest.mark.parametrize("closing", ["denied", "turned_back", "attacked"])
def test_a_closed_convoy_is_owed_until_another_is_delivered_after_it_was_closed(closing: str) -> None:
    told = [step("requested", at(0, 1)), step(closing, at(1, 1))]
    assert access(*told, number=5) == ("BROKEN", ("un/aid-1",))
    assert access(*told, step("offloaded", at(1, 1) - 1, convoy_id="aid-2"), number=5)[0] == "BROKEN"
    assert access(*told, step("offloaded", at(1, 1), convoy_id="aid-2"), number=5)[0] == "MET"


def test_a_closed_convoy_is_made_good_only_at_the_place_it_was_bound_for() -> None:
    told = [step("denied", at(1, 1), place="Old Town")]
    assert access(*told, step("offloaded", at(2), convoy_id="aid-2"), number=5)[0] == "BROKEN"
    assert access(*told, step("offloaded", at(2), convoy_id="aid-2", place="Old Town"), number=5)[0] == "MET"
    assert access(*told, step("offloaded", at(2), convoy_id="aid-2", place="New Town"), number=5)[0] == "BROKEN"


@pytest.mark.parametrize("delivery", ["offloaded", "distributed"])
def test_a_delivered_convoy_is_never_overdue(delivery: str) -> None:
    assert access(step(delivery, at(0, 1)), step("held", at(1, 1)), number=5)[0] == "MET"


def test_arrival_is_no_delivery() -> None:
    assert access(step("arrived", at(0, 1)), number=5)[0] == "BROKEN"


def test_the_gap_runs_from_the_last_delivery_or_the_start_of_the_truce() -> None:
    delivered = step("offloaded", at(2))
    assert access(delivered, number=8, now=at(9) - 1) == ("MET", ())
    assert access(delivered, number=8, now=at(9)) == ("BROKEN", ("un/aid-1",))
    assert access(step("offloaded", at(-30)), number=5)[0] == "MET"
    assert access(step("offloaded", at(-30)), number=6) == ("BROKEN", ("un/aid-1",))
    assert access(step("requested", at(6)), number=6) == ("BROKEN", ())


def test_of_two_last_deliveries_at_once_the_name_that_sorts_last_is_the_evidence() -> None:
    told = [step("offloaded", at(0), convoy_id=name) for name in ("aid-2", "aid-9", "aid-1")]
    assert access(*told, number=6) == ("BROKEN", ("un/aid-9",))


def test_what_began_at_the_horizon_or_later_is_not_known() -> None:
    assert access(step("offloaded", at(1)), number=0, now=at(5)) == ("UNKNOWN", ())
    assert access(step("offloaded", at(1) - 1), number=0, now=at(5)) == ("MET", ())
    assert access(step("offloaded", at(0, 5)), number=0, now=at(0, 5)) == ("UNKNOWN", ())


def test_attack_comes_before_overdue_and_overdue_before_the_gap() -> None:
    late, hit = step("requested", at(0), convoy_id="late"), step("attacked", at(9, 1), convoy_id="hit")
    assert access(late, hit, number=9) == ("BROKEN", ("un/hit",))
    assert access(late, hit, number=10) == ("BROKEN", ("un/late",))


def test_steps_are_ordered_by_start_then_report_time_then_report_id() -> None:
    told = [
        step("held", at(0), reported_at=2, report_id="b"),
        step("denied", at(0), reported_at=2, report_id="c"),
        step("offloaded", at(0), reported_at=3, report_id="a"),
        step("requested", at(0), reported_at=1, report_id="z"),
    ]
    (convoy,) = convoys_of(TRUCE, told)
    assert [one.kind for one in convoy.steps] == ["requested", "held", "denied", "offloaded"]


def test_the_same_convoy_name_of_two_feeds_is_two_convoys() -> None:
    told = [step("attacked", at(0, 1)), step("attacked", at(0, 2), feed="ngo")]
    assert access(*told) == ("BROKEN", ("ngo/aid-1", "un/aid-1"))


# -- verdict, streak, window


def test_broken_outweighs_unknown_and_unknown_outweighs_met() -> None:
    watched = watch(at(0), at(1), regions=("SY01", "SY02"))
    assert judged(watched).verdict == "MET"
    assert judged(watched, region="SY02").verdict == "UNKNOWN"
    assert judged(watched, step("approved", at(0)), region="SY02").verdict == "MET"
    assert judged(step("attacked", at(0)), region="SY02").verdict == "BROKEN"


def test_a_streak_is_what_ends_with_the_last_completed_day() -> None:
    newest_first = [(day(3), "MET"), (day(2), "MET"), (day(1), "UNKNOWN"), (day(0), "MET")]
    assert streak(newest_first) == (2, day(1), "UNKNOWN")
    assert streak(newest_first[:2]) == (2, None, None)
    assert streak([]) == (0, None, None)


def test_a_day_is_completed_the_instant_it_ends() -> None:
    assert completed(TRUCE, DAYS, at(1) - 1) == []
    assert completed(TRUCE, DAYS, at(2)) == [day(1), day(0)]


def test_the_window_is_seven_days_with_the_running_one_cut_at_the_first() -> None:
    assert window(TRUCE, DAYS, at(2, 1)) == [day(0), day(1), day(2)]
    assert window(TRUCE, DAYS, at(9, 1)) == [day(n) for n in range(3, 10)]


def test_trailing_hours_are_the_running_one_and_the_167_before_it() -> None:
    now = at(10, 0.5)
    begun = [at(10) - 167 * HOUR, at(10) - 167 * HOUR - 1, now, at(10, 1), at(9)]
    told = [incident(f"i{n}", when=when, deaths_best=1) for n, when in enumerate(begun)]
    out = incident("out", when=at(9), in_scope=False)
    assert trailing(Linking(TRUCE, DAYS, [*told, out]).incidents(), now) == (3, 3)
