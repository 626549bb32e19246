"""Explanations: what they say is so, and what they say would change a verdict does change it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from schemas.agreement import Agreement
from schemas.errors import UsageError
from schemas.rows import DayVerdict
from schemas.truceday import Micros, from_micros, to_micros
from sinks import reading
from streams.ops.counterfactual_text import both_legs, counterfactual_text
from streams.ops.counterfactuals import Counterfactual
from streams.ops.explain import Explanation, read_explanation, read_past
from streams.ops.explain_json import explanation_json
from streams.ops.explain_text import show_explanation
from tests.support.commands import Run
from tests.support.counterfactuals import MINUTE, applied, incident, step
from tests.support.judged import History, report
from tests.support.random_history import random_history
from tests.support.worlds import DAY, HOUR, LINKING, World, agreement, at, day

NO_ACCESS: dict[str, Any] = {"access": {"regions": []}}


def watch(low: Micros, high: Micros, feed: str = "feed-a", name: str = "c", **fields: Any) -> dict[str, Any]:
    spine = {"feed": feed, "reported_at": max(high, at(0)), "occurred": (low, high), "nil": True}
    return report("coverage", name, **{**spine, "places": [{"pcode": "SY02"}], **fields})


def shellings(number: int, kind: str = "shelling", feed: str = "feed-a") -> list[dict[str, Any]]:
    return [incident(f"{kind}-{n}", "SY02", (at(0, 2), at(0, 3)), kind, at(1), feed=feed) for n in range(number)]


class Ground:
    """A history whose judgement of Aleppo is explained, and what a ledger would judge after more reports."""

    def __init__(self, folder: Path, truce: Agreement, reports: Iterable[dict[str, Any]], now: Micros) -> None:
        self.now = now
        self.history = History(truce).tell(*reports).tick(now)
        self._file = self.history.judged(folder)
        self.plain = self.told(0)

    def told(self, number: int) -> Explanation:
        """Explain a truce-day."""
        return read_explanation(self._file, "SY02", day(number))

    def judged(self, *more: dict[str, Any], now: Micros | None = None, number: int = 0) -> DayVerdict:
        """Judge a truce-day after more reports."""
        history = self.history.first().tell(*more).tick(now or self.now)
        return World(history.agreement).tell_bodies(history.facts).verdict("SY02", number)

    def change(self, kind: str) -> Counterfactual:
        """Return the one counterfactual of a kind."""
        (found,) = [each for each in self.plain.changes if each.change == kind]
        return found

    def proves(self, kind: str, *, short: bool = True) -> Counterfactual:
        """Make a change and see its finding come true; with a little less of it, see that it does not."""
        before = self.plain
        change = self.change(kind)
        after = self.judged(*applied(change, before, self.now))
        assert (after.verdict, getattr(after, change.leg)) == (change.verdict, change.finding)
        if short:
            less = self.judged(*applied(change, before, self.now, short=True))
            assert getattr(less, change.leg) == getattr(before.detail.judged, change.leg) != change.finding
        return change


def test_unknown_for_coverage_says_how_much_is_missing_and_it_is_enough(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [watch(at(0), at(0, 13.5))], at(1))
    change = ground.proves("watch")
    assert (change.number, change.span, change.verdict) == (1, 4.5 * HOUR, "MET")
    told = ground.plain
    assert counterfactual_text(change, told.case, "UNKNOWN") == (
        "one more notice by any feed covering 4 h 30 min of 2016-09-13 08:30+03:00 to 2016-09-13 19:00+03:00: "
        "violence would be MET, the verdict MET"
    )


def test_with_two_feeds_needed_one_more_is_asked_for_where_one_watched(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, coverage={"min_feeds": 2})
    ground = Ground(tmp_path, truce, [watch(at(0), at(1)), watch(at(0), at(0, 12), "feed-b")], at(1))
    change = ground.proves("watch")
    assert (change.number, change.span) == (1, 6 * HOUR)
    assert [each.feeds for each in change.stretches] == [("feed-a",)]
    assert "by a feed that was not watching then" in counterfactual_text(change, ground.plain.case, "UNKNOWN")


def test_with_two_feeds_needed_and_none_watching_two_more_are_asked_for(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS, coverage={"min_feeds": 2}), [watch(at(0), at(0, 1))], at(1))
    change = ground.proves("watch")
    assert (change.number, change.span) == (2, 18 * HOUR)
    before = ground.plain
    one = ground.judged(*applied(replace(change, number=1), before, ground.now))
    assert one.violence == "UNKNOWN"


@pytest.mark.parametrize(("watched", "verdict"), [(24, "MET"), (3, "UNKNOWN")])
def test_broken_by_count_says_how_many_have_to_go(tmp_path: Path, watched: float, verdict: str) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [*shellings(4), watch(at(0), at(0, watched))], at(1))
    change = ground.proves("retract")
    assert (change.number, change.verdict) == (3, verdict)


def test_incidents_found_out_of_scope_do_as_well_as_retracted_ones(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(**NO_ACCESS), [*shellings(3), watch(at(0), at(1))], at(1))
    outside = [each | {"revision": 2, "parties": [{"name": "ISIL"}, {"name": "Nusra"}]} for each in shellings(2)]
    assert ground.change("retract").number == 2
    assert ground.judged(*outside).verdict == "MET"


def test_broken_by_a_severe_incident_names_it_and_what_the_count_asks_for_besides(tmp_path: Path) -> None:
    reports = [*shellings(1, "attack_on_aid"), *shellings(3), watch(at(0), at(1))]
    change = Ground(tmp_path, agreement(**NO_ACCESS), reports, at(1)).proves("retract_severe")
    assert (change.names, change.number, change.verdict) == (("feed-a/attack_on_aid-0",), 2, "MET")


def test_where_reports_cover_the_day_it_depends_on_which_incidents_go(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, coverage={"min_feeds": 2, "reports_cover_the_day": True})
    ground = Ground(tmp_path, truce, [*shellings(1), *shellings(1, "airstrike", "feed-b")], at(1))
    change = ground.change("retract")
    assert (change.number, change.finding, change.verdict) == (1, None, None)
    assert "MET or UNKNOWN" in counterfactual_text(change, ground.plain.case, "BROKEN")


def test_met_says_how_much_it_would_bear(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, violence={"floor": 3})
    ground = Ground(tmp_path, truce, [*shellings(1), watch(at(0), at(0, 20))], at(1))
    assert ground.proves("more_incidents").number == 3
    ground.proves("severe_incident")
    spare = ground.change("watch_less")
    assert (spare.span, spare.verdict) == (2 * HOUR, "UNKNOWN")
    for less, verdict in ((0, "MET"), (MINUTE, "UNKNOWN")):
        shorter = watch(at(0), at(0, 20) - spare.span - less, revision=2)
        assert ground.judged(shorter).verdict == verdict


def aid(kind: str, when: Micros, name: str | None = None, convoy: str = "aid-1") -> dict[str, Any]:
    return step("un", convoy, kind, "SY02", when, max(when, at(0)), name)


def test_access_broken_by_an_attack_names_the_report(tmp_path: Path) -> None:
    reports = [aid("dispatched", at(0, 1)), aid("attacked", at(0, 5)), watch(at(0), at(1))]
    change = Ground(tmp_path, agreement(), reports, at(1)).proves("retract_attack")
    assert (change.names, change.verdict) == (("un/made-aid-1-attacked",), "MET")


def test_an_attack_hides_an_overdue_convoy_and_both_are_told(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 12})
    reports = [aid("dispatched", at(0, 1)), aid("attacked", at(0, 5), convoy="aid-2"), watch(at(0), at(1))]
    ground = Ground(tmp_path, truce, reports, at(1))
    assert ground.proves("retract_attack", short=False).finding == "BROKEN"
    change = ground.proves("deliver")
    assert (change.names, change.besides, change.verdict) == (("un/aid-1",), ("un/made-aid-2-attacked",), "MET")


def test_what_joined_the_claims_of_a_convoy_is_told(tmp_path: Path) -> None:
    truce = agreement(access={"same_convoy_hours": 24})
    here = {"place": {"pcode": "SY02", "names": ["A village"]}}
    other = step("ap", "x", "held", "SY02", at(0, 4), at(1)) | here
    third = step("icrc", "y", "held", "SY02", at(0, 4), at(1)) | {"same_convoy_as": "ap/x"}
    found = Ground(tmp_path, truce, [aid("dispatched", at(0, 1)) | here, other, third], at(1)).plain
    page = Console(file=StringIO(), width=200)
    show_explanation(page, found)
    told = page.file.getvalue()  # type: ignore[attr-defined]
    assert "un/aid-1 is taken for the same as ap/x: bound for one place, 3.0 h apart; doubtful" in told
    assert "icrc/y is the same as ap/x: a report says so" in told
    (convoy,) = explanation_json(found)["convoys"]
    assert [each["certainty"] for each in convoy["joined"]] == ["asserted", "asserted", "doubtful"]
    assert len(convoy["steps"]) == 3


def test_access_broken_by_overdue_convoys_asks_for_their_delivery_before_the_day_ends(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 12})
    reports = [aid("dispatched", at(0, 1)), aid("held", at(0, 2), convoy="aid-2"), watch(at(0), at(1))]
    ground = Ground(tmp_path, truce, reports, at(1, 5))
    change = ground.proves("deliver")
    assert (change.names, change.before, change.verdict) == (("un/aid-1", "un/aid-2"), at(1), "MET")
    late = [step("un", name, "offloaded", "SY02", at(1), ground.now) for name in ("aid-1", "aid-2")]
    assert ground.judged(*late).access == "BROKEN"


@pytest.mark.parametrize("stopped", ["denied", "turned_back", "attacked"])
def test_a_convoy_that_was_stopped_asks_for_another_one_to_be_delivered_instead(tmp_path: Path, stopped: str) -> None:
    reports = [aid("requested", at(0, 1)), aid(stopped, at(0, 5)), watch(at(4), at(5))]
    ground = Ground(tmp_path, agreement(), reports, at(5))
    told = ground.told(4)
    (change,) = [each for each in told.changes if each.change == "deliver"]
    assert (change.names, change.closed, change.places, change.verdict) == ((), ("un/aid-1",), (None,), "MET")
    text = counterfactual_text(change, told.case, "BROKEN")
    assert text.startswith("another convoy, one to the region, reported offloaded or distributed for un/aid-1 after")
    for begun, access in ((at(0, 5) - MINUTE, "BROKEN"), (at(0, 5), "MET")):
        instead = aid("offloaded", begun, convoy="aid-2")
        assert ground.judged(instead, number=4).access == access


def test_beside_a_stopped_convoy_the_one_still_waited_for_has_to_be_delivered_itself(tmp_path: Path) -> None:
    listed = {"name": "Old Town", "region": "SY02", "status": "besieged", "source": "none"}
    truce = agreement(access={"places": [listed], "overdue_after_hours": 12})
    refused = {**aid("denied", at(0, 2)), "place": {"pcode": "SY02", "names": ["Old Town"]}}
    reports = [refused, aid("dispatched", at(0, 1), convoy="aid-2"), watch(at(0), at(1))]
    change = Ground(tmp_path, truce, reports, at(1)).proves("deliver")
    assert (change.names, change.closed, change.places) == (("un/aid-2",), ("un/aid-1",), ("Old Town",))


def test_a_convoy_that_was_only_asked_for_has_to_take_to_the_road_first(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 12})
    change = Ground(tmp_path, truce, [aid("requested", at(0, 1)), watch(at(0), at(1))], at(1)).proves("deliver")
    assert (change.steps, change.verdict) == (("dispatched", "offloaded"), "MET")


def test_access_broken_by_a_gap_asks_for_any_delivery_within_it(tmp_path: Path) -> None:
    truce = agreement(access={"max_gap_days": 1, "overdue_after_hours": 900})
    ground = Ground(tmp_path, truce, [aid("dispatched", at(0, 1)), watch(at(0), at(1))], at(1))
    change = ground.proves("deliver_any", short=False)
    assert (change.after, change.before, change.verdict) == (at(0), at(1), "MET")
    assert ground.judged(aid("offloaded", at(0), convoy="aid-9")).access == "BROKEN"


@pytest.mark.parametrize("gap_days", [1, 7])
def test_unknown_access_asks_for_any_convoy_and_for_a_delivery_where_that_is_not_enough(
    tmp_path: Path, gap_days: int
) -> None:
    ground = Ground(tmp_path, agreement(access={"max_gap_days": gap_days}), [watch(at(0), at(1))], at(1))
    assert ground.proves("know_convoy", short=False).verdict == ("BROKEN" if gap_days == 1 else "MET")
    if gap_days == 1:
        assert ground.proves("deliver_any", short=False).verdict == "MET"
    ground.proves("attack", short=False)


def test_a_running_day_says_when_time_alone_will_break_it(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 12, "max_gap_days": 1}, coverage={"min_share_percent": 0})
    ground = Ground(
        tmp_path, truce, [aid("dispatched", at(1, 1)), aid("offloaded", at(0, 9), convoy="aid-2")], at(1, 5)
    )
    told = ground.told(1)
    due = {change.change: change.before for change in told.changes if change.change in ("overdue", "gap")}
    assert due == {"overdue": at(1, 13), "gap": at(1, 9)}
    for moment in due.values():
        assert moment is not None
        assert ground.judged(now=moment, number=1).access == "BROKEN"
    assert ground.judged(now=at(1, 9) - MINUTE, number=1).access == "MET"


def test_a_convoy_becomes_overdue_at_the_very_end_of_a_day_too(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 24, "max_gap_days": 2})
    ground = Ground(tmp_path, truce, [aid("dispatched", at(1))], at(1, 5))
    told = ground.told(1)
    due = {change.change: change.before for change in told.changes if change.change in ("overdue", "gap")}
    assert due == {"overdue": at(2), "gap": at(2)}
    assert ground.judged(now=at(2), number=1).access == "BROKEN"


def test_a_delivery_asked_for_has_to_follow_what_is_known_and_leave_no_gap(tmp_path: Path) -> None:
    truce = agreement(access={"overdue_after_hours": 24, "max_gap_days": 2})
    ground = Ground(tmp_path, truce, [aid("dispatched", at(0, 1)), watch(at(5), at(6))], at(6))
    (change,) = [each for each in ground.told(5).changes if each.change == "deliver"]
    assert (change.after, change.before, change.finding) == (at(4), at(6), "MET")
    for moment, access in ((at(4), "BROKEN"), (at(4) + MINUTE, "MET")):
        assert ground.judged(aid("offloaded", moment), number=5).access == access


def test_a_convoy_asked_for_must_not_be_overdue_already(tmp_path: Path) -> None:
    ground = Ground(tmp_path, agreement(), [watch(at(5), at(6))], at(6))
    (change,) = [each for each in ground.told(5).changes if each.change == "know_convoy"]
    assert (change.after, change.finding) == (at(3), "MET")
    for moment, access in ((at(3), "BROKEN"), (at(3) + MINUTE, "MET")):
        assert ground.judged(aid("requested", moment), number=5).access == access


def test_where_only_some_feeds_count_more_incidents_are_theirs(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, violence={"feeds": ["feed-a", "feed-b"]})
    ground = Ground(tmp_path, truce, [watch(at(0), at(1))], at(1))
    told = counterfactual_text(ground.change("more_incidents"), ground.plain.case, "MET")
    assert told.startswith("2 more incidents in scope told by feed-a or feed-b (it bears 1)")


BY_MONITOR = agreement(**NO_ACCESS, violence={"bulletins_of": "monitor"})


def tallied(count: int, revision: int = 1, **fields: Any) -> dict[str, Any]:
    """Return the monitor's bulletin of the first truce-day in Aleppo, by two accused parties."""
    lines = [{"count": count, "place": {"pcode": "SY02"}}, {"count": 0, "place": {"pcode": "SY02"}, "accused": "A"}]
    span = {"occurred": (at(0), at(1)), "reported_at": at(1), **fields}
    return report("bulletin", "b", feed="monitor", tallies=lines, revision=revision, **span)


