"""The naive linking, sentence by sentence of docs/judging.md, "Linking"."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest

from schemas.agreement import Agreement
from schemas.truceday import Micros
from sinks.verify.candidates import distance
from sinks.verify.days import Days
from sinks.verify.history import NaiveReport
from sinks.verify.incidents import Content, NaiveIncident
from sinks.verify.linking import NOW, Linking
from tests.support.recounting import recount
from tests.support.worlds import HOUR, TRUCE, at, day

MINUTE = HOUR // 60
RULES: dict[str, Any] = {
    "minutes": 90,
    "weakest_place": "governorate",
    "exact_metres": 500,
    "near_metres": 3_000,
    "district_metres": 20_000,
    "repeating_feeds": ["videos"],
}
NOON = at(0, 12)
#: A degree of latitude.
DEGREE = 111_195
HERE = (33.5, 36.3)


def linking(**changes: Any) -> Agreement:
    return Agreement.model_validate({**TRUCE.model_dump(by_alias=True), "linking": {**RULES, **changes}})


LINKING = linking()


def north(metres: float) -> tuple[float, float]:
    """Return the point so far north of here."""
    return HERE[0] + metres / DEGREE, HERE[1]


def a(report_id: str = "1", feed: str = "a", *, when: Micros = NOON, to: Micros | None = None, **changes: Any) -> Any:
    """Return a report of an hour at noon, exactly here."""
    spine: dict[str, Any] = {"offset": 0, "revision": 1, "active": True, "type": "incident", "regions": ("SY01",)}
    spine |= {"occurred_from": when, "occurred_to": when + HOUR if to is None else to, "reported_at": when + HOUR}
    place = {"kind": "shelling", "place_precision": "exact", "point": HERE, "names_parties": False}
    return NaiveReport(**{**spine, **place, "feed": feed, "report_id": report_id, **changes})


def b(report_id: str = "1", **changes: Any) -> NaiveReport:
    return a(report_id, "b", **changes)  # type: ignore[no-any-return]


def c(report_id: str = "1", **changes: Any) -> NaiveReport:
    return a(report_id, "c", **changes)  # type: ignore[no-any-return]


def video(report_id: str = "1", **changes: Any) -> NaiveReport:
    return a(report_id, "videos", **changes)  # type: ignore[no-any-return]


def found(*reports: NaiveReport, truce: Agreement = LINKING, before: int = NOW) -> list[NaiveIncident]:
    return Linking(truce, Days.of(truce), reports).incidents(before)


def active(incidents: Iterable[NaiveIncident]) -> list[str]:
    """Return the active reports of each incident, as "a/1 b/1", sorted."""
    return sorted(
        " ".join(sorted(member.report.name for member in incident.members if member.standing == "active"))
        for incident in incidents
    )


def grouped(*reports: NaiveReport, truce: Agreement = LINKING) -> list[str]:
    return active(found(*reports, truce=truce))


def linked(one: NaiveReport, other: NaiveReport, truce: Agreement = LINKING) -> bool:
    """Whether two reports are one incident, asked both ways round."""
    assert grouped(one, other, truce=truce) == grouped(other, one, truce=truce)
    return len(grouped(one, other, truce=truce)) == 1


def only(*reports: NaiveReport, truce: Agreement = LINKING) -> NaiveIncident:
    (incident,) = found(*reports, truce=truce)
    return incident


def content(*reports: NaiveReport, truce: Agreement = LINKING) -> Content:
    return only(*reports, truce=truce).content


# -- candidates


def test_without_a_section_linking_every_report_is_an_incident_of_its_own() -> None:
    assert grouped(a(), b(same_as=("a/1",)), truce=TRUCE) == ["a/1", "b/1"]


def test_two_feeds_that_agree_in_all_tell_of_one_incident() -> None:
    assert grouped(a(), b()) == ["a/1 b/1"]


def test_one_feed_tells_of_two_incidents_unless_it_repeats() -> None:
    assert grouped(a("1"), a("2")) == ["a/1", "a/2"]
    assert grouped(video("1"), video("2")) == ["videos/1 videos/2"]


def test_candidates_are_in_one_region() -> None:
    assert not linked(a(), b(regions=("SY02",)))


def test_what_is_in_no_region_of_the_agreement_is_no_incident() -> None:
    assert grouped(a(regions=("SY03",)), b(regions=("SY03",))) == []


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("airstrike", "chemical", True),
        ("shelling", "explosive", True),
        ("armed_clash", "small_arms", True),
        ("territory_taken", "armed_clash", True),
        ("arrest", "arrest", True),
        ("shelling", "armed_clash", False),
        ("attack_on_aid", "airstrike", True),
        ("attack_on_aid", "small_arms", True),
        ("attack_on_aid", "attack_on_civilians", True),
        ("unspecified", "airstrike", True),
        ("unspecified", "territory_taken", True),
        ("unspecified", "attack_on_aid", True),
        ("unspecified", "arrest", False),
        ("unspecified", "other", False),
        ("attack_on_civilians", "attack_on_civilians", True),
        ("attack_on_civilians", "arrest", False),
        ("other", "airstrike", False),
        ("other", "territory_taken", False),
        ("other", "attack_on_aid", False),
        ("other", "other", True),
        ("other", "arrest", False),
        ("arrest", "small_arms", False),
    ],
)
def test_kinds_agree_by_means_or_say_at_whom(one: str, other: str, agree: bool) -> None:
    assert linked(a(kind=one), b(kind=other)) is agree


@pytest.mark.parametrize(
    ("one", "other", "gap", "agree"),
    [
        ("minute", "minute", 90 * MINUTE, True),
        ("minute", "minute", 90 * MINUTE + 1, False),
        ("minute", "hour", 90 * MINUTE, True),
        ("minute", "day", -1, True),
        ("minute", "day", 0, False),
        ("day", "day", -1, True),
        ("day", "day", 0, False),
        ("day", "hour", 0, False),
        ("minute", "week", -HOUR, False),
        ("month", "month", -HOUR, False),
        ("longer", "day", -HOUR, False),
    ],
)
def test_times_agree_within_the_minutes_and_days_only_where_they_overlap(
    one: str, other: str, gap: Micros, agree: bool
) -> None:
    later = b(when=NOON + HOUR + gap, time_precision=other)
    assert linked(a(time_precision=one), later) is agree


def test_an_interval_of_more_than_26_hours_has_no_candidates() -> None:
    assert linked(a(), b(when=NOON, to=NOON + 26 * HOUR, time_precision="day"))
    assert not linked(a(), b(when=NOON, to=NOON + 26 * HOUR + 1, time_precision="day"))


def test_an_instant_agrees_with_the_day_it_lies_in() -> None:
    for begun, agree in ((NOON - 24 * HOUR, False), (NOON - 24 * HOUR + 1, True), (NOON, True), (NOON + 1, False)):
        assert linked(a(to=NOON), b(when=begun, to=begun + 24 * HOUR, time_precision="day")) is agree
    assert linked(a(to=NOON, time_precision="day"), b(to=NOON, time_precision="day"))
    assert not linked(a(to=NOON, time_precision="day"), b(when=NOON + 1, to=NOON + 1, time_precision="day"))


@pytest.mark.parametrize(
    ("one", "other", "reach"),
    [
        ("exact", "exact", 1_000),
        ("exact", "near", 3_500),
        ("near", "near", 6_000),
        ("near", "district", 23_000),
        ("district", "district", 40_000),
    ],
)
def test_places_agree_within_the_sum_of_their_reaches(one: str, other: str, reach: int) -> None:
    for metres, agree in ((reach - 1, True), (reach + 1, False)):
        assert linked(a(place_precision=one), b(place_precision=other, point=north(metres))) is agree


def test_a_governorate_agrees_with_every_place_in_it() -> None:
    assert linked(a(), b(place_precision="governorate", point=north(90_000)))
    assert linked(a(), b(place_precision="unknown", point=north(90_000)))
    assert linked(a(), b(place_precision="exact", point=None))


def test_a_place_known_to_the_country_agrees_with_nothing() -> None:
    assert not linked(a(), b(place_precision="country"))
    assert not linked(b(place_precision="country", point=None), c(place_precision="country", point=None))


@pytest.mark.parametrize(
    ("weakest", "agreeing"),
    [("exact", 1), ("near", 2), ("district", 3), ("governorate", 4)],
)
def test_no_pair_is_coarser_than_the_weakest_place(weakest: str, agreeing: int) -> None:
    truce = linking(weakest_place=weakest)
    classes = ("exact", "near", "district", "governorate")
    assert sum(linked(a(), b(place_precision=precision), truce) for precision in classes) == agreeing


def test_names_tell_where_points_do_not() -> None:
    truce = linking(weakest_place="named")
    called = {"place_key": "old town", "point": None}
    assert linked(a(**called), b(**called), truce)
    assert linked(a(place_key="old town"), b(**called), truce)
    assert linked(a(place_key="old town"), b(place_key="old town", place_precision="unknown"), truce)
    assert linked(a(place_key="old town"), b(), truce), "two points need no name"
    assert not linked(a(place_key="old town"), b(place_key="old town", point=north(90_000)), truce)
    assert not linked(a(**called), b(place_key="new town", point=None), truce)
    assert not linked(a(point=None), b(point=None), truce)
    assert not linked(a(**called), b(**called, place_precision="governorate"), truce)
    assert not linked(a(**called), b(**called, place_precision="district"), truce)
    assert linked(a(**called), b(**called, place_precision="district"), linking(weakest_place="district"))
    assert not linked(a(**called), b(**called), linking(weakest_place="near"))
    assert not linked(video("1", **called), video("2", **called), truce)


def test_a_link_by_name_is_good_at_an_hour_and_doubtful_at_a_day() -> None:
    called = {"place_key": "old town", "point": None}
    for precise, sure in (("hour", "good"), ("day", "doubtful")):
        incident = only(a(**called), b(**called, kind="unspecified", time_precision=precise))
        assert (incident.certainty, [link.why for link in incident.links]) == (sure, ["same_name"])


def test_distances_are_great_circles_in_whole_metres() -> None:
    assert distance((0.0, 0.0), (0.0, 1.0)) == 111_195
    assert distance((60.0, 0.0), (60.0, 1.0)) == 55_597
    assert distance((10.0, 179.9), (10.0, -179.9)) == 21_901
    assert distance((90.0, 0.0), (-90.0, 120.0)) == 20_015_114


def test_reports_of_a_repeating_feed_must_know_hour_and_place() -> None:
    assert linked(video("1"), video("2", place_precision="near", time_precision="hour"))
    assert not linked(video("1"), video("2", time_precision="day"))
    assert not linked(video("1"), video("2", place_precision="district"))
    assert not linked(video("1"), video("2", point=None))


def test_either_side_may_deny() -> None:
    assert not linked(a(not_same_as=("b/1",)), b())
    assert not linked(a(), b(not_same_as=("a/1",)))


# -- closeness and links


def test_of_one_feed_only_the_closest_is_linked() -> None:
    assert grouped(a(), b("far", point=north(400)), b("near", point=north(100))) == ["a/1 b/near", "b/far"]


def test_a_link_takes_two_that_are_closest_to_each_other() -> None:
    told = [a("1"), b("1", point=north(100)), a("2", point=north(150))]
    assert grouped(*told) == ["a/1", "a/2 b/1"]


def test_place_comes_before_time_precision_and_that_before_distance() -> None:
    far_exact, near_near = b("exact", point=north(900)), b("near", place_precision="near")
    assert grouped(a(), far_exact, near_near) == ["a/1 b/exact", "b/near"]
    by_minute, by_hour = b("minute", point=north(900)), b("hour", time_precision="hour")
    assert grouped(a(), by_minute, by_hour) == ["a/1 b/minute", "b/hour"]


def test_thousandths_of_distance_and_of_time_add_up() -> None:
    """300 of 1,000 metres and 45 of 90 minutes come to 800; 790 of 1,000 metres is closer, 810 is not."""
    both = b("both", when=NOON + HOUR + 45 * MINUTE, point=north(300))
    assert grouped(a(), both, b("far", point=north(790))) == ["a/1 b/far", "b/both"]
    assert grouped(a(), both, b("far", point=north(810))) == ["a/1 b/both", "b/far"]


def test_thousandths_are_rounded_down_so_that_names_decide_between_almost_equals() -> None:
    truce = linking(exact_metres=5_000)
    told = [a(), b("1", point=north(109)), b("2", point=north(101))]
    assert grouped(*told, truce=truce) == ["a/1 b/1", "b/2"]


def test_names_are_compared_as_they_are_written() -> None:
    """A hyphen sorts before a stroke: ``m-x/1`` comes before ``m/1`` whatever the feeds alone would say."""
    first, second = a("1", "m", same_as=("z/1",)), a("1", "m-x", same_as=("z/1",))
    third = a("1", "z", not_same_as=())
    denying = first._replace(not_same_as=("m-x/1",))
    assert grouped(denying, second, third) == ["m-x/1 z/1", "m/1"]


def test_a_repeating_feed_links_all_candidates() -> None:
    told = [video(str(n), point=north(700 * n)) for n in range(4)]
    assert grouped(*told) == ["videos/0 videos/1 videos/2 videos/3"]


def test_an_assertion_links_whatever_region_time_or_kind() -> None:
    other = b(regions=("SY02",), when=at(4), kind="arrest", same_as=("a/1",), time_precision="longer")
    assert linked(a(), other)
    assert linked(a("1", same_as=("a/2",)), a("2"))


def test_a_denial_wins_over_an_assertion_from_either_side() -> None:
    assert not linked(a(same_as=("b/1",)), b(not_same_as=("a/1",)))
    assert not linked(a(same_as=("b/1",), not_same_as=("b/1",)), b())


@pytest.mark.parametrize(
    "named",
    [b("2"), b(active=False), b(regions=("SY09",)), b(type="convoy"), b(active=False, merged_into="2")],
    ids=["unknown", "retracted", "elsewhere", "no incident", "merged"],
)
def test_an_assertion_of_what_is_not_there_has_no_effect(named: NaiveReport) -> None:
    told = grouped(a(same_as=("b/1", "a/1"), when=at(2)), named)
    assert told[0] == "a/1"


def test_an_assertion_takes_effect_when_the_report_it_names_comes() -> None:
    told = [a(same_as=("b/1",), offset=1), b(when=at(3), offset=5)]
    assert active(found(*told, before=5)) == ["a/1"]
    assert active(found(*told, before=6)) == ["a/1 b/1"]


def test_a_report_id_may_hold_a_stroke() -> None:
    assert linked(a(same_as=("b/x/1",)), b("x/1", when=at(2)))


def test_a_circle_of_assertions_is_harmless() -> None:
    told = [a(same_as=("b/1",)), b(when=at(2), same_as=("c/1",)), c(when=at(4), same_as=("a/1",))]
    assert grouped(*told) == ["a/1 b/1 c/1"]
    assert len(only(*told).links) == 2


# -- incidents


def test_links_join_across_feeds() -> None:
    assert grouped(a(), b(), c()) == ["a/1 b/1 c/1"]


def test_no_link_brings_two_reports_of_one_feed_together_unless_it_is_asserted() -> None:
    """b/1 is linked with a/1, c/1 with a/2, and b/1 with c/1: the last is the farthest and joins nothing."""
    told = [a("1"), b(point=north(300)), c(point=north(900)), a("2", point=north(1_300))]
    assert grouped(*told) == ["a/1 b/1", "a/2 c/1"]
    told[1] = told[1]._replace(same_as=("c/1",))
    assert grouped(*told) == ["a/1 b/1 c/1", "a/2"]
    told[0] = told[0]._replace(same_as=("a/2",))
    assert grouped(*told) == ["a/1 a/2 b/1 c/1"]


def test_no_link_brings_two_together_that_deny_each_other() -> None:
    told = [a(not_same_as=("c/1",)), b(point=north(100)), c(point=north(300))]
    assert grouped(*told) == ["a/1 b/1", "c/1"]
    assert grouped(told[0], told[1]._replace(same_as=("c/1",)), told[2]) == ["a/1", "b/1 c/1"]


def test_asserted_links_come_first_and_by_their_names() -> None:
    """Both assertions would join a/1 and b/1, which deny each other; that of the smaller name is taken."""
    told = [a(not_same_as=("b/1",)), b(), c(when=at(3), same_as=("a/1", "b/1"))]
    assert grouped(*told) == ["a/1 c/1", "b/1"]


def test_the_order_of_reports_never_shows() -> None:
    told = [a("1"), a("2", point=north(200)), b(point=north(150), not_same_as=("c/1",)), c(), video(same_as=("a/2",))]
    wanted = {(incident.name, *active([incident])) for incident in found(*told)}
    for shuffled in permutations(told):
        assert {(incident.name, *active([incident])) for incident in found(*shuffled)} == wanted


# -- content


def test_the_lead_is_the_most_exact_then_shortest_then_earliest_report() -> None:
    of_day = a(when=at(0), to=at(1), time_precision="day", reported_at=at(0, 1))
    of_hour = b(when=at(0, 11), to=at(0, 13), time_precision="hour")
    of_minute = c(when=at(0, 12), to=at(0, 13))
    assert content(of_day, of_hour, of_minute).lead.name == "c/1"
    assert content(of_day, of_hour).lead.name == "b/1"
    assert content(of_hour, of_minute._replace(time_precision="hour")).lead.name == "c/1"
    assert content(a(when=NOON + MINUTE, to=NOON + MINUTE + HOUR), b()).lead.name == "b/1"
    assert content(a("2"), b("1")).lead.name == "a/2"


def test_region_and_day_are_those_of_the_lead() -> None:
    told = content(a(when=at(3), regions=("SY02",)), b(when=at(1), time_precision="hour", same_as=("a/1",)))
    assert (told.region, told.truce_day, told.occurred_from) == ("SY02", day(3), at(3))


def test_the_kind_is_the_leads_unless_some_report_has_a_severe_one() -> None:
    assert content(a(), b(kind="airstrike")).kind == "shelling"
    assert content(a(), b(kind="attack_on_aid", time_precision="hour")).kind == "attack_on_aid"


def test_it_is_in_scope_when_one_report_that_names_parties_is_or_none_names_any() -> None:
    silent, bound, outside = a(), b(names_parties=True), c(names_parties=True, in_scope=False)
    assert content(silent, b()).in_scope
    assert content(silent, bound, outside).in_scope
    assert not content(silent, outside).in_scope


def test_tolls_are_the_least_low_the_greatest_high_and_the_best_told_last() -> None:
    told = [
        a(deaths_low=2, deaths_best=5, deaths_high=9, reported_at=7),
        b(deaths_low=1, deaths_best=4, reported_at=8),
        c(deaths_high=12, reported_at=9),
    ]
    counted = content(*told)
    assert (counted.deaths_low, counted.deaths_best, counted.deaths_high) == (1, 4, 12)
    assert content(a(deaths_best=1, reported_at=7), b(deaths_best=2, reported_at=7)).deaths_best == 2
    assert content(a(), b())[7:10] == (None, None, None)


def test_a_report_without_a_range_has_its_one_figure_in_the_range_of_the_incident() -> None:
    ranged = content(a(deaths_low=5, deaths_best=8, deaths_high=9, reported_at=7), b(deaths_best=3, reported_at=8))
    assert (ranged.deaths_low, ranged.deaths_best, ranged.deaths_high) == (3, 3, 9)
    apart = content(a(deaths_low=5, reported_at=7), b(deaths_high=3, reported_at=8))
    assert (apart.deaths_low, apart.deaths_best, apart.deaths_high) == (5, 5, 5)


def test_only_feeds_that_count_give_an_incident_its_content() -> None:
    truce = LINKING.model_copy(update={"violence": TRUCE.violence.model_copy(update={"feeds": ["b"]})})
    told = [a(deaths_best=9, reported_at=at(9)), b(time_precision="hour", deaths_best=1)]
    counted = content(*told, truce=truce)
    assert (counted.lead.name, counted.deaths_best, counted.feeds) == ("b/1", 1, {"b"})
    uncounted = content(told[0], c(), truce=truce)
    assert (uncounted.counted, uncounted.lead.name, uncounted.deaths_best) == (False, "a/1", 9)
    assert recount(truce, [told[0], c()], at(1))["SY01", day(0)].incidents == 0


def test_an_incident_of_three_feeds_counts_once_and_each_feed_with_it() -> None:
    truce = LINKING.model_copy(
        update={"coverage": TRUCE.coverage.model_copy(update={"reports_cover_the_day": True, "min_feeds": 3})}
    )
    verdict = recount(truce, [a(), b(), c()], at(1))["SY01", day(0)]
    assert (verdict.incidents, verdict.share, verdict.verdict) == (1, 1, "MET")


# -- names


def test_an_incident_is_called_by_the_report_told_first_then_by_feed_and_report() -> None:
    assert only(a(reported_at=9), b(reported_at=8)).name == "b/1"
    assert only(a("2", reported_at=8), b("1", reported_at=8)).name == "a/2"


def test_told_first_is_the_least_time_of_all_revisions_known() -> None:
    told = [a(reported_at=9, offset=1), b(reported_at=20, revision=2, offset=2), b(reported_at=5, offset=4)]
    assert [found(*told, before=before)[0].name for before in (3, 5)] == ["a/1", "b/1"]


def test_a_retraction_renames_nothing() -> None:
    told = [a(reported_at=5, offset=1), b(offset=2), a(revision=2, active=False, reported_at=30, offset=3)]
    incidents = [only(*told[:n]) for n in (2, 3)]
    assert [incident.name for incident in incidents] == ["a/1", "a/1"]
    assert [incident.origins for incident in incidents] == [{"a", "b"}, {"b"}]


def test_a_retracted_report_belongs_where_it_would_be_linked_first() -> None:
    """Of its two links the closer one decides; what remains of the other keeps its own name."""
    told = [a(reported_at=1, active=False), b(point=north(100)), c(point=north(200), not_same_as=("b/1",))]
    assert sorted(incident.name for incident in found(*told)) == ["a/1", "c/1"]
    asserted = told[2]._replace(same_as=("a/1",))
    assert sorted(incident.name for incident in found(*told[:2], asserted)) == ["a/1", "b/1"]


def test_a_retracted_report_that_would_not_be_linked_lends_no_name() -> None:
    closer = b("2", point=north(10))
    told = [b("1", point=north(100), reported_at=1, active=False), a(), closer]
    assert sorted(incident.name for incident in found(*told)) == ["a/1"]
    assert [incident.name for incident in found(*told[:2])] == ["b/1"]


def test_retracted_reports_stand_again_alone_and_not_together() -> None:
    """b/1 would be linked to a/1 only if c/1 stood too; c/1 is retracted as well."""
    told = [
        a(),
        b(reported_at=1, active=False, when=at(3), same_as=("c/1",)),
        c(reported_at=2, active=False, same_as=("a/1",)),
    ]
    assert [incident.name for incident in found(*told)] == ["c/1"]


def test_a_retracted_report_whose_link_would_not_join_lends_no_name() -> None:
    """b/1 says that c/1, of the same feed as c/2, tells of the same: c/2 was an incident of its own."""
    told = [b(same_as=("c/1",)), c("1", when=at(3)), c("2", reported_at=1)]
    assert sorted(incident.name for incident in found(*told)) == ["b/1", "c/2"]
    assert [incident.name for incident in found(*told[:2], told[2]._replace(active=False))] == ["b/1"]


def test_nothing_but_retracted_reports_is_no_incident() -> None:
    assert found(a(active=False), b(active=False)) == []


def test_a_merged_report_belongs_to_the_incident_of_the_other_through_any_chain() -> None:
    told = [
        a("1", reported_at=9),
        a("2", reported_at=7, active=False, merged_into="1"),
        a("3", reported_at=5, active=False, merged_into="2"),
    ]
    (incident,) = found(*told)
    assert (incident.name, active([incident]), incident.certainty) == ("a/3", ["a/1"], None)
    assert {member.report.name: member.standing for member in incident.members} == {
        "a/1": "active",
        "a/2": "merged",
        "a/3": "merged",
    }


def test_a_merged_report_belongs_to_a_retracted_one_that_still_lends_its_name() -> None:
    told = [a("1", active=False), a("0", reported_at=1, active=False, merged_into="1"), b()]
    assert only(*told).name == "a/0"


def test_a_circle_of_merges_or_an_unknown_end_belongs_nowhere() -> None:
    told = [a(str(n), reported_at=1, active=False, merged_into=into) for n, into in ((2, "3"), (3, "2"), (4, "none"))]
    incident = only(a("1", reported_at=9), *told)
    assert (incident.name, len(incident.members)) == ("a/1", 1)


def test_a_merge_counts_the_report_no_more() -> None:
    told = [a("1", offset=1), a("2", offset=2), a("2", offset=3, revision=2, active=False, merged_into="1")]
    assert [len(found(*told[:n])) for n in (1, 2, 3)] == [1, 2, 1]


# -- certainty and origins


def test_an_incident_is_as_certain_as_its_least_certain_link() -> None:
    assert only(a()).certainty is None
    assert only(a(), b(same_as=("a/1",))).certainty == "asserted"
    assert only(a(), b(place_precision="near")).certainty == "good"
    assert only(a(), b(place_precision="near", time_precision="day")).certainty == "doubtful"
    assert only(a(), b(time_precision="day")).certainty == "good"
    assert only(a(), b(place_precision="district")).certainty == "doubtful"
    assert only(a(), b(same_as=("a/1",)), c()).certainty == "good"


def test_a_link_between_two_that_are_together_already_joins_nothing() -> None:
    """c/1 is exact and a little off; a/1 and b/1 are linked through it, and not by the district that b/1 states."""
    incident = only(a(), b(), c(place_precision="district"))
    assert len(incident.links) == 2
    assert sorted(link.certainty for link in incident.links) == ["doubtful", "good"]


def test_origins_are_the_first_tellers_letter_case_aside() -> None:
    told = [a(tellers=("SANA", "Reuters")), b(tellers=("sana",)), c()]
    assert only(*told).origins == {"sana", "reuters", "c"}
    assert len(only(*[report._replace(tellers=("AFP",)) for report in told]).origins) == 1


# -- moments


def test_every_moment_knows_only_what_came_before_it() -> None:
    told = [
        a(offset=1),
        b("far", offset=3, point=north(200)),
        b("near", offset=5),
        b("near", offset=7, revision=2, active=False),
    ]
    linked_now = Linking(LINKING, Days.of(LINKING), told)
    wanted = {2: ["a/1"], 4: ["a/1 b/far"], 6: ["a/1 b/near", "b/far"], 8: ["a/1 b/far"]}
    # Back and forth: what is remembered of one moment must not show at another.
    for before in (8, 2, 6, 4, 6, 2, 8):
        assert active(linked_now.incidents(before)) == wanted[before]


# -- how it is shown


def shown(incident: NaiveIncident, name: str) -> tuple[str, str, str] | None:
    """Return what a report is linked to, why, and how certain that is."""
    (member,) = (member for member in incident.members if member.report.name == name)
    link = member.link
    return link and (link.beside(member.report.identity).name, link.why, link.certainty)


def test_a_report_is_shown_with_the_first_link_that_joined_it() -> None:
    incident = only(a(), b(point=north(100)), c(when=at(3), same_as=("b/1",)), video(place_precision="district"))
    assert shown(incident, "a/1") == ("b/1", "closest", "good")
    assert shown(incident, "b/1") == ("c/1", "same_as", "asserted")
    assert shown(incident, "c/1") == ("b/1", "same_as", "asserted")
    assert shown(incident, "videos/1") == ("a/1", "closest", "doubtful")
    assert shown(only(video("1"), video("2")), "videos/2") == ("videos/1", "repeating_feed", "good")


def test_what_belongs_without_counting_is_shown_with_what_brought_it() -> None:
    incident = only(a(), b(active=False), a("2", active=False, merged_into="1"))
    assert shown(incident, "b/1") == ("a/1", "closest", "good")
    assert shown(incident, "a/2") == ("a/1", "merged_into", "asserted")
    assert shown(incident, "a/1") is None


# -- what tells two occurrences apart


def by_day(report_id: str, feed: str = "a", **changes: Any) -> NaiveReport:
    """Return a report of a day and a town."""
    return a(report_id, feed, **{"time_precision": "day", "place_precision": "near", **changes})  # type: ignore[no-any-return]


def joined(*reports: NaiveReport, **rules: Any) -> int:
    """Return of how many reports the largest incident is."""
    rows = [report._replace(offset=offset) for offset, report in enumerate(reports)]
    found = Linking(linking(**rules), Days.of(LINKING), rows).incidents()
    return max(len(incident.members) for incident in found)


@pytest.mark.parametrize(
    ("one", "other", "parted"),
    [
        ((2, None), (25, None), True),
        ((2, None), (5, None), False),
        ((5, 9), (27, None), False),
        ((5, 9), (28, 40), True),
    ],
)
def test_tolls_part_reports_when_one_lies_wholly_too_far_above_the_other(
    one: tuple[int, int | None], other: tuple[int, int | None], parted: bool
) -> None:
    pair = a(deaths_best=one[0], deaths_high=one[1]), b(deaths_best=other[0], deaths_high=other[1])
    assert joined(*pair, toll_ratio=3) == (1 if parted else 2)
    assert joined(*pair[::-1], toll_ratio=3) == (1 if parted else 2)
    assert joined(*pair) == 2


def test_two_names_are_two_places_beyond_the_reach_of_exact_points() -> None:
    there = {"place_precision": "near", "place_key": "mill"}
    assert joined(a(place_key="hill"), b(point=north(999), **there)) == 2
    assert joined(a(place_key="hill"), b(point=north(1_001), **there)) == 1
    assert joined(a(place_key="mill"), b(point=north(1_001), **there)) == 2
    assert joined(a(), b(point=north(1_001), **there)) == 2


def test_of_two_strikes_alike_by_day_a_report_picks_none() -> None:
    assert joined(by_day("1"), by_day("2", point=north(400)), by_day("3", "b")) == 1
    assert joined(by_day("1"), by_day("3", "b")) == 2
    assert joined(by_day("1"), by_day("2", point=north(400), active=False), by_day("3", "b")) == 2
    assert joined(by_day("1"), by_day("2", point=north(400), place_precision="district"), by_day("3", "b")) == 2
    assert joined(by_day("1"), by_day("2", point=north(600)), by_day("3", "b")) == 2
    assert joined(*(by_day(*who, point=None, place_key="mill") for who in ("1a", "2a", "3b"))) == 2


def at_the_mill(report_id: str, feed: str = "a", **changes: Any) -> NaiveReport:
    """Return a report of a day and a place by its name."""
    return by_day(report_id, feed, **{"place_key": "mill", **changes})


def test_of_strikes_alike_in_a_place_by_its_name_it_is_the_one_with_the_most_dead() -> None:
    three = at_the_mill("3", "b")
    [linked_] = [each for each in found(at_the_mill("1"), at_the_mill("2", deaths_high=4), three) if each.links]
    assert (active([linked_]), linked_.certainty) == (["a/2 b/3"], "doubtful")
    [nearer] = [each for each in found(at_the_mill("2"), at_the_mill("1", point=north(400)), three) if each.links]
    assert (active([nearer]), nearer.certainty) == (["a/2 b/3"], "doubtful")
    assert joined(at_the_mill("1"), at_the_mill("2", place_key=None, deaths_best=9), three) == 1
    [back] = [each for each in found(at_the_mill("1"), three, at_the_mill("2", "b", deaths_best=1)) if each.links]
    assert (active([back]), back.certainty) == (["a/1 b/2"], "doubtful")


@pytest.mark.parametrize(
    ("one", "other", "sure"),
    [
        ({"kind": "airstrike"}, {}, "good"),
        ({"kind": "armed_clash"}, {"kind": "territory_taken"}, "good"),
        ({"kind": "unspecified"}, {}, "doubtful"),
        ({"kind": "arrest"}, {"kind": "arrest"}, "doubtful"),
        ({"place_key": "hill"}, {}, "doubtful"),
        ({"place_key": None}, {}, "doubtful"),
        ({"place_precision": "district"}, {}, "doubtful"),
    ],
)
def test_a_name_a_day_and_a_manner_make_a_link_good(one: dict[str, Any], other: dict[str, Any], sure: str) -> None:
    assert only(at_the_mill("1", **one), at_the_mill("1", "b", **other)).certainty == sure


def test_one_toll_tells_which_of_two_strikes_it_is() -> None:
    three = by_day("3", "b", deaths_best=5)
    assert joined(by_day("1", deaths_best=4), by_day("2", deaths_best=5), three) == 2
    assert joined(by_day("1", deaths_best=5), by_day("2", deaths_low=5, deaths_high=9), three) == 1
    assert joined(by_day("1"), by_day("2", deaths_best=1), three._replace(deaths_best=1)) == 1


def test_a_strike_takes_all_reports_of_a_repeating_feed_that_pick_it() -> None:
    videos = [by_day(str(number), "videos", point=north(100 * number)) for number in range(4)]
    assert joined(by_day("1"), *videos) == 5
    assert joined(by_day("1"), by_day("2"), *videos) == 1
    quarters = [
        video._replace(place_key=key) for video, key in zip(videos, ["mill", "hill", "mill", None], strict=True)
    ]
    assert joined(by_day("1"), *quarters) == 4
    assert joined(by_day("1", "clips"), *videos, repeating_feeds=["clips", "videos"]) == 2
