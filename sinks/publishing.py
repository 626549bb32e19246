"""Published copies: how one is made, and when.

A DuckDB file that is open for writing cannot be opened by another process, not even to read. So the ledger copies
its file now and then; whoever opened an earlier copy keeps reading that one undisturbed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from schemas.errors import StoreDamaged
from schemas.failpoints import reached
from sinks.blocks import check_blocks

#: The ioctl that makes a file share another one's blocks (btrfs, XFS): a copy without copying.
_FICLONE = 0x40049409
_CHUNK = 64 * 1024 * 1024
#: What a file system answers that cannot do a kind of copy; anything else is a real failure.
_CANNOT = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM)


#: Inode, time of change and size of a file: another copy has others.
Signature = tuple[int, int, int]


def signature_of(path: Path) -> Signature | None:
    """Return the signature of the file at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class CopyUnderWay:
    """Copy of an open file, written in a thread of its own.

    The caller sees to it that no checkpoint runs until the copy is written, and that nobody else
    publishes here. Commits alone add to the log, which is no part of the copy.

    Args:
        source: a descriptor and not a path, because closing any descriptor of a file drops all POSIX
            locks the process holds on it: opening the live file here would let a second writer in.
        target: at every moment the earlier copy or the whole new one.
        origin: names the source in errors.
    """

    def __init__(self, source: int, target: Path, origin: Path) -> None:
        self._target = target
        self._fresh = target.with_name(f"{target.name}.publishing")
        self._thread = ThreadPoolExecutor(1, "copy")
        self._seconds = self._thread.submit(self._written, source, origin)

    def _written(self, source: int, origin: Path) -> float:
        began = time.monotonic()
        _write(source, self._fresh, origin)
        return time.monotonic() - began

    def written(self) -> bool:
        """Return whether the thread has ended."""
        return self._seconds.done()

    def place(self) -> float:
        """Put the copy in the place of ``target``, durably and in one step; return its seconds.

        It waits for the thread. The copy that is replaced is kept as ``earlier(target)``.

        Raises:
            OSError: the disk took no more, or the folder cannot be written.
            StoreDamaged: the source is damaged; nothing was replaced.
        """
        self._thread.shutdown()
        seconds = self._seconds.result()
        # Someone may have opened the earlier copy for writing: its log, replayed onto the new copy, would damage it.
        self._target.with_name(f"{self._target.name}.wal").unlink(missing_ok=True)
        _keep(self._target)
        self._fresh.replace(self._target)
        reached("copy.replaced")
        _settle(self._target.parent)
        return seconds

    def give_up(self) -> None:
        """Wait for the thread and leave the earlier copy in its place."""
        self._thread.shutdown()
        # A broken disk keeps it until the file is opened again.
        with suppress(OSError):
            self._fresh.unlink(missing_ok=True)


def earlier(target: Path) -> Path:
    """Return the name of the copy that was published before ``target``."""
    return target.with_name(f"{target.name}.earlier")


def begin_with_copy(source: int, target: Path, origin: Path) -> None:
    """Put a copy of the open file ``source`` where there is no ``target`` yet; one that is there by then stays.

    Nobody holds a lock yet on what is about to be made. A ledger that hangs here and wakes up when another one has
    long taken over must neither write into that one's file nor put its own in the place of it: so the copy has a name
    that no other process knows, and takes its place only if that is free; on a file system without hard links, which
    alone can tell, whatever is there.

    Raises:
        OSError: the disk took no more, or the folder cannot be written.
        StoreDamaged: the source is damaged; nothing was made.
    """
    fresh = target.with_name(f"{target.name}.{uuid4().hex}.publishing")
    _write(source, fresh, origin)
    try:
        os.link(fresh, target)
    except (FileExistsError, FileNotFoundError):
        return  # another ledger was quicker, and may have cleared away what it found half made: opening tells
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    reached("copy.replaced")
    _settle(target.parent)


def _keep(target: Path) -> None:
    """Give the copy that is about to be replaced the name of the earlier one as well.

    A file system without hard links keeps none: a rename would leave readers without any for a moment.
    """
    linked = target.with_name(f"{target.name}.linked.publishing")
    linked.unlink(missing_ok=True)
    try:
        os.link(target, linked)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return
    linked.replace(earlier(target))
    reached("copy.kept")


def copies_begun(target: Path) -> list[Path]:
    """Return copies of ``target`` that were begun, by either way, and not finished."""
    return sorted(target.parent.glob(f"{target.name}*.publishing"))


def _write(source: int, fresh: Path, origin: Path) -> None:
    destination = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        _copy(source, destination)
        reached("copy.written")
        # Damage must not take the place of the last good copy.
        check_blocks(destination, origin)
        os.fsync(destination)
        reached("copy.synced")
    except (OSError, StoreDamaged):
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(destination)


def _settle(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # or the new name may be gone after a power failure
    finally:
        os.close(folder)


def _copy(source: int, destination: int) -> None:
    """Copy by sharing blocks, else within the kernel, else through memory."""
    reached("copy.half")
    try:
        fcntl.ioctl(destination, _FICLONE, source)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    else:
        return
    size = os.fstat(source).st_size
    done = _copy_in_kernel(source, destination, size)
    while done < size:
        block = os.pread(source, _CHUNK, done)
        if not block:
            raise OSError(errno.EIO, "the file shrank while it was copied")
        done += os.pwrite(destination, block, done)


def _copy_in_kernel(source: int, destination: int, size: int) -> int:
    """Return how many bytes the kernel copied: all, or fewer where it cannot."""
    done = 0
    try:
        while done < size:
            copied = os.copy_file_range(source, destination, min(_CHUNK, size - done), done, done)
            if not copied:
                break
            done += copied
    except (OSError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno not in _CANNOT:
            raise
    return done


class Cadence:
    """When to publish next: no more often than ``minimum``, and so that publishing takes at most ``share`` of the time.

    Copies get slower as history grows; the pause grows with them. Reads no clock: instants are seconds of the
    caller's monotonic clock.
    """

    def __init__(self, minimum: timedelta, share: float = 0.05) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share must lie in (0, 1], not {share}")
        self._minimum = minimum.total_seconds()
        self._share = share
        self._next = 0.0

    def due(self, now: float) -> bool:
        """Whether it is time to publish; at once when nothing was published yet."""
        return now >= self._next

    def begin_anew(self) -> None:
        """Forget the last publication: a process that was stopped in the midst of one took it for a slow one."""
        self._next = 0.0

    def published(self, now: float, took: float) -> None:
        """Note that a publication ended at ``now`` and took so many seconds."""
        self._next = now + self.pause_after(took)

    def pause_after(self, took: float) -> float:
        """Return the seconds to wait after a publication that took ``took`` seconds."""
        return max(self._minimum - took, took * (1 - self._share) / self._share)
