"""What the ledger finds of a position against the recount's own measurement, on random roads, bands and points."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.facts import GivenLength
from schemas.pullback import PullbackLine
from schemas.reports import PositionReport
from sinks.verify.pullback import judge_position
from streams.ledger.core.pullback import Pullback
from tests.support.effort import examples
from tests.support.judged import report
from tests.support.worlds import ROAD, agreement, at, day, position

steps = st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)).filter(
    lambda step: abs(step[0]) + abs(step[1]) > 1e-4
)
limits = st.dictionaries(st.sampled_from(["heavy", "personnel"]), st.integers(1, 6_000))
bands = st.fixed_dictionaries(
    {"parties": st.sampled_from([[], ["Government"], ["Opposition"]]), "left": limits, "right": limits}
)
uncertainties = st.none() | st.tuples(
    st.sampled_from([1.0, 33.3, 500.0, 2_000.0]), st.sampled_from(["metres", "yards", "feet"])
)


@st.composite
def roads(draw: st.DrawFn) -> dict[str, Any]:
    points = [(36.25, 37.1)]
    for north, east in draw(st.lists(steps, min_size=1, max_size=5)):
        points.append((points[-1][0] + north, points[-1][1] + east))
    uncertainty = draw(st.sampled_from([0, 100, 500]))
    several = draw(st.lists(bands, min_size=1, max_size=2))
    return {**ROAD, "points": points, "uncertainty_metres": uncertainty, "bands": several}


@settings(max_examples=examples(300), deadline=None)
@given(
    road=roads(),
    north=st.floats(-0.06, 0.06) | st.floats(-2, 2),
    east=st.floats(-0.06, 0.06),
    uncertainty=uncertainties,
    weapon_class=st.sampled_from(["heavy", "personnel", "bicycles"]),
)
@example(road=ROAD, north=0.0, east=0.02, uncertainty=(500.0, "yards"), weapon_class="heavy")
@example(road=ROAD, north=0.01, east=0.02, uncertainty=(1.0, "metres"), weapon_class="personnel")
def test_two_ways_of_measuring_find_the_same(
    road: dict[str, Any], north: float, east: float, uncertainty: tuple[float, str] | None, weapon_class: str
) -> None:
    truce = agreement(pullback=[road])
    latitude, longitude = 36.25 + north, 37.1 + east
    given_as = None if uncertainty is None else GivenLength(*uncertainty)
    fact = position(when=at(2), latitude=latitude, longitude=longitude, uncertainty=given_as, weapon_class=weapon_class)
    stood: dict[str, Any] = {"unit": "a battery", "party": "Government", "weapon_class": weapon_class}
    if uncertainty is not None:
        stood |= {"uncertainty": {"value": uncertainty[0], "unit": uncertainty[1]}}
    raw = report("position", "p1", reported_at=at(2), occurred=(at(2), at(2)), **stood)
    raw["point"] = {"latitude": latitude, "longitude": longitude}
    told = PositionReport.model_validate_json(json.dumps(raw))
    line: PullbackLine = truce.pullback[0]
    [row] = Pullback(truce).finding_rows(fact)
    assert tuple(row[3:]) == judge_position(line, told, day(2))
