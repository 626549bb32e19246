"""Changes of the overview since a version, without a buffer of events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

#: Versions a page may go on from; one that saw none of them takes the whole page anew.
_REMEMBERED = 10_000


class Changes:
    """Fragments of the overview, each with the version that changed it last."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}
        self._changed: dict[str, int] = {}
        self._versions: deque[int] = deque(maxlen=_REMEMBERED)

    def update(self, version: int, parts: Mapping[str, str]) -> None:
        """Take the fragments of a new version. Other regions or days begin a new history."""
        if parts.keys() != self._parts.keys():
            self._versions.clear()
            self._changed.clear()
        for name, text in parts.items():
            if self._parts.get(name) != text:
                self._changed[name] = version
        self._parts = dict(parts)
        self._versions.append(version)

    def knows(self, version: int) -> bool:
        """Return whether a page of this version can go on from it."""
        return version in self._versions

    def since(self, version: int) -> dict[str, str] | None:
        """Return the fragments that changed after a version; None where nobody knows, or the layout changed."""
        if not self.knows(version):
            return None
        return {name: self._parts[name] for name, changed in self._changed.items() if changed > version}
