"""Time zones of the pinned ``tzdata`` package, whatever database the host has.

``zoneinfo.ZoneInfo(name)`` prefers the host's: two hosts would cut one truce-day differently.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata

#: Release of the IANA database, such as 2026f.
RELEASE: str = tzdata.IANA_VERSION

_PACKAGE = resources.files(tzdata)


@cache
def names() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset((_PACKAGE / "zones").read_text("utf-8").split())


@cache
def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of a name, such as Asia/Damascus.

    Raises:
        KeyError: there is none.
    """
    if name not in names():
        raise KeyError(name)
    with _PACKAGE.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
