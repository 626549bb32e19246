"""Health of the workers, from the ``/metrics`` of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout
from prometheus_client.parser import text_string_to_metric_families

from streams.page.render import fragment

#: How often each worker is asked, and how long it may take.
_POLL_SECONDS, _ANSWER_SECONDS = 5.0, 2.0
_LAG = "trucewatch_consumer_lag_"


class WorkerHealth(NamedTuple):
    """What one worker says of itself.

    Attributes:
        at_work: whether records are assigned to it; a standby has none.
        lag_records: records that wait for it.
        lag_seconds: how long the oldest of them waits.
        commit_seconds: mean duration of its commits; None where it commits none to the file.
        fault: why nothing is known of it; None where it answered.
    """

    address: str
    role: str = "worker"
    at_work: bool = False
    lag_records: int = 0
    lag_seconds: float = 0.0
    commit_seconds: float | None = None
    fault: str | None = None


class Workers:
    """Workers that are asked for their metrics, again and again.

    Attributes:
        addresses: base addresses of their probes; another list takes effect at the next look.
        shown: the part of the overview that tells what each said last.
    """

    def __init__(self, addresses: Sequence[str] = ()) -> None:
        self.addresses = tuple(addresses)
        self.shown: str = fragment("workers", ())
        self._answered: dict[str, float] = {}

    def move(self, line: str) -> None:
        """Take the addresses that a line names from now on."""
        self.addresses = tuple(line.split())

    async def watch(self) -> None:
        """Ask until cancelled."""
        async with ClientSession(timeout=ClientTimeout(total=_ANSWER_SECONDS)) as client:
            while True:
                await self.look(client)
                await asyncio.sleep(_POLL_SECONDS)

    async def look(self, client: ClientSession) -> None:
        """Ask each worker once."""
        self.shown = fragment("workers", await asyncio.gather(*(self._ask(client, each) for each in self.addresses)))

    async def _ask(self, client: ClientSession, address: str) -> WorkerHealth:
        now = time.monotonic()
        try:
            async with client.get(f"{address}/metrics", allow_redirects=False) as answer:
                answer.raise_for_status()
                health = health_of(address, await answer.text())
        except (ClientError, TimeoutError, ValueError) as error:
            since = self._answered.get(address)
            known = "" if since is None else f" for {now - since:.0f} s"
            reason = getattr(error, "strerror", None) or str(error) or "it takes too long"
            return WorkerHealth(address, fault=f"does not answer{known}: {reason}")
        self._answered[address] = now
        return health


def health_of(address: str, text: str) -> WorkerHealth:
    """Return what a worker's metrics say.

    Raises:
        ValueError: they are no metrics, or none of a worker's.
    """
    values: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values.setdefault(sample.name, []).append((sample.labels, sample.value))
    if "trucewatch_build_info" not in values:
        raise ValueError("it is no worker of trucewatch")
    commits = "trucewatch_sink_commit_duration_seconds"
    ((_, count),) = values.get(f"{commits}_count", [({}, 0.0)])
    ((_, seconds),) = values.get(f"{commits}_sum", [({}, 0.0)])
    waiting = [value for _, value in values.get(f"{_LAG}records", [])]
    return WorkerHealth(
        address,
        values["trucewatch_build_info"][0][0].get("role", "worker"),
        bool(waiting),
        int(sum(waiting)),
        max((value for _, value in values.get(f"{_LAG}seconds", [])), default=0.0),
        seconds / count if count else None,
    )
