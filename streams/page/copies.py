"""Published copy as the page shows it, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from schemas.agreement import Agreement
from schemas.errors import UsageError
from schemas.truceday import to_micros
from sinks import reading
from sinks.migrations import check_current
from sinks.records import VerdictChange
from sinks.rolling import RollingDay, rolling_days
from sinks.selecting import Connection
from streams.ops.published import check_published
from streams.ops.status import Status, status_in
from streams.page.overview import DAYS, parts_of

#: Changes of verdict that the overview lists.
CHANGES = 20
#: Days that a series shows.
SERIES_DAYS = 60
#: A page of one of the larger views needs some hundred megabytes of a file of one gigabyte.
_MEMORY = "512MB"


@dataclass(frozen=True)
class Copy:
    """Published copy that is open, with what the overview shows of it.

    ``version`` grows from copy to copy. It is the copy's time in microseconds, so that it means the same to a page
    process that is started anew.
    """

    path: Path
    connection: Connection
    version: int
    status: Status
    rolling: list[RollingDay]
    changes: list[VerdictChange]
    parts: Mapping[str, str]

    @property
    def agreement(self) -> Agreement:
        """Agreement that the copy was judged by."""
        return self.status.agreement


def open_copy(path: Path, agreement: str | None = None, after: int = 0) -> Copy:
    """Open a published copy and read what the overview shows.

    Args:
        path: the copy.
        agreement: id of the agreement it must be of; any when None.
        after: version of the copy shown so far.

    Raises:
        StoreUnavailable: nothing has been published there, or the file cannot be read.
        UsageError: the file is of another kind, version or agreement.
    """
    check_published(path)
    connection = reading.open_published(path, _MEMORY)
    try:
        with reading.asking(path):
            check_current(connection, reading.schema_version(connection), path)
            status = status_in(connection, days=DAYS)
            _check_agreement(status.agreement, agreement, path)
            rolling = rolling_of(connection, status)
            changes = reading.latest_changes(connection, CHANGES)
        parts = parts_of(status, rolling, changes)
    except BaseException:
        connection.close()
        raise
    published = 0 if status.published_at is None else to_micros(status.published_at)
    return Copy(path, connection, max(after + 1, published), status, rolling, changes, parts)


def _check_agreement(found: Agreement, wanted: str | None, path: Path) -> None:
    if wanted is not None and found.id != wanted:
        raise UsageError(f"{path} is of agreement {found.id!r}, not of {wanted!r}")


def rolling_of(connection: Connection, status: Status) -> list[RollingDay]:
    """Return the rolling windows of the last days of the truce that a status shows."""
    if not status.days:
        return []
    first = max(status.agreement.first_day, status.days[-1] - timedelta(days=SERIES_DAYS - 1))
    return [each for each in rolling_days(connection, first) if each.truce_day <= status.days[-1]]
