"""Facts of a record of a facts topic."""

from __future__ import annotations

from schemas.chunks import Chunk, Told, chunk_of
from schemas.errors import FactUnreadable
from streams.engine.lane import Record
from streams.engine.unreadable import Unreadable


def facts_in(record: Record) -> list[Told]:
    """Return the facts of one record, in order, as ``chunk_in`` does."""
    return chunk_in(record).told()


def chunk_in(record: Record) -> Chunk:
    """Return the facts of one record.

    Raises:
        FactUnreadable: the record is no readable chunk. The error names its place.
    """
    if isinstance(record, Unreadable):
        raise FactUnreadable(f"{record.topic} offset {record.first}: {record.fault}")
    try:
        return chunk_of(record.value, record.headers)
    except FactUnreadable as error:
        raise FactUnreadable(f"{record.topic} offset {record.offset}: {error}", error.hint) from error
