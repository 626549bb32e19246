"""A ledger's folder as a power cut leaves it, bent in one place, and a ledger that catches up on it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from schemas.errors import StoreDamaged
from schemas.gazetteer import load_gazetteer
from sinks.publishing import Cadence
from sinks.store import LIVE, PUBLISHED, Store
from streams.engine.lane import Batch, Record
from streams.ledger.handler import FlushRules, LedgerHandler
from tests.support.judged import History
from tests.support.lanes import Group, lane_of
from tests.support.records import TOPIC, chunk
from tests.support.worlds import TRUCE

WAL = f"{LIVE}.wal"
LOG = "a-cluster/the-facts"
NAMES = load_gazetteer(TRUCE.gazetteer).spellings()
NEVER = 3_600.0
#: Of DuckDB's files.
_BLOCKS_AT, _BLOCK_BYTES = 12_288, 262_144


class Facts:
    """A facts topic of one history."""

    def __init__(self, history: History) -> None:
        self._records: list[Record] = [chunk(offset, [told]) for offset, told in enumerate(history.facts)]

    def __len__(self) -> int:
        return len(self._records)

    def ledger(self, folder: Path, *, log: str = LOG, begins: int = 0) -> LedgerHandler:
        """Return a ledger on ``folder`` that commits every ten facts and publishes when it stops."""

        def open_store(_: int) -> Store:
            return Store.open(
                folder, TRUCE, NAMES, facts_topic=TOPIC, log_identity=log, new_log_allowed=False, log_begins=begins
            )

        return LedgerHandler(TRUCE, open_store, Cadence(timedelta(hours=1)), FlushRules(10, NEVER), None)

    async def read(self, ledger: LedgerHandler, start: int, upto: int) -> None:
        """Give a ledger the facts from one offset up to another, in batches of ten."""
        for first in range(start, upto, 10):
            some = self._records[first : min(first + 10, upto)]
            await ledger.handle(Batch(TOPIC, 0, some, some[-1].offset + 1))

    async def judged(self, folder: Path, *, begins: int = 0) -> Path:
        """Let a ledger catch up on ``folder`` and stop; return what it published.

        One that meets damage in the middle of its work is started again, as whoever runs it would.
        """
        for starts_left in (2, 1, 0):
            ledger = self.ledger(folder, begins=begins)
            start = await ledger.resume(TOPIC, 0)
            await ledger.started(lane_of(Group()))
            try:
                await self.read(ledger, start, len(self))
                await ledger.stopped()
            except StoreDamaged:
                await ledger.revoked([])
                if not starts_left:
                    raise
            else:
                break
        return folder / PUBLISHED

    async def cut_off(self, folder: Path, left: Path) -> None:
        """Leave in ``left`` what a power cut would: a copy of the first half, and commits behind it in the log."""
        half = len(self) // 20 * 10
        ledger = self.ledger(folder)
        await ledger.started(lane_of(Group()))
        await self.read(ledger, await ledger.resume(TOPIC, 0), half)
        await ledger.stopped()
        again = self.ledger(folder)
        await again.started(lane_of(Group()))
        # Published at the first batch: what follows is in the log alone.
        await self.read(again, await again.resume(TOPIC, 0), half + 20)
        shutil.copytree(folder, left)
        await again.revoked([])


def blocks(path: Path) -> int:
    """Return how many blocks a file has."""
    return (path.stat().st_size - _BLOCKS_AT) // _BLOCK_BYTES


def bent_in(path: Path, block: int) -> None:
    """Turn one bit in the midst of a block of a file."""
    with path.open("r+b") as file:
        place = _BLOCKS_AT + block * _BLOCK_BYTES + _BLOCK_BYTES // 2
        file.seek(place)
        was = file.read(1)[0]
        file.seek(place)
        file.write(bytes([was ^ 1]))


def bent(path: Path, draw: random.Random, most: int | None = None) -> str:
    """Turn one bit of a file."""
    size = min(path.stat().st_size, most or path.stat().st_size)
    place, bit = draw.randrange(size), 1 << draw.randrange(8)
    with path.open("r+b") as file:
        file.seek(place)
        was = file.read(1)[0]
        file.seek(place)
        file.write(bytes([was ^ bit]))
    return f"{path.name}: bit {bit} of byte {place}"


def cut(path: Path, draw: random.Random) -> str:
    """Cut a file short."""
    size = draw.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"{path.name}: cut to {size}"


def wiped(path: Path, draw: random.Random) -> str:
    """Put zeros in the place of a page."""
    place = draw.randrange(path.stat().st_size // 4_096) * 4_096
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(4_096))
    return f"{path.name}: zeros at {place}"


def gone(*names: str) -> Callable[[Path, random.Random], str]:
    """Return what deletes files."""

    def delete(folder: Path, _: random.Random) -> str:
        for name in names:
            (folder / name).unlink()
        return f"{' and '.join(names)} deleted"

    return delete


#: Every kind of damage with how often it is tried: what it does to a folder, told in words.
DAMAGES: dict[str, tuple[int, Callable[[Path, random.Random], str]]] = {
    "a bit of the file": (16, lambda folder, draw: bent(folder / LIVE, draw)),
    "a bit of its head": (8, lambda folder, draw: bent(folder / LIVE, draw, 12_288)),
    "a page of the file": (6, lambda folder, draw: wiped(folder / LIVE, draw)),
    "the file cut": (6, lambda folder, draw: cut(folder / LIVE, draw)),
    "a bit of the log": (8, lambda folder, draw: bent(folder / WAL, draw)),
    "the log cut": (6, lambda folder, draw: cut(folder / WAL, draw)),
    "the log gone": (1, gone(WAL)),
    "the file gone": (1, gone(LIVE)),
    "both gone": (1, gone(LIVE, WAL)),
    "the copy gone": (1, gone(PUBLISHED)),
    "all gone": (1, gone(LIVE, WAL, PUBLISHED)),
    "a bit of the copy": (3, lambda folder, draw: bent(folder / PUBLISHED, draw)),
    "file and copy": (8, lambda folder, draw: f"{bent(folder / LIVE, draw, 12_288)}, {bent(folder / PUBLISHED, draw)}"),
    "file gone, copy cut": (4, lambda folder, draw: gone(LIVE, WAL)(folder, draw) + cut(folder / PUBLISHED, draw)),
}
