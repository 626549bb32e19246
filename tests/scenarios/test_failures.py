"""What would embarrass a monitor of a truce, and what happens here instead: one test for each."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.agreement_file import load_agreement
from schemas.truceday import Micros, to_micros
from sinks.records import PlacesToCheck
from streams.ops.status import read_status
from tests.support.judged import History, report
from tests.support.scenarios import SIDES, outcome, shelling, truck, watched
from tests.support.worlds import LINKING, TRUCE, agreement, at, day

BOTH = ("SY01", "SY02")
LINKED = agreement(linking=LINKING)
DAMASCUS = ZoneInfo("Asia/Damascus")


def local(month_day: int, hour: int, minute: int = 0) -> Micros:
    """An instant of September 2016 by the clocks of Damascus."""
    return to_micros(datetime(2016, 9, month_day, hour, minute, tzinfo=DAMASCUS))


def strike(feed: str, report_id: str = "r1", **fields: Any) -> dict[str, Any]:
    """One strike on one street, as a feed tells it."""
    place = {"pcode": "SY01", "point": {"latitude": 33.5, "longitude": 36.3}, "precision": "exact"}
    spine = {"reported_at": at(0, 4), "occurred": (at(0, 2), at(0, 2.25)), "kind": "airstrike", "parties": SIDES}
    return report("incident", report_id, feed=feed, **{**spine, "place": place, **fields})


def test_one_incident_told_by_two_sources_is_counted_once_and_says_why(tmp_path: Path) -> None:
    history = History(LINKED).tell(strike("office"), strike("monitor", occurred=(at(0, 2.5), at(0, 2.75))))
    judged = outcome(history.tick(at(0, 6)), tmp_path)
    assert judged.verdict("SY01", day(0))["incidents"] == 1
    assert judged.one("SELECT count(*) FROM incidents") == 1
    why = judged.ask("SELECT feed, why, seconds, metres FROM incident_reports ORDER BY feed")
    assert why == [("monitor", "closest", 900, 0), ("office", "closest", 900, 0)]


def test_one_strike_that_two_sources_place_by_the_towns_name_alone_is_counted_once(tmp_path: Path) -> None:
    town = {"pcode": "SY02", "names": ["Aleppo", "Khan Touman"], "precision": "exact"}
    same = {"names": ["Aleppo", "خان طومان"]}
    elsewhere = {"pcode": "SY02", "names": ["Aleppo", "Urum al-Kubra"], "precision": "exact"}
    history = History(load_agreement("syria-2016")).tell(
        strike("office", place=town), strike("monitor", place=same), strike("radio", place=elsewhere)
    )
    judged = outcome(history.tick(at(0, 6)), tmp_path)
    assert judged.verdict("SY02", day(0))["incidents"] == 2
    why = judged.ask("SELECT feed, why, metres, certainty FROM incident_reports ORDER BY feed")
    assert why == [
        ("monitor", "same_name", None, "good"),
        ("office", "same_name", None, "good"),
        ("radio", "alone", None, None),
    ]


def test_the_name_of_a_city_that_is_its_governorates_too_links_nothing(tmp_path: Path) -> None:
    """Dozens of strikes fell on Aleppo in a day; its name does not tell which one two sources mean."""
    told = [strike(feed, place={"names": ["Aleppo", "Aleppo city"], "precision": "near"}) for feed in ("a", "b")]
    judged = outcome(History(load_agreement("syria-2016")).tell(*told).tick(at(0, 6)), tmp_path)
    assert judged.verdict("SY02", day(0))["incidents"] == 2


def test_a_link_is_undone_by_a_report_that_says_so(tmp_path: Path) -> None:
    denied = strike("monitor", revision=2, reported_at=at(0, 7), not_same_as=["office/r1"])
    history = History(LINKED).tell(strike("office"), strike("monitor")).tick(at(0, 6)).tell(denied)
    judged = outcome(history.tick(at(0, 8)), tmp_path)
    assert judged.verdict("SY01", day(0))["incidents"] == 2
    assert judged.ask("SELECT incident_id FROM incidents ORDER BY ALL") == [("monitor/r1",), ("office/r1",)]


def test_one_wire_copied_ten_times_is_one_incident_with_one_independent_origin(tmp_path: Path) -> None:
    """Independence goes by who told it first, not by how many outlets print it."""
    copies = [strike(f"outlet-{n}", sources=[{"name": f"Outlet {n}", "origin": "An Agency"}]) for n in range(10)]
    judged = outcome(History(LINKED).tell(*copies).tick(at(0, 6)), tmp_path)
    assert judged.ask("SELECT reports, independent_origins FROM incidents") == [(10, 1)]


def test_ten_tellers_of_their_own_are_ten_independent_origins(tmp_path: Path) -> None:
    told = [strike(f"witness-{n}", sources=[{"name": f"Witness {n}"}]) for n in range(10)]
    judged = outcome(History(LINKED).tell(*told).tick(at(0, 6)), tmp_path)
    assert judged.ask("SELECT reports, independent_origins FROM incidents") == [(10, 10)]


def test_bulletin_totals_stand_beside_the_incidents_and_are_never_added(tmp_path: Path) -> None:
    """Three incidents and a monitor's total of 42 for the same day are three incidents."""
    history = History(TRUCE).tell(*(shelling(f"i{hour}", at(0, hour)) for hour in (2, 5, 9)))
    tally: dict[str, Any] = {"tallies": [{"count": 42, "place": {"pcode": "SY01"}, "accused": "Opposition"}]}
    history.tell(report("bulletin", "b1", feed="monitor", reported_at=at(1, 1), occurred=(at(0), at(1)), **tally))
    judged = outcome(history.tick(at(1, 2)), tmp_path)
    assert judged.verdict("SY01", day(0))["incidents"] == 3
    assert judged.one("SELECT sum(incidents + incidents_out_of_scope) FROM day_tallies") == 3
    assert judged.ask("SELECT bulletin_incidents, counted_incidents FROM bulletin_counts") == [(42, 3)]


