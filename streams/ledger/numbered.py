"""Facts of a record with their numbers, and which of them may be folded by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from schemas.chunks import Chunk, Incidents, Numbers
from schemas.facts import REPORT_FACTS, Fact, TickFact
from streams.ledger.core.fresh import Flags
from streams.ledger.core.identity import body_digests, identity_of, key_hash, key_hashes
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.report_rows import Entry

#: Topic, partition and log of a source record.
Source = tuple[str, int, str]

#: Fewer incidents of one run are folded one by one.
WORTH_COLUMNS = 64


class NumberedFacts:
    """Facts of one record, numbered along the topic.

    Attributes:
        first: the number of the first.
        keys: hash of each fact's identity, 0 of one that has none.
        reports: which facts are reports.
        entries: the facts that are folded one by one, ticks included; set by ``part``.
    """

    def __init__(self, chunk: Chunk, first: int) -> None:
        self.first = first
        self._chunk = chunk
        self._in_columns = np.fromiter((said is None for said in chunk.said), np.bool_, len(chunk))
        self._rows = np.flatnonzero(self._in_columns)
        self._incidents = chunk.incidents(self._rows)
        self.keys = np.zeros(len(chunk), np.int64)
        names = zip(self._incidents.values("feed"), self._incidents.values("report_id"), strict=True)
        self.keys[self._rows] = key_hashes(names)
        self.reports = self._in_columns.copy()
        for row, fact in self._said():
            self.keys[row] = 0 if (identity := identity_of(fact)) is None else key_hash(*identity)
            self.reports[row] = isinstance(fact, REPORT_FACTS)
        self._fresh = np.zeros(len(chunk), np.bool_)
        self.entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._chunk)

    def _said(self) -> Iterator[tuple[int, Fact]]:
        return ((row, fact) for row, fact in enumerate(self._chunk.said) if fact is not None)

    @cached_property
    def ticks(self) -> list[int]:
        """The rows of ticks."""
        return [row for row, fact in self._said() if type(fact) is TickFact]

    def part(self, unknown: Flags, ledger: Ledger) -> None:
        """Choose what is folded by column: plain incidents among the facts of ``unknown`` identities."""
        if len(self._rows) >= WORTH_COLUMNS:
            chosen = unknown[self._rows] & ledger.plain(self._incidents)
            if refused := ledger.refused():
                names = zip(self._incidents.values("feed"), self._incidents.values("report_id"), strict=True)
                chosen &= np.fromiter((name not in refused for name in names), np.bool_, len(chosen))
            self._fresh[self._rows[chosen]] = True
            for begin, end in pairwise([-1, *self.ticks, len(self)]):
                if self._fresh[begin + 1 : end].sum() < WORTH_COLUMNS:
                    self._fresh[begin + 1 : end] = False
        others = np.flatnonzero(~self._fresh).tolist()
        told = zip(others, self._chunk.told(others), strict=True)
        self.entries = [Entry(self.first + row, fact, body, int(self.keys[row])) for row, (fact, body) in told]

    def runs(self, ledger: Ledger) -> Iterator[Sequence[Entry]]:
        """Yield the entries to fold between two ticks, each tick by itself; fold by column what lies between.

        What was read before is left out, by the source offsets that ``ledger`` has noted.
        """
        passed = self._passed(ledger)
        entries = {entry.offset - self.first: entry for entry in self.entries}
        begin = 0
        for end in [*self.ticks, len(self)]:
            unread = np.arange(begin, end)[~passed[begin:end]]
            self._fold(unread[self._fresh[unread]], ledger)
            yield [entries[row] for row in unread.tolist() if row in entries]
            self._note(unread[self._in_columns[unread]], ledger)
            ledger.next_offset = self.first + end
            if end < len(self):
                yield [entries[end]]
            begin = end + 1

    def _fold(self, rows: Numbers, ledger: Ledger) -> None:
        if not len(rows):
            return
        incidents = self._of(rows)
        digests = body_digests(self._chunk.bodies[row] for row in rows.tolist())
        ledger.fold_fresh(incidents, self.first + rows, self.keys[rows], digests)

    def _of(self, rows: Numbers) -> Incidents:
        """Return the incidents of rows that are in columns."""
        places = np.searchsorted(self._rows, rows)
        return self._incidents if len(places) == len(self._incidents) else self._incidents.take(places)

    # -- source offsets

    @cached_property
    def _origins(self) -> tuple[list[Source], Numbers, Numbers]:
        """The sources, and of each row the source's place among them and the offset; -1 of one that has none."""
        sources: dict[Source, int] = {}
        of, offsets = np.full(len(self), -1, np.int64), np.full(len(self), -1, np.int64)
        columns = (self._incidents.values(f"source_{name}") for name in ("topic", "partition", "log"))
        names = zip(*columns, strict=True)
        of[self._rows] = [sources.setdefault(name, len(sources)) for name in names]
        offsets[self._rows] = self._incidents.numbers("source_offset")
        for row, fact in self._said():
            if (origin := fact.origin) is not None:
                of[row] = sources.setdefault((origin.topic, origin.partition, origin.log), len(sources))
                offsets[row] = origin.offset
        return list(sources), of, offsets

    def _passed(self, ledger: Ledger) -> Flags:
        """Return which facts come of records that were read before: intake was stopped before it could commit."""
        sources, of, offsets = self._origins
        passed = np.zeros(len(self), np.bool_)
        counts = np.ones(len(self), np.bool_)
        # A tick that is written twice with nothing between judges twice, which never shows.
        counts[self.ticks] = False
        for place, source in enumerate(sources):
            rows = np.flatnonzero(of == place)
            before = np.maximum.accumulate([ledger.high_water(source), *np.where(counts[rows], offsets[rows], -1)])
            passed[rows] = offsets[rows] <= before[:-1]
        return passed

    def _note(self, rows: Numbers, ledger: Ledger) -> None:
        """Note up to where the sources of rows in columns are read; other facts tell by themselves."""
        sources, of, offsets = self._origins
        for place in np.unique(of[rows]).tolist():
            ledger.note_origin(sources[place], int(offsets[rows[of[rows] == place]].max()))


def unknown_of(facts: Sequence[NumberedFacts], seen: Flags) -> Iterator[Flags]:
    """Yield for each record which of its facts tell of an identity that no other here does, nor any before.

    Args:
        seen: of all facts of all records, whether the identity may have been told of before.
    """
    keys = np.concatenate([each.keys for each in facts])
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    alone = (counts[places] == 1) & ~seen
    yield from np.split(alone, np.cumsum([len(each) for each in facts])[:-1])
