"""Queries on one region and truce-day of a published file.

They read present rows, except for ``versions`` and ``evidence_reports``, which read the past.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pydantic_core import from_json

from schemas.agreement import ViolenceRules
from schemas.truceday import MICROS_PER_HOUR
from sinks.day_records import (
    BulletinLine,
    Change,
    DayDetail,
    Incident,
    JoinedClaim,
    RefusedReport,
    ReportDetail,
    Silence,
    Step,
    VerdictVersion,
    Watch,
)
from sinks.reading import changed_values
from sinks.selecting import Connection, select, select_from

_VERDICT = """
{held} v JOIN truce_days d USING (truce_day) LEFT JOIN regions ON pcode = region
WHERE region = $region AND truce_day = $day
"""
#: Two halves, and not one with OR: of each DuckDB makes the incidents of the region and time alone.
_INCIDENTS = """
WITH told AS (
    SELECT * FROM incidents WHERE region = $region AND truce_day = $day
    UNION ALL
    SELECT * FROM incidents
    WHERE region = $region AND truce_day <> $day AND counted AND in_scope
        AND occurred_from < $ends AND occurred_to > $starts
        AND epoch_us(occurred_to) - epoch_us(occurred_from) > $surely
)
SELECT incident_id, kind, coalesce(in_scope, true), counted, list_contains($severe::VARCHAR[], kind),
       list_contains($deciding::VARCHAR[], incident_id),
       epoch_us(occurred_to) - epoch_us(occurred_from) <= $surely, occurred_from, occurred_to
FROM told
ORDER BY occurred_from, incident_id
"""
_REPORT = """
r.feed, r.report_id, r.revision, r.occurred_from, r.occurred_to, r.reported_at, coalesce(r.kind, r.type), r.place_name,
r.located_by, r.place_conflict, r.accused, r.claimant, r.confidence, r.deaths_low, r.deaths_best, r.deaths_high,
r.toll_flaw
"""
#: As in ``incident_reports``, but of those asked for alone.
_BEHIND = f"""
WITH asked AS (SELECT unnest($incidents::VARCHAR[]) AS incident_id), made AS (
    SELECT incident_id, fact_offset, why
    FROM linked_reports JOIN asked ON incident_id = incident_feed || '/' || incident_report_id
    UNION ALL
    SELECT incident_id, fact_offset, 'alone'
    FROM reports JOIN asked ON incident_id = feed || '/' || report_id
    WHERE region = $region AND present AND NOT retracted AND type = 'incident'
        AND fact_offset NOT IN (SELECT fact_offset FROM linked_reports)
)
SELECT made.incident_id, r.raw, {_REPORT}, made.why
FROM made JOIN reports r USING (fact_offset)
ORDER BY made.incident_id, r.reported_at, r.feed, r.report_id
"""  # noqa: S608 - columns of ours
_THEN = f"""
SELECT feed || '/' || report_id, raw, {_REPORT}, CASE WHEN retracted THEN 'retracted, lends its name' END
FROM reports r
WHERE list_contains($named::VARCHAR[], feed || '/' || report_id) AND fact_offset < $before
QUALIFY row_number() OVER (PARTITION BY feed, report_id ORDER BY revision DESC) = 1
ORDER BY occurred_from, feed, report_id
"""  # noqa: S608 - columns of ours
_STEPS = """
SELECT r.raw, s.feed, s.report_id, s.convoy_id, s.convoy, s.region, s.place, s.step, s.counts, s.flaw,
       s.occurred_from, s.occurred_to, s.reported_at, s.trucks, s.people_reached, s.reason
