"""Messages of the verdicts topic, which tell how each truce-day and the gate stand.

The topic is compacted: of each key the last record counts. A truce-day's key is ``region/truce-day``,
the gate's is ``gate``. Records are delivered at least once.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from schemas.rows import DayVerdict, GateRow
from schemas.truceday import from_micros

#: Key of the gate's record.
GATE_KEY = b"gate"

_REASONS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["leg", "finding", "rule", "text"],
        "properties": {name: {"type": "string"} for name in ("leg", "finding", "rule", "text")},
    },
}
_EVIDENCE = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}


def _told(words: str, json_schema: dict[str, Any] | None = None) -> msgspec.Meta:
    return msgspec.Meta(description=words, extra_json_schema=json_schema)


_Agreement = Annotated[str, _told("Id of the agreement.")]


class PresentVerdict(msgspec.Struct, frozen=True):
    """Present verdict of one region and truce-day, as ``day_verdicts`` has it."""

    agreement: _Agreement
    region: Annotated[str, _told("P-code of the region.")]
    truce_day: Annotated[date, _told("Date on which the truce-day starts.")]
    version: Annotated[int, _told("Number of the version, from 1.")]
    verdict: Annotated[str, _told("MET, BROKEN or UNKNOWN.")]
    state: Annotated[str, _told("OPEN, PROVISIONAL, FINAL or AMENDED.")]
    rule: Annotated[str, _told("The rule that decided.")]
    violence: Annotated[str, _told("Finding of the violence leg: MET, BROKEN or UNKNOWN.")]
    access: Annotated[str, _told("Finding of the access leg: MET, BROKEN, UNKNOWN or NOT_OWED.")]
    incidents: Annotated[int, _told("Incidents in scope that touch the day.")]
    incidents_sure: Annotated[int, _told("Of these, those that surely happened that day.")]
    incidents_possible: Annotated[int, _told("Incidents that may have happened that day.")]
    incidents_out_of_scope: Annotated[int, _told("Incidents whose parties are outside the agreement.")]
    incidents_without_toll: Annotated[int | None, _told("Incidents that state no toll.")]
    bulletin_incidents: Annotated[int | None, _told("A monitor's count, where the agreement goes by bulletins.")]
    violence_limit: Annotated[float, _told("More incidents than this break the day.")]
    covered_share: Annotated[float, _told("Share of the day that was watched enough, 0 to 1.")]
    contested_by: Annotated[str | None, _told("Feeds whose bulletins contest the day.")]
    refused_pending: Annotated[int, _told("Refused reports of the day that are pending.")]
    deaths_low: Annotated[int | None, _told("Deaths, by the lowest figures told.")]
    deaths_best: Annotated[int | None, _told("Deaths, by the best figures told.")]
    deaths_high: Annotated[int | None, _told("Deaths, by the highest figures told.")]
    recorded_at: Annotated[datetime, _told("The ledger's time at the tick that made the version.")]
    reasons: Annotated[msgspec.Raw, _told("Why each leg was found so.", _REASONS)]
    evidence: Annotated[msgspec.Raw, _told("Names of the reports that decided each leg.", _EVIDENCE)]
    cause: Annotated[msgspec.Raw, _told("What changed since the version before.", {"type": "object"})]

    @property
    def key(self) -> bytes:
        """Key of its record."""
        return f"{self.region}/{self.truce_day}".encode()


class PresentGate(msgspec.Struct, frozen=True):
    """The gate, as the view ``gate`` has it."""

    agreement: _Agreement
    is_open: Annotated[bool, _told("Whether the test of the agreement holds.")]
    required_days: Annotated[int, _told("MET truce-days in a row that the agreement asks for.")]
    shortest_streak: Annotated[int, _told("Shortest streak among the regions that the gate needs.")]
    regions_holding: Annotated[int, _told("How many of them have a long enough streak.")]
    regions_needed: Annotated[int, _told("How many regions the gate needs.")]
    reason: Annotated[str, _told("Why it is open or closed.")]
    recorded_at: Annotated[datetime, _told("The ledger's time at the tick that judged it.")]

    @property
    def key(self) -> bytes:
        """Key of its record."""
        return GATE_KEY


#: Each column that is JSON text.
_JSON = ("reasons", "evidence", "cause")
_COLUMNS = tuple(name for name in PresentVerdict.__struct_fields__ if name != "agreement")
_GATE_COLUMNS = tuple(name for name in PresentGate.__struct_fields__ if name != "agreement")


def verdict_of(agreement: str, row: DayVerdict) -> PresentVerdict:
    """Return the message of a row of ``day_verdicts``."""
    told: dict[str, Any] = {name: getattr(row, name) for name in _COLUMNS}
    told |= {name: msgspec.Raw(told[name].encode()) for name in _JSON}
    return PresentVerdict(agreement, **told | {"recorded_at": from_micros(row.recorded_at)})


def gate_of(agreement: str, row: GateRow) -> PresentGate:
    """Return the message of a row of ``gate``."""
    told: dict[str, Any] = {name: getattr(row, name) for name in _GATE_COLUMNS}
    return PresentGate(agreement, **told | {"recorded_at": from_micros(row.recorded_at)})
