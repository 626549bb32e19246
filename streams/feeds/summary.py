"""Summary of reports that were tried: what they tell, where, and how exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.facts import ConvoyFact, CoverageFact, IncidentFact, ReportFact

#: Precisions of a time within which no day can be told.
_COARSE = frozenset(["week", "month", "longer"])
#: How a place was found, in the words of the summary.
_FOUND_BY = {"pcode": "P-code", "name": "name", "point": "coordinates"}


@dataclass
class Summary:
    """Counts of what reports tell.

    Attributes:
        known: revision and digest of the reports that stand already, by feed and report_id.
        copies: whether ``known`` holds what was published before, or these files alone.
    """

    known: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    copies: bool = False
    codes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    found_by: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    coarse_times: Counter[str] = field(default_factory=Counter)
    doubtful_places: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    formulas: Counter[str] = field(default_factory=Counter)
    _tell: set[str] = field(default_factory=set)
    _watch: set[str] = field(default_factory=set)

    @property
    def unwatched(self) -> list[str]:
        """Feeds that tell of incidents or convoys, and in these files never that they watched."""
        return sorted(self._tell - self._watch)

    def add(self, fact: ReportFact, digest: int) -> None:
        """Count a report that would be accepted."""
        self.outcomes[self._outcome(fact, digest)] += 1
        if isinstance(fact, CoverageFact):
            self._watch.add(fact.feed)
        if not isinstance(fact, IncidentFact | ConvoyFact):
            return
        self._tell.add(fact.feed)
        self.regions[fact.place.region] += 1
        self.found_by[_FOUND_BY.get(fact.place.by, fact.place.by)] += 1
        if isinstance(fact, IncidentFact):
            self.kinds[fact.kind] += 1
            if fact.time_precision in _COARSE:
                self.coarse_times[fact.time_precision] += 1
        else:
            self.kinds[fact.step] += 1
        if fact.place.conflict is not None:
            self.doubtful_places[fact.place.conflict] += 1

    def _outcome(self, fact: ReportFact, digest: int) -> str:
        identity = fact.feed, fact.report_id
        stood = self.known.get(identity)
        if stood is not None and fact.revision <= stood[0]:
            if fact.revision < stood[0]:
                return "superseded"
            return "duplicate" if digest == stood[1] else "another body under a revision that was published"
        self.known[identity] = fact.revision, digest
        if fact.retracted:
            return "retraction"
        return "new" if stood is None else "correction"

    def parts(self) -> Iterable[tuple[str, Mapping[str, int]]]:
        """Yield each count that is not empty, with what it counts."""
        of = "of what is published" if self.copies else "within these files"
        named = (
            (f"outcomes {of}", self.outcomes),
            ("refused", self.codes),
            ("left out by the mapping", self.skipped),
            ("regions", self.regions),
            ("found by", self.found_by),
            ("kinds", self.kinds),
            ("coarse times", self.coarse_times),
            ("doubtful places", self.doubtful_places),
        )
        return [(what, counts) for what, counts in named if counts]

    def as_json(self) -> dict[str, Any]:
        """Return the counts for programs."""
        names = "outcomes", "codes", "regions", "found_by", "kinds", "coarse_times", "doubtful_places"
        of_files = "skipped", "formulas"
        counts = {name: dict(getattr(self, name).most_common()) for name in (*names, *of_files)}
        return {**counts, "feeds_without_a_watch": self.unwatched, "against_a_copy": self.copies}
