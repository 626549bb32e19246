"""What aiokafka's fetcher makes of batches it cannot read, with the lane's reader in its place."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.engine import unpacking
from streams.engine.unpacking import UNPACKED_BYTES
from streams.engine.unreadable import Unreadable, hand_on_unreadable
from tests.support.effort import cases

SOURCE = TopicPartition("truce.incidents.v1", 0)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
#: Where a batch keeps its offset, checksum, attributes and number of records.
OFFSET_AT, CRC_AT, ATTRIBUTES_AT, COUNT_AT = 0, 17, 21, 57

Read = Callable[..., list[Any]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return a function that reads batches as a consumer does."""
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    for reader in unpacking.READERS:
        for decode in unpacking.DECODERS:
            if hasattr(reader, decode.__name__):
                monkeypatch.setattr(reader, decode.__name__, getattr(reader, decode.__name__))
    hand_on_unreadable()

    def read_from(offset: int, *batches: bytes) -> list[Any]:
        records = fetcher.MemoryRecords(b"".join(batches))
        return list(fetcher.PartitionRecords(SOURCE, records, None, offset, None, None, True, fetcher.READ_COMMITTED))

    return read_from


def batch(base: int, values: Sequence[bytes], codec: str = "none", header: str | None = None) -> bytes:
    """Return a batch as a producer sends it, each record with a header if one is named."""
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number, 1_000 + number, b"key", value, [(header, b"x")] if header else [])
    return sealed(builder.build(), (OFFSET_AT, ">q", base))


def sealed(built: bytes | bytearray, *changes: tuple[int, str, int]) -> bytes:
    """Return a batch with some numbers changed, and the checksum that goes with it."""
    buffer = bytearray(built)
    for at, kind, number in changes:
        struct.pack_into(kind, buffer, at, number)
    struct.pack_into(">I", buffer, CRC_AT, calc_crc32c(bytes(buffer[ATTRIBUTES_AT:])))
    return bytes(buffer)


def told(records: Sequence[Any]) -> list[tuple[int, Any, bool]]:
    """Return each record's offset and value, and whether it is unreadable."""
    return [(each.offset, each.value, isinstance(each, Unreadable)) for each in records]


GOOD = [b"one", b"two", b"three"]


@pytest.mark.parametrize("codec", CODECS)
def test_batches_of_every_codec_are_read_as_they_are(codec: str, read: Read) -> None:
    records = read(10, batch(10, GOOD, codec, "name"), batch(13, [b"four"], codec))
    assert told(records) == [(10, b"one", False), (11, b"two", False), (12, b"three", False), (13, b"four", False)]
    assert [each.headers for each in records][:3] == [(("name", b"x"),)] * 3


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_whose_header_name_is_no_utf_8_alone_is_unreadable(codec: str, read: Read) -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number, (value, name) in enumerate(zip(GOOD, ("fine", "odd!", "fine"), strict=True)):
        builder.append(number, 1_000 + number, b"key", value, [(name, b"x")])
    plain = bytes(builder.build()).replace(b"odd!", b"\xff\xfe\xfd!")
    packed = plain[:61] + _packed(codec, plain[61:])
    bad = sealed(packed, (OFFSET_AT, ">q", 10), (8, ">i", len(packed) - 12), (ATTRIBUTES_AT, ">h", CODECS[codec]))
    records = read(10, bad, batch(13, [b"four"]))
    assert told(records) == [(10, b"one", False), (11, b"two", True), (12, b"three", False), (13, b"four", False)]
    assert records[1].fault == r"the header name b'\xff\xfe\xfd!' is not UTF-8"
    assert (records[0].timestamp, records[0].key, records[0].headers) == (1_000, b"key", (("fine", b"x"),))
    assert told(read(12, bad)) == [(12, b"three", False)]


def _packed(codec: str, data: bytes) -> bytes:
    from aiokafka import codec as codecs

    return data if codec == "none" else bytes(getattr(codecs, f"{codec}_encode")(data))


def _with(at: int, kind: str, number: int) -> Callable[[bytes], bytes]:
    return lambda sound: sealed(sound, (at, kind, number))


def _without_checksum(sound: bytes) -> bytes:
    return sound[:-1] + bytes([sound[-1] ^ 1])


