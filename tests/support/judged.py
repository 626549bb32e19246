"""A file as the ledger publishes it: reports through intake's examiner, the ledger and the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.agreement import Agreement
from schemas.facts import Fact, Origin, OutsideFact, Redrive, RejectFact, TickFact
from schemas.gazetteer import load_gazetteer
from schemas.rejects import Dismissal, dismissal_record, naming
from schemas.topics import Topics
from schemas.truceday import Micros, from_micros
from sinks.linking import LinkingAnswers
from sinks.store import PUBLISHED, Store
from streams.intake.examine import Examiner
from streams.ledger.core.identity import identity_of, key_hash
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.report_rows import Entry
from tests.support.stores import begin_store
from tests.support.worlds import at

SOURCE = "truce.incidents.v1"


def told(micros: Micros) -> str:
    """Return an instant as a feed writes it."""
    return from_micros(micros).isoformat()


def counting(report_id: str, count: int) -> dict[str, Any]:
    """Return a bulletin of a monitor that counts so many violations in SY01 on the first truce-day."""
    tallies = [{"count": count, "place": {"pcode": "SY01"}}]
    when = {"reported_at": at(1), "occurred": (at(0), at(1))}
    return report("bulletin", report_id, feed="monitor", tallies=tallies, **when)


def report(type_: str, report_id: str, *, feed: str = "feed-a", reported_at: Micros, **fields: Any) -> dict[str, Any]:
    """Return a report as a feed would write it.

    ``occurred`` may be given as a pair of instants, ``region`` for a place that is only a P-code.
    """
    if "occurred" in fields:
        low, high = fields["occurred"]
        fields["occurred"] = {"from": told(low), "to": told(high), "precision": "minute"}
    if "region" in fields:
        fields["place"] = {"pcode": fields.pop("region")}
    return {"type": type_, "feed": feed, "report_id": report_id, "reported_at": told(reported_at), **fields}


class History:
    """Facts with their bytes in the order they reach the ledger; a report is received when it is reported."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.facts: list[tuple[Fact, bytes]] = []
        self._examiner = Examiner([agreement], load_gazetteer(agreement.gazetteer), "archive")
        self._sources = 0
        self._log = ""

    def tell(self, *reports: dict[str, Any] | bytes) -> History:
        """Add records, each the next of one source partition; what is no report becomes a reject."""
        for given in reports:
            self._take_in(given if isinstance(given, bytes) else json.dumps(given, ensure_ascii=False).encode(), ())
        return self

    def redriven(self, number: int, body: bytes | dict[str, Any] | None = None, *, time: int = 1) -> History:
        """Publish an earlier reject once more, for the ``time``-th time, as it was or edited."""
        rejected, original = self.facts[number]
        if not isinstance(rejected, RejectFact) or rejected.origin is None:
            raise ValueError(f"fact {number} is no reject of intake's")
        headers = [(name, text.encode()) for name, text in naming(Redrive(rejected.origin, time)).items()]
        self._take_in(json.dumps(body).encode() if isinstance(body, dict) else body or original, headers)
        return self

    def dismissed(self, number: int, reason: str = "a test", by: str = "desk") -> History:
        """Dismiss an earlier reject."""
        rejected, _ = self.facts[number]
        if not isinstance(rejected, RejectFact) or rejected.origin is None:
            raise ValueError(f"fact {number} is no reject of intake's")
        body, headers = dismissal_record(rejected.origin, Dismissal(reason, by))
        self._take_in(body, [(name, value or b"") for name, value in headers])
        return self

    def _take_in(self, body: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        origin = Origin(SOURCE, 0, self._sources, self._log)
        self._sources += 1
        read_at = self.agreement.effective + 10**15
        for _, fact in self._examiner.examine(body, headers, origin, read_at).facts:
            # As intake writes them: of a report that is no concern of the agreement nothing is kept.
            self.facts.append((fact, b"" if isinstance(fact, OutsideFact) else body))

    def from_log(self, log: str) -> History:
        """Make the source topic anew: what follows is of another log, its offsets counted from zero."""
        self._log, self._sources = log, 0
        return self

    def again(self, number: int) -> History:
        """Send the bytes of an earlier record once more."""
        return self.tell(self.facts[number][1])

    def tick(self, *moments: Micros) -> History:
        """Add ticks."""
        self.facts += [(TickFact(stamp=moment), b"") for moment in moments]
        return self

    def first(self, facts: int | None = None) -> History:
        """Return a history of its own that goes on from the first facts of this one, or from all."""
        other = History(self.agreement)
        other.facts, other._sources, other._log = self.facts[:facts], self._sources, self._log
        return other

    def judged(self, folder: Path, *, flush_every: int = 10_000, restart_every: int = 10**9) -> Path:
        """Run the ledger over all facts, or those it has not read in this folder, and return the file it publishes."""
        begin_store(folder, self.agreement)
        store = self._open(folder)
        ledger = self._ledger(store)
        for flushes, first in enumerate(range(ledger.next_offset, len(self.facts), flush_every), start=1):
            self._fold(ledger, store, self.facts[first : first + flush_every], first)
            changes = ledger.drain()
            # As if each fact had come in a chunk of its own.
            changes.next_record = changes.next_offset
            store.commit(changes)
            if flushes % restart_every == 0:
                store.close()
                store = self._open(folder)
                ledger = self._ledger(store)
        store.publish(datetime(2016, 10, 1, tzinfo=UTC))
        store.close()
        return folder / PUBLISHED

    def _open(self, folder: Path) -> Store:
        names = load_gazetteer(self.agreement.gazetteer).spellings()
        return Store.open(
            folder,
            self.agreement,
            names,
            facts_topic=Topics("truce").facts(self.agreement.id),
            log_identity="log",
            new_log_allowed=False,
        )

    def _ledger(self, store: Store) -> Ledger:
        def earliest(*question: Any) -> Any:
            store.stage(ledger.changes)
            return store.earliest(*question)

        def staged() -> LinkingAnswers:
            store.stage(ledger.changes)
            return store.linking()

        ledger = Ledger(self.agreement, earliest, staged)
        ledger.resume(store.resume())
        return ledger

    def _fold(self, ledger: Ledger, store: Store, facts: Sequence[tuple[Fact, bytes]], first: int) -> None:
        entries = []
        for number, (fact, body) in enumerate(facts):
            identity = identity_of(fact)
            entries.append(Entry(first + number, fact, body, key_hash(*identity) if identity else 0))
        priors = store.priors(ledger.unknown(entries))
        for entry in entries:
            ledger.fold(entry, priors)