def test_the_bulletin_a_day_is_measured_by_watches_it_and_says_so(tmp_path: Path) -> None:
    ground = Ground(tmp_path, BY_MONITOR, [tallied(1)], at(1))
    assert (ground.plain.detail.judged.verdict, ground.plain.case.violence()) == ("MET", "MET")
    assert [(each.feed, each.report_id) for each in ground.plain.detail.watches] == [("monitor", "b")]
    assert [each.feeds for each in ground.plain.watched] == [("monitor",)]
    assert [each.change for each in ground.plain.changes] == ["bulletin_above", "severe_incident"]
    limit = explanation_json(ground.plain)["limit"]
    assert (limit["bulletins_of"], limit["baseline"]) == ("monitor", [])
    ground.proves("severe_incident")


def test_a_bulletin_of_a_part_of_the_day_asks_for_the_rest_to_be_watched(tmp_path: Path) -> None:
    ground = Ground(tmp_path, BY_MONITOR, [tallied(1, occurred=(at(0), at(0, 12)))], at(1))
    assert ground.proves("watch").span == 6 * HOUR


def test_a_day_without_a_bulletin_would_be_covered_by_one(tmp_path: Path) -> None:
    ground = Ground(tmp_path, BY_MONITOR, [], at(1))
    change = ground.change("bulletin_within")
    assert (change.number, change.finding) == (1, "MET")
    assert "watch" not in {each.change for each in ground.plain.changes}
    ground.proves("bulletin_within", short=False)
    ground.proves("bulletin_above", short=False)


