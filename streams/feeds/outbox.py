"""Sending an outbox, and reading what became of it.

The order, and the failure each step prevents:

1. Note where the receipts topic ends, before the first report. No receipt is read past.
2. Send drafts, and note them once the broker has them. A kill between sends them again.
3. Read receipts, and note them with the offset they were read up to. A kill between reads them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas.errors import BrokerUnavailable
from schemas.failpoints import reached
from schemas.topics import Topics
from sinks.outbox import Kept, Outbox
from streams.engine.admin import log_identity
from streams.engine.cluster import Broker
from streams.feeds.publish import Acknowledgement, publish
from streams.feeds.receipts import reading
from streams.feeds.recorded import Named, Recorded


async def send(outbox: Outbox, broker: Broker, topics: Topics, patience_seconds: float) -> int:
    """Send every draft; return how many the broker has acknowledged.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or went away on the way.
    """
    await _begin(outbox, broker, topics, patience_seconds)
    sent = 0
    for drafts in outbox.drafts():
        await publish(broker, topics, map(_named, drafts), _nothing, patience_seconds)
        reached("outbox.sent")
        outbox.sent([each.number for each in drafts])
        reached("outbox.noted")
        sent += len(drafts)
    return sent


async def watch(
    outbox: Outbox,
    broker: Broker,
    topics: Topics,
    show: Callable[[Kept], None],
    patience_seconds: float | None,
    broker_patience_seconds: float,
) -> None:
    """Read receipts and show each report that is told of, until the fate of all that was sent is known.

    Args:
        patience_seconds: how long the next receipt of these reports may take. None reads those that are there.
        broker_patience_seconds: how long the broker may be away.

    Raises:
        BrokerUnavailable: no receipt came for too long.
    """
    log, offset = await _begin(outbox, broker, topics, broker_patience_seconds)
    async with reading(broker, topics.receipts, patience_seconds=broker_patience_seconds, offset=offset) as reader:
        # The first end: receipts of others that come later are no sign of life of the ledger of these reports.
        end, heard = reader.end, time.monotonic()
        while reader.next_offset < end or (patience_seconds is not None and _waiting(outbox)):
            before = reader.next_offset
            found = await reader.more()
            reached("outbox.read")
            told = outbox.tell(found, log, reader.next_offset) if reader.next_offset > before else []
            for each in told:
                show(each)
            if told or before < end:
                heard = time.monotonic()
            elif patience_seconds is not None and time.monotonic() - heard >= patience_seconds:
                raise BrokerUnavailable(
                    f"{_waiting(outbox):,} reports were sent, and nobody told of them for {patience_seconds:g} s",
                    hint="`trucewatch outbox watch` goes on later; `outbox retry` and `outbox send` send them again",
                )


async def _begin(outbox: Outbox, broker: Broker, topics: Topics, patience_seconds: float) -> tuple[str, int]:
    """Return which log of receipts there is, and the offset to read it from."""
    async with reading(broker, topics.receipts, patience_seconds=patience_seconds) as reader:
        log = await log_identity(broker, topics.receipts)
        return log, outbox.begin_reading(log, reader.end)


def _waiting(outbox: Outbox) -> int:
    return outbox.counts().get("sent", 0)


def _named(kept: Kept) -> Named:
    return Named(kept.file, Recorded(kept.value, None, kept.kind, kept.line, kept.feed, kept.report_id))


def _nothing(_: Acknowledgement) -> None:
    """Take no notice: a batch is noted as a whole."""
