"""Command ``export``."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.boundaries import load_boundaries
from schemas.errors import UsageError
from sinks.reading import region_spellings
from sinks.selecting import Connection
from streams.cli import options
from streams.cli.output import answer, print_json
from streams.cli.published import published_copies, published_file
from streams.ops.published import opened_copy
from streams.ops.wording import counted
from streams.settings import load


def export(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Folder to make; one that is there must be empty.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="s3://BUCKET/PREFIX", help="Upload to S3, or to the store at AWS_ENDPOINT_URL."),
    ] = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME", help="A table or view; all unless given.")
    ] = None,
    partitioned: Annotated[
        bool, typer.Option("--partitioned", help="Parquet as folders with a file for each truce-day.")
    ] = False,
    lake: Annotated[
        bool, typer.Option("--lake", help="Put every agreement of --data, or the one named, into a folder they share.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Take the place of an earlier export.")] = False,
    boundaries: Annotated[
        Path | None, typer.Option("--boundaries", metavar="FILE", help="GeoJSON of the regions, for a map of them.")
    ] = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    as_json: options.AsJson = False,
) -> None:
    """Write every table and view as Parquet and CSV, and incidents as GeoJSON, with a datapackage.json.

    It says what each column means. All come from one published copy. The folder appears when it is whole.

    [bold]Examples[/bold]

      trucewatch export september

      trucewatch export verdicts --table day_verdicts --table gate_history

      trucewatch export all-agreements --lake

      trucewatch export --to s3://monitors/september --force
    """
    # Arrow's writers would slow every other command.
    from sinks.exporting import export as write
    from sinks.exporting import export_to_lake

    if (folder is None) == (to is None):
        raise UsageError("export writes to one place", "name a folder, or --to s3://BUCKET/PREFIX")
    settings = load({"agreement": agreement, "data": data, "boundaries": boundaries})
    found = []
    if lake:
        if partitioned or force or boundaries or folder is None:
            raise UsageError("--lake is a folder, partitioned, and replaces each agreement: it goes with --table alone")
        every = file is None and agreement is None
        for path in published_copies(settings) if every else [published_file(file, settings)]:
            with opened_copy(path) as connection:
                found += export_to_lake(connection, folder, chosen or ())
    else:
        place = nullcontext(folder) if folder is not None else _uploading(str(to), force=force)
        with opened_copy(published_file(file, settings)) as connection, place as local:
            shapes = _shapes(connection, settings.boundaries)
            found = write(connection, local, chosen or (), partitioned=partitioned, shapes=shapes, force=force)
    if as_json:
        print_json({"folder": str(to or folder), "exported": found})
    else:
        rows = counted(sum(each.rows for each in found), "row")
        answer(f"{counted(len(found), 'table')} and views with {rows} in {to or folder}")


def _uploading(address: str, *, force: bool) -> AbstractContextManager[Path]:
    """Return a folder that is uploaded; the store is told by the variables that its other clients read."""
    from sinks.object_store import uploading

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return uploading(address, endpoint, region, force=force)


def _shapes(connection: Connection, path: Path | None) -> dict[str, Any] | None:
    """Return the shapes of the file's regions, where boundaries are given."""
    if path is None:
        return None
    spellings = region_spellings(connection)
    names = {pcode: each[0] for pcode, each in spellings.items()}
    # A P-code begins with its country's two letters.
    return load_boundaries(path, names, next(iter(names), "")[:2]).geojson()
