"""Deletion of the files that a ledger left in an agreement's folder."""

from __future__ import annotations

from pathlib import Path

from sinks.exclusive import exclusive
from sinks.faults import mapped
from sinks.opening import LIVE, PUBLISHED, suspect
from sinks.publishing import copies_begun, earlier


def left_behind(directory: Path) -> list[Path]:
    """Return the files a ledger left in ``directory``, but for damaged ones that were set aside."""
    live, copy = directory / LIVE, directory / PUBLISHED
    beside = (live.with_name(f"{LIVE}.wal"), suspect(live), copy.with_name(f"{PUBLISHED}.wal"), earlier(copy))
    return [*(each for each in (live, copy, *beside) if each.exists()), *copies_begun(live), *copies_begun(copy)]


def clear(directory: Path) -> None:
    """Delete what a ledger left in ``directory``, damaged or not.

    Raises:
        StoreUnavailable: a ledger is at work on it, or the files cannot be deleted.
    """
    live = directory / LIVE
    # Held until all is gone: a ledger would go on writing to a file that nobody can find any more.
    with mapped(live), exclusive(live):
        for path in left_behind(directory):
            path.unlink()
