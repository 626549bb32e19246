"""Verify against files the real ledger and store made: it passes what is right and finds what was altered."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import StoreUnavailable
from sinks.verify import STEPS, Difference, verify
from tests.support.effort import examples
from tests.support.judged import History, report
from tests.support.worlds import LINKING, agreement, at

#: What a file cannot prove, by table: stamps, the gazetteer's finds, what leaves no row, and sentences for people.
UNPROVABLE = {
    "about": {"schema_version", "software_version", "published_at", "definitions", "tzdata", "file_id"},
    "regions": {"name"},
    # What the gazetteer made of a name; a key that links otherwise is found by the links.
    "reports": {"received_at", "place_conflict", "place_key"},
    "convoy_events": {"flaw"},
    "rejects": {"code", "hint", "received_at"},
    # Which reject it was of is told by the record's own headers, which leave no other trace.
    "redrives": {"reject_topic", "reject_partition", "reject_offset", "reject_log", "number"},
    "day_verdicts": {"reasons"},
    "day_verdict_versions": {"reasons"},
    "day_figures": {"reasons"},
    "gate_history": {"reason"},
    "feeds": {"duplicate", "outside"},
    # The last record of a source may have been a duplicate, as here.
    "sink_offsets": {"log_identity", "next_offset", "last_digest"},
    "ledger_state": {"pending", "term", "writer"},
}
ALTERED = {
    "BIGINT": "{} + 1",
    "INTEGER": "{} + 1",
    "DOUBLE": "{} + 1e-9",
    "BOOLEAN": "not {}",
    "VARCHAR": "{} || 'x'",
    "VARCHAR[]": "{} || ['x']",
    "JSON": "'[]'",
    "BLOB": "'x'::blob",
    "DATE": "{} + 1",
    "TIMESTAMP WITH TIME ZONE": "{} + interval 1 microsecond",
}


def small_history() -> History:
    """A truce of five days with one of everything: corrected, retracted, doubled, late, rejected."""
    parties = [{"name": "Government", "slot": "a"}, {"name": "Opposition", "slot": "b"}]
    facts: dict[str, Any] = {"kind": "shelling", "parties": parties, "deaths": {"low": 1, "best": 2, "high": 3}}
    facts |= {"accused": ["Government"], "claimant": "Monitor", "confidence": "alleged"}
    place = {"pcode": "SY01", "names": ["Duma"], "point": {"latitude": 33.5, "longitude": 36.3}}
    step: dict[str, Any] = {
        "place": {"pcode": "SY02", "names": ["the Old Town"]},
        "convoy_id": "aid-1",
        "people_requested": 70,
        "people_approved": 65,
        "people_reached": 60,
        "trucks": 9,
        "trucks_hit": 1,
        "items_removed": ["surgical kits"],
        "blocker": "a checkpoint",
        "reason": "no letter",
        "constraint": "movement_within",
        "reached_place": "the ring road",
    }
    other = {**step, "feed": "feed-b", "convoy_id": "aid/2", "same_convoy_as": "feed-a/aid-1"}
    third = {**step, "feed": "feed-c", "convoy_id": "aid-3", "not_same_convoy_as": ["feed-c/aid-4"]}
    both = [{"pcode": "SY01"}, {"pcode": "SY02"}]

    def incident(number: int, when: float, **fields: Any) -> dict[str, Any]:
        begun = at(when)
        spine: dict[str, Any] = {"reported_at": at(when, 2), "occurred": (begun, at(when, 1)), "place": place}
        return report("incident", f"i{number}", **{**spine, **facts, **fields})

    old_town = {"name": "Old Town", "region": "SY02", "status": "besieged", "source": "none"}
    history = History(agreement(access={"places": [old_town], "same_convoy_hours": 24})).tick(at(-2))
    history.tell(*(incident(n, -3 - n / 10) for n in range(12))).tick(at(0, 1))
    history.tell(incident(20, 0.5), incident(21, 0.4), incident(22, 0.3, kind="attack_on_aid"))
    history.tell(report("coverage", "c1", reported_at=at(1), occurred=(at(0), at(1)), places=both, nil=False))
    history.tick(at(1, 1))
    history.tell(report("convoy", "s1", reported_at=at(1, 3), occurred=(at(1, 2), at(1, 2)), step="dispatched", **step))
    history.tell(incident(23, 1.5, parties=[{"name": "ISIL", "slot": "a"}], region="SY02"))
    history.tell(report("coverage", "c2", reported_at=at(3), occurred=(at(1), at(3)), places=both, nil=True))
    history.tick(at(2, 1), at(3, 1))
    history.tell(incident(20, 0.5, revision=2, status="retracted", reported_at=at(3, 1)))
    history.tell(
        incident(22, 0.3, revision=3, reported_at=at(3, 2)), incident(22, 0.3, revision=2, reported_at=at(3, 2))
    )
    history.tell(incident(24, 2.5, reported_at=at(3, 2)), incident(24, 2.5, reported_at=at(3, 2)))
    history.tell(incident(24, 2.6, reported_at=at(3, 2)), b"{", b'{"feed": "feed-a", "report_id": "i1"}')
    lines = [{"count": 4, "place": {"pcode": "SY01"}, "accused": "Opposition", "kind_as_given": "breach"}, {"count": 2}]
    monitor: dict[str, Any] = {"feed": "monitor", "tallies": lines, "total": 6, "at_least": True}
    history.tell(report("bulletin", "b1", reported_at=at(3, 3), occurred=(at(0), at(1)), **monitor))
    spoken: dict[str, Any] = {"act": "start", "declared_by": "Government", "effective_at": "2016-09-12T19:00:00+03:00"}
    history.tell(report("declaration", "d1", feed="parties", reported_at=at(3, 4), **spoken)).tick(at(4, 1))
    stood: dict[str, Any] = {"unit": "a battery", "party": "Government", "weapon_class": "heavy", "names": ["A hill"]}
    stood |= {"uncertainty": {"value": 500, "unit": "yards"}, "stated_distance": {"value": 1.1, "unit": "kilometres"}}
    for number, latitude in enumerate((36.25, 36.26, 36.3)):
        stood["point"] = {"latitude": latitude, "longitude": 37.1 + number / 100}
        history.tell(report("position", f"p{number}", reported_at=at(4), occurred=(at(2), at(2.1)), **stood))
    history.tell(report("convoy", "s2", reported_at=at(4, 2), occurred=(at(2), at(2)), step="offloaded", **step))
    history.tell(report("convoy", "s3", reported_at=at(4, 2), occurred=(at(3), at(3)), step="attacked", **other))
    history.tell(report("convoy", "s4", reported_at=at(4, 2), occurred=(at(3, 1), at(3, 1)), step="loaded", **other))
    history.tell(report("convoy", "s5", reported_at=at(4, 2), occurred=(at(3, 9), at(3, 9)), step="held", **third))
    history.tick(at(4, 3)).tell(incident(30, 4.1))
    broken = next(number for number, (_, body) in enumerate(history.facts) if body == b"{")
    return history.redriven(broken).redriven(broken, incident(31, 4.05)).tick(at(4, 6))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_history().judged(tmp_path_factory.mktemp("published"))


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(published, tmp_path / "altered.duckdb"))


def alter(path: Path, sql: str) -> None:
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(sql)


def tables(path: Path) -> dict[str, dict[str, str]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where not internal and table_name in (select table_name from duckdb_tables()) order by all"
        ).fetchall():
            found.setdefault(table, {})[column] = kind
        return found


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


def cells(path: Path) -> Iterator[tuple[str, str, str]]:
    for table, columns in tables(path).items():
        for column, kind in columns.items():
            if column not in UNPROVABLE.get(table, set()):
                yield table, column, ALTERED[kind].format(column)


def unnoticed(published: Path, tmp_path: Path, only: Collection[str] = ()) -> tuple[list[str], int]:
    """Alter every column of every table (or of ``only`` some) in the last row that has a value.

    With little effort only some of these columns, all over the file. Returns what verify missed and how many were
    tried; a file that is refused counts as noticed.
    """
    missed, tried = [], 0
    wanted = [cell for cell in cells(published) if not only or cell[0] in only]
    for table, column, altered in wanted[:: len(wanted) // examples(len(wanted))]:
        path = Path(shutil.copy(published, tmp_path / "altered.duckdb"))
        # Of a feed with duplicates the time last received is only bounded: its last duplicate left no row.
        whole = "and duplicate = 0" if table == "feeds" else ""
        last = f"(select max(rowid) from {table} where {column} is not null {whole})"
        with closing(duckdb.connect(str(path))) as connection:
            if connection.execute(f"select {last}").fetchone() == (None,):
                continue
            try:
                connection.execute(f"update {table} set {column} = {altered} where rowid = {last}")
            except duckdb.ConstraintException:
                continue
        tried += 1
        try:
            if not verify(path):
                missed.append(f"{table}.{column}")
        except StoreUnavailable:
            continue
    return missed, tried


@pytest.mark.property
def test_no_altered_value_goes_unnoticed(published: Path, tmp_path: Path) -> None:
    missed, tried = unnoticed(published, tmp_path)
    assert missed == []
    assert tried > examples(150)


@pytest.mark.parametrize(
    "table",
    [
        *(
            "reports",
            "convoy_events",
            "convoys",
            "joined_claims",
            "coverage",
            "bulletins",
            "declarations",
            "positions",
            "position_findings",
            "day_tallies",
            "feed_tallies",
        ),
        *(
            "day_verdicts",
            "day_verdict_versions",
            "day_figures",
            "region_windows",
            "gate",
            "feeds",
            "regions",
            "truce_days",
        ),
    ],
)
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
        "day_verdict_versions",
        "day_figures",
        "gate",
    ],
)
def test_a_row_told_twice_is_found(table: str, copy: Path) -> None:
    alter(copy, f"insert into {table} select * from {table} where rowid = (select max(rowid) from {table})")
    assert verify(copy) != []


@pytest.fixture(scope="module")
def linked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three feeds tell of one shelling, a fourth report was retracted and a fifth merged; another is told of once."""
    place = {"pcode": "SY01", "precision": "exact", "point": {"latitude": 33.5, "longitude": 36.3}}
    deaths = {"low": 1, "best": 2, "high": 3}

    def told(report_id: str, feed: str, *, reported: float = 2, **fields: Any) -> dict[str, Any]:
        spine = {"occurred": (at(1), at(1, 1)), "place": place, "kind": "shelling", "deaths": deaths}
        given = {**spine, "sources": [{"name": "Radio", "origin": feed}], **fields}
        return report("incident", report_id, feed=feed, reported_at=at(1, reported), **given)

    history = History(agreement(linking=LINKING)).tick(at(0, 1))
    history.tell(told("1", "a", reported=5), told("1", "b", reported=4)).tick(at(2))
    history.tell(told("1", "d", reported=6, revision=2, status="retracted")).tick(at(2, 1))
    history.tell(told("2", "b", reported=7, status="merged", merged_into="1"))
    far = {**place, "point": {"latitude": 33.6, "longitude": 36.3}}
    history.tell(told("1", "c", reported=8, place=far, same_as=["a/1"]), told("9", "c", reported=9, place=far)).tick(
        at(3)
    )
    return history.judged(tmp_path_factory.mktemp("linked"))


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


