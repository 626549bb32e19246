"""Rebuild of a published file: its own records, through intake and ledger again, at its own ticks.

The records lie in the file in the order in which the ledger learned them. Duplicates, reports outside the agreement and
ticks that changed nothing left no row, and change no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiokafka import ConsumerRecord

from schemas.chunks import Given, records_of
from schemas.facts import OutsideFact
from schemas.gazetteer import load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.topics import EMBEDDED_CLUSTER
from sinks.opening import LIVE, StoreLimits
from sinks.store import Store
from sinks.verify.published import Published
from sinks.verify.rebuilt import begin
from sinks.verify.recorded import log_of, spellings_of
from streams.engine.lane import Record as KafkaRecord
from streams.ledger.metrics import LedgerMetrics
from streams.ledger.open_ledger import OpenLedger
from streams.verify.intake import RecordedIntake

#: Called with how many records were folded.
Progress = Callable[[int], None]

#: Facts, and bytes of theirs, folded and committed at once.
FLUSH = 20_000
FLUSH_BYTES = 64 * 1_048_576
#: Stands for what left no row, and counts only for a feed that no file has. A tick would part the facts around it,
#: which are folded by column as long as nothing parts them.
_NOTHING: Given = (OutsideFact(feed="?"), b"")


def rebuild(file: Published, folder: Path, progress: Progress, memory: str = StoreLimits.memory) -> Rebuilt:
    """Rebuild a file in a folder that holds nothing, or the store that ``begin`` made.

    Raises:
        StoreFull, StoreUnavailable: the folder took no more, or the file cannot be read.
    """
    begin(folder, file)
    intake = RecordedIntake(file)
    ledger = _Ledger(file, folder, memory)
    try:
        done = 0
        for facts in intake.facts():
            ledger.take(facts)
            done += len(facts)
            progress(done)
        ledger.end()
    finally:
        ledger.close()
    return Rebuilt(folder / LIVE, untold=intake.places.untold)


class Rebuilt:
    """Rebuilt file.

    Attributes:
        path: where it lies.
        untold: whether what was judged before depends on regions that nobody can tell any more.
    """

    def __init__(self, path: Path, *, untold: bool) -> None:
        self.path = path
        self.untold = untold


class _Ledger:
    """Ledger of the rebuilt file, which begins another log where the recorded one did."""

    def __init__(self, file: Published, folder: Path, memory: str) -> None:
        self._log = log_of(file)
        self._agreement = file.agreement
        self._spellings = _spellings(file)
        self._folder = folder
        self._limits = StoreLimits(memory=memory)
        self._reached = 0
        self._begins = 0
        self._waiting: list[Given] = []
        self._bytes = 0
        self._open = self._opened()

    def take(self, facts: list[tuple[int, Given]]) -> None:
        """Fold facts with their offsets."""
        for offset, given in facts:
            if self._begins < self._log.begins <= offset:
                self._begin_log(self._log.begins)
            self._read_to(offset)
            self._waiting.append(given)
            self._bytes += len(given[1])
            self._reached = offset + 1
            if len(self._waiting) >= FLUSH or self._bytes >= FLUSH_BYTES:
                self._flush()

    def end(self) -> None:
        """Reach the offset the recorded ledger had reached."""
        if self._begins < self._log.begins:
            self._begin_log(self._log.begins)
        self._read_to(self._log.next_offset)
        self._flush()

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()

    def _begin_log(self, at: int) -> None:
        self._read_to(at)
        self._flush()
        self._open.close()
        self._begins = at
        self._open = self._opened()

    def _read_to(self, offset: int) -> None:
        """Read what stands for whatever left no row before ``offset``."""
        missing = offset - self._reached
        if missing > FLUSH:
            self._flush()
            self._open.ledger.next_offset = offset - 1
            missing = 1
        self._waiting += [_NOTHING] * missing
        self._reached = max(self._reached, offset)

    def _flush(self) -> None:
        if self._waiting:
            for _ in self._open.flushing(self._records(self._waiting)):
                pass
        self._waiting, self._bytes = [], 0

    def _records(self, told: list[Given]) -> list[KafkaRecord]:
        """Return the records that follow in the facts topic."""
        return [
            ConsumerRecord(self._log.topic, 0, number, 0, 0, None, value, None, 0, len(value), tuple(headers))
            for number, (_, value, headers) in enumerate(records_of(told), self._open.next_record)
        ]

    def _opened(self) -> OpenLedger:
        # What came before the present log was of a broker that forgets.
        last = self._begins >= self._log.begins
        store = Store.open(
            self._folder,
            self._agreement,
            self._spellings,
            facts_topic=self._log.topic,
            log_identity=self._log.identity if last else f"{EMBEDDED_CLUSTER}earlier",
            new_log_allowed=True,
            limits=self._limits,
        )
        return OpenLedger(self._agreement, store, LedgerMetrics())


def _spellings(file: Published) -> Mapping[str, Sequence[str]]:
    """Return the names of the regions: the gazetteer's, or where it is not shipped those of the file."""
    name = file.agreement.gazetteer
    return spellings_of(file) if name not in shipped_gazetteers() else load_gazetteer(name).spellings()
