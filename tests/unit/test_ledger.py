"""The ledger as a whole: last revision wins, judging at ticks, versions."""

from __future__ import annotations

import json

import pytest

from schemas.facts import Origin, OutsideFact, Redrive, RejectFact, TickFact
from schemas.rows import FeedRow, Identity
from schemas.truceday import Micros
from streams.ledger.core.dirty_days import DirtyDays
from streams.ledger.core.identity import key_hash
from streams.ledger.core.legs.tally import EVIDENCE_KEPT, EVIDENCE_SHOWN
from streams.ledger.core.report_rows import Entry
from tests.support.worlds import (
    DAY,
    HOUR,
    World,
    agreement,
    at,
    bulletin,
    convoy,
    coverage,
    day,
    declaration,
    incident,
    origin,
    tick,
)


def feed_row(world: World, feed: str = "feed-a") -> FeedRow:
    return {row.feed: row for row in world.flush().feeds}[feed]


def test_a_quiet_day_that_was_watched_is_met() -> None:
    world = World().tell(coverage(low=at(0), high=at(1)), tick(at(1)))
    assert world.verdict("SY01", 0).verdict == "MET"


def test_a_quiet_day_that_nobody_watched_is_unknown() -> None:
    world = World().tell(tick(at(1)))
    assert world.verdict("SY01", 0).verdict == "UNKNOWN"


def test_the_reason_of_an_unknown_day_says_who_watched_until_when() -> None:
    def reason(world: World) -> str:
        return str(json.loads(world.verdict("SY01", 0).reasons)[0]["text"])

    world = World().tell(tick(at(0, 1)))
    assert reason(world).endswith("0 % of the day watched, 75 % needed; no feed watched it")
    world.tell(coverage(low=at(0), high=at(0, 6)), tick(at(0, 6)))
    assert reason(world).endswith("25 % of the day watched, 75 % needed")
    world.tell(tick(at(1)))
    assert reason(world).endswith("75 % needed; feed-a watched until 2016-09-12 22:00 UTC")
    world.tell(coverage("c2", low=at(0, 5), high=at(2)), tick(at(2)))
    assert reason(world).endswith("100 % of the day watched, 75 % needed")


def test_a_notice_that_lasts_no_time_watches_nothing_and_may_be_withdrawn() -> None:
    moment = {"low": at(0, 12), "high": at(0, 12)}
    world = World().tell(coverage(**moment), tick(at(1)))
    assert world.verdict("SY01", 0).verdict == "UNKNOWN"
    world.tell(coverage(**moment, revision=2, retracted=True), tick(at(1, 1)))
    assert world.ledger._aggregates.remove_coverage(Identity("feed-a", "c1")) is None


def test_a_feed_that_reports_watches_the_day_where_the_agreement_says_so() -> None:
    for reports_cover, verdict in ((True, "MET"), (False, "UNKNOWN")):
        truce = agreement(coverage={"reports_cover_the_day": reports_cover})
        assert World(truce).tell(incident(), tick(at(1))).verdict("SY01", 0).verdict == verdict


def test_a_tick_without_a_time_before_any_other_judges_nothing() -> None:
    world = World().tell(incident(), TickFact(stamp=None))
    world.flush()
    assert (world.ledger.now, world.store.verdicts) == (None, {})


def test_parties_beyond_those_remembered_are_told_apart_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.ledger.core.ledger.SIDES_REMEMBERED", 1)
    elsewhere = (("Government",), ("ISIL",))
    facts = [incident(f"i{n}", **({"sides": elsewhere} if n % 2 else {})) for n in range(5)]
    row = World().tell(*facts, tick(at(1))).verdict("SY01", 0)
    assert (row.incidents, row.incidents_out_of_scope) == (3, 2)


def test_a_convoy_known_from_before_the_truce_has_its_first_day_judged_again() -> None:
    world = World().tell(tick(at(2)), convoy(when=at(-1)), tick(at(2, 1)))
    assert [row.access for row in world.versions("SY02", 0)] == ["UNKNOWN", "MET"]


def test_a_running_day_is_met_only_when_it_is_covered_to_the_end() -> None:
    world = World().tell(coverage(low=at(0), high=at(0, 12)), tick(at(0, 12)))
    assert (world.verdict("SY01", 0).verdict, world.verdict("SY01", 0).covered_share) == ("UNKNOWN", 0.5)


