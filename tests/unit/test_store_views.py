"""What analysts find in the file: comments on everything, views, and macros that know the past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.gazetteer_file import gazetteer_bytes, parse_gazetteer
from schemas.placenames import ARTICLES, words_of
from schemas.rows import Changes, LinkedIncident, LinkedReport
from schemas.truceday import from_micros
from sinks.migrations import migrations
from sinks.opening import PUBLISHED
from tests.support.rows import DAY_ONE, figures_row, full_changes, hours, incident_row, verdict_row
from tests.support.stores import REGIONS, Scratch, open_store
from tests.support.worlds import agreement


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published file with a row in every table and three versions of one verdict."""
    folder = tmp_path_factory.mktemp("views")
    store = open_store(folder)
    store.commit(full_changes())
    store.commit(
        Changes(
            next_offset=20,
            now=hours(100),
            verdict_log=[
                verdict_row(version=2, verdict="MET", incidents=1, recorded_at=hours(30), state="PROVISIONAL"),
                verdict_row(version=3, incidents=5, recorded_at=hours(100), state="AMENDED"),
            ],
        )
    )
    store.publish(datetime(2016, 9, 13, tzinfo=UTC))
    store.close()
    with duckdb.connect(str(folder / PUBLISHED), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize(
    ("listing", "name"),
    [
        ("duckdb_tables()", "table_name"),
        ("duckdb_views()", "view_name"),
        ("duckdb_columns()", "table_name || '.' || column_name"),
        ("duckdb_functions()", "function_name"),
    ],
)
def test_nothing_lacks_a_comment(file: duckdb.DuckDBPyConnection, listing: str, name: str) -> None:
    ours = "NOT internal AND schema_name = 'main'"
    named = file.execute(f"SELECT {name}, comment FROM {listing} WHERE {ours}").fetchall()
    assert named
    assert [name for name, comment in named if not comment] == []


def test_there_is_no_index(file: duckdb.DuckDBPyConnection) -> None:
    assert file.execute("FROM duckdb_indexes()").fetchall() == []
    lines = [line for sql in migrations().values() for line in sql.splitlines() if not line.startswith("--")]
    assert [line for line in lines if " INDEX " in line] == []


def test_tools_of_an_older_duckdb_can_open_the_file(file: duckdb.DuckDBPyConnection) -> None:
    (tags,) = file.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchone() or ({},)
    assert tags["storage_version"].startswith("v1.5.0")


def test_the_file_says_what_it_is(file: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT schema_version, agreement_id, title, agreement ->> '$.violence.floor', published_at FROM about"
    published = datetime(2016, 9, 13, tzinfo=UTC)
    found = file.execute(sql).fetchone()
    assert found == (max(migrations()), "test-truce", "A truce to test with", "1", published)


def test_regions_have_names_and_roles(file: duckdb.DuckDBPyConnection) -> None:
    assert file.execute("FROM regions ORDER BY pcode").fetchall() == [
        ("SY01", "Damascus", True, False, list(REGIONS["SY01"])),
        ("SY02", "Aleppo", True, True, ["Aleppo", "حلب", "Halab", "Haleb", "Alep", "Aleppoo"]),
    ]


def test_incidents_are_the_reports_that_count(scratch: Scratch) -> None:
    gone, old = incident_row("gone", retracted=True), incident_row("old", present=False)
    connection = scratch.holding(Changes(reports=[incident_row("i1"), gone, old, incident_row("c", type="coverage")]))
    found = connection.execute("SELECT incident_id, region_name FROM incidents").fetchall()
    made_of = connection.execute("FROM incident_reports").fetchall()
    assert found == [("feed-a/i1", "Aleppo")]
    assert made_of == [("feed-a/i1", "feed-a", "i1", 1, "active", None, "alone", None, None, None, 0, "test-truce")]


@pytest.mark.parametrize("differs", [{"occurred_to": hours(9)}, {"time_precision": "hour"}])
def test_an_incident_of_several_reports_is_one_row_with_all_its_claims(
    scratch: Scratch, differs: dict[str, Any]
) -> None:
    """It is placed by the report that tells the time most exactly.

    And its day is explained with every report of it, the withdrawn one marked.
    """
    changes = full_changes()
    changes.reports = [
        incident_row("i1", accused=("A", "D"), claimant="B", **differs),
        incident_row(
            "i2", fact_offset=1, feed="feed-b", accused=("C", "A"), place_name="Castello", raw='{"report_id": "i2"}'
        ),
        incident_row("i3", fact_offset=2, feed="feed-c", retracted=True),
    ]
    why = ("feed-b/i2", "closest", 60, 900, "good")
    changes.linked_incidents = [
        LinkedIncident(
            *("feed-a", "i1", "SY02", DAY_ONE, hours(1), hours(2), "shelling", True, True, 0, 1, None),
            *(2, ("feed-a", "feed-b"), 1, "good"),
        )
    ]
    changes.linked_reports = [
        LinkedReport("feed-a", "i1", "feed-a", "i1", 1, 0, "active", *why),
        LinkedReport("feed-a", "i1", "feed-b", "i2", 1, 1, "active", "feed-a/i1", *why[1:]),
        LinkedReport("feed-a", "i1", "feed-c", "i3", 1, 2, "retracted", *why),
    ]
    connection = scratch.holding(changes)
    columns = "incident_id, reports, feeds, certainty, accused, claimant, place_name, fact_offset"
    found = connection.execute(f"SELECT {columns} FROM incidents").fetchall()
    made_of = connection.execute("SELECT feed, standing, linked_to, metres FROM incident_reports ORDER BY 1").fetchall()
    told = connection.execute("FROM explain_day('SY02', '2016-09-12')").fetchall()
    assert found == [("feed-a/i1", 2, ["feed-a", "feed-b"], "good", ["A", "C", "D"], "B", "Castello", 1)]
    assert made_of == [
        ("feed-a", "active", "feed-b/i2", 900),
        ("feed-b", "active", "feed-a/i1", 900),
        ("feed-c", "retracted", "feed-b/i2", 900),
    ]
    shown = [(value, detail) for fact, value, detail in told if fact == "evidence: violence"]
    assert shown == [
        ("feed-a/i1: active feed-a/i1, closest feed-b/i2, good", '{"report_id": "i1"}'),
        ("feed-a/i1: active feed-b/i2, closest feed-a/i1, good", '{"report_id": "i2"}'),
        ("feed-a/i1: retracted feed-c/i3, closest feed-b/i2, good", '{"report_id": "i3"}'),
    ]


def test_a_report_moved_out_of_the_agreement_makes_no_incident(scratch: Scratch) -> None:
    connection = scratch.holding(Changes(reports=[incident_row("here"), incident_row("gone", region="SY14")]))
    for view in ("incidents", "incident_reports"):
        assert connection.execute(f"SELECT incident_id FROM {view}").fetchall() == [("feed-a/here",)]


@pytest.mark.parametrize(("feeds", "counted"), [([], [True, True]), (["feed-b", "feed-c"], [False, True])])
def test_only_feeds_the_agreement_names_are_counted(tmp_path: Path, feeds: list[str], counted: list[bool]) -> None:
    changes = full_changes()
    changes.reports = [incident_row("i1"), incident_row("i2", feed="feed-b")]
    with closing(Scratch(tmp_path, agreement(violence={"feeds": feeds}))) as scratch:
        connection = scratch.holding(changes)
        found = connection.execute("SELECT counted FROM incidents ORDER BY incident_id").fetchall()
        beside = connection.execute("SELECT DISTINCT counted_incidents FROM bulletin_counts").fetchall()
    assert [each for (each,) in found] == counted
    assert beside == [(sum(counted),)]


def test_the_grid_can_be_drawn(file: duckdb.DuckDBPyConnection) -> None:
    drawn = file.execute("PIVOT grid ON truce_day USING first(verdict) GROUP BY region_name").fetchall()
    assert drawn == [("Aleppo", "BROKEN")]
    assert file.execute("SELECT region_name, verdicts FROM last_seven").fetchall() == [("Aleppo", ["BROKEN"])]


def test_a_bulletin_stands_beside_the_count_and_is_not_added(file: duckdb.DuckDBPyConnection) -> None:
    columns = "region_name, bulletin_incidents, stated_total, at_least, counted_incidents"
    found = file.execute(f"SELECT {columns} FROM bulletin_counts ORDER BY 1").fetchall()
    assert found == [("Aleppo", 7, 9, True, 2), ("whole country", 40, 9, True, 2)]


@pytest.mark.parametrize(
    ("when", "version", "state"),
    [
        (3, None, None),
        (4, 1, "OPEN"),
        (23.9, 1, "OPEN"),
        (24, 1, "PROVISIONAL"),
        (30, 2, "PROVISIONAL"),
        (71.9, 2, "PROVISIONAL"),
        (72, 2, "FINAL"),
        (99.9, 2, "FINAL"),
        (100, 3, "AMENDED"),
        (999, 3, "AMENDED"),
    ],
)
def test_the_past_is_told_as_it_was_then(
    file: duckdb.DuckDBPyConnection, when: float, version: int | None, state: str | None
) -> None:
    """The truce-day ends after 24 hours and is final 48 hours later; versions were made at 4, 30 and 100 hours."""
    instant = from_micros(hours(when))
    found = file.execute("SELECT version, state FROM verdicts_as_of(?)", [instant]).fetchone()
    assert found == (None if version is None else (version, state))
    assert file.execute(f"SELECT version, state FROM verdicts_as_of('{instant.isoformat()}')").fetchone() == found


@pytest.mark.parametrize(("when", "incidents"), [(4, 2), (5, 2), (6, 3), (7, 4), (29, 4), (30, 1), (99, 1), (100, 5)])
def test_figures_that_moved_within_a_version_are_told_as_they_were_then(
    scratch: Scratch, when: float, incidents: int
) -> None:
    """Version 1 is made at 4 hours and moves at 6 and 7; those of version 1 say nothing of the second."""
    moved = [
        figures_row(incidents=n, recorded_at=hours(n + 3), tick_offset=n + 3, bulletin_incidents=None) for n in (3, 4)
    ]
    later = [verdict_row(version=2, incidents=1, recorded_at=hours(30), tick_offset=30)]
    later.append(verdict_row(version=3, incidents=5, recorded_at=hours(100), tick_offset=100))
    connection = scratch.holding(Changes(now=hours(100), verdict_log=[verdict_row(), *moved, *later]))
    found = connection.execute("SELECT incidents FROM verdicts_as_of(?)", [from_micros(hours(when))]).fetchall()
    sql = "SELECT changed FROM verdict_changes WHERE version > 1 ORDER BY version"
    changed = [row[0] for row in connection.execute(sql).fetchall()]
    assert found == [(incidents,)]
    moves = [[(one["old"], one["new"]) for one in each if one["field"] == "incidents"] for each in changed]
    assert moves == [[("4", "1")], [("1", "5")]]


def test_past_the_last_judgement_a_day_is_told_as_that_one_left_it(scratch: Scratch) -> None:
    version = verdict_row(recorded_at=hours(4))
    connection = scratch.holding(Changes(verdict_log=[version], now=hours(23)))
    found = connection.execute("SELECT state FROM verdicts_as_of(?)", [from_micros(hours(999))]).fetchall()
    assert found == [("OPEN",)]


def test_a_window_is_told_as_it_was_then(scratch: Scratch) -> None:
    """The second day is first judged at 24 hours: from then on the first one is over."""
    next_day = {"truce_day": DAY_ONE + timedelta(days=1), "verdict": "UNKNOWN", "incidents": 0}
    versions = [
        verdict_row(version=1, recorded_at=hours(4)),
        verdict_row(version=1, recorded_at=hours(24), **next_day),
        verdict_row(version=2, verdict="MET", incidents=1, recorded_at=hours(30), state="PROVISIONAL"),
        verdict_row(version=3, incidents=5, recorded_at=hours(100), state="AMENDED"),
    ]
    connection = scratch.holding(Changes(verdict_log=versions))
    columns = "days_met, days_broken, incidents, streak_days, streak_ended_day, streak_ended_by"
    sql = f"SELECT {columns} FROM window_as_of('SY02', ?)"
    assert connection.execute(sql, [from_micros(hours(3))]).fetchall() == []
    assert connection.execute(sql, [from_micros(hours(5))]).fetchone() == (0, 1, 2, 0, None, None)
    assert connection.execute(sql, [from_micros(hours(25))]).fetchone() == (0, 1, 2, 0, DAY_ONE, "BROKEN")
    assert connection.execute(sql, [from_micros(hours(40))]).fetchone() == (1, 0, 1, 1, None, None)
    assert connection.execute(sql, [from_micros(hours(101))]).fetchone() == (0, 1, 5, 0, DAY_ONE, "BROKEN")


def test_a_day_is_explained_down_to_the_raw_reports(file: duckdb.DuckDBPyConnection) -> None:
    told = file.execute("FROM explain_day('SY02', '2016-09-12')").fetchall()
    assert told[:3] == [
        ("region", "Aleppo", "SY02"),
        ("truce-day", "2016-09-12", "2016-09-12T16:00:00Z to 2016-09-13T16:00:00Z"),
        ("verdict", "BROKEN", "AMENDED, version 3 of 2016-09-16T20:00:00Z"),
    ]
    assert ("limit", "1.0", "incidents allowed") in told
    assert ("reason: violence", "count_above_limit", "2 incidents") in told
    assert ("evidence: violence", "feed-a/i1", '{"report_id": "i1"}') in told
    assert ("feed", "feed-a", "2 incidents in scope") in told
    assert [fact for fact, _, _ in told][-3:] == ["version 1", "version 2", "version 3"]
    assert told[-2][2].startswith('2016-09-13T22:00:00Z: verdict "BROKEN" to "MET", incidents 2 to 1')
    assert any(fact == "bulletin" and value == "monitor/b1" for fact, value, _ in told)


def test_a_day_explained_says_how_many_more_reports_a_version_came_of(scratch: Scratch) -> None:
    named = ", ".join(f"feed-a/i{n}@1" for n in range(10))
    causes = [([f"feed-a/i{n}@1" for n in range(10)], 3), (["feed-a/i1@1"], 0), ([], 0)]
    changes = full_changes()
    changes.verdict_log = [
        verdict_row(version=version, cause=json.dumps({"reports": reports, "more": more}))
        for version, (reports, more) in enumerate(causes, start=1)
    ]
    connection = scratch.holding(changes)
    sql = "SELECT detail FROM explain_day('SY02', ?) WHERE fact LIKE 'version %'"
    details = [detail.partition("; ")[2] for (detail,) in connection.execute(sql, [DAY_ONE]).fetchall()]
    assert details == [f"by {named} and 3 more", "by feed-a/i1@1", "by the passing of time"]


def test_a_day_broken_by_a_convoy_is_explained_by_its_steps(scratch: Scratch) -> None:
    changes = full_changes()
    changes.reports.append(incident_row("s1", feed="un", type="convoy", raw='{"step": "attacked"}'))
    changes.convoy_steps = [changes.convoy_steps[0]._replace(step="attacked")]
    changes.verdict_log = [verdict_row(evidence='{"violence": [], "access": ["un/aid-1"]}')]
    connection = scratch.holding(changes)
    told = connection.execute("FROM explain_day('SY02', ?) WHERE fact = 'evidence: access'", [DAY_ONE]).fetchall()
    assert told == [("evidence: access", "un/aid-1: attacked at 2016-09-12T17:00:00Z", '{"step": "attacked"}')]


@pytest.mark.parametrize("given", ["SY02", "sy02", "Aleppo", " ALEPPO.", "Haleb", "el-Haleb", "حلب", "الحلب"])
def test_a_region_is_asked_for_by_its_p_code_or_any_spelling_of_its_name(
    file: duckdb.DuckDBPyConnection, given: str
) -> None:
    at_end = from_micros(hours(100))
    assert file.execute("SELECT region FROM region_of(?)", [given]).fetchall() == [("SY02",)]
    assert file.execute("SELECT region FROM window_as_of(?, ?)", [given, at_end]).fetchall() == [("SY02",)]
    assert file.execute("SELECT detail FROM explain_day(?, ?)", [given, DAY_ONE]).fetchone() == ("SY02",)


@pytest.mark.parametrize("given", ["SY99", "Atlantis", "", None])
@pytest.mark.parametrize(
    "asked",
    [
        "region_of(?)",
        "window_as_of(?, '2016-09-16 00:00:00+00')",
        # Before anything was judged there is nothing to be found of any region.
        "window_as_of(?, '2001-01-01 00:00:00+00')",
        "explain_day(?, '2016-09-12')",
        "explain_day(?, '2001-01-01')",
    ],
)
def test_an_unknown_region_is_an_error_and_never_an_empty_answer(
    file: duckdb.DuckDBPyConnection, given: str | None, asked: str
) -> None:
    with pytest.raises(duckdb.Error, match="is no region of test-truce; there are SY01 Damascus, SY02 Aleppo"):
        file.execute(f"FROM {asked}", [given]).fetchall()


def two_of_one_name(scratch: Scratch) -> duckdb.DuckDBPyConnection:
    connection = scratch.holding(full_changes())
    connection.execute("UPDATE regions SET spellings = ['Damascus', 'the Capital', 'SY02'] WHERE pcode = 'SY01'")
    connection.execute("UPDATE regions SET spellings = ['Aleppo', 'Capital'] WHERE pcode = 'SY02'")
    return connection


@pytest.mark.parametrize("asked", ["region_of('capital')", "explain_day('CAPITAL', '2016-09-12')"])
def test_a_name_of_two_regions_is_an_error_that_names_both(scratch: Scratch, asked: str) -> None:
    said = "'(?i:capital)' may be SY01 Damascus and SY02 Aleppo of test-truce: ask by the P-code"
    with pytest.raises(duckdb.Error, match=said):
        two_of_one_name(scratch).execute(f"FROM {asked}").fetchall()


def test_a_p_code_decides_before_a_name(scratch: Scratch) -> None:
    assert two_of_one_name(scratch).execute("FROM region_of('SY02')").fetchall() == [("SY02",)]


def test_names_are_folded_in_sql_as_the_gazetteer_folds_them(file: duckdb.DuckDBPyConnection) -> None:
    gazetteer = parse_gazetteer("syria", gazetteer_bytes("syria"))
    names = [name for region in gazetteer.regions for name in region.spellings]
    names += [name for place in gazetteer.places for name in (place.name, *place.names)]
    names += [f"{article.upper()}-{names[n]}" for n, article in enumerate(ARTICLES)]
    names += ["of the", "Straße", "Ḥalab", "Dar`a", "Al-", "الله", "القامشلي", "..."]
    told = file.execute("SELECT folded(unnest(?::VARCHAR[]))", [names]).fetchall()
    assert [folded for (folded,) in told] == [" ".join(words_of(name)) for name in names]
