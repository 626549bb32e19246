"""Status: what the published copy says, in words, symbols and JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.agreement_file import load_agreement
from schemas.errors import StoreUnavailable
from schemas.truceday import MICROS_PER_HOUR, Micros, from_micros
from sinks.records import Cell
from streams.ops.attention import attention
from streams.ops.grid import LEGEND, cell_text, grids, reason_text, word, worst_day
from streams.ops.outlook import outlook_sentence
from streams.ops.screen import show_screen
from streams.ops.status import Status, ago, freshness, headline, read_status
from streams.ops.status_text import show_declared, show_gate, show_silent, status_json
from streams.ops.wording import counted
from tests.support.commands import Run
from tests.support.judged import History, report

AGREEMENT = load_agreement("syria-2016")
START = AGREEMENT.effective
HOUR = MICROS_PER_HOUR
DAY = 24 * HOUR


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hama breaks the first day, is watched and quiet on the second; bulletin, declaration and reject beside."""
    watched = {"places": [{"pcode": "SY05"}], "nil": True}
    history = History(AGREEMENT).tell(
        *(
            report(
                "incident",
                f"i{number}",
                reported_at=START + 5 * HOUR,
                region="SY05",
                occurred=(START + number * HOUR, START + number * HOUR),
                kind="shelling",
            )
            for number in range(3)
        ),
        report(
            "bulletin",
            "b",
            feed="monitor",
            reported_at=START + DAY,
            occurred=(START, START + DAY),
            tallies=[{"count": 14}],
            at_least=True,
        ),
        report(
            "declaration",
            "d",
            feed="ministry",
            reported_at=START + DAY,
            act="start",
            declared_by="a party",
            effective_at="2016-09-12T19:00:00+03:00",
        ),
        b"garbage",
    )
    history.tick(START + DAY)
    history.tell(
        report("coverage", "c", reported_at=START + 2 * DAY, occurred=(START + DAY, START + 2 * DAY), **watched)
    )
    history.tick(START + 2 * DAY + HOUR)
    folder = tmp_path_factory.mktemp("data") / "syria-2016"
    return history.judged(folder)


def a_cell(**fields: object) -> Cell:
    cell = Cell(
        region="SY02",
        region_name="Aleppo",
        truce_day=date(2016, 9, 12),
        verdict="BROKEN",
        state="FINAL",
        violence="BROKEN",
        access="MET",
        incidents=12,
        incidents_out_of_scope=0,
        counted=12,
        counted_possible=0,
        violence_limit=3.2,
        covered_share=1.0,
        deaths_low=0,
        deaths_best=0,
        deaths_high=0,
        version=1,
        rule="count_above_limit",
        contested_by=None,
        incidents_sure=12,
        incidents_possible=0,
        refused_pending=0,
        incidents_without_toll=0,
        reasons=[],
    )
    cell = replace(cell, **fields)  # type: ignore[arg-type]
    legs = {"violence": cell.violence, "access": cell.access}
    reasons = [{"leg": leg, "finding": finding, "rule": cell.rule} for leg, finding in legs.items()]
    return cell if cell.reasons else replace(cell, reasons=reasons)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "✕ BROKEN 12/3.2"),
        ({"violence_limit": 3.96}, "✕ BROKEN 12/3.96"),
        ({"verdict": "MET", "violence": "MET", "counted": 3, "violence_limit": 5.0}, "✓ MET 3/5"),
        ({"access": "BROKEN"}, "✕ BROKEN 12/3.2 both"),
        ({"access": "BROKEN", "violence": "MET", "counted": 0}, "✕ BROKEN 0/3.2 aid"),
        ({"verdict": "UNKNOWN", "violence": "UNKNOWN", "access": "NOT_OWED", "counted": 0}, "? UNKNOWN 0/3.2"),
        ({"verdict": "UNKNOWN", "violence": "UNKNOWN", "state": "OPEN", "counted": 1}, "◐ OPEN 1/3.2"),
        ({"verdict": "UNKNOWN", "violence": "UNKNOWN", "counted": None}, "? UNKNOWN –/3.2"),
        ({"state": "OPEN"}, "✕ BROKEN 12/3.2"),
        ({"state": "PROVISIONAL"}, "✕ BROKEN~ 12/3.2"),
        ({"state": "AMENDED"}, "✕ BROKEN* 12/3.2"),
        ({"counted_possible": 5}, "✕ BROKEN 12+5/3.2"),
    ],
)
def test_a_cell_says_finding_figures_leg_and_what_may_change(fields: dict[str, object], text: str) -> None:
    assert cell_text(a_cell(**fields)) == text


