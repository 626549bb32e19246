"""Present verdicts of one agreement, published on a compacted topic.

1. At its start a ledger publishes every present verdict and the gate, from its store. So the topic
   is complete whatever was killed before, or lost with a broker.
2. Behind each commit it publishes what that commit changed, and the days that settled meanwhile.

Nothing is published before its commit. A crash between the two leaves it to the next start. A ledger
that the group refuses publishes nothing: what it holds may be older than what another one published.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.agreement import Agreement
from schemas.present_verdicts import PresentGate, PresentVerdict, gate_of, verdict_of
from schemas.rows import Changes, DayVerdict, GateRow
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.engine.producer import BatchProducer
from streams.ledger.core.findings import State
from streams.ledger.core.verdict import state_at

_encoder = msgspec.json.Encoder()


class LedgerVerdicts:
    """Present verdicts of one agreement's ledger.

    Args:
        topic: the topic of verdicts, of one partition.
    """

    def __init__(self, producer: BatchProducer, topic: str, agreement: Agreement) -> None:
        self._producer = producer
        self._topic = topic
        self._agreement = agreement
        self._now: Micros | None = None
        #: Verdicts of days that are not final: time alone changes their state, and a row of other
        #: figures needs the time and the cause of its version.
        self._unsettled: dict[bytes, DayVerdict] = {}
        self._owed: dict[bytes, PresentVerdict | PresentGate] = {}

    async def start(self) -> None:
        """Connect to the broker."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    def resume(self, present: Iterable[DayVerdict], gate: GateRow | None, now: Micros | None) -> None:
        """Owe every row of ``day_verdicts``, and the gate."""
        self._now, self._unsettled, self._owed = now, {}, {}
        for row in present:
            self._owe(row)
        self._owe_gate([] if gate is None else [gate])

    def committed(self, changes: Changes) -> None:
        """Owe what a commit changed."""
        self._now = changes.now
        standing = {key: row for key, row in self._unsettled.items() if row.state != self._state(row)}
        for row in changes.verdict_log:
            key = _key(row)
            if row.new_version:
                standing[key] = row
            else:
                made = standing.get(key) or self._unsettled[key]
                standing[key] = row._replace(recorded_at=made.recorded_at, cause=made.cause)
        for row in standing.values():
            self._owe(row)
        self._owe_gate(changes.gate_history)

    async def publish(self) -> None:
        """Publish what is owed; return once the broker has it.

        Raises:
            BrokerUnavailable: the broker does not answer. The next start publishes it.
        """
        if self._owed:
            await self._producer.send(
                self._topic, 0, [(key, _encoder.encode(each), []) for key, each in self._owed.items()]
            )
            self._owed = {}

    def _owe(self, row: DayVerdict) -> None:
        key, state = _key(row), self._state(row)
        row = row._replace(state=state)
        if state in (State.OPEN, State.PROVISIONAL):
            self._unsettled[key] = row
        else:
            self._unsettled.pop(key, None)
        self._owed[key] = verdict_of(self._agreement.id, row)

    def _owe_gate(self, history: list[GateRow]) -> None:
        for row in history[-1:]:
            told = gate_of(self._agreement.id, row)
            self._owed[told.key] = told

    def _state(self, row: DayVerdict) -> State:
        """Return the state of a row's day at the last judgement."""
        if self._now is None:
            return State(row.state)
        ends = self._agreement.calendar.end_of(row.truce_day)
        final_at = ends + self._agreement.clock.lateness_hours * MICROS_PER_HOUR
        return state_at(self._now, ends, final_at, amended=row.state == State.AMENDED)


def _key(row: DayVerdict) -> bytes:
    return f"{row.region}/{row.truce_day}".encode()
