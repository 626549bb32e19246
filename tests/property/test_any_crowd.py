"""Crowds against a recount that shares no code with them, and against themselves: bounds of two and three reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.agreement import Agreement
from schemas.facts import Fact
from sinks.verify import crowds as recounted
from sinks.verify.days import Days
from sinks.verify.linking import NOW, Linking
from streams.ledger.core import crowds
from streams.ledger.core.report_cache import Bounds
from tests.property.test_any_history import FEWER, RANDOM, expected, joined, linked, untimed, verdicts
from tests.support.drawn_facts import as_naive, meetings
from tests.support.worlds import LINKING, World, agreement, at, tick

AN_HOUR, A_DAY = 2, 3
TRUCES = {
    weakest: agreement(linking={**LINKING, "weakest_place": weakest}) for weakest in ("near", "district", "governorate")
}
any_truce = pytest.mark.parametrize("truce", TRUCES.values(), ids=TRUCES)


@pytest.fixture(autouse=True, scope="module")
def _small_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (crowds, recounted):
            patch.setattr(module, "AN_HOUR", AN_HOUR)
            patch.setattr(module, "A_DAY", A_DAY)
        patch.setattr(crowds.Spots, "FEWEST", AN_HOUR)
        yield


@any_truce
@RANDOM
@given(history=meetings)
def test_what_is_linked_beside_crowds_agrees_with_a_recount(truce: Agreement, history: list[Fact]) -> None:
    told = [*history, tick(at(9))]
    world = World(truce).tell(*told)
    assert verdicts(world) == expected(truce, told, at(9))
    assert linked(world) == joined(truce, told)


@any_truce
@FEWER
@given(history=meetings, data=st.data())
def test_the_order_in_which_a_crowd_comes_never_shows(
    truce: Agreement, history: list[Fact], data: st.DataObject
) -> None:
    told = untimed(history)
    shuffled = data.draw(st.permutations([*told, *told]))
    plain = World(truce).tell(*told, tick(at(9)))
    twice = World(truce).tell(*[step for fact in shuffled for step in (fact, tick(at(0)))], tick(at(9)))
    assert verdicts(twice) == verdicts(plain)
    assert linked(twice) == linked(plain)


@any_truce
@FEWER
@given(history=meetings, size=st.integers(1, 6), restarts=st.sampled_from([None, 1, 2]), rows=st.sampled_from([1, 9]))
def test_where_flushes_and_restarts_fall_in_a_crowd_never_shows(
    truce: Agreement, history: list[Fact], size: int, restarts: int | None, rows: int
) -> None:
    told = [*history, tick(at(9))]
    whole = World(truce).tell(*told)
    cut = World(truce, flush_every=size, restart_every=restarts, bounds=Bounds(rows=rows)).tell(*told)
    assert verdicts(cut) == verdicts(whole)
    assert linked(cut) == linked(whole)
    assert cut.store.versions == whole.store.versions


@pytest.mark.slow
def test_drawn_histories_hold_crowds_that_come_and_cease() -> None:
    seen: Counter[str] = Counter()
    truce = TRUCES["district"]

    @settings(
        max_examples=900, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(history=meetings)
    def look(history: list[Fact]) -> None:
        told = as_naive(truce, history)
        linking = Linking(truce, Days.of(truce), told)
        reports = [report for report in told if report.type == "incident" and report.regions[0] in truce.regions]
        crowded = [report for report in reports if linking._is_crowded(report, NOW)]
        seen["crowds"] += bool(crowded)
        seen["beside"] += any(len(incident.links) for incident in linking.incidents()) and bool(crowded)
        seen["ceased"] += any(
            linking._is_crowded(report, before) and not linking._is_crowded(report, before + 1)
            for report in reports
            for before in range(len(history))
        )

    look()
    # Draws depend on the modules that are loaded, and so does the number of each.
    assert min(seen[name] for name in ("crowds", "beside", "ceased")) >= 3, seen
