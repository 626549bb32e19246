"""Seeds bent by a seeded generator: the same seed gives the same inputs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

#: What numbers, encodings and parsers stumble over, whatever the format.
TOKENS = (
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\n", b"\r", b"\r\n", b'"', b"\\",
    b"\\u0000", b"\\ud800", b"-1", b"0", b"1e999", b"-0.0", b"NaN", b"Infinity", b"-Infinity", b"9223372036854775807",
    b"9223372036854775808", b"-9223372036854775809", b"1" + b"0" * 400, b"1" * 5_000, b"null", b"true", b"[]", b"{}",
    b"[" * 2_000, b"{\"a\":" * 500, b"a=[" * 500, b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59.999999-23:59",
    b"1970-01-01T00:00:00Z", b"2016-09-31", b"2016-W01-1T00:00:00Z", b"0001-01-01", b"9999-12-31", b"24:00:00",
    b"60000000000000000000", "\u0661\u0662".encode(), "\u00b2".encode(), "\U0001f980".encode(), b"\x1f\x8b\x08",
    b"'", b"=", b"[[", b"]]", b",", b";", b"%", b"nan", b"inf",
)  # fmt: skip
_LONGEST = 64 * 1024


def inputs(seeds: Sequence[bytes], draw: random.Random, tokens: Sequence[bytes] = ()) -> Iterator[bytes]:
    """Yield bent seeds for ever, the seeds themselves first. ``tokens`` are words of the format."""
    yield from seeds
    words = [*TOKENS, *tokens]
    while True:
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 1, 2, 3, 5, 9))):
            _bend(data, draw, words, seeds)
        yield bytes(data[:_LONGEST])


def _bend(data: bytearray, draw: random.Random, words: Sequence[bytes], seeds: Sequence[bytes]) -> None:
    at = draw.randrange(len(data) + 1)
    upto = min(len(data), at + draw.choice((0, 1, 1, 2, 4, 8, 16, 64)))
    match draw.randrange(8):
        case 0 if data:
            data[at % len(data)] ^= 1 << draw.randrange(8)
        case 1:
            data[at:upto] = b""
        case 2:
            data[at:upto] = draw.choice(words)
        case 3:
            data[at:at] = draw.choice(words)
        case 4:
            data[at:upto] = draw.randbytes(upto - at)
        case 5:
            other = draw.choice(seeds)
            start = draw.randrange(len(other) + 1)
            data[at:upto] = other[start : start + draw.randrange(64)]
        case 6:
            data[at:at] = data[at:upto] * draw.choice((1, 2, 50))
        case _:
            _replace_value(data, draw, words)


def _replace_value(data: bytearray, draw: random.Random, words: Sequence[bytes]) -> None:
    """Put a word in the place of what stands between two separators: a number, a cell, a text."""
    separators = [index for index, byte in enumerate(data[:4_096]) if byte in b'",:=\n[]{}']
    if len(separators) < 2:
        return
    first = draw.randrange(len(separators) - 1)
    data[separators[first] + 1 : separators[first + 1]] = draw.choice(words)
