"""State of a file, by which a change of it is known."""

from __future__ import annotations

from pathlib import Path


def state(path: Path) -> tuple[int, int, int, int] | None:
    """Return what differs once a file, its mode or its owner has changed; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