def test_every_symbol_is_in_the_legend() -> None:
    for verdict in ("MET", "BROKEN", "UNKNOWN"):
        assert " ".join(cell_text(a_cell(verdict=verdict)).split()[:2]) in LEGEND
    assert word(a_cell(verdict="MET", state="OPEN")) == "OPEN"


def test_a_contested_day_is_marked_in_the_grid() -> None:
    contested = a_cell(verdict="UNKNOWN", violence="UNKNOWN", incidents=0, counted=0, contested_by="monitor")
    assert cell_text(contested) == "? UNKNOWN! 0/3.2"
    assert cell_text(replace(contested, state="PROVISIONAL")) == "? UNKNOWN!~ 0/3.2"
    assert "! contested" in LEGEND


def test_a_day_of_uncertain_time_is_marked_in_the_grid() -> None:
    uncertain = {"violence": "UNKNOWN", "counted": 2, "counted_possible": 5}
    doubtful = a_cell(verdict="UNKNOWN", rule="uncertain_time", **uncertain)
    assert cell_text(doubtful) == "? UNKNOWN± 2+5/3.2"
    assert cell_text(replace(doubtful, contested_by="monitor", state="FINAL")) == "? UNKNOWN!± 2+5/3.2"
    # The mark is the violence leg's, whichever leg decided the verdict.
    late = {"leg": "access", "finding": "BROKEN", "rule": "overdue"}
    overdue = a_cell(access="BROKEN", rule="overdue", reasons=[doubtful.reasons[0], late], **uncertain)
    assert cell_text(overdue) == "✕ BROKEN± 2+5/3.2 aid"
    assert "± uncertain time" in LEGEND


def test_the_worst_day_is_the_first_broken_one_and_says_why() -> None:
    quiet = a_cell(verdict="UNKNOWN", reasons=[{"finding": "UNKNOWN", "text": "nobody watched"}])
    broken = a_cell(truce_day=date(2016, 9, 13), reasons=[{"finding": "BROKEN", "text": "too much"}])
    assert worst_day([quiet, broken], "SY02") == broken
    assert worst_day([quiet], "SY02") == quiet
    assert worst_day([a_cell(verdict="MET")], "SY02") is None
    assert reason_text(broken) == "too much"


def test_a_standing_has_the_days_asked_for(copy: Path) -> None:
    days = [date(2016, 9, 12), date(2016, 9, 13), date(2016, 9, 14)]
    assert read_status(copy).days == days
    assert read_status(copy, days=2).days == days[1:]
    assert read_status(copy, first=days[1], last=days[1]).days == days[1:2]
    assert read_status(copy, first=date(2017, 1, 1)).days == []


def test_outcomes_count_every_record_once(copy: Path) -> None:
    status = read_status(copy)
    assert status.outcomes == {
        "accepted": 6,
        "corrected": 0,
        "retracted": 0,
        "duplicate": 0,
        "superseded": 0,
        "rejected": 1,
        "outside": 0,
    }
    assert [(each.code, each.records) for each in status.rejects] == [("not_json", 1)]


def test_a_monitors_tally_stands_beside_what_was_counted(copy: Path) -> None:
    (line,) = read_status(copy).bulletins
    assert (line.feed, line.total, line.at_least, line.counted) == ("monitor", 14, True, 3)


