"""What is linked, and the incidents as a reader sees them, against the reports joined anew."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.rows import LinkedIncident, LinkedReport
from sinks.verify.candidates import GOVERNORATE, distance, place_class
from sinks.verify.difference import Difference
from sinks.verify.history import NaiveReport
from sinks.verify.incidents import NaiveIncident
from sinks.verify.linking import Linking
from sinks.verify.past import Past


def check_linked_incidents(past: Past, linking: Linking) -> Iterator[Difference]:
    """Check each incident of several reports, its name and its content."""
    rows = [incident_row(incident) for incident in _of_several(linking)]
    # The database gives lists.
    recounted = {
        row[:2]: tuple(list(value) if isinstance(value, tuple) else value for value in row[2:]) for row in rows
    }
    where = "region in (select unnest($1::varchar[]))"
    yield from past.file.compare(
        "linked_incidents", LinkedIncident._fields, 2, recounted, where, [sorted(linking.regions)]
    )


def check_linked_reports(past: Past, linking: Linking) -> Iterator[Difference]:
    """Check which reports make it, and what each is shown to be linked by."""
    recounted = {row[:4]: row[4:] for incident in _of_several(linking) for row in report_rows(incident)}
    where = """(incident_feed, incident_report_id) in
        (select (feed, report_id) from linked_incidents where region in (select unnest($1::varchar[])))"""
    yield from past.file.compare("linked_reports", LinkedReport._fields, 4, recounted, where, [sorted(linking.regions)])


def _of_several(linking: Linking) -> list[NaiveIncident]:
    if linking.agreement.linking is None:
        return []
    return [incident for incident in linking.incidents() if len(incident.members) > 1]


def incident_row(incident: NaiveIncident) -> LinkedIncident:
    """Return the row of an incident of several reports."""
    told = incident.content
    active = [member.report for member in incident.members if member.standing == "active"]
    return LinkedIncident(
        feed=incident.feed,
        report_id=incident.report_id,
        region=told.region,
        truce_day=told.truce_day,
        occurred_from=told.occurred_from,
        occurred_to=told.occurred_to,
        kind=told.kind,
        in_scope=told.in_scope,
        counted=told.counted,
        deaths_low=told.deaths_low,
        deaths_best=told.deaths_best,
        deaths_high=told.deaths_high,
        reports=len(active),
        feeds=tuple(sorted({report.feed for report in active})),
        independent_origins=len(incident.origins),
        certainty=incident.certainty,
    )


def report_rows(incident: NaiveIncident) -> Iterator[LinkedReport]:
    """Return the rows of its reports."""
    for member in incident.members:
        report, link = member.report, member.link
        other = link.beside(report.identity) if link else report
        gap = max(0, report.occurred_from - other.occurred_to, other.occurred_from - report.occurred_to)
        yield LinkedReport(
            incident_feed=incident.feed,
            incident_report_id=incident.report_id,
            feed=report.feed,
            report_id=report.report_id,
            revision=report.revision,
            fact_offset=report.offset,
            standing=member.standing,
            linked_to=other.name if link else None,
            why=link.why if link else "alone",
            seconds=gap // 1_000_000 if link else None,
            metres=_metres(report, other) if link else None,
            certainty=link.certainty if link else None,
        )


def _metres(one: NaiveReport, other: NaiveReport) -> int | None:
    """Return how far apart two points are, None unless both locate their report within its district."""
    classes = place_class(one), place_class(other)
    if one.point is None or other.point is None or any(rank is None or rank >= GOVERNORATE for rank in classes):
        return None
    return distance(one.point, other.point)