def test_incidents_above_the_limit_break_the_day_and_are_named() -> None:
    world = World().tell(incident("i2", when=at(0, 5)), incident("i1", when=at(0, 4)), tick(at(1)))
    row = world.verdict("SY01", 0)
    assert (row.verdict, row.incidents, row.violence_limit) == ("BROKEN", 2, 1.0)
    assert json.loads(row.evidence)["violence"] == ["feed-a/i1", "feed-a/i2"]
    assert json.loads(row.cause)["reports"] == ["feed-a/i2@1", "feed-a/i1@1"]


@pytest.mark.parametrize("reports", [3, 10, 11, 25])
@pytest.mark.parametrize("flush_every", [1, 4, 1_000])
def test_a_cause_counts_every_correction_once(reports: int, flush_every: int) -> None:
    elsewhere = (("Government",), ("ISIL",))
    first = [incident(f"i{n}", when=at(0, 1), sides=elsewhere) for n in range(reports)]
    world = World(flush_every=flush_every).tell(*first, tick(at(0, 6)))
    world.tell(*[incident(f"i{n}", when=at(0, 1), revision=2) for n in range(reports)])
    cause = json.loads(world.tell(tick(at(1))).versions("SY01", 0)[-1].cause)
    assert cause["reports"] == [f"feed-a/i{n}@2" for n in range(min(reports, 10))]
    assert cause["more"] == max(0, reports - 10)


def test_a_cause_counts_a_report_once_that_changes_a_day_and_every_day() -> None:
    """A report of a baseline day changes that day and the limit of all."""
    pending = DirtyDays()
    day_of_it, another = day(-1), day(0)
    for number in range(15):
        fact = incident(f"b{number}", when=at(-1, -1))
        pending.touch("SY01", day_of_it, fact)
        pending.touch("SY01", None, fact)
    for number in range(2):
        pending.touch("SY01", day_of_it, incident(f"d{number}"))
    for kept in (pending, DirtyDays.from_text(pending.to_text(0), 0)):
        assert json.loads(kept.cause_text("SY01", day_of_it))["more"] == 7
        assert json.loads(kept.cause_text("SY01", another))["more"] == 5


def test_nothing_is_judged_between_ticks() -> None:
    world = World().tell(tick(at(0)), incident("i1"), incident("i2"), incident("i3"))
    assert world.verdict("SY01", 0).verdict == "UNKNOWN"
    assert world.tell(tick(at(0, 14))).verdict("SY01", 0).verdict == "BROKEN"


def test_fights_of_non_parties_are_counted_apart_and_break_nothing() -> None:
    fights = [incident(f"i{n}", sides=(("Government",), ("ISIL",))) for n in range(5)]
    world = World().tell(coverage(low=at(0), high=at(1)), *fights, tick(at(1)))
    row = world.verdict("SY01", 0)
    assert (row.verdict, row.incidents, row.incidents_out_of_scope) == ("MET", 0, 5)


def test_a_severe_incident_breaks_the_day_alone() -> None:
    world = World().tell(incident(kind="attack_on_aid"), tick(at(1)))
    row = world.verdict("SY01", 0)
    assert (row.violence, json.loads(row.evidence)["violence"]) == ("BROKEN", ["feed-a/i1"])


def test_a_baseline_of_incidents_before_the_truce_sets_the_limit() -> None:
    before = [incident(f"b{n}", when=at(-1, -n)) for n in range(100)]
    world = World().tell(*before, tick(at(0, 1)))
    row = world.verdict("SY01", 0)
    assert row.violence_limit == 2.0  # 20 % of 100 incidents in 10 days
    assert world.verdict("SY02", 0).violence_limit == 1.0


def test_a_late_baseline_report_moves_the_limit_of_every_day() -> None:
    world = World().tell(tick(at(2)), *[incident(f"b{n}", when=at(-1, -n)) for n in range(100)], tick(at(2, 1)))
    assert [row.violence_limit for row in world.versions("SY01", 0)] == [1.0, 2.0]
    assert json.loads(world.verdict("SY01", 0).cause)["more"] == 90


