"""Linked histories in memory against the recount, report by report."""

from __future__ import annotations

import random

import pytest

from schemas.facts import TickFact
from schemas.reports import ANY_REPORT
from sinks.verify.days import Days
from sinks.verify.incident_rows import naive_report
from sinks.verify.linked_rows import incident_row, report_rows
from sinks.verify.linking import Linking
from tests.support.effort import cases
from tests.support.random_history import random_history
from tests.support.worlds import World, at, tick


@pytest.mark.parametrize("seed", cases(range(200), fast=4))
def test_what_is_linked_equals_the_recount(seed: int) -> None:
    history = random_history(seed, reports=60, linking=True)
    told = [(fact, body) for fact, body in history.facts if not isinstance(fact, TickFact)]
    world = World(history.agreement, flush_every=random.Random(seed).choice([1, 7, 10_000]))
    world.tell_bodies(told)
    world.tell(tick(at(30)))
    world.flush()
    reports = {}
    for row in world.store.reports:
        if row.type == "incident" and row.region is not None:
            told_again = naive_report(history.agreement, ANY_REPORT.validate_json(row.raw), row.fact_offset)
            reports[row.feed, row.report_id, row.revision] = told_again._replace(
                regions=(row.region,), place_key=row.place_key, place_precision=row.place_precision or ""
            )
    days = Days.of(history.agreement)
    recounted = [
        incident
        for incident in Linking(history.agreement, days, reports.values()).incidents()
        if len(incident.members) > 1
    ]
    assert set(world.store.incidents.values()) == {incident_row(incident) for incident in recounted}
    assert set(world.store.members) == {row for incident in recounted for row in report_rows(incident)}
