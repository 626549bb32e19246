"""The formats recorded reports come in, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from schemas.errors import UsageError
from streams.feeds.ged import read_ged
from streams.feeds.jsonl import read_jsonl
from streams.feeds.recorded import STDIN, Named, Recorded, opened


@dataclass(frozen=True)
class Format:
    """A file format: how files of it are usually named, and how one is read."""

    name: str
    summary: str
    endings: tuple[str, ...]
    read: Callable[[BinaryIO, str, ZoneInfo], Iterator[Recorded]]


FORMATS = {
    each.name: each
    for each in (
        Format(
            "jsonl",
            "one report per line, as `trucewatch schemas` describes them",
            (".jsonl", ".ndjson"),
            lambda source, name, _: read_jsonl(source, name),
        ),
        Format("ged", "UCDP GED, 41 or 49 columns of CSV", (".csv",), read_ged),
    )
}


def format_of(path: Path, stated: str | None) -> Format:
    """Return the stated format, or the one the file's name tells.

    Raises:
        UsageError: there is no such format, or the name does not tell.
    """
    if stated is not None:
        if stated not in FORMATS:
            raise UsageError(f"no format is called {stated!r}; there are {', '.join(FORMATS)}")
        return FORMATS[stated]
    if path == STDIN:
        return FORMATS["jsonl"]
    plain = path.name.removesuffix(".gz")
    for each in FORMATS.values():
        if plain.endswith(each.endings):
            return each
    raise UsageError(f"{path}: the name does not tell the format; say --format {' or --format '.join(FORMATS)}")


def read(path: Path, stated: str | None, time_zone: ZoneInfo) -> Iterator[Recorded]:
    """Yield the reports of one file, plain or gzipped, or of standard input for ``-``.

    ``time_zone`` places calendar days of formats that state no offset.

    Raises:
        UsageError: the format is unknown.
        InputFileError: the file is missing, damaged, or not in the format.
    """
    chosen = format_of(path, stated)
    with opened(path) as source:
        yield from chosen.read(source, str(path), time_zone)


def read_all(paths: Sequence[Path], stated: str | None, time_zone: ZoneInfo) -> Iterator[Named]:
    """Yield the reports of several files, one after the other, each with its file's name."""
    for path in paths:
        for report in read(path, stated, time_zone):
            yield Named(str(path), report)
