"""What was held then: told from the versions, it is what a ledger fed only the facts up to then would say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.facts import TickFact
from schemas.truceday import Micros, from_micros
from sinks import reading
from sinks.records import Gate, Window
from streams.ops.status import Status, read_status
from streams.verify import verify
from tests.support.commands import Run
from tests.support.effort import cases, examples
from tests.support.judged import History, report
from tests.support.random_history import random_history
from tests.support.worlds import agreement, at


def cuts(history: History, least: int) -> list[tuple[int, Micros]]:
    """Return where to cut a history, ``least`` times: behind ticks whose time no later tick shares, with that time."""
    now, ticks = 0, []
    for number, (fact, _) in enumerate(history.facts, start=1):
        if isinstance(fact, TickFact):
            now = max(now, fact.stamp or 0)
            ticks.append((number, now))
    may = [cut for cut, later in zip(ticks, [*ticks[1:], (0, 0)], strict=True) if cut[1] != later[1]]
    return may[:: -(len(may) // least)]


def kept(window: Window) -> Window:
    """Return a window without what is known of the present only."""
    return replace(window, incidents_168h=None, deaths_best_168h=None)


SHARED = (
    "region, truce_day, version, verdict, state, violence, access, incidents, incidents_out_of_scope, "
    "bulletin_incidents, violence_limit, covered_share, deaths_low, deaths_best, deaths_high, reasons::VARCHAR, "
    "evidence::VARCHAR, recorded_at, tick_offset, cause::VARCHAR"
)
OF_A_WINDOW = (
    "first_day, last_day, days_met, days_broken, days_unknown, incidents, incidents_out_of_scope, deaths_best, "
    "streak_days, streak_ended_day, streak_ended_by"
)


def rows(copy: Path, sql: str, *given: object) -> list[tuple[Any, ...]]:
    """Return what a query finds in a published file."""
    connection = reading.open_published(copy)
    try:
        return connection.execute(sql, list(given)).fetchall()
    finally:
        connection.close()


def turned(gate: Gate | None) -> tuple[object, ...] | None:
    """Return a gate without the time of its line: the present row of the gate has that of its last change too."""
    return gate and (gate.recorded_at, gate.is_open, gate.shortest_streak, gate.regions_holding, gate.reason)


@pytest.mark.property
@pytest.mark.parametrize("seed", cases(range(3), fast=1))
def test_what_was_held_is_what_a_ledger_stopped_then_would_say(tmp_path: Path, seed: int) -> None:
    history = random_history(seed, reports=60)
    whole = history.judged(tmp_path / "whole")
    compared = 0
    for number, now in cuts(history, examples(6)):
        then = read_status(history.first(number).judged(tmp_path / str(number)))
        told = read_status(whole, as_of=from_micros(now))
        assert told.cells == then.cells
        assert [kept(window) for window in told.windows] == [kept(window) for window in then.windows]
        assert turned(told.gate) == turned(then.gate)
        assert [turned(turn) for turn in told.turns] == [turned(turn) for turn in then.turns]
        assert (told.days, told.judged) == (then.days, then.judged)
        compared += len(told.cells)
    assert compared > 20


@pytest.mark.property
@pytest.mark.parametrize(("seed", "linking"), cases([(6, True), (3, False)], fast=1))
def test_as_of_every_tick_the_macros_give_what_the_present_tables_held_at_it(
    tmp_path: Path, seed: int, linking: bool
) -> None:
    """Row by row and in every column: folded to that tick and compared."""
    history = random_history(seed, reports=40, days=4, linking=linking)
    whole = history.judged(tmp_path / "whole")
    held = f"SELECT {SHARED} FROM verdicts_as_of(?) ORDER BY region, truce_day"
    window = f"SELECT {OF_A_WINDOW} FROM window_as_of(?, ?)"
    for number, now in cuts(history, examples(5)):
        then = history.first(number).judged(tmp_path / str(number))
        present = rows(then, f"SELECT {SHARED} FROM day_verdicts ORDER BY region, truce_day")
        assert rows(whole, held, from_micros(now)) == present
        for (region,) in rows(then, "SELECT region FROM region_windows"):
            found = rows(then, f"SELECT {OF_A_WINDOW} FROM region_windows WHERE region = ?", region)
            assert rows(whole, window, region, from_micros(now)) == found
    assert rows(whole, "SELECT count(*) > 3 FROM day_figures") == [(True,)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Aleppo is quiet and watched on the first day; four days later a shelling and an attack of that day come out."""
    watched = {"places": [{"pcode": "SY02"}], "nil": True}
    history = History(agreement(access={"regions": []})).tick(at(0, 1))
    history.tell(report("coverage", "c", reported_at=at(1), occurred=(at(0), at(1)), **watched)).tick(at(1, 1))
    for number, kind in enumerate(("shelling", "attack_on_aid")):
        occurred = (at(0, 5), at(0, 6))
        late = report("incident", f"i{number}", reported_at=at(4), region="SY02", occurred=occurred, kind=kind)
        history.tell(late)
    history.tick(at(4, 1))
    return history.judged(tmp_path_factory.mktemp("data") / "test-truce")


