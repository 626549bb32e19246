"""Inputs that others brought, each with the outcome it should have, by the commands a user types.

The inputs stand beside the shared data. Inputs of our own of the same kinds are tried where the part
is that reads them.
"""

from __future__ import annotations

import json
from contextlib import closing
from importlib import resources
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest

from sinks import open_published
from tests.support.demo import Demo
from tests.support.shared_data import shared_case
from tests.support.shell import ROOT, trucewatch

pytestmark = pytest.mark.broker


def judged(folder: Path, *arguments: str | Path, agreement: str = "syria-2016", **environment: str) -> Path:
    """Replay files into a folder; return the published copy, which verify finds right."""
    done = trucewatch("replay", *arguments, "--data", folder, **environment)
    assert done.returncode in (0, 1), done.stderr
    copy = folder / agreement / "compliance.duckdb"
    assert trucewatch("verify", copy).returncode == 0
    return copy


def ask(copy: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(open_published(copy)) as connection:
        return connection.execute(sql).fetchall()


def dry_run(*arguments: str | Path) -> CompletedProcess[str]:
    return trucewatch("publish", *arguments, "--dry-run")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("g_dup", 2, "names columns twice, and a row could mean either: best"),
        ("g_semi", 2, "its columns are separated by semicolons"),
        ("g_1252", 2, "is not UTF-8 (the byte 92, which Windows-1252 reads as"),
        ("g_nan", 1, 'place.point.latitude: expected a number, found "nan"'),
    ],
)
def test_a_table_is_named_as_what_it_is(name: str, code: int, said: str) -> None:
    done = dry_run(shared_case(f"csv/{name}.csv"))
    assert (done.returncode, said in done.stderr + done.stdout) == (code, True), done


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("digit-strings-as-times/z_compact", "time_without_offset", 'found "201609140900"'),
        ("duplicate-json-keys/reports", "not_json", 'the name "kind" stands twice'),
        ("raw-1e400/reports", "not_json", 'the number "1e400" is beyond what a double holds'),
    ],
)
def test_what_readers_would_read_differently_is_rejected(name: str, code: str, said: str) -> None:
    done = trucewatch("publish", shared_case(f"{name}.jsonl"), "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert told["checked"] == told["would_reject"] > 0
    assert {fault["code"] for fault in told["faults"]} == {code}
    assert said in told["faults"][0]["hint"]


@pytest.mark.parametrize("newer", ["relB", "relC"])
def test_a_newer_release_corrects_and_withdraws(newer: str, tmp_path: Path) -> None:
    older, newer_file = (shared_case(f"ged-new-release/{name}.csv") for name in ("relA", newer))
    copy = judged(
        tmp_path, older, newer_file, "--format", "ged", "--release", "2", "--withdraw-missing", "--order", "listed"
    )
    rows = ask(copy, "SELECT report_id, revision, deaths_best, retracted FROM reports WHERE present ORDER BY ALL")
    found = {report_id: rest for report_id, *rest in rows}
    assert found["230048"] == [2, 9, False]
    assert found["230050"][2] is True
    assert {rest[0] for report_id, rest in found.items() if report_id not in {"230048", "230050"}} == {1}
    assert ask(copy, "SELECT sum(rejected) FROM feeds") == [(0,)]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("null", 0, "skipped, having no area: feature 15 (SY02)"),
        ("swapped", 2, "latitudes stand before longitudes"),
    ],
)
def test_boundaries_are_skipped_in_part_or_refused(name: str, code: int, said: str) -> None:
    done = trucewatch("check-config", "--boundaries", shared_case(f"geojson/{name}.geojson"))
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done


def test_a_lower_case_z_is_read_as_a_capital_one(tmp_path: Path) -> None:
    lower = shared_case("replay-time-read-twice/z_lower.jsonl")
    upper = tmp_path / "upper.jsonl"
    upper.write_text(lower.read_text("utf-8").replace('z"', 'Z"'), "utf-8")
    wanted = "SELECT (SELECT now FROM ledger_state), count(*), max(truce_day) FROM day_verdicts"
    found = [ask(judged(tmp_path / file.stem, file), wanted) for file in (lower, upper)]
    assert found[0] == found[1]
    assert found[0][0][1] == 28


def test_every_report_of_mixed_spellings_is_judged_in_its_time(tmp_path: Path) -> None:
    copy = judged(tmp_path, shared_case("replay-time-read-twice/z_mixed.jsonl"))
    last = max(
        json.loads(line)["reported_at"].upper()
        for line in shared_case("replay-time-read-twice/z_mixed.jsonl").read_text("utf-8").splitlines()
    )
    assert ask(copy, f"SELECT now >= '{last}'::TIMESTAMPTZ FROM ledger_state") == [(True,)]


def test_the_hosts_time_zones_move_no_day(tmp_path: Path) -> None:
    """The host's database calls UTC what the agreement's zone is; a trucewatch that read it would cut other days."""
    zones = tmp_path / "zones"
    (zones / "Asia").mkdir(parents=True)
    utc = (resources.files("tzdata") / "zoneinfo" / "Etc" / "UTC").read_bytes()
    for name in ("Asia/Damascus", "UTC"):
        (zones / name).write_bytes(utc)
    files = [shared_case("tzdata-differs/s22.jsonl"), "--agreement", shared_case("tzdata-differs/s22.toml")]
    here = judged(tmp_path / "here", *files, agreement="syria-2022")
    there = judged(tmp_path / "there", *files, agreement="syria-2022", PYTHONTZPATH=str(zones))
    days = "SELECT d.*, region, incidents, verdict FROM day_verdicts JOIN truce_days d USING (truce_day) ORDER BY ALL"
    assert ask(here, days) == ask(there, days)


def test_macros_of_an_attached_file_do_not_answer_from_another(demo: Demo, tmp_path: Path) -> None:
    reports = ROOT / "streams" / "demo" / "september-2016.jsonl"
    other = judged(tmp_path, reports, "--agreement", shared_case("attached-macros/other.toml"), agreement="other-2016")
    asked = "FROM b.verdicts_as_of('2016-10-02 00:00:00+00') WHERE region = 'SY02' AND truce_day = '2016-09-13'"
    with closing(duckdb.connect(str(demo.file), read_only=True)) as connection:
        connection.execute(f"ATTACH '{other}' AS b (READ_ONLY)")
        with pytest.raises(duckdb.Error, match="belongs to a file of agreement other-2016"):
            connection.execute(f"SELECT verdict {asked}")
        own = "SELECT DISTINCT agreement FROM {}grid"
        assert connection.execute(own.format("")).fetchall() == [("syria-2016",)]
        assert connection.execute(own.format("b.")).fetchall() == [("other-2016",)]
        connection.execute("USE b")
        assert connection.execute(f"SELECT verdict {asked}").fetchall() == [("BROKEN",)]
