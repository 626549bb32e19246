"""Command ``topics``."""

from __future__ import annotations

import asyncio

from schemas.topics import KEEP_FOR_EVER, TopicSpec
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.output import answer, print_json
from streams.cli.run import per_agreement
from streams.engine.admin import ensure_topics

_DAY_MS = 86_400_000


def topics(
    broker: options.Broker = None,
    agreement: options.Agreements = None,
    as_json: options.AsJson = False,
) -> None:
    """Create the topics a deployment needs, where they are missing, and check those that are there.

    For an account that may create topics: those of feeds and workers then need not. Workers and `publish` create what
    is missing themselves where they may.

    [bold]Example[/bold]

      trucewatch topics --broker kafka://kafka-1:9092 --agreement syria-2016
    """
    served = per_agreement(agreement, {"broker": broker})
    settings = next(iter(served.values()))
    specs = settings.topics.specs(tuple(served))
    asyncio.run(ensure_topics(required_broker(settings, "topics"), specs))
    if as_json:
        print_json({"topics": [{"name": each.name, "partitions": each.partitions} for each in specs]})
        return
    for spec in specs:
        answer(f"{spec.name}  {spec.partitions} partitions, kept {_kept(spec)}")


def _kept(spec: TopicSpec) -> str:
    if spec.compacted:
        return "the latest of each key"
    return "for ever" if spec.retention_ms == KEEP_FOR_EVER else f"{spec.retention_ms // _DAY_MS} days"
