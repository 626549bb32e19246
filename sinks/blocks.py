"""Checksums of a DuckDB file, block by block.

DuckDB checks a block when it loads it, and loads an index only where a lookup leads. A flipped bit
can therefore lie in a file for days, and be copied with it. Nothing in SQL reads every block.

The layout is DuckDB's own (storage version 64 and later): a main header, two headers of the
database of which the one written last counts, then blocks of one size. Each begins with the
checksum of what follows. ``tests/contract/test_duckdb_blocks.py`` holds it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.errors import StoreDamaged

_HEADER = 4_096
_BLOCKS_AT = 3 * _HEADER
_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
_SEED = np.uint64(5_381)
#: Bytes read at once.
_CHUNK = 1_048_576
#: Parts of a block of metadata, and the pointer that ends a chain of them.
_PARTS = 64
_NO_POINTER = 0xFFFF_FFFF_FFFF_FFFF


class _Database(NamedTuple):
    """Header of the database."""

    iteration: int
    meta_block: int
    free_list: int
    blocks: int
    block_bytes: int


def check_blocks(file: int, path: Path) -> None:
    """Check every block of an open file that holds something.

    Nobody may write the file meanwhile.

    Args:
        file: a descriptor. It stays open: closing one drops the locks of the process on the file.
        path: the name of the file for messages.

    Raises:
        StoreDamaged: a block does not match its checksum, or is missing.
        OSError: the disk fails.
    """
    headers = np.frombuffer(os.pread(file, _BLOCKS_AT, 0).ljust(_BLOCKS_AT, b"\0"), "<u8").reshape(3, -1)
    if not _sound(headers).all():
        raise StoreDamaged(f"{path} is damaged (a header does not match its checksum)")
    database = max(_Database(*struct.unpack_from("<5Q", header.tobytes(), 8)) for header in headers[1:])
    wrong = set(_wrong_blocks(file, database))
    if wrong and (damaged := sorted(wrong - _free_blocks(file, database))):
        named = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        raise StoreDamaged(
            f"{path} is damaged (of its {database.blocks} blocks {len(damaged)} do not match their checksum: {named})"
        )


def _sound(blocks: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool]:
    """Return whether each row of words begins with the checksum of its others."""
    checksums = np.bitwise_xor.reduce(blocks[:, 1:] * _MULTIPLIER, axis=1) ^ _SEED
    sound: npt.NDArray[np.bool] = blocks[:, 0] == checksums
    return sound


def _wrong_blocks(file: int, database: _Database) -> Iterator[int]:
    """Yield the blocks that do not match their checksum, and those beyond the end of the file.

    DuckDB counts free blocks there as well.
    """
    at_once = max(1, _CHUNK // database.block_bytes)
    for first in range(0, database.blocks, at_once):
        wanted = min(at_once, database.blocks - first)
        read = os.pread(file, wanted * database.block_bytes, _BLOCKS_AT + first * database.block_bytes)
        whole = len(read) // database.block_bytes
        words = np.frombuffer(read, "<u8", whole * database.block_bytes // 8).reshape(whole, database.block_bytes // 8)
        yield from (first + int(number) for number in np.flatnonzero(~_sound(words)))
        yield from range(first + whole, first + wanted)


def _free_blocks(file: int, database: _Database) -> set[int]:
    """Return the blocks that hold nothing: a ledger killed as it wrote one leaves it torn, and harmless.

    Empty when the list of them cannot be read.
    """
    part_bytes = (database.block_bytes - 8) // _PARTS // 8 * 8
    listed, pointer, parts = b"", database.free_list, 0
    while pointer != _NO_POINTER and parts <= database.blocks * _PARTS:
        block, part = pointer & ~(0xFF << 56), pointer >> 56
        read = os.pread(file, part_bytes, _BLOCKS_AT + block * database.block_bytes + 8 + part * part_bytes)
        if len(read) < part_bytes:
            return set()
        (pointer,) = struct.unpack_from("<Q", read)
        listed += read[8:]
        parts += 1
    (count,) = struct.unpack_from("<Q", listed.ljust(8, b"\0"))
    return set(struct.unpack_from(f"<{count}Q", listed, 8)) if count <= (len(listed) - 8) // 8 else set()
