"""A damaged file is set aside and all of it is there again, or nothing is touched and the person is told why."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from schemas.errors import StoreDamaged, StoreUnavailable
from schemas.topics import EMBEDDED_CLUSTER
from sinks.blocks import check_blocks
from sinks.publishing import earlier
from sinks.recovery import MOST_QUARANTINED
from sinks.store import LIVE, PUBLISHED
from streams.verify import verify
from tests.support.damage import DAMAGES, LOG, WAL, Facts, bent, bent_in, blocks
from tests.support.effort import FULL, cases, every, examples
from tests.support.judged import History, report
from tests.support.lanes import Group, lane_of
from tests.support.records import TOPIC, tables
from tests.support.worlds import TRUCE, at
from tests.unit.test_store_faults import another_ledger

SEED = 2016


@pytest.fixture(scope="module")
def facts() -> Facts:
    incidents = [
        report("incident", f"i{n}", reported_at=at(n // 6, 12), region="SY02", kind="shelling",
               occurred=(at(n // 6, n % 6), at(n // 6, n % 6 + 1)), raw={"told": "at length " * 20})
        for n in range(48)
    ]  # fmt: skip
    history = History(TRUCE)
    for day, first in enumerate(range(0, 48, 6)):
        history.tell(*incidents[first : first + 6], b"{").tick(at(day + 1))
    return Facts(history.tell(incidents[0]).tick(at(9)))


@pytest.fixture(scope="module")
async def whole(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run without any damage publishes."""
    return await facts.judged(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
async def left(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a power cut leaves it."""
    folder = tmp_path_factory.mktemp("left")
    await facts.cut_off(folder / "running", folder / "cut")
    return folder / "cut"


@pytest.mark.property
@pytest.mark.parametrize("kind", cases(DAMAGES, fast=2))
async def test_after_any_damage_all_rows_are_there_again(
    kind: str, facts: Facts, whole: Path, left: Path, tmp_path: Path
) -> None:
    times, damage = DAMAGES[kind]
    times = min(times, examples(times))
    draw = random.Random(f"{SEED} {kind}")
    for number in range(times):
        folder = tmp_path / str(number)
        shutil.copytree(left, folder)
        what = damage(folder, draw)
        published = await facts.judged(folder)
        assert tables(published) == tables(whole), what
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("with_log", "and_the_copy"), [(True, False), (False, True)])
async def test_after_a_flip_in_a_block_all_rows_are_there_again(
    with_log: bool, and_the_copy: bool, facts: Facts, whole: Path, left: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    shutil.copytree(left, begun)
    if not with_log:
        ledger = facts.ledger(begun)
        await ledger.resume(TOPIC, 0)
        await ledger.revoked([])
    for block in every(range(with_log, blocks(begun / LIVE)), 12):
        folder = tmp_path / str(block)
        shutil.copytree(begun, folder)
        assert (folder / WAL).exists() == with_log
        bent_in(folder / LIVE, block)
        if and_the_copy and block < blocks(folder / PUBLISHED):
            bent_in(folder / PUBLISHED, block)
        assert tables(await facts.judged(folder)) == tables(whole), f"block {block}"
        shutil.rmtree(folder)


@pytest.mark.property
async def test_no_flip_under_a_running_ledger_reaches_the_published_copy(
    facts: Facts, whole: Path, left: Path, tmp_path: Path
) -> None:
    met = 0
    for block in every(range(1, blocks(left / LIVE)), 25) if FULL else (1, 3):
        folder = tmp_path / str(block)
        shutil.copytree(left, folder)
        ledger = facts.ledger(folder)
        await ledger.started(lane_of(Group()))
        start = await ledger.resume(TOPIC, 0)
        # Opening may have given free blocks at the end back.
        bent_in(folder / LIVE, min(block, blocks(folder / LIVE) - 1))
        try:
            await facts.read(ledger, start, len(facts))
            await ledger.stopped()
        except StoreDamaged:
            met += 1
            await ledger.revoked([])
        with (folder / PUBLISHED).open("rb") as copy:
            check_blocks(copy.fileno(), folder / PUBLISHED)
        assert not list(folder.glob("*.publishing"))
        assert tables(await facts.judged(folder)) == tables(whole), f"block {block}"
        shutil.rmtree(folder)
    assert met


async def test_a_damaged_copy_is_passed_over_for_the_one_before_it_and_then_the_topic(
    facts: Facts, whole: Path, left: Path, tmp_path: Path
) -> None:
    copies = [left / PUBLISHED, earlier(left / PUBLISHED)]
    for damaged, goes_on_from in ((1, copies[1].name), (2, "the topic's beginning")):
        folder = tmp_path / str(damaged)
        shutil.copytree(left, folder)
        for path in (left / LIVE, *copies[:damaged]):
            bent(folder / path.name, random.Random(SEED), 12_288)
        with capture_logs() as said:
            assert tables(await facts.judged(folder)) == tables(whole)
        (line,) = [each for each in said if each["event"] == "damaged_file_set_aside"]
        assert Path(line["goes_on_from"]).name == goes_on_from
        assert len(line["files"]) == 2 + damaged


def test_at_least_sixty_damages_are_tried() -> None:
    assert sum(times for times, _ in DAMAGES.values()) >= 60


async def test_what_is_recovered_passes_the_recount(facts: Facts, left: Path, tmp_path: Path) -> None:
    shutil.copytree(left, tmp_path / "bent")
    bent(tmp_path / "bent" / LIVE, random.Random(SEED), 12_288)
    assert verify(await facts.judged(tmp_path / "bent")) == []


async def test_a_damaged_file_is_set_aside_whole_and_said(facts: Facts, left: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bent"
    shutil.copytree(left, folder)
    bent(folder / LIVE, random.Random(SEED), 12_288)
    was = (folder / LIVE).read_bytes(), (folder / WAL).read_bytes()
    with capture_logs() as said:
        await facts.judged(folder)
    kept = sorted(folder.glob("*.damaged-*"))
    assert tuple(path.read_bytes() for path in kept) == was
    (line,) = [each for each in said if each["event"] == "damaged_file_set_aside"]
    assert line["log_level"] == "warning"
    assert sorted(line["files"]) == [str(path) for path in kept]
    assert line["next_offset"] > 0


@pytest.mark.parametrize(
    ("without_copy", "log", "begins", "why"),
    [
        (False, "another-cluster/the-facts", 0, "compliance.duckdb was read from another log"),
        (False, LOG, 10_000, "begins at 10000, after the next offset 40 of compliance.duckdb"),
        (True, LOG, 1, "no published copy to go on from, and .* begins at 1"),
        (True, f"{EMBEDDED_CLUSTER}1/facts", 0, "an embedded broker forgets"),
    ],
)
async def test_nothing_is_moved_where_something_would_be_lost(
    facts: Facts, left: Path, tmp_path: Path, without_copy: bool, log: str, begins: int, why: str
) -> None:
    folder = tmp_path / "bent"
    shutil.copytree(left, folder)
    bent(folder / LIVE, random.Random(SEED), 12_288)
    if without_copy:
        (folder / PUBLISHED).unlink()
        earlier(folder / PUBLISHED).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(StoreDamaged, match=f"not set aside: .*{why}.*Put a backup"):
        await facts.ledger(folder, log=log, begins=begins).resume("any", 0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_moving_a_damaged_file_away_is_enough_to_go_on(
    facts: Facts, whole: Path, left: Path, tmp_path: Path
) -> None:
    """As the refusal says: the mark that damage was met at work goes with the file it was of."""
    folder = tmp_path / "marked"
    shutil.copytree(left, folder)
    (folder / f"{LIVE}.suspect").touch()
    for copy in (folder / PUBLISHED, earlier(folder / PUBLISHED)):
        copy.rename(tmp_path / copy.name)
    with pytest.raises(StoreDamaged, match=r"not set aside: .*Put a backup .* or move it and its \.wal away"):
        await facts.ledger(folder, begins=1).resume("any", 0)
    (folder / LIVE).unlink()
    (folder / WAL).unlink()
    assert tables(await facts.judged(folder, begins=1)) == tables(whole)


async def test_a_disk_that_damages_again_and_again_needs_a_person(facts: Facts, left: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bent"
    shutil.copytree(left, folder)
    for number in range(MOST_QUARANTINED):
        (folder / f"{LIVE}.damaged-{number}").touch()
    bent(folder / LIVE, random.Random(SEED), 12_288)
    with pytest.raises(StoreDamaged, match=r"3 such files were set aside before .*look after the disk"):
        await facts.ledger(folder).resume("any", 0)


async def test_a_file_another_ledger_holds_is_never_set_aside(facts: Facts, tmp_path: Path) -> None:
    with another_ledger(tmp_path):
        bent(tmp_path / LIVE, random.Random(SEED), 12_288)
        with pytest.raises(StoreUnavailable, match="in use by"):
            await facts.ledger(tmp_path).resume("any", 0)
        assert (tmp_path / LIVE).exists()


async def test_the_log_of_another_file_is_not_replayed(facts: Facts, whole: Path, left: Path, tmp_path: Path) -> None:
    """Rows of one file under the offsets of another would be wrong rows."""
    folder, other = tmp_path / "mixed", tmp_path / "other"
    shutil.copytree(left, folder)
    await facts.cut_off(tmp_path / "running", other)
    shutil.copy(other / WAL, folder / WAL)
    assert tables(await facts.judged(folder)) == tables(whole)


async def test_what_a_killed_ledger_left_half_copied_is_cleared(facts: Facts, left: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(left, folder)
    half = folder / f"{PUBLISHED}.publishing"
    half.write_bytes(b"half")
    ledger = facts.ledger(folder)
    await ledger.resume("any", 0)
    assert not half.exists()
    await ledger.revoked([])


async def test_a_file_moved_under_a_running_ledger_stops_it(facts: Facts, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    ledger = facts.ledger(folder)
    await ledger.started(lane_of(Group()))
    await ledger.resume(TOPIC, 0)
    shutil.rmtree(folder)
    with pytest.raises(StoreUnavailable, match="was moved or deleted while the ledger wrote it: start again"):
        await facts.read(ledger, 0, 20)
    await ledger.revoked([])
    assert tables(await facts.judged(folder)) == tables(whole)
