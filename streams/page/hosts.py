"""Names by which a page may be asked for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

#: ``Host`` without its port; an IPv6 address stands in brackets.
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::\d*)?")


class Hosts:
    """Check of the ``Host`` that a request names.

    A page on loopback is safe from other machines, but not from the browser of its own: a website whose name is turned
    to 127.0.0.1 would read the page as its own. So a page on loopback answers to names of loopback alone, and to those
    it was given. A page on another address answers to any name, unless it was given some.

    Args:
        listen: the host it listens at.
        given: names by which a proxy passes requests on.
    """

    def __init__(self, listen: str, given: Sequence[str] = ()) -> None:
        self._names = {_plain(name) for name in (listen, *given)}
        self._any = not given and not _is_loopback(_plain(listen))

    def allow(self, host: str | None) -> bool:
        """Return whether a request of this ``Host`` is answered; browsers always send one."""
        if host is None or self._any:
            return True
        found = _HOST.fullmatch(host)
        name = _plain(found[1]) if found else ""
        return name in self._names or _is_loopback(name)


def _plain(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
