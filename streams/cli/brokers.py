"""Finding out quickly whether anybody answers at a broker's address, before anything is started against it."""

from __future__ import annotations

import socket

from schemas.errors import BrokerUnavailable, UsageError
from streams.settings import Settings, variable

_CONNECT_SECONDS = 3.0


def required_broker(settings: Settings, purpose: str) -> str:
    """Return the broker the settings name, known to be listening.

    Raises:
        UsageError: the settings name none.
        BrokerUnavailable: nobody listens at any of its addresses.
    """
    if settings.broker is None:
        raise UsageError(f"{purpose} needs a broker: give --broker kafka://HOST:PORT or set {variable('broker')}")
    knock(settings.broker)
    return settings.broker


def knock(broker: str) -> None:
    """Connect to the first of the broker's addresses that answers, and hang up.

    Raises:
        BrokerUnavailable: none answers within three seconds each.
    """
    faults: list[str] = []
    for address in broker.removeprefix("kafka://").split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            faults.append(f"{address} ({_reason(error)})")
        else:
            return
    raise BrokerUnavailable(f"no broker answers at {', '.join(faults)}")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return getattr(error, "strerror", None) or str(error)
