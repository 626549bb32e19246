"""What is new in a published file since a position, and what is amiss in it now."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from schemas.rows import DayVerdict, GateRow
from schemas.truceday import Micros
from sinks.selecting import Connection, columns_of, select, select_from


class Position(NamedTuple):
    """Tick up to which a file was read.

    The ledger's time comes first: a file that is made anew from the topic has the same, and one of
    another topic a later one.
    """

    recorded_at: Micros
    tick_offset: int


#: Before every tick.
BEGINNING = Position(-(2**62), -1)


class OverdueConvoy(NamedTuple):
    """Convoy that is owed and overdue."""

    convoy: str
    region: str
    region_name: str
    place: str | None
    state: str
    due_at: datetime


_AT = "epoch_us(recorded_at)"
_AFTER = "(epoch_us(recorded_at), tick_offset) > ($at, $tick)"
_NEW_VERDICTS = f"""
WITH fresh AS (SELECT DISTINCT region, truce_day FROM verdict_log WHERE new_version AND {_AFTER}),
versions AS (
    SELECT *, lag(verdict) OVER (PARTITION BY region, truce_day ORDER BY version) AS verdict_before
    FROM verdict_log JOIN fresh USING (region, truce_day) WHERE new_version
)
SELECT verdict_before, %s FROM versions
WHERE {_AFTER} AND (state = 'AMENDED'
    -- Every day begins UNKNOWN, so that a first version is news where it is BROKEN.
    OR verdict IS DISTINCT FROM verdict_before AND (verdict_before IS NOT NULL OR verdict = 'BROKEN'))
ORDER BY recorded_at, tick_offset, region, truce_day, version
"""  # noqa: S608 - SQL of ours
_TURNS = f"""
WITH turns AS (SELECT *, lag(is_open) OVER (ORDER BY tick_offset) AS was_open FROM gate_history)
SELECT %s FROM turns WHERE {_AFTER} AND is_open IS DISTINCT FROM was_open ORDER BY recorded_at, tick_offset
"""  # noqa: S608 - SQL of ours


def position_of(connection: Connection) -> Position:
    """Return the last tick of a file."""
    ((now, tick),) = connection.execute("SELECT epoch_us(now), last_tick FROM ledger_state").fetchall()
    return BEGINNING if now is None else Position(now, tick)


def new_verdicts(connection: Connection, after: Position) -> list[tuple[str | None, DayVerdict]]:
    """Return the versions with another verdict and those of final days, each behind the verdict before it."""
    rows = connection.execute(_NEW_VERDICTS % columns_of(DayVerdict, recorded_at=_AT), _values(after)).fetchall()
    return [(before, DayVerdict(*row)) for before, *row in rows]


def gate_turns(connection: Connection, after: Position) -> list[GateRow]:
    """Return the moments at which the gate opened or closed, the first judgement of it included."""
    return select(connection, GateRow, _TURNS % columns_of(GateRow, recorded_at=_AT), _values(after))


def overdue_convoys(connection: Connection) -> list[OverdueConvoy]:
    """Return the convoys that are owed and overdue."""
    return select_from(connection, OverdueConvoy, "convoys_due WHERE is_owed AND overdue ORDER BY due_at, convoy")


def _values(after: Position) -> dict[str, Any]:
    return {"at": after.recorded_at, "tick": after.tick_offset}
