"""The demo, run once for all tests that read what it leaves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.support.shell import trucewatch


class Demo(NamedTuple):
    """Outcome of ``trucewatch demo``: its data folder and its standard output."""

    folder: Path
    said: str

    @property
    def file(self) -> Path:
        """The published file."""
        return self.folder / "syria-2016" / "compliance.duckdb"

    def copied_to(self, folder: Path) -> None:
        """Leave the result in a folder, as the command run there does."""
        shutil.copytree(self.folder, folder / self.folder.name)


def run_demo(folder: Path) -> Demo:
    """Run the demo in a folder, on a terminal wide enough for every line."""
    data = folder / "trucewatch-demo"
    done = trucewatch("demo", "--data", data, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    return Demo(data, done.stdout.replace(str(data), data.name))
