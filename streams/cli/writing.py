"""Files that commands write for people to go on with."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import UsageError


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole, or leave what is there as it is.

    Raises:
        UsageError: the file is there already and ``force`` is not given: someone may have worked on it.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "name another file with -o, or write over it with --force")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
