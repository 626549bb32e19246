"""Command ``facts``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from schemas.agreement_file import load_agreement
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.output import print_json_line
from streams.engine.cluster import Broker
from streams.ops.facts import fact_lines
from streams.settings import load


def facts(
    first: Annotated[int, typer.Option("--from", min=0, metavar="N", help="Number of the first fact printed.")] = 0,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - every command takes it, and this one prints nothing else
) -> None:
    """Print the facts of an agreement's topic as JSON Lines, up to its present end.

    A fact's number is its fact_offset, as long as the topic was not made anew. Its offset is that of the record it
    came in, which holds a chunk of facts.

    [bold]Example[/bold]

      trucewatch facts --broker kafka://kafka-1:9092 --from 1200
    """
    settings = load({"broker": broker, "agreement": agreement})
    topic = settings.topics.facts(load_agreement(settings.agreement).id)
    asyncio.run(_print(required_broker(settings, "facts"), topic, first))


async def _print(broker: Broker, topic: str, first: int) -> None:
    async for line in fact_lines(broker, topic, first):
        print_json_line(line)
