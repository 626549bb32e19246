"""What a worker process is told: the settings of the command that starts it, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli.processes import worker_environment
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
READ_BACK = "from streams.settings import load; print(load().model_dump_json())"


def test_a_worker_reads_back_the_settings_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of None has no variable, so one of the command's own environment would speak in its place."""
    monkeypatch.setenv("TRUCEWATCH_BOUNDARIES", "/nowhere.geojson")
    monkeypatch.setenv("TRUCEWATCH_FLUSH_RECORDS", "7")
    given = Settings(broker="kafka://127.0.0.1:9092", boundaries=None, flush_records=40)
    settings = given.model_copy(update={"boundaries": None})
    said = subprocess.run(
        [sys.executable, "-c", READ_BACK],
        env=worker_environment(settings),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Settings.model_validate_json(said.stdout) == settings
