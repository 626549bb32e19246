"""What the ledger asks of its store to link reports, as SQL.

Places in the facts topic are the present log's own. Results are fetched to the end: an unread one would block the
connection's next statement.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

import duckdb
import numpy as np

from schemas.agreement import Agreement, LinkingRules
from schemas.rows import Elsewhere, Identity, Linkable, LinkedIncident, LinkedReport
from schemas.truceday import MICROS_PER_HOUR, Micros
from sinks.columns import key_table, place_table

_R = TypeVar("_R", bound=NamedTuple)

_TOLD = """
SELECT fact_offset - $start, false FROM reports WHERE type = 'incident' AND fact_offset >= $since + $start
UNION ALL
SELECT fact_offset - $start, true FROM reports JOIN wanted USING (feed, report_id) WHERE type = 'incident'
"""
_TOLD_NEW = "SELECT fact_offset - $start, false FROM reports WHERE type = 'incident' AND fact_offset >= $since + $start"

#: Kinds agree when they have a bit in common.
_KIND_BITS = """CASE
    WHEN {0}.kind IN ('airstrike', 'shelling', 'explosive', 'chemical') THEN 1
    WHEN {0}.kind IN ('armed_clash', 'small_arms', 'territory_taken') THEN 2
    WHEN {0}.kind = 'arrest' THEN 4
    WHEN {0}.kind = 'other' THEN 8
    ELSE 3 END"""
_PLACE_CLASS = """CASE
    WHEN {0}.latitude IS NULL THEN 3
    WHEN {0}.place_precision = 'exact' THEN 0
    WHEN {0}.place_precision = 'near' THEN 1
    WHEN {0}.place_precision = 'district' THEN 2
    ELSE 3 END"""
_STATED = """{0}.type = 'incident' AND {0}.place_precision <> 'country'
    AND {0}.time_precision IN ('minute', 'hour', 'day') AND {0}.occurred_to - {0}.occurred_from <= INTERVAL 26 HOURS"""

_SPAN = """
SELECT epoch_us(min(occurred_from)), epoch_us(max(occurred_to)) FROM reports JOIN wanted USING (fact_offset)
"""
#: Reports are met by region and hour of their start, long ones by stretches of 26 hours: a few cells each have to be
#: looked into. What passes here may be a candidate; the core tests it exactly. A degree of latitude is 111.2 km, and
#: no great circle is shorter than two thirds of the way along the parallel of its end nearer to a pole.
_NEARBY = f"""
WITH probe AS MATERIALIZED (
    SELECT p.fact_offset, p.feed, p.report_id, p.region, p.latitude, p.longitude,
           epoch_us(p.occurred_from) AS low, epoch_us(p.occurred_to) AS high,
           {_KIND_BITS.format("p")} AS bits, {_PLACE_CLASS.format("p")} AS class
    FROM reports p JOIN wanted USING (fact_offset)
    WHERE {_STATED.format("p")}
), cells AS MATERIALIZED (
    SELECT *, 2 * unnest(range((low - $patience) // $hour - 1, (high + $patience) // $hour + 1)) AS cell FROM probe
    UNION ALL
    SELECT *, 2 * unnest(range((low - $patience) // $long - 1, (high + $patience) // $long + 1)) + 1 FROM probe
), others AS (
    SELECT r.fact_offset, r.feed, r.report_id, r.region, r.latitude, r.longitude,
           epoch_us(r.occurred_from) AS low, epoch_us(r.occurred_to) AS high,
           {_KIND_BITS.format("r")} AS bits, {_PLACE_CLASS.format("r")} AS class,
           CASE WHEN high - low <= $hour THEN 2 * (low // $hour) ELSE 2 * (low // $long) + 1 END AS cell
    FROM reports r
    WHERE r.occurred_from BETWEEN make_timestamptz($from::BIGINT) AND make_timestamptz($to::BIGINT)
      AND r.present AND r.merged_into IS NULL AND {_STATED.format("r")}
)
SELECT c.fact_offset - $start, o.fact_offset - $start
FROM cells c JOIN others o ON o.region = c.region AND o.cell = c.cell
WHERE (o.feed <> c.feed OR (o.report_id <> c.report_id AND list_contains($repeating::VARCHAR[], o.feed)))
  AND o.bits & c.bits <> 0
  AND o.low - c.high <= $patience AND c.low - o.high <= $patience
  AND greatest(o.class, c.class) <= $weakest
  AND (greatest(o.class, c.class) > 2 OR (
      abs(o.latitude - c.latitude) * 111000 <= $reaches[o.class + 1] + $reaches[c.class + 1] + 10
      AND least(abs(o.longitude - c.longitude), 360 - abs(o.longitude - c.longitude)) * 70000
          * cos(radians(greatest(abs(o.latitude), abs(c.latitude))))
          <= $reaches[o.class + 1] + $reaches[c.class + 1] + 10
  ))
"""  # noqa: S608 - every part is this module's own

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
    FROM linked_reports JOIN wanted USING (feed, report_id)
)
"""
_FIRST_TOLD = """
SELECT feed, report_id, epoch_us(min(reported_at)) FROM reports JOIN wanted USING (feed, report_id) GROUP BY ALL
"""
_ELSEWHERE = """
SELECT i.region, i.truce_day, r.feed, r.report_id, r.revision, own.region, own.truce_day
FROM linked_reports l
JOIN linked_incidents i ON i.feed = l.incident_feed AND i.report_id = l.incident_report_id
JOIN reports own USING (fact_offset)
CROSS JOIN (SELECT l.feed, l.report_id, l.revision) r
WHERE l.fact_offset > $after + $start AND (own.region, own.truce_day) <> (i.region, i.truce_day)
ORDER BY l.fact_offset
"""


class LinkingAnswers:
    """Answers the ledger from the tables as they are inside the open transaction.

    Args:
        start: the fact_offset at which the present log begins.
        guarded: rolls back on an error, and maps it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        agreement: Agreement,
        start: int,
        guarded: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._rules = agreement.linking
        self._start = start
        self._guarded = guarded

    def told_since(self, since: int, changed: Collection[Identity]) -> tuple[set[int], set[int]]:
        """Return the incident revisions at ``since`` or later, and every one of the identities ``changed``."""
        parameters = {"since": since, "start": self._start}
        if not changed:
            rows = self._ask(_TOLD_NEW, None, parameters)
        else:
            rows = self._ask(_TOLD, key_table(Identity._fields, list(changed)), parameters)
        return {place for place, old in rows if not old}, {place for place, old in rows if old}

    def nearby(self, places: Collection[int]) -> list[tuple[int, int]]:
        """Return pairs of one of ``places`` and a present report, not merged, that may be a candidate for it."""
        rules = self._rules
        if rules is None or not places:
            return []
        wanted = self._wanted(places)
        low, high = self._ask(_SPAN, wanted, {})[0]
        if low is None:
            return []
        patience, long = rules.minutes * 60_000_000, 26 * MICROS_PER_HOUR
        parameters = {
            "start": self._start,
            "hour": MICROS_PER_HOUR,
            "long": long,
            "patience": patience,
            "from": low - patience - long,
            "to": high + patience,
            "repeating": list(rules.repeating_feeds),
            **_of_places(rules),
        }
        return self._ask(_NEARBY, wanted, parameters)

    def naming(self, places: Collection[int]) -> list[tuple[int, int]]:
        """Return pairs of one of ``places`` and a present incident report: one names the other as the same."""
        return self._ask(_NAMING, self._wanted(places), {"start": self._start}) if places else []

    def reports_at(self, places: Collection[int]) -> list[Linkable]:
        """Return the revisions at ``places``."""
        columns = _columns(Linkable, "reports.")
        sql = f"SELECT {columns} FROM reports JOIN wanted USING (fact_offset)"  # noqa: S608 - columns of ours
        return [Linkable._make(row) for row in self._ask(sql, self._wanted(places), {"start": self._start})]

    def linked_with(self, identities: Collection[Identity]) -> tuple[list[LinkedIncident], list[LinkedReport]]:
        """Return the stored incidents that any of ``identities`` belongs to, with all their reports."""
        wanted = key_table(Identity._fields, list(identities))
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

    def first_told(self, identities: Collection[Identity]) -> dict[Identity, Micros]:
        """Return the least time at which any known revision of each was told."""
        rows = self._ask(_FIRST_TOLD, key_table(Identity._fields, list(identities)), {})
        return {Identity(feed, report_id): told for feed, report_id, told in rows}

    def told_elsewhere(self, after: int) -> list[Elsewhere]:
        """Return, in the order they were told, the reports after a place in the facts topic that count elsewhere."""
        rows = self._ask(_ELSEWHERE, None, {"after": after, "start": self._start})
        return [Elsewhere._make(row) for row in rows]

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


def _of_places(rules: LinkingRules) -> dict[str, Any]:
    weakest = ("exact", "near", "district", "governorate").index(rules.weakest_place)
    return {"weakest": weakest, "reaches": [rules.exact_metres, rules.near_metres, rules.district_metres, 0]}


def _columns(row: type[_R], table: str) -> str:
    """Return a row's columns as it holds them: instants in microseconds, places of the present log."""
    said = []
    for name in row._fields:
        column = f"{table}{name}"
        if name in _INSTANTS:
            column = f"epoch_us({column})"
        said.append(f"{column} - $start" if name in _PLACES else column)
    return ", ".join(said)