FROM convoy_events s JOIN reports r ON r.feed = s.feed AND r.report_id = s.report_id AND r.present
WHERE s.convoy IN (SELECT convoy FROM convoy_events WHERE region = $region)
ORDER BY s.convoy, s.occurred_from, s.reported_at, s.feed, s.report_id
"""
_JOINED = """
joined_claims WHERE convoy IN (SELECT convoy FROM convoy_events WHERE region = $region)
ORDER BY convoy, feed, convoy_id
"""
_WATCHES = """
WITH watching AS (
    SELECT feed, report_id, occurred_from, occurred_to, nil FROM coverage WHERE region = $region
    UNION ALL
    -- Bulletins an agreement measures by watch the regions of their lines; each has a line for every accused party.
    SELECT DISTINCT feed, report_id, occurred_from, occurred_to, NULL
    FROM bulletins
    WHERE region = $region AND truce_day IS NOT NULL
      AND feed = (SELECT agreement ->> '$.violence.bulletins_of' FROM about)
)
SELECT c.feed, c.report_id, c.occurred_from, c.occurred_to, c.nil, r.raw ->> '$.basis'
FROM watching c
JOIN truce_days d ON c.occurred_from < d.ends_at AND c.occurred_to > d.starts_at
JOIN reports r ON r.feed = c.feed AND r.report_id = c.report_id AND r.present
WHERE d.truce_day = $day ORDER BY c.occurred_from, c.feed, c.report_id
"""
_BULLETINS = """
bulletins b JOIN truce_days d ON b.occurred_from < d.ends_at AND b.occurred_to > d.starts_at
WHERE coalesce(region, $region) = $region AND d.truce_day = $day ORDER BY occurred_from, feed, report_id, line
"""
_OF_THE_DAY = "coalesce(b.truce_day = d.truce_day, false)"
_SILENT = "feed_silence WHERE region = $region AND truce_day = $day ORDER BY feed"
_TELLERS = """
SELECT feed FROM reports
WHERE type = 'incident' AND present AND NOT retracted AND region = $region AND truce_day = $day
UNION SELECT feed FROM bulletins WHERE region = $region AND truce_day = $day
"""
_REFUSED = "pending_rejects WHERE region = $region AND truce_day = $day ORDER BY fact_offset"
_READ_AT = "concat_ws('/', source_topic, source_partition, source_offset)"
_FEEDS = "SELECT feed, incidents FROM feed_tallies WHERE region = $region AND truce_day = $day ORDER BY 1"
_CHANGES = """
verdict_changes WHERE region = $region AND truce_day = $day AND version <= $version ORDER BY version
"""


def verdict_of(connection: Connection, region: str, day: date, as_of: datetime | None = None) -> VerdictVersion | None:
    """Return the verdict, or the version of it that was held at an instant; None when there is none."""
    parameters: dict[str, Any] = {"region": region, "day": day}
    if as_of is not None:
        parameters["instant"] = as_of
    found = select_from(
        connection,
        VerdictVersion,
        _VERDICT.format(held="day_verdicts" if as_of is None else "verdicts_as_of($instant)"),
        parameters,
        region_name="coalesce(regions.name, region)",
        starts_at="d.starts_at",
        ends_at="d.ends_at",
        figures_offset="tick_offset" if as_of is None else "figures_offset",
    )
    return next((replace(each, reasons=_json(each.reasons), evidence=_json(each.evidence)) for each in found), None)


def versions(connection: Connection, held: VerdictVersion) -> list[Change]:
    """Return the versions up to one, with what each changed of the row it replaced."""
    parameters = {"region": held.region, "day": held.truce_day, "version": held.version}
    found = select_from(connection, Change, _CHANGES, parameters)
    return [replace(each, changed=changed_values(each.changed)) for each in found]


def evidence_reports(connection: Connection, held: VerdictVersion) -> list[ReportDetail]:
    """Return the reports a version names as evidence of violence, in the revision its figures rest on."""
    parameters = {"named": held.evidence["violence"], "before": held.figures_offset}
    return [report for _, report in _reports(connection, _THEN, parameters)]


def day_detail(
    connection: Connection, present: VerdictVersion, rules: ViolenceRules, baseline_days: Iterable[date]
) -> DayDetail:
    """Return everything known now of a judged region and truce-day."""
    key = {"region": present.region, "day": present.truce_day}
    ((judged_at,),) = connection.execute("SELECT max(as_of) FROM region_windows").fetchall()
    sql = "SELECT truce_day, incidents FROM day_tallies WHERE region = ?"
    counts: dict[date, int] = dict(connection.execute(sql, [present.region]).fetchall())
    unjudged, more_unjudged = _unjudged(connection, present)
    return DayDetail(
        judged=present,
        judged_at=judged_at,
        versions=versions(connection, present),
        incidents=_incidents(connection, present, rules),
        steps=[_step(*row) for row in connection.execute(_STEPS, {"region": present.region}).fetchall()],
        joined=select_from(
            connection, JoinedClaim, _JOINED, {"region": present.region}, claim="feed || '/' || convoy_id"
        ),
        watches=select(connection, Watch, _WATCHES, key),
        silent=select_from(connection, Silence, _SILENT, key),
        bulletins=select_from(connection, BulletinLine, _BULLETINS, key, of_the_day=_OF_THE_DAY),
        baseline=[(day, counts.get(day, 0)) for day in sorted(baseline_days)],
        feeds=connection.execute(_FEEDS, key).fetchall(),
        tellers=frozenset(feed for (feed,) in connection.execute(_TELLERS, key).fetchall()),
        refused=select_from(connection, RefusedReport, _REFUSED, key, reject="fact_offset", source=_READ_AT),
        unjudged=unjudged,
        more_unjudged=more_unjudged,
    )


def _incidents(connection: Connection, present: VerdictVersion, rules: ViolenceRules) -> list[Incident]:
    parameters = {
        "region": present.region,
        "day": present.truce_day,
        "starts": present.starts_at,
        "ends": present.ends_at,
        "severe": [str(kind) for kind in rules.severe_kinds],
        "surely": rules.surely_within_hours * MICROS_PER_HOUR,
        "deciding": present.evidence["violence"],
    }
    found = select(connection, Incident, _INCIDENTS, parameters)
    behind: dict[str, list[ReportDetail]] = {}
    asked = {"region": present.region, "incidents": [each.incident_id for each in found]}
    for incident_id, report in _reports(connection, _BEHIND, asked):
        behind.setdefault(incident_id, []).append(report)
    return [replace(each, reports=behind.get(each.incident_id, [])) for each in found]


def _reports(connection: Connection, sql: str, parameters: dict[str, Any]) -> Iterable[tuple[str, ReportDetail]]:
    for incident_id, raw, *columns in connection.execute(sql, parameters).fetchall():
        yield incident_id, ReportDetail(*(*columns, *_sources(raw)))


def _step(raw: str, *columns: Any) -> Step:
    return Step(*(*columns, *_sources(raw)))


def _sources(raw: str) -> tuple[list[dict[str, str]], str | None]:
    report = from_json(raw)
    sources = [{key: value for key, value in source.items() if value} for source in report.get("sources", [])]
    return sources, report.get("note")


def _unjudged(connection: Connection, present: VerdictVersion) -> tuple[list[str], int]:
    """Return the reports that concern the day and came after the last judgement: the first few, and how many more."""
    ((pending,),) = connection.execute("SELECT pending FROM ledger_state").fetchall()
    day = present.truce_day.isoformat()
    told = json.loads(pending)
    own, every = (
        [
            (reports, more, shared)
            for region, of, reports, more, shared in told.get("causes", [])
            if (region, of) == (present.region, wanted)
        ]
        for wanted in (day, None)
    )
    watchers, _ = told.get("watchers", ([], {}))
    watching = [
        ([number, report], any(region == present.region and of in (day, "") for region, of in touched))
        for number, report, watches, touched in watchers
        if any(present.region in regions and first <= day <= last for _, regions, first, last in watches)
    ]
    # Those of the day itself first, as they were told, then those of every day of the region.
    of_day = sorted([*(each for reports, _, _ in own for each in reports), *(each for each, _ in watching)])
    named = list(dict.fromkeys(report for _, report in [*of_day, *(each for cause in every for each in cause[0])]))
    # Shared are those that changed both.
    reports = sum(len(reports) + more - shared for reports, more, shared in (*own, *every))
    return named, reports + sum(not counted for _, counted in watching) - len(named)


def _json(text: Any) -> Any:
    return None if text is None else json.loads(text)
