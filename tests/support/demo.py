"""The demo, run once for all tests that read what it leaves."""

from __future__ import annotations

import fcntl
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


def run_demo_once(folder: Path) -> Demo:
    """Run the demo in a folder, on a terminal wide enough for every line, or wait until another process has."""
    folder.mkdir(exist_ok=True)
    data, said = folder / "trucewatch-demo", folder / "said.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            done = trucewatch("demo", "--data", data, COLUMNS="200")
            assert done.returncode == 0, done.stderr
            said.write_text(done.stdout.replace(str(data), data.name), "utf-8")
        return Demo(data, said.read_text("utf-8"))
