"""Fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import Run, runner
from tests.support.stores import Scratch


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """A file of the test agreement to ask views and macros of."""
    with closing(Scratch(tmp_path_factory.mktemp("scratch"))) as file:
        yield file


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in an empty folder and without settings of the machine's."""
    return runner(monkeypatch, capfd, tmp_path)