def test_a_late_report_changes_a_past_day_as_a_new_version_that_says_what_was_held_before(tmp_path: Path) -> None:
    history = History(TRUCE).tick(at(0, 12)).tell(watched("w", at(0), at(1), *BOTH)).tick(at(1, 1), at(4))
    late = [shelling(f"late{number}", at(0, 3), reported_at=at(5)) for number in (1, 2)]
    judged = outcome(history.tell(*late).tick(at(5, 1)), tmp_path)
    assert judged.verdict("SY01", day(0))["verdict"] == "BROKEN"
    assert judged.verdict("SY01", day(0))["state"] == "AMENDED"
    held = "SELECT verdict, state FROM verdicts_as_of(CAST(? AS TIMESTAMPTZ)) WHERE region = 'SY01' AND truce_day = ?"
    moments = {"open": at(0, 13), "provisional": at(1, 2), "final": at(4), "amended": at(5, 1)}
    then = {
        name: judged.ask(held, datetime.fromtimestamp(moment / 1e6, UTC).isoformat(), day(0))
        for name, moment in moments.items()
    }
    assert then == {
        "open": [("UNKNOWN", "OPEN")],
        "provisional": [("MET", "PROVISIONAL")],
        "final": [("MET", "FINAL")],
        "amended": [("BROKEN", "AMENDED")],
    }
    cause = judged.one("SELECT cause::VARCHAR FROM day_verdicts WHERE region = 'SY01' AND truce_day = ?", day(0))
    assert "feed-a/late1" in cause
    told = "SELECT changed, reports FROM verdict_changes WHERE region = 'SY01' AND truce_day = ? AND version = 3"
    ((changed, by),) = judged.ask(told, day(0))
    assert [(each["field"], each["old"], each["new"]) for each in changed] == [
        ("verdict", '"MET"', '"BROKEN"'),
        ("state", '"FINAL"', '"AMENDED"'),
        ("violence", '"MET"', '"BROKEN"'),
        ("incidents", "0", "2"),
        ("incidents_without_toll", "0", "2"),
    ]
    assert by == ["feed-a/late1@1", "feed-a/late2@1"]
    (amended,) = read_status(judged.file).amended
    assert (amended.region, amended.truce_day, amended.verdict_before, amended.verdict) == (
        *("SY01", day(0)),
        *("MET", "BROKEN"),
    )


def test_counts_that_moved_before_are_not_blamed_on_the_report_that_broke_the_day(tmp_path: Path) -> None:
    five = agreement(violence={"floor": 5})
    history = History(five).tell(watched("w", at(0), at(1), *BOTH)).tick(at(0, 1))
    history.tell(*(shelling(f"i{n}", at(0, 1 + n)) for n in range(5))).tick(at(0, 12))
    judged = outcome(history.tell(shelling("six", at(0, 13))).tick(at(0, 15)), tmp_path)
    held = "SELECT incidents FROM verdicts_as_of(CAST(? AS TIMESTAMPTZ)) WHERE region = 'SY01'"
    moments = [datetime.fromtimestamp(at(0, hour) / 1e6, UTC).isoformat() for hour in (1, 12, 15)]
    assert [judged.ask(held, moment) for moment in moments] == [[(0,)], [(5,)], [(6,)]]
    ((changed, by),) = judged.ask("SELECT changed, reports FROM verdict_changes WHERE region = 'SY01' AND version = 2")
    assert [(each["old"], each["new"]) for each in changed if each["field"] == "incidents"] == [("5", "6")]
    assert by == ["feed-a/six@1"]


