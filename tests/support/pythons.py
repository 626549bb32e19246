"""Interpreters of this machine, by the minor version their names state."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

#: The Python the tests run on.
OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def offered() -> dict[str, list[Path]]:
    """Return candidates by minor version from 3.11 on, from pyenv, the PATH and the running one.

    Nothing is started. A name on the PATH may be a shim of a version that is not there.
    """
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found: dict[str, list[Path]] = {}
    for folder in sorted((root / "versions").glob("3.*.*")):
        if re.fullmatch(r"3\.\d+\.\d+", folder.name):
            found.setdefault(folder.name.rpartition(".")[0], []).append(folder / "bin" / "python")
    for minor in (f"3.{number}" for number in range(11, 30)):
        if (on_path := shutil.which(f"python{minor}")) is not None:
            found.setdefault(minor, []).append(Path(on_path))
    found.setdefault(OWN, []).append(Path(sys.executable))
    return {minor: found[minor] for minor in sorted(found, key=_number) if _number(minor) >= 11}


def usable(minor: str) -> Path | None:
    """Return the first candidate that starts, is of its version and can make an environment with pip in it."""
    said = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in offered()[minor]:
        done = subprocess.run([candidate, "-c", said], capture_output=True, text=True, timeout=60, check=False)
        if done.stdout.strip() == minor:
            return candidate
    return None


def _number(minor: str) -> int:
    return int(minor.partition(".")[2])
