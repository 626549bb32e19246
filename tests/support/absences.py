"""Brokers of a test's own that go away and come back with what they held."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from streams.engine.broker import EmbeddedBroker
from tests.support.brokers import need_kafka
from tests.support.kafka import node_of

Absence = Literal["embedded hangs", "kafka hangs", "kafka restarts"]


class Own(NamedTuple):
    """A broker's address, and how it goes away and comes back with its log."""

    url: str
    leave: Callable[[], None]
    come_back: Callable[[], object]


@contextmanager
def own_broker(absence: Absence, folder: Path) -> Iterator[Own]:
    """Run a broker for the length of the block. The embedded one forgets everything when it ends: it can only hang."""
    if absence == "embedded hangs":
        with EmbeddedBroker(folder) as broker:
            yield _hanging(broker.url, broker.pid)
        return
    need_kafka()
    node = node_of(folder)
    try:
        url = node.start(0)
        if absence == "kafka hangs":
            yield _hanging(url, node.pid())
        else:
            port = int(url.rpartition(":")[2])
            yield Own(url, node.stop, lambda: node.start(port))
    finally:
        node.stop()


def _hanging(url: str, pid: int | None) -> Own:
    if pid is None:
        raise ProcessLookupError(f"no process serves {url}")
    return Own(url, lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT))
