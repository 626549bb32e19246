"""A recorded report, and how the files that hold them are opened."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, cast

import pyarrow

from schemas.errors import InputFileError
from schemas.facts import Redrive
from schemas.instants import END, FIRST, parse_instant
from schemas.truceday import Micros, to_micros

#: As in ``schemas.chunks``: pyarrow has no types.
pa: Any = pyarrow

#: A file name that stands for standard input.
STDIN = Path("-")

#: First bytes of packed files.
_GZIP_MAGIC, _ZSTD_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
PACKED = (".gz", ".zst", ".zip")
#: A zip archive that has it is a workbook.
_WORKBOOK = "[Content_Types].xml"
#: One that has these is of LibreOffice's own kind.
_OPEN_DOCUMENT = {"mimetype", "content.xml"}


class CellFault(NamedTuple):
    """A cell that is no value of its field."""

    path: str
    column: str
    cell: str
    reason: str
    remedy: str


class Recorded(NamedTuple):
    """One report as a file holds it, valid or not.

    ``value`` is what is published, byte for byte. The rest is what could be read without validating, and None
    where it could not: whether the report is acceptable is intake's to say. ``line`` counts from 1. ``redrive``
    names the reject that a record of an exported file was made of. ``cells`` are the cells that fill its fields, by
    the path of the field, and ``faults`` those that are no value of it. ``torn`` says why a row gave no fields at all.
    """

    value: bytes
    reported_at: Micros | None
    report_type: str | None
    line: int
    feed: str | None = None
    report_id: str | None = None
    redrive: Redrive | None = None
    cells: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    faults: tuple[CellFault, ...] = ()
    torn: str | None = None


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
    """Open a file, plain or packed with gzip, zstd or zip, or standard input for ``-``.

    Raises:
        InputFileError: the file is missing, unreadable, a folder, or not the packed file its name claims. Damage met
            while reading is reported the same way.
    """
    try:
        with _plain(path) as plain, _unpacked(plain, path) as source:
            yield source
    except FileNotFoundError:
        raise InputFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputFileError(f"{path}: is a folder; name the files in it") from None
    except PermissionError:
        raise InputFileError(f"{path}: may not be read") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputFileError(f"{path}: the gzip data is damaged or cut short ({error})") from error
    except zipfile.BadZipFile as error:
        raise InputFileError(f"{path}: is a workbook or a zip archive, and damaged ({error})") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, of whatever was done with the file
        raise InputFileError(f"{path}: is damaged or cut short ({error})") from error


@contextmanager
def _plain(path: Path) -> Iterator[io.BufferedReader]:
    # Not sys.stdin: a process that ends while a thread of it still waits for that object is aborted.
    with os.fdopen(os.dup(0), "rb") if path == STDIN else path.open("rb") as plain:
        yield plain


@contextmanager
def _unpacked(plain: io.BufferedReader, path: Path) -> Iterator[BinaryIO]:
    # Looked at, not read: a pipe such as <(...) cannot go back.
    magic = plain.peek(4)[:4]
    if magic[:2] == _GZIP_MAGIC:
        with gzip.open(plain) as unpacked:
            yield cast("BinaryIO", unpacked)
    elif magic == _ZSTD_MAGIC:
        with pa.CompressedInputStream(plain, "zstd") as stream:
            yield cast("BinaryIO", io.BufferedReader(stream))
    elif magic == ZIP_MAGIC:
        with _unzipped(plain, path) as member:
            yield member
    elif path.suffix in PACKED:
        how = {".gz": "gzipped", ".zst": "packed with zstd", ".zip": "a zip archive"}[path.suffix]
        raise InputFileError(f"{path}: is named {path.suffix} but is not {how}; drop the ending or compress it")
    else:
        yield plain


@contextmanager
def _unzipped(plain: io.BufferedReader, path: Path) -> Iterator[BinaryIO]:
    """Give the one file of an archive, or a workbook as it is."""
    # The list of an archive's files stands at its end.
    whole = plain if plain.seekable() else io.BytesIO(plain.read())
    with zipfile.ZipFile(whole) as archive:
        names = [each.filename for each in archive.infolist() if not each.is_dir()]
        if set(names) >= _OPEN_DOCUMENT:
            raise InputFileError(f"{path}: is an OpenDocument sheet: save it as .xlsx or CSV")
        if _WORKBOOK not in names:
            if len(names) != 1:
                listed = ", ".join(names[:5]) or "none"
                raise InputFileError(f"{path}: an archive of {len(names)} files ({listed}); unpack it, and name them")
            try:
                member = archive.open(names[0])
            except RuntimeError as error:  # it wants a password, or is packed by a method that zipfile lacks
                raise InputFileError(f"{path}: cannot be unpacked here ({error}); unpack it first") from error
            with member:
                yield cast("BinaryIO", member)
            return
    whole.seek(0)
    yield cast("BinaryIO", whole)
