"""The one parser of instants, for intake, archives, feeds and the command line.

An instant is RFC 3339: ``2016-09-12T19:00:00.5+03:00``, with ``T`` or a blank, ``Z`` or ``z``. Seconds may be left
out, an offset may be ``+03`` or ``+0300``, and digits after the sixth of a second are cut off. Everything else that
some reader of ISO 8601 takes is refused: week dates, dates without dashes, and digits alone, which one reader takes
for a compact local time and another for seconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

#: Years an instant may lie in. Beyond them lie slips of the pen, and the ends of the calendar of truce-days.
FIRST, END = datetime(1971, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
#: Pattern of what every version of Python, and Arrow, read alike; nearly every report is written so.
PLAIN = rf"{_DATE}T{_TIME}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_TIME})"
_PLAIN = re.compile(PLAIN).fullmatch
_WRITTEN = re.compile(
    rf"({_DATE})[Tt ]({_TIME})(:[0-5][0-9])?(?:\.([0-9]{{1,6}})[0-9]*)?"
    r"(?:([Zz])|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?"
).fullmatch
_DAY = re.compile(rf"({_DATE})(?:[Tt ]{_TIME}.*)?").fullmatch
_DIGITS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?").fullmatch


class OffsetMissing(ValueError):
    """A time without its offset from UTC, which may be any of 26 hours, or digits alone."""


def parse_instant(text: str) -> datetime:
    """Return the instant a text states, with its offset.

    Raises:
        OffsetMissing: it states no offset.
        ValueError: it is no instant as written above, or no calendar has it.
    """
    if _PLAIN(text) is not None:
        return datetime.fromisoformat(text)
    if _DIGITS(text) is not None:
        raise OffsetMissing(text)
    written = _WRITTEN(text)
    if written is None or (written[4] and not written[3]):
        raise ValueError(text)
    day, minute, second, fraction, zulu, sign, hours, minutes = written.groups()
    offset = "+00:00" if zulu else f"{sign}{hours}:{minutes or '00'}" if sign else ""
    instant = datetime.fromisoformat(f"{day}T{minute}{second or ':00'}.{fraction or '0'}{offset}")
    if instant.tzinfo is None:
        raise OffsetMissing(text)
    return instant


def parse_day(text: str) -> date:
    """Return the calendar day a text states, with or without a time of day behind it.

    Raises:
        ValueError: it is no day as ``2016-09-12``, no calendar has it, or it lies outside the years of an instant.
    """
    written = _DAY(text)
    if written is None:
        raise ValueError(text)
    day = date.fromisoformat(written[1])
    # The day after the last one there is, is an error of its own.
    if not FIRST.date() <= day < END.date():
        raise ValueError(text)
    return day
