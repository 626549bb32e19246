"""A small truce to test with: two regions, three required days, and a ledger that keeps its rows in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from schemas.agreement import Agreement
from schemas.facts import (
    BulletinFact,
    ConvoyFact,
    CountLine,
    CoverageFact,
    DeclarationFact,
    Fact,
    GivenLength,
    IncidentFact,
    Located,
    Origin,
    PositionFact,
    TickFact,
)
from schemas.reports import IncidentKind
from schemas.rows import (
    Changes,
    Contribution,
    DayVerdict,
    Evidence,
    Identity,
    Linkable,
    LinkedIncident,
    LinkedReport,
    Placed,
    Prior,
    ReportRow,
)
from schemas.truceday import Micros
from streams.ledger.core.identity import identity_of, key_hash
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.report_cache import Bounds
from streams.ledger.core.report_rows import Entry
from tests.support.kept import Kept

FIRST = date(2016, 9, 12)
HOUR = 3_600_000_000
DAY = 24 * HOUR


FIFTY_METRES = GivenLength(50, "metres")
#: A road from west to east with a bend in it, known to a hundred metres, from the second truce-day on.
ROAD: dict[str, Any] = {
    "id": "road",
    "name": "The road",
    "source": "none",
    "points": [(36.24, 37.1), (36.25, 37.12), (36.24, 37.14)],
    "uncertainty_metres": 100,
    "left": "north",
    "right": "south",
    "first_day": FIRST + timedelta(days=1),
    "last_day": FIRST + timedelta(days=5),
    "bands": [
        {"parties": ["Government"], "left": {"heavy": 3000, "personnel": 1000}, "right": {"personnel": 1000}},
        {"left": {"heavy": 2000}},
    ],
}


def agreement(**changes: Any) -> Agreement:
    """Return a small agreement; ``changes`` replace sections, or keys of them, as ``violence={"floor": 2}``."""
    sections: dict[str, Any] = {
        "id": "test-truce",
        "title": "A truce to test with",
        "sources": ["none"],
        "clock": {
            "effective": datetime(2016, 9, 12, 19),  # noqa: DTZ001 - agreements state local time
            "time_zone": "Asia/Damascus",
            "anchor": time(19),
            "required_days": 3,
            "lateness_hours": 48,
        },
        "regions": ["SY01", "SY02"],
        "gate_regions": ["SY01", "SY02"],
        "scope": {
            "parties": ["Government", "Opposition"],
            "outside": ["ISIL", "Nusra"],
            "excluded_when": "a_side_outside",
        },
        "violence": {
            "reduction_percent": 80,
            "floor": 1,
            "baseline": {"first_day": date(2016, 9, 2), "last_day": date(2016, 9, 11)},
            "severe_kinds": [IncidentKind.ATTACK_ON_AID],
        },
        "coverage": {"min_feeds": 1, "min_share_percent": 75},
        "access": {"regions": ["SY02"], "overdue_after_hours": 72, "max_gap_days": 7},
        "pullback": [ROAD],
    }
    for key, value in changes.items():
        sections[key] = {**sections.get(key, {}), **value} if isinstance(value, dict) else value
    return Agreement.model_validate(sections)


#: Rules of linking for agreements that are to have them.
LINKING = {
    "minutes": 60,
    "exact_metres": 1_000,
    "near_metres": 10_000,
    "district_metres": 25_000,
    "weakest_place": "district",
    "repeating_feeds": ["videos"],
}
TRUCE = agreement()


def at(days: float, hours: float = 0) -> Micros:
    """Return the instant so long after the truce took effect."""
    return TRUCE.effective + round(days * DAY + hours * HOUR)


def day(number: int) -> date:
    """Return truce-day ``number``; the first one is 0."""
    return FIRST + timedelta(days=number)


def incident(
    report_id: str = "i1",
    *,
    when: Micros | None = None,
    region: str = "SY01",
    feed: str = "feed-a",
    revision: int = 1,
    **changes: Any,
) -> IncidentFact:
    """Return an incident of one hour, half a day into the truce, between the parties."""
    start = at(0, 12) if when is None else when
    spine = {"stamp": start + HOUR, "reported_at": start + HOUR, "to": start + HOUR, "kind": "shelling"}
    sides = (("Government",), ("Opposition",))
    return IncidentFact(
        **{
            **spine,
            "sides": sides,
            "feed": feed,
            "report_id": report_id,
            "revision": revision,
            "place": Located(region),
            "from_": start,
            **changes,
        }
    )


def coverage(
    report_id: str = "c1",
    *,
    low: Micros,
    high: Micros,
    regions: tuple[str, ...] = ("SY01", "SY02"),
    feed: str = "feed-a",
    **changes: Any,
) -> CoverageFact:
    """Return a nil report."""
    spine = {"stamp": high, "reported_at": high, "nil": True}
    return CoverageFact(
        **{**spine, "feed": feed, "report_id": report_id, "regions": regions, "from_": low, "to": high, **changes}
    )


def convoy(
    report_id: str = "s1",
    step: str = "dispatched",
    *,
    when: Micros,
    convoy_id: str = "aid-1",
    region: str = "SY02",
    feed: str = "un",
    **changes: Any,
) -> ConvoyFact:
    """Return one step of a convoy."""
    spine = {"stamp": when, "reported_at": when, "from_": when, "to": when}
    return ConvoyFact(
        **{
            **spine,
            "feed": feed,
            "report_id": report_id,
            "convoy_id": convoy_id,
            "step": step,
            "place": Located(region),
            **changes,
        }
    )


def bulletin(report_id: str = "b1", *, low: Micros, high: Micros, count: int = 5, **changes: Any) -> BulletinFact:
    """Return a monitor's tally."""
    spine = {
        "stamp": high,
        "reported_at": high,
        "feed": "monitor",
        "tallies": (CountLine(count, "SY02", ("Opposition",)),),
    }
    return BulletinFact(**{**spine, "report_id": report_id, "from_": low, "to": high, **changes})


