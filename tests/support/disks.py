"""Disks in memory that are as small, as full or as read-only as a test wants them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int = 64) -> Iterator[Path]:
    """Mount a disk in memory on a new folder for the length of the block."""
    folder.mkdir(parents=True)
    mount(folder, f"size={kilobytes}k")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - as the system has it


def mount(folder: Path, options: str) -> None:
    """Mount a disk in memory, or change its options.

    Raises:
        OSError: it cannot be done here: only root may.
    """
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise OSError(f"no disk can be mounted here: {ended.stderr.strip()}")


def need_disks(probe: Path) -> None:
    """Skip the test where no disk can be mounted."""
    try:
        with small_disk(probe):
            return
    except OSError as error:
        pytest.skip(str(error))