def test_a_bulletin_that_comes_later_is_told_as_what_changed(tmp_path: Path) -> None:
    history = History(BY_MONITOR).tick(at(1)).tell(tallied(1)).tick(at(1, 1))
    told = read_explanation(history.judged(tmp_path), "SY02", day(0))
    assert {"field": "bulletin_incidents", "old": None, "new": 1} in told.detail.versions[1].changed


def test_measured_by_a_monitors_bulletins_it_is_their_count_that_would_have_to_change(tmp_path: Path) -> None:
    ground = Ground(tmp_path, BY_MONITOR, [tallied(5), *shellings(3), watch(at(0), at(1))], at(1))
    assert (ground.plain.detail.judged.verdict, ground.plain.case.violence()) == ("BROKEN", "BROKEN")
    change = ground.change("bulletin_within")
    assert (change.number, change.verdict) == (1, "MET")
    assert ground.judged(tallied(change.number + 1, revision=2)).verdict == "BROKEN"
    assert ground.judged(tallied(change.number, revision=2)).verdict == "MET"


def test_when_both_legs_stand_in_the_way_it_says_so(tmp_path: Path) -> None:
    told = Ground(tmp_path, agreement(), [], at(1)).plain
    assert both_legs(told.case) == "For MET, violence and access would both have to change."
    (change,) = [each for each in told.changes if each.change == "watch"]
    assert counterfactual_text(change, told.case, "UNKNOWN").endswith(
        "violence would be MET, the verdict would stay UNKNOWN"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "linking"), [(0, False), (3, True)])
