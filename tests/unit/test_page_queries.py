"""Queries that the page asks of each copy say what the views say, which read all reports for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from schemas.agreement import ViolenceRules
from sinks import reading, silence
from sinks.bulletins import bulletin_totals
from sinks.day_detail import day_detail, verdict_of
from sinks.rolling import rolling_days
from sinks.selecting import Connection
from tests.support.effort import cases, every
from tests.support.random_history import random_history


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    connection = reading.open_published(path)
    try:
        yield connection
    finally:
        connection.close()


def of_days(connection: Connection, rules: ViolenceRules) -> int:
    """Hold the incidents of some days, with their reports, against the views; return how many there were."""
    ask, seen = connection.execute, 0
    told = "SELECT incident_id, list(DISTINCT (feed, report_id, revision)) FROM incident_reports GROUP BY 1"
    reports = {incident_id: set(made) for incident_id, made in ask(told).fetchall()}
    for region, day in every(ask("SELECT region, truce_day FROM day_verdicts WHERE incidents > 0").fetchall(), 2):
        present = verdict_of(connection, region, day)
        assert present is not None
        detail = day_detail(connection, present, rules, [])
        for each in detail.incidents:
            assert {(one.feed, one.report_id, one.revision) for one in each.reports} == reports[each.incident_id]
        on_the_day = "SELECT incident_id FROM incidents WHERE region = ? AND truce_day = ?"
        assert {each.incident_id for each in detail.incidents} >= {
            name for (name,) in ask(on_the_day, [region, day]).fetchall()
        }
        seen += len(detail.incidents)
    return seen


def hold_against_the_views(connection: Connection) -> set[str]:
    """Compare each query with its view; return which of them had rows."""
    about = reading.about(connection)
    rolled = [
        (each.region, each.truce_day, each.days_met, each.days_broken, each.days_unknown, each.incidents)
        for each in rolling_days(connection, about.agreement.first_day)
    ]
    assert (
        rolled
        == connection.execute(
            "SELECT region, truce_day, days_met, days_broken, days_unknown, incidents FROM region_windows_daily "
            "WHERE truce_day >= ? ORDER BY region, truce_day",
            [about.agreement.first_day],
        ).fetchall()
    )
    later = rolled[len(rolled) // 2][1]
    assert [each.incidents for each in rolling_days(connection, later)] == [
        incidents for _, day, *_, incidents in rolled if day >= later
    ]
    silent = [(each.feed, each.regions, each.silent_since) for each in silence.silent_feeds(connection)]
    assert (
        silent
        == connection.execute(
            "SELECT feed, list(region ORDER BY region), max(silent_since) AS since FROM feed_silence "
            "WHERE truce_day = (SELECT max(truce_day) FROM truce_days) GROUP BY feed ORDER BY since, feed"
        ).fetchall()
    )
    totals = bulletin_totals(connection, date.min, date.max, None, None)
    told = [(each.feed, each.occurred_from, each.occurred_to, each.lines, each.counted) for each in totals]
    assert (
        told
        == connection.execute(
            "SELECT feed, occurred_from, occurred_to, sum(bulletin_incidents)::BIGINT, "
            "coalesce(any_value(counted_incidents) FILTER (region IS NULL), sum(counted_incidents))::BIGINT "
            "FROM bulletin_counts "
            "GROUP BY feed, report_id, occurred_from, occurred_to ORDER BY occurred_from, occurred_to, feed"
        ).fetchall()
    )
    incidents = of_days(connection, about.agreement.violence)
    kinds = {"rolling": rolled, "silent": silent, "bulletins": totals, "incidents": incidents}
    return {name for name, rows in kinds.items() if rows}


@pytest.mark.property
@pytest.mark.parametrize("seed", cases(range(2), fast=0))
def test_they_say_of_a_history_what_the_views_say(tmp_path: Path, seed: int) -> None:
    file = random_history(seed, reports=60, days=4, linking=True).judged(tmp_path)
    with opened(file) as connection:
        assert hold_against_the_views(connection) == {"rolling", "silent", "bulletins", "incidents"}