@pytest.mark.property
def test_what_is_linked_is_right_and_no_altered_value_of_it_goes_unnoticed(linked_file: Path, tmp_path: Path) -> None:
    assert verify(linked_file) == []
    missed, tried = unnoticed(
        linked_file, tmp_path, ("linked_incidents", "linked_reports", "day_tallies", "feed_tallies")
    )
    assert missed == []
    assert tried >= examples(36)


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
            "select region, truce_day from day_verdict_versions where version = 3 order by all limit 1"
        ).fetchone() or ("", "")
        which = f"region = '{region}' and truce_day = '{day}'"
        connection.execute(f"delete from day_verdict_versions where {which} and version = 2")
        connection.execute(f"update day_verdict_versions set version = version - 1 where {which} and version > 2")
        connection.execute(f"update day_verdicts set version = version - 1 where {which}")
    assert [difference.table for difference in verify(copy)] == ["day_verdict_versions"]


@pytest.mark.parametrize("column", ["incidents", "covered_share", "deaths_high", "version", "tick_offset"])
def test_every_line_of_figures_is_recounted_and_not_the_last_alone(column: str, copy: Path) -> None:
    alter(copy, f"update day_figures set {column} = {column} + 1 where rowid = 0")
    assert {difference.table for difference in verify(copy)} <= {"day_figures", "day_verdict_versions"}
    assert verify(copy) != []


