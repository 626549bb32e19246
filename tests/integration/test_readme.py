"""What the README promises an analyst: its statements run on the oldest DuckDB it names, and the settings are right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shell import ROOT, trucewatch

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of a replay of the bundled scenario."""
    data = tmp_path_factory.mktemp("demo")
    scenario = ROOT / "streams" / "demo" / "september-2016.jsonl"
    done = trucewatch("replay", scenario, "--data", data)
    assert done.returncode == 0, done.stderr
    return data / "syria-2016" / "compliance.duckdb"


def statements() -> list[str]:
    """Return the SQL statements of the README."""
    readme = (ROOT / "README.md").read_text("utf-8")
    return re.findall(r"^    (SELECT .*?;)", readme, flags=re.MULTILINE)


def test_the_readme_shows_statements() -> None:
    assert len(statements()) >= 5


@pytest.mark.parametrize("statement", statements())
def test_a_statement_of_the_readme_runs_on_duckdb_1_5(statement: str, demo: Path) -> None:
    shell = Path(sys.executable).with_name("duckdb")
    done = subprocess.run([shell, "-readonly", "-json", demo, statement], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if "rejects" not in statement:
        assert done.stdout.strip() not in ("", "[]"), "it finds nothing in the demo"


def test_what_the_readme_shows_of_an_explanation_is_what_the_command_says(demo: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.split("## Explain")[1].split("## Query")[0]
    lines = [line.removeprefix("    ") for line in shown.splitlines() if line.startswith("    ")]
    told = trucewatch("explain", "Hama", "2016-09-14", "--file", demo).stdout.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if line not in told] == []
