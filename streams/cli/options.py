"""Options several commands share. One that is not given leaves the setting to the environment, then to its default."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.feeds.readers import FORMATS


class OrderChoice(StrEnum):
    """In what order a replay publishes its reports."""

    REPORTED = "reported"
    LISTED = "listed"


Agreement = Annotated[
    str | None, typer.Option("--agreement", "-a", help="Agreement id or file.", show_default="syria-2016")
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