def test_figures_in_which_nothing_moved_are_found(copy: Path) -> None:
    alter(
        copy,
        "insert into day_figures select region, truce_day, version, state, incidents, incidents_out_of_scope, "
        "bulletin_incidents, covered_share, deaths_low, deaths_best, deaths_high, reasons, recorded_at, "
        "tick_offset, cause from verdicts_as_of((select now from ledger_state)) where state = 'OPEN' limit 1",
    )
    assert {difference.table for difference in verify(copy)} == {"day_figures"}


def test_a_reason_that_tells_another_end_of_the_watch_is_found(copy: Path) -> None:
    alter(copy, "update day_verdicts set reasons = replace(reasons::varchar, ' UTC', ' GMT')::json")
    assert [(each.table, each.column) for each in verify(copy)] == [("day_verdicts", "reasons")]


def test_a_version_of_a_day_that_is_over_comes_of_a_report(copy: Path) -> None:
    alter(copy, 'update day_verdict_versions set cause = \'{"reports": [], "more": 0}\'')
    assert {(difference.table, difference.column) for difference in verify(copy, limit=9)} == {
        ("day_verdict_versions", "cause")
    }


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
    last = "(select max(rowid) from day_verdict_versions where version = 1)"
    alter(copy, f"update day_verdict_versions set cause = '{cause}' where rowid = {last}")
    assert [difference.column for difference in verify(copy)] == ["cause"]


def test_the_difference_names_the_row_and_both_values(copy: Path) -> None:
    alter(copy, "update day_tallies set incidents = 99 where region = 'SY01' and truce_day = '2016-09-14'")
    (difference,) = verify(copy)
    assert difference == Difference("day_tallies", "SY01, 2016-09-14", "incidents", 99, 1)
    assert str(difference) == "day_tallies[SY01, 2016-09-14].incidents: the file says 99, the recount 1"


def test_more_differences_are_told_when_asked_for_and_only_of_the_first_step_that_finds_any(copy: Path) -> None:
    alter(copy, "update day_tallies set incidents = 99, deaths_low = 99; update convoys set steps = 99")
    assert len(verify(copy, limit=3)) == 3
    assert {difference.table for difference in verify(copy, limit=100)} == {"day_tallies"}


def test_progress_counts_every_step(published: Path) -> None:
    seen: list[tuple[int, int]] = []
    verify(published, lambda done, steps: seen.append((done, steps)))
    assert seen == [(done, len(STEPS)) for done in range(len(STEPS) + 1)]


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
