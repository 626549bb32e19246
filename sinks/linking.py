"""SQL queries with which the ledger links reports.

Places in the facts topic are the present log's own. Results are fetched to the end: an unread one would block the
connection's next statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

import duckdb
import numpy as np

from schemas.rows import Identity, Linkable, LinkedIncident, LinkedReport, Placed
from schemas.truceday import MICROS_PER_DAY, Micros
from sinks.columns import hash_table, key_table, place_table

_R = TypeVar("_R", bound=NamedTuple)

_CELLS = """
SELECT r.fact_offset - $start, r.feed, r.region, epoch_us(r.occurred_from), epoch_us(r.occurred_to), r.time_precision,
       r.place_precision, r.latitude, r.longitude, r.place_key, r.kind
FROM reports r JOIN wanted w ON r.region = w.region
    AND epoch_us(r.occurred_from) >= w.day * $length AND epoch_us(r.occurred_from) < (w.day + 1) * $length
WHERE r.type = 'incident' AND r.present AND r.merged_into IS NULL
    AND r.occurred_from BETWEEN make_timestamptz($from::BIGINT) AND make_timestamptz($to::BIGINT)
"""
#: Rows of cells in memory at a time, as Python objects.
_PORTION = 10_000
_PRESENT_AT = """
SELECT r.feed, r.report_id, r.fact_offset - $start FROM reports r JOIN wanted USING (key_hash)
WHERE r.type = 'incident' AND r.present
"""
_NAMING = """
WITH probe AS MATERIALIZED (
    SELECT r.fact_offset, feed, report_id, same_as, merged_into
    FROM reports r JOIN wanted USING (fact_offset) WHERE type = 'incident'
), claims AS MATERIALIZED (
    SELECT fact_offset, unnest(list_append(coalesce(same_as, []), feed || '/' || merged_into)) AS name
    FROM reports
    WHERE type = 'incident' AND present AND (same_as IS NOT NULL OR merged_into IS NOT NULL)
), named AS (
    SELECT fact_offset, unnest(list_append(coalesce(same_as, []), feed || '/' || merged_into)) AS name FROM probe
), stand AS (
    SELECT fact_offset, feed || '/' || report_id AS name FROM reports WHERE type = 'incident' AND present
)
SELECT probe.fact_offset - $start, claims.fact_offset - $start
FROM probe JOIN claims ON claims.name = probe.feed || '/' || probe.report_id
UNION
SELECT named.fact_offset - $start, stand.fact_offset - $start FROM named JOIN stand USING (name)
"""

_INSTANTS = ("occurred_from", "occurred_to", "reported_at")
_PLACES = ("fact_offset",)
_LINKED = """
WITH names AS (
    SELECT DISTINCT incident_feed AS feed, incident_report_id AS report_id
    FROM linked_reports JOIN wanted USING (fact_offset)
)
"""
_FIRST_TOLD = """
SELECT feed, report_id, epoch_us(min(reported_at)) FROM reports JOIN wanted USING (key_hash) GROUP BY ALL
"""


class LinkingAnswers:
    """Answers to the ledger's linking, from inside the open transaction.

    Args:
        start: the fact_offset at which the present log begins.
        guarded: rolls back on an error, and maps it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        start: int,
        guarded: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._start = start
        self._guarded = guarded

    def cells(self, cells: Collection[tuple[str, int]]) -> Iterator[list[Placed]]:
        """Yield in portions the present incident reports, merged ones apart, of some regions and UTC days."""
        days = [day for _, day in cells]
        parameters = {
            "start": self._start,
            "length": MICROS_PER_DAY,
            "from": min(days) * MICROS_PER_DAY,
            "to": (max(days) + 1) * MICROS_PER_DAY,
        }
        with self._guarded():
            self._connection.register("wanted", key_table(("region", "day"), list(cells)))
            answer = self._connection.execute(_CELLS, parameters)
            # To the end: an open result would block the next statement.
            while rows := answer.fetchmany(_PORTION):
                yield [Placed._make(row) for row in rows]
            self._connection.unregister("wanted")

    def naming(self, places: Collection[int]) -> list[tuple[int, int]]:
        """Return pairs of one of ``places`` and a present incident report: one names the other as the same."""
        return self._ask(_NAMING, self._wanted(places), {"start": self._start}) if places else []

    def reports_at(self, places: Collection[int]) -> list[Linkable]:
        """Return the revisions at ``places``."""
        columns = _columns(Linkable, "reports.")
        sql = f"SELECT {columns} FROM reports JOIN wanted USING (fact_offset) WHERE type = 'incident'"  # noqa: S608 - columns of ours
        return [Linkable._make(row) for row in self._ask(sql, self._wanted(places), {"start": self._start})]

    def present_at(self, wanted: Mapping[Identity, int]) -> dict[Identity, int]:
        """Return the places of the present incident revisions of identities, given with their key hashes."""
        rows = self._ask(_PRESENT_AT, hash_table(wanted.values()), {"start": self._start})
        return {name: place for *told, place in rows if (name := Identity._make(told)) in wanted}

    def linked_with(self, places: Collection[int]) -> tuple[list[LinkedIncident], list[LinkedReport]]:
        """Return the stored incidents that the revisions at ``places`` belong to, with all their reports."""
        wanted = self._wanted(places)
        of_incident = (
            f"{_LINKED} SELECT {_columns(LinkedIncident, 'i.')} "  # noqa: S608 - columns of ours
            "FROM linked_incidents i JOIN names USING (feed, report_id)"
        )
        contents = [
            LinkedIncident._make(row)._replace(feeds=tuple(row[LinkedIncident._fields.index("feeds")]))
            for row in self._ask(of_incident, wanted, {})
        ]
        if not contents:
            return [], []
        of_report = (
            f"{_LINKED} SELECT {_columns(LinkedReport, 'l.')} FROM linked_reports l "  # noqa: S608 - columns of ours
            "JOIN names ON names.feed = l.incident_feed AND names.report_id = l.incident_report_id"
        )
        return contents, [LinkedReport._make(row) for row in self._ask(of_report, wanted, {"start": self._start})]

    def first_told(self, wanted: Mapping[Identity, int]) -> dict[Identity, Micros]:
        """Return the least reporting time of all known revisions of each identity, given with its key hash."""
        rows = self._ask(_FIRST_TOLD, hash_table(wanted.values()), {})
        return {name: at for *told, at in rows if (name := Identity._make(told)) in wanted}

    def _wanted(self, places: Collection[int]) -> Any:
        return place_table(np.fromiter(places, dtype=np.int64, count=len(places)) + self._start)

    def _ask(self, sql: str, wanted: Any, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._guarded():
            if wanted is not None:
                self._connection.register("wanted", wanted)
            found: list[tuple[Any, ...]] = self._connection.execute(sql, parameters).fetchall()
            if wanted is not None:
                self._connection.unregister("wanted")
        return found


def _columns(row: type[_R], table: str) -> str:
    """Return a row's columns as it holds them: instants in microseconds, places of the present log."""
    said = []
    for name in row._fields:
        column = f"{table}{name}"
        if name in _INSTANTS:
            column = f"epoch_us({column})"
        said.append(f"{column} - $start" if name in _PLACES else column)
    return ", ".join(said)
