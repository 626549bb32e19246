"""Plain recount of the generated reports, which the rows of every peer are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import orjson

from schemas.gazetteer import load_gazetteer
from schemas.reports import Place
from tests.bench.reports import NAMES

DAY_MS = 86_400_000
#: A window is seven days long, and one begins every day.
WINDOW_DAYS = 7

#: Region and start of a window in milliseconds since 1970.
WindowKey = tuple[str, int]


class Row(NamedTuple):
    """Reports of a window, and their deaths by the best estimate."""

    count: int
    sum: int


class _Report(NamedTuple):
    """A report as far as the windows need it."""

    region: str
    day: int
    deaths: int


class Recount:
    """Recount of published records, one by one.

    Attributes:
        records: records seen, unreadable ones included.
        readable: records that are JSON.
    """

    def __init__(self, regions: Mapping[str, str]) -> None:
        self.records = 0
        self.readable = 0
        self._regions = regions
        self._told: list[_Report] = []
        self._latest: dict[tuple[str, str], tuple[int, _Report]] = {}

    def add(self, value: bytes) -> None:
        """Take in one record."""
        self.records += 1
        try:
            report = orjson.loads(value)
        except orjson.JSONDecodeError:
            return
        self.readable += 1
        at = datetime.fromisoformat(report["occurred"]["from"])
        place = report["place"]
        region = place.get("pcode") or self._regions[place["names"][0]]
        told = _Report(region, int(at.timestamp() * 1_000) // DAY_MS, report["deaths"]["best"])
        self._told.append(told)
        name, revision = (report["feed"], report["report_id"]), report["revision"]
        if name not in self._latest or self._latest[name][0] < revision:
            self._latest[name] = (revision, told)

    @property
    def reports(self) -> int:
        """Reports by their names, however often they were revised or sent."""
        return len(self._latest)

    def counted(self) -> dict[WindowKey, Row]:
        """Return the windows over every readable record."""
        return windows_of((each.region, each.day, each.deaths) for each in self._told)

    def judged(self) -> dict[WindowKey, Row]:
        """Return the windows over the last revision of each report."""
        return windows_of((each.region, each.day, each.deaths) for _, each in self._latest.values())


def windows_of(reports: Iterator[tuple[str, int, int]]) -> dict[WindowKey, Row]:
    """Return the windows over region, day since 1970 and deaths of each report."""
    days: dict[tuple[str, int], Row] = {}
    for region, day, deaths in reports:
        count, total = days.get((region, day), (0, 0))
        days[region, day] = Row(count + 1, total + deaths)
    found: dict[WindowKey, Row] = {}
    for (region, day), (count, total) in days.items():
        for first in range(day - WINDOW_DAYS + 1, day + 1):
            before = found.get((region, first * DAY_MS), Row(0, 0))
            found[region, first * DAY_MS] = Row(before.count + count, before.sum + total)
    return found


def differing(found: Mapping[WindowKey, Row], expected: Mapping[WindowKey, Row]) -> int:
    """Return how many windows one of the two has otherwise, or not at all."""
    return sum(found.get(key) != expected.get(key) for key in found.keys() | expected.keys())


def regions() -> dict[str, str]:
    """Return the P-code of each name in the reports, as the shipped gazetteer locates it."""
    gazetteer = load_gazetteer("syria")
    return {name: gazetteer.locate(Place(names=[name])).region for name in NAMES}
