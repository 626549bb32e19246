"""A disk that is really full or really read-only: told, survived, and caught up on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreFull, StoreUnavailable
from sinks.store import PUBLISHED
from tests.support.damage import Facts
from tests.support.disks import mount, need_disks, small_disk
from tests.support.lanes import Group, lane_of
from tests.support.records import TOPIC, tables
from tests.unit.test_store_recovery import facts, whole

__all__ = ["facts", "whole"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


def set_aside_in(folder: Path) -> list[str]:
    """Return the names of damaged files that were set aside."""
    return [path.name for path in folder.glob("*.damaged-*")]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    need_disks(tmp_path / "probe")
    with small_disk(tmp_path / "disk", 4_096) as folder:
        yield folder


@pytest.mark.parametrize("kilobytes", [64, 256, 512, 1_000, 2_000, 4_000])
async def test_a_disk_that_fills_up_loses_nothing(kilobytes: int, facts: Facts, whole: Path, disk: Path) -> None:
    """Too small for the tables, for the log, or for the checkpoint."""
    mount(disk, f"remount,size={kilobytes}k")
    ledger = facts.ledger(disk / "data")
    await ledger.started(lane_of(Group()))

    async def run() -> None:
        await facts.read(ledger, await ledger.resume(TOPIC, 0), len(facts))
        await ledger.stopped()

    with pytest.raises(StoreFull, match=r"the disk took no more.*free some space and start again"):
        await run()
    await ledger.revoked([])
    mount(disk, "remount,size=200m")
    assert tables(await facts.judged(disk / "data")) == tables(whole)
    assert not set_aside_in(disk / "data")


async def test_a_copy_that_finds_no_room_leaves_the_earlier_one(facts: Facts, whole: Path, disk: Path) -> None:
    mount(disk, "remount,size=200m")
    folder = disk / "data"
    half = facts.ledger(folder)
    await half.started(lane_of(Group()))
    await facts.read(half, await half.resume(TOPIC, 0), 30)
    await half.stopped()
    before = (folder / PUBLISHED).read_bytes()
    free = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 2_000_000))
    ledger = facts.ledger(folder)
    await ledger.started(lane_of(Group()))

    async def run() -> None:
        await facts.read(ledger, await ledger.resume(TOPIC, 0), len(facts))
        await ledger.stopped()

    with pytest.raises(StoreFull):
        await run()
    await ledger.revoked([])
    assert (folder / PUBLISHED).read_bytes() == before
    assert not list(folder.glob("*.publishing"))
    (disk / "ballast").unlink()
    assert tables(await facts.judged(folder)) == tables(whole)


async def test_a_read_only_disk_is_said_and_gone_on_with_once_it_is_not(facts: Facts, whole: Path, disk: Path) -> None:
    mount(disk, "remount,size=200m")
    await facts.judged(disk / "data")
    mount(disk, "remount,ro")
    with pytest.raises(StoreUnavailable, match=r"(?i)cannot be .*read-only"):
        await facts.ledger(disk / "data").resume(TOPIC, 0)
    mount(disk, "remount,rw,size=200m")
    assert tables(await facts.judged(disk / "data")) == tables(whole)


def test_up_keeps_its_broker_while_the_disk_is_full_and_goes_on_by_itself(disk: Path) -> None:
    """Ending with the ledger would take along the records the broker holds in memory."""
    mount(disk, "remount,size=256k")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUCEWATCH_")}
    up = subprocess.Popen(
        [sys.executable, "-P", "-m", "streams", "up", "--json", "--data", str(disk)],
        env=environment | {"TRUCEWATCH_LOG_FORMAT": "json", "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        assert up.stderr is not None
        said = next(line for line in map(json.loads, up.stdout) if line["event"] in ("full", "stopping"))
        assert "the disk took no more" in said["text"]
        mount(disk, "remount,size=200m")
        assert any("ledger_resumed" in line for line in up.stderr)
        up.send_signal(signal.SIGTERM)
        up.communicate(timeout=90)
        assert up.returncode == 0
    finally:
        up.kill()
        up.communicate()