def test_the_same_report_twice_counts_once() -> None:
    world = World().tell(incident(), incident(), tick(at(1)))
    assert world.verdict("SY01", 0).incidents == 1
    assert (feed_row(world.tell(incident())).accepted, feed_row(world.tell(incident())).duplicate) == (1, 3)


def test_a_record_that_intake_wrote_twice_is_no_duplicate_of_the_feeds() -> None:
    world = World().tell(incident(origin=origin(7)), incident(origin=origin(7)), incident(origin=origin(8)))
    row = feed_row(world)
    assert (row.accepted, row.duplicate) == (1, 1)


def test_a_tick_that_intake_wrote_twice_does_not_judge_what_was_reported_after_it() -> None:
    """Intake died behind the second report of a batch and wrote the whole batch again."""
    first = incident("i1", origin=origin(1))
    boundary = TickFact(stamp=at(0, 20), origin=origin(2))
    later = incident("i2", when=at(0, 15), origin=origin(3))
    undisturbed = World().tell(first, boundary, later, tick(at(1)))
    disturbed = World().tell(first, boundary, later, first, boundary, later, tick(at(1)))
    told = [
        [(row.version, row.recorded_at, row.incidents, row.cause) for row in world.versions("SY01", 0)]
        for world in (undisturbed, disturbed)
    ]
    assert told[0] == told[1]
    assert at(1) in [recorded_at for _, recorded_at, _, _ in told[0]]


def test_a_record_of_a_topic_created_anew_is_no_redelivery() -> None:
    world = World().tell(incident(origin=origin(7)), incident("i2", origin=origin(3, log="log-b")))
    assert feed_row(world).accepted == 2
    world.tell(incident("i3", origin=origin(3, log="log-b")), incident("i4", origin=origin(7)))
    assert feed_row(world.tell(incident("i5", origin=origin(8)))).accepted == 3


def test_only_the_high_waters_that_rose_are_handed_over() -> None:
    world = World().tell(incident(origin=origin(7)), incident("i2", origin=origin(4, partition=1)))
    assert world.flush().origins == {("truce.incidents.v1", 0, "log-a"): 7, ("truce.incidents.v1", 1, "log-a"): 4}
    world.tell(incident("i3", origin=origin(9)), incident("i4", origin=origin(4, partition=1)))
    assert world.flush().origins == {("truce.incidents.v1", 0, "log-a"): 9}
    assert world.flush().origins == {}


def test_a_higher_revision_replaces_a_lower_one_in_either_order() -> None:
    first, second = incident(deaths_best=1), incident(revision=2, deaths_best=9)
    for order in ([first, second], [second, first]):
        world = World().tell(*order, tick(at(1)))
        assert (world.verdict("SY01", 0).incidents, world.verdict("SY01", 0).deaths_best) == (1, 9)
        assert {(row.revision, row.present) for row in world.store.reports} == {(1, False), (2, True)}


def test_revision_seven_arriving_first_supersedes_all_before_it() -> None:
    world = World().tell(*[incident(revision=n, deaths_best=n) for n in (7, 1, 3, 2)], tick(at(1)))
    assert world.verdict("SY01", 0).deaths_best == 7
    assert feed_row(world.tell(incident(revision=4))).superseded == 4


def test_a_correction_moves_an_incident_to_another_region_and_day() -> None:
    world = World().tell(incident(), tick(at(2)), incident(revision=2, region="SY02", when=at(1, 3)), tick(at(2, 1)))
    assert world.verdict("SY01", 0).incidents == 0
    assert world.verdict("SY02", 1).incidents == 1


def test_a_correction_that_leaves_the_agreement_takes_the_incident_out_in_either_order() -> None:
    inside, outside, back = incident(), incident(revision=2, region="SY14"), incident(revision=3)
    for order in ([inside, outside], [outside, inside]):
        world = World().tell(*order, tick(at(1)))
        assert world.verdict("SY01", 0).incidents == 0
        assert world.tell(back, tick(at(1, 1))).verdict("SY01", 0).incidents == 1


def test_a_convoy_and_a_notice_may_leave_the_agreement_too() -> None:
    truce = agreement(access={"regions": ["SY01", "SY02"]})
    told = [convoy(when=at(0)), coverage(low=at(0), high=at(1)), tick(at(1))]
    world = World(truce).tell(*told)
    assert (world.verdict("SY02", 0).access, world.verdict("SY02", 0).covered_share) == ("MET", 1.0)
    gone = [convoy(when=at(0), revision=2, region="SY14"), coverage(low=at(0), high=at(1), revision=2, regions=())]
    world.tell(*gone, tick(at(1, 1)))
    assert (world.verdict("SY02", 0).access, world.verdict("SY02", 0).covered_share) == ("UNKNOWN", 0.0)


