"""Bulletins beside incidents, and violence measured by one monitor's; docs/judging.md has the rules."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from schemas.facts import BulletinFact, CountLine
from schemas.rows import BulletinRow
from schemas.truceday import from_micros
from sinks.reading import grid, grid_as_of, open_published
from streams.ledger.core.legs.bulletins import bulletin_rows
from streams.ops.grid import cell_text
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.worlds import HOUR, TRUCE, World, agreement, at, bulletin, coverage, day, incident, tick

BY_MONITOR = agreement(violence={"bulletins_of": "monitor"})


def daily(
    number: int, count: int, *, region: str = "SY01", accused: tuple[str, ...] = (), **changes: Any
) -> BulletinFact:
    """Return the monitor's bulletin of one truce-day, its cut-off at 21:00, two hours after the anchor."""
    low = at(number, 2)
    name = changes.pop("report_id", f"b{number}")
    lines = (CountLine(count, region, accused),)
    return bulletin(name, **{"low": low, "high": low + 24 * HOUR, "tallies": lines, **changes})


def around(number: int, count: int, **changes: Any) -> list[BulletinFact]:
    """Return the bulletin of a truce-day and a nil one of the day before, which together watch all of it."""
    return [daily(number - 1, 0), daily(number, count, **changes)]


def rows(**changes: Any) -> list[BulletinRow]:
    return bulletin_rows(bulletin(**{"low": at(0), "high": at(1), **changes}), TRUCE)


# -- what a bulletin is


@pytest.mark.parametrize(
    ("low", "high", "number"),
    [
        (at(0, 2), at(1, 2), 0),
        (at(0, 13), at(1, 13), 1),
        (at(0, 12), at(1, 12), 0),
        (at(0), at(1, 1), 0),
        (at(0), at(1, 1) + 1, None),
        (at(0), at(2), None),
        (at(0), at(0), None),
    ],
)
def test_a_bulletin_is_of_the_day_with_its_largest_part_and_a_long_one_of_none(
    low: int, high: int, number: int | None
) -> None:
    (row,) = rows(low=low, high=high)
    assert row.truce_day == (None if number is None else day(number))


def test_a_line_is_in_scope_unless_its_accused_party_is_outside() -> None:
    told = tuple(CountLine(1, "SY01", accused) for accused in ((), ("Opposition",), ("ISIL",)))
    assert [row.in_scope for row in rows(tallies=told)] == [True, True, False]


def test_a_line_that_accuses_several_is_in_scope_unless_all_of_them_are_outside() -> None:
    told = tuple(CountLine(1, "SY01", accused) for accused in (("ISIL", "Opposition"), ("ISIL", "Nusra")))
    assert [row.in_scope for row in rows(tallies=told)] == [True, False]


@pytest.mark.parametrize(("total", "adds_up"), [(None, True), (23, True), (2, False)])
def test_lines_that_do_not_come_to_the_total_are_kept_and_marked(total: int | None, adds_up: bool) -> None:
    told = rows(tallies=(CountLine(2, "SY06", ("Opposition",)), CountLine(21, None, ("ISIL",))), total=total)
    assert [(row.incidents, row.total, row.adds_up) for row in told] == [(2, total, adds_up), (21, total, adds_up)]


# -- the measure


def test_feeds_and_bulletins_are_no_measure_together() -> None:
    with pytest.raises(ValidationError, match="not by both"):
        agreement(violence={"bulletins_of": "monitor", "feeds": ["feed-a"]})


def test_a_count_above_the_limit_breaks_the_day_and_the_bulletin_is_the_evidence() -> None:
    row = World(BY_MONITOR).tell(daily(0, 2), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, row.bulletin_incidents, row.incidents, row.violence_limit) == ("BROKEN", 2, 0, 1.0)
    assert json.loads(row.evidence)["violence"] == ["monitor/b0"]
    assert json.loads(row.cause)["reports"] == ["monitor/b0@1"]


def test_a_count_within_the_limit_is_met_where_the_periods_cover_the_day() -> None:
    row = World(BY_MONITOR).tell(*around(0, 1), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, row.covered_share, row.bulletin_incidents) == ("MET", 1.0, 1)
    assert json.loads(row.evidence)["violence"] == ["monitor/b0"]


def test_a_period_counts_as_the_monitors_watch_and_no_more() -> None:
    strict = agreement(violence={"bulletins_of": "monitor"}, coverage={"min_share_percent": 95})
    row = World(strict).tell(daily(0, 0), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, round(row.covered_share * 24)) == ("UNKNOWN", 22)


def test_a_day_without_a_bulletin_is_unknown_and_not_zero_however_it_was_watched() -> None:
    row = World(BY_MONITOR).tell(coverage(low=at(0), high=at(1)), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, row.bulletin_incidents, row.covered_share) == ("UNKNOWN", None, 1.0)
    assert json.loads(row.reasons)[0]["rule"] == "no_bulletin"


