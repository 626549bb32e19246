"""What a ledger leaves in an agreement's folder, and how it is deleted."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import duckdb

from sinks.faults import is_in_use, mapped, of_duckdb
from sinks.opening import LIVE, PUBLISHED, StoreLimits, connect, suspect
from sinks.publishing import copies_begun


def left_behind(directory: Path) -> list[Path]:
    """Return the files a ledger left in ``directory``, but for damaged ones that were set aside."""
    live, copy = directory / LIVE, directory / PUBLISHED
    names = (live, live.with_name(f"{LIVE}.wal"), suspect(live), copy, copy.with_name(f"{PUBLISHED}.wal"))
    return [*(each for each in names if each.exists()), *copies_begun(live), *copies_begun(copy)]


def clear(directory: Path) -> None:
    """Delete what a ledger left in ``directory``, damaged or not.

    Raises:
        StoreUnavailable: a ledger is at work on it, or the files cannot be deleted.
    """
    live = directory / LIVE
    with mapped(live), ExitStack() as held:
        if live.exists():
            try:
                # Held until all is gone: a ledger would go on writing to a file that nobody can find any more.
                connection = held.enter_context(closing(connect(live, StoreLimits())))
                # Its log is gone by the time this connection is closed.
                connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            except duckdb.Error as error:
                if is_in_use(error):
                    raise of_duckdb(error, live) from error
        for path in left_behind(directory):
            path.unlink()
