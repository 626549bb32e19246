"""Pages of receipts, of the feeds of one token."""

from __future__ import annotations

import asyncio
from time import monotonic

import msgspec

from schemas.errors import TrucewatchError
from schemas.receipts import Receipt
from schemas.topics import Topics
from streams.engine.cluster import Broker
from streams.feeds.receipts import reading
from streams.gateway.carrier import ANSWER_SECONDS, RETRY_SECONDS
from streams.gateway.problems import Problem, Refusal

#: Receipts after which a page ends, with the records read by then.
MOST_RECEIPTS = 1_000
#: How long the topic is read for one page.
_READING_SECONDS = 5.0
#: Pages read at once. Each is a consumer.
_AT_ONCE = 4


class Page(msgspec.Struct, frozen=True):
    """Page of receipts.

    Attributes:
        feed: whose they are.
        receipts: those found, oldest first.
        next: offset of the topic at which the next page begins.
        complete: whether there were no more when it was read.
    """

    feed: str
    receipts: list[Receipt]
    next: int
    complete: bool


class Pages:
    """Reader of pages, a few at once."""

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self._broker = broker
        self._topic = topics.receipts
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def page(self, feed: str, start: int) -> Page:
        """Return the receipts of a feed from an offset on.

        Raises:
            Refusal: the broker does not answer in time.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._free:
                return await self._read(feed, start)
        except (TrucewatchError, TimeoutError) as error:
            raise Refusal(Problem.BROKER_AWAY, "the receipts could not be read", RETRY_SECONDS) from error

    async def _read(self, feed: str, start: int) -> Page:
        until = monotonic() + _READING_SECONDS
        found: list[Receipt] = []
        async with reading(self._broker, self._topic, patience_seconds=ANSWER_SECONDS, offset=start) as reader:
            while reader.next_offset < reader.end and len(found) < MOST_RECEIPTS and monotonic() < until:
                found += [each for each in await reader.more() if each.feed == feed]
            return Page(feed, found, reader.next_offset, reader.next_offset >= reader.end)
