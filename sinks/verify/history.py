"""Reports as a recount sees them, and which of them counted at some moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.truceday import Micros


class NaiveLine(NamedTuple):
    """One line of a bulletin; ``region`` is None for the whole country."""

    region: str | None
    incidents: int
    in_scope: bool


class NaiveReport(NamedTuple):
    """One accepted report revision; of declarations only the identity matters.

    ``offset`` is its place in the facts topic. ``regions`` holds one region for an incident or a convoy, all
    watched ones for a coverage notice. ``kind`` is an incident's kind or a convoy's step.
    """

    offset: int
    feed: str
    report_id: str
    revision: int
    active: bool
    type: str
    regions: tuple[str, ...] = ()
    occurred_from: Micros = 0
    occurred_to: Micros = 0
    reported_at: Micros = 0
    kind: str = ""
    in_scope: bool = True
    deaths_best: int | None = None
    convoy_id: str = ""
    same_convoy_as: str | None = None
    lines: tuple[NaiveLine, ...] = ()


def present(reports: Iterable[NaiveReport], before: int | None = None) -> list[NaiveReport]:
    """Return what counts, knowing only the facts with an offset below ``before`` (None: all of them).

    Of every identity that is the highest revision, and nothing at all when that revision is retracted.
    """
    highest: dict[tuple[str, str], NaiveReport] = {}
    for report in reports:
        if before is not None and report.offset >= before:
            continue
        known = highest.get((report.feed, report.report_id))
        if known is None or report.revision > known.revision:
            highest[report.feed, report.report_id] = report
    return [report for report in highest.values() if report.active]
