"""The tables of one kind of report each, read again from the raw text of the present, active reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar

from schemas.reports import Bulletin, ConvoyReport, CoverageNotice, Declaration, Report
from schemas.rows import BulletinRow, ConvoyRow, ConvoyStepRow, CoverageRow, DeclarationRow, JoinedClaimRow
from schemas.truceday import MICROS_PER_SECOND, to_micros
from sinks.verify.bulletins import accused_in_scope, adds_up, day_of
from sinks.verify.claims import group_claims, listed_place, town_of
from sinks.verify.convoys import Standing, convoys_of
from sinks.verify.difference import Difference, Row
from sinks.verify.history import NaiveReport
from sinks.verify.parties import meant_parties
from sinks.verify.published import Published
from sinks.verify.report_rows import region_of_pcode

OneReport = TypeVar("OneReport", bound=Report)


#: What a step's report decides of its row; the rest follows from all steps of its convoy.
_OF_A_CONVOY = ("convoy", "legal", "counts", "flaw")
#: The figures a convoy has as last stated, least and most.
_FIGURES = ("trucks", "trucks_hit", "people_requested", "people_approved", "people_reached")


def check_convoy_events(file: Published) -> Iterator[Difference]:
    """Check every step against its report; the region is the one intake found, which ``reports`` keeps."""
    names = tuple(name for name in ConvoyStepRow._fields if name not in _OF_A_CONVOY)
    recounted = {}
    sql = """
        select raw, region, place_precision from reports
        where present and not retracted and type = 'convoy' order by fact_offset"""
    for raw, region, precision in file.stream(sql):
        report = ConvoyReport.model_validate_json(raw)
        recounted[report.feed, report.report_id] = (
            report.convoy_id,
            region,
            listed_place(file.agreement, region, report.place.names[-1]) if report.place.names else None,
            str(report.step),
            to_micros(report.occurred.from_),
            to_micros(report.occurred.to),
            to_micros(report.reported_at),
            report.mode,
            report.trucks,
            report.trucks_hit,
            report.people_requested,
            report.people_approved,
            report.people_reached,
            json.dumps(report.items_removed, ensure_ascii=False),
            report.blocker,
            report.reason,
            None if report.constraint is None else str(report.constraint),
            report.reached_place,
            report.same_convoy_as,
            report.not_same_convoy_as or None,
            town_of(report.place.names, precision),
        )
    yield from file.compare("convoy_events", names, 2, recounted)


def check_convoys(file: Published) -> Iterator[Difference]:
    """Check every convoy against its steps, and what each of these counts for."""
    columns = file.columns("convoy_events", ConvoyStepRow._fields)
    events = [ConvoyStepRow(*row) for row in file.select(f"select {columns} from convoy_events")]  # noqa: S608
    told = {(event.feed, event.report_id): event for event in events}
    recounted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    naive = [naive_step(event) for event in events]
    convoys = convoys_of(file.agreement, naive)
    for convoy in convoys:
        in_order = [told[step.feed, step.report_id] for step in convoy.steps]
        flawed = 0
        judged = zip(in_order, convoy.legal(), convoy.counting(), convoy.flaws(), strict=True)
        for event, *found in judged:
            row = Row("convoy_events", f"{event.feed}/{event.report_id}")
            yield from row.compare(_OF_A_CONVOY, (getattr(event, name) for name in _OF_A_CONVOY), (convoy.name, *found))
            flawed += found[-1] is not None
        standing = Standing.of(convoy)
        last = told[standing.last.feed, standing.last.report_id]
        removed = [item for event in in_order for item in json.loads(event.items_removed)]
        recounted[convoy.feed, convoy.convoy_id] = (
            len({(event.feed, event.convoy_id) for event in in_order}),
            last.region,
            last.place,
            last.step,
            last.occurred_from,
            convoy.first_known,
            standing.delivered_at,
            convoy.attacks[0].occurred_from if convoy.attacks else None,
            *(figure for name in _FIGURES for figure in _stated([getattr(event, name) for event in in_order])),
            json.dumps(sorted(set(removed), key=removed.index), ensure_ascii=False),
            len(in_order),
            flawed,
        )
    yield from file.compare("convoys", ConvoyRow._fields, 2, recounted)


def naive_step(event: ConvoyStepRow) -> NaiveReport:
    """Return a stored step as the report it came of."""
    return NaiveReport(
        offset=0,
        feed=event.feed,
        report_id=event.report_id,
        revision=0,
        active=True,
        type="convoy",
        regions=(event.region,),
        occurred_from=event.occurred_from,
        occurred_to=event.occurred_to,
        reported_at=event.reported_at,
        kind=event.step,
        convoy_id=event.convoy_id,
        same_convoy_as=event.same_convoy_as,
        not_same_convoy_as=tuple(event.not_same_convoy_as or ()),
        destination=_destination(event),
        place=event.place,
    )


def _destination(event: ConvoyStepRow) -> tuple[str, str, str] | None:
    if event.place is not None:
        return event.region, event.place, ""
    return None if event.town is None else (event.region, "", event.town)


def check_joined_claims(file: Published) -> Iterator[Difference]:
    """Check why each claim belongs to a convoy of several: by the first of the links that joined it."""
    columns = file.columns("convoy_events", ConvoyStepRow._fields)
    events = [ConvoyStepRow(*row) for row in file.select(f"select {columns} from convoy_events")]  # noqa: S608
    naive = [naive_step(event) for event in events]
    called = {
        (step.feed, step.convoy_id): convoy.name
        for convoy in convoys_of(file.agreement, naive)
        for step in convoy.steps
    }
    recounted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for link in group_claims(file.agreement, naive).links:
        why: tuple[str, int | None, str] = ("same_convoy_as", None, "asserted")
        if link.gap is not None:
            why = ("same_place_and_time", link.gap // MICROS_PER_SECOND, "doubtful")
        for claim, other in ((link.one, link.other), (link.other, link.one)):
            key = (claim.feed, claim.convoy_id)
            recounted.setdefault(key, (called[key], other.name, *why))
    yield from file.compare("joined_claims", JoinedClaimRow._fields, 2, recounted)


def check_coverage(file: Published) -> Iterator[Difference]:
    """Check every notice: its stretch, and its regions as far as P-codes tell them."""
    names = CoverageRow._fields
    columns = file.columns("coverage", names)
    stored: dict[tuple[str, str], list[CoverageRow]] = {}
    for values in file.select(f"select {columns} from coverage order by all"):  # noqa: S608
        line = CoverageRow(*values)
        stored.setdefault((line.feed, line.report_id), []).append(line)
    for report, _ in standing_reports(file, "coverage", CoverageNotice):
        row = Row("coverage", f"{report.feed}/{report.report_id}")
        lines = stored.pop((report.feed, report.report_id), [])
        regions = [line.region for line in lines]
        told = [region_of_pcode(file.agreement, place) for place in report.places]
        wanted = sorted({region for region in told if region is not None})
        unclear = told.count(None)
        yield from row.claim("region", regions, len(set(regions)) == len(regions), "each region once")
        yield from row.claim("region", regions, set(wanted) <= set(regions), wanted)
        beyond = [region for region in regions if region not in told]
        told_enough = (len(regions) > 0 or report.revision > 1) and len(beyond) <= unclear
        yield from row.claim("region", regions, told_enough, f"{wanted} and at most {unclear} more")
        for line in lines:
            stretch = to_micros(report.occurred.from_), to_micros(report.occurred.to)
            yield from row.compare(names[3:], line[3:], (*stretch, report.nil))
    for key in stored:
        yield Difference("coverage", "/".join(key), "", "a row", None)


def check_bulletins(file: Published) -> Iterator[Difference]:
    """Check every line of every bulletin: count, words, day, scope, total, and its region as far as P-codes tell it."""
    names = BulletinRow._fields
    stored = file.rows("bulletins", names, key=3)
    recounted: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for report, _ in standing_reports(file, "bulletin", Bulletin):
        stretch = to_micros(report.occurred.from_), to_micros(report.occurred.to)
        for number, tally in enumerate(report.tallies, start=1):
            key = (report.feed, report.report_id, number)
            region = None if tally.place is None else region_of_pcode(file.agreement, tally.place)
            if tally.place is not None and region is None and key in stored:
                # The gazetteer's word is taken, be it of a region beyond the agreement, as long as it is one.
                region = stored[key][names.index("region") - len(key)]
                yield from Row("bulletins", *key).claim("region", region, region is not None, "a region")
            recounted[key] = (
                day_of(file.days, *stretch),
                region,
                tally.accused or None,
                accused_in_scope(file.agreement, tally.accused),
                tally.kind_as_given,
                tally.count,
                report.total,
                adds_up(report),
                report.at_least,
                *stretch,
                report.occurred.source_precision,
                to_micros(report.reported_at),
                meant_parties(file.agreement, tally.accused),
            )
    yield from file.compare("bulletins", names, 3, recounted)


def check_declarations(file: Published) -> Iterator[Difference]:
    """Check every revision of every declaration against its report."""
    names = DeclarationRow._fields
    recounted = {}
    sql = "select raw, retracted from reports where type = 'declaration' order by fact_offset"
    for raw, retracted in file.stream(sql):
        report = Declaration.model_validate_json(raw)
        row = DeclarationRow(
            report.feed,
            report.report_id,
            report.revision,
            retracted,
            report.act,
            report.declared_by,
            to_micros(report.effective_at),
            to_micros(report.until) if report.until else None,
            to_micros(report.reported_at),
        )
        recounted[row[:3]] = row[3:]
    yield from file.compare("declarations", names, 3, recounted)


def standing_reports(file: Published, name: str, model: type[OneReport]) -> Iterator[tuple[OneReport, str]]:
    """Yield the present, active reports of a type with the region intake found for them."""
    sql = "select raw, region from reports where present and not retracted and type = ? order by fact_offset"
    for raw, region in file.stream(sql, [name]):
        yield model.model_validate_json(raw), region


def _stated(figures: list[int | None]) -> tuple[int | None, int | None, int | None]:
    """Return a figure as stated last, its least and its greatest, given what the steps state in order."""
    stated = [figure for figure in figures if figure is not None]
    return (stated[-1], min(stated), max(stated)) if stated else (None, None, None)
