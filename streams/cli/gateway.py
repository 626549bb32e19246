"""Command ``gateway``, and the one that makes its tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UsageError
from streams import log
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.output import notice, print_json
from streams.cli.run import per_agreement
from streams.settings import load, variable

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_Tokens = Annotated[Path | None, typer.Option("--tokens", metavar="FILE", help="File of the hashed tokens.")]


@app.callback(invoke_without_command=True)
def gateway(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Option("--address", metavar="HOST:PORT", help="Where to listen.", show_default="127.0.0.1:8481"),
    ] = None,
    tokens: _Tokens = None,
    certificate: Annotated[
        Path | None, typer.Option("--certfile", metavar="PEM", help="Certificate to speak TLS with.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--keyfile", metavar="PEM", help="Its private key.")] = None,
    in_clear: Annotated[
        bool, typer.Option("--in-clear", help="Listen beyond loopback without TLS, behind a proxy that has it.")
    ] = False,
    broker: options.Broker = None,
    agreement: options.Agreements = None,
    boundaries: options.Boundaries = None,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON, on a terminal too.")] = False,
) -> None:
    """Take reports over HTTP, for feeds that have no Kafka client, until Ctrl-C.

    POST /v1/reports answers once the broker has the records, and with the faults of others at once.
    GET /v1/receipts tells what became of them. Each token of the file stands for its feeds.

    [bold]Examples[/bold]

      trucewatch gateway token field-office --tokens gateway.tokens

      trucewatch gateway --tokens gateway.tokens --broker kafka://127.0.0.1:9092
    """
    if context.invoked_subcommand is not None:
        return
    from streams.gateway.app import read_files, run_gateway

    given = {
        "gateway_address": address,
        "gateway_tokens": tokens,
        "gateway_certfile": certificate,
        "gateway_keyfile": key,
        "gateway_in_clear": in_clear or None,
        "broker": broker,
        "boundaries": boundaries,
        "log_format": "json" if as_json else None,
    }
    served = list(per_agreement(agreement, given).values())
    log.configure(served[0])
    # What the files say is known before any broker is asked.
    parts = read_files(served)
    asyncio.run(run_gateway(served[0], required_broker(served[0], "the gateway"), parts))


@app.command("token")
def token_command(
    feeds: Annotated[list[str], typer.Argument(metavar="FEED...", help="Feeds that the token publishes as.")],
    tokens: _Tokens = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a token and print it, once: the file keeps its hash alone.

    To take a token back, delete its line. A gateway that runs reads the file again.

    [bold]Example[/bold]

      trucewatch gateway token field-office --tokens gateway.tokens > field-office.token
    """
    from streams.gateway.tokens import make

    path = load({"gateway_tokens": tokens}).gateway_tokens
    if path is None:
        raise UsageError(f"which file? give --tokens FILE or set {variable('gateway_tokens')}")
    made = make(path, feeds)
    if as_json:
        print_json({"token": made, "feeds": feeds})
        return
    typer.echo(made)
    notice(f"publishes as {', '.join(feeds)}; {path} has its hash, and nobody can show it again")
