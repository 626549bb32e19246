"""The store: the one writer of a ledger's DuckDB file.

::

    stage ... stage -> commit        one transaction: rows and the offsets they were read up to
                         publish     a copy for everybody else; commits go on beside it

Nothing here reads a clock or judges. An error rolls the open transaction back and stops the ledger, which goes on
from the last commit when it is started again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Self

import duckdb
import numpy as np
import numpy.typing as npt

from schemas.agreement import Agreement
from schemas.errors import StoreDamaged, StoreUnavailable, TrucewatchError
from schemas.failpoints import reached
from schemas.rows import Changes, DayVerdict, Evidence, Identity, Prior, Resumed
from sinks import queries
from sinks.batches import Batches
from sinks.blocks import check_blocks
from sinks.calendar import check_calendar
from sinks.faults import mapped, of_duckdb
from sinks.linking import LinkingAnswers
from sinks.migrations import check_agreement, check_current, migrate, stored_version
from sinks.opening import (
    LIVE,
    PUBLISHED,
    StoreLimits,
    check_filled,
    check_unsuspected,
    clear_leftovers,
    connect,
    name_regions,
    settle_log,
    suspect,
    take_up_published,
)
from sinks.publishing import CopyUnderWay
from sinks.recovery import FactsLog, Quarantined, quarantine
from sinks.writing import Writer

__all__ = ["LIVE", "PUBLISHED", "Store", "StoreLimits"]


class Store:
    """Rows of one agreement in ``<directory>/live.duckdb``; made by ``open``.

    Attributes:
        new_epoch: whether ``open`` found another log of facts than the one it knew, and starts on it from offset 0.
        set_aside: the damaged files ``open`` set aside; None when the file was sound.
    """

    def __init__(
        self,
        live: Path,
        connection: duckdb.DuckDBPyConnection,
        source: int,
        agreement: Agreement,
        facts_topic: str,
        limits: StoreLimits,
    ) -> None:
        self.new_epoch = False
        self.set_aside: Quarantined | None = None
        self._live = live
        self._wal = live.with_name(f"{live.name}.wal")
        self._connection = connection
        self._agreement = agreement
        self._facts_topic = facts_topic
        self._limits = limits
        self._in_transaction = False
        self._log_start = 0
        self._copy: CopyUnderWay | None = None
        #: Seconds for which the checkpoint before the copy held up the ledger.
        self._held_up = 0.0
        self._batches = Batches(connection)
        self._writer = Writer(connection, self._batches, agreement)
        self._source = source

    @classmethod
    def open(
        cls,
        directory: Path,
        agreement: Agreement,
        regions: Mapping[str, Sequence[str]],
        *,
        facts_topic: str,
        log_identity: str,
        new_log_allowed: bool,
        log_begins: int = 0,
        limits: StoreLimits | None = None,
    ) -> Self:
        """Open the store in ``directory``, making both if need be.

        A directory that has only a published copy is taken up from it: its offsets rewind the ledger to match. A
        damaged live file is set aside, and then it is so there as well; ``set_aside`` says so.

        Args:
            regions: spellings of regions by P-code, the one that is shown first; a region without one is shown by its
                code.
            log_identity: tells one log of the facts topic from another one made later under the same name.
            new_log_allowed: whether another log is taken from its beginning, as with a broker that forgets, or refused.
                The stored one is given up only if it was an embedded broker's.
            log_begins: the first offset the log still holds.

        Raises:
            StoreDamaged: the file cannot be read, and going on without it would lose something.
            StoreUnavailable: the file is in use, unwritable, not ours, or of a newer schema.
            StoreFull: the disk is full.
            UsageError: the file was judged by another agreement, by other rules of this one, by the rules of an earlier
                version, or with time zones that cut its days otherwise.
            LogMismatch: the facts topic is not the log the stored offsets belong to.
        """
        live = directory / LIVE
        log = FactsLog(facts_topic, log_identity, log_begins)
        limits = limits or StoreLimits()
        with mapped(directory):
            directory.mkdir(parents=True, exist_ok=True)
        aside: Quarantined | None = None
        while True:
            try:
                store = cls._opened(live, agreement, regions, log, new_log_allowed=new_log_allowed, limits=limits)
            except StoreDamaged as damage:
                why = str(damage)
            else:
                store.set_aside = aside
                return store
            # Outside the handler: the error's frames keep DuckDB's instance of the damaged file alive, and connecting
            # to the path again would be given that one. It comes to an end: only so many files are set aside.
            aside = quarantine(live, why, agreement, log)

    @classmethod
    def _opened(
        cls,
        live: Path,
        agreement: Agreement,
        regions: Mapping[str, Sequence[str]],
        log: FactsLog,
        *,
        new_log_allowed: bool,
        limits: StoreLimits,
    ) -> Self:
        with mapped(live):
            check_unsuspected(live)
            take_up_published(live)
            connection = connect(live, limits)
            # Opened once and closed last: closing a descriptor of the file drops DuckDB's lock on it.
            source = os.open(live, os.O_RDONLY | os.O_CLOEXEC)
            try:
                # What is found damaged is set aside as it is.
                connection.execute("PRAGMA disable_checkpoint_on_shutdown")
                clear_leftovers(live)
                check_blocks(source, live)
                stored = stored_version(connection, live)
                check_filled(stored, live)
                if stored:
                    check_current(connection, stored, live)
                    check_agreement(connection, agreement, live)
                    check_calendar(connection, agreement, live)
                migrate(connection, stored, agreement)
                connection.execute("PRAGMA enable_checkpoint_on_shutdown")
                store = cls(live, connection, source, agreement, log.topic, limits)
            except (duckdb.Error, OSError, TrucewatchError):
                connection.close()
                os.close(source)
                raise
        try:
            store._settle(regions, log.identity, new_log_allowed=new_log_allowed)
        except TrucewatchError:
            store.close()
            raise
        return store

    # -- taking up

    def _settle(self, regions: Mapping[str, Sequence[str]], log_identity: str, *, new_log_allowed: bool) -> None:
        with self._transaction():
            name_regions(self._connection, self._agreement, regions)
            self.new_epoch = settle_log(
                self._connection, self._live, self._facts_topic, log_identity, new_log_allowed=new_log_allowed
            )
            reached("store.settling")
            self._connection.execute("COMMIT")
            self._in_transaction = False
        with self._guarded():
            # A log replayed after a crash is settled before anything is added to it.
            self._connection.execute("CHECKPOINT")
            self._log_start = queries.log_start(self._connection)
        reached("store.opened")

    def resume(self) -> Resumed:
        """Return everything a ledger needs to go on from the last commit.

        Offsets are the present log's own: of a verdict judged on an earlier log they are negative.
        """
        with self._guarded():
            return queries.resume(self._connection, self._agreement, self._log_start)

    def present_verdicts(self) -> list[DayVerdict]:
        """Return the rows of ``day_verdicts`` at the last commit."""
        with self._guarded():
            return queries.present_verdicts(self._connection)

    def key_hashes(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield the key hashes of every identity known, in arrays of some size."""
        with self._guarded():
            # Read to the end at once: an open result would block the next checkpoint.
            table = self._connection.sql("SELECT key_hash FROM reports WHERE present").to_arrow_table()
        for chunk in table.column(0).chunks:
            yield chunk.to_numpy(zero_copy_only=False)

    # -- answering the ledger

    def priors(
        self, wanted: Mapping[Identity, int], told: Collection[tuple[int, int]] | None = None
    ) -> dict[tuple[str, str], Prior]:
        """Return what is known of each identity of ``wanted``, given with its key hash; unknown ones are left out.

        Args:
            told: key hashes with the revisions to read beside the present ones; all where it is None.
        """
        with self._guarded():
            return queries.priors(self._connection, self._batches, wanted, told, self._log_start)

    def earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Return the first ``limit`` incidents that count and surely happened on a day, of some kinds or of all.

        Ordered by start, feed, report_id. Rows staged but not committed are seen.
        """
        with self._guarded():
            return queries.earliest(self._connection, self._agreement.violence, region, day, kinds, limit)

    def linking(self) -> LinkingAnswers:
        """Return what answers the ledger's questions about linked reports; it sees rows staged but not committed."""
        return LinkingAnswers(self._connection, self._log_start, self._guarded)

    # -- writing

    def stage(self, changes: Changes) -> None:
        """Write and clear the reports, rejects and links of ``changes``, so that what is asked of the store sees them.

        A transaction is begun if none is open; it stays open until ``commit``.

        Raises:
            StoreFull, StoreUnavailable: nothing since the last commit is kept.
        """
        asked_about = (changes.reports, changes.fresh, changes.withdrawn, changes.rejects)
        if not any((*asked_about, changes.dissolved, changes.linked_incidents)):
            return
        with self._transaction():
            self._writer.stage(changes, self._log_start)
        reached("store.staged")

    def commit(self, changes: Changes) -> None:
        """Write all of ``changes`` and commit, with whatever was staged before.

        Raises:
            StoreFull, StoreUnavailable: nothing since the last commit is kept.
        """
        for _ in self.committing(changes):
            pass

    def committing(self, changes: Changes) -> Generator[None, None, None]:
        """Do what ``commit`` does, table by table; when it is closed before the end it rolls back."""
        with self._transaction():
            self._writer.stage(changes, self._log_start)
            for _ in self._writer.write(changes, self._log_start):
                yield
            self._writer.write_offsets(changes, self._facts_topic, self._log_start)
            reached("store.written")
            self._connection.execute("COMMIT")
            self._in_transaction = False
        reached("store.committed")
        if self._copy is None and self._wal_bytes() > self._limits.log_bytes:
            with self._guarded():
                self._checkpoint()

    def publish(self, published_at: datetime) -> float:
        """Put a copy of the last commit in the place of ``compliance.duckdb``; return the seconds it took.

        Raises:
            StoreFull, StoreUnavailable, StoreDamaged: the earlier copy is still there, whole.
        """
        self.begin_copy(published_at)
        return self.place_copy()

    def begin_copy(self, published_at: datetime) -> None:
        """Begin to copy the last commit in a thread; commits go on meanwhile.

        The file stands still until the copy is in its place, because no checkpoint runs.

        Raises:
            StoreFull, StoreUnavailable: the checkpoint before it failed.
        """
        if self._in_transaction:
            raise RuntimeError("publish between commits: rows are staged")
        if self._copy is not None:
            raise RuntimeError("one copy at a time")
        started = time.monotonic()
        self._check_in_place()
        with self._guarded():
            self._connection.execute("UPDATE about SET published_at = ?", [published_at])
            self._checkpoint()
        self._held_up = time.monotonic() - started
        self._copy = CopyUnderWay(self._source, self._live.with_name(PUBLISHED), self._live)

    def copied(self) -> bool:
        """Return whether the copy that was begun is written, or failed."""
        return self._copy is not None and self._copy.written()

    def place_copy(self) -> float:
        """Put the copy that was begun in the place of ``compliance.duckdb``; return the seconds it took.

        It waits until the copy is written.

        Raises:
            StoreFull, StoreUnavailable, StoreDamaged: the earlier copy is still there, whole.
        """
        if self._copy is None:
            raise RuntimeError("no copy was begun")
        # Kept until here: closing the file waits for the thread that reads it.
        self._check_in_place()
        copy, self._copy = self._copy, None
        with mapped(self._live.with_name(PUBLISHED)):
            return self._held_up + copy.place()

    def _check_in_place(self) -> None:
        """Notice that somebody moved or deleted the live file: all that is written from then on is nowhere.

        Raises:
            StoreUnavailable: it is not where it was; started again the ledger goes on from the published copy.
        """
        if not self._live.exists() or not os.path.samestat(os.fstat(self._source), self._live.stat()):
            raise StoreUnavailable(
                f"{self._live} was moved or deleted while the ledger wrote it: start again, the ledger goes on from "
                "the published copy, or from the topic's beginning"
            )

    def close(self) -> None:
        """Roll back what is not committed and let go of the file."""
        if self._source < 0:
            return
        with mapped(self._live):
            if self._copy is not None:
                self._copy.give_up()
            self._connection.close()
            os.close(self._source)
            self._source = -1

    def _checkpoint(self) -> None:
        reached("store.checkpointing")
        self._connection.execute("CHECKPOINT")
        reached("store.checkpointed")

    # -- transactions

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run inside the open transaction, or a new one, which stays open."""
        with self._guarded():
            if not self._in_transaction:
                self._connection.execute("BEGIN")
                self._in_transaction = True
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """On any error roll back; map DuckDB's to ours."""
        try:
            yield
        except duckdb.Error as error:
            self._roll_back()
            self._check_in_place()
            ours = of_duckdb(error, self._live)
            if isinstance(ours, StoreDamaged):
                suspect(self._live).touch()
            raise ours from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if not self._in_transaction:
            return
        self._in_transaction = False
        try:
            self._connection.execute("ROLLBACK")
            self._writer.forget()
        except duckdb.Error:
            # A database that failed to write refuses even this; opening it again rolls back.
            return

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0
