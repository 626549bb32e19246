"""Exclusive hold on a live file, without a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import duckdb

from sinks.faults import is_in_use, of_duckdb
from sinks.opening import StoreLimits, connect


@contextmanager
def exclusive(live: Path) -> Iterator[None]:
    """Hold a live file for the length of a block, and leave it and its write-ahead log as they are.

    A file that is missing or damaged is not held: no ledger can be at work on it.

    Raises:
        StoreInUse: another process has it open for writing.
    """
    with ExitStack() as stack:
        if live.exists():
            try:
                connection = stack.enter_context(closing(connect(live, StoreLimits())))
                # The log is the ledger's to take up, or gone by the time this connection is closed.
                connection.execute("PRAGMA disable_checkpoint_on_shutdown")
            except duckdb.Error as error:
                if is_in_use(error):
                    raise of_duckdb(error, live) from error
        yield
