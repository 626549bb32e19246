"""File of the receipts that one flush owes, the outbox of a ledger.

::

    keep        before the commit: what is to be told, and after which commit it is true
    recall      at the next start: what the last commit owes, if it was not told before
    forget      told

The file is replaced as a whole. Killed before its commit, a ledger finds a file that is ahead of its
store: nothing of it is true, and the same facts are folded again. Killed after it, the ledger finds
one that fits its store, and tells what is in it. A table of the store would say the same and write
every receipt into the write-ahead log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from schemas import receipts
from schemas.failpoints import reached
from schemas.receipts import Receipt
from sinks.faults import mapped

#: Name of the file, beside the live one.
OWED = "receipts.owed"

#: The next record of the facts topic, and the fingerprint of the one before: which commit it was.
Commit = tuple[int, int | None]


class OwedReceipts:
    """Receipts of the last flush in ``<directory>/receipts.owed``."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / OWED

    def keep(self, commit: Commit, owed: Sequence[Receipt]) -> None:
        """Write what is to be told after ``commit``; return once it is on disk.

        Raises:
            StoreFull, StoreUnavailable: the earlier file is still there.
        """
        fresh = self._file.with_name(f"{OWED}.new")
        with mapped(self._file):
            try:
                with fresh.open("wb") as out:
                    out.write(json.dumps(commit).encode() + b"\n")
                    out.write(receipts.lines_of(owed))
                    out.flush()
                    os.fsync(out.fileno())
            except OSError:
                fresh.unlink(missing_ok=True)
                raise
            fresh.replace(self._file)
        reached("receipts.kept")

    def recall(self, commit: Commit) -> list[Receipt]:
        """Return what is owed after ``commit``; a file of another one is dropped.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        with mapped(self._file):
            try:
                head, _, lines = self._file.read_bytes().partition(b"\n")
            except FileNotFoundError:
                return []
            if json.loads(head) == list(commit):
                return receipts.read(lines)
            self.forget()
        return []

    def forget(self) -> None:
        """Drop the file: all of it was told."""
        with mapped(self._file):
            self._file.unlink(missing_ok=True)
