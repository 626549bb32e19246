"""Real data beside the repository: tests that need it skip, with the reason, where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[3] / "shared" / "data"


def shared_data(relative: str) -> Path:
    """Return a file of the shared data, found through TRUCEWATCH_SHARED_DATA or beside the repository; or skip."""
    return _present(find_shared_data(relative))


def find_shared_data(relative: str) -> Path:
    """Return where a file of the shared data lies, or would lie."""
    return Path(os.environ.get("TRUCEWATCH_SHARED_DATA", _BESIDE)) / relative


def shared_case(relative: str) -> Path:
    """Return a file of the foreign inputs beside the shared data; or skip."""
    data = Path(os.environ.get("TRUCEWATCH_SHARED_DATA", _BESIDE))
    return _present(data.parent / "cases" / relative)


def _present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"shared data is absent: {path}; set TRUCEWATCH_SHARED_DATA")
    return path