def test_a_retraction_takes_the_incident_out_even_before_its_report_arrives() -> None:
    for order in (
        [incident(), incident(revision=2, retracted=True)],
        [incident(revision=2, retracted=True), incident()],
    ):
        world = World().tell(*order, tick(at(1)))
        assert world.verdict("SY01", 0).incidents == 0


def test_another_body_under_the_same_revision_is_rejected_and_kept() -> None:
    world = World().tell(incident(deaths_best=1), incident(deaths_best=5), tick(at(1)))
    assert world.verdict("SY01", 0).deaths_best == 1
    rejects = [row for changes in world.store.changes for row in changes.rejects]
    assert [(row.code, row.feed, row.report_id) for row in rejects] == [("conflicting_body", "feed-a", "i1")]


def test_a_reject_of_intakes_is_kept_with_its_bytes_and_counted() -> None:
    world = World().tell(
        RejectFact(code="not_json", hint="no JSON", origin=origin(1)),
        RejectFact(code="not_json", hint="no JSON", feed="feed-a"),
    )
    changes = world.flush()
    assert [(row.code, row.source_offset) for row in changes.rejects] == [("not_json", 1), ("not_json", None)]
    assert {row.feed: row.rejected for row in changes.feeds} == {"(unreadable)": 1, "feed-a": 1}


def test_a_report_outside_the_agreement_is_counted_and_leaves_no_row() -> None:
    of = Origin("truce.incidents.v1", 0, 0)
    outside = OutsideFact(feed="feed-a", origin=origin(1), stamp=at(1))
    world = World().tell(
        outside,
        outside,
        OutsideFact(feed="feed-b", origin=origin(2), stamp=at(1), redrive=Redrive(of, 1)),
        OutsideFact(feed="feed-b", origin=origin(3), stamp=at(1), redrive=Redrive(of, 1)),
        tick(at(1)),
    )
    changes = world.flush()
    assert (changes.reports, changes.rejects, changes.verdict_log == []) == ([], [], False)
    assert {row.feed: (row.outside, row.duplicate, row.last_reported_at) for row in changes.feeds} == {
        "feed-a": (1, 0, None),
        "feed-b": (1, 1, None),
    }
    assert [row.outcome for row in changes.redrives] == ["outside"]


def test_a_streak_ends_with_an_unknown_day_and_a_late_nil_report_heals_it() -> None:
    quiet = [coverage(f"c{n}", low=at(n), high=at(n + 1), regions=("SY01",)) for n in (0, 2)]
    world = World().tell(*quiet, tick(at(3)))
    window = {row.region: row for row in world.flush().windows}["SY01"]
    assert (window.streak_days, window.streak_ended_day, window.streak_ended_by) == (1, day(1), "UNKNOWN")
    world.tell(coverage("late", low=at(1), high=at(2), regions=("SY01",)), tick(at(3, 1)))
    window = {row.region: row for row in world.flush().windows}["SY01"]
    assert (window.streak_days, window.streak_ended_day) == (3, None)


def test_the_gate_opens_when_every_region_it_needs_has_held_long_enough() -> None:
    truce = agreement(access={"regions": []})
    world = World(truce).tell(coverage(low=at(0), high=at(3), stamp=at(2)), tick(at(2, 23)))
    gate = world.flush().gate_history[-1]
    assert (gate.is_open, gate.shortest_streak) == (False, 2)
    gate = world.tell(tick(at(3))).flush().gate_history[-1]
    assert (gate.is_open, gate.regions_holding, gate.reason) == (
        True,
        2,
        "every region the gate needs has held for 3 days",
    )


def test_the_gate_says_who_is_missing_and_why() -> None:
    world = World(agreement(access={"regions": []})).tell(
        coverage(low=at(0), high=at(1), regions=("SY01",)), tick(at(1))
    )
    gate = world.flush().gate_history[-1]
    assert gate.reason == "SY01 1 of 3; SY02 0 of 3 (UNKNOWN on 2016-09-12)"


