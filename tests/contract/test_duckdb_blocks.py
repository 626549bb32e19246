"""The layout of a DuckDB file, as far as its blocks are checked by us."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from schemas.errors import StoreDamaged
from schemas.rows import Changes
from sinks.blocks import check_blocks
from sinks.opening import LIVE
from tests.support.rows import full_changes, incident_row
from tests.support.stores import new_store

BLOCKS_AT = 12_288
BLOCK = 262_144


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store's file with rows of every table, and with free blocks."""
    folder = tmp_path_factory.mktemp("store")
    store = new_store(folder)
    store.commit(full_changes())
    for round_ in range(4):
        rows = [incident_row(f"i{round_}-{number}", raw=os.urandom(400).hex()) for number in range(1_000)]
        store.commit(Changes(next_offset=20 + round_, reports=rows))
        store.publish(datetime(2016, 9, 20, tzinfo=UTC))
    store.close()
    return (folder / LIVE).read_bytes()


@pytest.fixture
def file(sound: bytes, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / LIVE
    path.write_bytes(sound)
    descriptor = os.open(path, os.O_RDWR)
    yield path, descriptor
    os.close(descriptor)


def flip(descriptor: int, place: int) -> None:
    """Turn a bit of a file."""
    (was,) = os.pread(descriptor, 1, place)
    os.pwrite(descriptor, bytes([was ^ 0x10]), place)


def damage_of(descriptor: int, path: Path) -> str | None:
    """Return what is found damaged."""
    try:
        check_blocks(descriptor, path)
    except StoreDamaged as damage:
        return str(damage)
    return None


def test_a_bit_flipped_in_any_block_that_holds_something_is_found(file: tuple[Path, int], sound: bytes) -> None:
    path, descriptor = file
    check_blocks(descriptor, path)
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        ((used, free, counted),) = connection.execute(
            "SELECT used_blocks, free_blocks, total_blocks FROM pragma_database_size()"
        ).fetchall()
    blocks = (len(sound) - BLOCKS_AT) // BLOCK
    assert free > 0
    assert counted >= blocks
    found = []
    for block in range(blocks):
        place = BLOCKS_AT + block * BLOCK + 8 + block * 977 % (BLOCK - 8)
        flip(descriptor, place)
        if (damage := damage_of(descriptor, path)) is not None:
            assert f"1 do not match their checksum: {block})" in damage
            found.append(block)
        flip(descriptor, place)
    assert len(found) == used
    check_blocks(descriptor, path)


@pytest.mark.parametrize("header", range(3))
@pytest.mark.parametrize("place", [0, 9, 4_095])
def test_a_bit_flipped_in_a_header_is_found(file: tuple[Path, int], header: int, place: int) -> None:
    path, descriptor = file
    flip(descriptor, header * 4_096 + place)
    with pytest.raises(StoreDamaged, match="a header does not match"):
        check_blocks(descriptor, path)


@pytest.mark.parametrize("left", [0, 100, BLOCKS_AT, BLOCKS_AT + BLOCK // 2])
def test_a_file_cut_short_is_found(file: tuple[Path, int], left: int) -> None:
    path, descriptor = file
    os.truncate(descriptor, left)
    with pytest.raises(StoreDamaged):
        check_blocks(descriptor, path)


def test_two_wrong_blocks_that_hold_the_list_of_free_ones_are_found(file: tuple[Path, int], sound: bytes) -> None:
    path, descriptor = file
    for block in range((len(sound) - BLOCKS_AT) // BLOCK):
        os.pwrite(descriptor, b"\xff" * BLOCK, BLOCKS_AT + block * BLOCK)
    with pytest.raises(StoreDamaged, match="do not match their checksum: 0, 1, 2, 3, 4, "):
        check_blocks(descriptor, path)
