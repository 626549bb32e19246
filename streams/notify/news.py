"""News of a published copy as events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.events import Event, VerdictTurn, event
from schemas.present_verdicts import gate_of, verdict_of
from schemas.receivers import Kind, Receivers
from schemas.rows import DayVerdict, GateRow
from schemas.truceday import Micros, to_micros
from sinks import news, reading, silence
from sinks.migrations import check_current
from sinks.news import Position
from sinks.records import About
from sinks.rejects import reject_rates
from sinks.selecting import Connection
from streams.ops.published import opened_copy
from streams.ops.rejects import growth


class News(NamedTuple):
    """What a copy has to tell since a position.

    Attributes:
        conditions: events of what is amiss now, by a key that is theirs while it lasts.
    """

    agreement: str
    published_at: datetime | None
    position: Position
    events: list[Event]
    conditions: dict[str, Event]


def read_news(path: Path, after: Position, rules: Receivers) -> News:
    """Read what is new in a published copy.

    Raises:
        StoreUnavailable: nothing has been published there, or the file cannot be read.
        UsageError: the file is of another kind or version.
    """
    with opened_copy(path) as connection:
        check_current(connection, reading.schema_version(connection), path)
        about = reading.about(connection)
        agreement = about.agreement.id
        # A ledger that goes on from an earlier copy makes the same ticks again.
        position = max(after, news.position_of(connection))
        found: list[tuple[Position, Event]] = [
            (Position(row.recorded_at, row.tick_offset), _turn(agreement, before, row))
            for before, row in news.new_verdicts(connection, after)
        ]
        found += [
            (Position(row.recorded_at, row.tick_offset), _gate(agreement, row))
            for row in news.gate_turns(connection, after)
        ]
        # Sorted by tick alone: verdicts of a tick stay before the gate, which follows from them.
        found.sort(key=lambda each: each[0])
        conditions = dict(_conditions(connection, about, rules))
    return News(agreement, about.published_at, position, [each for _, each in found], conditions)


def stalled_event(agreement: str, published_at: datetime, limit_seconds: int) -> Event:
    """Return the event of a copy that is older than it should be."""
    since = to_micros(published_at)
    data = {"published_at": published_at, "limit_seconds": limit_seconds}
    at = to_micros(published_at + timedelta(seconds=limit_seconds))
    return event(agreement, "stalled", None, "published-copy", at, data, since)


def stalled_key(published_at: datetime | None) -> str:
    """Return the key of that condition, which lasts until another copy is published."""
    return f"stalled/{published_at and to_micros(published_at)}"


def _turn(agreement: str, before: str | None, row: DayVerdict) -> Event:
    told = VerdictTurn(**msgspec.structs.asdict(verdict_of(agreement, row)), verdict_before=before)
    kind: Kind = "amendment" if row.state == "AMENDED" else "verdict"
    subject = f"{row.region}/{row.truce_day}"
    return event(agreement, kind, row.region, subject, row.recorded_at, told, row.version, row.recorded_at)


def _gate(agreement: str, row: GateRow) -> Event:
    return event(agreement, "gate", None, "gate", row.recorded_at, gate_of(agreement, row), row.recorded_at)


def _conditions(connection: Connection, about: About, rules: Receivers) -> Iterator[tuple[str, Event]]:
    agreement = about.agreement.id
    for silent in silence.silent_in(connection, rules.silence_hours):
        since = to_micros(silent.silent_since)
        subject = f"{silent.region}/{silent.feed}"
        at = to_micros(silent.silent_since + timedelta(hours=rules.silence_hours))
        yield (
            f"silence/{subject}/{since}",
            event(agreement, "silence", silent.region, subject, at, _told(silent), since),
        )
    for convoy in news.overdue_convoys(connection):
        due = to_micros(convoy.due_at)
        subject = f"{convoy.region}/{convoy.convoy}"
        yield (
            f"overdue_convoy/{convoy.convoy}/{due}",
            event(agreement, "overdue_convoy", convoy.region, subject, due, _told(convoy), due),
        )
    if (grows := growth(reject_rates(connection))) is not None and about.now is not None:
        hour: Micros = to_micros(about.now.replace(minute=0, second=0, microsecond=0))
        told = event(agreement, "rejects_rising", None, "rejects", to_micros(about.now), {"text": grows}, hour)
        yield "rejects_rising", told


def _told(row: NamedTuple) -> dict[str, Any]:
    return row._asdict()
