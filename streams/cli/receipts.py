"""Command ``receipts``, and receipts as the command line shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.receipts import REJECTED, Receipt
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.output import answer, print_json_line
from streams.feeds.receipts import called, in_words, reading
from streams.settings import Settings, load


def receipts(
    feed: Annotated[str, typer.Argument(metavar="FEED", help="The feed whose receipts are shown.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on, and show those to come, until Ctrl-C.")] = False,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what became of a feed's reports in the last 30 days, oldest first, as an agreement's ledger told it.

    It needs a broker and no file of the ledger. A receipt may come twice and says the same then. --json gives one line
    for each.

    [bold]Examples[/bold]

      trucewatch receipts field-office --broker kafka://127.0.0.1:9092

      trucewatch receipts field-office --follow --json
    """
    settings = load({"broker": broker, "agreement": agreement})
    chosen = load_agreement(settings.agreement).id
    shown = shower(settings, as_json=as_json)

    def show(receipt: Receipt) -> None:
        if receipt.feed == feed and receipt.agreement == chosen:
            shown(receipt)

    each_receipt(settings, "receipts", show, follow=follow)


def show_refusals(settings: Settings, code: str | None, feed: str | None, *, as_json: bool) -> None:
    """Show the receipts of reports that an agreement refused, of any feed or of one."""
    chosen = load_agreement(settings.agreement).id
    shown = shower(settings, as_json=as_json)

    def show(receipt: Receipt) -> None:
        named = feed in (None, receipt.feed) and code in (None, receipt.code)
        if named and receipt.outcome == REJECTED and receipt.agreement == chosen:
            shown(receipt)

    each_receipt(settings, "rejects list --broker", show)


def each_receipt(settings: Settings, purpose: str, show: Callable[[Receipt], None], *, follow: bool = False) -> None:
    """Call ``show`` with every receipt the broker has, and with those to come."""
    named, topics = required_broker(settings, purpose), settings.topics

    async def read() -> None:
        patience = settings.broker_patience_seconds
        async with reading(named, topics.receipts, patience_seconds=patience, offset=0) as reader:
            async for receipt in reader.present():
                show(receipt)
            while follow:
                for receipt in await reader.more():
                    show(receipt)

    asyncio.run(read())


def shower(settings: Settings, *, as_json: bool) -> Callable[[Receipt], None]:
    """Return a function that prints a receipt, with the name of its region."""
    if as_json:
        return lambda receipt: print_json_line(msgspec.to_builtins(receipt))
    names = load_gazetteer(load_agreement(settings.agreement).gazetteer, settings.boundaries).names()

    def show(receipt: Receipt) -> None:
        region = names.get(receipt.region or "", receipt.region)
        answer(f"{called(receipt)}  {in_words(receipt, region)}")

    return show
