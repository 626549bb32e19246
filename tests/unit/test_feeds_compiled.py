"""The readers of the two tables compiled from published pages."""

from __future__ import annotations

import csv
import io
import json
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.rejects import explain
from schemas.reports import ANY_REPORT, Bulletin, ConvoyReport, ConvoyStep, TimePrecision
from streams.feeds.compiled import bulletin, convoy, read_convoys, read_tallies
from streams.feeds.readers import read
from tests.support.shared_data import shared_data

DAMASCUS = ZoneInfo("Asia/Damascus")


def a_convoy(**cells: str) -> dict[str, str]:
    """An invented convoy, changed where a test says so."""
    return {
        "row": "3",
        "date": "2016-09-22",
        "date_basis": "stated",
        "location": "A town",
        "adm1_pcode": "SY03",
        "convoy_type": "inter-agency cross-line",
        "operator": "UN/SARC",
        "trucks": "25",
        "people_intended": "40000",
        "status": "delivered",
        "detail": "",
        "quote": "aid was delivered to A town",
        "source_publisher": "A paper",
        "source_url": "https://example.org/page",
    } | cells


def a_tally(**cells: str) -> dict[str, str]:
    """An invented line of a bulletin, changed where a test says so."""
    return {
        "published": "2016-09-15",
        "covers": "2016-09-14",
        "monitor": "SNHR",
        "accused_party": "a party",
        "province_as_written": "Hama",
        "violations": "8",
        "report_total": "12",
        "note": "",
        "source_publisher": "A paper",
        "source_url": "https://example.org/page",
    } | cells


def convoy_of(**cells: str) -> ConvoyReport:
    report = ANY_REPORT.validate_json(json.dumps(convoy(a_convoy(**cells), DAMASCUS)))
    assert isinstance(report, ConvoyReport)
    return report


def bulletin_of(*rows: dict[str, str]) -> Bulletin:
    report = ANY_REPORT.validate_json(json.dumps(bulletin(list(rows), DAMASCUS)))
    assert isinstance(report, Bulletin)
    return report


def a_file(*rows: dict[str, str]) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def test_a_row_is_one_step_of_a_convoy() -> None:
    report = convoy_of()
    assert (report.report_id, report.convoy_id) == ("convoy-3", "2016-09-22 A town")
    assert (report.trucks, report.people_requested, report.people_reached) == (25, 40_000, None)
    assert (report.mode, report.operator, report.place.pcode) == ("cross_line", ["UN", "SARC"], "SY03")
    assert report.raw == a_convoy()


def test_conflicting_reports_of_one_convoy_share_its_name() -> None:
    assert convoy_of(row="8", trucks="25").convoy_id == convoy_of(row="9", trucks="23").convoy_id


@pytest.mark.parametrize(
    ("status", "quote", "step"),
    [
        pytest.param("delivered", "aid was delivered to A town", ConvoyStep.OFFLOADED, id="delivered"),
        pytest.param("delivered", "A town on 19 October", ConvoyStep.OFFLOADED, id="the table's word alone"),
        pytest.param("delivered", "a convoy left Damascus", ConvoyStep.DISPATCHED, id="left"),
        pytest.param("delivered", "trucks will enter A town", ConvoyStep.DISPATCHED, id="is yet to come"),
        pytest.param("delivered", "trucks entered A town", ConvoyStep.ARRIVED, id="came"),
        pytest.param("blocked", "stuck at the border", ConvoyStep.HELD, id="blocked"),
        pytest.param("attacked", "came under attack", ConvoyStep.ATTACKED, id="attacked"),
    ],
)
def test_a_departure_or_an_arrival_is_no_delivery_whatever_the_table_calls_it(
    status: str, quote: str, step: ConvoyStep
) -> None:
    assert convoy_of(status=status, quote=quote).step is step


@pytest.mark.parametrize("status", ["aggregate", "suspended"])
def test_what_is_no_step_of_a_convoy_is_refused_by_the_name_of_the_field(status: str) -> None:
    with pytest.raises(ValidationError) as raised:
        convoy_of(status=status)
    assert "step" in explain(raised.value).hint
    assert status in explain(raised.value).hint


