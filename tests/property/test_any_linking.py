"""Linked histories in any order, told twice, cut anywhere: the incidents are those of the reports that stand."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from schemas.facts import Fact, IncidentFact, TickFact
from schemas.rows import DayVerdict, LinkedIncident, LinkedReport
from streams.ledger.core.report_cache import Bounds
from tests.support.effort import cases, examples
from tests.support.random_history import random_history
from tests.support.worlds import MemoryStore, World, at, tick

SEEDS = range(examples(6))


def facts_of(seed: int) -> tuple[World, list[Fact]]:
    """Return an empty world under drawn rules and a history of one body a revision, each with its own last tick."""
    history = random_history(seed, reports=60, linking=True)
    bodies: dict[tuple[Any, ...], Fact] = {}
    for fact, _ in history.facts:
        if not isinstance(fact, TickFact) and hasattr(fact, "revision"):
            # A fact that says where it came from would be taken for a redelivery when told out of order.
            told_anywhere = msgspec.structs.replace(fact, origin=None)
            bodies.setdefault((fact.feed, fact.report_id, fact.revision), told_anywhere)
    return World(history.agreement), list(bodies.values())


def told(world: World, facts: Sequence[Fact], *, flush_every: int = 10_000, bounds: Bounds | None = None) -> World:
    fresh = World(world.store.truce, flush_every=flush_every, bounds=bounds).tell(*facts, tick(at(30)))
    fresh.flush()
    return fresh


def outcome(world: World) -> dict[str, Any]:
    """Return everything a linked history comes to but where its reports lie in the topic."""
    books = world.ledger._aggregates
    return {
        "incidents": sorted(map(str, world.store.incidents.values())),
        "reports": sorted(str(row._replace(fact_offset=0)) for row in world.store.members),
        "tallies": {
            bucket: (
                tally.incidents,
                tally.severe.total,
                tally.out_of_scope,
                tally.tolls,
                tally.without_toll,
                {feed: incidents for feed, incidents in tally.feeds.items() if incidents},
            )
            for bucket, tally in books.tallies.items()
            if tally.incidents or tally.out_of_scope
        },
        "verdicts": {
            bucket: (row.verdict, row.incidents, row.deaths_best, row.evidence)
            for bucket, row in world.store.verdicts.items()
        },
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_order_repetition_and_flushes_never_show_in_what_is_linked(seed: int) -> None:
    world, facts = facts_of(seed)
    draw = random.Random(seed)
    plain = outcome(told(world, facts))
    assert plain["incidents"] or not facts
    shuffled = facts + facts
    draw.shuffle(shuffled)
    for flush_every in (1, 7):
        assert outcome(told(world, shuffled, flush_every=flush_every)) == plain


@pytest.mark.parametrize("seed", SEEDS)
def test_how_much_memory_holds_never_shows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world, facts = facts_of(seed)
    random.Random(seed).shuffle(facts)
    ample = outcome(told(world, facts, flush_every=7))
    asked: list[int] = []
    cells = MemoryStore.cells
    monkeypatch.setattr(MemoryStore, "cells", lambda store, some: (asked.append(len(some)), cells(store, some))[1])
    assert outcome(told(world, facts, flush_every=7, bounds=Bounds(rows=3, reports=2, claims=1))) == ample
    # Reports that name each other are linked whatever lies near.
    assert asked or not any("closest" in report or "same_name" in report for report in ample["reports"])


@pytest.mark.parametrize("seed", SEEDS)
def test_where_flushes_fall_shows_in_no_version_and_no_cause(seed: int) -> None:
    world, facts = facts_of(seed)
    ticked = [step for number, fact in enumerate(facts) for step in (fact, tick(at(0)))[: 1 + (number % 9 == 0)]]
    whole, cut = told(world, ticked), told(world, ticked, flush_every=4)
    assert cut.store.versions == whole.store.versions
    assert cut.store.verdicts == whole.store.verdicts


@pytest.mark.parametrize("seed", SEEDS)
def test_a_version_after_one_report_is_by_that_report_or_by_none(seed: int) -> None:
    """All days are over and settled, so whatever changes makes a version, and time makes none."""
    world, facts = facts_of(seed)
    random.Random(seed).shuffle(facts)
    world = World(world.store.truce, flush_every=7).tell(tick(at(30)))
    for fact in facts:
        world.flush()
        before = len(world.store.versions)
        world.tell(fact, tick(at(30)))
        world.flush()
        made = world.store.versions[before:]
        by = f"{fact.feed}/{fact.report_id}@{fact.revision}"
        for row in made:
            named = json.loads(row.cause)
            # None on days of others alone, whose links it moved without joining them.
            unnamed = {"reports": [], "more": 0}
            allowed = [unnamed] if isinstance(fact, IncidentFact) and not told_of(world, fact, row) else []
            assert named in [{"reports": [by], "more": 0}, *allowed], row[:3]


def told_of(world: World, fact: IncidentFact, row: DayVerdict) -> bool:
    """Whether a report that is not retracted is of the day of a version."""
    day, _ = world.store.truce.calendar.day_of(fact.from_, fact.to)
    return not fact.retracted and (fact.place.region, day) == (row.region, row.truce_day)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_version_after_several_reports_is_by_some_of_them(seed: int) -> None:
    world, facts = facts_of(seed)
    random.Random(seed).shuffle(facts)
    world = World(world.store.truce, flush_every=4).tell(tick(at(30)))
    for first in range(0, len(facts), 6):
        world.flush()
        before = len(world.store.versions)
        told = facts[first : first + 6]
        world.tell(*told, tick(at(30)))
        world.flush()
        for row in world.store.versions[before:]:
            cause = json.loads(row.cause)
            assert set(cause["reports"]) <= {f"{fact.feed}/{fact.report_id}@{fact.revision}" for fact in told}
            assert len(set(cause["reports"])) == len(cause["reports"]) + cause["more"]
            of_its_day = [one for one in told if isinstance(one, IncidentFact) and told_of(world, one, row)]
            assert cause["reports"] or not of_its_day


@pytest.mark.parametrize("seed", cases(SEEDS, fast=1))
def test_the_store_finds_the_partners_that_a_plain_scan_finds(seed: int, tmp_path: Path) -> None:
    history = random_history(seed, reports=80, linking=True)
    history.tick(at(30))
    draw = random.Random(seed)
    path = history.judged(tmp_path, flush_every=draw.choice([9, 40, 1_000]), restart_every=draw.choice([2, 10**9]))
    world = World(history.agreement)
    world.tell_bodies(history.facts)
    world.flush()
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        assert table(connection, LinkedIncident, "linked_incidents") == sorted(
            map(plain, world.store.incidents.values())
        )
        assert table(connection, LinkedReport, "linked_reports") == sorted(map(plain, world.store.members))
        verdicts = connection.execute(
            "SELECT region, truce_day, verdict, incidents, deaths_best, evidence, cause FROM day_verdicts"
        ).fetchall()
        versions = connection.execute(
            "SELECT region, truce_day, version, tick_offset, cause FROM day_verdict_versions ORDER BY ALL"
        ).fetchall()
        hours = connection.execute("SELECT region, incidents_168h, deaths_best_168h FROM region_windows").fetchall()
    assert {row[:2]: row[2:] for row in verdicts} == {
        bucket: (row.verdict, row.incidents, row.deaths_best, row.evidence, row.cause)
        for bucket, row in world.store.verdicts.items()
    }
    assert versions == sorted(
        (row.region, row.truce_day, row.version, row.tick_offset, row.cause) for row in world.store.versions
    )
    last = world.store.changes[-1].windows
    assert sorted(hours) == sorted((row.region, row.incidents_168h, row.deaths_best_168h) for row in last)


def plain(row: tuple[Any, ...]) -> str:
    return str([str(value) for value in row])


def table(connection: duckdb.DuckDBPyConnection, row_type: Any, name: str) -> list[str]:
    columns = ", ".join(f"epoch_us({field})" if field.startswith("occurred") else field for field in row_type._fields)
    rows = [row_type._make(row) for row in connection.execute(f"SELECT {columns} FROM {name}").fetchall()]
    return sorted(plain(row._replace(feeds=tuple(row.feeds)) if hasattr(row, "feeds") else row) for row in rows)
