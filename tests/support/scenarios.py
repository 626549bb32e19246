"""Scenarios: what a history was judged to, asked of the published file after verify has passed it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from schemas.truceday import Micros
from streams.verify import verify
from tests.support.judged import History, report

SIDES = ({"name": "Government", "slot": "a"}, {"name": "Opposition", "slot": "b"})


class Outcome:
    """A published file, asked in SQL."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._connection = duckdb.connect(str(file), read_only=True)
        self._connection.execute("SET TimeZone = 'UTC'")

    def ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(query, list(given)).fetchall()

    def one(self, query: str, *given: Any) -> Any:
        """Return the only value of the only row."""
        ((value,),) = self.ask(query, *given)
        return value

    def verdict(self, region: str, day: date) -> dict[str, Any]:
        """Return the present verdict of a region and truce-day, by column."""
        columns = ("verdict", "state", "violence", "access", "incidents", "incidents_out_of_scope", "version")
        query = f"SELECT {', '.join(columns)} FROM day_verdicts WHERE region = ? AND truce_day = ?"
        (row,) = self.ask(query, region, day)
        return dict(zip(columns, row, strict=True))

    def streak(self, region: str) -> int:
        """Return a region's streak in days."""
        return int(self.one("SELECT streak_days FROM region_windows WHERE region = ?", region))


def outcome(history: History, folder: Path) -> Outcome:
    """Judge a history through examiner, ledger and store; the independent recount must agree with every row."""
    file = history.judged(folder)
    assert verify(file) == []
    return Outcome(file)


def shelling(report_id: str, when: Micros, region: str = "SY01", **fields: Any) -> dict[str, Any]:
    """Return an incident of half an hour between the parties, told an hour after it began."""
    hour = 3_600_000_000
    spine = {"reported_at": when + hour, "occurred": (when, when + hour // 2), "kind": "shelling", "parties": SIDES}
    return report("incident", report_id, **{**spine, "region": region, **fields})


def watched(report_id: str, low: Micros, high: Micros, *regions: str, **fields: Any) -> dict[str, Any]:
    """Return a nil report: these regions were watched, and there was nothing to report."""
    places = [{"pcode": region} for region in regions]
    spine = {"feed": "watch", "reported_at": high, "occurred": (low, high), "nil": True}
    return report("coverage", report_id, **{**spine, "places": places, **fields})


def truck(report_id: str, step: str, when: Micros, **fields: Any) -> dict[str, Any]:
    """Return a step of the convoy aid-1 to SY02, told at once."""
    spine = {"feed": "un", "convoy_id": "aid-1", "reported_at": when, "occurred": (when, when), "region": "SY02"}
    return report("convoy", report_id, step=step, **{**spine, **fields})
