"""Recorded files merged into one archive, in the order a replay publishes them, with ticks along its time.

Ticks are what the ledger judges at. The archive puts one at the end of every hour (UTC) in which something was
reported and one at every truce-day boundary in between, so that a day in which nobody spoke is judged too.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import IO, Literal, Self

import numpy as np
import numpy.typing as npt

from schemas.truceday import MICROS_PER_HOUR, Micros, TruceCalendar
from streams.feeds.recorded import Recorded
from streams.intake.examine import CLOCK_TOLERANCE, TICK_HEADER

Order = Literal["reported", "listed"]
#: One Kafka record: key, value, headers.
ArchiveRecord = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]

#: A produce request holds a chunk: small enough for any broker's limit, large enough to be worth the round trip.
CHUNK_RECORDS = 2_000
CHUNK_BYTES = 4 * 1_048_576

#: Which record of the archive it is, from 0: the topic may hold one twice.
NUMBER_HEADER = "number"

_NO_STAMP = np.iinfo(np.int64).min


def tick(stamp: Micros, number: int) -> ArchiveRecord:
    """The control record that says time has reached ``stamp``."""
    return None, b"", [(TICK_HEADER, b"%d" % stamp), _numbered(number)]


def _hash(value: bytes) -> int:
    return int.from_bytes(blake2b(value, digest_size=8).digest(), "big")


def _numbered(number: int) -> tuple[str, bytes]:
    return NUMBER_HEADER, b"%d" % number


class Archive:
    """Recorded reports spooled to a temporary file, with 32 bytes of index for each in memory.

    In order ``reported`` the sequence depends on the reports alone: by reporting time, then by a digest of the bytes,
    so that neither the order of the files nor of their lines shows. In order ``listed`` it is that of the files.
    A report that states no readable time keeps the place of its neighbour in its file. So does one that states a time
    to come, which intake rejects.

    Only reports that will be accepted move time: a rejected record with its year mistyped would have the ledger judge
    decades of days that never were.

    Usable once filled; closing removes the temporary file.

    Args:
        accepted: tells the identity and revision of a record that intake will accept, None of any other.
        now: the present time, by which a stated time lies in the future.
    """

    def __init__(
        self,
        calendars: Sequence[TruceCalendar],
        order: Order = "reported",
        *,
        now: Micros,
        accepted: Callable[[bytes], Hashable | None],
    ) -> None:
        self._calendars = calendars
        self._accepted = accepted
        self._latest = now + CLOCK_TOLERANCE
        self._order: Order = order
        self._spool: IO[bytes] = tempfile.TemporaryFile(prefix="trucewatch-archive-")  # noqa: SIM115 - closed by __exit__
        self._stamps = array("q")
        self._offsets = array("q")
        self._lengths = array("q")
        self._digests = array("Q")
        self._identities = array("Q")
        self._revisions: dict[int, Hashable | None] = {}
        self._conflicting: set[int] = set()
        self._end = 0
        self._ticks: tuple[int, list[Micros]] = (0, [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self._stamps)

    def add(self, reports: Iterable[Recorded]) -> int:
        """Take in the reports of one file and return how many there were."""
        first, before = len(self._stamps), _NO_STAMP
        for report in reports:
            if report.reported_at is not None and report.reported_at <= self._latest:
                before = report.reported_at
            self._stamps.append(before)
            self._offsets.append(self._end)
            self._lengths.append(len(report.value))
            self._digests.append(_hash(report.value))
            self._identities.append(_hash(f"{report.feed}/{report.report_id}".encode()))
            self._spool.write(report.value)
            self._end += len(report.value)
        self._backfill(first)
        return len(self._stamps) - first

    def ticks(self) -> list[Micros]:
        """Every instant the archive ticks at, ascending; empty when no accepted report states a time."""
        if self._ticks[0] != len(self):
            self._ticks = len(self), self._find_ticks()
        return self._ticks[1]

    def _find_ticks(self) -> list[Micros]:
        stamps = self._moving()
        if not stamps:
            return []
        hours = [stamp // MICROS_PER_HOUR + 1 for stamp in stamps]
        last = hours[-1] * MICROS_PER_HOUR
        found = {hour * MICROS_PER_HOUR for hour in hours}
        for calendar in self._calendars:
            days = calendar.days_between(calendar.day_at(stamps[0]) + timedelta(days=1), calendar.day_at(last))
            found.update(calendar.start_of(day) for day in days)
        return sorted(found)

    def _moving(self) -> list[Micros]:
        """Return the stamp of one accepted report of every hour that has any, ascending; the others are not read."""
        self._conflicting = self._find_conflicting()
        stamps = self._filled()
        by_time = np.argsort(stamps, kind="stable")
        by_time = by_time[stamps[by_time] != _NO_STAMP]
        _, starts = np.unique(stamps[by_time] // MICROS_PER_HOUR, return_index=True)
        found = (
            next((int(stamps[index]) for index in hour if self._moves(int(index))), None)
            for hour in np.split(by_time, starts[1:])
        )
        return [stamp for stamp in found if stamp is not None]

    def _find_conflicting(self) -> set[int]:
        """Return the reports that the ledger will reject, because the archive tells their revision otherwise before."""
        _, order = self._sequence()
        identities = np.frombuffer(self._identities, np.uint64) if self._identities else np.empty(0, np.uint64)
        by_identity = order[np.argsort(identities[order], kind="stable")]
        same = identities[by_identity][1:] == identities[by_identity][:-1]
        told: dict[Hashable, int] = {}
        conflicting: set[int] = set()
        for index in map(int, by_identity[np.append(same, False) | np.insert(same, 0, False)]):
            revision = self._revision(index)
            if revision is not None and told.setdefault(revision, self._digests[index]) != self._digests[index]:
                conflicting.add(index)
        return conflicting

    def _moves(self, index: int) -> bool:
        """Whether time moves with a report: it will be accepted, by intake and by the ledger."""
        return index not in self._conflicting and self._revision(index) is not None

    def _revision(self, index: int) -> Hashable | None:
        if index not in self._revisions:
            self._spool.flush()
            value = os.pread(self._spool.fileno(), self._lengths[index], self._offsets[index])
            self._revisions[index] = self._accepted(value)
        return self._revisions[index]

    def chunks(self) -> Iterator[list[ArchiveRecord]]:
        """Yield the archive in order and numbered, each tick before the first report of its time or later.

        The sequence is the same on every call, record for record: a replay that was cut off goes on where it was.
        """
        stamps, order = self._sequence()
        ticks = self.ticks()
        chunk: list[ArchiveRecord] = []
        size = 0
        ticked = number = 0
        with self._values() as values:
            for index in order:
                due = bisect_right(ticks, int(stamps[index]), lo=ticked)
                if due > ticked and not self._moves(int(index)):
                    due = ticked
                chunk.extend(tick(stamp, at) for at, stamp in enumerate(ticks[ticked:due], start=number))
                number += due - ticked
                ticked = due
                offset, length = self._offsets[index], self._lengths[index]
                chunk.append((None, values[offset : offset + length], [_numbered(number)]))
                number += 1
                size += length
                if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
                    yield chunk
                    chunk, size = [], 0
        chunk.extend(tick(stamp, at) for at, stamp in enumerate(ticks[ticked:], start=number))
        if chunk:
            yield chunk

    def _sequence(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        stamps = self._filled()
        if self._order == "listed":
            return stamps, np.arange(len(stamps))
        digests = np.frombuffer(self._digests, np.uint64) if self._digests else np.empty(0, np.uint64)
        return stamps, np.lexsort((digests, stamps))

    def _filled(self) -> npt.NDArray[np.int64]:
        """The stamps, those of files without any time put at the archive's start."""
        if not self._stamps:
            return np.empty(0, np.int64)
        stamps = np.array(self._stamps, np.int64)
        stated = stamps != _NO_STAMP
        if stated.any():
            stamps[~stated] = stamps[stated].min()
        return stamps

    def _backfill(self, first: int) -> None:
        """Give the reports before a file's first stated time that time."""
        for index in range(first, len(self._stamps)):
            if self._stamps[index] != _NO_STAMP:
                for early in range(first, index):
                    self._stamps[early] = self._stamps[index]
                return

    def _values(self) -> mmap.mmap:
        self._spool.flush()
        # An empty file cannot be mapped; an anonymous map of one byte serves an archive without reports.
        return mmap.mmap(self._spool.fileno(), self._end, access=mmap.ACCESS_READ) if self._end else mmap.mmap(-1, 1)