def changes(copy: Path, region: str = "SY02") -> list[tuple[object, ...]]:
    """Return the changes of the first truce-day."""
    connection = reading.open_published(copy)
    sql = (
        "SELECT version, changed, evidence_added, evidence_removed, reports FROM verdict_changes "
        "WHERE region = ? AND truce_day = '2016-09-12' ORDER BY version"
    )
    try:
        return connection.execute(sql, [region]).fetchall()
    finally:
        connection.close()


def test_a_version_tells_what_it_changed_of_the_one_before(copy: Path) -> None:
    first, second, third = changes(copy)
    assert first == (1, [], [], [], [])
    assert second[1] == [
        {"field": "verdict", "old": '"UNKNOWN"', "new": '"MET"'},
        {"field": "violence", "old": '"UNKNOWN"', "new": '"MET"'},
        {"field": "covered_share", "old": "0.0", "new": "1.0"},
    ]
    assert second[4] == ["feed-a/c@1"]
    fields = {each["field"]: (json.loads(each["old"]), json.loads(each["new"])) for each in third[1]}  # type: ignore[attr-defined]
    assert fields == {
        "verdict": ("MET", "BROKEN"),
        "state": ("FINAL", "AMENDED"),
        "violence": ("MET", "BROKEN"),
        "incidents": (0, 2),
        "incidents_without_toll": (0, 2),
    }
    assert third[2:4] == (["feed-a/i1"], [])


def test_a_feed_is_silent_from_the_end_of_the_last_time_it_told_of(copy: Path) -> None:
    """The watch of the first day reaches to its end; the incidents of that day were told later and reach less far."""
    since = from_micros(at(1))
    days = [date(2016, 9, 13) + timedelta(days=n) for n in range(4)]
    ends = [from_micros(at(2)), from_micros(at(3)), from_micros(at(4)), from_micros(at(4, 1))]
    assert silent(copy) == [("SY02", day, "feed-a", since, end) for day, end in zip(days, ends, strict=True)]


PLACES = [{"pcode": "SY02"}]


def test_every_kind_of_report_of_a_region_is_a_sign_of_life(tmp_path: Path) -> None:
    history = History(agreement(access={"regions": []}))
    history.tell(
        report("coverage", "c", feed="watcher", reported_at=at(0, 3), occurred=(at(0), at(0, 1)), places=PLACES),
        report(
            "incident",
            "i",
            feed="teller",
            reported_at=at(0, 3),
            region="SY02",
            occurred=(at(0, 2), at(0, 2)),
            kind="shelling",
        ),
        report(
            "incident",
            "w",
            feed="watcher",
            reported_at=at(0, 3),
            region="SY02",
            occurred=(at(0, 2), at(0, 3)),
            kind="shelling",
        ),
        report(
            "incident",
            "g",
            feed="retracts",
            reported_at=at(0, 3),
            region="SY02",
            occurred=(at(0), at(0)),
            kind="shelling",
        ),
        report(
            "incident",
            "g",
            feed="retracts",
            reported_at=at(0, 4),
            region="SY02",
            occurred=(at(0), at(0)),
            kind="shelling",
            revision=2,
            status="retracted",
        ),
        report(
            "convoy",
            "k",
            feed="un",
            reported_at=at(0, 5),
            region="SY02",
            occurred=(at(0, 4), at(0, 4)),
            convoy_id="K",
            step="dispatched",
        ),
        report(
            "bulletin",
            "b",
            feed="monitor",
            reported_at=at(0, 7),
            occurred=(at(0), at(0, 6)),
            tallies=[{"count": 1, "place": {"pcode": "SY02"}}, {"count": 2}],
        ),
        report("coverage", "c", feed="still-there", reported_at=at(1), occurred=(at(0), at(1)), places=PLACES),
    )
    copy = history.tick(at(0, 12)).judged(tmp_path / "test-truce")
    now = from_micros(at(0, 12))
    day = date(2016, 9, 12)
    hours = {"monitor": 6, "teller": 2, "un": 4, "watcher": 3}
    assert silent(copy) == [("SY02", day, feed, from_micros(at(0, hour)), now) for feed, hour in hours.items()]
    assert verify(copy) == []


