"""Unpacking of compressed batches, within a bound.

aiokafka unpacks whatever it is sent: a batch of 1 MiB may hold 30 GiB of zeros, and the system
kills a process that unpacks it, at each start again. Here a batch beyond the bound is an error,
before the memory is taken.

The functions replace those that aiokafka's readers call, which is private to aiokafka;
tests/contract/test_lane_contract.py holds what is relied on.
"""

from __future__ import annotations

import gzip
import io
import mmap
import struct
import sys
from collections.abc import Callable
from typing import Any

import cramjam
from aiokafka.record import default_records, legacy_records

#: Bytes that one batch may unpack to. Producers fill batches of 1 MiB and less before they pack
#: them; 64 times as much is no feed's batch.
UNPACKED_BYTES = 64 * 1_048_576

#: How a stream of snappy blocks begins, as Java clients write it, and the header's length.
_BLOCKS, _BLOCKS_HEADER = b"\x82SNAPPY\0", 16


def gzip_decode(packed: bytes) -> bytes:
    """Unpack gzip, of one member or several.

    Raises:
        ValueError: it unpacks to more than the bound.
        OSError: it is no gzip.
        EOFError: it is cut off.
        zlib.error: it is damaged.
    """
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        unpacked = file.read(UNPACKED_BYTES + 1)
    if len(unpacked) > UNPACKED_BYTES:
        raise _too_much()
    return unpacked


def snappy_decode(packed: bytes) -> bytes:
    """Unpack one block of snappy, or a stream of blocks as Java clients write it.

    Raises:
        ValueError: it unpacks to more than the bound.
        struct.error: a block's length is cut off.
        cramjam.DecompressionError: it is no snappy.
    """
    view = memoryview(packed)
    if view[: len(_BLOCKS)] != _BLOCKS:
        return _snappy_block(view, UNPACKED_BYTES)
    parts: list[bytes] = []
    at, room = _BLOCKS_HEADER, UNPACKED_BYTES
    while at < len(view):
        (length,) = struct.unpack_from(">I", view, at)
        parts.append(_snappy_block(view[at + 4 : at + 4 + length], room))
        at, room = at + 4 + length, room - len(parts[-1])
    return b"".join(parts)


def _snappy_block(block: memoryview, room: int) -> bytes:
    # A block says how long it will be, and the library takes that much memory at its word.
    if cramjam.snappy.decompress_raw_len(block) > room:
        raise _too_much()
    return bytes(cramjam.snappy.decompress_raw(block))


def lz4_decode(packed: bytes) -> bytes:
    """Unpack frames of lz4.

    Raises:
        ValueError: they unpack to more than the bound.
        cramjam.DecompressionError: it is no lz4.
    """
    return _within(cramjam.lz4.decompress_into, packed)


def zstd_decode(packed: bytes) -> bytes:
    """Unpack frames of zstd.

    Raises:
        ValueError: they unpack to more than the bound.
        cramjam.DecompressionError: it is no zstd.
    """
    return _within(cramjam.zstd.decompress_into, packed)


def _within(decompress_into: Callable[[Any, Any], int], packed: bytes) -> bytes:
    # Pages of such memory are taken as they are written to, so that the bound costs nothing.
    with mmap.mmap(-1, UNPACKED_BYTES + 1) as memory:
        try:
            length = decompress_into(packed, memory)
        except cramjam.DecompressionError as error:
            if "write whole buffer" in str(error):
                raise _too_much() from None
            raise
        if length > UNPACKED_BYTES:
            raise _too_much()
        return memory[:length]


def _too_much() -> ValueError:
    return ValueError(f"the batch unpacks to more than {UNPACKED_BYTES // 1_048_576} MiB")


def bound_unpacking() -> None:
    """Make every consumer of this process unpack within the bound."""
    for reader in READERS:
        for decode in DECODERS:
            if hasattr(reader, decode.__name__):
                setattr(reader, decode.__name__, decode)


#: What replaces aiokafka's functions of the same names.
DECODERS = (gzip_decode, snappy_decode, lz4_decode, zstd_decode)
#: aiokafka's modules that call them: those in Python, and those in C that are used where they are built.
READERS = tuple(
    {
        sys.modules[each.__module__]
        for each in (
            default_records.DefaultRecordBatch,
            default_records._DefaultRecordBatchPy,
            legacy_records.LegacyRecordBatch,
            legacy_records._LegacyRecordBatchPy,
        )
    }
)
