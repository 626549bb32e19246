"""A ledger on the real store and one on plain dictionaries must come to the same rows, whatever is cut where."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import duckdb
import pytest

from schemas.facts import Fact
from schemas.rows import Evidence
from sinks.linking import LinkingAnswers
from sinks.store import Store
from streams.ledger.core.identity import key_hash
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.report_rows import Entry
from tests.support.effort import cases
from tests.support.stores import new_store, open_store
from tests.support.worlds import HOUR, World, at, convoy, coverage, incident, tick

FACTS = 250


def history(seed: int) -> list[Fact]:
    """Return reports, corrections and retractions in no good order, with a tick now and then."""
    draw = random.Random(seed)
    told: list[Fact] = []
    for n in range(FACTS):
        when = at(0, 1 + n * 240 / FACTS)
        match draw.randrange(10):
            case 0 | 1:
                told.append(tick(when))
            case 2:
                told.append(coverage(f"c{draw.randrange(9)}-{n}", low=when - 24 * HOUR, high=when))
            case 3:
                step = draw.choice(["requested", "dispatched", "attacked", "offloaded"])
                told.append(convoy(f"s{n}", step, when=when, convoy_id=f"aid-{draw.randrange(4)}"))
            case _:
                told.append(
                    incident(
                        f"i{draw.randrange(60)}",
                        when=when - draw.randrange(72) * HOUR,
                        stamp=when,
                        revision=1 + draw.randrange(5),
                        retracted=draw.random() < 0.2,
                        region=draw.choice(["SY01", "SY02"]),
                        kind=draw.choice(["shelling", "airstrike", "attack_on_aid"]),
                        sides=draw.choice([(("Government",), ("Opposition",)), (("ISIL",), ("Government",))]),
                        deaths_best=draw.choice([None, 0, 4]),
                    )
                )
    return [*told, tick(at(12))]


class StoredLedger:
    """A ledger on a real store; ``reopen`` drops everything it holds in memory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.store: Store = new_store(directory)
        self.ledger = self._begin()

    def _begin(self) -> Ledger:
        ledger = Ledger(World().ledger.agreement, self._earliest, self._staged)
        ledger.resume(self.store.resume())
        return ledger

    def _staged(self) -> LinkingAnswers:
        self.store.stage(self.ledger.changes)
        return self.store.linking()

    def _earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        self.store.stage(self.ledger.changes)
        return self.store.earliest(region, day, kinds, limit)

    def reopen(self) -> None:
        """Stop and start, as after a crash."""
        self.store.close()
        self.store = open_store(self._directory)
        self.ledger = self._begin()

    def tell(self, first: int, facts: list[Fact]) -> None:
        """Fold facts as one batch, each with a body as the plain world makes it."""
        entries = []
        for offset, fact in enumerate(facts, start=first):
            key = key_hash(getattr(fact, "feed", ""), getattr(fact, "report_id", ""))
            entries.append(Entry(offset, fact, repr(fact).encode(), key))
        priors = self.store.priors(self.ledger.unknown(entries))
        for entry in entries:
            self.ledger.fold(entry, priors)


@pytest.mark.parametrize("seed", cases(range(3), fast=1))
def test_a_ledger_that_is_stopped_and_started_comes_to_the_same_rows(tmp_path: Path, seed: int) -> None:
    told = history(seed)
    plain = World(flush_every=FACTS * 2).tell(*told)
    plain.flush()
    stored = StoredLedger(tmp_path)
    draw = random.Random(seed)
    offset = 0
    while offset < len(told):
        batch = told[offset : offset + draw.randrange(1, 60)]
        stored.tell(offset, batch)
        offset += len(batch)
        lost = offset < len(told) and draw.random() < 0.3
        if not lost:
            stored.store.commit(stored.ledger.drain())
        if lost or draw.random() < 0.5:
            stored.reopen()
            offset = stored.ledger.next_offset
    resumed = stored.store.resume()
    standing = {(row.region, row.truce_day): row for row in plain.store.verdict_log}
    assert {(row.region, row.truce_day): row for row in resumed.verdicts} == standing
    stored.store.close()
    expected = [(row.region, row.truce_day, row.version, row.evidence) for row in plain.store.versions]
    assert versions(tmp_path) == expected


def versions(directory: Path) -> list[tuple[str, date, int, str]]:
    """Return every version in the order they were written."""
    with duckdb.connect(str(directory / "live.duckdb"), read_only=True) as connection:
        return connection.execute(
            "SELECT region, truce_day, version, evidence FROM verdict_log WHERE new_version ORDER BY rowid"
        ).fetchall()
