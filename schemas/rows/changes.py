"""All rows of one commit, and all that a ledger resumes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol

from schemas.chunks import Incidents
from schemas.facts import Fact
from schemas.rows.incidents import Claim, LinkedIncident, LinkedReport, UncertainIncident
from schemas.rows.records import DismissalRow, FeedRow, PendingReject, RedriveRow, RejectRow
from schemas.rows.reports import (
    BulletinRow,
    ConvoyRow,
    ConvoyStepRow,
    CoverageRow,
    DeclarationRow,
    Identity,
    JoinedClaimRow,
    PositionFindingRow,
    PositionRow,
    ReportRow,
)
from schemas.rows.verdicts import (
    Amendment,
    DayTallyRow,
    DayVerdict,
    FeedTallyRow,
    GateRow,
    Hour,
    WindowRow,
)
from schemas.truceday import Micros


class Withdrawal(NamedTuple):
    """A revision that is no longer the present one of its identity."""

    key_hash: int
    feed: str
    report_id: str
    revision: int


class FreshReports(Protocol):
    """Rows of ``reports`` in columns: incidents as intake wrote them, with what the ledger works out of each."""

    @property
    def incidents(self) -> Incidents:
        """The columns intake wrote."""

    @property
    def first(self) -> int:
        """Number of the first fact."""

    def computed(self) -> dict[str, Any]:
        """Return the other columns by name, as lists or arrays of numpy."""

    def __len__(self) -> int:
        """Return how many there are."""


@dataclass
class Changes:
    """Everything one flush writes, in one transaction with the offsets it was read up to.

    Rows of ``tallies`` and ``feed_tallies`` with only zeros are deleted. ``touched_reports`` names the
    identities whose rows in the tables of one kind of report are replaced by the ones given here, which are all steps
    of a convoy when one of them changed; ``touched_convoys`` likewise for ``convoys`` and ``joined_claims``.
    ``verdict_log`` and ``gate_history`` hold what was judged anew, which is only ever added, as are ``declarations``,
    one for every revision. ``amendments`` are those versions that somebody has to be told of; they are in no table of
    their own.
    ``fresh`` holds in columns reports that are in none of ``reports``, and ``told_fresh`` the same until the commit.
    ``outcomes`` says of every other fact its number, its record's bytes, and what became of it. Both are for receipts.
    ``pending`` is JSON text: what changed since the last tick and has not been judged yet. ``dissolved`` names linked
    incidents that are no more, or are replaced by those of ``linked_incidents`` and ``linked_reports``. ``origins``
    holds the highest source offset counted, by topic, partition and log, where it has risen. ``next_offset`` counts
    facts, and ``next_record`` the records of the facts topic that they came in. ``last_digest`` is the fingerprint of
    the record before ``next_record``; ``term`` and ``writer`` tell whose ticks count.
    """

    next_offset: int = 0
    next_record: int = 0
    origins: dict[tuple[str, int, str], int] = field(default_factory=dict)
    now: Micros | None = None
    last_tick: int = -1
    pending: str = "{}"
    last_digest: int | None = None
    term: int = 0
    writer: str = ""
    reports: list[ReportRow] = field(default_factory=list)
    fresh: list[FreshReports] = field(default_factory=list)
    told_fresh: list[FreshReports] = field(default_factory=list)
    outcomes: list[tuple[int, Fact, bytes, str]] = field(default_factory=list)
    withdrawn: list[Withdrawal] = field(default_factory=list)
    rejects: list[RejectRow] = field(default_factory=list)
    redrives: list[RedriveRow] = field(default_factory=list)
    dismissals: list[DismissalRow] = field(default_factory=list)
    dissolved: list[Identity] = field(default_factory=list)
    linked_incidents: list[LinkedIncident] = field(default_factory=list)
    linked_reports: list[LinkedReport] = field(default_factory=list)
    tallies: list[DayTallyRow] = field(default_factory=list)
    feed_tallies: list[FeedTallyRow] = field(default_factory=list)
    touched_reports: set[Identity] = field(default_factory=set)
    convoy_steps: list[ConvoyStepRow] = field(default_factory=list)
    coverage: list[CoverageRow] = field(default_factory=list)
    bulletins: list[BulletinRow] = field(default_factory=list)
    declarations: list[DeclarationRow] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    position_findings: list[PositionFindingRow] = field(default_factory=list)
    touched_convoys: set[tuple[str, str]] = field(default_factory=set)
    convoys: list[ConvoyRow] = field(default_factory=list)
    joined_claims: list[JoinedClaimRow] = field(default_factory=list)
    verdict_log: list[DayVerdict] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)
    windows: list[WindowRow] = field(default_factory=list)
    gate_history: list[GateRow] = field(default_factory=list)
    feeds: list[FeedRow] = field(default_factory=list)


@dataclass(frozen=True)
class Resumed:
    """What a ledger needs to go on exactly where its last commit left off.

    ``next_offset`` counts facts, and ``next_record`` the records of the facts topic that they came in.
    ``hours`` holds, per region and hour, incidents in scope and their best deaths, for the hours of the
    trailing window only. ``reporting`` tells which feeds reported incidents of a region and day, ``cells`` the regions
    and days since 1970, by UTC, that incident reports begin on, ``claims`` which reports name others, ``linked`` the
    places in the facts topic of reports in linked incidents: all only when the agreement links.
    ``told`` counts present, active incident reports by region, truce-day and feed. ``uncertain`` are the incidents that
    count of which no day is certain. ``verdicts`` are
    the rows of the verdict log that stand. ``refused`` holds the pending rejects, ``settled`` the topic, partition,
    offset and log of those that a dismissal or a redrive has settled.
    """

    next_offset: int
    origins: dict[tuple[str, int, str], int]
    now: Micros | None
    last_tick: int
    tallies: list[DayTallyRow]
    feed_tallies: list[FeedTallyRow]
    hours: list[Hour]
    convoy_steps: list[ConvoyStepRow]
    coverage: list[CoverageRow]
    bulletins: list[BulletinRow]
    told: list[tuple[str, date, str, int]]
    uncertain: list[UncertainIncident]
    verdicts: list[DayVerdict]
    gate: GateRow | None
    feeds: list[FeedRow]
    redrives: list[RedriveRow]
    pending: str
    next_record: int = 0
    last_digest: int | None = None
    term: int = 0
    writer: str = ""
    reporting: list[tuple[str, date, str]] = field(default_factory=list)
    cells: list[tuple[str, int]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    linked: list[int] = field(default_factory=list)
    refused: list[PendingReject] = field(default_factory=list)
    settled: list[tuple[str, int, int, str]] = field(default_factory=list)
