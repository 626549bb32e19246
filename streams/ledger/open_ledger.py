"""Ledger with an open store, which folds facts and commits them.

The steps of a flush, and the failure each prevents:

1. Decode every header. An unreadable one stops the ledger before anything is folded.
2. Ask the store once for the identities that may be known.
3. Fold in topic order. Ticks judge, wherever the flush ends.
4. Commit rows and offset in one transaction. A crash before it changes nothing, a crash after it
   loses nothing.
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
from aiokafka import ConsumerRecord

from schemas import facts
from schemas.agreement import Agreement
from schemas.errors import FactUnreadable
from schemas.facts import TickFact
from schemas.failpoints import reached
from schemas.rows import Amendment, Evidence, Prior
from sinks.linking import LinkingAnswers
from sinks.store import Store
from streams.engine.lane import Record, fingerprint
from streams.engine.unreadable import Unreadable
from streams.ledger.core.identity import SeenFilter, identity_of, key_hash
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.report_rows import Entry
from streams.ledger.metrics import LedgerMetrics

log = structlog.get_logger(__name__)

#: Findings of a verdict whose change in an amendment is worth a warning.
_FINDINGS = ("verdict", "violence", "access")
#: Amended days named in the line of their tick; a late archive may amend thousands.
_AMENDED_NAMED = 3


class OpenLedger:
    """Ledger rebuilt from the last commit of its open store.

    Attributes:
        ledger: the ledger, with every record folded that was given to ``flushing``.
        last_digest: fingerprint of the last record committed.
    """

    def __init__(self, agreement: Agreement, store: Store, metrics: LedgerMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self.ledger = Ledger(agreement, self._earliest, self._staged)
        resumed = store.resume()
        self.ledger.resume(resumed)
        self.last_digest = resumed.last_digest
        metrics.resumed(resumed.feeds, resumed.verdicts, resumed.gate)
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
        log.info("ledger_resumed", agreement=agreement.id, next_offset=self.ledger.next_offset, now=resumed.now)

    def flushing(self, records: Sequence[Record]) -> Pieces[bool]:
        """Fold and commit consecutive records, piece by piece; return whether any is no tick.

        After an error, or when it is closed before the end, the ledger is half folded and must be
        closed as well.

        Raises:
            FactUnreadable: a record carries no readable fact header. Nothing was folded.
        """
        ledger = self.ledger
        first = ledger.next_offset
        entries = [_read_entry(record) for record in records if record.offset >= first]
        reached("ledger.decoded")
        priors = self._priors(entries)
        reached("ledger.asked")
        yield from ledger.folding(entries, priors)
        reached("ledger.folded")
        yield from self._commit(records[-1])
        return any(type(entry.fact) is not TickFact for entry in entries)

    def publish(self) -> float:
        """Make the copy analysts open; return the seconds it took."""
        now = datetime.now(UTC)
        seconds = self._store.publish(now)
        self._metrics.published(now.timestamp(), seconds)
        log.debug("published", seconds=round(seconds, 3))
        return seconds

    def close(self) -> None:
        """Release the file; rows not committed are dropped."""
        self._store.close()

    def _commit(self, last: Record) -> Pieces[None]:
        changes = yield from self.ledger.draining()
        # Records read again after a seek may all lie before the last one committed.
        if last.offset + 1 == changes.next_offset:
            self.last_digest = fingerprint(last)
        changes.last_digest = self.last_digest
        self._metrics.rejected(changes.rejects)
        began = time.monotonic()
        yield from self._store.committing(changes)
        self._metrics.committed(changes, time.monotonic() - began)
        for tick_offset, of_tick in groupby(changes.amendments, key=lambda each: each.tick_offset):
            yield
            _log_amendments(tick_offset, list(of_tick))

    def _priors(self, entries: Sequence[Entry]) -> Mapping[tuple[str, str], Prior]:
        """Ask the store about identities it may know, and remember all."""
        reports = [entry for entry in entries if isinstance(entry.fact, facts.REPORT_FACTS)]
        hashes = np.fromiter((entry.key_hash for entry in reports), dtype=np.int64, count=len(reports))
        maybe = self._seen.maybe_seen(hashes)
        # Those sent again are in the filter: adding them once more would fill it with what it
        # holds.
        self._seen.add(hashes[~maybe])
        asked = [reports[index] for index in np.flatnonzero(maybe)]
        # Of a reject it is asked whether its identity was accepted; it is no report that the filter should remember.
        rejects = [entry for entry in entries if entry.key_hash and isinstance(entry.fact, facts.RejectFact)]
        known = self._seen.maybe_seen(
            np.fromiter((entry.key_hash for entry in rejects), dtype=np.int64, count=len(rejects))
        )
        asked += [rejects[index] for index in np.flatnonzero(known)]
        # Not all revisions: each flush would read again the thousands that a feed may have sent of
        # one report.
        told = {(entry.key_hash, entry.fact.revision) for entry in asked if isinstance(entry.fact, facts.REPORT_FACTS)}
        return self._store.priors(self.ledger.unknown(asked), told)

    def _earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Answer the court from the store, uncommitted rows included."""
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
    moved = Counter(f"{each.before[0]} to {each.after[0]}" for each in amendments)
    log.warning(
        "verdicts_amended",
        tick_offset=tick_offset,
        days=len(amendments),
        regions=len({each.region for each in amendments}),
        verdicts=dict(sorted(moved.items())),
        first=[
            {
                "region": each.region,
                "truce_day": each.truce_day.isoformat(),
                "version": each.version,
                "before": dict(zip(_FINDINGS, each.before, strict=True)),
                "after": dict(zip(_FINDINGS, each.after, strict=True)),
                "cause": json.loads(each.cause),
            }
            for each in amendments[:_AMENDED_NAMED]
        ],
    )


def fact_record(topic: str, offset: int, fact: facts.Fact, body: bytes) -> Record:
    """Return the record of a facts topic that holds a fact."""
    return ConsumerRecord(topic, 0, offset, 0, 0, None, body, None, 0, len(body), tuple(facts.header_of(fact)))


def _read_entry(record: Record) -> Entry:
    """Read one record of the facts topic.

    Raises:
        FactUnreadable: it carries no readable fact header.
    """
    if isinstance(record, Unreadable):
        raise FactUnreadable(f"{record.topic} offset {record.first}: {record.fault}")
    header = next((value for name, value in record.headers if name == facts.HEADER), None)
    if header is None:
        raise FactUnreadable(f"{record.topic} offset {record.offset}: no {facts.HEADER!r} header: who wrote it?")
    fact = facts.decode(header)
    identity = identity_of(fact)
    key = 0 if identity is None else key_hash(*identity)
    return Entry(record.offset, fact, record.value or b"", key)
