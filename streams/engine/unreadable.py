"""Records the Kafka client cannot read, handed on as records of their own kind.

aiokafka raises at the first such record, fetches it again and raises again, for ever: one feed would
stop all. Here a record whose header names are not UTF-8, or that contradicts its own lengths, is
handed on as :class:`Unreadable` with the value it has. A batch whose checksum is wrong, or that
cannot be unpacked within the bound of :mod:`streams.engine.unpacking`, is one such record at the
batch's last offset, with the batch as its value.

Everything replaced here is private to aiokafka; tests/contract/test_lane_contract.py holds what is
relied on.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from streams.engine.unpacking import bound_unpacking

#: Where a batch says how long it is, after its offset; what follows counts.
_LENGTH_AT, _OVERHEAD = 8, 12
#: Magic of the format with headers, and where it stands.
_MAGIC_AT, _WITH_HEADERS = 16, 2


@dataclass
class Unreadable(ConsumerRecord[bytes | None, bytes | None]):
    """Record or batch that cannot be read.

    ``fault`` says why. ``first`` is the first offset of a batch, and the record's own offset its last.
    """

    fault: str = ""
    first: int = 0


class _Slices:
    """aiokafka's batches of one fetch, with the bytes of the batch at hand."""

    def __init__(self, buffer: bytes) -> None:
        self._records = MemoryRecords(buffer)
        self._buffer = buffer
        self._at = 0
        self.batch = memoryview(b"")

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def next_batch(self) -> Any:
        (length,) = struct.unpack_from(">i", self._buffer, self._at + _LENGTH_AT)
        end = self._at + _OVERHEAD + length
        self.batch = memoryview(self._buffer)[self._at : end]
        self._at = end
        return self._records.next_batch()


class _Records(fetcher.PartitionRecords):
    """aiokafka's reader of one fetch and partition, that goes on behind what it cannot read."""

    def _unpack_records(self) -> Iterator[ConsumerRecord[bytes | None, bytes | None]]:
        slices: _Slices = self._records
        again: Any = super()._unpack_records
        reading = again()
        while True:
            try:
                yield next(reading)
            except StopIteration:
                return
            except Exception as error:  # whatever it is, raising it would bring it back for ever
                yield from self._careful(bytes(slices.batch), error)
                # A generator that raised has ended; another goes on with the next batch.
                reading = again()

    def _careful(self, batch: bytes, error: Exception) -> Iterator[ConsumerRecord[bytes | None, bytes | None]]:
        """Yield the records of a batch one by one, from the one that could not be read."""
        tp, begun = self._tp, self.next_fetch_offset
        header = _DefaultRecordBatchPy.HEADER_STRUCT
        (base,) = struct.unpack_from(">q", batch)
        following = max(base, begun) + 1
        if len(batch) >= header.size and batch[_MAGIC_AT] == _WITH_HEADERS:
            said = _DefaultRecordBatchPy(batch)
            if said.last_offset_delta + 1 == said._num_records:
                # Else its numbers are damaged as well, and only one offset is sure to be its own.
                following = max(following, said.next_offset)
            if not said.validate_crc():
                error = ValueError("the checksum of the batch is wrong")
            else:
                try:
                    said._maybe_uncompress()
                except Exception as unpacking:  # every codec has errors of its own
                    error = unpacking
                else:
                    for record in _one_by_one(said, tp.topic, tp.partition):
                        if record.offset >= begun:
                            self.next_fetch_offset = record.offset + 1
                            yield record
                    self.next_fetch_offset = max(self.next_fetch_offset, following)
                    return
        first = max(base, begun)
        self.next_fetch_offset = following
        yield _unreadable(tp.topic, tp.partition, following - 1, None, batch, _words(error), first)


def _one_by_one(batch: Any, topic: str, partition: int) -> Iterator[ConsumerRecord[bytes | None, bytes | None]]:
    """Yield every record of an unpacked batch; one that cannot be read as :class:`Unreadable`."""
    buffer, at = bytearray(batch._buffer), batch._pos
    for number in range(batch._num_records):
        start, offset = at, batch.base_offset + number
        try:
            at, end = _bounds(buffer, at)
        except Exception as error:  # where the next record begins is unknown as well
            last = batch.base_offset + max(number, batch.last_offset_delta)
            yield _unreadable(topic, partition, last, None, bytes(buffer[start:]), _words(error), offset)
            return
        key = value = None
        try:
            since, delta, at = _numbers(buffer, at)
            offset = batch.base_offset + delta
            timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + since
            key, at = _bytes(buffer, at, end)
            value, at = _bytes(buffer, at, end)
            headers = _headers(buffer, at, end)
        except Exception as error:  # kept as it is, with what was read of it
            yield _unreadable(topic, partition, offset, key, value, _words(error), offset)
        else:
            stamp = timestamp, batch.timestamp_type
            yield ConsumerRecord(topic, partition, offset, *stamp, key, value, None, _size(key), _size(value), headers)
        at = end


def _bounds(buffer: bytearray, at: int) -> tuple[int, int]:
    """Return where the record at ``at`` begins behind its length, and where it ends."""
    length, at = decode_varint(buffer, at)
    if not 0 < length <= len(buffer) - at:
        raise ValueError(f"a record of {length} bytes where {len(buffer) - at} are left")
    return at, at + length


def _numbers(buffer: bytearray, at: int) -> tuple[int, int, int]:
    """Return the differences of a record in time and offset, and where its key begins."""
    _, at = decode_varint(buffer, at)
    since, at = decode_varint(buffer, at)
    delta, at = decode_varint(buffer, at)
    return since, delta, at


def _headers(buffer: bytearray, at: int, end: int) -> tuple[tuple[str, bytes], ...]:
    count, at = decode_varint(buffer, at)
    headers = []
    for _ in range(count):
        name, at = _bytes(buffer, at, end)
        value, at = _bytes(buffer, at, end)
        try:
            headers.append(((name or b"").decode(), value))
        except UnicodeDecodeError:
            raise ValueError(f"the header name {name!r} is not UTF-8") from None
    if at != end:
        raise ValueError(f"{end - at} bytes behind the last header")
    # A header may lack its value, whatever aiokafka's types say.
    return cast("tuple[tuple[str, bytes], ...]", tuple(headers))


def _bytes(buffer: bytearray, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise ValueError(f"a part of {length} bytes where {end - at} are left")
    return bytes(buffer[at : at + length]), at + length


def _size(part: bytes | None) -> int:
    return -1 if part is None else len(part)


def _unreadable(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, fault: str, first: int
) -> Unreadable:
    # Its own time cannot be trusted, and counts as now where the age of waiting records is told.
    return Unreadable(
        topic,
        partition,
        offset,
        time.time_ns() // 1_000_000,
        0,
        key,
        value,
        None,
        _size(key),
        _size(value),
        (),
        fault,
        first,
    )


def _words(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, ValueError) and said else f"{type(error).__name__}: {said}".rstrip(": ")


def hand_on_unreadable() -> None:
    """Make every consumer of this process hand on what it cannot read."""
    names: Any = fetcher
    names.MemoryRecords, names.PartitionRecords = _Slices, _Records
    bound_unpacking()
