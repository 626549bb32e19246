"""Published copy that a command reads."""

from __future__ import annotations

from pathlib import Path

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from sinks.opening import PUBLISHED
from streams.ops.published import check_published, copy_path
from streams.settings import Settings

#: What DuckDB writes behind the checksum of a file's first block.
_MAGIC, _MAGIC_AT = b"DUCK", 8


def published_copy(settings: Settings) -> Path:
    """Return the path of the published copy the settings lead to."""
    return copy_path(settings.data, load_agreement(settings.agreement).id)


def published_file(file: Path | None, settings: Settings) -> Path:
    """Return the published copy a person named, or else the one the settings lead to.

    Raises:
        UsageError: there is no such file, or it is none of ours.
        StoreUnavailable: nothing has been published there yet.
    """
    if file is None:
        file = published_copy(settings)
        check_published(file)
    elif not file.is_file():
        raise UsageError(f"{file}: {'this is a folder, not a file' if file.is_dir() else 'there is no such file'}")
    if not _is_database(file):
        raise UsageError(f"{file}: not a file trucewatch wrote")
    return file


def published_copies(settings: Settings) -> list[Path]:
    """Return the published copies of all agreements in the data folder.

    Raises:
        StoreUnavailable: nothing has been published there yet.
    """
    found = sorted(settings.data.glob(f"*/{PUBLISHED}"))
    if not found:
        check_published(settings.data / "*" / PUBLISHED)
    return [published_file(each, settings) for each in found]


def _is_database(file: Path) -> bool:
    """Return whether a file begins as DuckDB's do, so that a damaged one is told from another kind."""
    with file.open("rb") as opened:
        return opened.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
