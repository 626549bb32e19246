"""Notebook of September 2016, run in an environment with marimo."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.support.demo import Demo
from tests.support.environments import Environment, every_alone
from tests.support.shell import ROOT

pytestmark = [pytest.mark.broker, every_alone]

NOTEBOOK = ROOT / "docs" / "notebooks" / "september_2016.py"


def test_the_notebook_runs_on_the_demos_copy_and_shows_what_it_found(demo: Demo, tmp_path: Path) -> None:
    head = [line.removeprefix("# ") for line in NOTEBOOK.read_text("utf-8").splitlines()[1:4] if "///" not in line]
    environment = Environment(tmp_path / "env", *tomllib.loads("\n".join(head))["dependencies"])
    # It leaves a folder of its own beside the notebook.
    notebook = Path(shutil.copy(NOTEBOOK, tmp_path))
    shown = tmp_path / "shown.html"
    marimo = environment.binaries / "marimo"
    environment.said(marimo, "export", "html", notebook, "-o", shown, "--", "--file", demo.file, cwd=tmp_path)
    html = shown.read_text("utf-8")
    for found in ("0 of 9", "sohr", "2016-09-15-aleppo-mashariqa", "count_above_limit", "marimo-error"):
        assert (found in html) == (found != "marimo-error"), found
