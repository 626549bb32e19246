"""Regions that reports naming each other tie together are recounted together, all others apart."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import StoreUnavailable
from sinks.verify import shards as sharding
from sinks.verify.past import Past
from sinks.verify.published import Published
from sinks.verify.shards import OF_A_SHARD, Found, ShardProcesses, recount_shard, shards
from streams.ledger.core.ledger import Ledger
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.rich_history import tell_linked
from tests.support.worlds import LINKING, agreement, at


def told(report_id: str, region: str, **fields: Any) -> dict[str, Any]:
    spine: dict[str, Any] = {"occurred": (at(1), at(1, 1)), "kind": "shelling", "reported_at": at(1, 2)}
    return report("incident", report_id, region=region, **{**spine, **fields})


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize(
    "naming", [{"same_as": ["feed-a/1"]}, {"same_as": ["feed-a/2"]}, {"status": "merged", "merged_into": "1"}]
)
def test_reports_that_name_each_other_tie_all_their_regions_together(
    naming: dict[str, Any], linked: bool, tmp_path: Path
) -> None:
    history = History(agreement(linking=LINKING) if linked else agreement())
    # Of a report's regions the earlier ones count too; a correction by itself ties nothing.
    history.tell(told("1", "SY01"), told("2", "SY01"), told("2", "SY02", revision=2), told("3", "SY02", **naming))
    with closing(Published(history.tick(at(2)).judged(tmp_path))) as file:
        apart = [(region,) for region in file.agreement.regions]
        together = [("SY01", "SY02"), *(each for each in apart if each not in {("SY01",), ("SY02",)})]
        assert sorted(shards(file)) == sorted(together if linked else apart)


def test_a_correction_to_another_region_is_right_in_both_shards(tmp_path: Path) -> None:
    history = tell_linked(History(agreement(linking=LINKING))).tell(told("4", "SY01"), told("5", "SY02")).tick(at(3, 1))
    history.tell(told("4", "SY02", revision=2), told("5", "SY01", revision=2)).tick(at(3, 2))
    with closing(Published(history.judged(tmp_path))) as file:
        assert ("SY02",) in shards(file)
        for regions in shards(file):
            assert recount_shard(Past(file), regions) == {name: [] for name in OF_A_SHARD}


@pytest.mark.slow
def test_processes_find_what_this_one_finds_and_their_errors_are_raised(tmp_path: Path) -> None:
    path = tell_linked(History(agreement(linking=LINKING)).tick(at(0, 1))).judged(tmp_path)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("update linked_incidents set deaths_high = 99 where region = 'SY01'")
    with closing(Published(path)) as file:
        of_all = shards(file)[:2]
        here = [recount_shard(Past(file), regions) for regions in of_all]

    def in_order(found: Found) -> str:
        return str(sorted(found.items()))

    with closing(ShardProcesses(file, of_all)) as processes:
        there = processes.found()
    assert sorted(there, key=in_order) == sorted(here, key=in_order)
    assert [each.column for found in there for each in found["reports joined to incidents"]] == ["deaths_high"]
    shutil.move(path, tmp_path / "elsewhere")
    with closing(ShardProcesses(file, of_all)) as processes, pytest.raises(StoreUnavailable):
        processes.found()


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True])
def test_shards_are_recounted_beside_the_rebuild(broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken:
        # Both the ledger and the rebuild believe that nothing is in scope: their files agree.
        monkeypatch.setattr(Ledger, "_in_scope", lambda *_: False)
    monkeypatch.setattr(sharding, "MANY", 1)
    begun: list[str] = []
    steps: list[str] = []
    begin = ShardProcesses._begin
    monkeypatch.setattr(ShardProcesses, "_begin", lambda self, regions: (begun.append(steps[-1]), begin(self, regions)))
    path = tell_linked(History(agreement(linking=LINKING)).tick(at(0, 1))).judged(tmp_path)
    found = verify(path, lambda _done, doing: steps.append(doing))
    assert begun[0] == "rebuilding it from its records"
    assert bool(found) is broken
    assert broken or len(begun) == len(agreement().regions)
