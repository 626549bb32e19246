"""Environments of their own, for tools that read what the project writes and are none of its dependencies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.effort import EVERY
from tests.support.shell import clean_environment

#: Packages are fetched and installed, which takes longer than the test.
every_alone = pytest.mark.skipif(not EVERY, reason="make test-every runs it; it installs other people's tools")


class Environment:
    """Python environment with some packages, made for one test module."""

    def __init__(self, folder: Path, *packages: str) -> None:
        """Make it; uv is used where there is one, else pip."""
        self.binaries = folder / "bin"
        if uv := shutil.which("uv"):
            self._run(uv, "venv", "--quiet", "--python", sys.executable, folder)
            self._run(uv, "pip", "install", "--quiet", "--python", self.python, *packages)
        else:
            self._run(sys.executable, "-m", "venv", folder)
            self._run(self.python, "-m", "pip", "install", "--quiet", *packages)

    @property
    def python(self) -> Path:
        """Interpreter that has the packages."""
        return self.binaries / "python"

    def said(self, *command: str | Path, cwd: Path, **environment: str) -> str:
        """Run a command that has to succeed, the environment's own first on the PATH; return what it said."""
        path = f"{self.binaries}{os.pathsep}{os.environ['PATH']}"
        return self._run(*command, cwd=cwd, environment={"PATH": path, "TZ": "UTC", **environment})

    @staticmethod
    def _run(*command: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
        kept = {
            name: value for name, value in clean_environment().items() if not name.startswith(("PYTHON", "VIRTUAL"))
        }
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env=kept | (environment or {}),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
