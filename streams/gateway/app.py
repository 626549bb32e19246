"""Composition root of the gateway, from its settings to a server that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple

import structlog

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from streams.engine.cluster import Broker
from streams.engine.http import BoundedServer, listening
from streams.engine.metrics import registry_of
from streams.engine.one_loop import Pulse, beside, told_to_stop, until
from streams.engine.probes import Probes
from streams.gateway.answers import Answers, Limits
from streams.gateway.carrier import Carrier
from streams.gateway.limits import Rate
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.receipts import Pages
from streams.gateway.tls import Identity, identity_of
from streams.gateway.tokens import Tokens
from streams.gateway.turns import Turns
from streams.intake.examine import Examiner, examiner_of
from streams.settings import Settings, variable

log = structlog.get_logger(__name__)


class Parts(NamedTuple):
    """Parts of the gateway that its files tell."""

    tokens: Tokens
    examiners: list[Examiner]
    identity: Identity | None


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
    tokens = Tokens(settings.gateway_tokens)
    examiners = [examiner_of(load_agreement(each.agreement), each.boundaries) for each in served]
    return Parts(tokens, examiners, identity_of(settings))


async def run_gateway(settings: Settings, broker: Broker, parts: Parts) -> None:
    """Run the gateway until it is told to stop, then let the requests at work end.

    Raises:
        UsageError: an address cannot be listened on.
    """
    told = told_to_stop()
    topics = settings.topics
    carrier, pulse = Carrier(broker, topics), Pulse(settings.stall_seconds)
    metrics = GatewayMetrics(carrier.reachability)
    probes = _probes(settings, pulse, carrier, metrics, told)
    identity, always = parts.identity, [carrier.run(), pulse.beat()]
    async with beside(*always, *([identity.watch()] if identity else [])) as tasks:
        with ThreadPoolExecutor(1, "checks") as executor, probes.serving() if probes else nullcontext():
            answers = Answers(
                parts.tokens,
                Rate(settings.gateway_rate),
                Limits(settings.gateway_body_bytes, settings.gateway_records),
                parts.examiners,
                carrier,
                Pages(broker, topics),
                metrics,
                Turns(executor),
            )
            tls = None if identity is None else lambda: identity.context
            server = BoundedServer(answers.answer, answers.excuse)
            async with listening(server, "gateway", settings.gateway_address, tls) as address:
                log.info("gateway_serves", address=address)
                await until(told, tasks)
                log.info("gateway_drains")


def _probes(
    settings: Settings, pulse: Pulse, carrier: Carrier, metrics: GatewayMetrics, told: asyncio.Event
) -> Probes | None:
    if settings.health_address is None:
        return None

    def unready() -> list[str]:
        stopping = ["the gateway is stopping"] if told.is_set() else []
        away = [] if carrier.is_connected else ["there is no connection to the broker"]
        return stopping + away

    return Probes(settings.health_address, pulse, unready, registry_of(metrics))
