"""Disks of their own that are as small, as full, as read-only or as broken as a test wants them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: The request to ext4 to answer every other one with an I/O error from now on, and its argument: write nothing first.
_SHUT_DOWN, _WITHOUT_FLUSH = 0x8004587D, 2


@contextmanager
def small_disk(folder: Path, kilobytes: int = 64) -> Iterator[Path]:
    """Mount a disk in memory on a new folder for the length of the block."""
    folder.mkdir(parents=True)
    mount(folder, f"size={kilobytes}k")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def mount(folder: Path, options: str) -> None:
    """Mount a disk in memory, or change its options.

    Raises:
        OSError: it cannot be done here: only root may.
    """
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))


class FileDisk:
    """A disk in a file, which can be taken from under what is open on it, and put right again."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._image = image

    def mount(self) -> None:
        """Mount it, as it was left.

        Raises:
            OSError: it cannot be done here: only root may, and only where there are loop devices.
        """
        _run("mount", "-o", "loop", str(self._image), str(self.folder))

    def unmount(self) -> None:
        """Let go of it; what is still open on it stays so."""
        _run("umount", "--lazy", str(self.folder))

    def become_read_only(self) -> None:
        """Take no more writes, as ext4 does by itself after an error; no remount does that while files are open."""
        _run("mount", "-o", "remount,abort", str(self.folder))

    def fail(self) -> None:
        """Answer everything with an I/O error from now on."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUT_DOWN, _WITHOUT_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(handle)


@contextmanager
def file_disk(folder: Path, megabytes: int = 64) -> Iterator[FileDisk]:
    """Make a disk in a file beside a new folder, and mount it there for the length of the block."""
    folder.mkdir(parents=True)
    image = folder.with_name(f"{folder.name}.ext4")
    with image.open("wb") as file:
        file.truncate(megabytes * 2**20)
    _run("mkfs.ext4", "-q", "-F", str(image))
    disk = FileDisk(image, folder)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()


def need_disks(probe: Path) -> None:
    """Skip the test where no disk can be mounted, in memory or in a file; fail it with REQUIRE_BROKER=1, as in CI."""
    try:
        with small_disk(probe / "memory"), file_disk(probe / "file", megabytes=8):
            return
    except OSError as error:
        if os.environ.get("REQUIRE_BROKER") == "1":
            pytest.fail(f"REQUIRE_BROKER=1, but {error}")
        pytest.skip(str(error))


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise OSError(f"no disk can be mounted here: {' '.join(command)}: {ended.stderr.strip()}")
