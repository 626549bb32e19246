"""Conditions of an agreement, each judged per region and truce-day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple, Protocol

from schemas.facts import ReportFact
from schemas.rows import Changes, Contribution, Identity, Prior, Resumed
from schemas.truceday import Micros
from streams.ledger.core.findings import Finding
from streams.ledger.core.pieces import Pieces
from streams.ledger.core.watchers import Days


class OneDay(NamedTuple):
    """Region and truce-day that a report changes; a day of None stands for every day of the region."""

    region: str
    day: date | None


class FromHorizon(NamedTuple):
    """Region whose days a report may change. The leg's ``settle`` tells at the tick from when on."""

    region: str


#: Buckets that a report may change.
Moved = OneDay | Days | FromHorizon


class StandingReport(NamedTuple):
    """Report that now stands.

    Attributes:
        adds: the contribution of an incident in a region of the agreement; None of any other report.
        corrects: whether an earlier revision of it stood until now.
    """

    identity: Identity
    fact: ReportFact
    adds: Contribution | None
    corrects: bool


class LegFinding(Protocol):
    """Finding of a leg on one region and truce-day. Equal findings make no row."""

    @property
    def finding(self) -> Finding:
        """The finding; a leg that is NOT_OWED does not count."""

    @property
    def rule(self) -> str:
        """The rule that decided the finding."""

    @property
    def text(self) -> str:
        """The sentence that says why."""

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of what the finding rests on."""

    @property
    def figures(self) -> Mapping[str, Any]:
        """Columns of ``day_verdicts`` that the leg fills beside its finding."""

    @property
    def told_of(self) -> bool:
        """Whether any record stands behind it."""


class Leg(Protocol):
    """Condition of an agreement, kept as reports come and go. Every ``apply`` has its exact ``withdraw``."""

    @property
    def name(self) -> str:
        """Name of its column in ``day_verdicts``, and of its key in ``evidence``."""

    def apply(self, told: StandingReport) -> Iterable[Moved]:
        """Take a report in; return the buckets it may change."""

    def withdraw(self, identity: Identity, prior: Prior) -> Iterable[Moved]:
        """Take the revision that stood until now out again; return the buckets that may change."""

    def settle(self) -> Mapping[str, Micros]:
        """Before a tick judges: return by region the first horizon that may look another way, if any may."""

    def judge(self, region: str, day: date, horizon: Micros) -> LegFinding:
        """Judge one region and truce-day as of ``horizon``: the day's end, or now while it runs."""

    def restore(self, resumed: Resumed) -> None:
        """Take the leg up where the rows left it."""

    def drain(self, changes: Changes) -> Pieces[None]:
        """Hand over the rows that changed since the last call."""
