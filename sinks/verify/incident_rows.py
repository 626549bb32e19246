"""The incident reports of a file, read from their raw bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sys import intern

from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable
from schemas.missing import is_missing
from schemas.reports import ANY_REPORT, AnyReport, IncidentReport, Party, Source, Status
from schemas.truceday import to_micros
from sinks.verify.history import NaiveReport
from sinks.verify.published import Published


def revisions(file: Published, regions: Sequence[str]) -> Iterator[NaiveReport]:
    """Yield every revision of the reports that ever told an incident in one of ``regions``."""
    told = "select feed, report_id from reports where type = 'incident' and region in (select unnest($1::varchar[]))"
    sql = f"""
        select fact_offset, region, place_key, place_precision, raw
        from reports semi join ({told}) using (feed, report_id)"""  # noqa: S608
    for offset, of, place_key, precision, raw in file.stream(sql, [list(regions)]):
        naive = naive_report(file.agreement, read_raw(file, raw), offset)
        yield naive._replace(regions=(of,), place_key=place_key, place_precision=precision or "unknown")


def read_raw(file: Published, raw: str) -> AnyReport:
    """Return the report that a row's raw text holds.

    Raises:
        StoreUnavailable: it is no report of ours.
    """
    try:
        return ANY_REPORT.validate_json(raw)
    except ValidationError as error:
        raise StoreUnavailable(f"{file.path} holds a report that cannot be read: {error.errors()[0]['msg']}") from error


def naive_report(agreement: Agreement, report: AnyReport, offset: int) -> NaiveReport:
    """Return a report as far as its own text tells it; of other kinds than incidents only what all have."""
    naive = NaiveReport(
        offset=offset,
        # Millions of reports share the same few, and all stay.
        feed=intern(report.feed),
        report_id=report.report_id,
        revision=report.revision,
        active=report.status is Status.ACTIVE,
        type=report.type,
        reported_at=to_micros(report.reported_at),
    )
    if not isinstance(report, IncidentReport):
        return naive
    toll, point = report.deaths, report.place.point
    if toll is not None and toll.low is not None and toll.high is not None and toll.high < toll.low:
        toll = None
    return naive._replace(
        occurred_from=to_micros(report.occurred.from_),
        occurred_to=to_micros(report.occurred.to),
        time_precision=str(report.occurred.precision),
        kind=str(report.kind),
        in_scope=in_scope(agreement, report.parties),
        names_parties=bool(report.parties),
        deaths_low=toll.low if toll else None,
        deaths_best=toll.best if toll else None,
        deaths_high=toll.high if toll else None,
        point=(point.latitude, point.longitude) if point else None,
        tellers=tuple(teller for source in report.sources for teller in _told_by(source)),
        same_as=tuple(report.same_as),
        not_same_as=tuple(report.not_same_as),
        merged_into=report.merged_into,
    )


def in_scope(agreement: Agreement, parties: list[Party]) -> bool:
    """Whether an incident between ``parties`` is the agreement's concern.

    A side is the parties of one slot; those without a slot are a side together.
    """
    if not parties:
        return True
    slots = {party.slot for party in parties}
    sides = [[party.name for party in parties if party.slot == slot] for slot in slots]
    outside = [all(name in agreement.scope.outside for name in side) for side in sides]
    if agreement.scope.excluded_when == "a_side_outside":
        return not any(outside)
    return not all(outside)


def _told_by(source: Source) -> list[str]:
    """Return the first teller of a source, none where it writes that nobody is known."""
    named = [name for name in (source.origin, source.name) if name is not None and not is_missing(name)]
    return [intern(name) for name in named[:1]]