@pytest.mark.parametrize(
    ("codec", "spoil", "fault"),
    [
        ("none", _without_checksum, "the checksum of the batch is wrong"),
        ("lz4", _without_checksum, "the checksum of the batch is wrong"),
        ("gzip", lambda sound: sealed(sound[:61] + b"no gzip" + sound[68:]), "BadGzipFile"),
        ("gzip", lambda sound: sealed(sound[:-6], (8, ">i", len(sound) - 18)), "EOFError"),
        ("zstd", lambda sound: sealed(sound[:61] + b"no zstd" + sound[68:]), "DecompressionError"),
        ("none", _with(ATTRIBUTES_AT, ">h", 6), "UnsupportedCodecError"),
    ],
)
def test_a_batch_that_cannot_be_unpacked_is_one_unreadable_record_at_its_last_offset(
    codec: str, spoil: Callable[[bytes], bytes], fault: str, read: Read
) -> None:
    bad = spoil(batch(10, GOOD, codec))
    records = read(9, batch(9, [b"zero"]), bad, batch(13, [b"four"]))
    assert told(records) == [(9, b"zero", False), (12, bad, True), (13, b"four", False)]
    assert records[1].fault.startswith(fault)
    assert records[1].first == 10


@pytest.mark.parametrize(
    ("at", "number", "expected"),
    [
        # A record that claims to be longer than the batch, and a batch that claims more records than it has.
        (61, 0x7E, [(12, True)]),
        (COUNT_AT + 3, 9, [(10, False), (11, False), (12, False), (13, True)]),
    ],
)
def test_a_batch_that_contradicts_its_own_lengths_is_read_as_far_as_it_goes(
    at: int, number: int, expected: list[tuple[int, bool]], read: Read
) -> None:
    records = read(10, sealed(batch(10, GOOD), (at, ">B", number)), batch(20, [b"next"]))
    assert [(each.offset, isinstance(each, Unreadable)) for each in records] == [*expected, (20, False)]


def test_damaged_numbers_of_a_damaged_batch_skip_no_more_than_one_offset(read: Read) -> None:
    bad = bytearray(batch(10, GOOD))
    struct.pack_into(">i", bad, 23, 1_000_000)
    assert told(read(10, bytes(bad), batch(13, [b"four"]))) == [(10, bytes(bad), True), (13, b"four", False)]


def memory_and_peak() -> tuple[int, int]:
    """Return the resident memory of this process, and its peak, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    resident, peak = (int(status.split(f"{name}:")[1].split()[0]) * 1_024 for name in ("VmRSS", "VmHWM"))
    return resident, peak


#: Zeros of a batch, just beyond the bound and far beyond it.
ZEROS = {"beyond": UNPACKED_BYTES + 1, "far": 16 * UNPACKED_BYTES}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("zeros", cases(ZEROS, fast=1))
def test_a_batch_that_unpacks_beyond_the_bound_is_unreadable_and_takes_no_more_memory(
    codec: str, zeros: str, read: Read
) -> None:
    header = batch(10, GOOD)[:61]
    packed = header + _packed(codec, bytes(ZEROS[zeros]))
    bad = sealed(packed, (8, ">i", len(packed) - 12), (ATTRIBUTES_AT, ">h", CODECS[codec]))
    before, _ = memory_and_peak()
    # From here the peak counts anew.
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    records = read(10, bad, batch(13, [b"four"]))
    assert told(records) == [(12, bad, True), (13, b"four", False)]
    assert records[0].fault == "the batch unpacks to more than 64 MiB"
    _, peak = memory_and_peak()
    assert peak - before < 4 * (UNPACKED_BYTES + len(bad))


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_just_within_the_bound_is_read(codec: str, read: Read) -> None:
    value = bytes(UNPACKED_BYTES - 30)
    (record,) = read(10, batch(10, [value], codec))
    assert record.value == value


def test_gzip_of_several_members_and_snappy_of_one_block_are_read() -> None:
    members = gzip.compress(b"one") + gzip.compress(b" and two")
    assert unpacking.gzip_decode(members) == b"one and two"
    # As many as a batch of 1 MiB may have.
    assert unpacking.gzip_decode(gzip.compress(b"") * 50_000 + members) == b"one and two"
    assert unpacking.snappy_decode(bytes(cramjam.snappy.compress_raw(b"one block"))) == b"one block"