@pytest.mark.parametrize(
    ("regions", "counted"), [(["SY05"], 2), (["SY02"], 1), (["SY02", "SY05"], 3), (["SY03"], 0), ([None, "SY02"], 4)]
)
def test_a_tally_stands_beside_the_incidents_of_its_own_regions(
    tmp_path: Path, regions: list[str | None], counted: int
) -> None:
    places = ["SY05", "SY05", "SY02", "SY04"]
    span = (START, START + DAY)
    lines = [{"count": 5} | ({"place": {"pcode": region}} if region else {}) for region in regions]
    history = History(AGREEMENT).tell(
        *(
            report(
                "incident", f"i{n}", reported_at=START + HOUR, region=place, occurred=(START, START), kind="shelling"
            )
            for n, place in enumerate(places)
        ),
        report("bulletin", "b", feed="monitor", reported_at=START + DAY, occurred=span, tallies=lines),
    )
    (line,) = read_status(history.judged(tmp_path / "syria-2016")).bulletins
    assert (line.total, line.counted) == (5 * len(regions), counted)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days judged; bulletins of the day before the truce, of the first, second and third, and of two at once."""
    periods = {"before": (-1, 0), "first": (0, 1), "second": (1, 2), "third": (2, 3), "two days": (1, 3)}
    history = History(AGREEMENT).tell(
        *(
            report(
                "bulletin",
                f"b{n}",
                feed=name.replace(" ", "-"),
                reported_at=START + 3 * DAY,
                occurred=(START + low * DAY, START + high * DAY),
                tallies=[{"count": 1}],
            )
            for n, (name, (low, high)) in enumerate(periods.items())
        )
    )
    return history.tick(START + 3 * DAY + HOUR).judged(tmp_path_factory.mktemp("data") / "syria-2016")


@pytest.mark.parametrize(
    ("asked", "feeds"),
    [
        ({}, ["before", "first", "second", "two-days", "third"]),
        ({"days": 2}, ["two-days", "third"]),
        ({"days": 4}, ["first", "second", "two-days", "third"]),
        ({"last": date(2016, 9, 12)}, ["before", "first"]),
        ({"first": date(2016, 9, 13), "last": date(2016, 9, 13)}, ["second", "two-days"]),
        ({"first": date(2016, 9, 15)}, []),
        ({"first": date(2016, 9, 11), "last": date(2016, 9, 11)}, ["before"]),
        ({"first": date(2017, 1, 1), "days": 3}, []),
    ],
)
def test_tallies_of_the_asked_days_alone_are_shown(told: Path, asked: dict[str, Any], feeds: list[str]) -> None:
    assert [line.feed for line in read_status(told, **asked).bulletins] == feeds


def test_a_wide_grid_is_one_table_and_a_narrow_one_several(copy: Path) -> None:
    status = read_status(copy)
    assert len(list(grids(status, 120))) == 1
    tables = list(grids(status, 65))
    assert [len(table.columns) for table in tables] == [3, 3]
    assert tables[-1].columns[-1].header == "streak"


def test_the_gate_is_told_with_a_reason_for_every_region(copy: Path) -> None:
    text = io.StringIO()
    show_gate(Console(file=text, width=200), read_status(copy))
    assert "SY05 Hama: 1 of 7 days; ended by BROKEN on 2016-09-12" in text.getvalue()
    assert "first day shown that is BROKEN: 2016-09-12, 3 incidents in scope, limit 1" in text.getvalue()
    assert "The gate is closed: 0 of 9 regions have held 7 days." in text.getvalue()


def test_json_holds_what_the_text_shows(copy: Path) -> None:
    told = json.loads(json.dumps(status_json(read_status(copy))))
    assert told["truce_days"] == ["2016-09-12", "2016-09-13", "2016-09-14"]
    cells = {(cell["region"], cell["truce_day"]): cell["text"] for cell in told["verdicts"]}
    assert cells["SY05", "2016-09-12"] == "✕ BROKEN~ 3/1"
    assert cells["SY05", "2016-09-13"] == "✓ MET~ 0/1"
    assert cells["SY05", "2016-09-14"] == "◐ OPEN 0/1"
    assert told["gate"]["is_open"] is False
    assert told["declared"][0]["declared_by"] == "a party"


def test_each_party_has_its_declared_clock_on_a_line(copy: Path, tmp_path: Path) -> None:
    told = json.loads(json.dumps(status_json(read_status(copy))))
    assert [(clock["declared_by"], clock["in_force"]) for clock in told["declared_clocks"]] == [("a party", True)]

    def declares(act: str, by: str, at: Micros, **fields: str) -> dict[str, object]:
        name, when = f"{act} by {by}", from_micros(at).isoformat()
        return report("declaration", name, reported_at=START, act=act, declared_by=by, effective_at=when, **fields)

    history = History(AGREEMENT).tell(
        declares("start", "north", START, until=from_micros(START + HOUR).isoformat()),
        declares("end", "north", START - HOUR),
        declares("start", "south", START + 9 * DAY),
        declares("extension", "east", START),
        declares("end", "west", START),
    )
    text = io.StringIO()
    status = read_status(history.tick(START + 2 * DAY).judged(tmp_path / "syria-2016"))
    show_declared(Console(file=text, width=200), status)
    told = [line.strip() for line in text.getvalue().splitlines()]
    assert told[2:6] == [
        (
            "east: in force: 2016-09-12 19:00+03:00 to open end, 2 d 0 h; "
            "computed: 0 of 2 truce-days MET in every gate region"
        ),
        (
            "north: over: 2016-09-12 19:00+03:00 to 2016-09-12 20:00+03:00, ran out, 0 d 1 h; "
            "computed: 0 of 0 truce-days MET in every gate region"
        ),
        "south: announced: 2016-09-21 19:00+03:00 to open end",
        "west: declared no truce of its own",
    ]
    assert told[6] == "2016-09-12 18:00+03:00  end by north (ends before it starts: changes nothing)"


def test_a_copy_that_is_not_there_has_a_headline_nevertheless(copy: Path, tmp_path: Path) -> None:
    assert headline(tmp_path / "none.duckdb") == "nothing published yet"
    (tmp_path / "damaged.duckdb").write_bytes(b"x" * 10_000)
    assert "damaged.duckdb" in headline(tmp_path / "damaged.duckdb")
    assert headline(copy).startswith("The gate is closed: 0 of 9 regions have held 7 days. 7 records, published")


def test_a_missing_copy_is_an_unavailable_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nothing has been published"):
        read_status(tmp_path / "none.duckdb")


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (3, "3 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 d")]
)
def test_spans_are_told_in_the_largest_unit_there_are_two_of(seconds: int, text: str) -> None:
    assert ago(timedelta(seconds=seconds)) == text


def test_freshness_is_told() -> None:
    at = datetime(2016, 9, 12, tzinfo=UTC)
    assert freshness(at, at + timedelta(seconds=3)) == "published 3 s ago"
    assert freshness(None) == "not published"


def test_status_fits_one_screen_of_80_and_of_60_columns(run: Run, copy: Path) -> None:
    status = read_status(copy)
    for width in (80, 60, 40):
        console = Console(file=io.StringIO(), width=width, highlight=False)
        show_screen(console, status)
        assert isinstance(console.file, io.StringIO)
        lines = console.file.getvalue().splitlines()
        grid = [line for line in lines if line.startswith("SY")]
        assert len(grid) == len(status.windows)
        assert max(map(len, grid)) <= width, (width, grid)
        if width >= 60:
            assert len(lines) <= 40, lines
            (hama,) = [line for line in grid if line.startswith("SY05 Hama")]
            assert hama.split()[-6:] == ["✕~", "✓~", "◐", "1", "of", "7"]
    ended = run("status", "--data", copy.parent.parent)
    said = ended.out.splitlines()
    assert said[1] == "The gate is closed: 0 of 9 regions have held 7 days."
    assert "It can open at 2016-09-" in said[2] or "can open no more" in said[2]
    assert "What needs attention" in said
    assert "≥ 14" not in ended.out


def test_status_in_brief_is_one_line(run: Run, copy: Path) -> None:
    ended = run("status", "--brief", "--data", copy.parent.parent)
    assert ended.out.count("\n") == 1
    assert ended.out.startswith("The gate is closed: 0 of 9 regions have held 7 days. 7 records, published ")


@pytest.mark.parametrize("how", [(), ("--brief",), ("--gate",), ("--all",)])
def test_a_copy_older_than_asked_for_ends_with_3_and_says_so(run: Run, copy: Path, how: tuple[str, ...]) -> None:
    ended = run("status", *how, "--max-age", "60", "--data", copy.parent.parent)
    assert (ended.code, "STALE" in ended.err, "The gate is closed" in ended.out) == (3, True, True)
    fresh = run("status", *how, "--max-age", "2000000000", "--data", copy.parent.parent)
    assert (fresh.code, fresh.err) == (int("--gate" in how), "")


def test_a_stale_copy_gives_programs_an_error_alone(run: Run, copy: Path) -> None:
    ended = run("status", "--max-age", "60", "--json", "--data", copy.parent.parent)
    assert (ended.code, ended.out) == (3, "")
    assert "STALE" in json.loads(ended.err)["error"]["message"]


def an_outlook(status: Status, *, lost: bool = False, **streaks: int) -> str | None:
    """Return the outlook with other streaks, all of five days unless given, and Hama's running day lost or not."""
    windows = [replace(each, streak_days=streaks.get(each.region, 5)) for each in status.windows]
    newest = [
        replace(cell, verdict="BROKEN" if lost and cell.region == "SY05" else "UNKNOWN") for cell in status.newest
    ]
    return outlook_sentence(replace(status, windows=windows, newest=newest))


