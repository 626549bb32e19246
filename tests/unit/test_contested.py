"""Days within their limit that a monitor's bulletin counts more of; docs/judging.md, "Contested"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.agreement import Agreement
from schemas.facts import BulletinFact, CountLine, Fact
from schemas.rows import DayVerdict
from sinks.reading import grid, open_published
from streams.ops.counterfactual_text import counterfactual_text
from streams.ops.grid import cell_text
from streams.verify import verify
from tests.support.judged import History, counting, report
from tests.support.worlds import HOUR, TRUCE, World, agreement, at, bulletin, coverage, day, incident, tick
from tests.unit.test_explain import NO_ACCESS, Ground, shellings, watch

WATCHED = coverage(low=at(0), high=at(1))


def tally(report_id: str = "b1", *lines: CountLine, **changes: Any) -> BulletinFact:
    """Return a bulletin of the first truce-day: 5 in SY01 unless lines are given."""
    told = lines or (CountLine(5, "SY01", ("Opposition",)),)
    return bulletin(report_id, **{"low": at(0), "high": at(1), "tallies": told, **changes})


def judged(*told: Fact, truce: Agreement = TRUCE) -> DayVerdict:
    return World(truce).tell(WATCHED, *told, tick(at(2))).verdict("SY01", 0)


def violence(row: DayVerdict) -> dict[str, str]:
    found: dict[str, str] = json.loads(row.reasons)[0]
    return found


def test_no_day_is_met_against_the_word_of_a_monitor() -> None:
    row = judged(tally())
    assert (row.violence, row.rule, row.contested_by, row.covered_share) == ("UNKNOWN", "contested", "monitor", 1.0)
    assert json.loads(row.evidence)["violence"] == ["monitor/b1"]
    assert json.loads(row.cause)["reports"] == ["feed-a/c1@1", "monitor/b1@1"]


def test_the_reason_says_who_counts_what_against_how_many_known_incidents() -> None:
    assert violence(judged(tally(), incident("i1", when=at(0, 3)))) == {
        "leg": "violence",
        "finding": "UNKNOWN",
        "rule": "contested",
        "text": "monitor/b1 counts 5 for 2016-09-12 16:00 to 2016-09-13 16:00 UTC, against 1 incident in scope, "
        "limit 1 (the floor); 100 % of the day watched, 75 % needed",
    }


def test_a_count_within_the_limit_contests_nothing() -> None:
    row = judged(tally("b1", CountLine(1, "SY01")))
    assert (row.violence, row.rule, row.contested_by) == ("MET", "within_limit", None)


@pytest.mark.parametrize(
    "told",
    [
        tally("b1", CountLine(5, "SY02"), CountLine(9, None)),
        tally("b1", CountLine(5, "SY01", ("ISIL",))),
        tally(low=at(-1), high=at(0)),
        tally(high=at(2)),
        tally(retracted=True),
    ],
    ids=["of another region", "out of scope", "of another day", "of no day", "retracted"],
)
def test_only_a_bulletin_of_the_day_that_counts_more_of_the_region_in_scope_contests_it(told: BulletinFact) -> None:
    assert judged(told).violence == "MET"


def test_the_lines_of_a_bulletin_are_summed_and_two_bulletins_are_never_added() -> None:
    one = CountLine(1, "SY01", ("Opposition",))
    assert judged(tally("b1", one, one)).rule == "contested"
    assert judged(tally("b1", one), tally("b2", one)).rule == "within_limit"
    assert judged(tally("b1", one), tally("b1", one, feed="another")).rule == "within_limit"


def test_bulletins_of_any_feed_contest_a_day_and_each_feed_is_named_once() -> None:
    row = judged(tally("b1", feed="z"), tally("b2", feed="z"), tally("b1", feed="a"))
    assert row.contested_by == "a, z"
    assert json.loads(row.evidence)["violence"] == ["a/b1", "z/b1", "z/b2"]


def test_of_many_bulletins_the_earliest_ten_are_named_and_the_others_counted() -> None:
    row = judged(*(tally(f"b{n:02}") for n in range(12)))
    assert json.loads(row.evidence)["violence"] == [f"monitor/b{n:02}" for n in range(10)]
    assert "; and 2 more bulletins, against 0 incidents in scope" in violence(row)["text"]


def test_what_breaks_a_day_breaks_it_whoever_contests_it() -> None:
    row = judged(tally(), incident("i1", when=at(0, 3)), incident("i2", when=at(0, 4)))
    assert (row.violence, row.rule, row.contested_by) == ("BROKEN", "count_above_limit", None)
    assert json.loads(row.evidence)["violence"] == ["feed-a/i1", "feed-a/i2"]


def test_a_day_that_nobody_watched_is_contested_all_the_same_and_says_both() -> None:
    row = World(TRUCE).tell(tally(), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, row.rule) == ("UNKNOWN", "contested")
    assert violence(row)["text"].endswith("0 % of the day watched, 75 % needed; no feed watched it")


def test_the_rule_is_that_of_the_leg_which_decided_the_verdict() -> None:
    late = World(TRUCE).tell(WATCHED, tally("b1", CountLine(5, "SY02")), tick(at(8))).verdict("SY02", 0)
    assert (late.verdict, late.rule, late.contested_by) == ("UNKNOWN", "contested", "monitor")
    gone = World(TRUCE).tell(WATCHED, tick(at(2))).verdict("SY02", 0)
    assert (gone.verdict, gone.violence, gone.rule) == ("UNKNOWN", "MET", "no_convoy_known")


def test_a_bulletin_corrected_to_the_limit_makes_the_day_met_and_a_late_one_amends_it() -> None:
    world = World(TRUCE).tell(WATCHED, tally(), tick(at(2)))
    healed = world.tell(tally("b1", CountLine(1, "SY01"), revision=2), tick(at(2, 1))).verdict("SY01", 0)
    assert (healed.version, healed.violence, healed.contested_by) == (2, "MET", None)
    late = world.tell(tally("b2"), tick(at(6))).verdict("SY01", 0)
    assert (late.violence, late.state, json.loads(late.cause)["reports"]) == ("UNKNOWN", "AMENDED", ["monitor/b2@1"])


@pytest.mark.parametrize(
    "rules", [{"coverage": {"contested": "ignore"}}, {"violence": {"bulletins_of": "feed-a"}}], ids=["ignore", "by one"]
)
def test_an_agreement_may_ignore_it_or_measure_by_one_monitor_alone(rules: dict[str, Any]) -> None:
    mine = tally("b", CountLine(0, "SY01"), feed="feed-a")
    row = judged(mine, tally(), truce=agreement(**rules))
    assert (row.violence, row.contested_by) == ("MET", None)


def test_the_mark_is_in_the_file_and_the_recount_agrees(tmp_path: Path) -> None:
    told = counting("b1", 5)
    places = [{"pcode": "SY01"}, {"pcode": "SY02"}]
    notice = report("coverage", "c", reported_at=at(1), occurred=(at(0), at(1)), places=places, nil=True)
    corrected = told | {"revision": 2, "tallies": [{"count": 7, "place": {"pcode": "SY01"}}]}
    file = History(TRUCE).tell(told, notice).tick(at(1, 1)).tell(corrected).tick(at(2)).judged(tmp_path)
    assert verify(file) == []
    with open_published(file) as connection:
        shown = {(cell.region, cell.truce_day): cell_text(cell) for cell in grid(connection)}
        assert shown["SY01", day(0)] == "? UNKNOWN!~ 0/1"
        query = "SELECT rule, contested_by FROM {} WHERE region = 'SY01' AND truce_day = ?"
        held = (f"verdicts_as_of('{at_text(2)}')", "day_verdicts", "grid")
        for source in held:
            assert connection.execute(query.format(source), [day(0)]).fetchall() == [("contested", "monitor")]
        connection.execute("SELECT detail FROM explain_day('SY01', ?) WHERE fact = 'contested by'", [day(0)])
        assert connection.fetchall() == [("their bulletins count more than the limit",)]


def at_text(number: int) -> str:
    return f"{day(number)} 20:00:00+00"


def told_by(number: int, report_id: str = "b1", feed: str = "monitor") -> dict[str, Any]:
    lines = [{"count": number, "place": {"pcode": "SY02"}}]
    return report("bulletin", report_id, feed=feed, reported_at=at(1), occurred=(at(0), at(1)), tallies=lines)


def test_explain_says_which_bulletins_would_have_to_go_and_which_reports_would_settle_it(tmp_path: Path) -> None:
    reports = [watch(at(0), at(1)), told_by(5), told_by(3, "b2", "another")]
    ground = Ground(tmp_path, agreement(**NO_ACCESS), reports, at(1))
    change = ground.proves("uncontest")
    assert change.names == ("another/b2", "monitor/b1")
    assert counterfactual_text(change, ground.plain.case, "UNKNOWN") == (
        "another/b2, monitor/b1 each corrected to count 1 at most in scope, or retracted: "
        "violence would be MET, the verdict MET"
    )
    assert ground.proves("more_incidents").number == 2


def test_a_contested_day_that_was_watched_too_little_needs_both(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [watch(at(0), at(0, 6)), told_by(5)], at(1))
    assert ground.proves("uncontest", short=False).finding == "UNKNOWN"
    change = ground.proves("watch")
    text = counterfactual_text(change, ground.plain.case, "UNKNOWN")
    assert text.startswith("besides that, monitor/b1 being retracted, one more notice")


def test_a_met_day_says_which_bulletin_would_contest_it(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [watch(at(0), at(1))], at(1))
    change = ground.proves("contest")
    assert counterfactual_text(change, ground.plain.case, "MET") == (
        "a bulletin of the day, by any feed, that counts 2 or more in scope for the region: "
        "violence would be UNKNOWN, the verdict UNKNOWN"
    )
    ignoring = Ground(
        tmp_path / "ignoring", agreement(**NO_ACCESS, coverage={"contested": "ignore"}), [watch(at(0), at(1))], at(1)
    )
    assert "contest" not in {each.change for each in ignoring.plain.changes}


def test_a_broken_day_that_is_contested_would_be_unknown_without_its_incidents(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [*shellings(2), watch(at(0), at(1)), told_by(5)], at(1))
    assert ground.proves("retract").finding == "UNKNOWN"


def test_two_hours_of_a_bulletin_are_of_a_day_too() -> None:
    assert judged(tally(low=at(0), high=at(0) + 2 * HOUR)).rule == "contested"
