"""What if, on replays of real reports: the recorded rules differ in nothing; others say what a fresh replay says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.shared_data import shared_data
from tests.support.shell import ROOT, clean_environment, trucewatch

pytestmark = pytest.mark.broker

COPY = Path("syria-2016") / "compliance.duckdb"
SHIPPED = ROOT / "schemas" / "agreements" / "syria-2016.toml"
REDUCTIONS = (50, 75, 90)

#: Every figure of a verdict, and of the counts under it.
FIGURES = """
SELECT region, truce_day::VARCHAR AS truce_day, verdict, violence, access, incidents, incidents_out_of_scope,
       violence_limit, covered_share, deaths_low, deaths_best, deaths_high, rule, contested_by, incidents_sure,
       incidents_possible, refused_pending, incidents_without_toll, reasons, state
FROM day_verdicts ORDER BY ALL
"""


def replayed(data: Path, source: Path, *options: str | Path) -> Path:
    """Replay a file into a folder; return the published copy."""
    done = trucewatch("replay", source, "--data", data, *options)
    assert done.returncode == 0, done.stderr
    return data / COPY


def whatif(*arguments: str | Path) -> dict[str, Any]:
    """Return the command's JSON."""
    done = trucewatch("whatif", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def figures(copy: Path) -> list[dict[str, Any]]:
    """Return every verdict of a file."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        rows = connection.execute(FIGURES)
        names = [column[0] for column in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return [_plain(row | {"reasons": json.loads(row["reasons"])}) for row in found]


def figures_of(judged: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the same of one of the command's judgements."""
    # What is held against the limit is the number of incidents, unless an agreement goes by bulletins.
    held_against_limit = ("counted", "counted_possible")
    for cell in judged["verdicts"]:
        assert [cell[name] for name in held_against_limit] == [cell["incidents_sure"], cell["incidents_possible"]]
    left_out = ("region_name", "version", "text", *held_against_limit)
    return [_plain({name: cell[name] for name in cell if name not in left_out}) for cell in judged["verdicts"]]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"state": row["state"].replace("AMENDED", "FINAL")}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled scenario, replayed."""
    return replayed(tmp_path_factory.mktemp("demo"), ROOT / "streams" / "demo" / "september-2016.jsonl")


@pytest.fixture(scope="module")
def three_months() -> Path:
    """The events of August to October 2016."""
    return shared_data("ucdp_ged_syria/ged_syria_2016-08_2016-10.csv")


@pytest.fixture(scope="module")
def ged(three_months: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those events, replayed."""
    return replayed(tmp_path_factory.mktemp("ged"), three_months, "--format", "ged")


@pytest.mark.parametrize("name", ["demo", "ged"])
def test_the_very_same_agreement_makes_no_difference_to_the_last_figure(
    name: str, request: pytest.FixtureRequest
) -> None:
    copy: Path = request.getfixturevalue(name)
    (same,) = whatif(copy, "--agreement", "syria-2016")["alternatives"]
    assert same["differences"] | {"summary": "", "compared": 0} == {
        "summary": "",
        "compared": 0,
        "verdicts": [],
        "streaks": [],
        "gate": [],
    }
    assert figures_of(same) == figures(copy) != []


def test_other_reductions_say_what_fresh_replays_under_them_say(ged: Path, three_months: Path, tmp_path: Path) -> None:
    told = whatif(ged, "--set", f"violence.reduction_percent={','.join(map(str, REDUCTIONS))}")
    assert figures_of(told["recorded"]) == figures(ged)
    for reduction, other in zip(REDUCTIONS, told["alternatives"], strict=True):
        file = tmp_path / f"{reduction}.toml"
        text = SHIPPED.read_text("utf-8")
        assert text.count("reduction_percent = 80 ") == 1
        file.write_text(text.replace("reduction_percent = 80 ", f"reduction_percent = {reduction} "), "utf-8")
        fresh = replayed(tmp_path / str(reduction), three_months, "--format", "ged", "--agreement", file)
        assert other["agreement"]["violence"]["reduction_percent"] == reduction
        assert figures_of(other) == figures(fresh)
    assert figures_of(told["alternatives"][0]) != figures(ged), "half the reduction should make a difference"


def test_ctrl_c_leaves_nothing_behind(ged: Path, tmp_path: Path) -> None:
    values = ",".join(map(str, range(100)))
    command = [sys.executable, "-m", "streams", "whatif", ged, "--set", f"violence.reduction_percent={values}"]
    environment = clean_environment() | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(tmp_path.rglob("live.duckdb")):
                assert time.monotonic() < deadline, "it did not begin"
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "trucewatch: stopped\n")
    assert list(tmp_path.iterdir()) == []