def test_the_earliest_opening_is_the_end_of_the_last_day_that_must_be_met(copy: Path) -> None:
    """14 September runs, so that streaks end with the 13th."""
    status = read_status(copy)
    assert (
        an_outlook(status)
        == "It can open at 2016-09-16 19:00+03:00 at the earliest, if every day up to 2016-09-15 is MET."
    )
    assert "2016-09-18 is MET" in str(an_outlook(status, SY05=2))
    gone = "It can open no more by days to come: the truce ends first."
    assert an_outlook(status, SY05=1) == gone
    assert an_outlook(status, lost=True) == gone
    over = replace(status, now=from_micros(START + 7 * DAY))
    assert outlook_sentence(over) == "The truce is over: only a late report can open it now."
    assert status.gate is not None
    assert outlook_sentence(replace(status, gate=replace(status.gate, is_open=True))) is None
    assert outlook_sentence(replace(status, gate=None)) is None


def test_outlook_and_attention_are_of_the_running_day_whatever_days_are_shown(tmp_path: Path) -> None:
    """Hama breaks the first day while it runs, so that the last of the truce is too early for the gate."""
    struck = [
        report(
            "incident",
            f"i{number}",
            reported_at=START + 4 * HOUR,
            region="SY05",
            occurred=(START + number * HOUR,) * 2,
            kind="shelling",
        )
        for number in range(3)
    ]
    file = History(AGREEMENT).tell(*struck).tick(START + 5 * HOUR).judged(tmp_path / "syria-2016")
    before, now = date(2016, 9, 11), from_micros(START + 5 * HOUR)
    every = read_status(file)
    assert outlook_sentence(every) == "It can open no more by days to come: the truce ends first."
    assert "SY05 Hama is BROKEN on the running day" in [each.text for each in attention(every)]
    chosen: list[dict[str, Any]] = [{"last": before}, {"last": before, "as_of": now}]
    for each in chosen:
        status = read_status(file, **each)
        assert outlook_sentence(status) == outlook_sentence(every)
        assert attention(status)[0] == attention(every)[0]


