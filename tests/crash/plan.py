"""Plan of one campaign of faults."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.engine.cluster import Broker

REPORTS = 3_000


@dataclass(frozen=True)
class Plan:
    """Broker, folder and extent of a campaign.

    Attributes:
        count: faults to go through.
        only: kills die at these steps alone; at every step and at random instants when there are none.
        reports: reports on their way while a campaign kills.
    """

    broker: Broker
    prefix: str
    folder: Path
    count: int
    draw: random.Random
    only: Sequence[str] = ()
    reports: int = REPORTS
