"""Conversion of a cell to the value of a field, and of a typed cell to text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from schemas.instants import END, FIRST, OffsetMissing, parse_instant
from streams.feeds.mapping.words import folded, in_english, plain

_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0*)?").fullmatch
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:[ ,'’][0-9]{3})+").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_BLANK_IN_NUMBER = re.compile(r"(?<=[0-9]) (?=[0-9]{3}(?![0-9]))")
_ISO_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9]{2}:[0-9]{2}.*)?").fullmatch
_BARE_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
#: What a form has that states a time of day.
_CLOCK = re.compile(r"%[HIcX]").search
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?").fullmatch
_YES = frozenset(["true", "yes", "y", "1", "oui", "vrai", "نعم"])
_NO = frozenset(["false", "no", "n", "0", "non", "faux", "لا"])
#: The parts of a date, with the pattern, the name and the greatest value of each.
_PARTS = {
    "d": ("day", 31), "m": ("month", 12), "H": ("hour", 23), "I": ("hour", 12), "M": ("minute", 59),
    "S": ("second", 60),
}  # fmt: skip


class NoValue(ValueError):
    """A cell is no value of its kind.

    Attributes:
        remedy: what to do about it, where that is more than to mend the cell.
    """

    def __init__(self, reason: str, remedy: str = "mend the cell") -> None:
        super().__init__(reason)
        self.remedy = remedy


def integer(text: str) -> int:
    """Return the whole number in a cell; groups of three digits may stand apart by a blank, a comma or an apostrophe.

    Raises:
        NoValue: it is none.
    """
    written = plain(text).replace("٬", ",").replace("٫", ".")
    if _GROUPED(written):
        written = re.sub(r"[ ,'’]", "", written)
    whole = _WHOLE(written)
    if whole is None:
        raise NoValue("no whole number", "write digits alone, or list the cell under missing if it says nothing")
    return int(whole[1])


def number(text: str) -> float:
    """Return the decimal number in a cell, with a point or one comma before its decimals.

    Raises:
        NoValue: it is none.
    """
    written = _BLANK_IN_NUMBER.sub("", plain(text).replace("٫", "."))
    if "." not in written and written.count(",") == 1:
        written = written.replace(",", ".")
    value = float(written) if _DECIMAL(written) else float("nan")
    if not isfinite(value):
        raise NoValue("no number", "write it as 35.47826, or list the cell under missing if it says nothing")
    return value


def boolean(text: str) -> bool:
    """Return whether a cell says yes.

    Raises:
        NoValue: it says neither yes nor no.
    """
    word = folded(text)
    if word not in _YES | _NO:
        raise NoValue("neither yes nor no", "write yes or no, or give the words under values")
    return word in _YES


def unix(text: str) -> str:
    """Return the instant of seconds since 1970, in UTC.

    Raises:
        NoValue: it is no whole number, or an instant of no calendar.
    """
    seconds = integer(text)
    if not FIRST.timestamp() <= seconds < END.timestamp():
        raise NoValue("no seconds since 1970: it lies outside the years 1971 to 2199")
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def day(text: str, formats: Sequence[str]) -> date:
    """Return the calendar day in a cell: in ISO 8601, or in one of the forms.

    Raises:
        NoValue: it is none.
    """
    written = plain(text)
    try:
        # A workbook gives every date as ISO 8601, whatever it shows.
        found = date.fromisoformat(iso[1]) if (iso := _ISO_DAY(written)) else _parsed(written, formats, "date").date()
    except ValueError as error:
        raise error if isinstance(error, NoValue) else NoValue(f"no day of any calendar: {error}") from None
    if not FIRST.date() <= found < END.date() - timedelta(days=1):
        raise NoValue("no day of the years 1971 to 2199", "mend the cell, or write the form of the year as %Y")
    return found


def day_at(found: date, at: str, zone: ZoneInfo) -> str:
    """Return the instant a day stands for: its start, its end, or a time of it."""
    if at == "end":
        found, at = found + timedelta(days=1), "start"
    clock = time.min if at == "start" else time.fromisoformat(at)
    return datetime.combine(found, clock, zone).isoformat()


def moment(text: str, formats: Sequence[str], at: str, zone: ZoneInfo) -> tuple[str, bool]:
    """Return the instant in a cell, and whether the cell states a day alone, which stands for its time ``at``.

    Raises:
        NoValue: it is neither.
    """
    written = plain(text)
    if _BARE_DAY(written):
        return day_at(day(written, ()), at, zone), True
    of_days = [form for form in formats if not _CLOCK(form)]
    if of_days and not _ISO_DAY(written):
        # A text of none of these forms may be a time.
        with suppress(NoValue):
            return day_at(day(written, of_days), at, zone), True
    return instant(written, formats, zone), False


def instant(text: str, formats: Sequence[str], zone: ZoneInfo) -> str:
    """Return the instant in a cell; one without an offset is local time of ``zone``.

    Raises:
        NoValue: it is none.
    """
    written = plain(text)
    try:
        return parse_instant(written).isoformat()
    except OffsetMissing:
        pass  # local time, or digits alone: below
    except ValueError:
        pass  # of another form, or none
    try:
        found = datetime.fromisoformat(written) if _ISO_TIME(written) else _parsed(written, formats, "time")
    except ValueError as error:
        raise error if isinstance(error, NoValue) else NoValue(f"no time of any calendar: {error}") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).isoformat()


def _parsed(text: str, formats: Sequence[str], what: str) -> datetime:
    english = in_english(text)
    for form in formats:
        try:
            return datetime.strptime(english, form.replace("%b", "%B"))  # noqa: DTZ007  # the caller knows the zone
        except ValueError:
            continue
    for form in formats:
        if (fault := _out_of_range(english, form)) is not None:
            raise NoValue(fault, f"mend the cell; its form is {form}")
    forms = " or ".join(formats) or f"{'2016-09-13' if what == 'date' else '2016-09-13 14:30'}"
    raise NoValue(f"no {what} of the form {forms}", "mend the cell, or add its form to formats")


def _out_of_range(text: str, form: str) -> str | None:
    """Return the part of a date that no calendar has; None for a text of another form."""
    pattern = re.escape(form.replace("%b", "%B"))
    for letter in "dmHIMSyY":
        pattern = pattern.replace(f"%{letter}", rf"(?P<{letter}>[0-9]+)", 1)
    found = re.compile(re.sub(r"%[a-zA-Z]", r"[^ ]+", pattern)).fullmatch(text)
    if found is None:
        return None
    for letter, value in found.groupdict().items():
        if letter in _PARTS and int(value) > _PARTS[letter][1]:
            return f"there is no {_PARTS[letter][0]} {value}"
    return "no day of any calendar"


def text_of_value(value: object) -> str:
    """Return a typed cell as text: a date in ISO 8601, a whole number without a point, and nothing for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(value)


#: Conversions that need no more than the text.
PLAIN: dict[str, Callable[[str], object]] = {
    "text": str, "integer": integer, "number": number, "boolean": boolean, "unix": unix,
}  # fmt: skip