def test_a_final_day_changes_in_nothing_without_a_version_that_says_by_whom(tmp_path: Path) -> None:
    """Another range of a toll, and another feed that watched: both were written over what had been final."""
    history = History(agreement(violence={"floor": 5})).tell(watched("w", at(0), at(0, 6), *BOTH))
    history.tell(shelling("i1", at(0, 2), deaths={"best": 3})).tick(at(1, 1), at(4))
    history.tell(shelling("i1", at(0, 2), revision=2, reported_at=at(4, 1), deaths={"low": 1, "best": 3, "high": 50}))
    history.tick(at(4, 2)).tell(watched("x", at(0), at(0, 3), *BOTH, feed="other", reported_at=at(4, 3)))
    judged = outcome(history.tick(at(4, 4)), tmp_path)
    told = (
        "SELECT state, changed, reports FROM verdict_changes WHERE region = 'SY01' AND truce_day = ? ORDER BY version"
    )
    _, toll, watch = judged.ask(told, day(0))
    assert [each["field"] for each in toll[1]] == ["state", "deaths_low", "deaths_high"]
    assert (toll[0], toll[2]) == ("AMENDED", ["feed-a/i1@2"])
    assert [each["field"] for each in watch[1]] == ["reasons"]
    assert (watch[0], watch[2]) == ("AMENDED", ["other/x@1"])


def test_a_day_nobody_watched_says_who_had_watched_before_and_until_when(tmp_path: Path) -> None:
    history = History(TRUCE).tell(watched("w", at(0), at(1), *BOTH)).tick(at(3, 1))
    history.tell(watched("late", at(1), at(1, 2), "SY01", feed="other", reported_at=at(3, 2))).tick(at(3, 3))
    judged = outcome(history, tmp_path)
    reason = "SELECT reasons ->> '$[0].text' FROM day_verdicts WHERE region = ? AND truce_day = ?"
    told, watch = judged.one(reason, "SY01", day(2)), "watch until 2016-09-13 16:00 UTC"
    assert told.endswith(f"no feed watched it, before it other until 2016-09-13 18:00 UTC, {watch}")
    assert judged.one(reason, "SY02", day(2)).endswith(f"no feed watched it, before it {watch}")
    figures = "SELECT cause ->> '$.reports[*]' FROM day_figures WHERE region = 'SY01' AND truce_day = ?"
    assert (["other/late@1"],) in judged.ask(figures, day(2))


def test_what_was_declared_then_is_told_though_it_was_corrected_and_taken_back_later(tmp_path: Path) -> None:
    def said(revision: int, told: Micros, until: Micros, **fields: Any) -> dict[str, Any]:
        term = {"effective_at": _iso(at(0)), "until": _iso(until), "act": "start", "declared_by": "Army"}
        return report("declaration", "d", feed="army", reported_at=told, revision=revision, **term, **fields)

    history = History(TRUCE).tell(said(1, at(0), at(2))).tick(at(1)).tell(said(2, at(2), at(7))).tick(at(3))
    judged = outcome(history.tell(said(3, at(4), at(7), status="retracted")).tick(at(6)), tmp_path)
    clock = "SELECT in_force, until FROM declared_as_of(CAST(? AS TIMESTAMPTZ))"
    until = [datetime.fromtimestamp(at(days) / 1e6, UTC) for days in (2, 7)]
    assert [judged.ask(clock, _iso(at(days))) for days in (1, 3, 5)] == [[(True, until[0])], [(True, until[1])], []]
    shown = read_status(judged.file, as_of=datetime.fromtimestamp(at(1) / 1e6, UTC))
    assert [(each.declared_by, each.until) for each in shown.declared_clocks] == [("Army", until[0])]
    assert judged.one("SELECT count(*) FROM declarations") == 3


def _iso(instant: Micros) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).isoformat()


def test_names_to_check_are_counted_until_they_are_corrected(tmp_path: Path) -> None:
    when = {"reported_at": local(13, 10), "occurred": (local(13, 9), local(13, 9)), "kind": "shelling"}
    refused = [report("incident", f"r{n}", place={"names": ["Mansoura"]}, **when) for n in (1, 2)]
    doubt = [report("incident", f"d{n}", place={"names": ["Rif Dimashq", "Madaya"]}, **when) for n in (1, 2)]
    history = History(load_agreement("syria-2016")).tell(*refused, *doubt).tick(local(14, 0))
    before = read_status(outcome(history, tmp_path / "before").file).to_check
    assert before == PlacesToCheck(ambiguous=2, refused=2)
    history.tell({**refused[0], "place": {"pcode": "SY02"}}, {**doubt[0], "revision": 2, "place": {"pcode": "SY03"}})
    after = read_status(outcome(history.tick(local(14, 1)), tmp_path / "after").file).to_check
    assert after == PlacesToCheck(ambiguous=1, refused=1)


