"""Ledger with an open store, which folds facts and commits them.

The steps of a flush, and the failure each prevents:

1. Decode every chunk. An unreadable one stops the ledger before anything is folded.
2. Ask the store once for the identities that may be known.
3. Fold in topic order. Ticks judge, wherever the flush ends.
4. Keep the receipts that the commit will owe, as :mod:`streams.ledger.receipts` says.
5. Commit rows, the number of facts and the offset in one transaction. A crash before it changes
   nothing, a crash after it loses nothing.

A record of the topic is a chunk of facts. The ledger counts facts along the topic, and that number is
a fact's place in all it knows. The broker's offset serves to read on, and a chunk is never cut.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import groupby

import numpy as np
import structlog

from schemas import facts
from schemas.agreement import Agreement
from schemas.failpoints import reached
from schemas.rows import Amendment, Evidence, Prior
from sinks.linking import LinkingAnswers
from sinks.store import Store
from streams.engine.fact_records import chunk_in
from streams.engine.lane import Record, fingerprint
from streams.ledger.core.identity import SeenFilter
from streams.ledger.core.judge import FINDINGS
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.pieces import Pieces
from streams.ledger.metrics import LedgerMetrics
from streams.ledger.numbered import NumberedFacts, unknown_of
from streams.ledger.receipts import LedgerReceipts
from streams.ledger.verdicts import LedgerVerdicts

log = structlog.get_logger(__name__)

#: Amended days named in the line of their tick; a late archive may amend thousands.
_AMENDED_NAMED = 3


class OpenLedger:
    """Ledger rebuilt from the last commit of its open store.

    Attributes:
        ledger: the ledger, with every fact folded that was given to ``flushing``.
        next_record: offset of the record after the last one committed.
        last_digest: fingerprint of the last record committed.
    """

    def __init__(
        self,
        agreement: Agreement,
        store: Store,
        metrics: LedgerMetrics,
        receipts: LedgerReceipts | None = None,
        verdicts: LedgerVerdicts | None = None,
    ) -> None:
        self._store = store
        self._receipts = receipts
        self._verdicts = verdicts
        self._metrics = metrics
        self.ledger = Ledger(agreement, self._earliest, self._staged)
        resumed = store.resume()
        self.ledger.resume(resumed)
        self.next_record = resumed.next_record
        self.last_digest = resumed.last_digest
        if receipts is not None:
            receipts.resume((self.next_record, self.last_digest))
        if verdicts is not None:
            verdicts.resume(store.present_verdicts(), resumed.gate, resumed.now)
        metrics.resumed(resumed.feeds, resumed.verdicts, resumed.gate)
        #: The time of the copy that was begun.
        self._copy_of: datetime | None = None
        self._seen = SeenFilter()
        for hashes in store.key_hashes():
            self._seen.add(hashes)
        if (aside := store.set_aside) is not None:
            log.warning(
                "damaged_file_set_aside",
                files=[str(path) for path in aside.files],
                why=aside.why,
                goes_on_from=str(aside.copy) if aside.copy else "the topic's beginning",
                next_offset=aside.next_offset,
            )
        if store.new_epoch:
            log.warning("new_epoch", agreement=agreement.id)
        log.info(
            "ledger_resumed",
            agreement=agreement.id,
            next_offset=self.next_record,
            facts=self.ledger.next_offset,
            now=resumed.now,
        )

    def flushing(self, records: Sequence[Record]) -> Pieces[bool]:
        """Fold and commit consecutive records, piece by piece; return whether any is no tick.

        After an error, or when it is closed before the end, the ledger is half folded and must be
        closed as well.

        Raises:
            FactUnreadable: a record is no readable chunk. Nothing was folded.
        """
        ledger = self.ledger
        read: list[NumberedFacts] = []
        number = ledger.next_offset
        for record in records:
            # Records read again after a seek may lie before the last one committed.
            if record.offset >= self.next_record:
                read.append(NumberedFacts(chunk_in(record), number))
                number += len(read[-1])
                yield
        reached("ledger.decoded")
        priors = self._priors(read) if read else {}
        reached("ledger.asked")
        for each in read:
            for entries in each.runs(ledger):
                yield from ledger.folding(entries, priors)
        reached("ledger.folded")
        yield from self._commit(records[-1])
        return any(len(each) > len(each.ticks) for each in read)

    @property
    def copying(self) -> bool:
        """Whether a copy was begun that is not in its place yet."""
        return self._copy_of is not None

    def copied(self) -> bool:
        """Return whether the copy that was begun is written."""
        return self._copy_of is not None and self._store.copied()

    def begin_copy(self) -> None:
        """Begin the copy analysts open. Flushes go on beside it."""
        self._copy_of = datetime.now(UTC)
        self._store.begin_copy(self._copy_of)

    def publish(self) -> float:
        """Put the copy that was begun in its place, once it is written; return the seconds it took."""
        seconds = self._store.place_copy()
        if self._copy_of is not None:
            self._metrics.published(self._copy_of.timestamp(), seconds)
        self._copy_of = None
        log.debug("published", seconds=round(seconds, 3))
        return seconds

    def close(self) -> None:
        """Release the file; rows not committed are dropped."""
        self._store.close()

    def _commit(self, last: Record) -> Pieces[None]:
        changes = yield from self.ledger.draining()
        if last.offset >= self.next_record:
            self.next_record, self.last_digest = last.offset + 1, fingerprint(last)
        changes.next_record, changes.last_digest = self.next_record, self.last_digest
        self._metrics.rejected(changes.rejects)
        if self._receipts is not None:
            yield
            self._receipts.owe(changes, (self.next_record, self.last_digest))
        began = time.monotonic()
        yield from self._store.committing(changes)
        self._metrics.committed(changes, time.monotonic() - began)
        if self._verdicts is not None:
            self._verdicts.committed(changes)
        for tick_offset, of_tick in groupby(changes.amendments, key=lambda each: each.after.tick_offset):
            yield
            _log_amendments(tick_offset, list(of_tick))

    def _priors(self, read: Sequence[NumberedFacts]) -> Mapping[tuple[str, str], Prior]:
        """Ask the store about identities it may know, and remember all."""
        keys = np.concatenate([each.keys for each in read])
        reports = np.concatenate([each.reports for each in read])
        seen = np.zeros(len(keys), np.bool_)
        seen[reports] = self._seen.maybe_seen(keys[reports])
        # Those sent again are in the filter: adding them once more would fill it with what it
        # holds.
        self._seen.add(keys[reports & ~seen])
        # Of a reject it is asked whether its identity was accepted; it is no report that the filter should remember.
        rejects = ~reports & (keys != 0)
        known = seen.copy()
        known[rejects] = self._seen.maybe_seen(keys[rejects])
        for each, unknown in zip(read, unknown_of(read, seen | ~reports), strict=True):
            each.part(unknown, self.ledger)
        first = read[0].first
        asked = [entry for each in read for entry in each.entries if known[entry.offset - first]]
        # Not all revisions: each flush would read again the thousands that a feed may have sent of
        # one report.
        told = {(entry.key_hash, entry.fact.revision) for entry in asked if isinstance(entry.fact, facts.REPORT_FACTS)}
        return self._store.priors(self.ledger.unknown(asked), told)

    def _earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Answer the judge from the store, uncommitted rows included."""
        self._stage()
        return self._store.earliest(region, day, kinds, limit)

    def _staged(self) -> LinkingAnswers:
        """Answer linking from the store, uncommitted rows included."""
        self._stage()
        return self._store.linking()

    def _stage(self) -> None:
        self._metrics.rejected(self.ledger.changes.rejects)
        self._store.stage(self.ledger.changes)


def _log_amendments(tick_offset: int, amendments: Sequence[Amendment]) -> None:
    """Warn once of all days one tick amended, with counts and the first few by name."""
    moved = Counter(f"{each.before.verdict} to {each.after.verdict}" for each in amendments)
    log.warning(
        "verdicts_amended",
        tick_offset=tick_offset,
        days=len(amendments),
        regions=len({each.after.region for each in amendments}),
        verdicts=dict(sorted(moved.items())),
        first=[
            {
                "region": each.after.region,
                "truce_day": each.after.truce_day.isoformat(),
                "version": each.after.version,
                "before": {name: getattr(each.before, name) for name in FINDINGS},
                "after": {name: getattr(each.after, name) for name in FINDINGS},
                "cause": json.loads(each.after.cause),
            }
            for each in amendments[:_AMENDED_NAMED]
        ],
    )
