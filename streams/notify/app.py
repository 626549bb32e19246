"""Notifier of one agreement: it follows the published copy, and tells receivers what is new."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from schemas import failpoints
from schemas.errors import StoreFull, TrucewatchError
from schemas.receivers import Receivers
from sinks.news import BEGINNING
from sinks.notify_log import NotifyLog
from sinks.publishing import Signature, signature_of
from streams.engine.metrics import registry_of
from streams.engine.one_loop import Pulse, beside, told_to_stop, until
from streams.engine.probes import Probes
from streams.notify.delivery import Backoff, Delivery, session
from streams.notify.metrics import NotifyMetrics
from streams.notify.news import News, read_news, stalled_event, stalled_key
from streams.settings import Settings

log = structlog.get_logger(__name__)

#: How often the copy is looked at, and how much longer it is left alone than reading it took.
_LOOK_SECONDS, _REST = 1.0, 9.0


class Follower:
    """Follower of a published copy, which notes what is new.

    Where nothing was published yet all is news. Else what was published before the first look is none.

    Attributes:
        fault: why the copy cannot be read.
    """

    def __init__(self, path: Path, rules: Receivers, notify_log: NotifyLog, deliveries: Sequence[Delivery]) -> None:
        self.fault: str | None = None
        self._path = path
        self._rules = rules
        self._log = notify_log
        self._deliveries = deliveries
        self._seen: Signature | None = None
        self._agreement = ""
        self._published_at: datetime | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._log.position() is None and signature_of(self._path) is None:
            self._log.note([], BEGINNING, ())
        while True:
            began = time.monotonic()
            await self._look()
            self._look_at_age(datetime.now(UTC))
            await asyncio.sleep(max(_LOOK_SECONDS, _REST * (time.monotonic() - began)))

    async def _look(self) -> None:
        signature = signature_of(self._path)
        if signature is None or signature == self._seen:
            return
        after = self._log.position()
        try:
            found = await asyncio.to_thread(read_news, self._path, after or BEGINNING, self._rules)
        except StoreFull:
            raise
        except TrucewatchError as error:
            if self.fault != str(error):
                log.warning("copy_cannot_be_read", reason=str(error))
            self.fault = str(error)
            return
        self.fault, self._seen = None, signature
        self._agreement, self._published_at = found.agreement, found.published_at
        if after is None:
            self._log.note([], found.position, found.conditions)
        else:
            self._note(found)

    def _note(self, found: News) -> None:
        before = self._log.conditions()
        begun = [each for key, each in found.conditions.items() if key not in before]
        still = before & {stalled_key(found.published_at)}
        if self._log.note([*found.events, *begun], found.position, found.conditions.keys() | still):
            self._wake()

    def _look_at_age(self, now: datetime) -> None:
        """Note that the copy has grown too old, once."""
        published_at, limit = self._published_at, self._rules.stalled_seconds
        if published_at is None or now - published_at <= timedelta(seconds=limit):
            return
        key, before = stalled_key(published_at), self._log.conditions()
        if key not in before:
            told = stalled_event(self._agreement, published_at, limit)
            self._log.note([told], self._log.position() or BEGINNING, before | {key})
            self._wake()

    def _wake(self) -> None:
        for each in self._deliveries:
            each.wake()


async def run_notify(settings: Settings, agreement: str, copy: Path, rules: Receivers, backoff: Backoff) -> None:
    """Follow a published copy and tell receivers, until told to stop.

    Raises:
        StoreUnavailable: another one sends already, or the log cannot be used.
        StoreFull: the disk is full.
        UsageError: the probes' address cannot be listened on.
    """
    failpoints.arm(settings.failpoint)
    told, pulse = told_to_stop(), Pulse(settings.stall_seconds)
    with closing(NotifyLog.open(copy.parent)) as notify_log, notify_log.sending():
        notify_log.join([each.name for each in rules.receivers])
        async with session() as client:
            deliveries = [Delivery(each, notify_log, client, backoff) for each in rules.receivers]
            follower = Follower(copy, rules, notify_log, deliveries)
            probes = _probes(settings, pulse, follower, NotifyMetrics(agreement, deliveries))
            with probes.serving() if probes else nullcontext():
                log.info("notifying", agreement=agreement, receivers=[each.name for each in rules.receivers])
                async with beside(pulse.beat(), follower.run(), *(each.run() for each in deliveries)) as tasks:
                    await until(told, tasks)


def _probes(settings: Settings, pulse: Pulse, follower: Follower, metrics: NotifyMetrics) -> Probes | None:
    if settings.health_address is None:
        return None

    def unready() -> list[str]:
        return [] if follower.fault is None else [follower.fault]

    return Probes(settings.health_address, pulse, unready, registry_of(metrics))