def test_a_toll_that_is_revised_or_retracted_keeps_the_chain_and_its_range(tmp_path: Path) -> None:
    """At Urum al-Kubra the toll went from 12 to 20 to 18: the last one counts, and all three can be read."""
    history = History(TRUCE)
    tolls: list[dict[str, int]] = [{"best": 12}, {"best": 20}, {"low": 10, "best": 18, "high": 20}]
    for revision, toll in enumerate(tolls, start=1):
        told = at(0, 5 * revision)
        history.tell(shelling("urum", at(0, 1), revision=revision, reported_at=told, deaths=toll)).tick(told)
    gone = shelling("gone", at(0, 2), deaths={"best": 90})
    history.tell(gone, {**gone, "revision": 2, "status": "retracted"})
    judged = outcome(history.tick(at(0, 23)), tmp_path)
    chain = "SELECT revision, deaths_low, deaths_best, deaths_high, present FROM reports WHERE report_id = 'urum'"
    assert judged.ask(f"{chain} ORDER BY revision") == [
        (1, None, 12, None, False),
        (2, None, 20, None, False),
        (3, 10, 18, 20, True),
    ]
    tally = "SELECT incidents, deaths_low, deaths_best, deaths_high FROM day_tallies WHERE incidents > 0"
    assert judged.ask(tally) == [(1, 10, 18, 20)]
    assert judged.ask("SELECT revision, retracted FROM reports WHERE report_id = 'gone' AND present") == [(2, True)]


def test_silence_is_not_peace_and_a_silent_region_never_advances_a_streak(tmp_path: Path) -> None:
    history = History(TRUCE).tell(*(watched(f"w{n}", at(n), at(n + 1), "SY02") for n in range(3)))
    judged = outcome(history.tick(at(3, 1)), tmp_path / "silent")
    assert [judged.verdict("SY01", day(n))["verdict"] for n in range(3)] == ["UNKNOWN"] * 3
    assert judged.streak("SY01") == 0
    assert judged.ask("SELECT is_open FROM gate") == [(False,)]


def test_a_late_nil_report_turns_silence_into_a_finding_and_heals_the_streak(tmp_path: Path) -> None:
    history = History(TRUCE).tell(watched("w0", at(0), at(1), *BOTH), watched("w2", at(2), at(3), *BOTH))
    history.tick(at(3, 1)).tell(watched("w1", at(1), at(2), *BOTH, reported_at=at(3, 2)))
    judged = outcome(history.tick(at(3, 3)), tmp_path)
    assert judged.verdict("SY01", day(1))["verdict"] == "MET"
    assert judged.streak("SY01") == 3
    assert judged.one("SELECT streak_days FROM window_as_of('SY01', '2016-09-15 18:00:00+00')") == 1


def test_urum_al_kubra_was_struck_just_after_seven_full_days(tmp_path: Path) -> None:
    """The eighth truce-day began at 19:00 on 19 September, the attack between 19:12 and 19:50.

    By the calendar both lie on the 19th; by the agreement seven days had been completed before the first explosion.
    """
    truce = agreement(clock={"required_days": 7}, access={"regions": []})
    history = History(truce).tell(*(watched(f"w{n}", at(n), at(n + 1), *BOTH) for n in range(7)))
    history.tick(local(19, 19), local(19, 19, 10))
    attack = {"kind": "attack_on_aid", "parties": [], "reported_at": local(19, 23, 45)}
    history.tell(shelling("urum", 0, "SY02", occurred=(local(19, 19, 12), local(19, 19, 50)), **attack))
    judged = outcome(history.tick(local(20, 0)), tmp_path)
    eighth = date(2016, 9, 19)
    assert judged.ask("SELECT truce_day FROM incidents") == [(eighth,)]
    assert judged.one("SELECT timezone('Asia/Damascus', occurred_from)::DATE FROM incidents") == eighth
    assert [judged.verdict("SY02", day(n))["verdict"] for n in range(8)] == ["MET"] * 7 + ["BROKEN"]
    assert judged.streak("SY02") == 7
    opened = judged.ask("SELECT recorded_at::VARCHAR, is_open FROM gate_history ORDER BY tick_offset")
    assert opened[-1] == ("2016-09-19 16:00:00+00", True)


@pytest.mark.parametrize("minute", [59, 60])
def test_a_minute_decides_which_truce_day_an_incident_is_of(minute: int, tmp_path: Path) -> None:
    moment = local(19, 18) + minute * 60_000_000
    told = shelling("edge", 0, "SY02", occurred=(moment, moment), reported_at=local(19, 23))
    judged = outcome(History(TRUCE).tell(told).tick(local(20, 0)), tmp_path)
    assert judged.one("SELECT truce_day FROM incidents") == date(2016, 9, 18 if minute == 59 else 19)


