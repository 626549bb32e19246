"""Finding out quickly whether a cluster takes this client, before anything is started against it."""

from __future__ import annotations

import asyncio

from schemas.errors import UsageError
from streams.engine.cluster import Cluster
from streams.engine.greeting import greet
from streams.security import cluster
from streams.settings import Settings, variable


def required_broker(settings: Settings, purpose: str) -> Cluster:
    """Return the cluster the settings name, known to take this client.

    Raises:
        UsageError: the settings name none, or cannot be used.
        BrokerRefused: a broker answers, and does not take this client.
        BrokerUnavailable: nobody answers at any of its addresses.
    """
    if settings.broker is None:
        raise UsageError(f"{purpose} needs a broker: give --broker kafka://HOST:PORT or set {variable('broker')}")
    return knock(settings)


def knock(settings: Settings) -> Cluster:
    """Return the cluster the settings name, once it took this client.

    Raises:
        UsageError: the settings cannot be used.
        BrokerRefused: a broker answers, and does not take this client.
        BrokerUnavailable: nobody answers at any of its addresses.
    """
    named = cluster(settings)
    asyncio.run(greet(named))
    return named