def silent(copy: Path) -> list[tuple[object, ...]]:
    """Return who is silent since when, by day and feed."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute("SELECT * EXCLUDE (agreement) FROM feed_silence ORDER BY truce_day, feed").fetchall()


def at_time(copy: Path, when: Micros) -> Status:
    """Return the status as of an instant."""
    return read_status(copy, as_of=from_micros(when))


def test_before_the_first_judgement_there_is_nothing(copy: Path) -> None:
    told = at_time(copy, at(0))
    assert (told.cells, told.windows, told.gate, told.judged) == ([], [], None, None)


def test_after_the_last_judgement_the_last_one_is_told(copy: Path) -> None:
    told = at_time(copy, at(400))
    assert told.now == from_micros(at(4, 1))
    assert {cell.state for cell in told.cells} == {"AMENDED", "FINAL", "PROVISIONAL", "OPEN"}


def test_a_day_that_was_over_without_a_tick_since_is_told_as_it_was_held(copy: Path) -> None:
    """At 24 h and a half the day is over, and the last judgement, of the first hour, still took it for running."""
    told = at_time(copy, at(1, 0.5))
    assert {window.streak_ended_day for window in told.windows} == {None}
    assert [window.streak_days for window in told.windows] == [0, 0]
    (first,) = {window.last_day for window in told.windows}
    assert first == date(2016, 9, 12)
    assert [window.streak_days for window in at_time(copy, at(1, 1)).windows if window.region == "SY02"] == [1]


@pytest.fixture
def run_held(run: Run, copy: Path, tmp_path: Path) -> Run:
    """Run a command on the file of the test agreement."""
    (tmp_path / "data" / "syria-2016").mkdir(parents=True)
    (tmp_path / "data" / "syria-2016" / "compliance.duckdb").symlink_to(copy)
    return lambda *arguments: run(*arguments, "--data", tmp_path / "data")


def test_status_says_as_of_when_it_tells(run_held: Run) -> None:
    ended = run_held("status", "--as-of", "2016-09-13T21:00:00+03:00")
    assert ended.code == 0
    assert "as held at 2016-09-13 21:00+03:00" in ended.out
    assert "MET~" in ended.out
    assert "BROKEN" not in ended.out.replace("✕ BROKEN   ? UNKNOWN: not", "")
    assert "silent for" not in ended.out


def test_status_tells_of_days_amended_in_the_last_seven_and_only_once_they_were(run_held: Run) -> None:
    now = run_held("status", "--all").out
    assert "place names to check: none" in now
    assert "SY02 Aleppo 2016-09-12: MET to BROKEN, 2016-09-16 20:00+03:00" in now
    assert "violence MET to BROKEN, incidents 0 to 2" in " ".join(now.split())
    assert "feed-a/i0@1, feed-a/i1@1" in " ".join(now.split())
    before = run_held("status", "--as-of", "2016-09-15T19:00:00+03:00").out
    assert "Final days amended in the last 7 days\n  none" in before
    (told,) = [each for each in json.loads(run_held("status", "--json").out)["amended"] if each["region"] == "SY02"]
    assert (told["truce_day"], told["verdict_before"], told["verdict"]) == ("2016-09-12", "MET", "BROKEN")


def test_status_as_of_speaks_json(run_held: Run) -> None:
    told = json.loads(run_held("status", "--as-of", "2016-09-13T18:00:00Z", "--json").out)
    assert told["as_of"] == "2016-09-13T18:00:00Z"
    assert [(cell["truce_day"], cell["verdict"]) for cell in told["verdicts"] if cell["region"] == "SY02"] == [
        ("2016-09-12", "MET"),
        ("2016-09-13", "UNKNOWN"),
    ]
    assert {window["incidents_168h"] for window in told["windows"]} == {None}


def test_status_of_a_time_before_everything_says_so(run_held: Run) -> None:
    ended = run_held("status", "--as-of", "2015-01-01T00:00:00Z")
    assert ended.code == 0
    assert "No truce-day had been judged by then: the agreement's first is 2016-09-12." in ended.out
    assert "The gate had not been judged by then." in ended.out


@pytest.mark.parametrize(("given", "told"), [("yesterday", "is no time"), ("2016-09-13T18:00", "lacks its offset")])
def test_an_instant_that_could_be_any_is_bad_usage(run_held: Run, given: str, told: str) -> None:
    ended = run_held("status", "--as-of", given)
    assert (ended.code, told in ended.err, "2016-09-16T12:00+03:00" in ended.err) == (2, True, True)


def test_the_gate_then_answers_with_an_exit_code(run_held: Run) -> None:
    assert run_held("status", "--gate", "--as-of", datetime(2016, 9, 13, 18, tzinfo=UTC).isoformat()).code == 1
