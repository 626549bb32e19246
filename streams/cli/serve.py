"""Command ``serve``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from streams import log
from streams.cli import options
from streams.cli.output import notice, print_json_line
from streams.cli.processes import end_with_parent
from streams.ops.published import copy_path
from streams.settings import load

#: A ledger at work publishes at least once a minute.
MAX_AGE = 180


def serve(
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    boundaries: options.Boundaries = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Address to serve at; port 0 is a free one.")
    ] = "127.0.0.1:8480",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Name by which a proxy passes requests on; may be repeated."),
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option("--worker", metavar="HOST:PORT", help="Probes of a worker, for its lag; may be repeated."),
    ] = None,
    max_age: Annotated[
        int, typer.Option("--max-age", min=1, metavar="SECONDS", help="Age from which a copy is called STALE.")
    ] = MAX_AGE,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True, help="Stop when standard input ends.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Serve the page: the grid, the gate, why a day was judged so, feeds, convoys, parties, every table.

    Reads the published copy only, as a process of its own, and changes nothing. It follows each new copy, and goes
    on with the one before where a file cannot be read. Nobody has to log in: it listens on this machine alone unless
    told otherwise, and answers there to no other machine's name but those of --name.

    [bold]Examples[/bold]

      trucewatch serve

      trucewatch serve --file archive/compliance.duckdb --listen 127.0.0.1:0
    """
    check_address("--listen", listen)
    for each in worker or ():
        check_address("--worker", each)
    settings = load(
        {"agreement": agreement, "boundaries": boundaries, "data": data, "log_format": "json" if as_json else None}
    )
    log.configure(settings)
    # A file that was named is whatever it is; in the data folder another agreement's would be a mistake.
    path, wanted = file, None
    if path is None:
        wanted = load_agreement(settings.agreement).id
        path = copy_path(settings.data, wanted)
    probes = [f"http://{each}" for each in worker or ()]
    serve_file(
        path,
        wanted,
        listen,
        max_age,
        as_json=as_json,
        names=name or (),
        probes=probes,
        boundaries=settings.boundaries,
        until_eof=until_eof,
    )


def check_address(option: str, address: str) -> None:
    """Refuse what is no address.

    Raises:
        UsageError: it is no ``host:port``.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"{option}: {address!r} is no address", "write it as 127.0.0.1:8480")


def serve_file(
    path: Path,
    agreement: str | None,
    listen: str,
    max_age: float,
    *,
    as_json: bool,
    names: Sequence[str] = (),
    probes: Sequence[str] = (),
    boundaries: Path | None = None,
    until_eof: bool = False,
) -> None:
    """Serve the page over a file until Ctrl-C, and say where.

    With ``until_eof`` standard input tells the addresses of the workers' probes, a line whenever they change.
    """
    # Its imports would slow every other command.
    from streams.page.server import serve_page
    from streams.page.site import Site
    from streams.page.workers import Workers

    workers = Workers(probes)
    if until_eof:
        end_with_parent(workers.move)

    def told(address: str) -> None:
        if as_json:
            print_json_line({"event": "serving", "address": address, "file": str(path)})
        else:
            notice(f"trucewatch: serving {path} at {address}/; stop with Ctrl-C")

    async def run() -> None:
        await serve_page(Site(path, agreement, max_age, workers=workers, boundaries=boundaries), listen, told, names)

    asyncio.run(run())
