"""Foreign errors become ours here, and nowhere else.

DuckDB tells most faults apart only in its message, so the message decides; what is not recognised is still a
``StoreUnavailable`` that quotes it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.errors import StoreDamaged, StoreFull, StoreInUse, StoreUnavailable, TrucewatchError, UsageError

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
#: A quota and a limit on file size stop the ledger just as a full disk does.
_FULL = ("No space left on device", "File too large", "Disk quota exceeded", "max_temp_directory_size")
_FULL_NUMBERS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_DAMAGED = (
    "Corrupt",
    "checksum",
    "not a valid DuckDB database",
    "replaying WAL",
    "Failed to deserialize",
    "Could not read enough bytes",
)
#: The disk itself gave up: what it holds may be right, and moving files about on it helps nobody.
_FAILING = "Input/output error"
#: What DuckDB raises over content that no version of it writes.
_NONSENSE = (duckdb.SerializationException, duckdb.InternalException)
_OTHER_DUCKDB = ("newer version of DuckDB", "older version of DuckDB", "incompatible version", "version number")


def duckdb_path(path: Path) -> str:
    """Return the name under which DuckDB finds a path.

    It is absolute: DuckDB reads ``s3:x`` or ``~x`` as a place elsewhere.

    Raises:
        UsageError: DuckDB reads the path as another one, however it is written.
    """
    name = str(path.absolute())
    for sign, meaning in {"\\": "a slash", "?": "the end of the name"}.items():
        if sign in name:
            raise UsageError(f"{name}: DuckDB takes the {sign} in it for {meaning}: use a folder without one")
    return name


def is_in_use(error: duckdb.Error) -> bool:
    """Return whether a file could not be opened because another process has it open for writing."""
    return "Could not set lock on file" in str(error)


def is_interrupted(error: BaseException) -> bool:
    """Return whether Ctrl-C ended a query: DuckDB may take the signal for itself, and says so in these ways alone."""
    return isinstance(error, duckdb.InterruptException) or (
        isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    )


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn errors of DuckDB and of the operating system about ``path`` into ours.

    Raises:
        StoreFull: the disk took no more.
        StoreDamaged: its content is not what was written.
        StoreUnavailable: anything else: locked, unwritable, out of memory.
        KeyboardInterrupt: a query was ended by Ctrl-C.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise of_duckdb(error, path) from error
    except OSError as error:
        raise of_system(error, path) from error


def of_duckdb(error: duckdb.Error, path: Path) -> TrucewatchError:
    """Return what an error of DuckDB about ``path`` means to us."""
    text = str(error)
    if any(sign in text for sign in _FULL):
        return StoreFull(f"{path}: {StoreFull.SIGN}; free some space and start again, nothing is half-written")
    if is_in_use(error):
        holder = _HOLDER.search(text)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return StoreInUse(
            f"{path} is in use by {who}: one ledger writes it; stop that one, or read the published copy",
            holder=int(holder["pid"]) if holder else None,
        )
    if any(sign in text for sign in _OTHER_DUCKDB):
        return StoreUnavailable(f"{path} was written by another version of DuckDB: {_first_line(text)}")
    if _FAILING in text:
        return StoreUnavailable(f"{path} cannot be read or written, the disk fails: {_first_line(text)}")
    if any(sign in text for sign in _DAMAGED) or isinstance(error, _NONSENSE):
        return StoreDamaged(f"{path} is damaged ({_first_line(text)}); its ledger mends that when it is started")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreUnavailable(f"{path}: DuckDB needs more memory than it may take: {_first_line(text)}")
    if any(sign in text for sign in ("Permission denied", "Read-only file system", "Operation not permitted")):
        return StoreUnavailable(f"{path} cannot be written: {_first_line(text)}")
    return StoreUnavailable(f"{path}: {_first_line(text)}")


def of_system(error: OSError, path: Path) -> TrucewatchError:
    """Return what an error of the operating system about ``path`` means to us."""
    if error.errno in _FULL_NUMBERS:
        return StoreFull(f"{path}: {StoreFull.SIGN} ({error.strerror}); free some space and start again")
    return StoreUnavailable(f"{path} cannot be used: {error.strerror or error}")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
