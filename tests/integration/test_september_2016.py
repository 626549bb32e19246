"""UCDP GED and the Syrian Archive of August to October 2016 together, and the page that tells of them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.scenarios import Outcome
from tests.support.september_2016 import REDUCTIONS, tables
from tests.support.shared_data import shared_data
from tests.support.shell import ROOT, trucewatch

pytestmark = pytest.mark.broker

PAGE = ROOT / "docs" / "september-2016.md"
GED = "ucdp_ged_syria/ged_syria_2016-08_2016-10.csv"
VIDEOS = "syrian_archive_videos/violations_2016-08_2016-10.csv"
LINKED = """
    SELECT event.report_id, video.report_id
    FROM incident_reports event JOIN incident_reports video USING (incident_id)
    WHERE event.feed = 'ucdp-ged' AND video.feed = 'syrian-archive'"""
SEVEN_DAYS = ("--from", "2016-09-12", "--to", "2016-09-18")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The published file of one replay of both."""
    data = tmp_path_factory.mktemp("september")
    done = trucewatch("replay", shared_data(GED), shared_data(VIDEOS), "--data", data)
    assert done.returncode == 0, done.stderr
    return Outcome(data / "syria-2016" / "compliance.duckdb")


@pytest.fixture(scope="module")
def otherwise(judged: Outcome) -> dict[str, Any]:
    """The same facts under every reduction the page names."""
    changed = f"violence.reduction_percent={','.join(map(str, REDUCTIONS))}"
    done = trucewatch("whatif", judged.file, "--set", changed, *SEVEN_DAYS, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_the_recount_agrees_with_every_row(judged: Outcome) -> None:
    done = trucewatch("verify", judged.file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_row_of_both_files_is_a_report_or_a_reject_with_its_reason(judged: Outcome) -> None:
    assert judged.ask("SELECT feed, accepted, rejected FROM feeds ORDER BY feed") == [
        ("syrian-archive", 959, 8),
        ("ucdp-ged", 1_444, 22),
    ]
    assert judged.ask("SELECT feed, code, count(*) FROM rejects GROUP BY ALL ORDER BY ALL") == [
        ("syrian-archive", "place_empty", 8),
        ("ucdp-ged", "unknown_place", 22),
    ]


@pytest.mark.parametrize("name", ["regions", "days", "reductions"])
def test_the_page_says_what_the_pipeline_finds(name: str, judged: Outcome, otherwise: dict[str, Any]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = re.search(f"<!-- {name}: begin -->\n(.*?)\n<!-- {name}: end -->", page, re.DOTALL)
    assert told is not None
    assert told[1] == tables(judged.file, otherwise)[name]


def test_no_day_is_met_by_data_that_never_says_when_it_watched(judged: Outcome) -> None:
    assert judged.ask("SELECT DISTINCT verdict FROM day_verdicts ORDER BY ALL") == [("BROKEN",), ("UNKNOWN",)]


def test_an_event_dated_by_its_calendar_day_counts_for_the_truce_day_that_holds_most_of_it(judged: Outcome) -> None:
    """The attack at Urum al-Kubra was after 19:12 on the 19th: GED cannot say so, and it is marked."""
    found = "SELECT truce_day::VARCHAR, time_uncertain FROM reports WHERE report_id = '301214'"
    assert judged.ask(found) == [("2016-09-18", True)]


def test_the_compiled_tables_of_convoys_and_tallies_are_replayed_as_they_are(tmp_path: Path) -> None:
    """Three rows are no step of a convoy: two aggregates and a suspension; each is refused by the name of the field."""
    folder = "compiled_seed_case_2016"
    convoys = shared_data(f"{folder}/convoys_syria_2016-08_2016-10_compiled.csv")
    tallies = shared_data(f"{folder}/ceasefire_violation_counts_reported_compiled.csv")
    done = trucewatch("replay", convoys, tallies, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    judged = Outcome(tmp_path / "syria-2016" / "compliance.duckdb")
    assert judged.ask("SELECT feed, accepted, rejected FROM feeds ORDER BY feed") == [
        ("compiled-2016", 15, 3),
        ("russian-centre", 7, 0),
        ("snhr", 1, 0),
    ]
    refused = judged.ask("SELECT report_id, hint FROM rejects ORDER BY report_id")
    assert [name for name, hint in refused if "step: expected one of" in hint] == ["convoy-1", "convoy-2", "convoy-7"]
    assert judged.one("SELECT count(*) FROM incidents") == 0


@pytest.mark.parametrize(("name", "count"), [("good", 10), ("named", 5), ("doubtful", 10)])
def test_the_links_the_page_tells_of_are_made(name: str, count: int, judged: Outcome) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = re.search(f"<!-- {name} links: begin -->\n(.*?)\n<!-- {name} links: end -->", page, re.DOTALL)
    assert told is not None
    pairs = re.findall(r"^\| (\d+) \| (\d+) \|", told[1], re.MULTILINE)
    assert len(pairs) == count
    assert set(pairs) <= set(judged.ask(LINKED))


def test_the_pairs_the_page_shows_as_not_linked_are_not(judged: Outcome) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = re.search("<!-- non-links: begin -->\n(.*?)\n<!-- non-links: end -->", page, re.DOTALL)
    assert told is not None
    pairs = set(re.findall(r"^\| (\d+) \| (\d+) \|", told[1], re.MULTILINE))
    assert len(pairs) == 10
    present = {name for (name,) in judged.ask("SELECT report_id FROM reports WHERE present")}
    assert {name for pair in pairs for name in pair} <= present
    assert pairs.isdisjoint(judged.ask(LINKED))


def test_the_links_shown_as_made_by_the_name_of_a_town_are(judged: Outcome) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = re.search("<!-- named links: begin -->\n(.*?)\n<!-- named links: end -->", page, re.DOTALL)
    assert told is not None
    by_name = set(judged.ask(f"{LINKED} AND video.why = 'same_name'"))
    assert set(re.findall(r"^\| (\d+) \| (\d+) \|", told[1], re.MULTILINE)) <= by_name
    events = {event for event, _ in by_name}
    assert f"{len(events)} events are linked with {len(by_name)} videos" in page


def test_the_page_tells_how_many_reports_are_linked(judged: Outcome) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    linked = judged.one("SELECT count(*) FROM linked_reports WHERE standing = 'active'")
    incidents = judged.one("SELECT count(*) FROM incidents")
    events = {event for event, _ in judged.ask(LINKED)}
    videos = len(judged.ask(LINKED))
    assert f"Of 2,403 accepted reports {linked} are linked, {100 * linked / 2403:.1f} %" in page
    assert f"{len(events)} events with {videos} videos, which leaves {incidents:,} incidents in all" in page
    good = len(judged.ask(f"{LINKED} AND video.certainty = 'good'"))
    assert f"{good} of the {videos} videos are linked by a `good` link" in page


def test_the_pairs_the_page_calls_missed_are_not_linked(judged: Outcome) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    missed = re.findall(r"\((\d+), (\d+)\)", page[page.index("true pairs are missed") :])
    assert len(missed) == 3
    assert not set(missed) & set(judged.ask(LINKED))


def test_the_page_tells_how_many_days_are_broken_and_how_many_hang_on_uncertain_time(judged: Outcome) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    gate = """
        FROM day_verdicts JOIN regions ON pcode = region AND in_gate
        WHERE truce_day BETWEEN DATE '2016-09-12' AND DATE '2016-09-18'"""
    broken = judged.one(f"SELECT count(*) {gate} AND verdict = 'BROKEN'")
    unknown = judged.one(f"SELECT count(*) {gate} AND verdict = 'UNKNOWN'")
    assert f"Of 63 region-days {broken} are BROKEN and {unknown} UNKNOWN" in page
    uncertain = judged.ask(f"SELECT region, truce_day::VARCHAR {gate} AND rule = 'uncertain_time' ORDER BY ALL")
    assert uncertain == [("SY06", "2016-09-12"), ("SY07", "2016-09-12")]


def labelled(judged: Outcome, name: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the labelled pairs of these files, those that are one occurrence and the others."""
    present = {f"{feed}/{name}" for feed, name in judged.ask("SELECT feed, report_id FROM reports WHERE present")}
    with (ROOT / "tests" / "bench" / "linking" / name).open(encoding="utf-8", newline="") as file:
        labels = {(row["event"], row["video"]): row["label"] for row in csv.DictReader(file)}
    pairs = {pair for pair in labels if present.issuperset(pair)}
    true = {pair for pair in pairs if labels[pair] == "yes"}
    return true, pairs - true


def test_the_page_tells_how_the_links_stand_against_the_labelled_pairs(judged: Outcome) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    linked = {(f"ucdp-ged/{event}", f"syrian-archive/{video}") for event, video in judged.ask(LINKED)}
    true, others = labelled(judged, "labelled.csv")
    assert f"both texts {len(true | others)} are of these files" in page
    assert f"{len(true)} of them are true: {len(true & linked)} are linked and {len(true - linked)} are not" in page
    assert f"None of the {len(others)} others is" in page
    assert not others & linked
    true, others = labelled(judged, "held_out.csv")
    assert f"{len(true | others)} are of these files: of {len(true)} true ones {len(true & linked)} are linked" in page
    assert f"and of {len(others)} others {len(others & linked)}, all three in Aleppo city" in page


def test_the_page_tells_how_many_events_have_no_manner(judged: Outcome) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    unspecified = judged.one(
        "SELECT count(*) FROM reports WHERE present AND kind = 'unspecified' AND feed = 'ucdp-ged'"
    )
    assert f"Others, {unspecified}, are `unspecified`" in page
