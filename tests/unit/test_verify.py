"""Verify against files the real ledger and store made: it passes what is right and finds what was altered."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import StoreUnavailable
from sinks.reading import open_published
from sinks.store import LIVE
from sinks.verify.difference import Difference
from sinks.verify.rebuilt import in_order
from streams.verify import STEPS, verify
from tests.support.effort import cases
from tests.support.judged import History, report
from tests.support.rich_history import small_history, tell_linked
from tests.support.stores import open_store
from tests.support.worlds import LINKING, agreement, at


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_history().judged(tmp_path_factory.mktemp("published"))


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(published, tmp_path / "altered.duckdb"))


def alter(path: Path, sql: str) -> None:
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(sql)


def test_what_the_ledger_published_is_right(published: Path) -> None:
    assert verify(published) == []


def test_reports_outside_the_agreement_are_counted_without_a_row_to_recount_them_from(tmp_path: Path) -> None:
    far = {"occurred": (at(0), at(0, 1)), "kind": "shelling", "region": "SY14", "reported_at": at(1)}
    near = {**far, "region": "SY01"}
    history = History(agreement()).tell(report("incident", "i1", **near), b"{", report("incident", "i2", **far))
    history.tell(report("incident", "i3", feed="far", **far), report("incident", "i4", agreement="other", **near))
    history.redriven(1, report("incident", "i5", **far)).tick(at(2))
    file = history.judged(tmp_path, flush_every=2, restart_every=1)
    assert verify(file) == []
    with closing(duckdb.connect(str(file), read_only=True)) as connection:
        assert connection.execute("select feed, accepted, outside from feeds order by feed").fetchall() == [
            ("(unreadable)", 0, 0),
            ("far", 0, 1),
            ("feed-a", 1, 3),
        ]
    alter(file, "update feeds set outside = 99")
    assert [difference.table for difference in verify(file)] == ["feeds"]


#: Tables whose rows are counted; the first are rested on by the others.
COUNTED = [
    *("reports", "verdict_log", "gate_history", "coverage", "convoys", "feeds"),
    *("convoy_events", "joined_claims", "bulletins", "declarations", "positions", "position_findings", "day_tallies"),
    *("feed_tallies", "region_windows", "regions", "truce_days"),
]


@pytest.mark.parametrize("table", cases(COUNTED, fast=6))
def test_a_row_that_went_missing_is_found(table: str, copy: Path) -> None:
    alter(copy, f"delete from {table} where rowid = (select max(rowid) from {table})")
    assert verify(copy) != []


@pytest.mark.parametrize(
    "table",
    [
        "reports",
        "rejects",
        "convoy_events",
        "convoys",
        "joined_claims",
        "coverage",
        "bulletins",
        "verdict_log",
        "gate_history",
    ],
)
def test_a_row_told_twice_is_found(table: str, copy: Path) -> None:
    alter(copy, f"insert into {table} select * from {table} where rowid = (select max(rowid) from {table})")
    assert verify(copy) != []


@pytest.fixture(scope="module")
def linked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    history = History(agreement(linking=LINKING)).tick(at(0, 1))
    return tell_linked(history).judged(tmp_path_factory.mktemp("linked"))


def test_a_claim_moved_to_another_convoy_is_found_though_every_row_agrees_with_it(copy: Path) -> None:
    """The held trucks of feed-c as a convoy of their own, in all tables alike."""
    alter(copy, "update convoy_events set convoy = 'feed-c/aid-3' where feed = 'feed-c'")
    alter(copy, "delete from joined_claims where feed = 'feed-c'")
    alter(copy, "update convoys set claims = claims - 1, steps = steps - 1")
    alter(copy, "insert into convoys select * replace ('feed-c' as feed, 'aid-3' as convoy_id) from convoys")
    assert [(one.table, one.column) for one in verify(copy)] == [("convoy_events", "convoy")]


def test_a_silence_that_was_not_is_found(published: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(published, tmp_path / "altered.duckdb"))
    alter(
        copy,
        "create or replace view feed_silence as select region, truce_day, feed, max(occurred_to) as silent_since, "
        "least(ends_at, as_of) as silent_until from coverage join region_windows using (region) "
        "join truce_days on occurred_from < least(ends_at, as_of) group by all having silent_since < silent_until",
    )
    (found,) = verify(copy)
    assert found.table == "feed_silence"


def test_what_is_linked_is_right(linked_file: Path) -> None:
    assert verify(linked_file) == []


def test_after_a_restart_a_report_from_before_all_linked_ones_is_linked_and_let_go_again(tmp_path: Path) -> None:
    place = {"pcode": "SY01", "precision": "exact", "point": {"latitude": 33.5, "longitude": 36.3}}

    def told(name: str, feed: str, day: float, **fields: Any) -> dict[str, Any]:
        spine = {"occurred": (at(day), at(day, 1)), "place": place, "kind": "shelling"}
        return report("incident", name, feed=feed, reported_at=at(5), **{**spine, **fields})

    early = [told(f"early{n}", "a", n / 9) for n in range(20)]
    history = History(agreement(linking=LINKING)).tell(*early, told("late", "a", 4), told("late", "b", 4)).tick(at(6))
    history.judged(tmp_path)
    history.tell(told("partner", "b", 0)).tick(at(6)).tell(told("partner", "b", 0, revision=2, status="retracted"))
    history.tell(told("partner", "b", 3, revision=3)).tick(at(6))
    assert verify(history.judged(tmp_path, flush_every=1, restart_every=1)) == []


@pytest.mark.parametrize("table", ["linked_incidents", "linked_reports"])
@pytest.mark.parametrize("change", ["delete from {0} where rowid = 0", "insert into {0} select * from {0} limit 1"])
def test_a_linked_row_too_few_or_too_many_is_found(table: str, change: str, linked_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(linked_file, tmp_path / "altered.duckdb"))
    alter(path, change.format(table))
    assert {difference.table for difference in verify(path)} == {table}


def test_a_view_that_counts_reports_for_incidents_is_found(linked_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(linked_file, tmp_path / "altered.duckdb"))
    alter(
        path,
        """
        create or replace view incidents as
        select feed || '/' || report_id as incident_id, * exclude (feed), true as counted from reports
        where present and not retracted and type = 'incident'""",
    )
    assert {difference.table for difference in verify(path)} == {"incidents"}


def test_a_version_left_out_is_found_even_when_the_numbers_close_up(copy: Path) -> None:
    """The verdict moved while a report came in, and no version tells of it."""
    with closing(duckdb.connect(str(copy))) as connection:
        region, day = connection.execute(
            "select region, truce_day from verdict_log where version = 3 order by all limit 1"
        ).fetchone() or ("", "")
        which = f"region = '{region}' and truce_day = '{day}'"
        connection.execute(f"delete from verdict_log where {which} and version = 2")
        connection.execute(f"update verdict_log set version = version - 1 where {which} and version > 2")
    assert {difference.table for difference in verify(copy)} == {"verdict_log"}


@pytest.mark.parametrize(
    "column", cases(["covered_share", "version", "incidents", "deaths_high", "tick_offset"], fast=2)
)
def test_every_line_of_figures_is_recounted_and_not_the_last_alone(column: str, copy: Path) -> None:
    first = "(select min(rowid) from verdict_log where not new_version)"
    alter(copy, f"update verdict_log set {column} = coalesce({column}, 0) + 1 where rowid = {first}")
    assert {difference.table for difference in verify(copy)} <= {"verdict_log", "day_figures", "day_verdict_versions"}
    assert verify(copy) != []


def test_figures_in_which_nothing_moved_are_found(copy: Path) -> None:
    alter(
        copy,
        "insert into verdict_log select * exclude (next_offset, log_start, now, last_tick, pending, term, writer) "
        "replace (false as new_version, last_tick as tick_offset, now as recorded_at) "
        "from verdict_log, ledger_state where state = 'OPEN' and new_version limit 1",
    )
    assert {difference.table for difference in verify(copy)} == {"verdict_log"}


def test_a_reason_that_tells_another_end_of_the_watch_is_found(copy: Path) -> None:
    alter(copy, "update verdict_log set reasons = replace(reasons::varchar, ' UTC', ' GMT')::json")
    assert {(each.table, each.column) for each in verify(copy)} == {("verdict_log", "reasons")}


def test_a_version_of_a_day_that_is_over_comes_of_a_report(copy: Path) -> None:
    alter(copy, 'update verdict_log set cause = \'{"reports": [], "more": 0}\'')
    assert {(difference.table, difference.column) for difference in verify(copy, limit=9)} == {
        ("day_verdict_versions", "cause")
    }


def test_a_version_of_a_day_that_is_over_may_come_of_an_incident_that_moved_the_links_of_others(tmp_path: Path) -> None:
    """The third report of feed-a is closer to one of two pairs than they are, and is linked with nobody."""
    place = {"pcode": "SY01", "precision": "exact", "point": {"latitude": 33.5, "longitude": 36.3}}

    def told(name: str, minutes: float) -> dict[str, Any]:
        when = at(1, minutes / 60)
        spine: dict[str, Any] = {"occurred": (when, when), "place": place, "kind": "shelling", "reported_at": at(5)}
        return report("incident", name, feed=f"feed-{name[0]}", **spine)

    pairs = {"b1": -10, "a1": -28, "b2": 10, "a2": 12}
    history = History(agreement(linking=LINKING)).tell(*(told(*each) for each in pairs.items())).tick(at(5))
    history.tell(told("a3", 5)).tick(at(5, 1))
    notice = {"occurred": (at(2), at(3)), "places": [{"pcode": "SY01"}], "nil": True, "reported_at": at(5, 2)}
    history.tell(report("coverage", "n1", **notice)).tick(at(5, 2))
    file = history.judged(tmp_path)
    assert verify(file) == []
    with closing(duckdb.connect(str(file))) as connection:
        _, (middle, named), (last, _) = connection.execute(
            "select tick_offset, list(cause ->> '$.reports' order by truce_day) from verdict_log where region = 'SY01' "
            "group by tick_offset order by tick_offset"
        ).fetchall()
    assert named == ["[]", '["feed-a/a3@1"]']
    for since, found in ((middle, set()), (last, {"cause"})):
        alter(file, f'update verdict_log set cause = \'{{"reports": [], "more": 0}}\' where tick_offset = {since}')
        assert {difference.column for difference in verify(file)} == found


@pytest.mark.parametrize(
    "cause",
    [
        '{"reports": ["feed-a/nobody@1"], "more": 0}',
        # One that was told at another time.
        '{"reports": ["feed-a/i1@1"], "more": 0}',
        '{"reports": [], "more": 3}',
        '{"reports": [], "more": true}',
        '{"reports": {}, "more": 0}',
        '{"reports": []}',
    ],
)
def test_a_version_by_what_was_not_told_since_the_tick_before_is_found(cause: str, copy: Path) -> None:
    last = "(select max(rowid) from verdict_log where version = 1 and new_version)"
    alter(copy, f"update verdict_log set cause = '{cause}' where rowid = {last}")
    assert [difference.column for difference in verify(copy)] == ["cause"]


def test_a_notice_of_no_length_on_a_day_nobody_else_watched_is_no_difference(tmp_path: Path) -> None:
    history = History(agreement()).tick(at(0, 1))
    for name, low, high in (("c1", 0, 1), ("c2", 2.5, 2.5)):
        notice = {"occurred": (at(low), at(high)), "places": [{"pcode": "SY01"}], "nil": True}
        history.tell(report("coverage", name, feed=name, reported_at=at(high), **notice))
    # A replay may tick before what a report tells of: nobody has watched that day yet.
    later = {"occurred": (at(3.6), at(3.7)), "places": [{"pcode": "SY01"}], "nil": True}
    history.tell(report("coverage", "c3", feed="c3", reported_at=at(3.7), **later))
    assert verify(history.tick(at(2, 1), at(3.5)).judged(tmp_path)) == []


def test_the_difference_names_the_row_and_both_values(copy: Path) -> None:
    alter(copy, "update day_tallies set incidents = 99 where region = 'SY01' and truce_day = '2016-09-14'")
    (difference,) = verify(copy)
    assert difference == Difference("day_tallies", "SY01, 2016-09-14", "incidents", 99, 1)
    assert str(difference) == "day_tallies[SY01, 2016-09-14].incidents: the file says 99, the recount 1"


def test_more_differences_are_told_when_asked_for_and_only_of_the_first_step_that_finds_any(copy: Path) -> None:
    alter(copy, "update day_tallies set incidents = 99, deaths_low = 99; update region_windows set days_met = 99")
    assert len(verify(copy, limit=3)) == 3
    assert {difference.table for difference in verify(copy, limit=100)} == {"day_tallies"}


def test_progress_counts_every_step(published: Path) -> None:
    seen: list[tuple[int, str]] = []
    verify(published, lambda done, doing: seen.append((done, doing)))
    assert list(dict.fromkeys(done for done, _ in seen)) == list(range(len(STEPS) + 1))
    assert {step.name for step in STEPS} < {doing for _, doing in seen}
    assert any(re.fullmatch(r"rebuilding it from its records: [1-9][0-9]* records", doing) for _, doing in seen)


def test_a_copy_put_in_the_files_place_meanwhile_changes_nothing(copy: Path, tmp_path: Path) -> None:
    """A ledger that runs does so every other second, and each copy has another tick."""
    newer = small_history().tick(at(20)).judged(tmp_path / "newer")

    def replaced(done: int, _: str) -> None:
        if done == 1:
            newer.replace(copy)

    assert verify(copy, replaced) == []
    assert not newer.exists()


def test_the_file_is_left_as_it_was(published: Path) -> None:
    before = published.read_bytes()
    verify(published)
    assert published.read_bytes() == before
    assert [path.name for path in published.parent.iterdir() if path.name.startswith("compliance")] == [published.name]


def test_a_file_that_is_not_there_or_not_a_ledgers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        verify(tmp_path / "none.duckdb")
    alter(tmp_path / "other.duckdb", "create table about (x integer)")
    with pytest.raises(StoreUnavailable, match="not one that a ledger wrote"):
        verify(tmp_path / "other.duckdb")
    (tmp_path / "torn.duckdb").write_bytes(b"no database" * 100)
    with pytest.raises(StoreUnavailable):
        verify(tmp_path / "torn.duckdb")


def test_sentences_of_another_edition_are_not_compared_and_all_else_is(copy: Path) -> None:
    alter(copy, "update verdict_log set reasons = replace(reasons, 'limit', 'bound')")
    assert [difference.column for difference in verify(copy)] == ["reasons"]
    alter(copy, "update about set sentences = 0")
    assert verify(copy) == []
    # Whether a day rested on anything is no wording.
    told_of = "[json_merge_patch(reasons -> '$[0]', '{\"told_of\": false}'), reasons -> '$[1]']::json"
    first = "(select min(rowid) from verdict_log where new_version and incidents > 0)"
    alter(copy, f"update verdict_log set reasons = {told_of} where rowid = {first}")
    assert [difference.column for difference in verify(copy)] == ["reasons.told_of"]
    alter(copy, "update verdict_log set reasons = replace(reasons, '\"told_of\":false', '\"x\":1')")
    alter(copy, "update verdict_log set incidents = incidents + 1 where rowid = 0")
    assert [difference.table for difference in verify(copy)] == ["verdict_log"]


def test_a_ledger_that_goes_on_in_another_edition_says_that_the_file_has_several(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    alter(tmp_path / LIVE, "update about set sentences = 0; update ledger_state set next_offset = 1")
    open_store(tmp_path).close()
    with closing(duckdb.connect(str(tmp_path / LIVE), read_only=True)) as connection:
        assert connection.execute("select sentences from about").fetchall() == [(None,)]


def test_columns_that_a_definition_leaves_out_or_replaces_have_no_order() -> None:
    one = "SELECT * EXCLUDE (a, b) REPLACE (f(a, ')') AS a, CASE WHEN (b) THEN (', ') ELSE b END AS b) FROM (t)"
    other = "SELECT * EXCLUDE (b, a) REPLACE (CASE WHEN (b) THEN (', ') ELSE b END AS b, f(a, ')') AS a) FROM (t)"
    assert in_order(one) == in_order(other) != in_order(one.replace("f(a", "f(b"))
    assert in_order("SELECT * REPLACE (a AS b") == "SELECT * REPLACE (a AS b)"


def test_a_reject_that_lay_in_the_future_may_have_other_faults_as_well(tmp_path: Path) -> None:
    truce = agreement()
    late = truce.effective + 2 * 10**15
    nowhere = report("incident", "n", reported_at=late, occurred=(at(0), at(0, 1)), kind="shelling")
    nowhere["place"] = {"names": ["Nowhere at all"]}
    file = History(truce).tell(nowhere).tick(at(1)).judged(tmp_path)
    with open_published(file) as connection:
        assert connection.execute("select code from rejects").fetchall() == [("time_in_future",)]
    assert verify(file) == []


def test_a_file_that_says_it_read_beyond_all_its_records_costs_no_more(copy: Path) -> None:
    alter(copy, "update ledger_state set next_offset = 1000000000000")
    assert verify(copy) == []
