"""Reports as a recount sees them, and which of them counted at some moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.truceday import Micros

Identity = tuple[str, str]


class NaiveLine(NamedTuple):
    """One line of a bulletin; ``region`` is None for the whole country."""

    region: str | None
    incidents: int
    in_scope: bool


class NaiveReport(NamedTuple):
    """One accepted report revision; of declarations only the identity matters.

    ``offset`` is its place in the facts topic. ``regions`` holds one region for an incident or a convoy, all
    watched ones for a coverage notice. ``kind`` is an incident's kind or a convoy's step, ``place`` the listed place a
    convoy is bound for.

    ``lines``, ``at_least`` and ``adds_up`` are a bulletin's: whether it counts more than it lists, and whether its
    lines come to its total.

    ``destination`` is where a step of a convoy is bound: region, listed place and town, of which one is empty; None
    where it names no place. ``not_same_convoy_as`` holds names of claims.

    ``nil`` is a coverage notice's: whether it says that nothing was seen.

    The rest is told of incidents alone. ``point`` is latitude and longitude as stated, ``place_key`` what the place's
    name is compared by, ``tellers`` who told it first by each of its sources, ``same_as`` and ``not_same_as`` hold
    names of reports, ``merged_into`` the report id of the same feed that this one was merged into.
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
    not_same_convoy_as: tuple[str, ...] = ()
    destination: tuple[str, str, str] | None = None
    place: str | None = None
    lines: tuple[NaiveLine, ...] = ()
    at_least: bool = False
    adds_up: bool = True
    deaths_low: int | None = None
    deaths_high: int | None = None
    time_precision: str = "minute"
    place_precision: str = "unknown"
    point: tuple[float, float] | None = None
    place_key: str | None = None
    names_parties: bool = True
    tellers: tuple[str, ...] = ()
    same_as: tuple[str, ...] = ()
    not_same_as: tuple[str, ...] = ()
    merged_into: str | None = None
    nil: bool = True

    @property
    def identity(self) -> Identity:
        """Who said it and by what name."""
        return self.feed, self.report_id

    @property
    def name(self) -> str:
        """The report as other reports and evidence name it."""
        return f"{self.feed}/{self.report_id}"


def present(reports: Iterable[NaiveReport], before: int | None = None) -> list[NaiveReport]:
    """Return what counts, knowing only the facts with an offset below ``before`` (None: all of them).

    Of every identity that is the highest revision, and nothing at all when that revision is not active.
    """
    highest: dict[Identity, NaiveReport] = {}
    for report in reports:
        if before is not None and report.offset >= before:
            continue
        known = highest.get(report.identity)
        if known is None or report.revision > known.revision:
            highest[report.identity] = report
    return [report for report in highest.values() if report.active]