def test_a_mere_count_on_an_open_day_updates_the_row_and_makes_no_version() -> None:
    world = World().tell(coverage(low=at(0), high=at(0, 20)), tick(at(0, 20)), incident(), tick(at(0, 21)))
    assert len(world.versions("SY01", 0)) == 1
    assert world.verdict("SY01", 0).incidents == 1


def test_a_change_after_the_day_is_final_is_an_amendment() -> None:
    world = World().tell(coverage(low=at(0), high=at(1)), tick(at(1)), tick(at(3)))
    assert world.verdict("SY01", 0).state == "FINAL"
    world.tell(incident(), tick(at(3, 1)))
    assert (world.verdict("SY01", 0).state, world.verdict("SY01", 0).version) == ("AMENDED", 2)
    assert [row.incidents for row in world.versions("SY01", 0)] == [0, 1]


def test_time_alone_settles_a_day_without_a_version() -> None:
    world = World().tell(coverage(low=at(0), high=at(1)), tick(at(1)))
    states = [world.tell(tick(at(1, hours))).verdict("SY01", 0).state for hours in (0, 47, 48)]
    assert states == ["PROVISIONAL", "PROVISIONAL", "FINAL"]
    assert len(world.versions("SY01", 0)) == 1


def test_evidence_lost_to_retractions_is_fetched_from_the_store() -> None:
    many = EVIDENCE_KEPT + 5
    world = World().tell(*[incident(f"i{n:02}", when=at(0, 1) + n) for n in range(many)], tick(at(1)))
    gone = [incident(f"i{n:02}", when=at(0, 1) + n, revision=2, retracted=True) for n in range(EVIDENCE_KEPT)]
    world.tell(*gone, tick(at(1, 1)))
    expected = [f"feed-a/i{n:02}" for n in range(EVIDENCE_KEPT, many)]
    assert json.loads(world.verdict("SY01", 0).evidence)["violence"] == expected
    assert len(expected) < EVIDENCE_SHOWN


def test_a_convoy_breaks_every_day_it_is_overdue_on() -> None:
    world = World().tell(convoy(when=at(0)), tick(at(5)))
    assert [world.verdict("SY02", n).access for n in range(5)] == ["MET", "MET", "BROKEN", "BROKEN", "BROKEN"]
    assert json.loads(world.verdict("SY02", 2).evidence)["access"] == ["un/aid-1"]
    assert world.verdict("SY01", 2).access == "NOT_OWED"


def test_a_delivery_reported_late_heals_the_days_it_happened_before() -> None:
    world = World().tell(convoy(when=at(0)), tick(at(5)), convoy("s2", "offloaded", when=at(1)), tick(at(5, 1)))
    assert [world.verdict("SY02", n).access for n in range(5)] == ["MET"] * 5


def test_a_convoy_sent_elsewhere_by_a_correction_leaves_the_first_region() -> None:
    truce = agreement(access={"regions": ["SY01", "SY02"]})
    world = World(truce).tell(
        convoy(when=at(0)), tick(at(1)), convoy(when=at(0), revision=2, region="SY01"), tick(at(1, 1))
    )
    assert (world.verdict("SY02", 0).access, world.verdict("SY01", 0).access) == ("UNKNOWN", "MET")


def test_a_withdrawn_notice_no_longer_covers() -> None:
    world = World().tell(
        coverage(low=at(0), high=at(1)),
        tick(at(1)),
        coverage(low=at(0), high=at(1), revision=2, retracted=True),
        tick(at(1, 1)),
    )
    assert world.verdict("SY01", 0).verdict == "UNKNOWN"
    assert world.store.changes[-1].coverage == []


def test_bulletins_and_declarations_are_kept_beside_the_count() -> None:
    world = World().tell(
        bulletin(low=at(0), high=at(1)), declaration(when=at(0)), coverage(low=at(0), high=at(1)), tick(at(1))
    )
    changes = world.flush()
    assert [(row.region, row.incidents) for row in changes.bulletins] == [("SY02", 5)]
    assert [row.act for row in changes.declarations] == ["start"]
    assert world.verdict("SY01", 0).incidents == 0


