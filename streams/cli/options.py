"""Options that several commands share.

An option that is not given leaves the setting to the environment, then to its default.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UsageError
from streams.feeds.readers import FORMATS

Agreement = Annotated[
    str | None, typer.Option("--agreement", "-a", help="Agreement id or file.", show_default="syria-2016")
]
Agreements = Annotated[
    list[str] | None,
    typer.Option(
        "--agreement", "-a", help="Agreement id or file; give it once for each agreement.", show_default="syria-2016"
    ),
]
Boundaries = Annotated[
    Path | None, typer.Option("--boundaries", help="GeoJSON of the regions, to locate reports by coordinates.")
]
Broker = Annotated[
    str | None, typer.Option("--broker", "-b", metavar="kafka://HOST:PORT", help="Kafka brokers to use.")
]
Data = Annotated[
    Path | None, typer.Option("--data", "-d", help="Folder of the DuckDB files.", show_default="trucewatch-data")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="Tell what was held at this instant, e.g. 2016-09-16T12:00+03:00."),
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files, plain or .gz; - is standard input.")]
FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="; ".join(f"{each.name}: {each.summary}" for each in FORMATS.values())
        + ". Otherwise told by the file's name, or its columns.",
    ),
]


def instant_of(given: str | None, option: str = "--as-of") -> datetime | None:
    """Return the instant an option names, if it is given.

    Raises:
        UsageError: it is no ISO 8601 time, or one without an offset, which could be any of 26 hours.
    """
    if given is None:
        return None
    example = "write it as 2016-09-16T12:00+03:00, or with Z for UTC"
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{option}: {given!r} is no time", example) from None
    if instant.tzinfo is None:
        raise UsageError(f"{option}: {given!r} lacks its offset", example)
    return instant