@pytest.mark.parametrize(
    ("steps", "delivered"),
    [
        pytest.param(("requested", "approved"), False, id="an approval"),
        pytest.param(("approved", "loaded", "dispatched"), False, id="a departure"),
        pytest.param(("dispatched", "arrived"), False, id="a border crossed"),
        pytest.param(("dispatched", "arrived", "offloaded"), True, id="goods unloaded"),
    ],
)
def test_an_approval_a_departure_or_a_crossing_is_no_delivery(
    steps: tuple[str, ...], delivered: bool, tmp_path: Path
) -> None:
    history = History(TRUCE)
    for number, step in enumerate(steps):
        history.tell(truck(f"s{number}", step, at(0, 1 + number), trucks=20, people_requested=78_000))
    judged = outcome(history.tick(at(4)), tmp_path)
    assert judged.verdict("SY02", day(3))["access"] == ("MET" if delivered else "BROKEN")
    assert judged.one("SELECT count(*) FROM convoys WHERE delivered_at IS NOT NULL") == int(delivered)


def test_a_delivery_that_one_side_announces_and_the_convoys_own_people_contradict_is_none(tmp_path: Path) -> None:
    """State media had the trucks in Aleppo; the United Nations had them behind the customs post, days later still."""
    claim = {"feed": "state-media", "convoy_id": "aleppo", "same_convoy_as": "un/aid-1"}
    history = History(TRUCE).tell(
        truck("sent", "dispatched", at(0, 2)),
        truck("claim", "offloaded", at(0, 6), **claim),
        truck("held", "held", at(0, 12)),
    )
    judged = outcome(history.tick(at(4)), tmp_path)
    assert judged.one("SELECT count(*) FROM rejects") == 0
    assert judged.ask("SELECT count(*), count(delivered_at) FROM convoys") == [(1, 0)]
    assert judged.verdict("SY02", day(3))["access"] == "BROKEN"


def test_access_is_scored_by_people_reached_over_people_asked_for_and_not_by_trucks(tmp_path: Path) -> None:
    """Two feeds tell of one convoy: its people are asked for and reached once, however many trucks each counted."""
    truce = agreement(access={"same_convoy_hours": 24})
    there = {"place": {"pcode": "SY02", "names": ["A village"]}}
    history = History(truce).tell(
        truck("sent", "dispatched", at(0, 2), trucks=25, people_requested=40_000) | there,
        truck("came", "offloaded", at(0, 8), feed="ap", convoy_id="x", trucks=23, people_reached=30_000) | there,
        truck("stuck", "held", at(0, 9), feed="icrc", convoy_id="y", trucks=60, people_requested=60_000),
    )
    judged = outcome(history.tick(at(1, 1)), tmp_path)
    score = "convoys, convoys_delivered, people_requested, people_reached, reached_share"
    found = judged.ask(f"SELECT {score} FROM access_score WHERE span = 'window' AND region = 'SY02'")
    assert found == [(2, 1, 100_000, 30_000, 0.3)]


def test_a_quiet_day_on_which_aid_is_blocked_is_no_day_of_the_seven(tmp_path: Path) -> None:
    """The test asked for calm and for access: day seven of quiet with trucks at the border is day nought."""
    history = History(agreement(clock={"required_days": 7}))
    history.tell(truck("s1", "dispatched", at(0, 1)), truck("s2", "held", at(0, 2)))
    history.tell(*(watched(f"w{n}", at(n), at(n + 1), *BOTH) for n in range(7)))
    judged = outcome(history.tick(at(7, 1)), tmp_path)
    last = judged.verdict("SY02", day(6))
    assert (last["violence"], last["access"], last["verdict"]) == ("MET", "BROKEN", "BROKEN")
    assert judged.streak("SY01") == 7
    assert judged.streak("SY02") == 0
    assert judged.ask("SELECT is_open, regions_holding FROM gate") == [(False, 1)]


STOPPED = pytest.mark.parametrize("stopped", ["denied", "turned_back", "attacked", "no_response"])