def test_in_any_history_the_legs_are_found_as_the_ledger_found_them_and_counterfactuals_hold(
    tmp_path: Path, seed: int, linking: bool
) -> None:
    """Of every kind of counterfactual one is made real in each history."""
    history = random_history(seed, reports=60, linking=linking)
    history.tick(max(fact.stamp or 0 for fact, _ in history.facts))
    copy = history.judged(tmp_path / "whole")
    connection = reading.open_published(copy)
    days = connection.execute("SELECT region, truce_day, (SELECT now FROM ledger_state) FROM day_verdicts").fetchall()
    connection.close()
    seen: dict[str, tuple[Counterfactual, Explanation]] = {}
    for region, truce_day, _ in days:
        told = read_explanation(copy, region, truce_day)
        assert (told.case.violence(), told.case.access().finding) == (
            told.detail.judged.violence,
            told.detail.judged.access,
        )
        assert float(told.case.limit) == told.detail.judged.violence_limit
        for change in told.changes:
            if change.change == "watch" and told.case.start + (change.span or 0) > to_micros(days[0][2]):
                continue  # of a day that runs, nobody can have watched so long
            if change.finding is not None and change.change not in ("watch_less", "overdue", "gap"):
                seen.setdefault(change.change, (change, told))
    now = to_micros(days[0][2])
    for change, told in seen.values():
        after = history.first().tell(*applied(change, told, now)).tick(now)
        world = World(after.agreement).tell_bodies(after.facts)
        world.flush()
        row = world.store.verdicts[told.case.region, told.detail.judged.truce_day]
        assert (change.change, getattr(row, change.leg), row.verdict) == (change.change, change.finding, change.verdict)
    assert len(seen) >= 5


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Aleppo: two shellings told by two feeds, one corrected; one out of scope; a monitor's tally; a convoy."""
    sources = [{"name": "An agency", "url": "https://example.org/1", "origin": "A teller"}]
    deaths = {"low": 1, "best": 2, "high": 5}
    told: dict[str, Any] = {"sources": sources, "deaths": deaths, "claimant": "A teller", "confidence": "alleged"}
    first = incident("i1", "SY02", (at(0, 2), at(0, 3)), "shelling", at(0, 4), accused=["Government"], **told)
    outside = [{"name": "ISIL"}, {"name": "Nusra"}]
    history = History(agreement()).tick(at(0, 1))
    history.tell(first, incident("i2", "SY02", (at(0, 5), at(0, 6)), "airstrike", at(0, 7), feed="feed-b")).tick(
        at(0, 8)
    )
    history.tell(first | {"revision": 2, "deaths": {"best": 9}})
    history.tell(incident("i3", "SY02", (at(0, 5), at(0, 6)), "shelling", at(0, 9), parties=outside))
    history.tell(aid("dispatched", at(0, 1)), watch(at(0), at(0, 6), basis="Ten volunteers"))
    tally = {"feed": "monitor", "occurred": (at(0), at(1)), "tallies": [{"count": 14}], "at_least": True}
    history.tell(report("bulletin", "b", reported_at=at(1), **tally)).tick(at(1), at(4))
    return history.judged(tmp_path_factory.mktemp("data") / "test-truce")


