"""What one flush writes, table by table. The caller owns the transaction."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

import duckdb

from schemas.agreement import Agreement
from schemas.rows import Changes, DayTallyRow, DayVerdict, Identity, Withdrawal
from schemas.truceday import from_micros
from sinks.batches import Batches
from sinks.columns import Table, fresh_table, key_table, table_schemas, to_arrow

_R = TypeVar("_R", bound=tuple[Any, ...])

#: Tables of present rows by their primary keys: the number of leading columns that make the key.
UPSERTED = {"truce_days": 1, "day_tallies": 2, "feed_tallies": 3, "region_windows": 1, "feeds": 1}
#: Verdicts written by one statement: some tenths of a second.
ROWS_AT_ONCE = 20_000
#: Tables whose rows belong to one report and go with it.
OF_A_REPORT = ("convoy_events", "coverage", "bulletins", "positions", "position_findings")

#: Rows are found by the hash alone and compared by name afterwards: a join on all four columns reads the names of
#: every report there is, and takes 100 instead of 30 milliseconds at three million. Each row is found once: thousands
#: of revisions of one report share their hash.
_WITHDRAW = """
WITH near AS MATERIALIZED (
    SELECT r.rowid AS place, r.feed, r.report_id, r.revision FROM reports r
    WHERE r.key_hash IN (SELECT key_hash FROM batch)
)
UPDATE reports SET present = false
FROM near JOIN batch USING (feed, report_id, revision)
WHERE reports.rowid = near.place
"""

#: A high-water never goes back.
_RAISE = """
ON CONFLICT (topic, partition, log_identity) DO UPDATE SET next_offset = excluded.next_offset
WHERE excluded.next_offset > next_offset
"""


class Writer:
    """Writes rows into the tables of an open store, inside the caller's transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, batches: Batches, agreement: Agreement) -> None:
        self._connection = connection
        self._batches = batches
        self._agreement = agreement
        self._schemas = table_schemas(connection)
        self._on_conflict = {table: self._update_sql(table, key) for table, key in UPSERTED.items()}
        self._days = {day for (day,) in connection.execute("SELECT truce_day FROM truce_days").fetchall()}

    def stage(self, changes: Changes, shift: int) -> None:
        """Write and clear the lists that the ledger's questions look at, and the rejects."""
        self._append("reports", changes.reports, shift)
        for told in changes.fresh:
            self._batches.insert("reports", fresh_table(self._schemas["reports"], told, shift))
        # After the new rows: a revision may be replaced in the very flush that brought it.
        if changes.withdrawn:
            self._run(_WITHDRAW, key_table(Withdrawal._fields, changes.withdrawn))
        self._append("rejects", changes.rejects, shift)
        changes.reports, changes.fresh, changes.withdrawn, changes.rejects = [], [], [], []
        if changes.dissolved:
            self._delete(("linked_incidents",), Identity._fields, changes.dissolved)
            self._delete(("linked_reports",), Identity._fields, changes.dissolved, prefix="incident_")
        self._append("linked_incidents", changes.linked_incidents)
        self._append("linked_reports", changes.linked_reports, shift)
        changes.dissolved, changes.linked_incidents, changes.linked_reports = [], [], []

    def write(self, changes: Changes, shift: int) -> Iterator[None]:
        """Write everything that ``stage`` does not, in pieces of a bounded size."""
        self._replace_of_reports(changes)
        yield
        self._replace_convoys(changes)
        yield
        self._write_tallies(changes)
        yield
        self._name_days(changes.verdict_log)
        # A tick may judge every day there ever was.
        for first in range(0, len(changes.verdict_log), ROWS_AT_ONCE):
            yield
            self._append("verdict_log", changes.verdict_log[first : first + ROWS_AT_ONCE], shift)
        self._append("declarations", changes.declarations)
        self._append("redrives", changes.redrives, shift)
        self._append("dismissals", changes.dismissals, shift)
        self._upsert("region_windows", changes.windows)
        self._append("gate_history", changes.gate_history, shift)
        self._upsert("feeds", changes.feeds)

    def write_offsets(self, changes: Changes, facts_topic: str, shift: int) -> None:
        """Write how far the ledger has read, and what it needs to go on from there."""
        self._connection.execute(
            "UPDATE sink_offsets SET next_offset = ?, last_digest = ? WHERE role = 'facts' AND topic = ?",
            [changes.next_record, changes.last_digest, facts_topic],
        )
        risen = [
            (topic, partition, "source", highest + 1, source_log, None)
            for (topic, partition, source_log), highest in changes.origins.items()
        ]
        if risen:
            self._batches.insert("sink_offsets", to_arrow(self._schemas["sink_offsets"], risen), _RAISE)
        self._connection.execute(
            "UPDATE ledger_state SET next_offset = ?, now = ?, last_tick = ?, pending = ?, term = ?, writer = ?",
            [
                changes.next_offset + shift,
                None if changes.now is None else from_micros(changes.now),
                changes.last_tick + shift,
                changes.pending,
                changes.term,
                changes.writer,
            ],
        )

    def forget(self) -> None:
        """Drop what was remembered of a transaction that was rolled back."""
        self._batches.forget()
        self._days = {day for (day,) in self._connection.execute("SELECT truce_day FROM truce_days").fetchall()}

    # -- one kind of table each

    def _replace_of_reports(self, changes: Changes) -> None:
        if changes.touched_reports:
            self._delete(OF_A_REPORT, ("feed", "report_id"), sorted(changes.touched_reports))
        self._append("convoy_events", _last_of_each(changes.convoy_steps, lambda row: row[:2]))
        self._append("coverage", _last_of_each(changes.coverage, lambda row: row[:3]))
        self._append("bulletins", _last_of_each(changes.bulletins, lambda row: row[:3]))
        self._append("positions", _last_of_each(changes.positions, lambda row: row[:2]))
        self._append("position_findings", _last_of_each(changes.position_findings, lambda row: row[:3]))

    def _replace_convoys(self, changes: Changes) -> None:
        if changes.touched_convoys:
            self._delete(("convoys", "joined_claims"), ("feed", "convoy_id"), sorted(changes.touched_convoys))
        self._append("convoys", _last_of_each(changes.convoys, lambda row: row[:2]))
        self._append("joined_claims", _last_of_each(changes.joined_claims, lambda row: row[:2]))

    def _write_tallies(self, changes: Changes) -> None:
        tallies = _last_of_each(changes.tallies, lambda row: row[:2])
        self._upsert("day_tallies", [row for row in tallies if not _is_empty(row)])
        gone = [row[:2] for row in tallies if _is_empty(row)]
        if gone:
            self._delete(("day_tallies",), ("region", "truce_day"), gone)
        lines = _last_of_each(changes.feed_tallies, lambda row: row[:3])
        self._upsert("feed_tallies", [row for row in lines if row.incidents])
        silent = [row[:3] for row in lines if not row.incidents]
        if silent:
            self._delete(("feed_tallies",), ("region", "truce_day", "feed"), silent)

    def _name_days(self, verdicts: Iterable[DayVerdict]) -> None:
        """Keep as instants the truce-days that have a verdict, for readers without the agreement's calendar."""
        new = sorted({row.truce_day for row in verdicts} - self._days)
        self._upsert("truce_days", [self._day_row(day) for day in new])
        self._days.update(new)

    def _day_row(self, day: date) -> tuple[date, int, int, int]:
        ends = self._agreement.calendar.end_of(day)
        lateness = round(self._agreement.lateness.total_seconds()) * 1_000_000
        return day, self._agreement.calendar.start_of(day), ends, ends + lateness

    # -- statements

    def _append(self, table: str, rows: Sequence[tuple[Any, ...]], shift: int = 0) -> None:
        if rows:
            self._batches.insert(table, to_arrow(self._schemas[table], rows, shift))

    def _upsert(self, table: str, rows: Sequence[tuple[Any, ...]], shift: int = 0) -> None:
        # Of two rows with one key in a batch DuckDB would keep the first and say nothing.
        rows = _last_of_each(rows, lambda row: row[: UPSERTED[table]])
        if rows:
            self._batches.insert(table, to_arrow(self._schemas[table], rows, shift), self._on_conflict[table])

    def _update_sql(self, table: str, key: int) -> str:
        names = self._schemas[table].names
        update = ", ".join(f"{name} = excluded.{name}" for name in names[key:])
        return f"ON CONFLICT ({', '.join(names[:key])}) DO UPDATE SET {update}"

    def _delete(
        self, tables: Iterable[str], key: tuple[str, ...], keys: Sequence[tuple[Any, ...]], prefix: str = ""
    ) -> None:
        """Delete the rows whose columns, the names of ``key`` after ``prefix``, hold one of ``keys``."""
        batch = key_table(key, keys)
        for table in tables:
            match = " AND ".join(f"{table}.{prefix}{name} = batch.{name}" for name in key)
            self._run(f"DELETE FROM {table} USING batch WHERE {match}", batch)  # noqa: S608 - a table of ours

    def _run(self, sql: str, batch: Table) -> None:
        with self._batches.holding(batch=batch):
            self._connection.execute(sql)


def _last_of_each(rows: Sequence[_R], key: Callable[[_R], Hashable]) -> list[_R]:
    return list({key(row): row for row in rows}.values())


def _is_empty(row: DayTallyRow) -> bool:
    return not any(row[2:])
