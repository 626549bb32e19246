"""Delivery of events to one receiver, in order, at least once.

An event is sent until it is answered with 2xx, whatever else is answered. So a receiver misses
nothing while it is down, answers with errors or has another secret. Requests are signed as Standard
Webhooks has it.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import structlog

from schemas.events import CONTENT_TYPE
from schemas.failpoints import reached
from schemas.receivers import Receiver
from sinks.notify_log import Noted, NotifyLog

log = structlog.get_logger(__name__)

#: How long a receiver may take to answer, its connection included.
ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Backoff:
    """Pauses between attempts, doubled from the first up to the longest."""

    first_seconds: float = 1.0
    longest_seconds: float = 300.0

    def pause(self, failures: int) -> float:
        """Return the pause after so many failures; half of it is drawn, so that senders spread."""
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, 32))
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def signed(key: bytes, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a request, as Standard Webhooks names them."""
    content = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def session() -> aiohttp.ClientSession:
    """Return the client of all receivers: it follows nothing, keeps no cookie and unpacks no answer."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Content-Type": CONTENT_TYPE, "User-Agent": "trucewatch"},
    )


class Delivery:
    """Delivery to one receiver.

    Attributes:
        attempts: of requests, by outcome.
        head_since: since when the event that is next has been noted, of the wall clock; None when there is none.
    """

    def __init__(
        self, receiver: Receiver, notify_log: NotifyLog, client: aiohttp.ClientSession, backoff: Backoff
    ) -> None:
        self.receiver = receiver
        self.attempts: Counter[str] = Counter({"delivered": 0, "failed": 0})
        self.head_since: float | None = None
        self._log = notify_log
        self._client = client
        self._backoff = backoff
        self._more = asyncio.Event()

    def wake(self) -> None:
        """Look for events: some were noted."""
        self._more.set()

    async def run(self) -> None:
        """Deliver what is noted, until cancelled."""
        while True:
            self._more.clear()
            event = self._log.next(self.receiver)
            if event is None:
                self.head_since = None
                self._log.pass_over(self.receiver)
                await self._more.wait()
                continue
            self.head_since = event.noted_at
            await self._deliver(event)
            reached("notify.delivered")
            self._log.taken(self.receiver, event.number)

    async def _deliver(self, event: Noted) -> None:
        failures = 0
        while (why := await self._attempt(event)) is not None:
            failures += 1
            self.attempts["failed"] += 1
            pause = self._backoff.pause(failures)
            log.warning(
                "receiver_did_not_take_an_event",
                receiver=self.receiver.name,
                id=event.id,
                why=why,
                attempts=failures,
                again_in_seconds=round(pause, 1),
            )
            await asyncio.sleep(pause)
        self.attempts["delivered"] += 1

    async def _attempt(self, event: Noted) -> str | None:
        """Send an event once; return why it was not taken, None when it was."""
        headers: Mapping[str, str] = signed(self.receiver.key, event.id, int(time.time()), event.body)
        try:
            request = self._client.post(self.receiver.url, data=event.body, headers=headers, allow_redirects=False)
            async with request as answer:
                status = answer.status
                # What it says is not read, and its end not waited for.
                answer.close()
        except TimeoutError:
            return f"no answer within {ANSWER_SECONDS:.0f} s"
        except (aiohttp.ClientError, OSError) as error:
            # Not the address, which may be a secret.
            return f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}".strip()
        return None if 200 <= status < 300 else f"answered with {status}"