def test_an_explanation_tells_everything_it_rests_on(run: Run, copy: Path) -> None:
    ended = run("explain", "aleppo", "2016-09-12", "--file", copy)
    assert (ended.code, ended.err) == (0, "")
    for part in (
        "SY02 Aleppo, truce-day 2016-09-12",
        "BROKEN, FINAL; version 3",
        "from 2016-09-12 19:00+03:00 to 2016-09-13 19:00+03:00 (2016-09-12 16:00 to 2016-09-13 16:00 UTC)",
        "violence: BROKEN, more incidents than the limit",
        "baseline 2016-09-02 to 2016-09-11: 0 incidents in 10 truce-days",
        "2016-09-12 19:00+03:00 to 2016-09-13 01:00+03:00  feed-a",
        "2016-09-13 01:00+03:00 to 2016-09-13 19:00+03:00  nobody",
        "Ten volunteers",
        "feed-a silent since 2016-09-13 01:00+03:00",
        "1 of the 2 incidents in scope retracted or found out of scope: violence would be UNKNOWN",
        "Incidents that decided it: 2",
        "feed-a/i1, revision 2",
        "accused by A teller: Government (alleged)",
        "killed: low ?, best 9, high ?",
        "source: An agency, first told by A teller",
        "https://example.org/1",
        "Out of scope",
        "feed-a/i3",
        "un/aid-1: dispatched",
        "monitor/b: at least 14, whole country",
        "violence UNKNOWN to BROKEN",
        "came of: feed-a/i1@1, feed-b/i2@1",
    ):
        assert part in ended.out, part


