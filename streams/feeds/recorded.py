"""A recorded report, and how the files that hold them are opened."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from schemas.errors import InputFileError
from schemas.facts import Redrive
from schemas.instants import END, FIRST, parse_instant
from schemas.truceday import Micros, to_micros

#: A file name that stands for standard input.
STDIN = Path("-")

_GZIP_MAGIC = b"\x1f\x8b"


class Recorded(NamedTuple):
    """One report as a file holds it, valid or not.

    ``value`` is what is published, byte for byte. The rest is what could be read without validating, and None
    where it could not: whether the report is acceptable is intake's to say. ``line`` counts from 1. ``redrive``
    names the reject that a record of an exported file was made of.
    """

    value: bytes
    reported_at: Micros | None
    report_type: str | None
    line: int
    feed: str | None = None
    report_id: str | None = None
    redrive: Redrive | None = None


class Named(NamedTuple):
    """A report and the name of the file it came from."""

    file: str
    report: Recorded


def instant_of(stated: object) -> Micros | None:
    """Return a stated instant, or None where intake will reject it for its time."""
    if not isinstance(stated, str):
        return None
    try:
        instant = parse_instant(stated)
    except ValueError:
        return None
    return to_micros(instant) if FIRST <= instant < END else None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, gzipped or plain, or standard input for ``-``.

    Raises:
        InputFileError: the file is missing, unreadable, a folder, or not the gzip file its name claims. Damage met
            while reading is reported the same way.
    """
    try:
        with _source(path) as source:
            yield source
    except FileNotFoundError:
        raise InputFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputFileError(f"{path}: is a folder; name the files in it") from None
    except PermissionError:
        raise InputFileError(f"{path}: may not be read") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputFileError(f"{path}: the gzip data is damaged or cut short ({error})") from error


@contextmanager
def _source(path: Path) -> Iterator[BinaryIO]:
    if path == STDIN:
        # Not sys.stdin: a process that ends while a thread of it still waits for that object is aborted.
        with os.fdopen(os.dup(0), "rb") as piped:
            yield piped
        return
    with path.open("rb") as plain:
        # Looked at, not read: a pipe such as <(...) cannot go back.
        if plain.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] == _GZIP_MAGIC:
            with gzip.open(plain) as unpacked:
                yield cast("BinaryIO", unpacked)
        elif path.suffix == ".gz":
            raise InputFileError(f"{path}: is named .gz but is not gzipped; drop the ending or compress it")
        else:
            yield plain
