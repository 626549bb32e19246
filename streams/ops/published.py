"""Path and opening of an agreement's published copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StoreUnavailable
from sinks.opening import PUBLISHED
from sinks.reading import published
from sinks.selecting import Connection

#: Inode, time of change and size of a file: another copy has others.
Signature = tuple[int, int, int]


def copy_path(data: Path, agreement: str) -> Path:
    """Return the path of an agreement's published copy."""
    return data / agreement / PUBLISHED


def signature_of(path: Path) -> Signature | None:
    """Return the signature of the file at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def check_published(path: Path) -> None:
    """Do nothing where there is a published copy.

    Raises:
        StoreUnavailable: nothing has been published there yet.
    """
    if not path.exists():
        raise StoreUnavailable(
            f"nothing has been published at {path} yet",
            "start `trucewatch up` or `trucewatch replay`, or name --data",
        )


@contextmanager
def opened_copy(path: Path) -> Iterator[Connection]:
    """Open a published copy for the length of a block.

    Raises:
        StoreUnavailable: nothing has been published there yet, or the file cannot be read.
        UsageError: it is a file of another kind.
    """
    check_published(path)
    with published(path) as connection:
        yield connection