def test_status_shows_grid_gate_feeds_and_rejects(run: Run, copy: Path) -> None:
    ended = run("status", "--all", "--data", copy.parent.parent)
    assert ended.code == 0
    for part in (
        "✕ BROKEN~",
        "The gate is closed",
        "not_json",
        "monitor",
        "≥ 14",
        "a party",
        "6 accepted",
        "silent for",
    ):
        assert part in ended.out


def test_the_gate_answers_with_an_exit_code(run: Run, copy: Path) -> None:
    ended = run("status", "--gate", "--data", copy.parent.parent)
    assert ended.code == 1
    assert ended.out.startswith("The gate is closed")


def test_days_are_asked_for_in_one_way(run: Run, copy: Path) -> None:
    both = run("status", "--days", "3", "--from", "2016-09-12", "--data", copy.parent.parent)
    assert (both.code, "not both" in both.err) == (2, True)
    told = run("status", "--from", "2016-09-13", "--to", "2016-09-13", "--json", "--data", copy.parent.parent)
    assert json.loads(told.out)["truce_days"] == ["2016-09-13"]


def test_days_in_the_wrong_order_are_bad_usage(run: Run, copy: Path) -> None:
    ended = run("status", "--from", "2016-09-20", "--to", "2016-09-10", "--data", copy.parent.parent)
    assert (ended.code, ended.err) == (2, "trucewatch: --from 2016-09-20 is after --to 2016-09-10\n")


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        (("--from", "2017-01-01", "--to", "2017-01-03"), "between 2017-01-01 and 2017-01-03"),
        (("--from", "2017-01-01"), "from 2017-01-01 on"),
        (("--to", "2016-01-01"), "up to 2016-01-01"),
    ],
)
def test_days_never_judged_are_told_with_those_that_were(
    run: Run, copy: Path, asked: tuple[str, ...], span: str
) -> None:
    ended = run("status", *asked, "--data", copy.parent.parent)
    assert f"No judged truce-day {span}; judged are 2016-09-12 to 2016-09-14." in ended.out
    assert "has been judged yet" not in ended.out


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.duckdb", None, "there is no such file"),
        ("empty.duckdb", b"", "not a file trucewatch wrote"),
        ("notes.txt", b"not a database" * 1_000, "not a file trucewatch wrote"),
    ],
)
def test_verify_of_no_file_of_ours_is_bad_usage(
    run: Run, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = run("verify", name)
    assert (ended.code, ended.err) == (2, f"trucewatch: {name}: {told}\n")


def test_verify_before_anything_was_published_says_what_status_says(run: Run) -> None:
    assert run("verify").err == run("status").err


@pytest.mark.parametrize(("number", "text"), [(0, "0 reports"), (1, "1 report"), (1_200, "1,200 reports")])
def test_one_is_told_in_the_singular(number: int, text: str) -> None:
    assert counted(number, "report") == text


def test_verify_finds_no_difference_in_what_the_ledger_wrote(run: Run, copy: Path) -> None:
    ended = run("verify", copy)
    assert (ended.code, "no difference" in ended.out) == (0, True)
    assert json.loads(run("verify", copy, "--json").out)["differences"] == []


def test_the_status_names_the_feeds_that_fell_silent_and_their_regions(copy: Path) -> None:
    status = read_status(copy)
    page = io.StringIO()
    show_silent(Console(file=page, width=200), status)
    said = page.getvalue().splitlines()[1:]
    assert said[0] == "Silent about regions they had told of (the view feed_silence)"
    assert len(said) == 1 + len(status.silent) > 1
    assert all(line.startswith(f"  {each.feed}: SY") for line, each in zip(said[1:], status.silent, strict=True))
    assert [each["feed"] for each in status_json(status)["silent"]] == [each.feed for each in status.silent]