@STOPPED
def test_aid_that_was_stopped_is_no_aid_however_quiet_the_days_are(stopped: str, tmp_path: Path) -> None:
    """Else whoever holds a road would only have to say no: the convoy would be out of the way, and the gate open."""
    history = History(agreement(clock={"required_days": 3}))
    history.tell(truck("s1", "requested", at(0, 1)), truck("s2", stopped, at(0, 2)))
    history.tell(*(watched(f"w{n}", at(n), at(n + 1), *BOTH) for n in range(7)))
    judged = outcome(history.tick(*(at(n, 1) for n in range(1, 8))), tmp_path)
    assert [judged.verdict("SY02", day(n))["access"] for n in range(3, 7)] == ["BROKEN"] * 4
    assert judged.streak("SY02") == 0
    assert judged.one("SELECT is_open FROM gate") is False
    (text,) = judged.ask("SELECT reasons::VARCHAR FROM day_verdicts WHERE region = 'SY02' AND truce_day = ?", day(6))
    assert stopped == "no_response" or f"un/aid-1 ({stopped.replace('_', ' ')} 2016-09-12 18:00 UTC" in text[0]


def test_everything_refused_for_six_days_and_one_truck_on_the_seventh_opens_no_gate(tmp_path: Path) -> None:
    truce = load_agreement("syria-2016")
    regions, history = truce.regions, History(truce)
    places = [{"pcode": region} for region in regions]
    for n in range(8):
        spine = {"feed": "watch", "reported_at": at(n + 1), "occurred": (at(n), at(n + 1))}
        history.tell(report("coverage", f"w{n}", nil=True, places=places, **spine))
    for region in truce.access.regions:
        for n in range(6):
            aid: dict[str, Any] = {"region": region, "convoy_id": f"{region}-{n}"}
            history.tell(truck(f"{region}-q{n}", "requested", at(n, 1), **aid))
            history.tell(truck(f"{region}-d{n}", "denied", at(n, 2), **aid))
        history.tell(truck(f"{region}-one", "offloaded", at(6, 20), region=region, convoy_id=f"{region}-z"))
    judged = outcome(history.tick(*(at(n, 1) for n in range(1, 8))), tmp_path)
    access = [judged.verdict("SY02", day(n))["access"] for n in range(7)]
    assert access == ["MET", "MET", "MET", "BROKEN", "BROKEN", "BROKEN", "MET"]
    assert judged.ask("SELECT DISTINCT is_open FROM gate_history") == [(False,)]


@pytest.mark.parametrize(
    ("to", "begun", "healed"),
    [
        pytest.param(["Old Town"], at(4, 3), True, id="the same place"),
        pytest.param(["Old Town"], at(0, 2) - 1_000_000, False, id="the same place, before the refusal"),
        pytest.param(["New Town"], at(4, 3), False, id="another place of the region"),
        pytest.param([], at(4, 3), False, id="somewhere in the region"),
    ],
)
def test_a_refusal_is_made_good_by_a_later_delivery_to_the_same_place(
    to: list[str], begun: Micros, healed: bool, tmp_path: Path
) -> None:
    places = [
        {"name": name, "region": "SY02", "status": "besieged", "source": "none"} for name in ("Old Town", "New Town")
    ]
    history = History(agreement(access={"places": places}))
    refused = {"place": {"pcode": "SY02", "names": ["Old Town"]}}
    no = truck("no", "denied", at(0, 2))
    history.tell({**no, **refused})
    aid = truck("aid", "offloaded", begun, convoy_id="aid-2")
    history.tell({**aid, "place": {"pcode": "SY02", "names": to}})
    judged = outcome(history.tick(at(6)), tmp_path)
    assert judged.verdict("SY02", day(3))["access"] == "BROKEN"
    assert judged.verdict("SY02", day(5))["access"] == ("MET" if healed else "BROKEN")


@pytest.mark.parametrize("sent_on", ["dispatched", "turned_back"])
def test_an_attack_breaks_the_day_wherever_the_trucks_are_sent_afterwards(sent_on: str, tmp_path: Path) -> None:
    truce = agreement(access={"regions": list(BOTH)})
    for first, then in (BOTH, BOTH[::-1]):
        history = History(truce).tell(
            truck("t0", "dispatched", at(0, 1), region=first),
            truck("t1", "attacked", at(0, 3), region=first),
            truck("t2", sent_on, at(0, 8), region=then),
        )
        judged = outcome(history.tick(at(0, 5), at(2)), tmp_path / first)
        broken = "SELECT region, truce_day FROM day_verdicts WHERE access = 'BROKEN' ORDER BY ALL"
        assert judged.ask(broken) == [("SY01", day(0)), ("SY02", day(0))]
        assert judged.ask("SELECT DISTINCT evidence ->> '$.access[*]' FROM day_verdicts WHERE access = 'BROKEN'") == [
            (["un/aid-1"],)
        ]


