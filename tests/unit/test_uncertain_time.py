"""Incidents whose time is not known to the day; docs/judging.md, "Sure and possible"."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.agreement import Agreement
from schemas.facts import CountLine, Fact, IncidentFact
from schemas.rows import DayVerdict, Evidence
from sinks.reading import grid, open_published
from streams.ledger.core.interval_index import DayIndex
from streams.ledger.core.legs.possible import possible_days
from streams.ops.counterfactual_text import counterfactual_text
from streams.ops.explain_json import explanation_json
from streams.ops.grid import cell_text
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.worlds import (
    DAY,
    FIRST,
    HOUR,
    LINKING,
    TRUCE,
    World,
    agreement,
    at,
    bulletin,
    coverage,
    day,
    incident,
    tick,
)
from tests.unit.test_explain import NO_ACCESS, Ground, shellings, watch

WATCHED = coverage(low=at(0), high=at(8))
#: Of an instant of the first truce-day to the end of the third.
THREE_DAYS = {"when": at(0, 1), "to": at(3)}


def vague(report_id: str, **changes: Any) -> IncidentFact:
    return incident(report_id, **{**THREE_DAYS, **changes})


def sure(number: int) -> IncidentFact:
    return incident(f"sure-{number}", when=at(0, number))


def world(*told: Fact, truce: Agreement = TRUCE, now: int = at(4)) -> World:
    return World(truce).tell(WATCHED, *told, tick(now))


def judged(*told: Fact, truce: Agreement = TRUCE, number: int = 0) -> DayVerdict:
    return world(*told, truce=truce).verdict("SY01", number)


def found(row: DayVerdict) -> tuple[str, str, int, int]:
    return row.violence, row.rule, row.incidents_sure, row.incidents_possible


def evidence(row: DayVerdict) -> list[str]:
    named: list[str] = json.loads(row.evidence)["violence"]
    return named


def text(row: DayVerdict) -> str:
    told: str = json.loads(row.reasons)[0]["text"]
    return told


def test_what_is_not_known_to_the_day_breaks_no_day() -> None:
    row = judged(*(vague(f"v{n}") for n in range(5)), number=1)
    assert found(row) == ("UNKNOWN", "uncertain_time", 0, 5)
    assert evidence(row) == [f"feed-a/v{n}" for n in range(5)]
    assert text(row) == (
        "0 incidents in scope and 5 possible, of more than 26 h, limit 1 (the floor); "
        "100 % of the day watched, 75 % needed"
    )


def test_an_interval_of_26_hours_at_most_is_sure_on_its_truce_day_and_a_longer_one_on_none() -> None:
    short, long = ({"when": at(0, 1), "to": at(1, 3) + more} for more in (0, 1))
    assert found(judged(vague("a", **short), vague("b", **short)))[:3] == ("BROKEN", "count_above_limit", 2)
    row = judged(vague("a", **long), vague("b", **long))
    assert found(row) == ("UNKNOWN", "uncertain_time", 0, 2)


def test_an_agreement_says_how_long_an_interval_of_one_day_may_be() -> None:
    told = [vague("a"), vague("b")]
    assert found(judged(*told, truce=agreement(violence={"surely_within_hours": 71}), number=1))[2:] == (2, 0)
    assert found(judged(*told, truce=agreement(violence={"surely_within_hours": 70}), number=1))[2:] == (0, 2)


def test_a_possible_incident_is_possible_on_every_day_it_touches_and_counts_once() -> None:
    held = world(vague("v", when=at(0, 23), to=at(3)))
    rows = [held.verdict("SY01", number) for number in range(4)]
    assert [row.incidents_possible for row in rows] == [1, 1, 1, 0]
    assert [row.incidents for row in rows] == [0, 1, 0, 0]
    assert {row.violence for row in rows} == {"MET"}


def test_neither_a_day_of_25_hours_nor_the_first_of_a_month_draws_long_intervals_to_itself() -> None:
    fall_back = FIRST.replace(2016, 10, 27)
    start, end = TRUCE.calendar.start_of(fall_back), TRUCE.calendar.end_of(fall_back)
    assert end - start == 25 * HOUR
    held = World(TRUCE).tell(vague("a", when=start - DAY, to=end + DAY), vague("b", when=start - DAY, to=end + DAY))
    held.tell(tick(end + 2 * DAY)).flush()
    for offset in (-1, 0, 1):
        row = held.store.verdicts["SY01", fall_back + timedelta(days=offset)]
        assert found(row) == ("UNKNOWN", "uncertain_time", 0, 2)
    assert held.store.verdicts["SY01", fall_back].incidents == 2


def test_only_sure_incidents_break_a_day_and_only_they_are_named_then() -> None:
    row = judged(sure(2), sure(3), vague("v"))
    assert found(row) == ("BROKEN", "count_above_limit", 2, 1)
    assert evidence(row) == ["feed-a/sure-2", "feed-a/sure-3"]
    assert text(row).startswith("2 incidents in scope and 1 possible, of more than 26 h, limit 1")


def test_sure_and_possible_together_within_the_limit_are_met() -> None:
    assert found(judged(vague("v"))) == ("MET", "within_limit", 0, 1)
    assert found(judged(sure(2), vague("v"))) == ("UNKNOWN", "uncertain_time", 1, 1)


def test_the_possible_ones_are_named_the_earliest_ten() -> None:
    told = [vague(f"v{n:02}", when=at(0, 1) + n) for n in range(12)]
    assert evidence(judged(sure(2), *told)) == [f"feed-a/v{n:02}" for n in range(10)]


def test_a_possible_incident_of_a_severe_kind_makes_a_day_unknown_alone() -> None:
    row = judged(vague("v"), vague("s", kind="attack_on_aid"))
    assert (found(row), evidence(row)) == (("UNKNOWN", "uncertain_time", 0, 2), ["feed-a/s"])
    assert text(row).startswith("1 severe incident possible, one is enough; 0 incidents in scope and 2 possible")
    assert found(judged(incident("i", kind="attack_on_aid"), vague("s", kind="attack_on_aid")))[:2] == (
        "BROKEN",
        "severe_incident",
    )


def test_out_of_scope_withdrawn_or_of_an_uncounted_feed_it_is_possible_nowhere() -> None:
    outside = (("Government",), ("ISIL",))
    assert judged(vague("v", sides=outside)).incidents_possible == 0
    assert judged(vague("v"), vague("v", revision=2, retracted=True)).incidents_possible == 0
    assert judged(vague("v"), truce=agreement(violence={"feeds": ["feed-b"]})).incidents_possible == 0


def test_a_correction_to_the_day_settles_all_the_days_and_is_named_on_each() -> None:
    held = world(vague("a"), vague("b"))
    held.tell(vague("b", revision=2, when=at(1, 2), to=at(1, 3)), tick(at(4, 1)))
    rows = [held.verdict("SY01", number) for number in range(3)]
    assert [row.violence for row in rows] == ["MET", "UNKNOWN", "MET"]
    assert [json.loads(row.cause) for row in rows] == [{"reports": ["feed-a/b@2"], "more": 0}] * 3


def test_a_day_that_is_over_changes_by_an_incident_that_may_have_happened_on_it() -> None:
    held = World(TRUCE).tell(WATCHED, tick(at(7)), vague("a"), vague("b"), tick(at(7, 1)))
    for number in range(3):
        row = held.verdict("SY01", number)
        assert (row.violence, row.state, row.version) == ("UNKNOWN", "AMENDED", 2)
        assert json.loads(row.cause)["reports"] == ["feed-a/a@1", "feed-a/b@1"]
    assert held.verdict("SY01", 3).version == 1


def test_a_day_on_which_something_was_possible_rests_on_something() -> None:
    held = World(TRUCE).tell(vague("a", when=at(0, 23), to=at(3)), tick(at(7)))
    held.tell(vague("a", revision=2, retracted=True), tick(at(7, 1)))
    assert [held.verdict("SY01", number).state for number in (0, 3)] == ["AMENDED", "FINAL"]


def test_baselines_have_every_incident_once_on_its_truce_day() -> None:
    of_baseline = [vague(f"b{n}", when=at(-9), to=at(-1)) for n in range(100)]
    assert judged(*of_baseline).violence_limit == pytest.approx(2.0)
    assert found(judged(*of_baseline))[2:] == (0, 0)


def test_days_before_the_truce_and_after_its_end_are_touched_by_nothing() -> None:
    ended = agreement(clock={"ends": datetime(2016, 9, 14, 19)})  # noqa: DTZ001 - agreements state local time
    assert possible_days(TRUCE, at(-9), at(-1)) is None
    assert possible_days(TRUCE, at(-9), at(1, 1)) == (day(0), day(1))
    assert possible_days(ended, at(1), at(9)) == (day(1), day(1))
    assert possible_days(ended, at(2), at(9)) is None
    assert [judged(vague("v", when=at(-9), to=at(1)), number=n).incidents_possible for n in (0, 1)] == [1, 0]


def test_a_day_the_zone_skipped_holds_nothing() -> None:
    skipped = agreement(
        clock={"effective": datetime(2011, 12, 28), "time_zone": "Pacific/Apia", "anchor": time(0)},  # noqa: DTZ001
        violence={"baseline": {"first_day": FIRST.replace(2011, 12, 20), "last_day": FIRST.replace(2011, 12, 27)}},
    )
    start = skipped.effective
    held = World(skipped).tell(vague("v", when=start, to=start + 4 * DAY), tick(start + 5 * DAY))
    held.flush()
    days = [row for (region, _), row in sorted(held.store.verdicts.items()) if region == "SY01"]
    assert [(row.truce_day.day, row.incidents_possible) for row in days][:5] == [
        *((28, 1), (29, 1), (30, 0), (31, 1)),
        (1, 1),
    ]


def test_a_bulletin_contests_before_time_is_uncertain_and_says_against_what() -> None:
    told = bulletin("b1", low=at(0), high=at(1), tallies=(CountLine(5, "SY01"),))
    row = judged(told, sure(2), vague("v"))
    assert (found(row), evidence(row)) == (("UNKNOWN", "contested", 1, 1), ["monitor/b1"])
    assert "against 1 incident in scope and 1 possible, of more than 26 h, limit 1" in text(row)


def test_measured_by_a_monitor_only_a_severe_one_is_in_doubt() -> None:
    truce = agreement(violence={"bulletins_of": "monitor"})
    told = bulletin("b1", low=at(0), high=at(1), tallies=(CountLine(0, "SY01"),))
    assert found(judged(told, vague("a"), vague("b"), truce=truce)) == ("MET", "within_limit", 0, 2)
    severe = vague("s", kind="attack_on_aid")
    row = judged(told, severe, truce=truce)
    assert (found(row), evidence(row)) == (("UNKNOWN", "uncertain_time", 0, 1), ["feed-a/s"])
    assert "1 severe incident possible, one is enough; monitor/b1 counts 0 for" in text(row)
    row = judged(severe, truce=truce)
    assert (row.violence, row.rule, evidence(row)) == ("UNKNOWN", "no_bulletin", [])
    above = bulletin("b1", low=at(0), high=at(1), tallies=(CountLine(2, "SY01"),))
    assert found(judged(above, severe, truce=truce))[:2] == ("BROKEN", "count_above_limit")


def test_the_time_of_a_linked_incident_is_that_of_its_most_exact_report() -> None:
    truce = agreement(linking=LINKING)
    exact = incident("e", feed="feed-b", when=at(1, 2), same_as=("feed-a/v",))
    told = [vague("v", kind="attack_on_aid"), exact]
    held = world(*told, truce=truce)
    assert found(held.verdict("SY01", 1))[:3] == ("BROKEN", "severe_incident", 1)
    assert [held.verdict("SY01", number).incidents_possible for number in range(3)] == [0, 0, 0]
    held.tell(incident("e", feed="feed-b", when=at(1, 2), revision=2), tick(at(4, 1)))
    assert [found(held.verdict("SY01", number)) for number in range(3)] == [
        ("UNKNOWN", "uncertain_time", 0, 1),
        ("UNKNOWN", "uncertain_time", 1, 1),
        ("UNKNOWN", "uncertain_time", 0, 1),
    ]
    assert [json.loads(held.verdict("SY01", n).cause)["reports"] for n in (0, 2)] == [["feed-b/e@2"]] * 2


@pytest.mark.parametrize("cut", [{"flush_every": 1}, {"flush_every": 1, "restart_every": 1}], ids=["flush", "restart"])
def test_links_between_two_ticks_move_every_possible_day_whatever_is_flushed_between(cut: dict[str, int]) -> None:
    truce = agreement(linking=LINKING)
    joined = vague("w", feed="feed-b", when=at(0, 2), same_as=("feed-a/v",))
    told = [WATCHED, vague("v"), tick(at(4)), joined, tick(at(4, 1))]
    apart = [*told, vague("w", feed="feed-b", when=at(0, 2), revision=2), tick(at(4, 2))]
    for history, possible in ((told, 1), (apart, 2)):
        plain, other = World(truce).tell(*history), World(truce, **cut).tell(*history)
        for number in range(3):
            assert plain.verdict("SY01", number).incidents_possible == possible
            assert other.verdict("SY01", number) == plain.verdict("SY01", number)


@pytest.mark.parametrize("cut", [{"flush_every": 1, "restart_every": 1}, {"flush_every": 2, "restart_every": 3}])
def test_a_ledger_that_starts_again_knows_what_is_possible(cut: dict[str, int]) -> None:
    told = [WATCHED, vague("a"), vague("s", kind="attack_on_aid"), sure(2), tick(at(4))]
    told += [vague("s", revision=2, kind="attack_on_aid", retracted=True), vague("b"), tick(at(4, 1))]
    plain, other = World(TRUCE).tell(*told), World(TRUCE, **cut).tell(*told)
    for number in range(4):
        assert other.verdict("SY01", number) == plain.verdict("SY01", number)
    assert found(plain.verdict("SY01", 0)) == ("UNKNOWN", "uncertain_time", 1, 2)


def test_the_index_of_days_agrees_with_a_list_and_keeps_400_days_under_18_blocks() -> None:
    draw, index = Random(1), DayIndex()
    kept: list[tuple[int, int, Evidence]] = []
    for number in range(300):
        first = draw.randrange(100)
        last = first + draw.choice([0, 1, 6, 30, 90])
        one = (first, last, Evidence(draw.randrange(9), "feed-a", f"r{number}"))
        kept.append(one)
        index.add((day(first), day(last)), one[2])
        if draw.random() < 0.4:
            low, high, gone = kept.pop(draw.randrange(len(kept)))
            index.remove((day(low), day(high)), gone)
    for number in range(200):
        on = sorted(one for low, high, one in kept if low <= number <= high)
        assert (index.count(day(number)), list(index.earliest(day(number), 10))) == (len(on), on[:10])
    for low, high, one in kept:
        index.remove((day(low), day(high)), one)
    assert not index._blocks
    for first in range(400):
        index.add((day(first), day(first + 399)), Evidence(0, "feed-a", ""))
        assert len(index._blocks) <= 18
        index.remove((day(first), day(first + 399)), Evidence(0, "feed-a", ""))


def test_an_incident_of_400_days_waits_for_the_tick_as_one_line() -> None:
    held = World(TRUCE).tell(vague("v", when=at(-1), to=at(399)))
    held.flush()
    pending = json.loads(held.kept.last.pending)
    assert (len(pending["causes"]), len(pending["watchers"][0]), pending["spans"]) == (1, 1, [])


# -- in the file, and by those who read it


def told(name: str, low: float, high: float, region: str = "SY02", **fields: Any) -> dict[str, Any]:
    occurred = (at(low), at(high))
    return report(
        "incident", name, reported_at=at(4), region=region, occurred=occurred, **{"kind": "shelling", **fields}
    )


def test_the_file_has_both_counts_and_the_recount_agrees(tmp_path: Path) -> None:
    reports = [told("a", 0, 3), told("b", 0.5, 3), told("c", 0.1, 0.2)]
    notice = report("coverage", "w", reported_at=at(4), occurred=(at(0), at(4)), places=[{"pcode": "SY02"}], nil=True)
    corrected = told("b", 1, 1.1) | {"revision": 2}
    history = History(agreement(**NO_ACCESS)).tell(*reports, notice).tick(at(4, 1)).tell(corrected).tick(at(4, 2))
    file = history.judged(tmp_path)
    assert verify(file) == []
    columns = "SELECT truce_day, violence, incidents, incidents_sure, incidents_possible FROM"
    where = "WHERE region = 'SY02' AND truce_day < '2016-09-15' ORDER BY 1"
    with open_published(file) as connection:
        rows = [(day(0), "UNKNOWN", 2, 1, 1), (day(1), "UNKNOWN", 1, 1, 1), (day(2), "MET", 0, 0, 1)]
        for source in ("day_verdicts", "grid", f"verdicts_as_of('{day(9)} 00:00:00+00')"):
            assert connection.execute(f"{columns} {source} {where}").fetchall() == rows
        before = f"verdicts_as_of('{day(4)} 17:30:00+00')"
        assert connection.execute(f"{columns} {before} {where}").fetchall()[2] == (day(2), "UNKNOWN", 0, 0, 2)
        shown = {(cell.region, cell.truce_day): cell_text(cell) for cell in grid(connection)}
        assert shown["SY02", day(0)] == "? UNKNOWN±* 1+1/1"
        fact = "SELECT value, detail FROM explain_day('SY02', ?) WHERE fact = 'possible incidents'"
        assert connection.execute(fact, [day(0)]).fetchall() == [
            ("1", "of intervals that touch other days as well; 1 surely of this day")
        ]
        changed = "SELECT list_extract(changed, -1).field FROM verdict_changes WHERE region = 'SY02' AND version = 2"
        assert ("incidents_possible",) in connection.execute(changed).fetchall()


def ground(folder: Path, *reports: dict[str, Any], **changes: Any) -> Ground:
    return Ground(folder, agreement(**NO_ACCESS, **changes), [watch(at(0), at(1)), *reports], at(4))


def test_explain_names_the_possible_ones_and_says_what_would_settle_them(tmp_path: Path) -> None:
    scene = ground(tmp_path, told("a", -1, 2), told("b", 0.5, 3), *shellings(1))
    other, here = scene.proves("of_other_days"), scene.proves("of_this_day")
    assert (other.finding, other.number, here.finding, here.number) == ("MET", 2, "BROKEN", 1)
    case = scene.plain.case
    assert counterfactual_text(here, case, "UNKNOWN") == (
        "1 of the 2 possible incidents corrected to an interval of 26 h at most on this day: "
        "violence would be BROKEN, the verdict BROKEN"
    )
    assert scene.proves("more_incidents").number == 1
    listed = {each["incident_id"]: each["sure"] for each in explanation_json(scene.plain)["incidents"]}
    assert listed == {"feed-a/a": False, "feed-a/b": False, "feed-a/shelling-0": True}


def test_a_severe_one_has_to_be_known_to_be_of_another_day(tmp_path: Path) -> None:
    scene = ground(tmp_path, told("a", -1, 2), told("s", 0.5, 3, kind="attack_on_aid"))
    assert scene.proves("of_other_days").names == ("feed-a/s",)
    assert scene.proves("of_this_day").finding == "BROKEN"
    assert counterfactual_text(scene.change("of_other_days"), scene.plain.case, "UNKNOWN") == (
        "feed-a/s corrected to intervals on other days, or retracted: violence would be MET, the verdict MET"
    )


def test_a_day_watched_too_little_needs_both(tmp_path: Path) -> None:
    reports = [watch(at(0), at(0, 6)), told("a", -1, 2), told("b", 0.5, 3)]
    scene = Ground(tmp_path, agreement(**NO_ACCESS), reports, at(4))
    assert scene.proves("of_other_days", short=False).finding == "UNKNOWN"
    assert scene.proves("watch").besides == ("feed-a/a", "feed-a/b")


def test_a_broken_day_stays_unknown_when_only_its_sure_incidents_go(tmp_path: Path) -> None:
    scene = ground(tmp_path, *shellings(2), told("a", -1, 2))
    assert scene.proves("retract").finding == "UNKNOWN"


def test_a_contested_day_stays_unknown_while_its_time_is_uncertain(tmp_path: Path) -> None:
    lines = [{"count": 5, "place": {"pcode": "SY02"}}]
    told_of = report("bulletin", "b1", feed="monitor", reported_at=at(1), occurred=(at(0), at(1)), tallies=lines)
    scene = ground(tmp_path, told_of, told("a", -1, 2), told("b", 0.5, 3))
    assert scene.proves("uncontest", short=False).finding == "UNKNOWN"
    assert scene.proves("of_other_days", short=False).finding == "UNKNOWN"


@pytest.mark.parametrize("count", [0, 5], ids=["within", "above"])
def test_by_bulletins_a_severe_one_alone_is_what_has_to_be_settled(tmp_path: Path, count: int) -> None:
    lines = [{"count": count, "place": {"pcode": "SY02"}}]
    told_of = report("bulletin", "b1", feed="monitor", reported_at=at(1), occurred=(at(0), at(1)), tallies=lines)
    scene = ground(tmp_path, told_of, told("s", 0.5, 3, kind="attack_on_aid"), violence={"bulletins_of": "monitor"})
    if count:
        assert scene.change("bulletin_within").finding == "UNKNOWN"
    else:
        assert scene.proves("of_other_days").finding == "MET"
        assert scene.proves("of_this_day").finding == "BROKEN"
