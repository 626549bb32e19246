"""A newer release of a living data set: changed rows are corrections, equal ones duplicates, gone ones withdrawn."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from schemas.errors import UsageError
from schemas.gazetteer import load_gazetteer
from schemas.topics import MAX_REPORT_BYTES
from streams.cli.options import release_of
from streams.feeds.dry_run import faults
from streams.feeds.readers import Release, read, read_all
from streams.feeds.recorded import Named
from streams.feeds.release import _Known, read_release
from streams.intake.examine import Examiner
from tests.support.judged import History, report
from tests.support.scenarios import outcome
from tests.support.worlds import agreement
from tests.unit.test_feeds_ged import a_row

UTC = ZoneInfo("UTC")
ROWS = [a_row(id=str(number)) for number in (1, 2, 3)]
TRUCE = agreement(regions=["SY02", "SY07"], gate_regions=["SY02"])


def a_file(path: Path, *rows: dict[str, str], **more: str) -> Path:
    """Write rows as a table, with more columns if any are given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0], *more])
    writer.writeheader()
    writer.writerows({**row, **more} for row in rows)
    path.write_text(text.getvalue())
    return path


def told(paths: list[Path], release: Release) -> list[Named]:
    return list(read_release(paths, None, UTC, release))


def said(named: Named) -> tuple[str, int, str, int]:
    """Return id, revision, status and best toll of a report."""
    report: dict[str, Any] = json.loads(named.report.value)
    assert (named.report.feed, named.report.report_id) == (report["feed"], report["report_id"])
    return report["report_id"], report["revision"], report.get("status", "active"), report["deaths"]["best"]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return a_file(tmp_path / "first.csv", *ROWS)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The second release: row 1 corrected, row 2 as it was, row 3 gone, row 4 new, and one column more."""
    return a_file(tmp_path / "second.csv", ROWS[0] | {"best": "9"}, ROWS[1], a_row(id="4"), another_column="x")


@pytest.mark.parametrize("together", [True, False], ids=["in one command", "against the file of the first"])
def test_a_corrected_row_is_a_higher_revision_and_an_equal_one_what_it_was(
    first: Path, second: Path, together: bool
) -> None:
    release = Release(2) if together else Release(2, [first])
    reports = told([first, second] if together else [second], release)
    before = [each.report.value for each in told([first], Release(1))]
    assert before == [each.value for each in read(first, None, UTC)]
    newer = reports[3:] if together else reports
    assert [said(each) for each in newer] == [("1", 2, "active", 9), ("2", 1, "active", 6), ("4", 2, "active", 6)]
    assert newer[1].report.value == before[1]
    assert json.loads(newer[0].report.value)["raw"]["another_column"] == "x"


def test_a_row_that_is_gone_is_withdrawn_when_asked(first: Path, second: Path) -> None:
    *_, last = told([second], Release(2, [first], withdraw=True))
    assert said(last) == ("3", 2, "retracted", 6)
    assert [said(each)[0] for each in told([second], Release(2, [first]))] == ["1", "2", "4"]


def test_only_rows_of_the_files_own_feed_and_period_are_withdrawn(tmp_path: Path, second: Path) -> None:
    before = a_file(
        tmp_path / "years.csv",
        *ROWS,
        a_row(id="5", date_start="2015-01-01", date_end="2015-01-02", source_date="2015-01-03"),
        a_row(id="6", date_start="2016-09-13", date_end="2016-09-20"),
    )
    reports = told([second], Release(2, [before], withdraw=True))
    assert [said(each) for each in reports if said(each)[2] == "retracted"] == [("3", 2, "retracted", 6)]


def test_a_row_that_comes_back_is_told_again(tmp_path: Path, first: Path, second: Path) -> None:
    third = a_file(tmp_path / "third.csv", *ROWS)
    reports = told([first, second, third], Release(3, withdraw=True))
    assert [said(each) for each in reports[-4:]] == [
        ("1", 3, "active", 6),
        ("2", 1, "active", 6),
        ("3", 3, "active", 6),
        ("4", 3, "retracted", 6),
    ]


def test_a_revision_is_never_told_twice_otherwise(first: Path, second: Path) -> None:
    """The number given may be one that was used before."""
    examiner = Examiner([TRUCE], load_gazetteer("syria"), "archive")
    for number in (1, 2, 7):
        reports = told([first, second, first, second], Release(number, withdraw=True))
        assert [fault for fault in faults(reports, examiner) if fault] == []


def test_two_rows_of_one_name_in_one_file_still_contradict_each_other(tmp_path: Path, first: Path) -> None:
    twice = a_file(tmp_path / "twice.csv", ROWS[0] | {"best": "9"}, ROWS[0] | {"best": "8"})
    examiner = Examiner([TRUCE], load_gazetteer("syria"), "archive")
    found = [fault.code for fault in faults(told([first, twice], Release(2)), examiner) if fault]
    assert found == ["conflicting_body"]


def test_a_published_copy_tells_what_stood_before(tmp_path: Path, first: Path, second: Path) -> None:
    history = History(TRUCE).tell(*(each.value for each in read(first, None, UTC)))
    copy = outcome(history.tick(TRUCE.effective + 10**12), tmp_path / "store").file
    reports = told([second], Release(2, [copy], withdraw=True))
    assert [said(each) for each in reports] == [
        *[("1", 2, "active", 9), ("2", 1, "active", 6), ("4", 2, "active", 6)],
        ("3", 2, "retracted", 6),
    ]
    history.tell(*(each.report.value for each in reports)).tick(TRUCE.effective + 2 * 10**12)
    judged = outcome(history, tmp_path / "again")
    assert judged.ask("SELECT accepted, corrected, retracted, duplicate, rejected FROM feeds") == [(4, 1, 1, 1, 0)]
    standing = "SELECT report_id, deaths_best FROM reports WHERE present AND NOT retracted ORDER BY ALL"
    assert judged.ask(standing) == [("1", 9), ("2", 6), ("4", 6)]


@pytest.mark.parametrize(
    ("version", "revision"),
    [("23.1", 230_100), ("5", 50_000), ("23.0.10", 230_010), (" 17.1 ", 170_100), ("", 1), ("beta", 1), ("0", 1)],
)
def test_a_version_column_numbers_the_rows(tmp_path: Path, version: str, revision: int) -> None:
    (report,) = read(a_file(tmp_path / "v.csv", ROWS[0], version=version), None, UTC)
    assert json.loads(report.value)["revision"] == revision


def test_json_lines_state_their_own_revisions(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="state their own revisions"):
        told([tmp_path / "a.jsonl"], Release(2))


def test_a_dry_run_of_two_releases_names_the_option(first: Path, second: Path) -> None:
    examiner = Examiner([TRUCE], load_gazetteer("syria"), "archive")
    found = [fault for fault in faults(read_all([first, second], None, UTC), examiner) if fault]
    assert [fault.report_id for fault in found] == ["1", "2"]
    assert all("--release does it for a newer table of a data set" in fault.hint for fault in found)
    twice = [fault for fault in faults(read_all([first, first], None, UTC), examiner) if fault]
    assert twice == []


def test_options_that_are_not_given_make_no_release(tmp_path: Path, first: Path) -> None:
    assert release_of(None, None, False, [first], None) is None
    assert release_of(None, None, False, [first, first], None) is None
    assert release_of(2, None, False, [first], None) == Release(2)
    assert release_of(None, [tmp_path], True, [first], None) == Release(None, (tmp_path,), True)


def test_tables_that_name_their_releases_are_releases_without_an_option(tmp_path: Path, first: Path) -> None:
    older = a_file(tmp_path / "older.csv", *ROWS, version="23.1")
    newer = a_file(tmp_path / "newer.csv", ROWS[0] | {"best": "9"}, *ROWS[1:], version="24.1")
    release = release_of(None, None, False, [older, newer], None)
    assert release == Release()
    assert [said(each)[:2] for each in told([older, newer], release)[3:]] == [
        ("1", 240_100),
        ("2", 230_100),
        ("3", 230_100),
    ]
    assert release_of(None, None, False, [newer], None) is None
    assert release_of(None, None, False, [first, newer], None) is None
    (tmp_path / "a.jsonl").write_text("{}\n")
    assert release_of(None, None, False, [newer, tmp_path / "a.jsonl"], None) is None


def test_a_row_too_long_to_travel_is_passed_on_and_not_withdrawn(tmp_path: Path, first: Path) -> None:
    newer = a_file(tmp_path / "newer.csv", ROWS[0], ROWS[1] | {"source_headline": "x" * 2 * MAX_REPORT_BYTES}, ROWS[2])
    reports = told([newer], Release(2, [first], withdraw=True))
    assert [len(each.report.value) > MAX_REPORT_BYTES for each in reports] == [False, True, False]
    again = told([first], Release(3, [newer], withdraw=True))
    assert [said(each)[:2] for each in again] == [("1", 1), ("2", 3), ("3", 1)]


def test_a_copy_may_hold_reports_of_every_type_and_numbers_of_earlier_versions(tmp_path: Path, second: Path) -> None:
    spoken: dict[str, Any] = {"act": "start", "declared_by": "Government", "effective_at": "2016-09-12T19:00:00+03:00"}
    history = History(TRUCE).tell(report("declaration", "d1", feed="ucdp-ged", reported_at=TRUCE.effective, **spoken))
    copy = outcome(history.tick(TRUCE.effective + 10**12), tmp_path / "store").file
    with closing(duckdb.connect(str(copy))) as connection:
        connection.execute("UPDATE reports SET raw = replace(raw, '}', ',\"raw\":1e400}')")
    reports = told([second], Release(2, [copy], withdraw=True))
    assert [said(each)[:2] for each in reports] == [("1", 2), ("2", 2), ("4", 2)]


def test_a_withdrawn_report_keeps_every_digit_of_its_own_row(tmp_path: Path, second: Path) -> None:
    (gone,) = told([a_file(tmp_path / "gone.csv", a_row(id="9"))], Release(1))
    raw = b'"raw":{"row":12345678901234567890123,"share":0.10000000000000000555}'
    known = _Known(io.BytesIO())
    known.take(iter([gone.report._replace(value=re.sub(rb'"raw":\{[^}]*\}', raw, gone.report.value))]))
    *_, withdrawn = known.told_by(read(second, None, UTC), 2, withdraw=True)
    assert (withdrawn.report_id, json.loads(withdrawn.value)["status"]) == ("9", "retracted")
    assert raw in withdrawn.value
