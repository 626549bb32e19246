"""Handler of one agreement's facts, which flushes them into DuckDB.

A flush is described in :mod:`streams.ledger.open_ledger`. The order around it:

1. Flush: rows and offset are on disk.
2. Commit the group's offset. The answer says whether this is still the group's ledger, which is its
   lease.
3. Publish the flush's receipts and verdicts.
4. Begin a copy, put a finished one in its place, and make a tick, when they are due and while the
   lease lasts. A copy is written beside the flushes that follow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import structlog
from aiokafka import TopicPartition

from schemas.agreement import Agreement
from schemas.chunks import count_of
from schemas.errors import LogMismatch, StoreInUse
from schemas.failpoints import reached
from sinks.publishing import Cadence
from sinks.store import Store
from streams.engine.lane import Batch, Lane, Record, fingerprint
from streams.ledger.core.pieces import Pieces
from streams.ledger.metrics import LedgerMetrics
from streams.ledger.open_ledger import OpenLedger
from streams.ledger.receipts import LedgerReceipts
from streams.ledger.stale_lock_reaper import StaleLockReaper
from streams.ledger.ticker import Ticker
from streams.ledger.verdicts import LedgerVerdicts

log = structlog.get_logger(__name__)

#: Under load records linger at most this many times as long as without load.
LONGEST_LINGER = 25.0
#: How often a standby tries a file that another process holds, and how often it says so.
LOCK_SECONDS, LOG_SECONDS = 0.25, 30.0
#: How long an offset accepted by the group counts as a lease on the partition.
LEASE_SECONDS = 1.0
#: How long a flush works before the event loop gets its turn.
PIECE_SECONDS = 0.05
#: Records linger within the handler for at most so long. The idle batch ends a longer linger.
LINGER_HERE_SECONDS = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class FlushRules:
    """Rules for when waiting records are flushed.

    With one batch of the lane more, facts and bytes are all that ever waits in memory, however slow
    the disk.

    Attributes:
        records: flush at so many facts. A chunk of them is never cut, so the last one may go beyond.
        seconds: how long the first fact lingers without load.
        bytes: flush at so many.
    """

    records: int = 20_000
    seconds: float = 0.03
    bytes: int = 64 * 1_048_576

    def linger(self, last_took: float) -> float:
        """Return the linger in seconds, given those of the last flush.

        A flush has a fixed cost. Under load, wait a quarter as long as the last flush took, so that
        more records share it. Those that came during that flush have waited already.
        """
        return min(max(self.seconds, last_took / 4), LONGEST_LINGER * self.seconds)


class LedgerHandler:
    """Handler of one agreement's facts topic.

    Args:
        open_store: opens the store, given the first offset the log still holds. It is called when
            the partition is assigned, so that a standby holds no lock.
        cadence: when to publish a copy.
        ticker: publishes ticks in a live deployment. None in a replay, which carries its own.
        record_at: asks the broker for the record at an offset. None where there is no broker.
        stale_lock_reaper: ends a stopped process that holds the file this ledger waits for. None to
            wait only.
        receipts: tell feeds what became of their reports. None in a replay.
        verdicts: tell everybody how each day stands. None in a replay.
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
        receipts: LedgerReceipts | None = None,
        verdicts: LedgerVerdicts | None = None,
    ) -> None:
        self.metrics = LedgerMetrics()
        self._agreement = agreement
        self._open_store = open_store
        self._cadence = cadence
        self._flush_rules = flush
        self._ticker = ticker
        self._record_at = record_at
        self._stale_lock_reaper = stale_lock_reaper
        self._receipts = receipts
        self._verdicts = verdicts
        self._lane: Lane | None = None
        self._partition: TopicPartition | None = None
        self._open: OpenLedger | None = None
        self._waiting: list[Record] = []
        self._waiting_facts = self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._flush_took = 0.0
        self._unpublished = False
        #: When the group last accepted an offset, on the monotonic clock, which runs on while the
        #: process hangs.
        self._lease_began = float("-inf")
        self._refused = False

    # -- life cycle

    async def started(self, lane: Lane) -> None:
        """Keep the lane and connect the ticker, before the first batch."""
        self._lane = lane
        for each in (self._ticker, self._receipts, self._verdicts):
            if each is not None:
                await each.start()

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Release the file when another ledger has the partition.

        ``resume`` opens it when this one has.
        """
        if self._partition not in partitions:
            self._give_up()
        if not partitions:
            log.info("stands_by", agreement=self._agreement.id)

    async def resume(self, topic: str, partition: int) -> int | None:
        """Open the store and return the offset to read from.

        A ledger that hung loses its partition and still holds the file. This one waits until the
        file is released. It returns None when the partition was revoked meanwhile, or the process
        is to end.

        Raises:
            StoreInUse: outside a consumer group, where nobody else is expected to have the file.
            LogMismatch: the topic lost records that were judged.
        """
        began = time.monotonic()
        here = self._partition = TopicPartition(topic, partition)
        lane = self._lane
        epoch = None if lane is None else lane.epoch
        logged = float("-inf")
        while True:
            # Asked again at each attempt: a standby may wait for months, and what it could have
            # read then may be gone.
            begins = 0 if lane is None else await lane.first_offset(here)
            if lane is not None and lane.epoch != epoch:
                return None
            try:
                opened = self._take_up(begins)
            except StoreInUse as error:
                if lane is None:
                    raise
                if self._stale_lock_reaper is not None:
                    self._stale_lock_reaper.look(error.holder)
                if time.monotonic() - logged >= LOG_SECONDS:
                    logged = time.monotonic()
                    log.warning("standby_waits_for_the_file", agreement=self._agreement.id, reason=str(error))
            else:
                await self._check_last_read(here, opened, begins)
                if lane is not None and lane.epoch != epoch:
                    self._give_up()
                    return None
                await self._tell()
                log.info("ledger_leads", agreement=self._agreement.id, seconds=round(time.monotonic() - began, 3))
                return opened.next_record
            await asyncio.sleep(LOCK_SECONDS)

    async def revoked(self, _partitions: Sequence[TopicPartition]) -> None:
        """Release the file to the ledger that takes over.

        That ledger reads again from the last commit.
        """
        self._give_up()

    async def stopped(self) -> None:
        """Commit and publish what is left, then release the file."""
        opened = self._open
        if opened is not None:
            while self._waiting:
                await self._flush(opened)
            if opened.copying and await self._leads(opened):
                self._publish(opened)
            if self._unpublished and await self._begin_copy(opened):
                self._publish(opened)
        for each in (self._ticker, self._receipts, self._verdicts):
            if each is not None:
                await each.stop()
        self._give_up()

    def unready(self) -> list[str]:
        """Return what keeps this ledger from committing; any thread may ask."""
        return (
            [] if self._open is not None else ["no store is open: another ledger has it, or this one is taking it up"]
        )

    def _take_up(self, log_begins: int) -> OpenLedger:
        """Open the store and rebuild the ledger from its last commit."""
        self._give_up()
        store = self._open_store(log_begins)
        try:
            opened = OpenLedger(self._agreement, store, self.metrics, self._receipts, self._verdicts)
        except BaseException:
            store.close()
            raise
        self._open = opened
        if self._ticker is not None:
            self._ticker.begin()
        # Stopped between a commit and its copy, the last run may have left a copy that is behind.
        self._unpublished = store.new_epoch or opened.ledger.next_offset > 0
        self._cadence.begin_anew()
        return opened

    async def _check_last_read(self, partition: TopicPartition, opened: OpenLedger, log_begins: int) -> None:
        """Compare the last record read with the log.

        The log may have lost its end. It then goes on counting where it ends now, under the same
        id, and facts written up to the stored offset would never be read. A log deleted up to the
        stored offset on purpose has nothing to compare.
        """
        last = opened.next_record - 1
        if self._record_at is None or opened.last_digest is None or log_begins > last:
            return
        found = await self._record_at(partition, last)
        if found is not None and fingerprint(found) == opened.last_digest:
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

    def _give_up(self) -> None:
        """Drop everything not committed and release the file."""
        self._keep([])
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    # -- batches

    async def handle(self, batch: Batch) -> None:
        """Take in one batch; flush, publish and tick when each is due."""
        opened = self._open
        if opened is None:
            return
        if batch.records:
            if not self._waiting:
                self._waiting_since = time.monotonic()
            self._keep([*self._waiting, *batch.records])
            reached("ledger.read")
        rules, facts_arrived = self._flush_rules, False
        while self._waiting_facts >= rules.records or self._waiting_bytes >= rules.bytes:
            facts_arrived |= await self._flush(opened)
            if self._refused:
                # Perhaps another ledger leads: let the group say so before the next flush.
                break
        if self._waiting and await self._lingered():
            facts_arrived |= await self._flush(opened)
        if opened.copied() and await self._leads(opened):
            self._publish(opened)
        if self._unpublished and not opened.copying and self._cadence.due(time.monotonic()):
            await self._begin_copy(opened)
        ticker = self._ticker
        if ticker is not None and ticker.due(facts_arrived=facts_arrived) and await self._leads(opened):
            await ticker.tick(opened.ledger.term, opened.ledger.writer)

    async def _lingered(self) -> bool:
        """Return whether the waiting records lingered long enough, and no others are at hand."""
        left = self._waiting_since + self._flush_rules.linger(self._flush_took) - time.monotonic()
        if 0 < left <= LINGER_HERE_SECONDS:
            await asyncio.sleep(left)
            left = 0
        return left <= 0 and (self._lane is None or not self._lane.more)

    async def _flush(self, opened: OpenLedger) -> bool:
        """Flush the oldest waiting records; return whether any is no tick.

        Records wait unread. The store is asked about all their identities at once, and a rebalance
        drops nothing that was folded.
        """
        began = time.monotonic()
        facts = accumulate(count_of(record.headers) for record in self._waiting)
        taken = 1 + sum(1 for together in facts if together < self._flush_rules.records)
        records = self._waiting[:taken]
        self._keep(self._waiting[taken:])
        try:
            facts_arrived = await self._in_pieces(opened.flushing(records))
        except BaseException:
            # Called off in the middle, or failed: what is half folded must never be committed.
            self._give_up()
            raise
        self._unpublished = True
        self._waiting_since = time.monotonic()
        self._flush_took = self._waiting_since - began
        await self._renew_lease(opened)
        reached("ledger.told")
        await self._tell()
        return facts_arrived

    async def _tell(self) -> None:
        """Publish the receipts and verdicts of the last commit."""
        if self._receipts is not None:
            await self._receipts.publish()
        if self._verdicts is not None and not self._refused:
            await self._verdicts.publish()
            reached("verdicts.told")

    async def _in_pieces(self, pieces: Pieces[T]) -> T:
        """Run a flush piece by piece, and let the event loop run every ``PIECE_SECONDS``.

        Heartbeats, probes and the Kafka client go on while thousands of days are judged.
        """
        since = time.monotonic()
        try:
            while True:
                next(pieces)
                if time.monotonic() - since >= PIECE_SECONDS:
                    if self._lane is not None:
                        self._lane.pieces += 1
                    await asyncio.sleep(0)
                    since = time.monotonic()
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            pieces.close()

    async def _renew_lease(self, opened: OpenLedger) -> None:
        """Commit the group's offset, which renews the lease.

        The group refuses a ledger that is no member any more.
        """
        if self._lane is not None and self._partition is not None:
            accepted = await self._lane.commit({self._partition: opened.next_record})
            self._refused = not accepted
            self._lease_began = time.monotonic() if accepted else float("-inf")

    async def _leads(self, opened: OpenLedger) -> bool:
        """Return whether this ledger holds the lease on the partition.

        A ledger that hung and wakes up does not know yet that another one took over. Its commits to
        its own file are those of any ledger. But its copy would claim to be the newest, and its
        tick would move time for everybody.
        """
        if self._lane is None:
            return True
        if time.monotonic() - self._lease_began > LEASE_SECONDS:
            await self._renew_lease(opened)
        return time.monotonic() - self._lease_began <= LEASE_SECONDS

    async def _begin_copy(self, opened: OpenLedger) -> bool:
        """Begin a copy while the lease lasts; return whether it was begun."""
        if not await self._leads(opened):
            return False
        opened.begin_copy()
        self._unpublished = False
        return True

    def _publish(self, opened: OpenLedger) -> None:
        """Put the copy that was begun in the place of the earlier one, once it is written."""
        seconds = opened.publish()
        self._cadence.published(time.monotonic(), seconds)

    def _keep(self, waiting: list[Record]) -> None:
        """Let these records wait, and no others."""
        self._waiting = waiting
        self._waiting_facts = sum([count_of(record.headers) for record in waiting])
        self._waiting_bytes = sum([len(record.value or b"") for record in waiting])
