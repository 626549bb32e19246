"""Publishing that waits until the fate of every report is known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from schemas.errors import BrokerUnavailable
from schemas.receipts import Receipt, digest_of
from schemas.topics import Topics
from streams.engine.cluster import Broker
from streams.feeds.publish import Acknowledgement, Published, publish
from streams.feeds.receipts import ReceiptReader, reading
from streams.feeds.recorded import Named


class Fates:
    """Fates of the reports of one command, as one agreement's receipts tell them.

    Args:
        show: called with each receipt as it comes.
        agreement: id of the agreement that is waited for.
        patience_seconds: how long the next receipt may take.

    Attributes:
        outcomes: how many reports met each outcome.
        waiting: reports by the fingerprint of their bytes, as often as each was sent and not told of.
    """

    def __init__(self, show: Callable[[Receipt], None], agreement: str, patience_seconds: float) -> None:
        self._show = show
        self._agreement = agreement
        self._patience_seconds = patience_seconds
        self.outcomes: Counter[str] = Counter()
        self.waiting: Counter[str] = Counter()

    def sending(self, reports: Iterable[Named]) -> Iterator[Named]:
        """Yield reports on their way to the broker, and wait for their receipts from now on."""
        for each in reports:
            self.waiting[digest_of(each.report.value)] += 1
            yield each

    def tell(self, receipt: Receipt) -> None:
        """Take in a receipt; those of other reports, and those that come again, are passed over."""
        if receipt.agreement != self._agreement or self.waiting[receipt.digest] <= 0:
            return
        self.waiting[receipt.digest] -= 1
        self.outcomes[receipt.outcome] += 1
        self._show(receipt)

    async def all_told(self, reader: ReceiptReader) -> None:
        """Wait for the receipts of all that was sent.

        Raises:
            BrokerUnavailable: none of theirs came for too long.
        """
        # Receipts of others that came while reports were sent are read first, and cost no patience.
        await reader.look_for_end()
        end, heard = reader.end, time.monotonic()
        while left := self.waiting.total():
            behind = reader.next_offset < end
            for each in await reader.more():
                self.tell(each)
            if behind or self.waiting.total() < left:
                heard = time.monotonic()
            elif time.monotonic() - heard >= self._patience_seconds:
                raise BrokerUnavailable(
                    f"the broker has all reports, and nobody told of {left:,} of them for "
                    f"{self._patience_seconds:g} s: intake or the ledger of {self._agreement} is not at work",
                    hint="`trucewatch receipts FEED` tells of them later; sending again is harmless",
                )


async def publish_and_wait(
    broker: Broker,
    topics: Topics,
    reports: Iterable[Named],
    acknowledged: Callable[[Acknowledgement], None],
    fates: Fates,
    patience_seconds: float,
) -> Published:
    """Publish reports as ``publish`` does, then wait for their receipts.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or nobody tells of the reports.
    """
    # From before the first report: a ledger may be faster than this process.
    async with reading(broker, topics.receipts, patience_seconds=patience_seconds) as reader:
        done = await publish(broker, topics, fates.sending(reports), acknowledged, patience_seconds)
        await fates.all_told(reader)
    return done
