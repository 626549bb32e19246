"""Questions that an address asks, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from schemas.errors import UsageError
from schemas.instants import parse_day, parse_instant

Query = Mapping[str, str]


def instant_of(query: Query) -> datetime | None:
    """Return the instant an address asks about.

    Raises:
        UsageError: it is no instant with an offset.
    """
    if "as_of" not in query:
        return None
    try:
        # A plus sign that stands bare in an address is a space.
        return parse_instant(re.sub(r" (?=\d\d:?\d\d$)", "+", query["as_of"]))
    except ValueError as error:
        raise UsageError(
            f"as_of={query['as_of']} is no time with an offset", "write it as 2016-09-16T12:00Z"
        ) from error


def day_of(text: str) -> date:
    """Return the truce-day that an address names.

    Raises:
        UsageError: it is no day.
    """
    try:
        return parse_day(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no date", "write it as 2016-09-19") from error


def number_of(query: Query, name: str) -> int:
    """Return a whole number of an address, 0 where it has none.

    Raises:
        UsageError: it is no number, or one of more than nine digits.
    """
    given = query.get(name, "0")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise UsageError(f"{name}={given} is no number")
    return int(given)


def only(query: Query, *names: str) -> dict[str, str]:
    """Return the questions of these names."""
    return {name: value for name, value in query.items() if name in names}


def without(query: Query, *names: str) -> dict[str, str]:
    """Return the questions of other names."""
    return {name: value for name, value in query.items() if name not in names}
