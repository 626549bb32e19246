"""The daily report of a truce-day."""

from __future__ import annotations

import json
import re
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from sinks.reading import published
from streams.page.report import read_report, report_text, shortened
from tests.support.commands import Run, runner
from tests.support.demo import Demo
from tests.support.hostile import HOSTILE, hostile
from tests.support.served import Page

pytestmark = pytest.mark.broker

DAY = date(2016, 9, 14)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    return runner(monkeypatch, capfd, tmp_path)


def test_a_report_has_gate_regions_changes_incidents_and_how_to_cite_it(run: Run, demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = run("report", "--day", DAY.isoformat(), "--file", demo.file, "--html", "--out", out)
    assert (done.code, done.out) == (0, ""), done.err
    page = Page.of(out.read_text("utf-8"))
    for said in (
        "The gate is closed: 0 of 9 regions have held 7 days.",
        "was UNKNOWN",
        "sohr/2016-09-15-aleppo-mashariqa",
        "anadolu/aleppo-from-cilvegozu",
        "silence is not peace",
        "Cite as: trucewatch",
    ):
        assert said in page.text, said
    assert sum(tag == "svg" for tag, _ in page.tags) == 14
    assert not [tag for tag, attrs in page.tags if tag == "script" or "src" in attrs or attrs.get("href", "")]
    again = run("report", "--day", DAY.isoformat(), "--file", demo.file, "--html", "--out", out)
    assert (again.code, "is there already" in again.err) == (2, True)


def test_markdown_html_and_json_tell_the_same_verdicts(run: Run, demo: Demo) -> None:
    asked = ("report", "--day", DAY.isoformat(), "--file", demo.file)
    told = json.loads(run(*asked, "--json").out)
    md = run(*asked).out
    rows = re.findall(r"^\| (SY\d\d) .*?\| . \*\*(\w+)\*\*", md, re.MULTILINE)
    assert rows == [(each["region"], each["shown"]) for each in told["regions"]]
    assert len(rows) == 14
    assert {each["verdict_before"] for each in told["regions"]} >= {"UNKNOWN"}
    assert md == run(*asked, "--md").out


def test_a_report_of_the_past_is_that_of_a_file_that_ends_there(run: Run, demo: Demo) -> None:
    asked = ("report", "--day", DAY.isoformat(), "--file", demo.file, "--as-of", "2016-09-16T12:00:00Z")
    told = json.loads(run(*asked, "--json").out)
    (aleppo,) = [each for each in told["regions"] if each["region"] == "SY02"]
    assert (aleppo["verdict"], aleppo["state"]) == ("UNKNOWN", "PROVISIONAL")
    assert "incidents" not in {*told} - {"regions"}
    md = run(*asked).out
    assert "as it was held then" in md
    assert "## Incidents" not in md


def test_a_report_is_the_same_to_the_byte_for_the_same_tick(run: Run, demo: Demo) -> None:
    asked = ("report", "--day", DAY.isoformat(), "--file", demo.file)
    for form in ("--html", "--md", "--json"):
        for more in ((), ("--as-of", "2016-09-16T12:00:00Z")):
            said = {run(*asked, form, *more).out for _ in range(2)}
            assert len(said) == 1


def test_pages_need_a_file_and_the_library_that_prints_them(run: Run, demo: Demo, tmp_path: Path) -> None:
    asked = ("report", "--day", DAY.isoformat(), "--file", demo.file, "--pdf")
    done = run(*asked)
    assert (done.code, "name it with --out" in done.err) == (2, True)
    if find_spec("weasyprint") is None:
        done = run(*asked, "--out", tmp_path / "report.pdf")
        assert (done.code, "pip install 'trucewatch[pdf]'" in done.err) == (2, True)
        assert not (tmp_path / "report.pdf").exists()


def test_a_report_cut_short_keeps_what_turned_and_the_deadliest(demo: Demo) -> None:
    with published(demo.file) as connection:
        report = read_report(connection, DAY)
    assert report.cut == []
    short = shortened(report, 2)
    assert [(each.region, each.verdict) for each in short.changes][:1] == [("SY05", "MET")]
    assert short.lists is not None
    assert [each["deaths_best"] for each in short.lists["incidents"]] == [31, 3]
    assert short.cut == ["changes", "incidents", "parties", "silent"]
    page = Page.of(report_text(short, "html"))
    assert page.text.count("left out here") == 4
    assert "sohr/2016-09-15-khan-shaykhun" in page.text
    assert "sohr/2016-09-15-aleppo-mashariqa" not in page.text
    assert shortened(report, 50) == report


def test_shares_of_a_day_are_told_in_percent(run: Run, demo: Demo) -> None:
    md = run("report", "--day", DAY.isoformat(), "--file", demo.file).out
    assert "covered 0 % to 92 %" in md
    assert not re.search(r"\d\.\d{4}", md)


def test_a_day_that_was_not_judged_is_told_with_those_that_were(run: Run, demo: Demo) -> None:
    done = run("report", "--day", "2017-01-01", "--file", demo.file)
    assert done.code == 2
    assert "no truce-day 2017-01-01 has been judged; judged are 2016-09-12 to 2016-09-18" in done.err


def test_hostile_text_is_text_in_a_report(tmp_path: Path) -> None:
    with published(hostile(load_agreement("syria-2016")).judged(tmp_path / "syria-2016")) as connection:
        report = read_report(connection, date(2016, 9, 12))
    page = Page.of(report_text(report, "html"))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert "<script>alert(1)</script>" in page.text
    md = report_text(report, "md")
    assert r"\<script\>alert(1)\</script\>" in md
    assert "<script>" not in md
    assert "\u202e" not in md
    assert HOSTILE not in md