def test_an_explanation_speaks_json(run: Run, copy: Path) -> None:
    told = json.loads(run("explain", "SY02", "2016-09-12", "--file", copy, "--json").out)
    assert (told["verdict"]["verdict"], told["verdict"]["state"]) == ("BROKEN", "FINAL")
    assert [each["change"] for each in told["would_change"]] == ["retract", "attack"]
    assert told["would_change"][0]["verdict"] == "UNKNOWN"
    assert [each["incident_id"] for each in told["incidents"] if each["decides"]] == ["feed-a/i1", "feed-b/i2"]
    assert told["incidents"][0]["reports"][0]["sources"][0]["url"] == "https://example.org/1"
    assert told["coverage"]["silent"][0]["silent_since"] == "2016-09-12T22:00:00Z"
    assert told["versions"][1]["changed"][0] == {"field": "verdict", "old": "UNKNOWN", "new": "BROKEN"}


def test_what_was_held_is_explained_with_the_reports_of_then(run: Run, copy: Path) -> None:
    ended = run("explain", "SY02", "2016-09-12", "--file", copy, "--as-of", "2016-09-13T04:30:00+03:00")
    assert ended.code == 0
    assert "as held at 2016-09-13 04:30+03:00" in ended.out
    assert "BROKEN, OPEN; version 2" in ended.out
    assert "feed-a/i1, revision 1" in ended.out
    assert "killed: low 1, best 2, high 5" in ended.out
    told = json.loads(
        run("explain", "SY02", "2016-09-12", "--file", copy, "--as-of", "2016-09-12T17:00:00Z", "--json").out
    )
    assert (told["verdict"]["version"], told["verdict"]["verdict"], told["reports"]) == (1, "UNKNOWN", [])


