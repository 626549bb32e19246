"""Files that commands write for people to go on with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from schemas.errors import UsageError


def write_new(path: Path, content: str | bytes, *, force: bool, check: Callable[[str], object]) -> None:
    """Write a file whole once ``check`` has read it, or leave what is there as it is.

    Raises:
        UsageError: the file is there already and ``force`` is not given: someone may have worked on it.
    """
    if path.exists() and not force:
        raise UsageError(f"{path} is there already", "name another file with -o, or write over it with --force")
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        # What is written here is never refused by the command that reads it.
        check(str(beside))
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    except UsageError as error:
        raise UsageError(str(error).replace(str(beside), str(path)), error.hint) from None
    finally:
        if beside.exists():
            beside.unlink()