def test_fights_of_those_outside_the_truce_are_counted_apart_and_break_nothing(tmp_path: Path) -> None:
    isil = [{"name": "Government", "slot": "a"}, {"name": "ISIL", "slot": "b"}]
    history = History(TRUCE).tell(*(shelling(f"isil{hour}", at(0, hour), parties=isil) for hour in range(1, 9)))
    history.tell(shelling("ours", at(0, 12)), watched("w", at(0), at(1), *BOTH))
    judged = outcome(history.tick(at(1, 1)), tmp_path)
    found = judged.verdict("SY01", day(0))
    assert (found["incidents"], found["incidents_out_of_scope"], found["verdict"]) == (1, 8, "MET")
    assert judged.one("SELECT count(*) FROM incidents WHERE NOT in_scope") == 8


def test_attribution_is_kept_as_a_claim_beside_who_claims_it_and_how_surely(tmp_path: Path) -> None:
    """Deir ez-Zor, 17 September: one incident, three tellers, three tolls; the verdict names none of them as guilty."""
    strike: dict[str, Any] = {"kind": "airstrike", "place": {"names": ["Deir Ezzor", "Jabal Tharda"]}}
    claims = {
        "centcom": {"accused": ["Coalition"], "claimant": "Coalition", "confidence": "likely", "parties": []},
        "russian-mod": {"accused": ["Coalition"], "claimant": "Russian MoD", "confidence": "confirmed", "parties": []},
        "monitor": {"parties": SIDES},
    }
    tolls = {"centcom": {}, "russian-mod": {"best": 62}, "monitor": {"low": 80, "high": 90}}
    history = History(load_agreement("syria-2016"))
    for feed, claim in claims.items():
        told = report(
            "incident", "tharda", feed=feed, reported_at=local(17, 23), occurred=(local(17, 17), local(17, 18)),
            **{**strike, "deaths": tolls[feed], **claim},
        )  # fmt: skip
        history.tell(told)
    judged = outcome(history.tick(local(18, 0)), tmp_path)
    assert judged.ask("SELECT feed, accused, claimant, confidence FROM reports ORDER BY feed") == [
        ("centcom", ["Coalition"], "Coalition", "likely"),
        ("monitor", None, None, "unstated"),
        ("russian-mod", ["Coalition"], "Russian MoD", "confirmed"),
    ]
    reasons = judged.one("SELECT reasons::VARCHAR FROM day_verdicts WHERE region = 'SY09' AND truce_day = '2016-09-16'")
    assert "Coalition" not in reasons
    one = judged.ask("SELECT reports, accused, deaths_low, deaths_best, deaths_high FROM incidents")
    assert one == [(3, ["Coalition"], 62, 62, 90)]


@pytest.mark.parametrize(("written", "other"), [("Madaya", "Moadamiyeh"), ("Moadamiya", "Madaya")])
def test_madaya_and_moadamiyeh_are_marked_for_a_reader_to_check(written: str, other: str, tmp_path: Path) -> None:
    place = {"names": ["Rif Dimashq", written]}
    told = report(
        "convoy", "s1", feed="un", convoy_id="aid", step="offloaded", reported_at=local(22, 20),
        occurred=(local(22, 12), local(22, 12)), place=place,
    )  # fmt: skip
    judged = outcome(History(load_agreement("syria-2016")).tell(told).tick(local(23, 0)), tmp_path)
    ((region, name, conflict),) = judged.ask("SELECT region, place_name, place_conflict FROM reports")
    assert (region, name) == ("SY03", written)
    assert conflict == f"{written!r} is easily confused with {other!r}"


def test_a_name_that_may_be_in_two_regions_is_refused_with_both_and_not_guessed(tmp_path: Path) -> None:
    when = {"reported_at": local(13, 10), "occurred": (local(13, 9), local(13, 9))}
    told = report("incident", "i1", kind="shelling", place={"names": ["Mansoura"]}, **when)
    judged = outcome(History(load_agreement("syria-2016")).tell(told).tick(local(14, 0)), tmp_path)
    ((code, hint),) = judged.ask("SELECT code, hint FROM rejects")
    assert code == "ambiguous_place"
    assert "SY02 Aleppo or SY11 Ar-Raqqa" in hint


def test_a_declared_end_stands_beside_what_was_computed_and_changes_nothing(tmp_path: Path) -> None:
    """The army declared its truce over on 19 September; the days before it are what they were."""

    def told(*declared: dict[str, Any]) -> History:
        history = History(TRUCE).tell(*(watched(f"w{n}", at(n), at(n + 1), *BOTH) for n in range(7)))
        history.tell(truck("s1", "offloaded", at(0, 1)), *declared)
        return history.tick(local(19, 19), local(19, 22))

    def act(report_id: str, act: str, when: Micros) -> dict[str, Any]:
        effective = datetime.fromtimestamp(when / 1e6, UTC).isoformat()
        spine = {"declared_by": "Syrian Arab Army", "effective_at": effective, "feed": "army"}
        return report("declaration", report_id, reported_at=when, act=act, **spine)

    declared = outcome(told(act("d1", "start", local(12, 19)), act("d2", "end", local(19, 19))), tmp_path / "declared")
    silent = outcome(told(), tmp_path / "silent")
    verdicts = "SELECT region, truce_day, verdict, state, incidents FROM day_verdicts ORDER BY ALL"
    assert declared.ask(verdicts) == silent.ask(verdicts)
    assert declared.streak("SY02") == silent.streak("SY02") == 7
    clock = "SELECT declared_by, ended_by, held, truce_days, truce_days_met FROM declared_clock"
    assert declared.ask(clock) == [("Syrian Arab Army", "end", "7 d 0 h", 7, 7)]