def test_the_bulletin_that_was_held_against_the_limit_is_among_the_reports_of_then(tmp_path: Path) -> None:
    history = History(BY_MONITOR).tell(tallied(5)).tick(at(1)).tell(tallied(1, revision=2)).tick(at(1, 1))
    copy = history.judged(tmp_path)
    past = read_past(copy, "SY02", day(0), from_micros(at(1)))
    assert [(each.report_id, each.revision, each.kind) for each in past.reports] == [("b", 1, "bulletin")]


def test_a_retracted_report_that_lends_its_name_says_so(tmp_path: Path) -> None:
    one, two = (
        incident(name, "SY02", (at(0, 2), at(0, 3)), "attack_on_aid", at(1, number), feed=feed, **same)
        for number, (feed, name, same) in enumerate((("feed-a", "i", {}), ("feed-b", "j", {"same_as": ["feed-a/i"]})))
    )
    history = History(agreement(**NO_ACCESS, linking=LINKING)).tell(one, two)
    history.tell(one | {"revision": 2, "status": "retracted"}).tick(at(2))
    past = read_past(history.judged(tmp_path), "SY02", day(0), from_micros(at(2)))
    assert past.judged.evidence["violence"] == ["feed-a/i"]
    assert [each.why for each in past.reports] == ["retracted, lends its name"]


def test_a_time_before_the_first_judgement_is_told_with_when_that_was(copy: Path) -> None:
    with pytest.raises(UsageError, match="had not been judged by then") as caught:
        read_past(copy, "SY02", date(2016, 9, 12), datetime(2016, 9, 1, tzinfo=UTC))
    assert caught.value.hint == "its first judgement was at 2016-09-12 20:00+03:00"


@pytest.mark.parametrize("name", ["SY02", "sy02", "Aleppo", "aleppo governorate", "حلب", "al-Haleb", "Azaz"])
def test_a_region_is_found_by_code_by_name_and_by_a_place_in_it(copy: Path, name: str) -> None:
    assert read_explanation(copy, name, date(2016, 9, 12)).case.region == "SY02"


