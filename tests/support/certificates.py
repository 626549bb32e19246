"""An authority of a test's own, and certificates it issues."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka import local_security


def authority(folder: Path) -> Any:
    """Return what issues certificates under ``folder``; skips the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates need openssl on the PATH")
    security = local_security().Security(folder)
    security.accounts = ("client",)
    security.make()
    return security