def test_a_bulletin_that_does_not_speak_of_a_region_says_nothing_of_it() -> None:
    told = bulletin("b", low=at(0), high=at(1), tallies=(CountLine(9, "SY02"), CountLine(9, None)))
    assert World(BY_MONITOR).tell(told, tick(at(2))).verdict("SY01", 0).bulletin_incidents is None


def test_of_two_cut_offs_for_one_day_the_last_told_is_used_and_they_are_never_added() -> None:
    first = daily(0, 42, report_id="z", reported_at=at(1, 3))
    second = daily(0, 45, report_id="a", low=at(0), high=at(1), reported_at=at(1, 4))
    for order in ([first, second], [second, first]):
        world = World(BY_MONITOR).tell(*order, tick(at(2)))
        row = world.verdict("SY01", 0)
        assert (row.bulletin_incidents, json.loads(row.evidence)["violence"]) == (45, ["monitor/a"])
    same = daily(0, 46, report_id="b", low=at(0), high=at(1), reported_at=at(1, 4))
    assert world.tell(same, tick(at(2, 1))).verdict("SY01", 0).bulletin_incidents == 46


def test_what_is_laid_to_parties_outside_is_not_counted() -> None:
    told = (CountLine(1, "SY01", ("Opposition",)), CountLine(21, "SY01", ("ISIL",)), CountLine(2, "SY01"))
    row = World(BY_MONITOR).tell(daily(0, 0, tallies=told), tick(at(2))).verdict("SY01", 0)
    assert row.bulletin_incidents == 3


def test_the_baseline_is_the_monitors_own_and_leaves_out_days_without_a_bulletin() -> None:
    """Two of ten baseline days have a bulletin: 30 and 20 make 25 a day, of which a fifth may be left."""
    before = [daily(-3, 30), daily(-5, 20), *(incident(f"i{n}", when=at(-1, -n)) for n in range(200))]
    assert World(BY_MONITOR).tell(*before, tick(at(0, 1))).verdict("SY01", 0).violence_limit == 5.0
    assert World(BY_MONITOR).tell(tick(at(0, 1))).verdict("SY01", 0).violence_limit == 1.0


def test_a_late_bulletin_of_the_baseline_moves_the_limit_of_every_day() -> None:
    world = World(BY_MONITOR).tell(tick(at(2)), daily(-3, 30), tick(at(2, 1)))
    assert [row.violence_limit for row in world.versions("SY01", 1)] == [1.0, 6.0]
    world.tell(daily(-3, 30, revision=2, retracted=True), tick(at(2, 2)))
    assert world.verdict("SY01", 1).violence_limit == 1.0


def test_a_severe_incident_still_breaks_the_day_alone() -> None:
    world = World(BY_MONITOR).tell(*around(0, 0), incident(kind="attack_on_aid"), tick(at(2)))
    row = world.verdict("SY01", 0)
    assert (row.violence, json.loads(row.evidence)["violence"]) == ("BROKEN", ["feed-a/i1"])


def test_incidents_are_counted_beside_and_break_nothing() -> None:
    row = World(BY_MONITOR).tell(*around(0, 1), *(incident(f"i{n}") for n in range(9)), tick(at(2))).verdict("SY01", 0)
    assert (row.violence, row.incidents, row.bulletin_incidents) == ("MET", 9, 1)


def test_the_reason_says_at_least_period_and_lines_that_do_not_add_up() -> None:
    world = World(BY_MONITOR).tell(daily(0, 4, at_least=True, total=9), tick(at(2)))
    text = json.loads(world.verdict("SY01", 0).reasons)[0]["text"]
    assert text.startswith(
        "monitor/b0 counts at least 4 for 2016-09-12 18:00 to 2016-09-13 18:00 UTC, "
        "though its lines do not add up to its total, limit 1 (the floor)"
    )


def test_bulletins_of_another_monitor_and_agreements_by_incidents_measure_nothing() -> None:
    world = World(BY_MONITOR).tell(daily(0, 9, feed="another"), tick(at(2)))
    assert world.verdict("SY01", 0).bulletin_incidents is None
    plain = World().tell(*around(0, 9), tick(at(2))).verdict("SY01", 0)
    assert (plain.violence, plain.bulletin_incidents, plain.covered_share) == ("UNKNOWN", None, 0.0)


def test_another_count_is_a_version_only_once_the_day_is_final() -> None:
    world = World(BY_MONITOR).tell(*around(0, 0), tick(at(1, 3)))
    world.tell(daily(0, 1, revision=2), tick(at(1, 4)))
    assert [row.bulletin_incidents for row in world.versions("SY01", 0)] == [0]
    world.tell(tick(at(4)), daily(0, 0, revision=3), tick(at(4, 1)))
    assert [(row.bulletin_incidents, row.state) for row in world.versions("SY01", 0)[1:]] == [(0, "AMENDED")]