@pytest.mark.parametrize(
    ("stated", "first", "end", "precision"),
    [
        ("2016-09-22", "2016-09-22T00:00:00+03:00", "2016-09-23T00:00:00+03:00", TimePrecision.DAY),
        ("2016-09-12/2016-09-19", "2016-09-12T00:00:00+03:00", "2016-09-20T00:00:00+03:00", TimePrecision.WEEK),
        ("2016-09-12/2016-09-22", "2016-09-12T00:00:00+03:00", "2016-09-23T00:00:00+03:00", TimePrecision.MONTH),
        ("2016-02", "2016-02-01T00:00:00+02:00", "2016-03-01T00:00:00+02:00", TimePrecision.MONTH),
    ],
)
def test_a_stated_stretch_is_whole_days_and_known_at_its_end(
    stated: str, first: str, end: str, precision: TimePrecision
) -> None:
    report = convoy_of(date=stated)
    assert (report.occurred.from_.isoformat(), report.occurred.to.isoformat()) == (first, end)
    assert report.occurred.precision is precision
    assert report.reported_at == report.occurred.to


@pytest.mark.parametrize(("column", "path"), [("date", "occurred.from"), ("trucks", "trucks")])
def test_a_cell_that_cannot_be_read_is_passed_on_for_intake_to_name(column: str, path: str) -> None:
    with pytest.raises(ValidationError) as raised:
        convoy_of(**{column: "some"})
    assert path in explain(raised.value).hint


def test_the_rows_of_one_page_are_one_bulletin_with_the_total_it_states() -> None:
    rows = [a_tally(), a_tally(province_as_written="Homs", violations="3"), a_tally(covers="2016-09-15")]
    first, second = read_tallies(a_file(*rows), "tallies.csv", DAMASCUS)
    report = ANY_REPORT.validate_json(first.value)
    assert isinstance(report, Bulletin)
    assert [(line.place.names if line.place else None, line.count) for line in report.tallies] == [
        (["Hama"], 8),
        (["Homs"], 3),
    ]
    assert report.total == 12
    assert (first.line, second.line) == (3, 4)
    assert first.report_id != second.report_id


def test_the_russian_centre_writes_damascus_for_the_province_around_it() -> None:
    (line,) = bulletin_of(a_tally(province_as_written="Damascus")).tallies
    assert line.place is not None
    assert (line.place.pcode, line.place.names) == ("SY03", ["Damascus"])


def test_a_count_that_is_not_split_has_no_place() -> None:
    (line,) = bulletin_of(
        a_tally(province_as_written="(all Syria)", note="combat operations; no less than 242")
    ).tallies
    assert (line.place, line.kind_as_given) == (None, "combat operations")


def test_no_less_than_is_kept() -> None:
    assert bulletin_of(a_tally(note='report total "no less than 242"')).at_least
    assert not bulletin_of(a_tally()).at_least


def test_torn_rows_are_passed_on_whole() -> None:
    torn_convoy = a_file(a_convoy()).getvalue().replace(b"SY03,", b"SY03,surplus,")
    torn_tally = a_file(a_tally()).getvalue().replace(b"Hama,", b"Hama,surplus,")
    for record in [
        *read_convoys(io.BytesIO(torn_convoy), "x.csv", DAMASCUS),
        *read_tallies(io.BytesIO(torn_tally), "x.csv", DAMASCUS),
    ]:
        assert record.reported_at is None
        assert "surplus" in json.loads(record.value)["raw"]["cells"]


def test_the_real_convoys_are_fifteen_steps_and_three_rows_that_are_none() -> None:
    path = shared_data("compiled_seed_case_2016/convoys_syria_2016-08_2016-10_compiled.csv")
    steps, refused = [], []
    for record in read(path, None, DAMASCUS):
        try:
            report = ANY_REPORT.validate_json(record.value)
        except ValidationError:
            refused.append(record.report_id)
        else:
            assert isinstance(report, ConvoyReport)
            steps.append((report.report_id, str(report.step)))
    assert refused == ["convoy-1", "convoy-2", "convoy-7"]
    assert steps[:8] == [
        ("convoy-3", "held"), ("convoy-4", "offloaded"), ("convoy-5", "attacked"), ("convoy-6", "attacked"),
        ("convoy-8", "dispatched"), ("convoy-9", "offloaded"), ("convoy-10", "arrived"), ("convoy-11", "dispatched"),
    ]  # fmt: skip
    assert len(steps) == 15


def test_the_real_tallies_are_eight_bulletins_whose_parts_add_up_unless_the_monitor_says_otherwise() -> None:
    path = shared_data("compiled_seed_case_2016/ceasefire_violation_counts_reported_compiled.csv")
    bulletins = [ANY_REPORT.validate_json(record.value) for record in read(path, None, DAMASCUS)]
    odd = []
    for report in bulletins:
        assert isinstance(report, Bulletin)
        if report.total != sum(line.count for line in report.tallies):
            odd.append((report.feed, report.at_least))
    assert [report.feed for report in bulletins] == ["russian-centre"] * 7 + ["snhr"]
    assert odd == []
