"""The demonstration's record: valid, locatable, sourced, and honest about itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from importlib import resources

import pytest

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.reports import (
    ANY_REPORT,
    Bulletin,
    ConvoyReport,
    CoverageNotice,
    Declaration,
    IncidentReport,
    Place,
    Report,
    Status,
)
from schemas.truceday import to_micros

FOLDER = resources.files("streams.demo")
LINES = (FOLDER / "september-2016.jsonl").read_bytes().splitlines()
REPORTS: list[Report] = [ANY_REPORT.validate_json(line) for line in LINES]


@pytest.fixture(scope="module")
def syria() -> Agreement:
    return load_agreement("syria-2016")


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return load_gazetteer("syria")


def places_of(report: Report) -> list[Place]:
    match report:
        case IncidentReport() | ConvoyReport():
            return [report.place]
        case CoverageNotice():
            return report.places
        case Bulletin():
            return [line.place for line in report.tallies if line.place]
    return []


def day_of(agreement: Agreement, report: IncidentReport | ConvoyReport) -> date:
    occurred = report.occurred
    return agreement.calendar.day_of(to_micros(occurred.from_), to_micros(occurred.to))[0]


def last_revisions() -> list[Report]:
    present: dict[tuple[str, str], Report] = {}
    for report in REPORTS:
        key = (report.feed, report.report_id)
        if key not in present or report.revision > present[key].revision:
            present[key] = report
    return [report for report in present.values() if report.status is Status.ACTIVE]


def test_it_is_told_in_the_order_it_was_made_public() -> None:
    told = [report.reported_at for report in REPORTS]
    assert told == sorted(told)


def test_nothing_is_told_before_it_was_over() -> None:
    for report in REPORTS:
        if not isinstance(report, Declaration):
            assert report.occurred.to <= report.reported_at, report.report_id  # type: ignore[attr-defined]


def test_every_line_names_its_sources() -> None:
    for report in REPORTS:
        assert report.sources, report.report_id
    without_address = {source.name for report in REPORTS for source in report.sources if source.url is None}
    assert without_address == {
        "Moskovsky Komsomolets (mk.ru)",
        "Russian Ministry of Defence, video copy on vbox7",
        "UCDP GED, Syria file",
        "Wikipedia: September 2016 Urum al-Kubra aid convoy attack (times)",
    }


def test_every_place_is_located_without_boundaries(gazetteer: Gazetteer, syria: Agreement) -> None:
    for report in REPORTS:
        for place in places_of(report):
            assert gazetteer.locate(place).region in syria.regions


def test_it_has_every_kind_of_report_as_its_description_counts_them() -> None:
    kinds = Counter(type(report).__name__ for report in REPORTS)
    assert kinds == {"IncidentReport": 37, "ConvoyReport": 20, "Bulletin": 12, "CoverageNotice": 6, "Declaration": 5}
    text = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert "80 reports" in text
    assert "37 incident reports, 20 convoy reports, 12 bulletins, 6 coverage notices, 5 declarations" in text


def test_it_has_corrections_a_retraction_and_a_resend() -> None:
    revisions = defaultdict(list)
    for report in REPORTS:
        revisions[report.feed, report.report_id].append(report.revision)
    assert [key for key, seen in revisions.items() if seen == [1, 2, 3]] == [
        ("sohr", "2016-09-10-idlib-market"),
        ("sohr", "2016-09-17-jabal-tharda"),
        ("un-ocha", "2016-09-19-urum-al-kubra"),
    ]
    assert [key for key, seen in revisions.items() if seen == [1, 1]] == [("sana", "2016-09-12-justice-palace")]
    assert len(LINES) - len(set(LINES)) == 1
    assert [report.report_id for report in REPORTS if report.status is Status.RETRACTED] == ["madaya-2016-09-22"]


def test_the_attack_on_the_convoy_falls_on_the_eighth_truce_day(syria: Agreement, gazetteer: Gazetteer) -> None:
    attacks = [
        report for report in last_revisions() if isinstance(report, IncidentReport) and report.kind == "attack_on_aid"
    ]
    urum = [report for report in attacks if "Urum al-Kubra" in report.place.names]
    assert {day_of(syria, report) for report in urum} == {date(2016, 9, 19)}
    assert {gazetteer.locate(report.place).region for report in urum} == {"SY02"}
    assert {report.deaths.best for report in urum if report.deaths} == {12, 18}


def test_the_strike_on_al_mayadin_is_outside_the_arrangement_and_the_one_on_the_army_is_not(syria: Agreement) -> None:
    def sides(report_id: str) -> tuple[tuple[str, ...], ...]:
        found = next(r for r in REPORTS if r.report_id == report_id and isinstance(r, IncidentReport))
        return tuple((party.name,) for party in found.parties)

    assert not syria.in_scope(sides("2016-09-15-al-mayadin"))
    assert syria.in_scope(sides("2016-09-17-jabal-tharda"))


def test_nothing_was_delivered_to_eastern_aleppo_within_the_truce() -> None:
    steps = {r.step for r in REPORTS if isinstance(r, ConvoyReport) and "Eastern Aleppo" in r.place.names}
    assert steps == {"dispatched", "held"}


def test_the_parts_of_a_bulletin_add_up_to_its_total() -> None:
    """Except where the source counts a line apart, as its note says."""
    for report in REPORTS:
        if isinstance(report, Bulletin) and report.report_id != "bulletin-2016-09-13":
            assert sum(line.count for line in report.tallies) == report.total
