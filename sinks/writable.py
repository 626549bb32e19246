"""Whether a folder takes what is written to it: found out by writing, for permissions say little and root has all."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from time import monotonic

#: Between two looks: each costs a write to the disk.
LOOK_SECONDS = 10.0
#: How long whoever asks waits for a look: a disk that hangs must not keep other questions from being answered.
_WAIT_SECONDS = 0.5
#: A look that has taken so long is an answer, too.
_SLOW_SECONDS = 30.0
#: A disk that is full takes a file, as long as there is nothing in it.
_SOME_BYTES = bytes(4_096)


class Writable:
    """Writes a file without a name to a folder, now and then and only when somebody asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looking: threading.Thread | None = None
        self._looked_at = float("-inf")
        self._found: list[str] = []

    def unready(self) -> list[str]:
        """Return what keeps a ledger from writing its folder, as of the last look; nothing when it may.

        One thread may ask, and it is kept for half a second at most.
        """
        now = monotonic()
        if self._looking is None and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            # A daemon: a disk that never answers must not keep the process from ending.
            self._looking = threading.Thread(target=self._look, name="writable", daemon=True)
            self._looking.start()
        if self._looking is not None:
            self._looking.join(_WAIT_SECONDS)
            if not self._looking.is_alive():
                self._looking = None
            elif (taken := monotonic() - self._looked_at) >= _SLOW_SECONDS:
                return [f"{self._folder}: a file of {len(_SOME_BYTES):,} bytes is not written after {taken:.0f} s"]
        return self._found

    def _look(self) -> None:
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(_SOME_BYTES)
                file.flush()
                # What only reached the memory of the system says nothing about the disk.
                os.fsync(file.fileno())
        except OSError as error:
            self._found = [f"{self._folder} cannot be written: {error.strerror or error}"]
        else:
            self._found = []