def declaration(report_id: str = "d1", *, act: str = "start", when: Micros, **changes: Any) -> DeclarationFact:
    """Return a declaration."""
    spine = {"stamp": when, "reported_at": when, "feed": "parties", "declared_by": "Government"}
    return DeclarationFact(**{**spine, "report_id": report_id, "act": act, "effective_at": when, **changes})


def position(
    report_id: str = "p1",
    *,
    when: Micros,
    latitude: float = 36.26,
    longitude: float = 37.12,
    uncertainty: GivenLength | None = FIFTY_METRES,
    **changes: Any,
) -> PositionFact:
    """Return where heavy weapons of the government stood: 1,110 m north of the road's bend."""
    spine = {"stamp": when, "reported_at": when, "from_": when, "to": when, "feed": "observers"}
    stood = {"unit": "a battery", "party": "Government", "weapon_class": "heavy"}
    place = {"latitude": latitude, "longitude": longitude, "uncertainty": uncertainty}
    return PositionFact(**{**spine, **stood, **place, "report_id": report_id, **changes})


def tick(when: Micros) -> TickFact:
    """Return a tick."""
    return TickFact(stamp=when)


class MemoryStore:
    """Keeps a ledger's rows in plain dictionaries and answers it by scanning them: slow, and obviously right."""

    def __init__(self, truce: Agreement) -> None:
        self.truce = truce
        self.reports: list[ReportRow] = []
        self.verdict_log: list[DayVerdict] = []
        self.changes: list[Changes] = []
        self.incidents: dict[Identity, LinkedIncident] = {}
        self.members: list[LinkedReport] = []

    def write(self, changes: Changes) -> None:
        """Apply what a flush would write."""
        gone = {(w.feed, w.report_id, w.revision) for w in changes.withdrawn}
        self.reports = [
            row._replace(present=False) if (row.feed, row.report_id, row.revision) in gone else row
            for row in [*self.reports, *changes.reports]
        ]
        self.verdict_log += changes.verdict_log
        gone_incidents = set(changes.dissolved)
        self.incidents = {name: one for name, one in self.incidents.items() if name not in gone_incidents}
        self.members = [row for row in self.members if row[:2] not in gone_incidents]
        self.incidents |= {Identity(one.feed, one.report_id): one for one in changes.linked_incidents}
        self.members += changes.linked_reports
        changes.reports, changes.withdrawn = [], []
        changes.dissolved, changes.linked_incidents, changes.linked_reports = [], [], []
        self.changes.append(changes)

    @property
    def versions(self) -> list[DayVerdict]:
        """Every version, in the order they were made."""
        return [row for row in self.verdict_log if row.new_version]

    @property
    def verdicts(self) -> dict[tuple[str, date], DayVerdict]:
        """The present verdict of each region and truce-day: its last row, with when and why its version was made."""
        now = self.changes[-1].now if self.changes else None
        made = {(row.region, row.truce_day): row for row in self.versions}
        return {
            (row.region, row.truce_day): row._replace(
                state=self._state(row, now or 0),
                recorded_at=made[row.region, row.truce_day].recorded_at,
                tick_offset=made[row.region, row.truce_day].tick_offset,
                cause=made[row.region, row.truce_day].cause,
                new_version=True,
            )
            for row in self.verdict_log
        }

    def _state(self, row: DayVerdict, now: Micros) -> str:
        ends = self.truce.calendar.end_of(row.truce_day)
        if now < ends + self.truce.clock.lateness_hours * HOUR:
            return "OPEN" if now < ends else "PROVISIONAL"
        return "AMENDED" if row.state == "AMENDED" else "FINAL"

    def priors(self, wanted: Iterable[Identity]) -> dict[Identity, Prior]:
        """Return what is known of each identity."""
        found = {}
        for identity in wanted:
            rows = [row for row in self.reports if (row.feed, row.report_id) == identity]
            if rows:
                present = next(row for row in rows if row.present)
                adds = _contribution(present) if present.type == "incident" and not present.retracted else None
                found[identity] = Prior(
                    present.revision,
                    {row.revision: row.body_digest for row in rows},
                    present.type,
                    adds,
                    present.fact_offset,
                )
        return found

    def earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        """Return the earliest incidents in scope that surely happened on a day."""
        linked = {row.fact_offset for row in self.members}
        feeds = self.truce.violence.feeds
        longest = self.truce.violence.surely_within_hours * HOUR
        rows = [
            Evidence(row.occurred_from or 0, row.feed, row.report_id)
            for row in self.reports
            if not feeds or row.feed in feeds
            if row.present and not row.retracted and row.in_scope and (row.region, row.truce_day) == (region, day)
            if row.fact_offset not in linked and (row.occurred_to or 0) - (row.occurred_from or 0) <= longest
            if kinds is None or row.kind in kinds
        ]
        rows += [
            Evidence(one.occurred_from, one.feed, one.report_id)
            for one in self.incidents.values()
            if one.counted and one.in_scope and (one.region, one.truce_day) == (region, day)
            if one.occurred_to - one.occurred_from <= longest
            if kinds is None or one.kind in kinds
        ]
        return sorted(rows)[:limit]

    # -- linking

    def _incident_reports(self) -> list[ReportRow]:
        return [row for row in self.reports if row.type == "incident"]

    def cells(self, cells: Collection[tuple[str, int]]) -> Iterator[list[Placed]]:
        """Yield the present reports that are not merged and begin in a region on a UTC day, one by one."""
        for row in self._incident_reports():
            begins = (row.region, (row.occurred_from or 0) // DAY)
            if row.present and row.merged_into is None and begins in cells:
                yield [Placed._make(getattr(row, name) for name in Placed._fields)]

    def naming(self, places: Collection[int]) -> list[tuple[int, int]]:
        """Return the pairs in which one names the other."""
        rows = self._incident_reports()
        return [
            (one.fact_offset, other.fact_offset)
            for one in rows
            for other in rows
            if one.fact_offset in places and other.present and (_names(one, other) or _names(other, one))
        ]

    def reports_at(self, places: Collection[int]) -> list[Linkable]:
        """Return the revisions at ``places``."""
        return [
            Linkable._make(getattr(row, name) for name in Linkable._fields)
            for row in self._incident_reports()
            if row.fact_offset in places
        ]

    def present_at(self, wanted: Mapping[Identity, int]) -> dict[Identity, int]:
        """Return the places of the present revisions of identities."""
        names = set(wanted)
        rows = [row for row in self._incident_reports() if row.present and (row.feed, row.report_id) in names]
        return {Identity(row.feed, row.report_id): row.fact_offset for row in rows}

    def linked_with(self, places: Collection[int]) -> tuple[list[LinkedIncident], list[LinkedReport]]:
        """Return the incidents that the revisions at ``places`` belong to, with all their reports."""
        names = {row[:2] for row in self.members if row.fact_offset in places}
        return [self.incidents[name] for name in names], [row for row in self.members if row[:2] in names]  # type: ignore[index] # a tuple equals an Identity

    def first_told(self, wanted: Mapping[Identity, int]) -> dict[Identity, Micros]:
        """Return the least time at which any known revision of each was told."""
        return {
            identity: min(row.reported_at for row in self.reports if (row.feed, row.report_id) == identity)
            for identity in wanted
        }


def _names(one: ReportRow, other: ReportRow) -> bool:
    if one.merged_into is not None and (one.feed, one.merged_into) == (other.feed, other.report_id):
        return True
    return f"{other.feed}/{other.report_id}" in (one.same_as or ())


def _contribution(row: ReportRow) -> Contribution:
    return Contribution(
        row.region or "",
        row.truce_day or FIRST,
        row.occurred_from or 0,
        row.kind or "",
        bool(row.in_scope),
        row.deaths_low,
        row.deaths_best,
        row.deaths_high,
        row.occurred_to or 0,
    )


class World:
    """A ledger fed by hand.

    ``flush_every`` cuts the facts into flushes, and after every ``restart_every`` of these another ledger goes on from
    the rows alone: neither must ever show.
    """

    def __init__(
        self,
        truce: Agreement = TRUCE,
        *,
        flush_every: int = 1_000,
        restart_every: int | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.store = MemoryStore(truce)
        self.kept = Kept(truce)
        self._truce, self._bounds = truce, bounds
        self.ledger = Ledger(truce, self._earliest, self._staged, bounds)
        self._flush_every = flush_every
        self._restart_every = restart_every
        self._flushes = 0
        self._unflushed = 0
        self._offset = 0

    def _staged(self) -> MemoryStore:
        changes = self.ledger.changes
        self.store.write(
            Changes(
                reports=changes.reports,
                withdrawn=changes.withdrawn,
                dissolved=changes.dissolved,
                linked_incidents=changes.linked_incidents,
                linked_reports=changes.linked_reports,
            )
        )
        changes.reports, changes.withdrawn = [], []
        changes.dissolved, changes.linked_incidents, changes.linked_reports = [], [], []
        return self.store

    def _earliest(self, region: str, day: date, kinds: tuple[str, ...] | None, limit: int) -> list[Evidence]:
        self._staged()
        return self.store.earliest(region, day, kinds, limit)

    def tell(self, *facts: Fact) -> World:
        """Fold facts in the order given; each gets the next offset."""
        for fact in facts:
            identity = identity_of(fact)
            wanted = [Identity(*identity)] if identity else []
            key = key_hash(*identity) if identity else 0
            # A feed's bytes say nothing of where in Kafka they lie or when they were read.
            body = repr(msgspec.structs.replace(fact, origin=None, stamp=None)).encode()
            self.ledger.fold(Entry(self._offset, fact, body, key), self.store.priors(wanted))
            self._offset += 1
            self._unflushed += 1
            if self._unflushed >= self._flush_every:
                self.flush()
        return self

    def tell_bodies(self, records: Iterable[tuple[Fact, bytes]]) -> World:
        """Fold facts with the bytes they came in."""
        for fact, body in records:
            identity = identity_of(fact)
            wanted = [Identity(*identity)] if identity else []
            key = key_hash(*identity) if identity else 0
            self.ledger.fold(Entry(self._offset, fact, body, key), self.store.priors(wanted))
            self._offset += 1
        return self

    def flush(self) -> Changes:
        """Write what changed, as the agent does."""
        self._unflushed = 0
        self._flushes += 1
        changes = self.ledger.drain()
        self.store.write(changes)
        self.kept.write(changes)
        if self._restart_every is not None and self._flushes % self._restart_every == 0:
            self.restart()
        return changes

    def restart(self) -> None:
        """Let another ledger go on from what was written."""
        self.ledger = Ledger(self._truce, self._earliest, self._staged, self._bounds)
        self.ledger.resume(self.kept.resumed(self.store.reports, self.store.incidents.values(), self.store.members))

    def verdict(self, region: str, number: int) -> DayVerdict:
        """Return the present verdict of a region and truce-day."""
        self.flush()
        return self.store.verdicts[region, day(number)]

    def versions(self, region: str, number: int) -> list[DayVerdict]:
        """Return every version of a region and truce-day."""
        self.flush()
        return [row for row in self.store.versions if (row.region, row.truce_day) == (region, day(number))]


def origin(offset: int, partition: int = 0, topic: str = "truce.incidents.v1", log: str = "log-a") -> Origin:
    """Return where a source record lies."""
    return Origin(topic, partition, offset, log)
