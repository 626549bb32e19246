"""Rejects that still tell a region and a time; docs/judging.md, "Refused" and "Dismissals"."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace

from schemas.agreement import Agreement
from schemas.facts import DismissalFact, Origin, Redrive, RejectFact, Tells
from schemas.gazetteer import load_gazetteer
from schemas.rejects import DISMISSAL_OF
from schemas.rows import DayVerdict
from schemas.truceday import from_micros
from sinks.opening import PUBLISHED
from sinks.reading import open_published, published, refused_pending
from sinks.recorded_facts import RecordedFacts
from sinks.records import RefusedPending
from sinks.verify.refused import glimpse
from streams.intake.examine import Examiner
from streams.ops.counterfactual_text import counterfactual_text
from streams.verify import verify
from streams.whatif.judge import judge
from tests.support.effort import calls, cases
from tests.support.judged import History, report
from tests.support.worlds import TRUCE, World, agreement, at, coverage, day, incident, origin, tick
from tests.unit.test_explain import NO_ACCESS, Ground, watch
from tests.unit.test_redrives import ask, misspelt
from tests.unit.test_redrives import incident as reported

UNKNOWN = agreement(coverage={"refused": "unknown"})
WATCHED = coverage(low=at(0), high=at(1))
#: A day the whole of which was watched.
NOTICE = report(
    "coverage", "c", reported_at=at(1), occurred=(at(0), at(1)), places=[{"pcode": "SY01"}], nil=True, feed="watcher"
)
PENDING = "SELECT refused_pending FROM day_verdicts WHERE region = 'SY01' AND truce_day = '2016-09-12'"


def refused(number: int, report_id: str | None = None, **changes: Any) -> RejectFact:
    """Return a reject that tells of SY01 on the first truce-day, each from a topic of its own."""
    tells = Tells(("SY01",), at(0, 1), at(0, 2), incident=True)
    fields = {"feed": "feed-a", "report_id": report_id or f"r{number}", "tells": tells, **changes}
    return RejectFact(code="bad_value", hint="kind", origin=origin(0, topic=f"t{number}"), **fields)


def judged(*told: Any, truce: Agreement = UNKNOWN) -> DayVerdict:
    return World(truce).tell(WATCHED, *told, tick(at(2))).verdict("SY01", 0)


def violence(row: DayVerdict) -> dict[str, str]:
    found: dict[str, str] = json.loads(row.reasons)[0]
    return found


def pending(tmp_path: Path, history: History) -> int:
    """Return how many reports are pending on the first truce-day of SY01, in a file the recount agrees with."""
    published = history.tick(at(1, 1)).judged(tmp_path)
    assert verify(published) == []
    ((number,),) = ask(published, PENDING)
    return int(number)


def test_a_reject_that_tells_a_region_and_a_time_is_pending_on_that_region_and_day(tmp_path: Path) -> None:
    assert pending(tmp_path, History(TRUCE).tell(misspelt("a"), misspelt("b"), b"{")) == 2


def test_it_is_pending_until_a_report_of_its_identity_is_sent_again_and_accepted(tmp_path: Path) -> None:
    assert pending(tmp_path, History(TRUCE).tell(misspelt("a"), misspelt("b")).tell(reported("a", revision=3))) == 1


def test_a_retraction_and_a_report_of_another_day_settle_it_as_well(tmp_path: Path) -> None:
    elsewhere = reported("b", region="SY02", occurred=(at(0, 1), at(0, 2)))
    history = History(TRUCE).tell(misspelt("a"), misspelt("b"))
    assert pending(tmp_path, history.tell(reported("a", status="retracted"), elsewhere)) == 0


def test_a_refused_correction_is_never_pending(tmp_path: Path) -> None:
    history = History(TRUCE).tell(reported("a"), misspelt("a"), reported("a", note="another body"))
    assert pending(tmp_path, history) == 0


def test_a_redrive_that_is_accepted_settles_it_under_whatever_name(tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a"), misspelt("b"))
    assert pending(tmp_path, history.redriven(0, reported("z")).tick(at(1)).redriven(1, reported("b"))) == 0


def test_a_redrive_rejected_again_goes_on_as_the_reject_it_became(tmp_path: Path) -> None:
    nameless = {key: value for key, value in misspelt().items() if key != "report_id"}
    history = History(TRUCE).tell(nameless).tick(at(1)).redriven(0, nameless | {"note": "again"})
    assert pending(tmp_path, history) == 1


def test_a_redrive_that_tells_less_leaves_its_reject_pending(tmp_path: Path) -> None:
    assert pending(tmp_path, History(TRUCE).tell(misspelt("a")).redriven(0, b"{")) == 1


def test_a_report_refused_many_times_counts_once_on_a_day(tmp_path: Path) -> None:
    again = misspelt("a") | {"note": "again"}
    assert pending(tmp_path, History(TRUCE).tell(misspelt("a"), again, again, misspelt("b"))) == 2


def test_a_reject_without_a_name_counts_by_itself(tmp_path: Path) -> None:
    nameless = {key: value for key, value in misspelt().items() if key != "report_id"}
    assert pending(tmp_path, History(TRUCE).tell(nameless, nameless)) == 2


def test_a_dismissed_reject_is_pending_no_longer_and_the_file_says_why(tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a"), misspelt("b")).tick(at(1))
    history.dismissed(0, "an exercise", "A. Haddad").dismissed(0, "once more", "desk")
    assert pending(tmp_path, history) == 1
    said = "SELECT dismissed_by, dismissal_reason, pending FROM reject_states ORDER BY fact_offset"
    published = tmp_path / "compliance.duckdb"
    assert ask(published, said) == [("A. Haddad", "an exercise", False), (None, None, True)]
    assert ask(published, "SELECT count(*) FROM dismissals") == [(2,)]


def test_of_a_report_refused_twice_both_rejects_have_to_be_dismissed(tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a"), misspelt("a") | {"note": "again"}).dismissed(0)
    assert pending(tmp_path, history) == 1
    assert pending(tmp_path / "both", history.first(3).dismissed(1)) == 0


def test_a_dismissal_counts_whether_its_reject_is_known_by_then_or_not() -> None:
    dismissal = DismissalFact(of=origin(0, topic="t1"), reason="a test", by="desk", origin=origin(7))
    early = World(TRUCE).tell(dismissal, refused(1), refused(2), tick(at(1)))
    assert early.verdict("SY01", 0).refused_pending == 1
    late = World(TRUCE).tell(refused(1), refused(2), tick(at(1)), dismissal, tick(at(1, 1)))
    assert (late.verdict("SY01", 0).refused_pending, late.verdict("SY01", 0).version) == (1, 1)


#: What else a reject says, and whether it is pending on the first truce-day of SY01.
SAYING: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"place": {"pcode": "SY07"}}, False),
    ({"place": {"names": ["Nowhere at all"]}}, False),
    ({"place": {"pcode": 1, "names": ["Damascus"]}}, True),
    ({"place": {"pcode": "SY01", "point": {"latitude": 99, "longitude": 0}, "precision": "nonsense"}}, True),
    ({"place": None, "places": [{"pcode": "SY02"}, {"pcode": "SY01"}, 7]}, True),
    ({"place": None, "tallies": [{"place": {"pcode": "SY01"}}, 7, {}]}, True),
    ({"place": "SY01", "places": 7, "tallies": 7}, False),
    ({"occurred": {"from": "2016-09-12T20:00", "to": "2016-09-12T21:00"}}, True),
    ({"occurred": {"from": "2016-09-13", "to": "2016-09-13"}}, True),
    ({"occurred": {"from": "2016-09-12", "to": "2016-09-12"}}, False),
    ({"occurred": {"from": "noon", "to": "2016-09-12T20:00Z"}}, True),
    ({"occurred": {"from": "2016-09-12T20:00Z"}}, True),
    ({"occurred": {"from": "2016-09-12T20:00Z", "to": "2016-09-11T20:00Z"}}, True),
    ({"occurred": {"from": "2016-09-12T20:00Z", "to": "2106-09-12T20:00Z"}}, True),
    ({"occurred": {"from": "0016-09-12T20:00Z", "to": "9999-12-31"}}, False),
    ({"occurred": {"from": 7, "to": None}}, False),
    ({"occurred": "2016-09-12"}, False),
    ({"agreement": "another"}, False),
    ({"agreement": "test-truce"}, True),
]


def test_what_a_reject_tells_is_read_by_one_rule_which_the_recount_follows_apart(tmp_path: Path) -> None:
    told = [misspelt(f"r{number}") | changes for number, (changes, _) in enumerate(SAYING)]
    number = pending(tmp_path, History(TRUCE).tell(*told))
    on_the_day = (
        "SELECT report_id FROM reject_states WHERE pending AND list_contains(regions, 'SY01') "
        "AND truce_day = '2016-09-12'"
    )
    found = {name for (name,) in ask(tmp_path / PUBLISHED, on_the_day)}
    for at_number, (changes, tells) in enumerate(SAYING):
        assert (f"r{at_number}" in found) == tells, changes
    assert number == len(found)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda body: body.replace(b'"kind"', b'"note": "\xe9", "kind"'),
        lambda body: b"\xef\xbb\xbf" + body,
    ],
    ids=["Latin-1", "byte order mark"],
)
def test_bytes_that_are_no_letters_hide_nothing_else(spoilt: Callable[[bytes], bytes], tmp_path: Path) -> None:
    history = History(TRUCE).tell(spoilt(json.dumps(reported("a")).encode()), misspelt("b"))
    assert pending(tmp_path, history.tell(reported("a"))) == 1


def test_no_object_and_too_many_bytes_tell_nothing(tmp_path: Path) -> None:
    huge = json.dumps(misspelt() | {"note": "x" * 2_000_000}).encode()
    assert pending(tmp_path, History(TRUCE).tell(b"[1]", b"", huge)) == 0


def test_an_agreement_that_marks_alone_finds_what_it_found() -> None:
    row = judged(refused(1), refused(2), truce=TRUCE)
    assert (row.violence, row.rule, row.refused_pending) == ("MET", "within_limit", 2)


def test_under_unknown_no_day_is_met_while_incidents_and_pending_rejects_exceed_the_limit() -> None:
    row = judged(incident("i1", when=at(0, 3)), refused(1))
    assert (row.violence, row.rule, row.refused_pending) == ("UNKNOWN", "refused_pending", 1)
    assert json.loads(row.evidence)["violence"] == ["feed-a/r1"]
    assert violence(row) == {
        "leg": "violence",
        "finding": "UNKNOWN",
        "rule": "refused_pending",
        "text": "1 incident in scope and 1 refused report pending (feed-a/r1), limit 1 (the floor); "
        "100 % of the day watched, 75 % needed",
    }
    assert judged(refused(1)).rule == "within_limit"


def test_a_day_that_incidents_break_stays_broken_whatever_is_pending() -> None:
    row = judged(*(incident(f"i{n}", when=at(0, 3)) for n in range(2)), refused(1))
    assert (row.violence, row.rule, row.refused_pending) == ("BROKEN", "count_above_limit", 1)


def test_of_many_pending_reports_the_first_ten_by_name_are_named_and_the_others_counted() -> None:
    row = judged(*(refused(n, f"r{n:02}") for n in range(12)), refused(12, "r03"))
    assert json.loads(row.evidence)["violence"] == [f"feed-a/r{n:02}" for n in range(10)]
    assert "12 refused reports pending (feed-a/r00, " in violence(row)["text"]
    assert ", feed-a/r09 and 2 more)" in violence(row)["text"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"type": "convoy"}, "within_limit"),
        ({"status": "retracted"}, "within_limit"),
        ({"type": "incidnet"}, "refused_pending"),
        ({"type": ["convoy"], "status": {}}, "refused_pending"),
    ],
)
def test_only_what_may_be_an_incident_that_stands_may_lift_a_day_above_its_limit(
    changes: dict[str, Any], rule: str, tmp_path: Path
) -> None:
    spoilt = [misspelt(name) | changes for name in ("a", "b")]
    published = History(UNKNOWN).tell(NOTICE, *spoilt).tick(at(1, 1)).judged(tmp_path)
    assert verify(published) == []
    assert ask(published, f"SELECT refused_pending, rule FROM ({PENDING.replace('refused_pending', '*')})") == [
        (2, rule)
    ]


def test_where_the_agreement_counts_some_feeds_only_theirs_may_be_incidents() -> None:
    truce = agreement(coverage={"refused": "unknown"}, violence={"feeds": ["feed-b"]})
    assert judged(refused(1), refused(2), truce=truce).rule == "within_limit"
    nobody = [refused(n, feed=None, report_id=None) for n in (1, 2)]
    row = judged(*nobody, truce=truce)
    assert (row.rule, json.loads(row.evidence)["violence"]) == ("refused_pending", ["t1/0/0", "t2/0/0"])


def test_there_is_no_such_day_where_one_monitors_bulletins_measure() -> None:
    truce = agreement(coverage={"refused": "unknown"}, violence={"bulletins_of": "feed-a"})
    assert judged(refused(1), refused(2), truce=truce).rule == "no_bulletin"


def test_a_reject_of_several_regions_is_pending_on_each_and_settled_on_all() -> None:
    both = Tells(("SY01", "SY02"), at(0, 1), at(0, 2))
    world = World(TRUCE).tell(refused(1, tells=both), tick(at(1)))
    assert [world.verdict(region, 0).refused_pending for region in ("SY01", "SY02")] == [1, 1]
    world.tell(incident("r1", when=at(0, 3)), tick(at(1, 1)))
    assert [world.verdict(region, 0).refused_pending for region in ("SY01", "SY02")] == [0, 0]


def test_a_reject_and_what_settles_it_are_causes_by_where_they_were_read() -> None:
    world = World(TRUCE).tell(WATCHED, tick(at(4)), refused(1), tick(at(4, 1)))
    told = world.verdict("SY01", 0)
    assert (told.state, told.version, json.loads(told.cause)["reports"]) == ("AMENDED", 2, ["t1/0/0"])
    redriven = incident("x", region="SY02", when=at(0, 3), redrive=Redrive(Origin("t1", 0, 0, "log-a"), 1))
    settled = world.tell(redriven, tick(at(4, 2))).verdict("SY01", 0)
    assert (settled.refused_pending, json.loads(settled.cause)["reports"]) == (0, ["t1/0/0 redrive 1"])


def test_a_fact_of_an_earlier_intake_is_never_pending() -> None:
    world = World(TRUCE).tell(refused(1, tells=None), tick(at(1)))
    assert world.verdict("SY01", 0).refused_pending == 0
    assert [row.regions for changes in world.store.changes for row in changes.rejects] == [None]


def test_a_reject_of_no_topic_is_pending_under_its_own_place() -> None:
    bare = refused(1, report_id=None, feed=None)
    bare = RejectFact(code=bare.code, hint=bare.hint, tells=bare.tells)
    assert World(TRUCE).tell(bare, bare, tick(at(1))).verdict("SY01", 0).refused_pending == 2


def test_what_is_settled_is_known_across_a_restart_before_its_reject_comes(tmp_path: Path) -> None:
    told = History(TRUCE).tell(misspelt("a"), misspelt("b")).dismissed(0)
    rejected, dismissal = told.facts[0], told.facts[2]
    early = History(TRUCE).tick(at(0, 1)).from_log("another")
    early.facts = [(replace(dismissal[0], origin=origin(0, topic="t")), dismissal[1]), told.facts[1], rejected]
    published = early.tick(at(1, 1)).judged(tmp_path, flush_every=1, restart_every=1)
    assert ask(published, PENDING) == [(1,)]


@pytest.mark.parametrize("restart_every", cases([1, 2], fast=1))
def test_what_is_pending_is_known_across_flushes_and_restarts(restart_every: int, tmp_path: Path) -> None:
    nameless = {key: value for key, value in misspelt().items() if key != "report_id"}
    history = History(UNKNOWN).tell(reported("k"), NOTICE, misspelt("a"), misspelt("k"), nameless, misspelt("b"))
    history.tick(at(1, 1)).tell(reported("a")).tick(at(1, 2)).redriven(4, reported("x")).tick(at(1, 3))
    history.dismissed(5).tick(at(1, 4))
    whole = history.judged(tmp_path / "whole")
    cut = history.judged(tmp_path / "cut", flush_every=1, restart_every=restart_every)
    every = "SELECT region, truce_day, version, refused_pending, rule, cause FROM day_verdict_versions ORDER BY ALL"
    assert ask(whole, every) == ask(cut, every)
    assert verify(whole) == verify(cut) == []
    assert ask(cut, PENDING) == [(0,)]


def test_what_was_pending_then_is_told_as_of_then(tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a")).tick(at(0, 20)).tell(reported("a")).tick(at(1, 1))
    published = history.judged(tmp_path)
    with open_published(published) as connection:
        then = "SELECT refused_pending FROM verdicts_as_of(?) WHERE region = 'SY01' AND truce_day = ?"
        held = [connection.execute(then, [from_micros(at(0, hours)), day(0)]).fetchall() for hours in (21, 26)]
        assert held == [[(1,)], [(0,)]]
        fact = "SELECT value FROM explain_day('SY01', ?) WHERE fact = 'refused pending'"
        assert connection.execute(fact, [day(0)]).fetchall() == []


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (b"t/0/1/log", b'{"reason": " ", "by": "desk"}'),
        (b"t/0/1/log", b'{"reason": "a test"}'),
        (b"t/0/1/log", b"\xff"),
        (b"nowhere", b'{"reason": "a test", "by": "desk"}'),
    ],
)
def test_a_dismissal_that_does_not_say_which_why_and_who_is_rejected(of: bytes, value: bytes) -> None:
    examiner = Examiner([TRUCE], load_gazetteer("syria", None), "clock")
    found = examiner.examine(value, ((DISMISSAL_OF, of),), origin(0), at(3)).rejected
    assert found is not None
    assert found.code == "dismissal_unclear"


def test_an_unclear_dismissal_is_a_reject_that_the_recount_agrees_with(tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a"))
    history._take_in(b"{}", [(DISMISSAL_OF, b"t/0/1/log")])
    history._take_in(b"{}", [(DISMISSAL_OF, b"t")])
    assert pending(tmp_path, history) == 1


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("update rejects set regions = ['SY02'] where fact_offset = 0", "rejects"),
        ("update rejects set truce_day = truce_day + 1 where fact_offset = 0", "rejects"),
        ("update rejects set may_be_incident = false where fact_offset = 0", "rejects"),
        ("update rejects set regions = [] where fact_offset = 0", "rejects"),
        ("update verdict_log set refused_pending = 7 where truce_day = '2016-09-12'", "verdict_log"),
        ("delete from dismissals", "verdict_log"),
        ("insert into dismissals select * replace (1 as reject_offset) from dismissals", "dismissals"),
    ],
)
def test_what_was_altered_of_refused_reports_is_found(change: str, table: str, tmp_path: Path) -> None:
    history = History(TRUCE).tell(misspelt("a"), misspelt("b"), misspelt("c")).tick(at(1)).dismissed(2)
    published = history.tick(at(1, 1)).judged(tmp_path)
    with duckdb.connect(str(published)) as connection:
        connection.execute(change)
    assert [each.table for each in verify(published)] == [table]


def test_places_that_polygons_may_have_located_are_open_and_others_certain() -> None:
    spoilt = {
        "occurred": {"from": "2016-09-12"},
        "places": [{"pcode": "SY01", "point": {"latitude": 33.5, "longitude": 36.3}}],
    }
    seen = glimpse(TRUCE, json.dumps(spoilt).encode())
    assert (seen.open, seen.regions) == (True, [])


def test_a_file_judged_anew_by_other_rules_knows_what_was_pending(tmp_path: Path) -> None:
    history = History(TRUCE).tell(NOTICE, misspelt("a"), misspelt("b"), misspelt("c"), misspelt("d"))
    history.dismissed(3).redriven(4, reported("d", region="SY02")).tick(at(1, 1))
    with closing(RecordedFacts(history.judged(tmp_path))) as recorded:
        found = judge(recorded, UNKNOWN, moment=recorded.last_judged(), progress=lambda _done, _of: None).status.cells
    (cell,) = [each for each in found if (each.region, each.truce_day) == ("SY01", day(0))]
    assert (cell.rule, cell.refused_pending) == ("refused_pending", 2)


def test_refused_reports_of_days_never_judged_are_listed_and_mark_no_verdict(tmp_path: Path) -> None:
    days = [(at(-2), at(-2, 1)), (at(0, 1), at(0, 2)), (at(3), at(3, 1))]
    history = History(TRUCE).tell(*(reported(f"r{n}", kind="sheling", occurred=when) for n, when in enumerate(days)))
    with published(history.tick(at(1)).judged(tmp_path)) as connection:
        assert refused_pending(connection) == RefusedPending(reports=1, region_days=1, gate_regions=1)
        assert connection.execute("SELECT count(*) FROM pending_rejects").fetchall() == [(3,)]


def test_a_crowd_of_rejects_costs_a_tick_no_more_than_a_few() -> None:
    def work(rejects: int) -> int:
        world = World(UNKNOWN).tell(*(refused(number) for number in range(rejects)), tick(at(0, 1)))
        ticks = [tick(at(0, 1 + number / 10)) for number in range(20)]
        return calls(lambda: world.tell(*ticks))

    assert work(300) < 1.1 * work(20)


def test_explain_says_which_refused_reports_have_to_be_settled_and_it_is_enough(tmp_path: Path) -> None:
    truce = agreement(**NO_ACCESS, coverage={"refused": "unknown"})
    spoilt = [misspelt(name) | {"place": {"pcode": "SY02"}} for name in ("x", "y", "z")]
    ground = Ground(tmp_path, truce, [watch(at(0), at(1)), *spoilt], at(1))
    change = ground.change("settle")
    assert (change.finding, change.verdict, change.number) == ("MET", "MET", 2)
    assert counterfactual_text(change, ground.plain.case, "UNKNOWN") == (
        "2 of the 3 refused reports pending (feed-a/x, feed-a/y, feed-a/z) dismissed, or accepted as no incident in "
        "scope of the day: violence would be MET, the verdict MET"
    )
    elsewhere = [reported(name, region="SY01") for name in ("x", "y", "z")]
    assert ground.judged(elsewhere[0]).violence == "UNKNOWN"
    assert ground.judged(*elsewhere[:2]).violence == "MET"
    assert ground.proves("more_incidents").number == 2
