"""Composition root of the gateway, from its settings to a server that runs."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import structlog

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from streams.engine.cluster import Broker
from streams.engine.metrics import registry_of
from streams.engine.probes import Probes
from streams.gateway.answers import Answers, Limits
from streams.gateway.carrier import Carrier
from streams.gateway.limits import Rate
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.receipts import Pages
from streams.gateway.server import Server, listening
from streams.gateway.tokens import Tokens
from streams.intake.examine import Examiner
from streams.security import load_identity
from streams.settings import Settings, variable

log = structlog.get_logger(__name__)

_TICK_SECONDS = 0.25
#: How often the certificate's file is looked at.
_RENEWAL_SECONDS = 30.0


class _Pulse:
    """Sign of life of the event loop, for the probes."""

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self._ticked_at = monotonic()

    def silent_seconds(self) -> float:
        """Return the seconds since the loop ran."""
        return monotonic() - self._ticked_at

    async def beat(self) -> None:
        """Tick until cancelled."""
        while True:
            self._ticked_at = monotonic()
            await asyncio.sleep(_TICK_SECONDS)


class Parts(NamedTuple):
    """Parts of the gateway that its files tell."""

    tokens: Tokens
    examiners: list[Examiner]
    tls: ssl.SSLContext | None


def read_files(served: Sequence[Settings]) -> Parts:
    """Return the parts for these agreements' settings.

    Raises:
        UsageError: a setting is missing or wrong, or a file cannot be used.
    """
    settings = served[0]
    if settings.gateway_tokens is None:
        raise UsageError(
            f"the gateway needs tokens: give --tokens FILE or set {variable('gateway_tokens')}",
            "`trucewatch gateway token FEED --tokens FILE` makes the first",
        )
    return Parts(Tokens(settings.gateway_tokens), [_examiner(each) for each in served], tls_context(settings))


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context of the server; None where it speaks in the clear.

    Raises:
        UsageError: it would do so beyond loopback and nobody said so, or a file cannot be used.
    """
    if settings.gateway_certfile is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_identity(context, settings, "gateway_")
        return context
    for name in ("gateway_keyfile", "gateway_key_password_file"):
        if getattr(settings, name) is not None:
            raise UsageError(f"{variable(name)} is set, but {variable('gateway_certfile')} is not")
    if not settings.gateway_in_clear and not _is_loopback(settings.gateway_address):
        raise UsageError(
            f"the gateway would send tokens in the clear at {settings.gateway_address}",
            f"set {variable('gateway_certfile')}, listen on 127.0.0.1, or give --in-clear behind a proxy with TLS",
        )
    return None


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _examiner(settings: Settings) -> Examiner:
    agreement = load_agreement(settings.agreement)
    return Examiner([agreement], load_gazetteer(agreement.gazetteer, settings.boundaries), "clock")


async def run_gateway(settings: Settings, broker: Broker, parts: Parts) -> None:
    """Run the gateway until it is told to stop, then let the requests at work end.

    Raises:
        UsageError: an address cannot be listened on.
    """
    told = _told_to_stop()
    topics = Topics(settings.topic_prefix, settings.partitions)
    carrier, pulse = Carrier(broker, topics), _Pulse(settings.stall_seconds)
    metrics = GatewayMetrics(carrier.reachability)
    probes = _probes(settings, pulse, carrier, metrics, told)
    beside = [asyncio.create_task(each) for each in (carrier.run(), pulse.beat(), _renewed(settings, parts.tls))]
    try:
        with ThreadPoolExecutor(1, "checks") as executor, probes.serving() if probes else nullcontext():
            answers = Answers(
                parts.tokens,
                Rate(settings.gateway_rate),
                Limits(settings.gateway_body_bytes, settings.gateway_records),
                parts.examiners,
                carrier,
                Pages(broker, topics),
                metrics,
                executor,
            )
            async with listening(Server(answers.answer), settings.gateway_address, parts.tls) as address:
                log.info("gateway_serves", address=address)
                ends = [asyncio.create_task(told.wait()), *beside]
                ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                log.info("gateway_drains")
                # None of those beside ends by itself, but by a fault: then so does the process.
                for each in ended:
                    each.result()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def _told_to_stop() -> asyncio.Event:
    """Return what the first signal sets; a second one ends the process at once."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        told.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    return told


def _probes(
    settings: Settings, pulse: _Pulse, carrier: Carrier, metrics: GatewayMetrics, told: asyncio.Event
) -> Probes | None:
    if settings.health_address is None:
        return None

    def unready() -> list[str]:
        stopping = ["the gateway is stopping"] if told.is_set() else []
        away = [] if carrier.is_connected else ["there is no connection to the broker"]
        return stopping + away

    return Probes(settings.health_address, pulse, unready, registry_of(metrics))


async def _renewed(settings: Settings, tls: ssl.SSLContext | None) -> None:
    """Load the certificate again when its file has changed, for connections to come."""
    files = [each for each in (settings.gateway_certfile, settings.gateway_keyfile) if each is not None]
    known = _changed_at(files)
    while True:
        await asyncio.sleep(_RENEWAL_SECONDS)
        if tls is None or (now := _changed_at(files)) == known:
            continue
        known = now
        try:
            load_identity(tls, settings, "gateway_")
        except UsageError as error:
            log.warning("certificate_not_read", reason=str(error), hint="the one read before holds on")
        else:
            log.info("certificate_read")


def _changed_at(files: Sequence[Path]) -> list[int]:
    found = []
    for each in files:
        with suppress(OSError):
            found.append(each.stat().st_mtime_ns)
    return found
