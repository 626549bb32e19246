"""Path and opening of an agreement's published copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StoreUnavailable
from sinks.opening import PUBLISHED
from sinks.reading import published
from sinks.selecting import Connection


def copy_path(data: Path, agreement: str) -> Path:
    """Return the path of an agreement's published copy."""
    return data / agreement / PUBLISHED


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