def test_a_name_of_two_regions_is_refused_with_both(copy: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.duckdb"
    shared.write_bytes(copy.read_bytes())
    with duckdb.connect(str(shared)) as connection:
        connection.execute("UPDATE regions SET spellings = [name, 'the Capital']")
    with pytest.raises(UsageError, match="'capital' may be SY01 Damascus and SY02 Aleppo") as caught:
        read_explanation(shared, "capital", date(2016, 9, 12))
    assert caught.value.hint == "ask by the P-code"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Atlantis", "2016-09-12"), "'Atlantis' is no region of test-truce; there are SY01 Damascus, SY02 Aleppo"),
        (("Alepo", "2016-09-12"), "did you mean Aleppo? there are"),
        (("Homs", "2016-09-12"), "'Homs' is no region of test-truce"),
        (("SY02", "2016-10-12"), "no truce-day 2016-10-12 has been judged; judged are 2016-09-12 to 2016-09-16"),
        (("SY02", "someday"), "'someday' is no date; write it as 2016-09-19"),
        (("SY02", "20160919"), "'20160919' is no date; write it as 2016-09-19"),
        (("SY02", "2016-W38-1"), "'2016-W38-1' is no date; write it as 2016-09-19"),
        (("SY02", "2016-09-19T12:00+03:00"), "'2016-09-19T12:00+03:00' is no date; write it as 2016-09-19"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(run: Run, copy: Path, arguments: tuple[str, str], told: str) -> None:
    ended = run("explain", *arguments, "--file", copy)
    assert (ended.code, told in ended.err, ended.out) == (2, True, "")


def test_before_anything_was_published_it_says_what_status_says(run: Run) -> None:
    assert run("explain", "SY02", "2016-09-12") == run("status")


def test_a_day_of_25_hours_says_so_and_needs_more_watching(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, coverage={"min_share_percent": 100})
    number = (date(2016, 10, 27) - date(2016, 9, 12)).days
    start = at(number)
    ground = Ground(tmp_path, truce, [watch(start, start + DAY)], start + 25 * HOUR)
    told = ground.told(number)
    (change,) = [each for each in told.changes if each.change == "watch"]
    assert change.span == HOUR
    more = applied(change, told, ground.now)
    assert ground.judged(*more, number=number).verdict == "MET"
    assert explanation_json(told)["coverage"]["stretches"][1]["feeds"] == []


def test_reports_since_the_last_judgement_are_named(tmp_path: Path) -> None:
    history = History(agreement(**NO_ACCESS)).tell(*shellings(1)).tick(at(1))
    history.tell(incident("late", "SY02", (at(0, 5), at(0, 6)), "shelling", at(1, 1)))
    told = read_explanation(history.judged(tmp_path), "SY02", day(0))
    assert (told.detail.unjudged, told.detail.more_unjudged) == (["feed-a/late@1"], 0)


def test_beyond_ten_the_reports_of_a_version_and_those_not_judged_yet_are_a_number(tmp_path: Path) -> None:
    def struck(first: int, number: int, when: Micros) -> list[dict[str, Any]]:
        return [
            incident(f"i{n:02}", "SY02", (when, when + HOUR), "shelling", at(1, 1))
            for n in range(first, first + number)
        ]

    # A report of the baseline changes its own day, and the limit of every day.
    history = History(agreement(**NO_ACCESS)).tell(*struck(0, 12, at(0, 5))).tick(at(1))
    path = history.tell(*struck(20, 13, at(-1, 5)), *struck(40, 2, at(0, 5))).judged(tmp_path)
    told = read_explanation(path, "SY02", day(0))
    text = StringIO()
    show_explanation(Console(file=text, width=400), told)
    page = text.getvalue()
    assert f"came of: {', '.join(f'feed-a/i{n:02}@1' for n in range(10))} and 2 more" in page
    # Those of the day itself are named first.
    assert told.detail.unjudged[:2] == ["feed-a/i40@1", "feed-a/i41@1"]
    assert (len(told.detail.unjudged), told.detail.more_unjudged) == (12, 3)
    assert explanation_json(told)["more_not_judged_yet"] == 3
    assert "feed-a/i29@1 and 3 more" in page