def test_a_poison_message_is_kept_with_its_reason_and_stops_nothing(tmp_path: Path) -> None:
    poison = [b"", b"\xff\x00", b"{", b"[]", b'{"type": "incident", "feed": "f", "report_id": "x", "deaths": NaN}']
    history = History(TRUCE).tell(*poison, shelling("after", at(0, 2))).tick(at(0, 5))
    judged = outcome(history, tmp_path)
    rows = judged.ask("SELECT original, code, hint FROM rejects ORDER BY source_offset")
    assert [bytes(row[0]) for row in rows] == poison
    assert all(code and hint for _, code, hint in rows)
    assert judged.verdict("SY01", day(0))["incidents"] == 1


def test_a_message_that_is_replayed_counts_once_whatever_was_in_between(tmp_path: Path) -> None:
    first = shelling("i1", at(0, 2))
    corrected = shelling("i1", at(0, 2), revision=2, kind="airstrike")
    history = History(TRUCE).tell(first, corrected, first, corrected, first).tick(at(0, 5))
    judged = outcome(history, tmp_path)
    assert judged.verdict("SY01", day(0))["incidents"] == 1
    assert judged.one("SELECT kind FROM incidents") == "airstrike"
    assert judged.ask("SELECT accepted, corrected, duplicate FROM feeds") == [(1, 1, 3)]


def test_two_bodies_under_one_revision_are_a_contradiction_and_the_first_stands(tmp_path: Path) -> None:
    history = History(TRUCE).tell(shelling("i1", at(0, 2)), shelling("i1", at(0, 2), kind="chemical")).tick(at(0, 5))
    judged = outcome(history, tmp_path)
    assert judged.one("SELECT kind FROM incidents") == "shelling"
    ((code, original),) = judged.ask("SELECT code, original FROM rejects")
    assert code == "conflicting_body"
    assert json.loads(bytes(original))["kind"] == "chemical"


def stood(report_id: str, latitude: float, uncertainty: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """Where heavy weapons of the army stood, north of Castello Road by the latitude given."""
    spine: dict[str, Any] = {
        "feed": "drone",
        "reported_at": local(14, 12),
        "occurred": (local(14, 9), local(14, 10)),
        "unit": "a battery",
        "party": "Syrian Arab Army",
        "weapon_class": "heavy",
        "point": {"latitude": latitude, "longitude": 37.14},
    }
    return report("position", report_id, uncertainty=uncertainty, **{**spine, **fields})


def test_metres_and_yards_keep_their_unit_and_false_precision_finds_nothing(tmp_path: Path) -> None:
    """Heavy weapons were to keep 3,500 m from the road; how well a position is known decides whether that can be said.

    500 yards are 457.2 m and stay yards. A position some three kilometres off, known to 500 yards from a line known
    to 500 m, is neither in breach nor not; and one that does not say how well it is known never is.
    """
    yards = {"value": 500, "unit": "yards"}
    history = History(load_agreement("syria-2016")).tell(
        stood("close", 36.2685, yards, stated_distance={"value": 500, "unit": "yards"}),
        stood("between", 36.2815, yards),
        stood("far", 36.2995, yards),
        stood("unsaid", 36.2685, None),
    )
    judged = outcome(history.tick(local(14, 18)), tmp_path)
    found = judged.ask("SELECT report_id, finding, rule, limit_metres FROM position_findings ORDER BY report_id")
    assert found == [
        ("between", "INDETERMINATE", "limit_in_doubt", 3_500),
        ("close", "VIOLATION", "band", 3_500),
        ("far", "COMPLIANT", "band", 3_500),
        ("unsaid", "INDETERMINATE", "no_uncertainty", None),
    ]
    kept = "SELECT uncertainty, uncertainty_unit, uncertainty_metres, stated_distance, stated_distance_unit"
    assert judged.ask(f"{kept} FROM positions WHERE report_id = 'close'") == [(500, "yards", 457.2, 500, "yards")]
    assert judged.verdict("SY02", date(2016, 9, 13))["violence"] == "UNKNOWN"