def test_a_correction_moves_a_bulletin_to_another_day_and_region() -> None:
    world = World(BY_MONITOR).tell(daily(0, 5), tick(at(2)))
    world.tell(daily(1, 5, report_id="b0", region="SY02", revision=2), tick(at(2, 1)))
    assert [world.verdict("SY01", 0).bulletin_incidents, world.verdict("SY02", 1).bulletin_incidents] == [None, 5]
    assert world.verdict("SY01", 0).covered_share == 0


# -- in the file


def spoken(name: str, number: float, *lines: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a bulletin as a monitor writes it, told an hour after its period of a day."""
    low, high = at(number, 2), at(number + 1, 2)
    return report(
        "bulletin", name, feed="monitor", reported_at=high + HOUR, occurred=(low, high), tallies=list(lines), **fields
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monitor's week with two cut-offs, a correction, a retraction and a headline that mixes; restarts in between."""
    here, there = {"pcode": "SY01"}, {"pcode": "SY02"}
    history = History(BY_MONITOR)
    history.tell(*(spoken(f"before-{n}", -n, {"count": 10 * n, "place": here}) for n in range(2, 6)))
    history.tick(at(0, 1)).tell(spoken("b0", 0, {"count": 2, "place": here, "accused": "Opposition"}, total=2))
    mixed = ({"count": 2, "place": here, "accused": "Opposition"}, {"count": 21, "place": here, "accused": "ISIL"})
    history.tick(at(1, 4)).tell(spoken("b1", 1, *mixed, {"count": 3, "place": there}, total=2, at_least=True))
    history.tell(spoken("b1-late", 0.9, {"count": 45, "place": here}))
    history.tick(at(2, 4)).tell(spoken("b2", 2, {"count": 1, "place": {"names": ["Aleppo"]}}, {"count": 7}))
    history.tick(at(3, 4)).tell(spoken("b0", 0, {"count": 9, "place": here}, revision=2))
    history.tell(spoken("before-2", -2, {"count": 10, "place": here}, revision=2, status="retracted")).tick(at(4))
    history.tell(spoken("b2", 2, {"count": 6, "place": {"names": ["Aleppo"]}}, revision=2)).tick(at(6))
    span = {"occurred": (at(2), at(3)), "places": [here, there], "nil": True}
    history.tell(report("coverage", "c", reported_at=at(6), **span)).tick(at(6, 1))
    return history.judged(tmp_path_factory.mktemp("bulletins"), flush_every=3, restart_every=1)


def test_restarts_change_nothing_and_the_recount_agrees(published: Path) -> None:
    assert [str(difference) for difference in verify(published, limit=5)] == []
    with duckdb.connect(str(published), read_only=True) as connection:
        found = connection.execute(
            "SELECT truce_day, violence, bulletin_incidents, violence_limit FROM day_verdicts "
            "WHERE region = 'SY01' ORDER BY truce_day LIMIT 4"
        ).fetchall()
    days = [date(2016, 9, 12 + n) for n in range(4)]
    assert found == [
        (days[0], "BROKEN", 9, 8.0),
        (days[1], "MET", 2, 8.0),
        (days[2], "UNKNOWN", None, 8.0),
        (days[3], "UNKNOWN", None, 8.0),
    ]


def test_an_altered_count_of_a_bulletin_is_found(published: Path, tmp_path: Path) -> None:
    copy = tmp_path / "altered.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE verdict_log SET bulletin_incidents = 3 WHERE bulletin_incidents = 2")
    assert {found.table for found in verify(copy)} == {"verdict_log"}


def test_each_monitor_party_region_and_day_stands_beside_the_count(published: Path) -> None:
    with duckdb.connect(str(published), read_only=True) as connection:
        found = connection.execute(
            "SELECT report_id, accused, in_scope, bulletin_incidents, told_last, adds_up, counted_incidents "
            "FROM bulletin_days WHERE region = 'SY01' AND truce_day = '2016-09-13' ORDER BY ALL"
        ).fetchall()
        told = connection.execute(
            "SELECT value, detail FROM explain_day('SY01', '2016-09-13') WHERE fact = 'bulletin' ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("b1", ["ISIL"], False, 21, True, False, 0),
        ("b1", ["Opposition"], True, 2, True, False, 0),
        ("b1-late", None, True, 45, False, True, 0),
    ]
    assert ("monitor/b1", "at least 21, accused: ISIL (out of scope)") in [
        (value, detail.rpartition(", 2016-09-13T18:00:00Z to")[0]) for value, detail in told
    ]
    assert sum("the lines do not add up to the stated total of 2" in detail for _, detail in told) == 2


def test_a_grid_shows_the_bulletins_count_against_the_limit(published: Path) -> None:
    with open_published(published) as connection:
        first, last = date(2016, 9, 12), date(2016, 9, 14)
        cells = {cell.truce_day: cell for cell in grid(connection, (first, last)) if cell.region == "SY01"}
        then = grid_as_of(connection, from_micros(at(2)), (first, first))
    assert [cell.counted for _, cell in sorted(cells.items())] == [9, 2, None]
    assert [cell.counted for cell in then if cell.region == "SY01"] == [2]
    assert cell_text(cells[last]) == "? UNKNOWN* –/8"
