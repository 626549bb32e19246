"""The ledger agent: facts in, one DuckDB transaction per flush out.

The order of a flush, and what each step prevents:

1. decode every header, so that an unreadable one stops the ledger before anything is folded;
2. ask the store once for the identities that may have been seen before;
3. fold in topic order; ticks judge, wherever the flush ends;
4. commit rows and offsets in one transaction: a crash before it changes nothing, a crash after it loses nothing;
5. tell Kafka the group's offset, for monitoring, and to hear whether this is still the group's ledger;
6. publish a copy now and then, while it is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import structlog
from aiokafka import TopicPartition

from schemas import facts
from schemas.agreement import Agreement
from schemas.errors import FactUnreadable, LedgerStopped, LogMismatch, StoreInUse
from schemas.facts import TickFact
from schemas.failpoints import reached
from schemas.rows import Evidence, Prior
from sinks.linking import LinkingAnswers
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch, Lane, Record, fingerprint
from streams.ledger.core.identity import SeenFilter, key_hash
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.report_rows import Entry
from streams.ledger.metrics import LedgerMetrics
from streams.ledger.stale_lock_reaper import StaleLockReaper
from streams.ledger.ticker import Ticker

log = structlog.get_logger(__name__)


#: A flush has a price of its own, whatever it holds. Under load the next one waits at least as long as the last
#: one took, so that more records share it; but never longer than so many times the patience it was given.
BREATH, LONGEST_BREATH = 1.0, 3.0


#: What an amendment may have changed that somebody is told of.
_FINDINGS = ("verdict", "violence", "access")
#: How often a standby tries a file that another process holds, and how often it says so.
LOCK_SECONDS, TELL_SECONDS = 0.25, 30.0
#: How long an offset that the group took stands for being its member.
TOLD_SECONDS = 1.0


@dataclass(frozen=True)
class FlushRules:
    """When rows go to disk: at so many records or bytes, or so long after the first of them was read, more under load.

    With a batch of the lane more, records and bytes are all that ever waits in memory, however slow the disk.
    """

    records: int = 20_000
    seconds: float = 0.25
    bytes: int = 64 * 1_048_576

    def patience(self, last_took: float) -> float:
        """Return how long records may wait, given the seconds the last flush took."""
        return min(max(self.seconds, BREATH * last_took), LONGEST_BREATH * self.seconds)


class LedgerHandler:
    """Handles batches of one agreement's facts topic.

    Args:
        open_store: opens the store, given the first offset the log still holds; called when the partition is assigned,
            so that a standby holds no lock.
        cadence: when to publish a copy.
        ticker: publishes ticks in a live deployment; None in a replay, which carries its own.
        record_at: asks the broker for the record at an offset; None where there is no broker.
        stale_lock_reaper: looks after the process that holds the file while this one waits for it; None to wait only.
    """

    def __init__(
        self,
        agreement: Agreement,
        open_store: Callable[[int], Store],
        cadence: Cadence,
        flush: FlushRules,
        ticker: Ticker | None,
        record_at: Callable[[TopicPartition, int], Awaitable[Record | None]] | None = None,
        stale_lock_reaper: StaleLockReaper | None = None,
    ) -> None:
        self._agreement = agreement
        self._open_store = open_store
        self._cadence = cadence
        self._flush = flush
        self._ticker = ticker
        self._record_at = record_at
        self._stale_lock_reaper = stale_lock_reaper
        self._lane: Lane | None = None
        self._store: Store | None = None
        self._ledger: Ledger | None = None
        self._seen = SeenFilter()
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._flush_took = 0.0
        self._unpublished = False
        self.metrics = LedgerMetrics()
        self._partition: TopicPartition | None = None
        #: When the group last took an offset of this ledger's, on the monotonic clock, which runs on while it hangs.
        self._told = float("-inf")
        self._refused = False
        #: The fingerprint of the last record committed.
        self._last_digest: int | None = None

    # -- life cycle

    async def resume(self, topic: str, partition: int) -> int | None:
        """Open the store and return the offset to read from.

        A ledger that hung lost its partition to this one and still holds the file: this one waits until it is let go.
        None when the partition was taken away again, or the process is to end, meanwhile.

        Raises:
            StoreInUse: outside a consumer group, where nobody else is expected to have the file.
            LogMismatch: the topic lost records that were judged.
        """
        began = time.monotonic()
        self._partition = TopicPartition(topic, partition)
        lane = self._lane
        epoch = None if lane is None else lane.epoch
        told = float("-inf")
        while True:
            # Asked again at each attempt: a standby may wait for months, and what it could have read then may be gone.
            begins = 0 if lane is None else await lane.first_offset(self._partition)
            if lane is not None and lane.epoch != epoch:
                return None
            try:
                ledger = self._take_up(begins)
            except StoreInUse as error:
                if lane is None:
                    raise
                if self._stale_lock_reaper is not None:
                    self._stale_lock_reaper.look(error.holder)
                if time.monotonic() - told >= TELL_SECONDS:
                    told = time.monotonic()
                    log.warning("standby_waits_for_the_file", agreement=self._agreement.id, reason=str(error))
            else:
                await self._check_last_read(self._partition, ledger, begins)
                if lane is not None and lane.epoch != epoch:
                    self._give_up()
                    return None
                log.info("ledger_leads", agreement=self._agreement.id, seconds=round(time.monotonic() - began, 3))
                return ledger.next_offset
            await asyncio.sleep(LOCK_SECONDS)

    async def _check_last_read(self, partition: TopicPartition, ledger: Ledger, log_begins: int) -> None:
        """Read the last fact once more: where it is gone, or another, the topic lost facts that were judged.

        A broker that lost the end of its log goes on counting where it ends now, under the same id. What is written
        up to the stored offset would never be read, and nobody would be told. A log that was deleted up to the stored
        offset, on purpose, has nothing to compare.
        """
        last = ledger.next_offset - 1
        if self._record_at is None or self._last_digest is None or log_begins > last:
            return
        found = await self._record_at(partition, last)
        if found is not None and fingerprint(found) == self._last_digest:
            return
        self._give_up()
        state = "is gone" if found is None else "is another one now"
        raise LogMismatch(
            f"{partition.topic}/{partition.partition}: the record at offset {last}, the last one read, {state}: the "
            "topic lost records that were judged, and what is written in their place would never be read",
            hint="nothing was changed, and the data folder alone holds what the topic lost: keep it. To miss nothing, "
            "begin with another topic prefix and an empty data folder and let the feeds publish again; with this topic "
            "and an empty data folder what is left of it is judged",
        )

    def _take_up(self, log_begins: int) -> Ledger:
        """Open the store and rebuild the ledger from its last commit."""
        self._give_up()
        store = self._store = self._open_store(log_begins)
        ledger = self._ledger = Ledger(self._agreement, self._earliest, self._staged)
        resumed = store.resume()
        ledger.resume(resumed)
        self._last_digest = resumed.last_digest
        if self._ticker is not None:
            self._ticker.begin()
        self.metrics.resumed(resumed.feeds, resumed.verdicts, resumed.gate)
        self._seen = SeenFilter()
        for hashes in store.key_hashes():
            self._seen.add(hashes)
        # Stopped between a commit and its copy, the last run may have left a copy that is behind.
        self._unpublished = store.new_epoch or ledger.next_offset > 0
        self._cadence.begin_anew()
        if (aside := store.set_aside) is not None:
            files = [str(path) for path in aside.files]
            log.warning("damaged_file_set_aside", files=files, why=aside.why, next_offset=aside.next_offset)
        if store.new_epoch:
            log.warning("new_epoch", agreement=self._agreement.id)
        log.info("ledger_resumed", agreement=self._agreement.id, next_offset=ledger.next_offset, now=resumed.now)
        return ledger

    def _give_up(self) -> None:
        """Drop what was not committed and release the file."""
        self._waiting, self._waiting_bytes = [], 0
        if self._store is not None:
            self._store.close()
            self._store = None
            self._ledger = None

    async def started(self, lane: Lane) -> None:
        """Called once, before the first batch."""
        self._lane = lane
        if self._ticker is not None:
            await self._ticker.start()

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go of the file when another ledger has the partition; ``resume`` opens it when this one has."""
        if self._partition not in partitions:
            self._give_up()
        if not partitions:
            log.info("stands_by", agreement=self._agreement.id)

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Another ledger takes over: what is not committed is its to read again."""
        self._give_up()

    async def stopped(self) -> None:
        """Commit and publish what is left, then release the file."""
        if self._store is not None:
            while self._waiting:
                await self._flush_some()
            if self._unpublished and await self._leads():
                self._publish()
        if self._ticker is not None:
            await self._ticker.stop()
        self._give_up()

    # -- facts

    async def handle(self, batch: Batch) -> None:
        """Take in one batch; fold and commit when it is time to."""
        if self._ledger is None:
            return
        if batch.records:
            if not self._waiting:
                self._waiting_since = time.monotonic()
            self._waiting.extend(batch.records)
            self._waiting_bytes += _bytes_of(batch.records)
            reached("ledger.read")
        facts_arrived = False
        while len(self._waiting) >= self._flush.records or self._waiting_bytes >= self._flush.bytes:
            facts_arrived |= await self._flush_some()
            if self._refused:
                # Perhaps another ledger leads: let that be told before the next flush.
                break
        if self._waiting and time.monotonic() - self._waiting_since >= self._flush.patience(self._flush_took):
            facts_arrived |= await self._flush_some()
        if self._unpublished and self._cadence.due(time.monotonic()) and await self._leads():
            self._publish()
        ticker = self._ticker
        if ticker is not None and ticker.due(facts_arrived=facts_arrived) and await self._leads():
            await ticker.tick(self._ledger.term, self._ledger.writer)

    async def _flush_some(self) -> bool:
        """Fold and commit the oldest records waiting; return whether any was more than a tick.

        Records wait unread: the store is asked about all their identities at once, and a rebalance drops nothing
        that was folded.
        """
        if self._store is None or self._ledger is None:
            raise LedgerStopped("facts are waiting while no store is open")
        began = time.monotonic()
        taken, self._waiting = self._waiting[: self._flush.records], self._waiting[self._flush.records :]
        self._waiting_bytes = _bytes_of(self._waiting)
        ledger = self._ledger
        first = ledger.next_offset
        entries = [read_entry(record) for record in taken if record.offset >= first]
        reached("ledger.decoded")
        priors = self._priors(ledger, self._store, entries)
        reached("ledger.asked")
        for entry in entries:
            ledger.fold(entry, priors)
        reached("ledger.folded")
        self._commit(ledger, self._store, taken[-1])
        self._unpublished = True
        self._waiting_since = time.monotonic()
        self._flush_took = self._waiting_since - began
        await self._tell(ledger)
        reached("ledger.told")
        return any(type(entry.fact) is not TickFact for entry in entries)

    async def _tell(self, ledger: Ledger) -> None:
        """Tell the group how far the store is, and note when it agreed: it refuses one that is no member any more."""
        if self._lane is not None and self._partition is not None:
            taken = await self._lane.commit({self._partition: ledger.next_offset})
            self._refused = not taken
            self._told = time.monotonic() if taken else float("-inf")

    async def _leads(self) -> bool:
        """Whether the group takes this ledger for the one that has the partition.

        A ledger that hung and wakes up does not know yet that another one took over. What it commits to its own file
        is what any ledger commits there; but a copy that says it was made just now would pass for the newest, and a
        tick would move time for everybody.
        """
        if self._lane is None or self._ledger is None:
            return True
        if time.monotonic() - self._told > TOLD_SECONDS:
            await self._tell(self._ledger)
        return time.monotonic() - self._told <= TOLD_SECONDS

    def _commit(self, ledger: Ledger, store: Store, last: Record) -> None:
        changes = ledger.drain()
        # Records read again after a seek may all lie before the last one committed.
        if last.offset + 1 == changes.next_offset:
            self._last_digest = fingerprint(last)
        changes.last_digest = self._last_digest
        self.metrics.rejected(changes.rejects)
        began = time.monotonic()
        store.commit(changes)
        self.metrics.committed(changes, time.monotonic() - began)
        for amended in changes.amendments:
            log.warning(
                "verdict_amended",
                region=amended.region,
                truce_day=amended.truce_day.isoformat(),
                version=amended.version,
                before=dict(zip(_FINDINGS, amended.before, strict=True)),
                after=dict(zip(_FINDINGS, amended.after, strict=True)),
                cause=json.loads(amended.cause),
            )

    def _priors(self, ledger: Ledger, store: Store, entries: list[Entry]) -> Mapping[tuple[str, str], Prior]:
        """Ask the store about the identities it may know; all are remembered."""
        reports = [entry for entry in entries if isinstance(entry.fact, facts.REPORT_FACTS)]
        hashes = np.fromiter((entry.key_hash for entry in reports), dtype=np.int64, count=len(reports))
        maybe = self._seen.maybe_seen(hashes)
        # Those sent again are in the filter: adding them once more would fill it with what it holds.
        self._seen.add(hashes[~maybe])
        wanted = ledger.unknown(reports[index] for index in np.flatnonzero(maybe))
        return store.priors(wanted)

    def _earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Answer the court from the store, after giving it the rows folded since the last commit."""
        if self._store is None or self._ledger is None:
            raise LedgerStopped("asked for evidence while no store is open")
        self._stage(self._ledger, self._store)
        return self._store.earliest(region, day, kinds, limit)

    def _staged(self) -> LinkingAnswers:
        """Answer linking from the store, after giving it the rows folded since the last commit."""
        if self._store is None or self._ledger is None:
            raise LedgerStopped("asked for partners while no store is open")
        self._stage(self._ledger, self._store)
        return self._store.linking()

    def _stage(self, ledger: Ledger, store: Store) -> None:
        self.metrics.rejected(ledger.changes.rejects)
        store.stage(ledger.changes)

    def unready(self) -> list[str]:
        """Return what keeps this ledger from committing; any thread may ask."""
        return (
            [] if self._store is not None else ["no store is open: another ledger has it, or this one is taking it up"]
        )

    def _publish(self) -> None:
        """Make the copy analysts open."""
        if self._store is None:
            return
        now = datetime.now(UTC)
        seconds = self._store.publish(now)
        self.metrics.published(now.timestamp(), seconds)
        self._cadence.published(time.monotonic(), seconds)
        self._unpublished = False
        log.debug("published", seconds=round(seconds, 3))


def _bytes_of(records: Sequence[Record]) -> int:
    return sum([len(record.value or b"") for record in records])


def read_entry(record: Record) -> Entry:
    """Read one record of the facts topic.

    Raises:
        FactUnreadable: it carries no readable fact header.
    """
    header = next((value for name, value in record.headers if name == facts.HEADER), None)
    if header is None:
        raise FactUnreadable(f"{record.topic} offset {record.offset}: no {facts.HEADER!r} header: who wrote it?")
    fact = facts.decode(header)
    key = key_hash(fact.feed, fact.report_id) if isinstance(fact, facts.REPORT_FACTS) else 0
    return Entry(record.offset, fact, record.value or b"", key)