def test_a_report_stamped_years_ahead_settles_nothing() -> None:
    """One host of intake with a wrong clock: its reports are kept with their stamps, and every day stays open."""
    ahead = at(3_000)
    world = World().tell(coverage(low=at(0), high=at(1), stamp=ahead), incident(stamp=ahead), tick(at(0, 18)))
    assert world.ledger.now == at(0, 18)
    assert world.verdict("SY01", 0).state == "OPEN"
    assert [row.truce_day for row in world.store.verdicts.values()] == [day(0), day(0)]
    assert {row.received_at for row in world.store.reports} == {ahead}
    world.tell(tick(at(1)))
    assert (world.verdict("SY01", 0).state, world.ledger.now) == ("PROVISIONAL", at(1))


def test_a_tick_of_a_clock_that_is_behind_judges_at_the_time_there_was() -> None:
    """A standby on another host takes over: time stands still until its clock has caught up."""
    world = World().tell(tick(at(1)), incident(when=at(0, 5)), tick(at(0, 20)))
    row = world.verdict("SY01", 0)
    assert (row.incidents, row.state, world.ledger.now) == (1, "PROVISIONAL", at(1))


def by(writer: str, term: int, when: Micros) -> TickFact:
    """Return a tick of one ledger."""
    return TickFact(stamp=when, term=term, writer=writer)


def test_a_tick_of_a_ledger_that_another_has_followed_is_read_over() -> None:
    """It was on its way when its writer was stopped, with a clock that is years ahead by now: time does not go back."""
    late = by("first", 1, at(3_000))
    world = World().tell(by("first", 1, at(0, 6)), incident(when=at(0, 5)), by("second", 2, at(0, 7)), late)
    assert (world.ledger.now, world.ledger.last_tick) == (at(0, 7), 2)
    assert world.verdict("SY01", 0).state == "OPEN"
    world.restart()
    world.tell(late, by("second", 2, at(1)))
    assert (world.ledger.now, world.ledger.last_tick) == (at(1), 5)
    assert world.verdict("SY01", 0).state == "PROVISIONAL"


def test_of_two_ledgers_under_one_number_the_first_to_tick_owns_it() -> None:
    world = World().tell(by("second", 2, at(0, 6)), by("other", 2, at(3_000)), by("third", 3, at(0, 7)))
    assert (world.ledger.now, world.ledger.writer) == (at(0, 7), "third")


def test_a_tick_of_an_archive_always_counts() -> None:
    world = World().tell(by("first", 4, at(0, 6)), tick(at(0, 7)))
    assert (world.ledger.now, world.ledger.term) == (at(0, 7), 4)


def test_trailing_hours_are_counted_to_the_hour() -> None:
    world = World().tell(incident("old", when=at(0, 1)), incident("new", when=at(6, 0)), tick(at(7, 0)))
    window = {row.region: row for row in world.flush().windows}["SY01"]
    assert (window.incidents_168h, window.incidents) == (2, 1)  # the day of the old one has left the window
    window = {row.region: row for row in world.tell(tick(at(7, 1))).flush().windows}["SY01"]
    assert window.incidents_168h == 1


def test_where_flushes_fall_never_shows() -> None:
    history = [
        coverage(low=at(0), high=at(1)),
        tick(at(0, 6)),
        *[incident(f"i{n}", when=at(0, n)) for n in range(20)],
        tick(at(1)),
        incident("i3", when=at(1, 2), revision=2),
        convoy(when=at(0, 3)),
        tick(at(1, 6)),
        incident("i4", when=at(0, 4), revision=2, retracted=True),
        tick(at(4)),
    ]
    whole = World().tell(*history)
    whole.flush()
    for size in (1, 2, 3, 7):
        cut = World(flush_every=size).tell(*history)
        cut.flush()
        assert cut.store.verdicts == whole.store.verdicts
        assert cut.store.versions == whole.store.versions


def test_hours_and_days_are_what_they_say() -> None:
    assert DAY == 24 * HOUR


def test_only_of_what_was_not_told_since_the_last_commit_the_store_is_asked() -> None:
    world = World().tell(incident("i1"))
    entries = [
        Entry(number, fact, b"", key_hash(fact.feed, fact.report_id))
        for number, fact in enumerate((incident("i1", revision=2), incident("i2")), start=1)
    ]
    assert list(world.ledger.unknown(entries)) == [Identity("feed-a", "i2")]
