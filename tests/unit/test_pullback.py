"""Pull-back: what is found of a position, rule by rule of docs/judging.md, and that it stays beside the verdicts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.agreement_file import load_agreement
from schemas.facts import GivenLength
from schemas.lengths import in_metres
from schemas.rows import PositionFindingRow
from streams.ledger.core.pullback import Pullback
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.worlds import ROAD, TRUCE, World, agreement, at, coverage, position, tick

#: A road along the equator, where a degree of longitude is a piece of the equator, and one of latitude 110,574 m.
FLAT = {
    **ROAD,
    "points": [(0.0, 37.1), (0.0, 37.14)],
    "uncertainty_metres": 500,
    "bands": [{"left": {"heavy": 3000, "both": 1000, "level": 2000}, "right": {"both": 500, "level": 2000}}],
}
METRE = 1 / 110_574.3


def found(metres_north: float, uncertainty: GivenLength | None, line: dict[str, Any] = FLAT, **given: Any) -> Any:
    """Return what is found of a position so far north of the road."""
    truce = agreement(pullback=[line])
    stood = {"latitude": metres_north * METRE, "longitude": 37.12, "when": at(1.5)}
    [row] = Pullback(truce).finding_rows(position(uncertainty=uncertainty, **{**stood, **given}))
    return row


def said(row: PositionFindingRow) -> tuple[str, str, str | None, int | None]:
    return row.finding, row.rule, row.side, row.limit_metres


@pytest.mark.parametrize(
    ("value", "unit", "metres"),
    [
        (500, "yards", Fraction("457.2")),
        (1, "miles", Fraction("1609.344")),
        (0.1, "feet", Fraction("0.03048")),
        (3.5, "kilometres", Fraction(3500)),
        (457.2, "metres", Fraction("457.2")),
    ],
)
def test_a_length_is_exact_in_metres(value: float, unit: str, metres: Fraction) -> None:
    assert in_metres(value, unit) == metres


@pytest.mark.parametrize(
    ("metres", "finding", "rule"),
    [
        (1_999, "VIOLATION", "band"),
        (2_042.7, "VIOLATION", "band"),
        # 2,042.8 + 457.2 + 500 is the limit itself: no longer surely below it.
        (2_042.8, "INDETERMINATE", "limit_in_doubt"),
        (3_957.1, "INDETERMINATE", "limit_in_doubt"),
        (3_957.2, "COMPLIANT", "band"),
    ],
)
def test_five_hundred_yards_and_the_lines_own_uncertainty_decide_at_the_decimetre(
    metres: float, finding: str, rule: str
) -> None:
    row = found(metres, GivenLength(500, "yards"))
    assert said(row) == (finding, rule, "north", 3_000)
    assert (row.distance_metres, row.uncertainty_metres) == (metres, 957.2)


def test_without_an_uncertainty_nothing_is_found_for_or_against() -> None:
    for metres in (1, 2_000, 40_000):
        assert said(found(metres, None)) == ("INDETERMINATE", "no_uncertainty", None, None)
    assert said(found(2_000, None, weapon_class="level")) == ("INDETERMINATE", "no_uncertainty", None, 2_000)
    assert said(found(2_000, None, weapon_class="bicycles")) == ("NOT_BOUND", "no_band", None, None)


def test_on_an_unclear_side_only_what_both_sides_say_is_said() -> None:
    near = GivenLength(100, "metres")
    assert said(found(600, near, weapon_class="level")) == ("VIOLATION", "band", None, 2_000)
    assert said(found(600.2, near, weapon_class="level")) == ("VIOLATION", "band", "north", 2_000)
    # North it would be a violation of 1,000 m, south 500 m leaves it in doubt.
    assert said(found(300, near, weapon_class="both")) == ("INDETERMINATE", "side_unclear", None, None)
    # South nothing binds heavy weapons.
    assert said(found(300, near)) == ("INDETERMINATE", "side_unclear", None, None)
    assert said(found(-700, near)) == ("NOT_BOUND", "no_band", "south", None)


def test_both_sides_may_agree_by_different_limits() -> None:
    line = {**FLAT, "uncertainty_metres": 10, "bands": [{"left": {"heavy": 3000}, "right": {"heavy": 2000}}]}
    assert said(found(5, GivenLength(10, "metres"), line)) == ("VIOLATION", "band", None, None)


def test_beyond_the_end_of_the_road_the_side_is_unclear_along_its_direction() -> None:
    row = found(0, GivenLength(100, "metres"), longitude=37.2)
    assert said(row) == ("INDETERMINATE", "side_unclear", None, None)
    assert row.distance_metres == pytest.approx(6_679.2, abs=0.1)


def test_a_class_or_party_no_band_names_is_kept_and_not_bound() -> None:
    uncertainty = GivenLength(10, "metres")
    assert said(found(1_000, uncertainty, weapon_class="Heavy")) == ("NOT_BOUND", "no_band", "north", None)
    only = {**FLAT, "bands": [{"parties": ["Government"], "left": {"heavy": 3000}}]}
    assert said(found(1_000, uncertainty, only, party="Opposition")) == ("NOT_BOUND", "no_band", "north", None)


def test_where_several_bands_bind_the_largest_distance_holds() -> None:
    both = {**FLAT, "bands": [{"parties": ["Government"], "left": {"heavy": 3000}}, {"left": {"heavy": 2000}}]}
    assert found(2_600, GivenLength(10, "metres"), both).finding == "INDETERMINATE"
    assert found(2_600, GivenLength(10, "metres"), both, party="Opposition").finding == "COMPLIANT"


def test_a_position_out_of_reach_is_kept_and_said_to_be() -> None:
    assert said(found(50_000, GivenLength(10, "metres"))) == ("COMPLIANT", "band", "north", 3_000)
    for metres in (50_001, 400_000):
        row = found(metres, GivenLength(10, "metres"))
        assert said(row) == ("OUT_OF_REACH", "out_of_reach", None, None)
        assert row.distance_metres is None


@pytest.mark.parametrize(("days", "in_force"), [(0.9, False), (1.1, True), (5.9, True), (6.1, False)])
def test_a_line_binds_on_the_days_it_is_in_force(days: float, in_force: bool) -> None:
    row = found(1_000, GivenLength(10, "metres"), when=at(days))
    assert said(row)[:2] == (("VIOLATION", "band") if in_force else ("NOT_IN_FORCE", "not_in_force"))


def test_positions_change_no_verdict() -> None:
    watched = coverage(low=at(0), high=at(3))
    plain, beside = World(), World()
    plain.tell(watched, tick(at(3))).flush()
    beside.tell(watched, position(when=at(1.5)), tick(at(3)))
    changes = beside.flush()
    assert [row.finding for row in changes.position_findings] == ["VIOLATION"]
    assert [row._replace(tick_offset=0) for row in beside.store.verdicts.values()] == [
        row._replace(tick_offset=0) for row in plain.store.verdicts.values()
    ]


def test_a_correction_moves_a_position_and_a_retraction_takes_it_away() -> None:
    world = World().tell(position(when=at(1.5)))
    assert [row.finding for row in world.flush().position_findings] == ["VIOLATION"]
    far = {"latitude": 36.3, "when": at(1.5)}
    assert [row.finding for row in world.tell(position(revision=2, **far)).flush().position_findings] == ["COMPLIANT"]
    gone = world.tell(position(revision=3, retracted=True, **far)).flush()
    assert (gone.positions, gone.position_findings) == ([], [])
    assert ("observers", "p1") in gone.touched_reports
    late = world.tell(position(revision=1, when=at(1.4))).flush()
    assert (late.positions, late.touched_reports) == ([], set())


def told(number: int, **given: Any) -> dict[str, Any]:
    """Return a position report, heavy weapons unless told otherwise."""
    stood: dict[str, Any] = {"unit": "a battery", "party": "Government", "weapon_class": "heavy"}
    stood |= {"point": {"latitude": 36.23 + number / 100, "longitude": 37.11}, "reported_at": at(3)}
    stood |= {"occurred": (at(1, 3), at(1, 4)), "uncertainty": {"value": 80, "unit": "feet"}}
    return report("position", f"p{number}", **{**stood, **given})


@pytest.mark.parametrize("restart_every", [1, 10**9])
def test_after_a_restart_the_file_says_what_its_reports_say(tmp_path: Path, restart_every: int) -> None:
    history = History(TRUCE).tell(*(told(number) for number in range(8)), told(3, revision=2, uncertainty=None))
    history.tell(told(4, revision=2, status="retracted"), told(5, revision=2, type="incident")).tick(at(4))
    history.tell(told(6, revision=2, names=["A hill"], stated_distance={"value": 457, "unit": "metres"})).tick(at(5))
    path = history.judged(tmp_path, flush_every=2, restart_every=restart_every)
    assert verify(path, limit=9) == []


def test_the_shipped_line_is_castello_road_with_the_governments_bands_only() -> None:
    [road] = load_agreement("syria-2016").pullback
    assert [road.limit("left", "Syrian Arab Army", kind) for kind in ("heavy", "equipment", "personnel")] == [
        3_500,
        2_500,
        1_000,
    ]
    assert (road.limit("right", "Syrian Arab Army", "personnel"), road.limit("right", "Syrian Arab Army", "heavy")) == (
        500,
        None,
    )
    assert road.limit("left", "Syrian insurgents", "heavy") is None
    assert road.uncertainty_metres == 500


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"points": [(36.2, 37.1)]}, "at least 2 items"),
        ({"points": [(36.2, 37.1), (36.2, 37.1)]}, "points 0 and 1 are the same"),
        ({"points": [(36.2, 37.1), (36.4, 37.1)]}, "more than 0.12 degrees apart"),
        ({"points": [(91.0, 37.1), (91.0, 37.2)]}, "less than or equal to 89"),
        ({"right": "north"}, "called the same"),
        ({"last_day": ROAD["first_day"].replace(year=2015)}, "before first_day"),
        ({"bands": [{"left": {"heavy": 60_000}}]}, "less than or equal to 50000"),
        ({"bands": []}, "at least 1 item"),
    ],
)
def test_a_line_that_cannot_be_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        agreement(pullback=[{**ROAD, **change}])


def test_two_lines_cannot_share_an_id() -> None:
    with pytest.raises(ValidationError, match="two lines of pullback have the same id"):
        agreement(pullback=[ROAD, ROAD])
