"""A disk that is really full or really read-only: told, survived, and caught up on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreDamaged, StoreFull, StoreUnavailable
from sinks import writable as writable_module
from sinks.store import PUBLISHED
from sinks.writable import Writable
from tests.support.damage import Facts
from tests.support.disks import FileDisk, file_disk, mount, need_disks, small_disk
from tests.support.effort import cases
from tests.support.lanes import Group, lane_of
from tests.support.records import TOPIC, tables
from tests.unit.test_store_recovery import facts, whole

__all__ = ["facts", "whole"]


def set_aside_in(folder: Path) -> list[str]:
    """Return the names of damaged files that were set aside."""
    return [path.name for path in folder.glob("*.damaged-*")]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    need_disks(tmp_path / "probe")
    with small_disk(tmp_path / "disk", 4_096) as folder:
        yield folder


@pytest.mark.parametrize("kilobytes", cases([256, 1_000, 64, 512, 2_000, 4_000], fast=2))
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


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[FileDisk]:
    """A disk that may break under what is open on it."""
    need_disks(tmp_path / "probe")
    with file_disk(tmp_path / "ext4") as disk:
        yield disk


@pytest.mark.parametrize("acknowledged", cases([10, 40], fast=1))
@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (FileDisk.become_read_only, r"(?i)live\.duckdb.* cannot be .*(read-only|disk fails)"),
        (FileDisk.fail, r"(?i)live\.duckdb.* cannot be .*(input/output error|disk fails)"),
    ],
    ids=["becomes read-only", "fails"],
)
async def test_a_disk_that_breaks_under_an_open_store_is_said_and_gone_on_with_once_it_is_mended(
    happens: Callable[[FileDisk], None], reason: str, acknowledged: int, facts: Facts, whole: Path, ext4: FileDisk
) -> None:
    folder = ext4.folder / "data"
    ledger = facts.ledger(folder)
    await ledger.started(lane_of(Group()))
    await facts.read(ledger, await ledger.resume(TOPIC, 0), acknowledged)
    writable = Writable(folder)
    assert writable.unready() == []
    happens(ext4)
    with pytest.raises(StoreUnavailable, match=reason) as broken:
        await facts.read(ledger, acknowledged, len(facts))
    assert broken.value.exit_code == 3
    assert not isinstance(broken.value, StoreDamaged), "nothing is to be set aside"
    assert writable.unready() == [], "looked at a moment ago"
    (told,) = Writable(folder).unready()
    assert re.search(r"cannot be written: (Read-only file system|Input/output error)", told)
    await ledger.revoked([])
    # As after a power cut: what is in no file of the disk is gone.
    ext4.unmount()
    ext4.mount()
    again = facts.ledger(folder)
    assert await again.resume(TOPIC, 0) == acknowledged, "what was acknowledged is there"
    await again.revoked([])
    assert tables(await facts.judged(folder)) == tables(whole)
    assert not set_aside_in(folder)
    assert Writable(folder).unready() == []


def test_whether_a_folder_can_be_written_is_found_out_by_writing(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, says the system, also on a disk that takes nothing."""
    monkeypatch.setattr(writable_module, "LOOK_SECONDS", 0.0)
    writable = Writable(disk)
    assert writable.unready() == []
    assert list(disk.iterdir()) == []
    (disk / "ballast").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    assert writable.unready() == [f"{disk} cannot be written: No space left on device"]
    (disk / "ballast").unlink()
    mount(disk, "remount,ro")
    assert os.access(disk, os.W_OK) is False or os.geteuid() == 0
    assert writable.unready() == [f"{disk} cannot be written: Read-only file system"]
    mount(disk, "remount,rw")
    assert writable.unready() == []


def test_a_folder_is_written_seldom_and_a_disk_that_hangs_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, go_on = [], threading.Event()

    def fsync(_: int) -> None:
        looks.append(1)
        assert go_on.wait(300)

    monkeypatch.setattr(writable_module.os, "fsync", fsync)
    writable = Writable(tmp_path)
    for _ in range(3):
        assert writable.unready() == []
        assert not go_on.is_set(), "it waited for the disk"
    monkeypatch.setattr(writable_module, "_SLOW_SECONDS", 0.1)
    assert re.search(r"a file of 4,096 bytes is not written after \d+ s", writable.unready()[0])
    go_on.set()
    assert writable.unready() == []
    assert len(looks) == 1


@pytest.mark.slow
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
        up.communicate(timeout=300)
        assert up.returncode == 0
    finally:
        up.kill()
        up.communicate()
