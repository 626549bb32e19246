"""Options that several commands share.

An option that is not given leaves the setting to the environment, then to its default.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.errors import UsageError
from schemas.instants import OffsetMissing, parse_day, parse_instant
from streams.feeds.readers import FORMATS, Release, Stated, format_by, name_their_releases

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
Outbox = Annotated[
    Path | None, typer.Option("--outbox", metavar="DIR", help="Folder of the outbox that keeps reports.")
]
WaitSeconds = Annotated[
    float, typer.Option("--wait-seconds", min=1, help="How long the next receipt of theirs is waited for.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="File to write.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Published = Annotated[
    Path | None, typer.Option("--file", help="A published copy.", show_default="the one of --data and --agreement")
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="INSTANT", help="Tell what was held at this instant, e.g. 2016-09-16T12:00+03:00."),
]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Files, plain, .gz, .zst or .zip; - is standard input.")
]
ReleaseNumber = Annotated[
    int | None,
    typer.Option(
        "--release",
        min=1,
        max=1_000_000,
        metavar="N",
        help="The last of FILES is release N of a data set: rows that changed become revision N or higher. "
        "Files before it are earlier releases. A column 'version' numbers the rows by itself.",
    ),
]
Against = Annotated[
    list[Path] | None,
    typer.Option("--against", metavar="FILE", help="An earlier release, or a published copy that holds it."),
]
WithdrawMissing = Annotated[
    bool,
    typer.Option(
        "--withdraw-missing", help="Withdraw rows of the earlier release that the file's period holds no longer."
    ),
]
FileFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="; ".join(f"{each.name}: {each.summary}" for each in FORMATS.values())
        + ". Otherwise told by the file's name, or its columns.",
    ),
]
Map = Annotated[
    str | None,
    typer.Option("--map", metavar="FILE", help="Mapping of the files' columns: a TOML file, or one that comes along."),
]


def day_option(name: str, said: str) -> Any:
    """Return the option of a truce-day, by the date it starts on."""
    return typer.Option(name, metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help=said)


def check_span(first: datetime | None, last: datetime | None) -> None:
    """Refuse a span of days that ends before it begins.

    Raises:
        UsageError: it does.
    """
    if first and last and first > last:
        raise UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")


def group(said: str) -> typer.Typer:
    """Return an empty group of commands, with its help."""
    return typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich", help=said)


def stated(file_format: str | None, mapping: str | None) -> Stated:
    """Return the format that the options state.

    Raises:
        UsageError: both are given.
        MappingError: the mapping is wrong.
    """
    if mapping is None:
        return file_format
    if file_format is not None:
        raise UsageError("--format and --map are two ways to say one thing", "give one of them")
    return format_by(mapping)


def release_of(
    number: int | None, against: list[Path] | None, withdraw: bool, files: Sequence[Path], file_format: Stated
) -> Release | None:
    """Return the release the options describe, or the files by columns of their own; None where neither does."""
    if number or against or withdraw or name_their_releases(files, file_format):
        return Release(number, tuple(against or ()), withdraw)
    return None


def instant_of(given: str | None, option: str = "--as-of") -> datetime | None:
    """Return the instant an option names, if it is given.

    Raises:
        UsageError: it is no time, or one without an offset, which could be any of 26 hours.
    """
    if given is None:
        return None
    example = "write it as 2016-09-16T12:00+03:00, or with Z for UTC"
    try:
        return parse_instant(given)
    except ValueError as error:
        what = "lacks its offset" if isinstance(error, OffsetMissing) or _is_day(given) else "is no time"
        raise UsageError(f"{option}: {given!r} {what}", example) from None


def day_of(given: str) -> date:
    """Return the truce-day an argument names.

    Raises:
        UsageError: it is no day, or one with a time of day behind it.
    """
    if not _is_day(given):
        raise UsageError(f"{given!r} is no date", "write it as 2016-09-19")
    return parse_day(given)


def _is_day(given: str) -> bool:
    try:
        return f"{parse_day(given)}" == given
    except ValueError:
        return False
